//! Known faults of MQTT software on bad input: framing, lengths and cost.

use mqtt_proto::{
    Binary, BinaryTooLong, DecodeErrorKind, Decoded, Delivery, EncodeError, Packet, PacketId, Policy, Properties,
    Publish, Role, Rules, Text, TextError, TopicName, Version, decode, section,
};
use mqtt_tests::generate::{corpus, split_mix};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use super::heap::bytes_allocated_by;
use super::verdict::decoded;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Codec, format!("bad_input::{id}::{name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-001",
            "the fourth byte of a length is the last",
            the_fourth_byte_of_a_length_is_the_last,
        ),
        trial(
            "BI-003",
            "padding is refused without asking for more",
            padding_is_refused_without_asking_for_more,
        ),
        trial(
            "BI-004",
            "a packet longer than its carrier is incomplete",
            packet_longer_than_its_carrier_is_incomplete,
        ),
        trial(
            "BI-005",
            "every call takes a byte, asks for one, or ends",
            every_call_takes_a_byte_asks_for_one_or_ends,
        ),
        trial(
            "BI-007",
            "the limit is applied by the header alone",
            the_limit_is_applied_by_the_header_alone,
        ),
        trial(
            "BI-009",
            "a packet that arrives byte by byte is parsed once",
            packet_that_arrives_byte_by_byte_is_parsed_once,
        ),
        trial(
            "BI-010",
            "user properties are limited in number",
            user_properties_are_limited_in_number,
        ),
        trial(
            "BI-011",
            "the limit holds before anything is copied",
            the_limit_holds_before_anything_is_copied,
        ),
        trial(
            "BI-018",
            "a refused CONNECT of 5.0 leaves the heap alone",
            refused_connect_of_v5_leaves_the_heap_alone,
        ),
        trial(
            "BI-019",
            "a refused CONNECT of 3.1.1 leaves the heap alone",
            refused_connect_of_v3_1_1_leaves_the_heap_alone,
        ),
        trial(
            "BI-025",
            "what a length cannot express is not encoded",
            what_a_length_cannot_express_is_not_encoded,
        ),
        trial(
            "BI-026",
            "what is encoded decodes to the same",
            what_is_encoded_decodes_to_the_same,
        ),
        trial(
            "BI-029",
            "a buffer that is too small stays untouched",
            buffer_that_is_too_small_stays_untouched,
        ),
        trial(
            "BI-031",
            "no small packet makes the decoder panic",
            no_small_packet_makes_the_decoder_panic,
        ),
        trial(
            "BI-038",
            "a reserved type is refused at its byte",
            reserved_type_is_refused_at_its_byte,
        ),
    ]
}

fn kind(bytes: &[u8], rules: &Rules) -> Option<DecodeErrorKind> {
    decode(bytes, rules).err().map(|error| error.kind())
}

/// Nothing behind the bad length is interpreted, however it would read.
fn the_fourth_byte_of_a_length_is_the_last() {
    for version in Version::ALL {
        let rules = Rules::new(version);
        for first in [0x10, 0x30, 0xC0] {
            let mut bytes = vec![first, 0xFF, 0xFF, 0xFF];
            assert_eq!(decode(&bytes, &rules), Ok(Decoded::Incomplete { missing: 1 }));
            bytes.push(0x80);
            assert_eq!(kind(&bytes, &rules), Some(DecodeErrorKind::LengthTooLong));
            bytes.extend([0x01, 0xC0, 0x00]);
            assert_eq!(kind(&bytes, &rules), Some(DecodeErrorKind::LengthTooLong));
        }
    }
}

fn padding_is_refused_without_asking_for_more() {
    for version in Version::ALL {
        for padded in ["30 85 00", "30 85 80 00", "30 85 80 80 00", "C0 80 00"] {
            let bytes = hex::bytes(padded);
            for end in 0..bytes.len() {
                assert!(matches!(
                    decode(&bytes[..end], &Rules::new(version)),
                    Ok(Decoded::Incomplete { .. })
                ));
            }
            assert_eq!(
                kind(&bytes, &Rules::new(version)),
                Some(DecodeErrorKind::LengthPadded),
                "{padded}"
            );
        }
    }
}

/// A WebSocket frame of 10 bytes that claims to hold a PUBLISH of 100.
fn packet_longer_than_its_carrier_is_incomplete() {
    let bytes = hex::bytes("30 64 0001 74 00 68 68 68 68");
    for end in 2..=bytes.len() {
        let missing = 102 - end;
        assert_eq!(
            decode(&bytes[..end], &Rules::new(Version::V5)),
            Ok(Decoded::Incomplete { missing })
        );
    }
}

fn every_call_takes_a_byte_asks_for_one_or_ends() {
    let mut state = 5;
    for _ in 0..2000 {
        let mut stream: Vec<u8> = (0..64).map(|_| split_mix(&mut state).to_le_bytes()[0]).collect();
        stream.splice(0..0, hex::bytes("C0 00 40 02 0001 D0 00"));
        for version in Version::ALL {
            let (mut rest, mut calls) = (&stream[..], 0);
            while let Ok(Decoded::Packet { len, .. }) = decode(rest, &Rules::new(version)) {
                assert!(len >= 2 && len <= rest.len());
                rest = &rest[len..];
                calls += 1;
            }
            assert!((3..=stream.len() / 2).contains(&calls));
            assert!(!matches!(
                decode(rest, &Rules::new(version)),
                Ok(Decoded::Incomplete { missing: 0 })
            ));
        }
    }
}

fn the_limit_is_applied_by_the_header_alone() {
    for version in Version::ALL {
        let rules = Rules::new(version).limit(1000);
        for (header, refused) in [("10 E5 07", false), ("10 E6 07", true), ("30 FF FF FF 7F", true)] {
            let bytes = hex::bytes(header);
            let allocated = bytes_allocated_by(|| match decode(&bytes, &rules) {
                Err(error) if refused => assert_eq!(error.reason_code().value(), 0x95),
                Ok(Decoded::Incomplete { .. }) if !refused => {}
                other => panic!("{header}: {other:?}"),
            });
            assert_eq!(allocated, 0);
        }
    }
}

/// A driver that waits for what it is told is missing calls at most once for each byte of the header, and once more.
fn packet_that_arrives_byte_by_byte_is_parsed_once() {
    let property = "26 0001 6E 0001 76 ".repeat(500);
    let body = format!("0004 4D515454 05 02 003C AC 1B {property} 0000");
    let bytes = hex::bytes(&format!("10 BA 1B {body}"));
    let (mut held, mut calls) = (0, 0);
    let rules = Rules::new(Version::V5);
    loop {
        calls += 1;
        match decode(&bytes[..held], &rules).expect("a valid packet") {
            Decoded::Packet { len, .. } => break assert_eq!(len, bytes.len()),
            Decoded::Incomplete { missing } => held += missing,
        }
    }
    assert!(calls <= 5, "{calls} calls");
}

fn connect_with_user_properties(count: usize) -> Vec<u8> {
    let properties = Properties::<section::Connect, _>::builder();
    let properties = (0..count).fold(properties, |properties, _| properties.user_property("n", "v"));
    let connect = mqtt_proto::Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::from_bytes(bytes::Bytes::from_static(b"c")).expect("plain text"),
        will: None,
        username: None,
        password: None,
        properties: properties.build().expect("user properties may repeat"),
    };
    let mut bytes = Vec::new();
    connect.encode_to(Version::V5, &mut bytes).expect("a valid packet");
    bytes
}

fn user_properties_are_limited_in_number() {
    let mut policy = Policy::default();
    let by_default = usize::from(policy.user_properties_limit);
    for limit in [0, 1, 7, by_default] {
        policy.user_properties_limit = u16::try_from(limit).expect("small");
        let rules = Rules::new(Version::V5).policy(policy);
        assert_eq!(kind(&connect_with_user_properties(limit), &rules), None);
        let error = decode(&connect_with_user_properties(limit + 1), &rules).expect_err("one too many");
        assert_eq!(
            (error.kind(), error.reason_code().value()),
            (DecodeErrorKind::TooManyUserProperties, 0x97)
        );
    }
}

/// The offset of the error is that of the property that is one too many, so what follows was not even looked at.
fn the_limit_holds_before_anything_is_copied() {
    let mut policy = Policy::default();
    policy.user_properties_limit = 3;
    let bytes = connect_with_user_properties(9000);
    let rules = Rules::new(Version::V5).policy(policy);
    let allocated = bytes_allocated_by(|| {
        let error = decode(&bytes, &rules).expect_err("too many");
        let before_properties = bytes.len() - 9000 * 7 - 3;
        assert_eq!(error.offset(), before_properties + 3 * 7);
    });
    assert_eq!(allocated, 0);
}

fn refused_without_allocation(cases: &[super::refusal::Refusal], version: Version) {
    let mut refused = 0;
    for case in cases.iter().filter(|case| case.version == version) {
        let bytes = hex::bytes(case.bad);
        let rules = Rules::new(version).sent_by(Role::Client);
        assert_eq!(
            bytes_allocated_by(|| assert!(decode(&bytes, &rules).is_err())),
            0,
            "{}",
            case.what
        );
        refused += 1;
    }
    assert!(refused > 30, "only {refused} cases");
}

fn refused_connect_of_v5_leaves_the_heap_alone() {
    refused_without_allocation(super::cases_connect::CASES, Version::V5);
    refused_without_allocation(super::cases_connect_properties::CASES, Version::V5);
}

fn refused_connect_of_v3_1_1_leaves_the_heap_alone() {
    refused_without_allocation(super::cases_connect::CASES, Version::V3_1_1);
}

fn what_a_length_cannot_express_is_not_encoded() {
    let long = "x".repeat(65_536);
    assert_eq!(Text::new(&long).err(), Some(TextError::TooLong));
    assert_eq!(Binary::new(long.as_bytes()).err(), Some(BinaryTooLong));
    let refused = Properties::<section::Publish, _>::builder()
        .user_property("n", &long)
        .build();
    assert!(matches!(refused, Err(EncodeError::FieldTooLong { .. })), "{refused:?}");

    // The largest packet has 268,435,460 bytes: a header of 5, a topic of 3, and the payload.
    let payload = vec![0; 268_435_455 - 3 + 1];
    let publish = |payload| Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: Some(TopicName::new("t").expect("a topic")),
        properties: Properties::empty(),
        payload,
    };
    assert_eq!(publish(&payload[1..]).encoded_len(Version::V3_1_1), Ok(268_435_460));
    let mut written = Vec::new();
    let refused = publish(&payload[..]).encode_to(Version::V3_1_1, &mut written);
    assert!(
        matches!(refused, Err(EncodeError::PacketTooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(written, b"");
}

fn what_is_encoded_decodes_to_the_same() {
    for version in Version::ALL {
        for sender in [Role::Client, Role::Server] {
            for packet in corpus(version, sender, 26, 500) {
                let mut bytes = Vec::new();
                packet.encode_to(version, &mut bytes).expect("a valid packet");
                assert_eq!(decoded(&bytes, &Rules::new(version).sent_by(sender)), packet.as_view());
            }
        }
    }
}

/// The view borrows the input; a buffer of fixed size gets all of a packet or nothing.
fn buffer_that_is_too_small_stays_untouched() {
    let bytes = hex::bytes("32 0B 0005 612F622F63 0001 68 69");
    let Packet::Publish(publish) = decoded(&bytes, &Rules::new(Version::V3_1_1)) else {
        panic!("a PUBLISH")
    };
    assert_eq!(publish.delivery.id(), Some(PacketId::MIN));
    assert!(
        bytes
            .as_ptr_range()
            .contains(&publish.topic.expect("a topic").as_bytes().as_ptr())
    );
    assert!(bytes.as_ptr_range().contains(&publish.payload.as_ptr()));
    for size in 0..bytes.len() {
        let mut buffer = vec![0xEE; size];
        let refused = publish.encode(Version::V3_1_1, &mut buffer);
        assert_eq!(refused, Err(EncodeError::BufferTooSmall { needed: bytes.len() }));
        assert!(buffer.iter().all(|byte| *byte == 0xEE));
    }
}

/// Every packet with up to two bytes behind the header, under every version.
fn no_small_packet_makes_the_decoder_panic() {
    let mut accepted = 0_u32;
    for version in Version::ALL {
        let rules = Rules::new(version);
        for first in 0..=u8::MAX {
            for body in 0..=u16::MAX {
                let [high, low] = body.to_be_bytes();
                accepted += u32::from(decode(&[first, 2, high, low], &rules).is_ok());
            }
            for body in 0..=u8::MAX {
                accepted += u32::from(decode(&[first, 1, body], &rules).is_ok());
            }
        }
    }
    assert!(accepted > 0);
}

fn reserved_type_is_refused_at_its_byte() {
    for (version, first) in [
        (Version::V5, 0x00),
        (Version::V3_1_1, 0x00),
        (Version::V3_1_1, 0xF0),
        (Version::V3_1, 0xF0),
    ] {
        let error = decode(&[first], &Rules::new(version)).expect_err("reserved");
        assert_eq!(
            (error.kind(), error.offset(), error.reason_code().value()),
            (DecodeErrorKind::ReservedPacketType, 0, 0x81)
        );
    }
}
