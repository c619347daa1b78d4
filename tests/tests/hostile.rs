//! Bytes of ill will: no panic, no nonsense. Whatever a decoder accepts is a packet by an independent reading too.

use bytes::Bytes;
use mqtt_proto::{
    Choice, DecodeError, Decoded, Packet, Policy, Role, Rules, Version, decode, decode_publish_head, explain,
    peek_connect,
};
use mqtt_tests::generate::{self, split_mix};
use mqtt_tests::hex;
use mqtt_tests::outline::Outline;
use proptest::prelude::*;

/// Rules without the leniences that the independent reading does not have.
fn strict(version: Version) -> Rules {
    let mut policy = Policy::default();
    policy.v3_1_habits = Choice::Refuse;
    Rules::new(version).policy(policy)
}

/// Holds for all bytes.
fn judge(bytes: &[u8], version: Version) {
    let rules = strict(version);
    let _ = peek_connect(bytes, &rules);
    let _ = decode_publish_head(bytes, &rules);
    let outcome = decode(bytes, &rules);
    assert_eq!(
        explained(bytes, &rules),
        outcome,
        "telling about fields changes no verdict"
    );
    match outcome {
        Ok(Decoded::Packet { packet, len }) => accepted(&packet, &bytes[..len], version),
        Ok(Decoded::Incomplete { missing }) => assert!(missing > 0),
        Err(error) => {
            assert!(error.offset() <= bytes.len(), "{error}: {}", hex::text(bytes));
            assert!(error.reason_code().is_error(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// What is told about the fields covers the packet without a gap or an overlap.
fn explained<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Decoded<'a>, DecodeError> {
    let mut told = 0;
    let outcome = explain(bytes, rules, |field| {
        assert_eq!(field.range.start, told, "a gap or an overlap: {}", hex::text(bytes));
        told = field.range.end;
    });
    if let Ok(Decoded::Packet { len, .. }) = outcome {
        assert_eq!(told, len, "not told to the end: {}", hex::text(bytes));
    }
    outcome
}

/// An accepted frame is read to its end by the outline; what it means can be written, and then means the same.
fn accepted(packet: &Packet<&[u8]>, frame: &[u8], version: Version) {
    let level = if let Packet::Connect(connect) = packet {
        connect.version.level()
    } else {
        version.level()
    };
    let outline =
        Outline::read(frame, level).unwrap_or_else(|| panic!("no packet to the outline: {}", hex::text(frame)));
    assert_eq!(outline.packet_type, packet.packet_type().number());
    let version = if let Packet::Connect(connect) = packet {
        connect.version
    } else {
        version
    };
    let mut again = Vec::new();
    packet
        .encode_to(version, &mut again)
        .unwrap_or_else(|error| panic!("{error}: {}", hex::text(frame)));
    assert!(
        again.len() <= frame.len(),
        "longer than what was received: {}",
        hex::text(frame)
    );
    assert_eq!(
        decode(&again, &strict(version)),
        Ok(Decoded::Packet {
            packet: *packet,
            len: again.len()
        })
    );
    assert!(!format!("{packet:?}").is_empty());
}

/// Flips bits, sets bytes, changes lengths, cuts, repeats and joins.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], state: &mut u64) {
    for _ in 0..=split_mix(state) % 4 {
        let mut below = |limit: usize| usize::try_from(split_mix(state) % (limit.max(1) as u64)).unwrap_or(0);
        let place = below(bytes.len());
        let edges = [0x00, 0x01, 0x7F, 0x80, 0xFF, b'+', b'#', b'/', b'$', 0xC0, 0xED];
        match below(8) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << below(8),
            1 if !bytes.is_empty() => bytes[place] = edges[below(edges.len())],
            2 if bytes.len() > 1 => {
                bytes[1] = bytes[1]
                    .wrapping_add(u8::try_from(below(5)).unwrap_or(0))
                    .wrapping_sub(2);
            }
            3 => bytes.truncate(place),
            4 if !bytes.is_empty() => drop(bytes.remove(place)),
            5 => bytes.insert(place, edges[below(edges.len())]),
            6 => {
                let from = below(other.len());
                bytes.truncate(place);
                bytes.extend(&other[from..]);
            }
            _ if bytes.len() > 1 => {
                // Lets the Remaining Length be right again, so that the mutation reaches the fields.
                bytes[1] = u8::try_from(bytes.len() - 2).unwrap_or(127) & 0x7F;
            }
            _ => {}
        }
    }
}

#[test]
fn mutations_of_valid_packets_are_judged_soundly() {
    let mut state = 2024;
    for version in Version::ALL {
        for role in [Role::Client, Role::Server] {
            let packets: Vec<Packet<Bytes>> = generate::corpus(version, role, 3, 400).collect();
            let frames: Vec<Vec<u8>> = packets
                .iter()
                .map(|packet| {
                    let mut bytes = Vec::new();
                    packet.encode_to(version, &mut bytes).expect("a valid packet");
                    bytes
                })
                .collect();
            for (frame, other) in frames.iter().zip(frames.iter().rev()) {
                for _ in 0..40 {
                    let mut bytes = frame.clone();
                    mutate(&mut bytes, other, &mut state);
                    judge(&bytes, version);
                }
            }
        }
    }
}

/// Every byte of valid frames set to every value.
#[test]
fn every_change_of_one_byte_is_judged_soundly() {
    let frames = [
        "10 1F 0004 4D515454 05 C6 003C 03 21 0001 0001 63 00 0001 74 0001 6D 0001 75 0001 70",
        "10 1C 0004 4D515454 04 C6 003C 0001 63 0001 74 0001 6D 0001 75 0001 70 00",
        "32 11 0001 74 0001 0A 0B 01 08 0001 72 02 00000001 68",
        "82 0D 0001 02 0B 01 0009 2473686172652F672F61 01",
        "40 0D 0001 10 09 1F 0001 72 26 0001 6E 0000",
        "90 05 0001 01 02 80",
        "E0 07 04 05 11 00000001",
        "F0 0A 18 08 15 0001 6D 16 0001 64",
    ];
    for frame in frames {
        let frame = hex::bytes(frame);
        for place in 0..frame.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = frame.clone();
                bytes[place] = byte;
                Version::ALL.into_iter().for_each(|version| judge(&bytes, version));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn random_bytes_are_judged_soundly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        Version::ALL.into_iter().for_each(|version| judge(&bytes, version));
    }

    /// A right fixed header, so that the fields are reached.
    #[test]
    fn random_fields_are_judged_soundly(first in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let bytes = [&[first, u8::try_from(body.len()).expect("short")], &body[..]].concat();
        Version::ALL.into_iter().for_each(|version| judge(&bytes, version));
    }
}
