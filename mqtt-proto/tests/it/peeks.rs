//! CONNECT and PUBLISH that have not arrived as a whole.

use bytes::Bytes;
use mqtt_proto::{
    Connect, ConnectProperties, DecodeError, DecodeErrorKind, Decoded, DecodedHead, Packet, PacketId, PacketType,
    Properties, PubAck, PubComp, PubRec, PubRel, Publish, Role, Rules, Text, Version, decode, decode_bare_ack,
    decode_publish, decode_publish_head, peek_connect,
};
use mqtt_tests::hex;

fn connect(version: Version, properties: ConnectProperties<Bytes>) -> Vec<u8> {
    let packet = Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::new("device").expect("valid").to_owned(),
        will: None,
        username: Some(Text::new("behind it").expect("valid").to_owned()),
        password: None,
        properties,
    };
    let mut bytes = Vec::new();
    packet.encode_to(version, &mut bytes).expect("a valid packet");
    bytes
}

/// The client identifier is seen with its last byte, whatever is still missing, and nothing is seen before.
fn is_seen_with_its_last_byte(bytes: &[u8], version: Version) {
    let place = bytes
        .windows(6)
        .position(|window| window == b"device")
        .expect("it is there");
    for arrived in 0..=bytes.len() {
        // The version is the one that the CONNECT states.
        for rules in [Rules::new(Version::V3_1), Rules::new(Version::V5).sent_by(Role::Client)] {
            let peek = peek_connect(&bytes[..arrived], &rules).expect("no fault");
            match peek {
                Some(peek) => assert_eq!((peek.version, peek.client_id.as_str()), (version, "device")),
                None => assert!(arrived < place + 6, "{arrived} of {} bytes", bytes.len()),
            }
            assert_eq!(
                peek.is_some(),
                arrived >= place + 6,
                "{arrived} of {} bytes",
                bytes.len()
            );
        }
    }
}

#[test]
fn the_client_identifier_is_seen_with_its_last_byte() {
    for version in Version::ALL {
        is_seen_with_its_last_byte(&connect(version, Properties::empty()), version);
    }
    for value in ["", "more than a length of one byte can say ".repeat(8).as_str()] {
        let properties = ConnectProperties::<Bytes>::builder()
            .session_expiry(9)
            .user_property("n", value)
            .build();
        is_seen_with_its_last_byte(&connect(Version::V5, properties.expect("valid")), Version::V5);
    }
}

#[test]
fn a_fault_before_the_client_identifier_is_found_without_it() {
    for (frame, kind) in [
        ("30", DecodeErrorKind::UnexpectedPacketType),
        ("11", DecodeErrorKind::ReservedBitsSet),
        ("10 FFFFFFFF", DecodeErrorKind::LengthTooLong),
        // A Property Length that goes on after its fourth byte.
        (
            "10 7F 0004 4D515454 05 02 003C FFFFFFFF",
            DecodeErrorKind::LengthTooLong,
        ),
        // Whole, so that its faults are found.
        ("10 06 0004 4D515455", DecodeErrorKind::UnknownProtocolName),
        (
            "10 0A 0004 4D515454 06 02 003C",
            DecodeErrorKind::UnsupportedProtocolLevel,
        ),
        ("10 0A 0004 4D515454 04 03 003C", DecodeErrorKind::ReservedBitsSet),
        ("10 0D 0004 4D515454 04 02 003C 0001 FF", DecodeErrorKind::IllFormedUtf8),
        ("10 0C 0004 4D515454 05 02 003C 02 00", DecodeErrorKind::Overrun),
        ("10 0A 0004 4D515454 04 02 003C", DecodeErrorKind::Missing),
    ] {
        let bytes = hex::bytes(frame);
        let outcome = peek_connect(&bytes, &Rules::new(Version::V5));
        assert_eq!(outcome.map_err(|error| error.kind()), Err(kind), "{frame}");
    }
    let (bytes, small) = (
        connect(Version::V5, Properties::empty()),
        Rules::new(Version::V5).limit(20),
    );
    let outcome = peek_connect(&bytes, &small);
    assert_eq!(
        outcome.map_err(|error| error.kind()),
        Err(DecodeErrorKind::PacketTooLarge)
    );
}

/// The packets are cut off behind the byte that decides; with one byte less everything is still open.
#[test]
fn a_fault_is_found_at_the_byte_that_decides() {
    for (frame, kind, offset) in [
        ("10 7F 0004 4D515455", DecodeErrorKind::UnknownProtocolName, 2),
        ("10 7F 0002 FFFF", DecodeErrorKind::IllFormedUtf8, 2),
        ("10 7F 0000", DecodeErrorKind::UnknownProtocolName, 2),
        ("10 7F 0004 4D515454 06", DecodeErrorKind::UnsupportedProtocolLevel, 8),
        (
            "10 7F 0006 4D5149736470 04",
            DecodeErrorKind::UnsupportedProtocolLevel,
            10,
        ),
        ("10 7F 0004 4D515454 04 03", DecodeErrorKind::ReservedBitsSet, 9),
        // Lengths that reach behind the end of the packet: of the name, of the properties, of the client identifier.
        ("10 07 0006", DecodeErrorKind::Overrun, 2),
        ("10 0D 0004 4D515454 05 02 003C 03", DecodeErrorKind::Overrun, 12),
        ("10 FF01 0004 4D515454 05 02 003C F501", DecodeErrorKind::Overrun, 13),
        ("10 0E 0004 4D515454 04 02 003C 0003", DecodeErrorKind::Overrun, 12),
        (
            "10 10 0004 4D515454 05 02 003C 01 00 0003",
            DecodeErrorKind::Overrun,
            14,
        ),
    ] {
        let bytes = hex::bytes(frame);
        for arrived in 0..bytes.len() {
            let open = peek_connect(&bytes[..arrived], &Rules::new(Version::V5));
            assert_eq!(open, Ok(None), "{arrived} bytes of {frame}");
        }
        let error = peek_connect(&bytes, &Rules::new(Version::V5)).expect_err(frame);
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{frame}");
    }
}

/// One byte less than too long: the rest is on its way.
#[test]
fn a_length_that_just_fits_the_packet_is_waited_for() {
    for frame in [
        "10 08 0006",
        "10 0D 0004 4D515454 05 02 003C 02",
        "10 0F 0004 4D515454 04 02 003C 0003",
    ] {
        let bytes = hex::bytes(frame);
        let peek = peek_connect(&bytes, &Rules::new(Version::V5));
        assert_eq!(peek, Ok(None), "{frame}");
    }
}

#[test]
fn ill_formed_text_is_found_as_soon_as_the_client_identifier_is_there() {
    let bytes = hex::bytes("10 7F 0004 4D515454 04 02 003C 0002 61FF");
    for arrived in 0..bytes.len() {
        assert_eq!(
            peek_connect(&bytes[..arrived], &Rules::new(Version::V3_1_1)),
            Ok(None),
            "{arrived}"
        );
    }
    let error = peek_connect(&bytes, &Rules::new(Version::V3_1_1)).expect_err("ill-formed");
    assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::IllFormedUtf8, 12));
}

#[test]
fn a_topic_that_overruns_its_packet_is_refused_as_soon_as_its_length_is_there() {
    let bytes = hex::bytes("30 05 0009 74 7575");
    for version in Version::ALL {
        for arrived in 0..=bytes.len() {
            let outcome = decode_publish_head(&bytes[..arrived], &Rules::new(version));
            if arrived < 4 {
                assert!(
                    matches!(outcome, Ok(DecodedHead::Incomplete { missing: 1.. })),
                    "{arrived} bytes"
                );
            } else {
                let error = outcome.expect_err("the topic is longer than the packet");
                assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::Overrun, 2));
            }
        }
    }
}

#[test]
fn a_packet_that_ends_in_its_packet_identifier_is_refused_with_its_last_byte() {
    let bytes = hex::bytes("32 04 0001 74 12");
    for version in Version::ALL {
        for arrived in 0..bytes.len() {
            let outcome = decode_publish_head(&bytes[..arrived], &Rules::new(version));
            assert!(
                matches!(outcome, Ok(DecodedHead::Incomplete { missing: 1.. })),
                "{arrived} bytes"
            );
        }
        let error = decode_publish_head(&bytes, &Rules::new(version)).expect_err("half an identifier");
        assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::Missing, 5));
    }
}

/// Type and identifier of an acknowledgement of four bytes, as the decoder for all packets finds them. A repeated one of
/// MQTT 3.1, which has a flag of its own, is left to that.
fn bare_ack(bytes: &[u8], rules: &Rules) -> Option<(PacketType, PacketId)> {
    const DUP: u8 = 0x08;
    let Ok(Decoded::Packet { packet, len: 4 }) = decode(bytes, rules) else {
        return None;
    };
    let (id, reason) = match packet {
        Packet::PubAck(ack) => (ack.id, ack.reason.value()),
        Packet::PubRec(ack) => (ack.id, ack.reason.value()),
        Packet::PubRel(ack) => (ack.id, ack.reason.value()),
        Packet::PubComp(ack) => (ack.id, ack.reason.value()),
        _ => return None,
    };
    assert_eq!(reason, 0);
    (bytes[0] & DUP == 0).then_some((packet.packet_type(), id))
}

#[test]
fn a_bare_acknowledgement_is_what_the_decoder_finds() {
    let mut found = 0;
    for version in Version::ALL {
        for limit in [3, 4, 1000] {
            let rules = Rules::new(version).limit(limit);
            for first in 0..=u8::MAX {
                for remaining in [0, 1, 2, 3, 0x82] {
                    for id in [[0, 0], [0, 1], [1, 0], [0xFF, 0xFF]] {
                        let bytes = [first, remaining, id[0], id[1], 0x40, 0x02];
                        for len in [0, 3, 4, 6] {
                            let bytes = &bytes[..len];
                            let expected = bare_ack(bytes, &rules);
                            assert_eq!(decode_bare_ack(bytes, &rules), expected, "{bytes:?}");
                            found += usize::from(expected.is_some());
                        }
                    }
                }
            }
        }
    }
    // Three versions, two limits, four types, three identifiers, two lengths.
    assert_eq!(found, 3 * 2 * 4 * 3 * 2);
}

#[test]
fn a_bare_acknowledgement_is_the_packet_with_success_and_nothing_else() {
    macro_rules! check {
        ($packet:ident, $id:expr, $version:expr) => {
            let bare = $packet::bare($id);
            let Ok(Decoded::Packet {
                packet: Packet::$packet(ack),
                len: 4,
            }) = decode(&bare, &Rules::new($version))
            else {
                panic!("{bare:?}");
            };
            assert_eq!(
                (ack.id, ack.reason.value(), ack.properties.is_empty()),
                ($id, 0, true)
            );
            let mut encoded = Vec::new();
            ack.encode_to($version, &mut encoded).expect("a valid packet");
            assert_eq!(encoded, bare);
        };
    }
    for version in Version::ALL {
        for id in [1, 0x0100, 0x1234, u16::MAX].map(|id| PacketId::new(id).expect("it is not zero")) {
            check!(PubAck, id, version);
            check!(PubRec, id, version);
            check!(PubRel, id, version);
            check!(PubComp, id, version);
        }
    }
}

/// What [`decode_publish`] has to find.
fn publish<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Option<Publish<&'a [u8]>>, DecodeError> {
    Ok(match decode(bytes, rules)? {
        Decoded::Packet {
            packet: Packet::Publish(publish),
            ..
        } => Some(publish),
        _ => None,
    })
}

#[test]
fn a_publish_is_what_the_decoder_finds() {
    let frames: [&[u8]; 5] = [
        b"\x30\x05\x00\x01thi",
        b"\x3A\x07\x00\x01t\x00\x07hi",
        b"\x34\x08\x00\x01t\x00\x07\x00hi",
        b"\x32\x0B\x00\x00\x00\x07\x03\x23\x00\x01hi!",
        b"\x30\x85\x00\x00\x01thi",
    ];
    let (mut found, mut refused) = (0, 0);
    for version in Version::ALL {
        for sender in [Role::Client, Role::Server] {
            for limit in [6, 1000] {
                let rules = Rules::new(version).sent_by(sender).limit(limit);
                for frame in frames {
                    for place in 0..frame.len() {
                        for byte in 0..=u8::MAX {
                            let mut bytes = frame.to_vec();
                            bytes[place] = byte;
                            for len in [place, bytes.len()] {
                                let expected = publish(&bytes[..len], &rules);
                                assert_eq!(decode_publish(&bytes[..len], &rules), expected, "{bytes:?}");
                                found += usize::from(matches!(expected, Ok(Some(_))));
                                refused += usize::from(expected.is_err());
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(found > 10_000 && refused > 10_000, "{found} found, {refused} refused");
}
