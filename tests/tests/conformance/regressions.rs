//! Faults that other engines had, as far as a codec can have them.

use mqtt_proto::{
    DecodeErrorKind, Decoded, EncodeError, Packet, PacketId, Properties, PubAck, PubAckReason, Rules, Version, decode,
    section,
};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use super::heap::bytes_allocated_by;
use super::verdict::decoded;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Codec, format!("regression::{id}::{name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "RG-01",
            "Topic Alias Maximum 0 in CONNECT is valid",
            topic_alias_maximum_0_is_valid,
        ),
        trial(
            "RG-16",
            "a long reason text gives way to the packet limit",
            long_reason_text_gives_way,
        ),
        trial(
            "RG-18",
            "reserved header flags are refused for every type",
            reserved_header_flags_are_refused,
        ),
        trial("RG-18", "PUBREL may have properties", pubrel_may_have_properties),
        trial(
            "RG-25",
            "a length of 256 MB allocates nothing",
            length_of_256_mb_allocates_nothing,
        ),
    ]
}

fn topic_alias_maximum_0_is_valid() {
    let bytes = hex::bytes("10 10 0004 4D515454 05 02 003C 03 22 0000 0000");
    let Packet::Connect(connect) = decoded(&bytes, &Rules::new(Version::V5)) else {
        panic!("a CONNECT")
    };
    assert_eq!(connect.properties.topic_alias_maximum(), Some(0));
}

/// A reason text that quotes a topic of the longest kind.
fn long_reason_text_gives_way() {
    let topic = "t".repeat(65_535);
    let puback = PubAck {
        id: PacketId::MIN,
        reason: PubAckReason::TopicNameInvalid,
        properties: Properties::<section::Ack, _>::builder()
            .reason_string(&topic)
            .build()
            .expect("the longest text is a text"),
    };
    let fitting = puback
        .clone()
        .fit(Version::V5, 128)
        .expect("without the text it is short");
    let mut bytes = Vec::new();
    fitting.encode_to(Version::V5, &mut bytes).expect("a valid packet");
    assert_eq!(bytes, hex::bytes("40 03 0001 90"));
    let longer = format!("no such topic: {topic}");
    let refused = Properties::<section::Ack, _>::builder().reason_string(&longer).build();
    assert!(matches!(refused, Err(EncodeError::FieldTooLong { .. })), "{refused:?}");
}

/// All 16 values of the flags for all types but PUBLISH: exactly one is right.
fn reserved_header_flags_are_refused() {
    for version in [Version::V5, Version::V3_1_1] {
        for packet_type in (1..=15_u8).filter(|packet_type| *packet_type != 3) {
            for flags in 0..16_u8 {
                let first = packet_type << 4 | flags;
                let expected = if matches!(packet_type, 6 | 8 | 10) { 2 } else { 0 };
                let kind = decode(&[first], &Rules::new(version)).err().map(|error| error.kind());
                match (packet_type, version) {
                    (15, Version::V3_1_1) => assert_eq!(kind, Some(DecodeErrorKind::ReservedPacketType)),
                    _ if flags == expected => assert_eq!(kind, None, "{first:#04X}"),
                    _ => assert_eq!(kind, Some(DecodeErrorKind::ReservedBitsSet), "{first:#04X}"),
                }
            }
        }
    }
}

fn pubrel_may_have_properties() {
    let bytes = hex::bytes("62 0F 0007 92 0B 1F 0001 72 26 0001 6E 0001 76");
    let Packet::PubRel(pubrel) = decoded(&bytes, &Rules::new(Version::V5)) else {
        panic!("a PUBREL")
    };
    assert_eq!(pubrel.properties.reason_string().expect("it has one"), "r");
    assert_eq!(pubrel.properties.user_properties().count(), 1);
    let bytes = hex::bytes("62 04 0007 00 00");
    assert!(
        decode(&bytes, &Rules::new(Version::V3_1_1)).is_err(),
        "in 3.1.1 there is nothing behind the identifier"
    );
}

fn length_of_256_mb_allocates_nothing() {
    let bytes = hex::bytes("10 FF FF FF 7F 0004 4D515454 05 02 003C");
    for version in Version::ALL {
        let allocated = bytes_allocated_by(|| {
            let decoded = decode(&bytes, &Rules::new(version));
            assert!(matches!(decoded, Ok(Decoded::Incomplete { missing: 268_435_445.. })));
            let refused = decode(&bytes[..5], &Rules::new(version).limit(65_536));
            assert_eq!(refused.err().map(|error| error.reason_code().value()), Some(0x95));
        });
        assert_eq!(allocated, 0);
    }
}
