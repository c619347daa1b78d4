//! The parts of a frame, found by a reader that shares no code with any codec and judges nothing.
//!
//! It follows the layout of the specification as far as lengths allow and lets every value pass: which value is a fault
//! is for the [witness](crate::witness) to say, and where a length may be changed for the [mutations](crate::mutate).

use std::ops::Range;

use crate::tables::{self, Section, Shape};

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    ProtocolName,
    ProtocolLevel,
    ConnectFlags,
    KeepAlive,
    ClientId,
    WillTopic,
    WillPayload,
    UserName,
    Password,
    AckFlags,
    Code,
    PacketId,
    TopicName,
    Filter,
    Options,
    Payload,
    PropertyLength(Section),
    PropertyId(Section, u8),
    PropertyValue(Section, u8),
}

/// A part and its place, with its length prefix if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) part: Part,
    pub(crate) range: Range<usize>,
    /// The part begins with a length prefix of two bytes.
    pub(crate) prefixed: bool,
}

/// Why reading could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The frame, or the section of properties, ends before the part does, or before it begins.
    Missing(Part, usize),
    /// The length of the part says more than is left.
    Overrun(Part, usize),
    /// The part is a Variable Byte Integer that goes on after four bytes.
    Endless(Part, usize),
    /// No property has this identifier, so that its length is not known.
    UnknownProperty(usize),
}

/// A frame in its parts.
#[derive(Clone, Debug)]
pub(crate) struct Anatomy<'a> {
    /// The whole frame, and nothing behind it.
    pub(crate) frame: &'a [u8],
    pub(crate) packet_type: u8,
    /// The protocol level by which it was read; for CONNECT the one that it states.
    pub(crate) level: u8,
    pub(crate) header_len: usize,
    pub(crate) pieces: Vec<Piece>,
    /// Where the last part ends.
    pub(crate) end: usize,
    pub(crate) stop: Option<Stop>,
}

/// Value and length of a Variable Byte Integer; `None` if it is cut off or endless.
pub(crate) fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let last = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..=last]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
    Some((value, last + 1))
}

/// The length of the fixed header and of the frame; `None` if the header is not complete or endless.
pub(crate) fn frame_len(bytes: &[u8]) -> Option<(usize, usize)> {
    let (remaining, len) = varint(bytes.get(1..)?)?;
    Some((1 + len, 1 + len + remaining))
}

impl<'a> Anatomy<'a> {
    /// The parts of the frame at the start of `bytes`, if it is complete, on a connection of this protocol level.
    pub(crate) fn of(bytes: &'a [u8], level: u8) -> Option<Self> {
        let (header_len, len) = frame_len(bytes)?;
        let frame = bytes.get(..len)?;
        let mut walk = Walk {
            frame,
            at: header_len,
            limit: len,
            level,
            pieces: Vec::new(),
        };
        let stop = walk.packet().err();
        Some(Self {
            frame,
            packet_type: frame[0] >> 4,
            level: walk.level,
            header_len,
            end: walk.at,
            pieces: walk.pieces,
            stop,
        })
    }

    pub(crate) fn first(&self, part: Part) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.part == part)
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.first(part).is_some()
    }

    /// What a piece holds, without its length prefix.
    pub(crate) fn content(&self, piece: &Piece) -> &'a [u8] {
        let skip = if piece.prefixed { 2 } else { 0 };
        &self.frame[piece.range.start + skip..piece.range.end]
    }

    /// The sections of properties: the place of the Property Length, and of the properties behind it.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (Section, Range<usize>, Range<usize>)> {
        self.pieces.iter().filter_map(|piece| {
            let Part::PropertyLength(section) = piece.part else {
                return None;
            };
            let (len, _) = varint(&self.frame[piece.range.clone()])?;
            let behind = piece.range.end..piece.range.end + len;
            (behind.end <= self.frame.len()).then(|| (section, piece.range.clone(), behind))
        })
    }
}

struct Walk<'a> {
    frame: &'a [u8],
    at: usize,
    limit: usize,
    level: u8,
    pieces: Vec<Piece>,
}

impl Walk<'_> {
    fn packet(&mut self) -> Result<(), Stop> {
        let (packet_type, flags, v5) = (self.frame[0] >> 4, self.frame[0] & 0x0F, self.level == 5);
        match packet_type {
            1 => self.connect(),
            2 => {
                self.fixed(Part::AckFlags, 1)?;
                self.fixed(Part::Code, 1)?;
                self.properties(Section::Packet(2))
            }
            3 => {
                self.prefixed(Part::TopicName)?;
                if flags & 0b0110 != 0 {
                    self.fixed(Part::PacketId, 2)?;
                }
                self.properties(Section::Packet(3))?;
                let rest = self.limit - self.at;
                self.fixed(Part::Payload, rest)
            }
            4..=7 => {
                self.fixed(Part::PacketId, 2)?;
                if v5 {
                    self.code_and_properties(packet_type)
                } else {
                    Ok(())
                }
            }
            8 | 10 => {
                self.identified(packet_type)?;
                while self.at < self.limit {
                    self.prefixed(Part::Filter)?;
                    if packet_type == 8 {
                        self.fixed(Part::Options, 1)?;
                    }
                }
                Ok(())
            }
            9 | 11 => {
                self.identified(packet_type)?;
                while self.at < self.limit && (v5 || packet_type == 9) {
                    self.fixed(Part::Code, 1)?;
                }
                Ok(())
            }
            14 if v5 => self.code_and_properties(14),
            15 if v5 && self.at < self.limit => {
                self.fixed(Part::Code, 1)?;
                self.properties(Section::Packet(15))
            }
            _ => Ok(()),
        }
    }

    fn connect(&mut self) -> Result<(), Stop> {
        self.prefixed(Part::ProtocolName)?;
        self.fixed(Part::ProtocolLevel, 1)?;
        self.level = self.frame[self.at - 1];
        self.fixed(Part::ConnectFlags, 1)?;
        let flags = self.frame[self.at - 1];
        self.fixed(Part::KeepAlive, 2)?;
        self.properties(Section::Packet(1))?;
        self.prefixed(Part::ClientId)?;
        if flags & 0x04 != 0 {
            self.properties(Section::Will)?;
            self.prefixed(Part::WillTopic)?;
            self.prefixed(Part::WillPayload)?;
        }
        if flags & 0x80 != 0 {
            self.prefixed(Part::UserName)?;
        }
        if flags & 0x40 != 0 {
            self.prefixed(Part::Password)?;
        }
        Ok(())
    }

    fn identified(&mut self, packet_type: u8) -> Result<(), Stop> {
        self.fixed(Part::PacketId, 2)?;
        self.properties(Section::Packet(packet_type))
    }

    /// A reason code and properties, each of which may be left out at the end of the packet.
    fn code_and_properties(&mut self, packet_type: u8) -> Result<(), Stop> {
        if self.at < self.limit {
            self.fixed(Part::Code, 1)?;
        }
        if self.at < self.limit {
            self.properties(Section::Packet(packet_type))?;
        }
        Ok(())
    }

    /// A section of properties, in MQTT 5.0.
    fn properties(&mut self, section: Section) -> Result<(), Stop> {
        if self.level != 5 {
            return Ok(());
        }
        let at = self.at;
        let len = self.varint(Part::PropertyLength(section))?;
        let (start, behind) = (self.at, self.limit);
        if len > behind - start {
            return Err(Stop::Overrun(Part::PropertyLength(section), at));
        }
        self.limit = start + len;
        while self.at < self.limit {
            self.property(section)?;
        }
        self.limit = behind;
        Ok(())
    }

    fn property(&mut self, section: Section) -> Result<(), Stop> {
        let id = self.frame[self.at];
        let Some(property) = tables::property(id) else {
            return Err(Stop::UnknownProperty(self.at));
        };
        self.fixed(Part::PropertyId(section, id), 1)?;
        let part = Part::PropertyValue(section, id);
        match property.shape {
            Shape::Byte => self.fixed(part, 1),
            Shape::Two => self.fixed(part, 2),
            Shape::Four => self.fixed(part, 4),
            Shape::Varint => self.varint(part).map(|_| ()),
            Shape::Text | Shape::Binary => self.prefixed(part),
            Shape::Pair => {
                self.prefixed(part)?;
                self.prefixed(part)
            }
        }
    }

    fn fixed(&mut self, part: Part, len: usize) -> Result<(), Stop> {
        if self.limit - self.at < len {
            return Err(Stop::Missing(part, self.at));
        }
        self.push(part, len, false);
        Ok(())
    }

    fn prefixed(&mut self, part: Part) -> Result<(), Stop> {
        let rest = &self.frame[self.at..self.limit];
        let [high, low, ..] = rest else {
            return Err(Stop::Missing(part, self.at));
        };
        let len = 2 + usize::from(u16::from_be_bytes([*high, *low]));
        if len > rest.len() {
            return Err(Stop::Overrun(part, self.at));
        }
        self.push(part, len, true);
        Ok(())
    }

    fn varint(&mut self, part: Part) -> Result<usize, Stop> {
        let rest = &self.frame[self.at..self.limit];
        let Some((value, len)) = varint(rest) else {
            let endless = rest.len() >= 4;
            return Err(if endless {
                Stop::Endless(part, self.at)
            } else {
                Stop::Missing(part, self.at)
            });
        };
        self.push(part, len, false);
        Ok(value)
    }

    fn push(&mut self, part: Part, len: usize, prefixed: bool) {
        self.pieces.push(Piece {
            part,
            range: self.at..self.at + len,
            prefixed,
        });
        self.at += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_connect_with_a_will_are_found() {
        let frame =
            b"\x10\x22\0\x04MQTT\x05\xC6\0\x0A\x05\x11\0\0\0\x07\0\x01c\x02\x01\x01\0\x01t\0\x01p\0\x01u\0\x01w";
        let anatomy = Anatomy::of(frame, 4).unwrap();
        let parts: Vec<Part> = anatomy.pieces.iter().map(|piece| piece.part).collect();
        let (connect, will) = (Section::Packet(1), Section::Will);
        let expected = [
            Part::ProtocolName,
            Part::ProtocolLevel,
            Part::ConnectFlags,
            Part::KeepAlive,
            Part::PropertyLength(connect),
            Part::PropertyId(connect, 0x11),
            Part::PropertyValue(connect, 0x11),
            Part::ClientId,
            Part::PropertyLength(will),
            Part::PropertyId(will, 0x01),
            Part::PropertyValue(will, 0x01),
            Part::WillTopic,
            Part::WillPayload,
            Part::UserName,
            Part::Password,
        ];
        assert_eq!(parts, expected);
        assert_eq!((anatomy.level, anatomy.end, anatomy.stop), (5, frame.len(), None));
        assert_eq!(anatomy.content(anatomy.first(Part::Password).unwrap()), b"w");
    }

    #[test]
    fn reading_stops_where_a_length_says_more_than_is_left() {
        let stop = |frame: &[u8], level| Anatomy::of(frame, level).unwrap().stop;
        assert_eq!(stop(b"\x30\x03\0\x02t", 4), Some(Stop::Overrun(Part::TopicName, 2)));
        assert_eq!(
            stop(b"\x30\x03\0\x01t", 5),
            Some(Stop::Missing(Part::PropertyLength(Section::Packet(3)), 5))
        );
        assert_eq!(stop(b"\x30\x05\0\x01t\x01\x04", 5), Some(Stop::UnknownProperty(6)));
        let endless = Stop::Endless(Part::PropertyLength(Section::Packet(3)), 5);
        assert_eq!(stop(b"\x30\x07\0\x01t\x80\x80\x80\x80", 5), Some(endless));
        assert!(Anatomy::of(b"\x30\x04\0\x01t", 4).is_none());
    }
}
