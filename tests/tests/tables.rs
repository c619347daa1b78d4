//! The property and reason-code tables of the codec against those of the specification in `data/`.

use std::collections::BTreeSet;

use mqtt_proto::{
    AuthReason, ConnAckReason, DisconnectReason, PropertyId, PubAckReason, PubCompReason, PubRecReason, PubRelReason,
    ReasonCode, Role, SectionKind, SubAckReason, UnsubAckReason,
};
use mqtt_tests::reason_codes;

const PROPERTIES: &str = include_str!("../data/properties.tsv");

fn cells(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|line| line.split('\t').collect())
}

fn number(text: &str) -> u8 {
    u8::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number in hex")
}

/// The names in a cell such as `PUBLISH (server to client only), SUBSCRIBE`, without what stands in brackets.
fn packets(cell: &str) -> BTreeSet<&str> {
    cell.split(',')
        .map(|entry| entry.split('(').next().unwrap_or_default().trim())
        .collect()
}

const SECTIONS: [(&str, SectionKind); 14] = [
    ("CONNECT", SectionKind::Connect),
    ("Will", SectionKind::Will),
    ("CONNACK", SectionKind::ConnAck),
    ("PUBLISH", SectionKind::Publish),
    ("PUBACK", SectionKind::Ack),
    ("PUBREC", SectionKind::Ack),
    ("PUBREL", SectionKind::Ack),
    ("PUBCOMP", SectionKind::Ack),
    ("SUBSCRIBE", SectionKind::Subscribe),
    ("SUBACK", SectionKind::Ack),
    ("UNSUBSCRIBE", SectionKind::Unsubscribe),
    ("UNSUBACK", SectionKind::Ack),
    ("DISCONNECT", SectionKind::Disconnect),
    ("AUTH", SectionKind::Auth),
];

#[test]
fn every_property_has_the_number_and_name_of_the_specification() {
    let expected: Vec<(u8, &str)> = cells(PROPERTIES).map(|row| (number(row[0]), row[1])).collect();
    let actual: Vec<(u8, &str)> = PropertyId::ALL.iter().map(|id| (id.number(), id.name())).collect();
    assert_eq!(actual, expected);
    for value in 0..=u8::MAX {
        assert_eq!(
            PropertyId::from_number(value).map(PropertyId::number),
            expected.iter().map(|row| row.0).find(|id| *id == value)
        );
    }
}

#[test]
fn every_property_belongs_to_the_packets_of_the_specification() {
    for row in cells(PROPERTIES) {
        let id = PropertyId::from_number(number(row[0])).expect("a property of the table");
        let listed = packets(row[3]);
        for (name, section) in SECTIONS {
            assert_eq!(id.belongs_to(section), listed.contains(name), "{id} in {name}");
        }
    }
}

#[test]
fn only_user_properties_and_subscription_identifiers_of_publish_repeat() {
    for id in PropertyId::ALL {
        for (name, section) in SECTIONS {
            let expected = match id {
                PropertyId::UserProperty => true,
                PropertyId::SubscriptionIdentifier => section == SectionKind::Publish,
                _ => false,
            };
            assert_eq!(id.may_repeat_in(section), expected, "{id} in {name}");
        }
    }
}

#[test]
fn every_packet_has_the_reason_codes_of_the_specification() {
    let of_codec: [(&str, BTreeSet<u8>); 9] = [
        ("CONNACK", ConnAckReason::ALL.iter().map(|code| code.value()).collect()),
        ("PUBACK", PubAckReason::ALL.iter().map(|code| code.value()).collect()),
        ("PUBREC", PubRecReason::ALL.iter().map(|code| code.value()).collect()),
        ("PUBREL", PubRelReason::ALL.iter().map(|code| code.value()).collect()),
        ("PUBCOMP", PubCompReason::ALL.iter().map(|code| code.value()).collect()),
        ("SUBACK", SubAckReason::ALL.iter().map(|code| code.value()).collect()),
        (
            "UNSUBACK",
            UnsubAckReason::ALL.iter().map(|code| code.value()).collect(),
        ),
        (
            "DISCONNECT",
            DisconnectReason::ALL.iter().map(|code| code.value()).collect(),
        ),
        ("AUTH", AuthReason::ALL.iter().map(|code| code.value()).collect()),
    ];
    for (packet, codes) in of_codec {
        assert_eq!(codes, reason_codes::codes_of(packet), "{packet}");
    }
    assert_eq!(
        ReasonCode::ALL
            .iter()
            .map(|code| code.value())
            .collect::<BTreeSet<u8>>(),
        reason_codes::all_codes()
    );
}

#[test]
fn a_code_may_be_sent_by_the_ends_of_the_specification() {
    for sender in [Role::Client, Role::Server] {
        let disconnect = DisconnectReason::ALL.iter().filter(|code| code.may_be_sent_by(sender));
        let disconnect: BTreeSet<u8> = disconnect.map(|code| code.value()).collect();
        assert_eq!(disconnect, reason_codes::codes_sent_by(sender, "DISCONNECT"));
        let auth: BTreeSet<u8> = AuthReason::ALL
            .iter()
            .filter(|code| code.may_be_sent_by(sender))
            .map(|code| code.value())
            .collect();
        assert_eq!(auth, reason_codes::codes_sent_by(sender, "AUTH"));
    }
}
