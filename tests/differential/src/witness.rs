//! Whether a verdict of this codec is right, by a second look at the bytes that shares no code with it.
//!
//! A refusal is believed only if the witness sees the fault that the error names, in the part that it names and, where the
//! part has one place, at that place. An acceptance is believed only if the witness sees no fault at all.

use mqtt_proto::{DecodeError, DecodeErrorKind as Kind, Field};

use crate::anatomy::{Anatomy, Part, Piece, Stop, varint};
use crate::filters::{self, Fault};
use crate::tables::{self, Section, Shape};

/// Whether the frame at the start of `bytes`, on a connection of this protocol level, has the fault that an error names.
pub(crate) fn confirms(error: &DecodeError, bytes: &[u8], level: u8) -> bool {
    let place = Some((error.field(), error.offset()));
    match error.field() {
        Field::FixedHeader => error.offset() == 0 && first_byte(error.kind(), bytes, level),
        Field::RemainingLength => error.offset() == 1 && remaining_length(error.kind(), bytes),
        _ => Anatomy::of(bytes, level).is_some_and(|anatomy| {
            Look {
                kind: error.kind(),
                place,
                anatomy: &anatomy,
            }
            .sees_the_fault()
        }),
    }
}

/// Some fault of the frame at the start of `bytes`, if it has one.
pub(crate) fn fault(bytes: &[u8], level: u8) -> Option<Kind> {
    let Some(anatomy) = Anatomy::of(bytes, level) else {
        return Some(Kind::Missing);
    };
    // In MQTT 3.1 the end of the packet decides about user name and password, whatever the flags announce.
    if let (3, Some(Stop::Missing(Part::UserName | Part::Password, at))) = (anatomy.level, anatomy.stop)
        && at == bytes.len()
    {
        return None;
    }
    let has = |kind: Kind| {
        first_byte(kind, bytes, level)
            || remaining_length(kind, bytes)
            || Look {
                kind,
                place: None,
                anatomy: &anatomy,
            }
            .sees_the_fault()
    };
    Kind::ALL.iter().copied().find(|kind| has(*kind))
}

fn first_byte(kind: Kind, bytes: &[u8], level: u8) -> bool {
    let Some(first) = bytes.first() else { return false };
    let (packet_type, flags) = (first >> 4, first & 0x0F);
    let required = if matches!(packet_type, 6 | 8 | 10) { 0b0010 } else { 0 };
    match kind {
        Kind::ReservedPacketType => packet_type == 0 || packet_type == 15 && level != 5,
        Kind::ReservedBitsSet => packet_type != 3 && flags != required,
        Kind::InvalidQoS => packet_type == 3 && flags & 0b0110 == 0b0110,
        Kind::DupWithoutAcknowledgement => packet_type == 3 && flags & 0b1110 == 0b1000,
        _ => false,
    }
}

fn remaining_length(kind: Kind, bytes: &[u8]) -> bool {
    let length = &bytes[1..bytes.len().min(5)];
    match kind {
        Kind::LengthTooLong => length.len() == 4 && varint(length).is_none(),
        Kind::LengthPadded => varint(length).is_some_and(|(_, len)| len > 1 && length[len - 1] == 0),
        _ => false,
    }
}

struct Look<'l> {
    kind: Kind,
    /// Where the fault has to be; anywhere, if nothing is told.
    place: Option<(Field, usize)>,
    anatomy: &'l Anatomy<'l>,
}

impl Look<'_> {
    fn sees_the_fault(&self) -> bool {
        match self.kind {
            Kind::Missing | Kind::Overrun | Kind::LengthTooLong | Kind::UnknownProperty => self.reading_stops(),
            Kind::TrailingBytes => self.bytes_are_left(),
            Kind::CodesMissing => self.nothing_follows(Part::Code),
            Kind::FiltersMissing => self.nothing_follows(Part::Filter),
            Kind::EmptyTopicWithoutAlias => self.topic_and_alias_are_missing(),
            Kind::AuthenticationDataWithoutMethod => {
                let section = Section::Packet(1);
                self.names(Part::PropertyId(section, 0x16)) && self.has(section, 0x16) && !self.has(section, 0x15)
            }
            Kind::AuthenticationMethodMissing => {
                let section = Section::Packet(15);
                self.anatomy.has(Part::PropertyLength(section)) && !self.has(section, 0x15)
            }
            _ => self.anatomy.pieces.iter().any(|piece| {
                self.place.is_none_or(|(_, offset)| offset == piece.range.start)
                    && self.names(piece.part)
                    && self.piece_has_the_fault(piece, self.anatomy.content(piece))
            }),
        }
    }

    fn piece_has_the_fault(&self, piece: &Piece, content: &[u8]) -> bool {
        let byte = content.first().copied().unwrap_or_default();
        match self.kind {
            Kind::IllFormedUtf8 => piece.prefixed && !is_binary(piece.part) && std::str::from_utf8(content).is_err(),
            Kind::NulCharacter => piece.prefixed && !is_binary(piece.part) && content.contains(&0),
            Kind::WildcardInTopicName => is_topic(piece.part) && content.iter().any(|byte| b"+#".contains(byte)),
            Kind::Empty => self.must_not_be_empty(piece.part) && content.is_empty(),
            Kind::MisplacedMultiLevelWildcard => self.filter_has(piece, Fault::MultiLevelWildcard),
            Kind::MisplacedSingleLevelWildcard => self.filter_has(piece, Fault::SingleLevelWildcard),
            Kind::EmptyShareName => self.filter_has(piece, Fault::EmptyShareName),
            Kind::InvalidShare => self.filter_has(piece, Fault::InvalidShare),
            Kind::ZeroPacketId => piece.part == Part::PacketId && content == [0, 0],
            Kind::ReservedBitsSet => self.reserved_bits_are_set(piece.part, byte),
            Kind::InvalidSubscriptionQoS => piece.part == Part::Options && byte & 0b11 == 0b11,
            Kind::InvalidRetainHandling => piece.part == Part::Options && byte & 0x30 == 0x30,
            Kind::NoLocalOnSharedSubscription => {
                piece.part == Part::Options && byte & 0x04 != 0 && self.is_behind_shared_filter(piece)
            }
            Kind::UnlistedReasonCode => piece.part == Part::Code && !self.lists_code(byte),
            Kind::UnknownProtocolName => piece.part == Part::ProtocolName && content != b"MQTT" && content != b"MQIsdp",
            Kind::UnsupportedProtocolLevel => piece.part == Part::ProtocolLevel && !self.level_fits_name(byte),
            Kind::WillBitsWithoutWill => {
                piece.part == Part::ConnectFlags && byte & 0x04 == 0 && byte & 0b0011_1000 != 0
            }
            Kind::InvalidQoS => piece.part == Part::ConnectFlags && byte & 0b0001_1000 == 0b0001_1000,
            Kind::SessionPresentInRefusal => {
                piece.part == Part::AckFlags && byte == 1 && self.anatomy.level != 3 && self.refuses()
            }
            Kind::PasswordWithoutUserName => {
                piece.part == Part::ConnectFlags && self.anatomy.level != 5 && byte & 0xC0 == 0x40
            }
            _ => self.property_has_the_fault(piece, content),
        }
    }

    /// A CONNACK with a code of its list that is not 0.
    fn refuses(&self) -> bool {
        let code = self.anatomy.first(Part::Code).map(|code| self.anatomy.content(code));
        matches!(code, Some([code]) if *code != 0 && self.lists_code(*code))
    }

    fn property_has_the_fault(&self, piece: &Piece, content: &[u8]) -> bool {
        match (self.kind, piece.part) {
            (Kind::LengthPadded, Part::PropertyLength(_) | Part::PropertyValue(_, 0x0B)) => {
                content.len() > 1 && content.last() == Some(&0)
            }
            (Kind::PropertyNotAllowed, Part::PropertyId(section, id)) => {
                tables::property(id).is_some_and(|property| !property.belongs_to(section))
            }
            (Kind::DuplicateProperty, Part::PropertyId(section, id)) => {
                let seen = |other: &&Piece| other.part == piece.part && other.range.start < piece.range.start;
                !tables::may_repeat(id, section) && self.anatomy.pieces.iter().any(|other| seen(&other))
            }
            (Kind::ZeroTopicAlias, Part::PropertyValue(_, 0x23)) => content == [0, 0],
            (Kind::PropertyOutOfRange, Part::PropertyValue(_, id)) => out_of_range(id, content),
            _ => false,
        }
    }

    /// Reading stops in the part, and at the place, that the error names.
    fn reading_stops(&self) -> bool {
        let (part, at) = match (self.kind, self.anatomy.stop) {
            (Kind::Missing, Some(Stop::Missing(part, at)))
            | (Kind::Overrun, Some(Stop::Overrun(part, at)))
            | (Kind::LengthTooLong, Some(Stop::Endless(part, at))) => (part, at),
            (Kind::UnknownProperty, Some(Stop::UnknownProperty(at))) => {
                return self.place.is_none_or(|place| place == (Field::PropertyId, at));
            }
            _ => return false,
        };
        self.place.is_none_or(|(_, offset)| offset == at) && self.names(part)
    }

    fn bytes_are_left(&self) -> bool {
        let Anatomy { end, frame, stop, .. } = self.anatomy;
        let named = self.place.is_none_or(|place| place == (Field::EndOfPacket, *end));
        stop.is_none() && *end < frame.len() && named
    }

    fn nothing_follows(&self, part: Part) -> bool {
        let Anatomy {
            packet_type,
            end,
            frame,
            stop,
            level,
            ..
        } = self.anatomy;
        let wanted = match part {
            Part::Code => *packet_type == 9 || *packet_type == 11 && *level == 5,
            _ => matches!(packet_type, 8 | 10),
        };
        wanted && stop.is_none() && *end == frame.len() && !self.anatomy.has(part)
    }

    fn topic_and_alias_are_missing(&self) -> bool {
        let topic = self.anatomy.first(Part::TopicName);
        let empty = topic.is_some_and(|topic| self.anatomy.content(topic).is_empty());
        let v5 = self.anatomy.level == 5;
        empty && v5 && self.names(Part::TopicName) && !self.has(Section::Packet(3), 0x23)
    }

    /// A topic of a PUBLISH may be left to an alias in MQTT 5.0.
    fn must_not_be_empty(&self, part: Part) -> bool {
        match part {
            Part::TopicName => self.anatomy.level != 5,
            _ => is_topic(part) || part == Part::Filter,
        }
    }

    fn has(&self, section: Section, id: u8) -> bool {
        self.anatomy.has(Part::PropertyId(section, id))
    }

    fn filter_has(&self, piece: &Piece, fault: Fault) -> bool {
        piece.part == Part::Filter
            && filters::faults(self.anatomy.content(piece), self.anatomy.level == 5).contains(&fault)
    }

    fn reserved_bits_are_set(&self, part: Part, byte: u8) -> bool {
        match part {
            Part::ConnectFlags => byte & 1 != 0,
            Part::AckFlags => byte > 1,
            Part::Options => byte & if self.anatomy.level == 5 { 0xC0 } else { 0xFC } != 0,
            _ => false,
        }
    }

    fn is_behind_shared_filter(&self, options: &Piece) -> bool {
        self.anatomy.pieces.iter().any(|piece| {
            piece.part == Part::Filter
                && piece.range.end == options.range.start
                && self.anatomy.content(piece).starts_with(b"$share/")
        })
    }

    fn lists_code(&self, code: u8) -> bool {
        match (self.anatomy.packet_type, self.anatomy.level) {
            (packet_type, 5) => tables::lists_code(packet_type, code),
            (2, _) => code <= 5,
            _ => code <= 2 || code == 0x80,
        }
    }

    fn level_fits_name(&self, level: u8) -> bool {
        let name = self
            .anatomy
            .first(Part::ProtocolName)
            .map(|name| self.anatomy.content(name));
        match name {
            Some(b"MQTT") => matches!(level, 4 | 5),
            Some(b"MQIsdp") => level == 3,
            _ => false,
        }
    }

    /// Whether the error names this part.
    fn names(&self, part: Part) -> bool {
        let Some((field, _)) = self.place else { return true };
        match part {
            Part::ProtocolName => field == Field::ProtocolName,
            Part::ProtocolLevel => field == Field::ProtocolLevel,
            Part::ConnectFlags => field == Field::ConnectFlags,
            Part::KeepAlive => field == Field::KeepAlive,
            Part::ClientId => field == Field::ClientId,
            Part::WillTopic => field == Field::WillTopic,
            Part::WillPayload => field == Field::WillPayload,
            Part::UserName => field == Field::UserName,
            Part::Password => field == Field::Password,
            Part::AckFlags => field == Field::ConnectAcknowledgeFlags,
            Part::Code => field == Field::ReasonCode,
            Part::PacketId => field == Field::PacketId,
            Part::TopicName => field == Field::TopicName,
            Part::Filter => field == Field::TopicFilter,
            Part::Options => field == Field::SubscriptionOptions,
            Part::Payload => field == Field::Payload,
            Part::PropertyLength(Section::Will) => field == Field::WillPropertyLength,
            Part::PropertyLength(_) => field == Field::PropertyLength,
            Part::PropertyId(_, id) | Part::PropertyValue(_, id) => match field {
                Field::Property(named) => named.number() == id,
                _ => false,
            },
        }
    }
}

fn is_topic(part: Part) -> bool {
    matches!(part, Part::TopicName | Part::WillTopic | Part::PropertyValue(_, 0x08))
}

fn is_binary(part: Part) -> bool {
    match part {
        Part::WillPayload | Part::Password => true,
        Part::PropertyValue(_, id) => tables::property(id).is_some_and(|property| property.shape == Shape::Binary),
        _ => false,
    }
}

fn out_of_range(id: u8, content: &[u8]) -> bool {
    match tables::property(id).map(|property| property.shape) {
        Some(Shape::Byte) => content[0] > 1,
        // Receive Maximum, Maximum Packet Size, Subscription Identifier.
        Some(Shape::Two | Shape::Four | Shape::Varint) => {
            matches!(id, 0x21 | 0x27 | 0x0B)
                && content
                    .iter()
                    .all(|byte| byte & 0x7F == 0 && (id == 0x0B || *byte == 0))
        }
        _ => false,
    }
}
