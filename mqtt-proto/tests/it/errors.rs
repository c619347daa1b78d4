//! Errors that a person understands and a peer can be answered with.

use std::error::Error;

use mqtt_proto::{
    ConnAckReason, DecodeErrorKind, DisconnectReason, EncodeError, Field, PacketType, PatchError, PropertyId,
    ReasonCode, Text, TextError, TopicName, Version, patch_dup,
};

use crate::verdict::{V3, V5, refused};

#[test]
fn a_refusal_names_packet_field_place_fault_and_statement() {
    let error = refused("40 02 0000", &V5);
    assert_eq!(
        error.to_string(),
        "PUBACK: Packet Identifier at byte 2 is zero [MQTT-2.2.1-5]"
    );
    assert_eq!(error.kind(), DecodeErrorKind::ZeroPacketId);
    assert_eq!(error.field(), Field::PacketId);
    assert_eq!(error.offset(), 2);
    assert_eq!(error.statement(), "MQTT-2.2.1-5");
    assert_eq!(error.version(), Version::V5);
    assert_eq!(error.packet_type(), Some(PacketType::PubAck));
    assert_eq!(error.reason_code(), ReasonCode::ProtocolError);
}

#[test]
fn a_refusal_before_5_0_names_the_specification_of_its_statement() {
    let error = refused("40 02 0000", &V3);
    assert_eq!(
        error.to_string(),
        "PUBACK: Packet Identifier at byte 2 is zero [MQTT-2.3.1-6 of MQTT 3.1.1]"
    );
    let error = refused("00 00", &V5);
    assert_eq!(
        error.to_string(),
        "packet type and flags at byte 0 is a reserved packet type [U5-2.1.2-a]"
    );
    assert_eq!(error.packet_type(), None);
}

#[test]
fn the_debug_form_of_a_refusal_has_its_statement() {
    let text = format!("{:?}", refused("40 02 0000", &V5));
    assert_eq!(
        text,
        "DecodeError { kind: ZeroPacketId, packet_type: Some(PubAck), field: PacketId, offset: 2, \
            statement: \"MQTT-2.2.1-5\", version: V5 }"
    );
}

#[test]
fn every_fault_can_be_answered_with_a_disconnect_and_a_connack() {
    for (frame, disconnect, connack) in [
        (
            "C1 00",
            DisconnectReason::MalformedPacket,
            ConnAckReason::MalformedPacket,
        ),
        (
            "40 02 0000",
            DisconnectReason::ProtocolError,
            ConnAckReason::ProtocolError,
        ),
        // An unknown version has a code in CONNACK only.
        (
            "10 0C 0004 4D515454 06 02 003C 0000",
            DisconnectReason::ProtocolError,
            ConnAckReason::UnsupportedProtocolVersion,
        ),
        // A topic alias of zero has one in DISCONNECT only.
        (
            "30 07 0001 61 03 23 0000",
            DisconnectReason::TopicAliasInvalid,
            ConnAckReason::ProtocolError,
        ),
    ] {
        let error = refused(frame, &V5);
        assert_eq!(
            (error.disconnect_reason(), error.connack_reason()),
            (disconnect, connack),
            "{frame}"
        );
    }
    let error = refused("30 03 0001 61", &V5.limit(4));
    assert_eq!(error.kind(), DecodeErrorKind::PacketTooLarge);
    assert_eq!(error.reason_code(), ReasonCode::PacketTooLarge);
    assert_eq!(error.disconnect_reason(), DisconnectReason::PacketTooLarge);
    assert_eq!(error.connack_reason(), ConnAckReason::PacketTooLarge);
}

#[test]
fn data_without_its_method_is_found_where_it_stands() {
    for (properties, offset) in [("04 16 0001 64", 14), ("0B 26 0001 61 0001 62 16 0001 64", 21)] {
        let len = if offset == 14 { "11" } else { "18" };
        let error = refused(&format!("10 {len} 0004 4D515454 05 02 003C {properties} 0000"), &V5);
        assert_eq!(error.kind(), DecodeErrorKind::AuthenticationDataWithoutMethod);
        assert_eq!(error.offset(), offset, "{error}");
    }
}

#[test]
fn every_reason_not_to_encode_is_a_sentence() {
    let refusal = refused("40 02 0000", &V5);
    for (error, expected) in [
        (
            EncodeError::BufferTooSmall { needed: 7 },
            "the packet needs a buffer of 7 bytes",
        ),
        (
            EncodeError::PacketTooLarge { len: 9, limit: 8 },
            "the packet would have 9 bytes; the limit is 8",
        ),
        (
            EncodeError::NotInVersion {
                field: Field::ReasonCode,
                version: Version::V3_1_1,
            },
            "MQTT 3.1.1 has no reason code",
        ),
        (
            EncodeError::VersionMismatch {
                stated: Version::V5,
                asked: Version::V3_1,
            },
            "a CONNECT for MQTT 5.0 cannot be encoded as MQTT 3.1",
        ),
        (
            EncodeError::TopicMissing,
            "the PUBLISH has neither a topic name nor a topic alias",
        ),
        (
            EncodeError::AuthenticationMethodMissing,
            "the authentication method is missing",
        ),
        (
            EncodeError::CodesMissing,
            "there is no reason code, and there has to be one for each filter",
        ),
        (
            EncodeError::NotShared {
                id: PropertyId::TopicAlias,
            },
            "each subscriber has a Topic Alias of its own",
        ),
        (
            EncodeError::NotOnePiece,
            "shared properties have to be one piece, with nothing left out",
        ),
        (
            EncodeError::PropertyTwice {
                id: PropertyId::ContentType,
            },
            "Content Type is among both the own and the shared properties",
        ),
        (
            EncodeError::FieldTooLong {
                field: Field::TopicFilter,
            },
            "the Topic Filter is longer than 65535 bytes",
        ),
        (EncodeError::Text(TextError::Empty), "the text is empty [MQTT-4.7.3-1]"),
        (
            EncodeError::Refused(refusal),
            "PUBACK: Packet Identifier at byte 2 is zero [MQTT-2.2.1-5]",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
        assert!(error.source().is_none());
    }
    assert_eq!(EncodeError::from(refusal), EncodeError::Refused(refusal));
    assert_eq!(EncodeError::from(TextError::Empty), EncodeError::Text(TextError::Empty));
}

#[test]
fn a_patch_that_cannot_be_made_says_why() {
    for (mut frame, error, text) in [
        (
            vec![],
            PatchError::Truncated,
            "the packet ends before what is to be changed",
        ),
        (vec![0xC0, 0x00], PatchError::NotPublish, "the packet is not a PUBLISH"),
        (
            vec![0x30, 0x03, 0x00, 0x01, 0x61],
            PatchError::AtMostOnce,
            "a PUBLISH with QoS 0 has neither a packet identifier nor DUP",
        ),
    ] {
        assert_eq!(patch_dup(&mut frame, true), Err(error));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_text_that_is_refused_names_the_statement_against_it() {
    let error = Text::new("a\0").unwrap_err();
    assert_eq!(error, TextError::NulCharacter);
    assert_eq!(error.statement(), "MQTT-1.5.4-2");
    assert_eq!(error.to_string(), "the text holds the character U+0000 [MQTT-1.5.4-2]");
    let error = TopicName::new("a/+").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text holds a wildcard, which only a topic filter may [MQTT-4.7.0-1]"
    );
    assert_eq!(TextError::TooLong.statement(), "MQTT-4.7.3-3");
}

/// Six packets share this section, so its builder cannot know which one is meant.
#[test]
fn a_refused_section_that_packets_share_names_no_packet() {
    let refused = mqtt_proto::AckProperties::<bytes::Bytes>::builder()
        .reason_string(b"\xFF")
        .build();
    let Err(EncodeError::Refused(error)) = refused else {
        panic!("not refused: {refused:?}")
    };
    assert_eq!(error.packet_type(), None);
    assert!(!error.to_string().contains("PUBACK"), "{error}");
}
