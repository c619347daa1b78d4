//! A reading of whole packets that shares no code with the codec.
//!
//! It follows the tables of the specification field by field, and the types of properties in `data/properties.tsv`. It
//! checks nothing but that the fields fill the packet: what the fields hold is for the tests to judge.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::frame::{Frame, variable_byte_integer};

/// A packet in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The packet type: 1 for CONNECT to 15 for AUTH.
    pub packet_type: u8,
    /// The four flags of the fixed header.
    pub flags: u8,
    /// The fields in the order of the wire.
    pub parts: Vec<Part<'a>>,
    /// Every Variable Byte Integer: its value, and how many bytes it takes.
    pub variable_byte_integers: Vec<(usize, usize)>,
}

/// A field of a packet: its name in the specification, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A number of one, two or four bytes, or a Variable Byte Integer.
    Number(&'static str, usize),
    /// A UTF-8 Encoded String.
    Text(&'static str, &'a [u8]),
    /// Binary Data, or a payload.
    Binary(&'static str, &'a [u8]),
    /// That a section of properties begins, and how many bytes it has.
    PropertyLength(&'static str, usize),
    /// That a section of properties has ended.
    EndOfProperties,
}

impl Part<'_> {
    /// The name of the field.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Number(name, _) | Self::Text(name, _) | Self::Binary(name, _) | Self::PropertyLength(name, _) => name,
            Self::EndOfProperties => "end of properties",
        }
    }
}

impl<'a> Outline<'a> {
    /// Reads one whole packet of the version with this protocol level; nothing if its fields do not fill it exactly.
    #[must_use]
    pub fn read(bytes: &'a [u8], level: u8) -> Option<Self> {
        let frame = Frame::read(bytes).filter(|frame| frame.len == bytes.len())?;
        let mut cursor = Cursor {
            rest: frame.body,
            ..Cursor::default()
        };
        cursor
            .variable_byte_integers
            .push((frame.body.len(), frame.length_bytes));
        let (packet_type, flags) = (frame.first >> 4, frame.first & 0x0F);
        cursor.packet(packet_type, flags, level == 5)?;
        let Cursor {
            rest: [],
            parts,
            variable_byte_integers,
        } = cursor
        else {
            return None;
        };
        Some(Self {
            packet_type,
            flags,
            parts,
            variable_byte_integers,
        })
    }

    /// The numbers with this name.
    pub fn numbers(&self, name: &str) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Number(its, number) if *its == name => Some(*number),
            _ => None,
        })
    }

    /// The texts with this name.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Text(its, text) if *its == name => Some(*text),
            _ => None,
        })
    }

    /// All texts, with their names.
    pub fn all_texts(&self) -> impl Iterator<Item = (&'static str, &'a [u8])> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(name, text) => Some((*name, *text)),
            _ => None,
        })
    }

    /// The properties of the section whose Property Length has this name, as fields; nothing if there is no such section.
    #[must_use]
    pub fn properties(&self, length_name: &str) -> &[Part<'a>] {
        let Some(begin) = self.position(length_name) else {
            return &[];
        };
        let section = &self.parts[begin + 1..];
        let end = section
            .iter()
            .position(|part| *part == Part::EndOfProperties)
            .unwrap_or(section.len());
        &section[..end]
    }

    /// Whether a field with this name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name() == name)
    }

    /// Where the first field with this name stands among the fields.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.name() == name)
    }
}

#[derive(Default)]
struct Cursor<'a> {
    rest: &'a [u8],
    parts: Vec<Part<'a>>,
    variable_byte_integers: Vec<(usize, usize)>,
}

impl<'a> Cursor<'a> {
    fn packet(&mut self, packet_type: u8, flags: u8, five: bool) -> Option<()> {
        match packet_type {
            1 => self.connect(),
            2 => {
                self.number("Connect Acknowledge Flags", 1)?;
                self.number("Reason Code", 1)?;
                self.properties_if(five, "Property Length")
            }
            3 => self.publish(flags >> 1 & 3, five),
            4..=7 => {
                self.number("Packet Identifier", 2)?;
                self.short_form(five)
            }
            8 => self.subscribe(five),
            10 => {
                self.number("Packet Identifier", 2)?;
                self.properties_if(five, "Property Length")?;
                self.until_end(|cursor| cursor.text("Topic Filter"))
            }
            9 | 11 => {
                self.number("Packet Identifier", 2)?;
                self.properties_if(five, "Property Length")?;
                self.until_end(|cursor| cursor.number("Reason Code", 1).map(drop))
            }
            14 | 15 => self.short_form(five),
            12 | 13 => Some(()),
            _ => None,
        }
    }

    fn connect(&mut self) -> Option<()> {
        self.text("Protocol Name")?;
        let five = self.number("Protocol Level", 1)? == 5;
        let flags = self.number("Connect Flags", 1)?;
        self.number("Keep Alive", 2)?;
        self.properties_if(five, "Property Length")?;
        self.text("Client Identifier")?;
        if flags & 0x04 != 0 {
            self.properties_if(five, "Will Property Length")?;
            self.text("Will Topic")?;
            self.binary("Will Payload")?;
        }
        if flags & 0x80 != 0 {
            self.text("User Name")?;
        }
        if flags & 0x40 != 0 {
            self.binary("Password")?;
        }
        Some(())
    }

    fn publish(&mut self, qos: u8, five: bool) -> Option<()> {
        self.text("Topic Name")?;
        if qos > 0 {
            self.number("Packet Identifier", 2)?;
        }
        self.properties_if(five, "Property Length")?;
        self.parts.push(Part::Binary("Payload", std::mem::take(&mut self.rest)));
        Some(())
    }

    fn subscribe(&mut self, five: bool) -> Option<()> {
        self.number("Packet Identifier", 2)?;
        self.properties_if(five, "Property Length")?;
        self.until_end(|cursor| {
            cursor.text("Topic Filter")?;
            cursor.number("Subscription Options", 1).map(drop)
        })
    }

    /// Reason code and properties, either of which 5.0 may leave out at the end; 3.1.1 has neither.
    fn short_form(&mut self, five: bool) -> Option<()> {
        if five && !self.rest.is_empty() {
            self.number("Reason Code", 1)?;
        }
        self.properties_if(five && !self.rest.is_empty(), "Property Length")
    }

    fn until_end(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        while !self.rest.is_empty() {
            read(self)?;
        }
        Some(())
    }

    fn properties_if(&mut self, five: bool, name: &'static str) -> Option<()> {
        if !five {
            return Some(());
        }
        let length = self.variable_byte_integer()?;
        self.parts.push(Part::PropertyLength(name, length));
        let (inside, after) = self.rest.split_at_checked(length)?;
        self.rest = inside;
        while !self.rest.is_empty() {
            self.property()?;
        }
        self.rest = after;
        self.parts.push(Part::EndOfProperties);
        Some(())
    }

    fn property(&mut self) -> Option<()> {
        let id = self.bytes(1)?[0];
        let (name, kind) = property_types().get(&id)?;
        match *kind {
            "Byte" => self.number(name, 1).map(drop),
            "Two Byte Integer" => self.number(name, 2).map(drop),
            "Four Byte Integer" => self.number(name, 4).map(drop),
            "Variable Byte Integer" => {
                let number = self.variable_byte_integer()?;
                self.parts.push(Part::Number(name, number));
                Some(())
            }
            "UTF-8 Encoded String" => self.text(name),
            "Binary Data" => self.binary(name),
            "UTF-8 String Pair" => {
                self.text("User Property")?;
                self.text("User Property")
            }
            _ => None,
        }
    }

    fn number(&mut self, name: &'static str, size: usize) -> Option<usize> {
        let number = self
            .bytes(size)?
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.parts.push(Part::Number(name, number));
        Some(number)
    }

    fn variable_byte_integer(&mut self) -> Option<usize> {
        let (value, size) = variable_byte_integer(self.rest)?;
        self.bytes(size)?;
        self.variable_byte_integers.push((value, size));
        Some(value)
    }

    fn text(&mut self, name: &'static str) -> Option<()> {
        let text = self.prefixed()?;
        self.parts.push(Part::Text(name, text));
        Some(())
    }

    fn binary(&mut self, name: &'static str) -> Option<()> {
        let data = self.prefixed()?;
        self.parts.push(Part::Binary(name, data));
        Some(())
    }

    fn prefixed(&mut self) -> Option<&'a [u8]> {
        let prefix = self.bytes(2)?;
        self.bytes(usize::from(prefix[0]) << 8 | usize::from(prefix[1]))
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }
}

/// The type of the property with this number, as the specification names it.
///
/// # Panics
/// If there is no such property.
#[must_use]
pub fn property_type(number: u8) -> &'static str {
    property_types()[&number].1
}

/// Name and type of each property, by its number.
fn property_types() -> &'static BTreeMap<u8, (&'static str, &'static str)> {
    static TYPES: OnceLock<BTreeMap<u8, (&'static str, &'static str)>> = OnceLock::new();
    TYPES.get_or_init(|| {
        include_str!("../data/properties.tsv")
            .lines()
            .skip(1)
            .map(|line| {
                let mut cells = line.split('\t');
                let mut cell = || cells.next().unwrap_or_default();
                let number = cell().trim_start_matches("0x");
                let number = u8::from_str_radix(number, 16).unwrap_or_else(|_| panic!("no number: {line}"));
                (number, (cell(), cell()))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn a_packet_is_read_into_its_fields() {
        let bytes = hex::bytes("32 0D 0001 74 0007 05 01 01 23 0003 68 69");
        let outline = Outline::read(&bytes, 5).expect("the fields fill the packet");
        assert_eq!((outline.packet_type, outline.flags), (3, 2));
        let expected = [
            Part::Text("Topic Name", b"t"),
            Part::Number("Packet Identifier", 7),
            Part::PropertyLength("Property Length", 5),
            Part::Number("Payload Format Indicator", 1),
            Part::Number("Topic Alias", 3),
            Part::EndOfProperties,
            Part::Binary("Payload", b"hi"),
        ];
        assert_eq!(outline.parts, expected);
        assert_eq!(outline.variable_byte_integers, [(13, 1), (5, 1)]);
    }

    #[test]
    fn fields_that_do_not_fill_the_packet_are_no_packet() {
        for frame in ["40 03 0001 00", "40 01 00", "A2 05 0001 0002 61", "C0 01 00", "00 00"] {
            assert_eq!(Outline::read(&hex::bytes(frame), 4), None, "{frame}");
        }
    }

    #[test]
    fn every_property_has_a_type() {
        assert_eq!(property_types().len(), 27);
    }
}
