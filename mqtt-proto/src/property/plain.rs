//! The check of properties about which nothing needs a closer look, as with nearly all: one pass that keeps no places.

use super::id::Shape;
use super::section::SectionKind;
use crate::varint::{self, Varint};
use crate::{PropertyId, Role, Rules, scan};

/// The set of ids in a section, if nothing about it needs a closer look.
///
/// Whatever passes here, the exact check lets pass too; what does not, the exact check decides.
#[inline(never)]
pub(super) fn check(mut rest: &[u8], section: SectionKind, rules: &Rules) -> Option<u64> {
    let mut stored = 0;
    // What may come, and is taken out of the set when it may not come again.
    let mut open = allowed(section, rules.sender);
    let once = !may_repeat(section);
    let mut user_properties = rules.policy.user_properties_limit;
    while let Some((number, value)) = rest.split_first() {
        let shape = (*SHAPES.get(usize::from(*number))?)?;
        let bit = 1_u64 << (number & 0x3F);
        if open & bit == 0 {
            return None;
        }
        stored |= bit;
        open &= !(bit & once);
        rest = match shape {
            Shape::Pair => {
                user_properties = user_properties.checked_sub(1)?;
                behind_text(behind_text(value)?)?
            }
            Shape::Text => behind_text(value)?,
            Shape::Binary => prefixed(value)?.1,
            Shape::Four => value.split_first_chunk::<4>()?.1,
            Shape::FourNonZero => behind_number::<4>(value)?,
            Shape::Two => value.split_first_chunk::<2>()?.1,
            Shape::TwoNonZero => behind_number::<2>(value)?,
            Shape::Flag => match value {
                [0 | 1, rest @ ..] => rest,
                _ => return None,
            },
            Shape::Varint => behind_varint(value)?,
            Shape::Topic => behind_topic(value)?,
        };
    }
    Some(stored)
}

/// How the value of each property is written.
static SHAPES: [Option<Shape>; 64] = {
    let mut shapes = [None; 64];
    let (mut rest, mut number): (&mut [_], _) = (&mut shapes, 0);
    while let Some((shape, tail)) = rest.split_first_mut() {
        if let Some(id) = PropertyId::from_number(number) {
            *shape = Some(id.shape());
        }
        (rest, number) = (tail, number.wrapping_add(1));
    }
    shapes
};

/// The properties that this end may send in this section.
#[inline]
fn allowed(section: SectionKind, sender: Option<Role>) -> u64 {
    let in_section = match section {
        SectionKind::Connect => const { in_section(SectionKind::Connect) },
        SectionKind::Will => const { in_section(SectionKind::Will) },
        SectionKind::ConnAck => const { in_section(SectionKind::ConnAck) },
        SectionKind::Publish => const { in_section(SectionKind::Publish) },
        SectionKind::Ack => const { in_section(SectionKind::Ack) },
        SectionKind::Subscribe => const { in_section(SectionKind::Subscribe) },
        SectionKind::Unsubscribe => const { in_section(SectionKind::Unsubscribe) },
        SectionKind::Disconnect => const { in_section(SectionKind::Disconnect) },
        SectionKind::Auth => const { in_section(SectionKind::Auth) },
    };
    in_section & !not_from(section, sender)
}

/// The properties that may stand in this section.
const fn in_section(section: SectionKind) -> u64 {
    let (mut rest, mut set) = (PropertyId::ALL, 0);
    while let Some((id, tail)) = rest.split_first() {
        if id.belongs_to(section) {
            set |= id.bit();
        }
        rest = tail;
    }
    set
}

/// The properties of this section that only the other end may send.
#[inline]
const fn not_from(section: SectionKind, sender: Option<Role>) -> u64 {
    match (section, sender) {
        (SectionKind::Publish, Some(Role::Client)) => PropertyId::SubscriptionIdentifier.bit(),
        (SectionKind::Disconnect, Some(Role::Client)) => PropertyId::ServerReference.bit(),
        (SectionKind::Disconnect, Some(Role::Server)) => PropertyId::SessionExpiryInterval.bit(),
        _ => 0,
    }
}

/// The properties that may occur more than once in this section.
#[inline]
const fn may_repeat(section: SectionKind) -> u64 {
    let user = PropertyId::UserProperty.bit();
    match section {
        SectionKind::Publish => user | PropertyId::SubscriptionIdentifier.bit(),
        _ => user,
    }
}

#[inline(always)]
fn prefixed(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = value.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[inline(always)]
fn behind_text(value: &[u8]) -> Option<&[u8]> {
    let (text, rest) = prefixed(value)?;
    (!scan::is_unusual(text)).then_some(rest)
}

#[inline(always)]
fn behind_topic(value: &[u8]) -> Option<&[u8]> {
    let (topic, rest) = prefixed(value)?;
    let found = scan::scan_topic(topic);
    (!topic.is_empty() && !found.unusual() && !found.wildcard()).then_some(rest)
}

#[inline(always)]
fn behind_number<const N: usize>(value: &[u8]) -> Option<&[u8]> {
    let (number, rest) = value.split_first_chunk::<N>()?;
    (*number != [0; N]).then_some(rest)
}

#[inline(always)]
fn behind_varint(value: &[u8]) -> Option<&[u8]> {
    match varint::read(value) {
        Varint::Value { value: number, len } if number != 0 && len == varint::len(number) => {
            value.get(usize::from(len)..)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;
    use crate::trace::Silent;
    use crate::{PacketType, Policy, Version};
    use std::vec::Vec;

    /// Values of this shape, good and bad.
    fn values(shape: Shape) -> Vec<Vec<u8>> {
        let some: &[&[u8]] = match shape {
            Shape::Flag => &[b"\0", b"\x01", b"\x02", b""],
            Shape::Two | Shape::TwoNonZero => &[b"\0\0", b"\0\x01", b"\x01\0", b"\x01"],
            Shape::Four | Shape::FourNonZero => &[b"\0\0\0\0", b"\0\0\0\x01", b"\x01\0\0\0", b"\x01\0\0"],
            Shape::Varint => &[
                b"\0",
                b"\x7F",
                b"\x80\x01",
                b"\x81\0",
                b"\xFF\xFF\xFF\x7F",
                b"\xFF\xFF\xFF\xFF\x01",
                b"\x80",
            ],
            Shape::Text | Shape::Topic | Shape::Binary => &[
                b"\0\x01a",
                b"\0\0",
                b"\0\x01+",
                b"\0\x01\0",
                b"\0\x01\xFF",
                b"\0\x02a",
                b"\0",
            ],
            Shape::Pair => &[
                b"\0\x01a\0\x01b",
                b"\0\0\0\0",
                b"\0\x01\0\0\x01b",
                b"\0\x01a\0\x01\xFF",
                b"\0\x01a\0\x02b",
            ],
        };
        some.iter().map(|bytes| bytes.to_vec()).collect()
    }

    /// Every property with every value, and numbers that are no property.
    fn properties() -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = [0x00, 0x04, 0x2B, 0x3F, 0x41, 0x66, 0x80, 0xFF]
            .iter()
            .map(|number| std::vec![*number, 0, 1])
            .collect();
        for id in PropertyId::ALL {
            all.extend(
                values(id.shape())
                    .into_iter()
                    .map(|value| [&[id.number()], &value[..]].concat()),
            );
        }
        all
    }

    const SECTIONS: [SectionKind; 9] = [
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

    fn exact(bytes: &[u8], section: SectionKind, rules: Rules) -> Option<u64> {
        let mut reader = Reader::new(bytes, 0, PacketType::Publish, rules, Silent);
        reader.section(section).ok()
    }

    /// By a policy that refuses every text which is not plain, so that there is nothing left on which they may differ.
    #[test]
    fn the_fast_check_agrees_with_the_exact_one_about_every_pair_of_properties() {
        let properties = properties();
        for section in SECTIONS {
            for sender in [None, Some(Role::Client), Some(Role::Server)] {
                let mut rules = Rules::new(Version::V5);
                rules.sender = sender;
                rules.policy = Policy::relay();
                for first in &properties {
                    for second in &properties {
                        let bytes = [&first[..], second].concat();
                        let fast = check(&bytes, section, &rules);
                        assert_eq!(
                            fast,
                            exact(&bytes, section, rules),
                            "{section:?} {sender:?} {bytes:02X?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_fast_check_counts_user_properties_as_the_exact_one_does() {
        let mut rules = Rules::new(Version::V5);
        rules.policy = Policy::endpoint().user_properties_limit(2);
        for count in 0..4 {
            let bytes = b"\x26\0\0\0\0".repeat(count);
            let fast = check(&bytes, SectionKind::Publish, &rules);
            assert_eq!(fast.is_some(), count <= 2);
            assert_eq!(fast, exact(&bytes, SectionKind::Publish, rules));
        }
    }
}
