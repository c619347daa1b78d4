//! The fixed header: type, flags and length. Most of what makes a packet unacceptable is known when it has been read.

use crate::error::{Rule, demand, require};
use crate::packet::publish;
use crate::packet_type::PacketType;
use crate::varint::{self, Varint};
use crate::{Choice, DecodeError, DecodeErrorKind, Field, Role, Rules, Version};

/// The fixed header of a packet that may be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FixedHeader {
    packet_type: PacketType,
    flags: u8,
    len: u8,
    remaining: u32,
}

impl FixedHeader {
    /// Reads the header at the start of `bytes`; `None` if it is not complete.
    ///
    /// Every verdict comes at the byte that decides it: type, flags and direction with the first byte, the size with the
    /// last byte of the length.
    ///
    /// # Errors
    /// If the type is reserved or never sent by this end, the flags are not what they have to be, or the length is
    /// malformed or above the limit.
    #[inline(never)]
    pub fn decode(bytes: &[u8], rules: &Rules) -> Result<Option<Self>, DecodeError> {
        let Some((first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let packet_type = check_first_byte(*first, rules)?;
        let length = Place {
            rules,
            packet_type: Some(packet_type),
            offset: 1,
        };
        let found = varint::read(rest);
        require!(
            length,
            found != Varint::TooLong,
            LengthTooLong,
            Field::RemainingLength,
            &TOO_LONG
        );
        let Varint::Value { value: remaining, len } = found else {
            return Ok(None);
        };
        let shortest = len == varint::len(remaining) || rules.policy.padded_remaining_length == Choice::Accept;
        require!(length, shortest, LengthPadded, Field::RemainingLength, &PADDED);
        let header = Self {
            packet_type,
            flags: first & 0x0F,
            len: len.saturating_add(1),
            remaining,
        };
        let fits = remaining.saturating_add(u32::from(header.len)) <= rules.limit_bytes;
        require!(length, fits, PacketTooLarge, Field::RemainingLength, &TOO_LARGE);
        Ok(Some(header))
    }

    /// The header, if nothing about it needs a closer look: what nearly every packet begins with.
    ///
    /// Whatever this finds, [`decode`](Self::decode) finds too.
    #[inline(always)]
    pub(crate) fn plain(bytes: &[u8], rules: &Rules) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        let packet_type = plain_first_byte(*first, rules.sender)?;
        let (remaining, len) = match rest {
            [one, ..] if *one < 0x80 => (u32::from(*one), 2),
            [one, two, ..] if *two < 0x80 && *two != 0 => (u32::from(*one & 0x7F) | u32::from(*two) << 7, 3),
            _ => return None,
        };
        let header = Self {
            packet_type,
            flags: first & 0x0F,
            len,
            remaining,
        };
        (remaining.saturating_add(u32::from(len)) <= rules.limit_bytes).then_some(header)
    }

    /// Refuses the first byte of a packet of another type than the one that has to come here.
    pub(crate) fn expect(wanted: PacketType, first: u8, rules: &Rules) -> Result<(), DecodeError> {
        static FIRST_PACKET: Rule = Rule::new("MQTT-3.1.0-1", "MQTT-3.1.0-1");
        let packet_type = check_first_byte(first, rules)?;
        let place = Place {
            rules,
            packet_type: Some(packet_type),
            offset: 0,
        };
        require!(
            place,
            packet_type == wanted,
            UnexpectedPacketType,
            Field::FixedHeader,
            &FIRST_PACKET
        );
        Ok(())
    }

    /// The type of the packet.
    #[must_use]
    #[inline]
    pub const fn packet_type(self) -> PacketType {
        self.packet_type
    }

    /// The lower half of the first byte.
    #[must_use]
    #[inline]
    pub const fn flags(self) -> u8 {
        self.flags
    }

    /// How many bytes the header has: 2 to 5.
    #[must_use]
    #[inline]
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// A header is never empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }

    /// How many bytes follow the header.
    #[must_use]
    #[inline]
    pub const fn remaining_len(self) -> usize {
        self.remaining as usize
    }

    /// How many bytes the packet has, header included.
    #[must_use]
    #[inline]
    pub const fn packet_len(self) -> usize {
        self.remaining_len().saturating_add(self.len())
    }
}

static TOO_LONG: Rule = Rule::new("U5-1.5.5-a", "U5-1.5.5-a");
static PADDED: Rule = Rule::v5("MQTT-1.5.5-1");
static TOO_LARGE: Rule = Rule::v5("U5-3.1.2-i");

/// A place in the fixed header, for refusals.
struct Place<'r> {
    rules: &'r Rules,
    packet_type: Option<PacketType>,
    offset: usize,
}

impl Place<'_> {
    #[inline(always)]
    fn refuse(&self, kind: DecodeErrorKind, field: Field, rule: &'static Rule) -> DecodeError {
        DecodeError::new(kind, field, self.offset, rule, self.rules.version, self.packet_type)
    }
}

/// First bytes that are right in every version, with the ends that may send them in every version. Zero: look closer.
static PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut first = 0_u8;
    loop {
        if let Some(packet_type) = PacketType::from_number(first >> 4) {
            let fixed = first == packet_type.first_byte();
            let publish = matches!(packet_type, PacketType::Publish)
                && first >> publish::QOS_SHIFT & 0b11 != 3
                && (first & publish::DUP == 0 || first >> publish::QOS_SHIFT & 0b11 != 0);
            if (fixed || publish) && !matches!(packet_type, PacketType::Auth) {
                let mut entry = packet_type.number();
                if packet_type.may_be_sent_by(Role::Client, Version::V3_1_1) {
                    entry |= FROM_CLIENT;
                }
                if packet_type.may_be_sent_by(Role::Server, Version::V3_1_1) {
                    entry |= FROM_SERVER;
                }
                set(&mut table, first, entry);
            }
        }
        first = match first.checked_add(1) {
            Some(next) => next,
            None => break table,
        };
    }
};

const FROM_CLIENT: u8 = 0x10;
const FROM_SERVER: u8 = 0x20;

#[allow(
    clippy::indexing_slicing,
    reason = "runs at compile time, and a byte is always a place of the table"
)]
const fn set(table: &mut [u8; 256], place: u8, entry: u8) {
    table[place as usize] = entry;
}

#[inline(always)]
fn plain_first_byte(first: u8, sender: Option<Role>) -> Option<PacketType> {
    let entry = PLAIN.get(usize::from(first)).copied().unwrap_or_default();
    let allowed = match sender {
        None => entry,
        Some(Role::Client) => entry & FROM_CLIENT,
        Some(Role::Server) => entry & FROM_SERVER,
    };
    if allowed == 0 {
        None
    } else {
        PacketType::from_number(entry & 0x0F)
    }
}

fn check_first_byte(first: u8, rules: &Rules) -> Result<PacketType, DecodeError> {
    static RESERVED_TYPE: Rule = Rule::new("U5-2.1.2-a", "U5-2.1.2-a");
    const FIELD: Field = Field::FixedHeader;

    let known = match PacketType::from_number(first >> 4) {
        Some(PacketType::Auth) if !rules.version.has_properties() => None,
        known => known,
    };
    let unknown = Place {
        rules,
        packet_type: None,
        offset: 0,
    };
    let packet_type = demand!(unknown, known, ReservedPacketType, FIELD, &RESERVED_TYPE);
    let place = Place {
        rules,
        packet_type: Some(packet_type),
        offset: 0,
    };
    let flags = first & 0x0F;
    if packet_type == PacketType::Publish {
        check_publish_flags(flags, &place)?;
    } else {
        let fixed = flags == packet_type.first_byte() & 0x0F || is_v3_1_habit(packet_type, flags, rules);
        require!(place, fixed, ReservedBitsSet, FIELD, reserved_flags(packet_type));
    }
    let allowed = rules
        .sender
        .is_none_or(|sender| packet_type.may_be_sent_by(sender, rules.version));
    require!(place, allowed, WrongDirection, FIELD, &Rule::ANY);
    Ok(packet_type)
}

#[inline]
fn check_publish_flags(flags: u8, place: &Place<'_>) -> Result<(), DecodeError> {
    static QOS_3: Rule = Rule::new("MQTT-3.3.1-4", "MQTT-3.3.1-4");
    static DUP_AT_QOS_0: Rule = Rule::new("MQTT-3.3.1-2", "MQTT-3.3.1-2");

    let (dup, qos) = (flags & publish::DUP != 0, flags >> publish::QOS_SHIFT & 0b11);
    require!(place, qos != 3, InvalidQoS, Field::FixedHeader, &QOS_3);
    let acknowledged = !dup || qos != 0 || habits(place.rules);
    require!(
        place,
        acknowledged,
        DupWithoutAcknowledgement,
        Field::FixedHeader,
        &DUP_AT_QOS_0
    );
    Ok(())
}

fn habits(rules: &Rules) -> bool {
    rules.version == Version::V3_1 && rules.policy.v3_1_habits == Choice::Accept
}

/// MQTT 3.1 sends SUBSCRIBE, UNSUBSCRIBE and PUBREL again after a while, with DUP set.
fn is_v3_1_habit(packet_type: PacketType, flags: u8, rules: &Rules) -> bool {
    let repeats = matches!(
        packet_type,
        PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PubRel
    );
    repeats && flags == 0b1010 && habits(rules)
}

#[cold]
fn reserved_flags(packet_type: PacketType) -> &'static Rule {
    match packet_type {
        PacketType::PubRel => &const { Rule::new("MQTT-3.6.1-1", "MQTT-3.6.1-1") },
        PacketType::Subscribe => &const { Rule::new("MQTT-3.8.1-1", "MQTT-3.8.1-1") },
        PacketType::Unsubscribe => &const { Rule::new("MQTT-3.10.1-1", "MQTT-3.10.1-1") },
        PacketType::Disconnect => &const { Rule::new("MQTT-3.14.1-1", "MQTT-3.14.1-1") },
        PacketType::Auth => &const { Rule::v5("MQTT-3.15.1-1") },
        PacketType::PingReq | PacketType::PingResp => &const { Rule::new("MQTT-2.1.3-1", "MQTT-2.2.2-2") },
        _ => &const { Rule::new("MQTT-2.1.3-1", "MQTT-2.2.2-1") },
    }
}
