//! However the bytes of a packet arrive, the outcome is the same, and it comes at the byte that decides it.

use arbitrary::Unstructured;
use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    DecodeError, Decoded, DecodedHead, FixedHeader, Packet, Role, Rules, Version, decode, decode_publish_head,
};
use mqtt_tests::generate::{self, random_bytes, split_mix};
use proptest::prelude::*;

fn frame(version: Version, role: Role, source: &[u8]) -> (Packet<Bytes>, Vec<u8>) {
    let packet =
        generate::packet(&mut Unstructured::new(source), version, role).expect("a source that has run out gives zeros");
    let mut bytes = Vec::new();
    packet.encode_to(version, &mut bytes).expect("a valid packet");
    (packet, bytes)
}

fn versions() -> impl Strategy<Value = Version> {
    proptest::sample::select(Version::ALL.to_vec())
}

fn roles() -> impl Strategy<Value = Role> {
    proptest::sample::select(vec![Role::Client, Role::Server])
}

fn sources() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_valid_packet_is_incomplete_at_every_byte(version in versions(), role in roles(), source in sources()) {
        let (packet, bytes) = frame(version, role, &source);
        let rules = Rules::new(version).sent_by(role);
        for end in 0..bytes.len() {
            match decode(&bytes[..end], &rules) {
                Ok(Decoded::Incomplete { missing }) => {
                    prop_assert!(missing >= 1 && missing <= bytes.len() - end, "{} of {} bytes", end, bytes.len());
                    let header_known = FixedHeader::decode(&bytes[..end], &rules).expect("valid").is_some();
                    prop_assert!(!header_known || missing == bytes.len() - end, "the length is known");
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(decode(&bytes, &rules), Ok(Decoded::Packet { packet: packet.as_view(), len: bytes.len() }));
    }

    /// An error stays the same error whatever follows, and before it there was no other verdict.
    #[test]
    fn an_error_comes_at_one_byte_and_stays(version in versions(), role in roles(), source in sources(), place in any::<u16>(), byte in any::<u8>()) {
        let (_, mut bytes) = frame(version, role, &source);
        let place = usize::from(place) % bytes.len().min(64);
        bytes[place] = byte;
        let rules = Rules::new(version).sent_by(role);
        let mut verdict: Option<Result<usize, DecodeError>> = None;
        for end in 0..=bytes.len() {
            let outcome = match decode(&bytes[..end], &rules) {
                Ok(Decoded::Incomplete { .. }) => None,
                Ok(Decoded::Packet { len, .. }) => Some(Ok(len)),
                Err(error) => Some(Err(error)),
            };
            match (&verdict, outcome) {
                (Some(earlier), now) => prop_assert_eq!(Some(*earlier), now),
                (None, Some(first)) => {
                    match &first {
                        Ok(len) => prop_assert_eq!(*len, end, "a packet is known with its last byte"),
                        Err(error) => prop_assert!(error.offset() <= end, "{}", error),
                    }
                    verdict = Some(first);
                }
                (None, None) => {}
            }
        }
    }

    #[test]
    fn a_receive_buffer_gives_the_same_packets_for_every_way_of_filling_it(version in versions(), role in roles(), seed in any::<u64>()) {
        let packets: Vec<Packet<Bytes>> = generate::corpus(version, role, seed, 6).collect();
        let mut stream = Vec::new();
        for packet in &packets {
            packet.encode_to(version, &mut stream).expect("a valid packet");
        }
        let rules = Rules::new(version).sent_by(role);
        let (mut buffer, mut taken, mut state) = (BytesMut::new(), Vec::new(), seed);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let chunk = usize::try_from(split_mix(&mut state) % 40).expect("small") + 1;
            let (now, later) = rest.split_at(chunk.min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            while let Some(packet) = Packet::take(&mut buffer, &rules).expect("a valid stream") {
                taken.push(packet);
            }
        }
        prop_assert_eq!(taken, packets);
    }

    /// The head of a PUBLISH is that of the whole packet, and is known at the latest with its last byte.
    #[test]
    fn the_head_of_a_publish_needs_no_payload(version in versions(), role in roles(), source in sources()) {
        let (packet, bytes) = frame(version, role, &source);
        let rules = Rules::new(version).sent_by(role);
        let Packet::Publish(publish) = &packet else {
            prop_assert_eq!(decode_publish_head(&bytes, &rules), Ok(DecodedHead::NotPublish));
            return Ok(());
        };
        let head_len = bytes.len() - publish.payload.len();
        for end in 0..=bytes.len() {
            match decode_publish_head(&bytes[..end], &rules).expect("a valid packet") {
                DecodedHead::Head { publish: head, len, payload_len } => {
                    prop_assert!(end >= head_len);
                    prop_assert_eq!((len, payload_len), (head_len, publish.payload.len()));
                    prop_assert_eq!((head.delivery, head.retain), (publish.delivery, publish.retain));
                    prop_assert_eq!(head.topic, publish.topic.as_ref().map(|topic| topic.as_view()));
                    prop_assert_eq!(head.properties, publish.properties.as_view());
                    prop_assert_eq!(head.payload, b"");
                }
                DecodedHead::Incomplete { missing } => prop_assert!(end < head_len && missing >= 1 && end + missing <= head_len),
                DecodedHead::NotPublish => prop_assert!(false, "it is a PUBLISH"),
            }
        }
    }

    /// What the head path refuses the whole path refuses too, in the same words, and the other way round.
    #[test]
    fn the_head_path_judges_as_the_whole_path(version in versions(), role in roles(), source in sources(), place in any::<u16>(), byte in any::<u8>()) {
        let (packet, mut bytes) = frame(version, role, &source);
        let Packet::Publish(_) = packet else { return Ok(()) };
        let place = usize::from(place) % bytes.len().min(64);
        bytes[place] = byte;
        let rules = Rules::new(version).sent_by(role);
        match (decode(&bytes, &rules), decode_publish_head(&bytes, &rules)) {
            (Err(whole), Err(head)) => prop_assert_eq!(whole, head),
            (Ok(Decoded::Packet { len, .. }), Ok(DecodedHead::Head { len: head_len, payload_len, .. })) => {
                prop_assert_eq!(len, head_len + payload_len);
            }
            (_, Ok(DecodedHead::NotPublish)) => prop_assert_ne!(bytes[0] >> 4, 3),
            // A packet that has not arrived as a whole may show the fault in its head already.
            (Ok(Decoded::Incomplete { .. }), _) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

/// The whole work of a driver that waits for what is missing is a handful of calls, however long the packet.
#[test]
fn a_driver_that_waits_for_what_is_missing_calls_seldom() {
    for version in Version::ALL {
        for seed in 0..300 {
            let (_, bytes) = frame(version, Role::Client, &random_bytes(seed, 600));
            let (mut held, mut calls) = (0, 0);
            loop {
                calls += 1;
                match decode(&bytes[..held], &Rules::new(version)).expect("a valid packet") {
                    Decoded::Packet { .. } => break,
                    Decoded::Incomplete { missing } => held += missing,
                }
            }
            assert!(calls <= 5, "{calls} calls for {} bytes", bytes.len());
        }
    }
}
