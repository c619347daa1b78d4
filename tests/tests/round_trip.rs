//! Packets survive encoding and decoding: every type, every version, both ends, borrowed and owned.

use arbitrary::Unstructured;
use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{Decoded, EncodeError, Packet, PacketType, Role, Rules, Version, decode};
use mqtt_tests::generate;
use mqtt_tests::outline::Outline;
use proptest::prelude::*;

/// A version, an end, and a packet that this end may send in this version.
fn sent() -> impl Strategy<Value = (Version, Role, Packet<Bytes>)> {
    let version = proptest::sample::select(Version::ALL.to_vec());
    let role = proptest::sample::select(vec![Role::Client, Role::Server]);
    let source = proptest::collection::vec(any::<u8>(), 0..600);
    (version, role, source).prop_map(|(version, role, source)| {
        let packet = generate::packet(&mut Unstructured::new(&source), version, role);
        (version, role, packet.expect("a source that has run out gives zeros"))
    })
}

fn encoded(packet: &Packet<Bytes>, version: Version) -> Vec<u8> {
    let mut bytes = vec![0; packet.encoded_len(version).expect("a valid packet")];
    let len = packet.encode(version, &mut bytes).expect("a buffer of the right size");
    assert_eq!(len, bytes.len());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn what_was_encoded_decodes_to_the_same((version, role, packet) in sent()) {
        let bytes = encoded(&packet, version);
        let decoded = decode(&bytes, &Rules::new(version).sent_by(role));
        prop_assert_eq!(decoded, Ok(Decoded::Packet { packet: packet.as_view(), len: bytes.len() }));
    }

    #[test]
    fn owned_packets_are_the_same_as_views((version, _, packet) in sent()) {
        let bytes = encoded(&packet, version);
        let mut received = BytesMut::from(&bytes[..]);
        let taken = Packet::take(&mut received, &Rules::new(version));
        prop_assert_eq!(taken, Ok(Some(packet.clone())));
        prop_assert!(received.is_empty());
        prop_assert_eq!(packet.as_view().to_owned(), packet);
    }

    #[test]
    fn both_ways_of_encoding_write_the_same((version, _, packet) in sent()) {
        let bytes = encoded(&packet, version);
        let mut appended = b"before".to_vec();
        prop_assert_eq!(packet.encode_to(version, &mut appended), Ok(bytes.len()));
        prop_assert_eq!(&appended[6..], &bytes[..]);
        prop_assert_eq!(&appended[..6], b"before");
    }

    #[test]
    fn a_buffer_of_any_smaller_size_is_left_alone((version, _, packet) in sent(), part in 0.0..1.0_f64) {
        let needed = packet.encoded_len(version).expect("a valid packet");
        let size = (needed as f64 * part) as usize;
        let mut buffer = vec![0xEE; size];
        prop_assert_eq!(packet.encode(version, &mut buffer), Err(EncodeError::BufferTooSmall { needed }));
        let mut limited = &mut buffer[..];
        prop_assert_eq!(packet.encode_to(version, &mut limited), Err(EncodeError::BufferTooSmall { needed }));
        prop_assert!(buffer.iter().all(|byte| *byte == 0xEE));
    }

    #[test]
    fn what_follows_a_packet_is_not_looked_at((version, role, packet) in sent(), behind in proptest::collection::vec(any::<u8>(), 0..9)) {
        let mut bytes = encoded(&packet, version);
        let len = bytes.len();
        bytes.extend(behind);
        let decoded = decode(&bytes, &Rules::new(version).sent_by(role));
        prop_assert_eq!(decoded, Ok(Decoded::Packet { packet: packet.as_view(), len }));
    }

    #[test]
    fn the_independent_outline_reads_the_same_packet((version, _, packet) in sent()) {
        let bytes = encoded(&packet, version);
        let outline = Outline::read(&bytes, version.level());
        prop_assert_eq!(outline.map(|outline| outline.packet_type), Some(packet.packet_type().number()));
    }

    #[test]
    fn the_other_end_may_not_send_it((version, role, packet) in sent()) {
        let bytes = encoded(&packet, version);
        let outcome = decode(&bytes, &Rules::new(version).sent_by(role.peer()));
        if !packet.packet_type().may_be_sent_by(role.peer(), version) {
            prop_assert_eq!(outcome.map(drop).map_err(|error| error.reason_code().value()), Err(0x82));
        }
    }

    /// Who may send it is another question: a server of 3.1.1 has no DISCONNECT.
    #[test]
    fn a_packet_of_5_0_is_cut_to_what_older_versions_have((_, _, packet) in sent()) {
        for version in Version::ALL {
            let Some(fitting) = packet.clone().for_version(version) else { continue };
            prop_assert_eq!(fitting.clone().for_version(version), Some(fitting.clone()));
            if let Ok(len) = fitting.encoded_len(version) {
                let bytes = encoded(&fitting, version);
                prop_assert_eq!(bytes.len(), len);
                let decoded = decode(&bytes, &Rules::new(version));
                prop_assert_eq!(decoded, Ok(Decoded::Packet { packet: fitting.as_view(), len }));
            }
        }
    }
}

#[test]
fn every_type_of_every_version_is_generated() {
    for version in Version::ALL {
        for role in [Role::Client, Role::Server] {
            let generated: Vec<PacketType> = generate::corpus(version, role, 7, 800)
                .map(|packet| packet.packet_type())
                .collect();
            for kind in PacketType::ALL {
                let exists = *kind != PacketType::Auth || version == Version::V5;
                let expected = exists && kind.may_be_sent_by(role, version);
                assert_eq!(generated.contains(kind), expected, "{kind} from {role:?} in {version}");
            }
        }
    }
}

/// Fields and packets at the lengths where an encoding changes.
#[test]
fn lengths_at_the_edges_round_trip() {
    use mqtt_proto::{Delivery, PacketId, Properties, Publish, TopicName, section};
    for version in [Version::V3_1_1, Version::V5] {
        for len in [
            0, 1, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16_377, 16_378, 16_379, 16_383, 16_384, 2_097_143,
            2_097_150, 2_097_152,
        ] {
            let publish = Packet::Publish(Publish {
                delivery: Delivery::ExactlyOnce {
                    id: PacketId::MAX,
                    dup: true,
                },
                retain: true,
                topic: Some(TopicName::from_bytes(Bytes::from_static(b"t")).expect("a topic")),
                properties: Properties::empty(),
                payload: Bytes::from(vec![0xA5; len]),
            });
            let bytes = encoded(&publish, version);
            assert_eq!(
                decode(&bytes, &Rules::new(version)),
                Ok(Decoded::Packet {
                    packet: publish.as_view(),
                    len: bytes.len()
                })
            );
        }
    }
    for len in [0, 1, 59, 60, 61, 62, 120, 127, 128, 8_000, 16_300, 65_535] {
        let value = "v".repeat(len);
        let properties = Properties::<section::Publish, _>::builder()
            .user_property("n", &value)
            .user_property(&value, "");
        let publish = Packet::Publish(Publish {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(TopicName::from_bytes(Bytes::from("t".repeat(len.max(1)))).expect("a topic")),
            properties: properties.build().expect("valid texts"),
            payload: Bytes::new(),
        });
        let bytes = encoded(&publish, Version::V5);
        assert_eq!(
            decode(&bytes, &Rules::new(Version::V5)),
            Ok(Decoded::Packet {
                packet: publish.as_view(),
                len: bytes.len()
            })
        );
    }
}

/// A stream of packets, one behind another, is taken apart into the same packets.
#[test]
fn a_stream_of_packets_is_taken_apart() {
    for version in Version::ALL {
        let packets: Vec<Packet<Bytes>> = generate::corpus(version, Role::Server, 11, 200).collect();
        let mut stream = BytesMut::new();
        for packet in &packets {
            packet.encode_to(version, &mut stream).expect("a valid packet");
        }
        let rules = Rules::new(version).sent_by(Role::Server);
        let mut shared = stream.clone().freeze();
        for packet in &packets {
            assert_eq!(Packet::take(&mut stream, &rules), Ok(Some(packet.clone())));
            assert_eq!(Packet::take_from(&mut shared, &rules), Ok(Some(packet.clone())));
        }
        assert_eq!((stream.remaining(), shared.remaining()), (0, 0));
    }
}
