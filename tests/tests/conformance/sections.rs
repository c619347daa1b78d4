//! Packets with a section of properties of any content.

use mqtt_proto::{PropertyId, SectionKind};
use mqtt_tests::hex;
use mqtt_tests::outline::property_type;

/// Every section.
pub(crate) const SECTIONS: [SectionKind; 9] = [
    SectionKind::Connect,
    SectionKind::Will,
    SectionKind::ConnAck,
    SectionKind::Publish,
    SectionKind::Ack,
    SectionKind::Subscribe,
    SectionKind::Unsubscribe,
    SectionKind::Disconnect,
    SectionKind::Auth,
];

/// A packet with a section of properties: what stands before it, and what behind it.
pub(crate) fn packet_with(section: SectionKind, properties: &[u8]) -> Vec<u8> {
    let (first, before, behind): (u8, &str, &str) = match section {
        SectionKind::Connect => (0x10, "0004 4D515454 05 02 003C", "0000"),
        SectionKind::Will => (0x10, "0004 4D515454 05 06 003C 00 0001 63", "0001 74 0000"),
        SectionKind::ConnAck => (0x20, "00 00", ""),
        SectionKind::Publish => (0x30, "0001 74", ""),
        SectionKind::Ack => (0x40, "0001 00", ""),
        SectionKind::Subscribe => (0x82, "0001", "0001 61 00"),
        SectionKind::Unsubscribe => (0xA2, "0001", "0001 61"),
        SectionKind::Disconnect => (0xE0, "00", ""),
        SectionKind::Auth => (0xF0, "18", ""),
    };
    let mut body = hex::bytes(before);
    body.push(u8::try_from(properties.len()).expect("short"));
    body.extend(properties);
    body.extend(hex::bytes(behind));
    [&[first, u8::try_from(body.len()).expect("short")], &body[..]].concat()
}

/// The least valid value of a property, with its identifier.
pub(crate) fn least(id: PropertyId) -> Vec<u8> {
    let value: &[u8] = match property_type(id.number()) {
        "Byte" | "Variable Byte Integer" => &[1],
        "Two Byte Integer" => &[0, 1],
        "Four Byte Integer" => &[0, 0, 0, 1],
        "UTF-8 String Pair" => &[0, 1, b'n', 0, 1, b'v'],
        _ => &[0, 1, b'x'],
    };
    [&[id.number()], value].concat()
}

/// What else a section needs so that this property is valid there.
pub(crate) fn needed(section: SectionKind, id: PropertyId) -> Vec<u8> {
    let method_missing = match section {
        SectionKind::Auth => id != PropertyId::AuthenticationMethod,
        SectionKind::Connect => id == PropertyId::AuthenticationData,
        _ => false,
    };
    if method_missing {
        least(PropertyId::AuthenticationMethod)
    } else {
        Vec::new()
    }
}
