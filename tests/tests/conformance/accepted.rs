//! Rows that a receiver keeps by accepting, and rows about limits that no frame can break.

use mqtt_proto::{
    AuthReason, Delivery, DisconnectReason, EncodeError, Packet, PacketId, Properties, Publish, Rules, TextError,
    TopicFilter, TopicName, Version,
};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use super::verdict::decoded;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Codec, format!("accepted::{name}"), run);
    vec![
        trial("byte order marks are data in 5.0", byte_order_marks_are_data_in_v5),
        trial(
            "byte order marks are data in 3.1.1",
            byte_order_marks_are_data_in_v3_1_1,
        ),
        trial("properties come in any order", properties_come_in_any_order),
        trial(
            "acknowledgements come in short forms",
            acknowledgements_come_in_short_forms,
        ),
        trial("DISCONNECT comes in short forms", disconnect_comes_in_short_forms),
        trial("AUTH of no length says Success", auth_of_no_length_says_success),
        trial("topics have at most 65535 bytes", topics_have_at_most_65535_bytes),
    ]
}

fn keeps_its_bytes(version: Version, frame: &str, kept: &[u8]) {
    let bytes = hex::bytes(frame);
    let packet = decoded(&bytes, &Rules::new(version));
    let seen = match &packet {
        Packet::Connect(connect) => connect.client_id.as_bytes(),
        Packet::Publish(publish) => publish.topic.as_ref().map_or(&[][..], TopicName::as_bytes),
        Packet::Subscribe(subscribe) => subscribe
            .filters
            .iter()
            .next()
            .map_or(&[][..], |first| first.filter.into_inner()),
        Packet::PubAck(ack) => ack
            .properties
            .reason_string()
            .map_or(&[][..], |reason| reason.into_inner()),
        other => panic!("not looked at: {other:?}"),
    };
    assert_eq!(seen, kept, "{frame}");
    let mut again = vec![0; bytes.len()];
    assert_eq!(packet.encode(version, &mut again), Ok(bytes.len()));
    assert_eq!(again, bytes, "{frame}");
}

/// U+FEFF at the begin, inside and at the end of a string.
fn byte_order_marks_are_data_in_v5() {
    keeps_its_bytes(
        Version::V5,
        "10 10 0004 4D515454 05 02 003C 00 0003 EFBBBF",
        b"\xEF\xBB\xBF",
    );
    keeps_its_bytes(Version::V5, "30 08 0004 EFBBBF61 00 68", b"\xEF\xBB\xBFa");
    keeps_its_bytes(Version::V5, "82 0B 0001 00 0005 61EFBBBF62 01", b"a\xEF\xBB\xBFb");
    keeps_its_bytes(Version::V5, "40 0B 0001 80 07 1F 0004 61EFBBBF", b"a\xEF\xBB\xBF");
    covers("v5:MQTT-1.5.4-3");
}

fn byte_order_marks_are_data_in_v3_1_1() {
    keeps_its_bytes(
        Version::V3_1_1,
        "10 0F 0004 4D515454 04 02 003C 0003 EFBBBF",
        b"\xEF\xBB\xBF",
    );
    keeps_its_bytes(Version::V3_1_1, "30 07 0004 EFBBBF61 68", b"\xEF\xBB\xBFa");
    keeps_its_bytes(Version::V3_1_1, "82 0A 0001 0005 61EFBBBF62 01", b"a\xEF\xBB\xBFb");
    covers("v311:MQTT-1.5.3-3");
}

fn properties_come_in_any_order() {
    let properties = ["01 01", "02 0000003C", "03 0001 78", "23 0007"];
    for order in permutations(4) {
        let section: Vec<&str> = order.iter().map(|index| properties[*index]).collect();
        let bytes = hex::bytes(&format!("30 12 0001 74 0E {}", section.join(" ")));
        let Packet::Publish(publish) = decoded(&bytes, &Rules::new(Version::V5)) else {
            panic!("a PUBLISH")
        };
        let ids: Vec<u8> = publish
            .properties
            .iter()
            .map(|property| property.id().number())
            .collect();
        let sent: Vec<u8> = order.iter().map(|index| hex::bytes(properties[*index])[0]).collect();
        assert_eq!(ids, sent, "the order of the wire is kept");
        assert_eq!(publish.properties.message_expiry(), Some(60));
        assert_eq!(publish.properties.topic_alias().map(std::num::NonZeroU16::get), Some(7));
    }
    covers("u5:U5-2.2.2-b");
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let insert = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
    };
    (0..count).flat_map(insert).collect()
}

fn acknowledgements_come_in_short_forms() {
    let rules = Rules::new(Version::V5);
    for first in ["40", "50", "62", "70"] {
        for (form, code) in [
            ("02 0007", 0x00),
            ("03 0007 00", 0x00),
            ("03 0007 92", 0x92),
            ("04 0007 00 00", 0x00),
            ("04 0007 92 00", 0x92),
        ] {
            // PUBACK and PUBREC say 0x87 where PUBREL and PUBCOMP say 0x92.
            let refusal = if matches!(first, "40" | "50") { 0x87 } else { 0x92 };
            let code = if code == 0x92 { refusal } else { code };
            let bytes = hex::bytes(&format!("{first} {}", form.replace("92", &format!("{refusal:02X}"))));
            let (id, reason, empty) = match decoded(&bytes, &rules) {
                Packet::PubAck(ack) => (ack.id, ack.reason.value(), ack.properties.is_empty()),
                Packet::PubRec(ack) => (ack.id, ack.reason.value(), ack.properties.is_empty()),
                Packet::PubRel(ack) => (ack.id, ack.reason.value(), ack.properties.is_empty()),
                Packet::PubComp(ack) => (ack.id, ack.reason.value(), ack.properties.is_empty()),
                other => panic!("not an acknowledgement: {other:?}"),
            };
            assert_eq!((id.get(), reason, empty), (7, code, true), "{first} {form}");
        }
    }
    covers("u5:U5-3.4.2-a");
}

fn disconnect_comes_in_short_forms() {
    for (frame, reason) in [
        ("E0 00", DisconnectReason::NormalDisconnection),
        ("E0 01 00", DisconnectReason::NormalDisconnection),
        ("E0 01 04", DisconnectReason::DisconnectWithWill),
        ("E0 02 00 00", DisconnectReason::NormalDisconnection),
        ("E0 02 81 00", DisconnectReason::MalformedPacket),
    ] {
        let bytes = hex::bytes(frame);
        let Packet::Disconnect(disconnect) = decoded(&bytes, &Rules::new(Version::V5)) else {
            panic!("a DISCONNECT")
        };
        assert_eq!(disconnect.reason, reason, "{frame}");
        assert!(disconnect.properties.is_empty(), "{frame}");
    }
    covers("u5:U5-3.14.1-a");
}

/// Section 3.15.2.1 allows it though section 3.15.2.2.2 demands a method; the layer that knows the state judges it.
fn auth_of_no_length_says_success() {
    let bytes = hex::bytes("F0 00");
    let Packet::Auth(auth) = decoded(&bytes, &Rules::new(Version::V5)) else {
        panic!("an AUTH")
    };
    assert_eq!(auth.reason, AuthReason::Success);
    assert!(auth.properties.is_empty());
}

fn topics_have_at_most_65535_bytes() {
    let longest = "a".repeat(65_535);
    let longer = "a".repeat(65_536);
    assert_eq!(TopicName::new(&longer).err(), Some(TextError::TopicTooLong));
    assert_eq!(TopicFilter::new(&longer).err(), Some(TextError::TopicTooLong));
    assert_eq!(TextError::TopicTooLong.statement(), Some("MQTT-4.7.3-3"));
    assert_eq!(TopicFilter::new(&longest).map(|filter| filter.len()), Ok(65_535));
    assert!(matches!(
        mqtt_proto::TopicFilters::builder().filter(&longer).build(),
        Err(EncodeError::FieldTooLong { .. })
    ));
    for version in [Version::V5, Version::V3_1_1] {
        let publish = Publish {
            delivery: Delivery::AtLeastOnce {
                id: PacketId::MIN,
                dup: false,
            },
            retain: false,
            topic: Some(TopicName::new(&longest).expect("the longest topic")),
            properties: Properties::empty(),
            payload: &b""[..],
        };
        let mut bytes = Vec::new();
        publish.encode_to(version, &mut bytes).expect("it can be encoded");
        assert_eq!(decoded(&bytes, &Rules::new(version)), Packet::Publish(publish));
    }
    covers("v5:MQTT-4.7.3-3");
    covers("v311:MQTT-4.7.3-3");
}
