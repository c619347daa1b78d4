//! The tables of MQTT 5.0 for properties and reason codes, read from the data files of the test suite and not from a codec.

use std::sync::LazyLock;

/// Where properties stand: a packet, by its type, or the will of a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Packet(u8),
    Will,
}

/// How the value of a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Byte,
    Two,
    Four,
    Varint,
    Text,
    Binary,
    Pair,
}

/// One property.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) shape: Shape,
    sections: Vec<Section>,
}

impl Property {
    pub(crate) fn belongs_to(&self, section: Section) -> bool {
        self.sections.contains(&section)
    }
}

/// Whether a property may occur more than once in a section.
pub(crate) const fn may_repeat(id: u8, section: Section) -> bool {
    matches!((id, section), (0x26, _) | (0x0B, Section::Packet(3)))
}

/// The property with this identifier.
pub(crate) fn property(id: u8) -> Option<&'static Property> {
    PROPERTIES.get(usize::from(id))?.as_ref()
}

/// Whether a packet of MQTT 5.0 may carry this reason code, from one side or the other.
pub(crate) fn lists_code(packet_type: u8, code: u8) -> bool {
    CODES
        .iter()
        .any(|(listed, packets)| *listed == code && packets.contains(&packet_type))
}

static PROPERTIES: LazyLock<Vec<Option<Property>>> = LazyLock::new(|| {
    let mut table = vec![None; 256];
    for fields in rows(include_str!("../../data/properties.tsv")) {
        let sections = names(fields[3]).map(|name| match name {
            "Will" => Section::Will,
            packet => Section::Packet(packet_type(packet)),
        });
        table[usize::from(hex(fields[0]))] = Some(Property {
            shape: shape(fields[2]),
            sections: sections.collect(),
        });
    }
    table
});

static CODES: LazyLock<Vec<(u8, Vec<u8>)>> = LazyLock::new(|| {
    rows(include_str!("../../data/reason-codes.tsv"))
        .map(|fields| (hex(fields[0]), names(fields[2]).map(packet_type).collect()))
        .collect()
});

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

/// The names in a list, without the remarks in parentheses.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter_map(|name| name.split('(').next()).map(str::trim)
}

fn hex(number: &str) -> u8 {
    u8::from_str_radix(number.trim_start_matches("0x"), 16).expect("the tables hold numbers in hex")
}

fn shape(name: &str) -> Shape {
    match name {
        "Byte" => Shape::Byte,
        "Two Byte Integer" => Shape::Two,
        "Four Byte Integer" => Shape::Four,
        "Variable Byte Integer" => Shape::Varint,
        "UTF-8 Encoded String" => Shape::Text,
        "Binary Data" => Shape::Binary,
        "UTF-8 String Pair" => Shape::Pair,
        other => panic!("the table of properties has the type {other:?}"),
    }
}

fn packet_type(name: &str) -> u8 {
    const NAMES: [&str; 15] = [
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    let index = NAMES.iter().position(|known| *known == name);
    let index = index.unwrap_or_else(|| panic!("the tables name the packet {name:?}"));
    u8::try_from(index + 1).expect("there are fifteen types")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_complete() {
        assert_eq!(PROPERTIES.iter().flatten().count(), 27);
        assert!(property(0x18).is_some_and(|delay| delay.sections == [Section::Will]));
        assert!(
            property(0x0B).is_some_and(|id| id.belongs_to(Section::Packet(3)) && id.belongs_to(Section::Packet(8)))
        );
        assert!(lists_code(14, 0x8C) && lists_code(15, 0x19) && !lists_code(4, 0x92));
    }
}
