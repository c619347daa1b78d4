//! One pass over text: is it plain ASCII, does it hold a wildcard, and do those of a filter stand in their places?
//!
//! Nearly all text on the wire is printable ASCII. A pass over 16 bytes at a time, which compilers turn into vector
//! instructions, settles that case; what is left goes through the exact check in [`judge`].

use crate::{Choice, TextError};

/// What one pass over text found. Neither flag means printable ASCII without wildcards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found(u8);

impl Found {
    const UNUSUAL: u8 = 1;
    const WILDCARD: u8 = 2;

    /// Something else than printable ASCII, so that the exact check has to decide.
    #[inline]
    pub(crate) const fn unusual(self) -> bool {
        self.0 & Self::UNUSUAL != 0
    }

    /// A `+` or a `#`.
    #[inline]
    pub(crate) const fn wildcard(self) -> bool {
        self.0 & Self::WILDCARD != 0
    }
}

/// As many bytes as the vector instructions of nearly every machine handle at once.
type Block = [u8; 16];

/// How far above a space printable ASCII goes: a byte minus a space is below this, and no other byte is.
const PRINTABLE: u8 = 0x7F - b' ';

#[inline(always)]
const fn above_space(byte: u8) -> u8 {
    byte.wrapping_sub(b' ')
}

/// Zero for a wildcard. `+` and `#` differ in one bit.
#[inline(always)]
const fn from_wildcard(byte: u8) -> u8 {
    (byte & !0x08) ^ b'#'
}

/// Looks at every byte once, and for wildcards only if they matter.
#[inline(always)]
fn scan<const WILDCARDS: bool>(bytes: &[u8]) -> Found {
    let Some(last) = bytes.last_chunk() else {
        return scan_short::<WILDCARDS>(bytes);
    };
    let mut extremes = Extremes::NONE.with::<WILDCARDS>(last);
    let mut rest = bytes;
    while let Some((block, tail)) = rest.split_first_chunk() {
        if tail.is_empty() {
            break;
        }
        extremes = extremes.with::<WILDCARDS>(block);
        rest = tail;
    }
    extremes.found()
}

/// The extremes of all blocks, each at its place, so that the result is looked at once.
#[derive(Clone, Copy)]
struct Extremes {
    highest: Block,
    nearest: Block,
}

impl Extremes {
    const NONE: Self = Self {
        highest: [0; 16],
        nearest: [u8::MAX; 16],
    };

    #[inline(always)]
    fn with<const WILDCARDS: bool>(self, block: &Block) -> Self {
        let Self { highest, nearest } = self;
        Self {
            highest: each(highest, *block, |highest, byte| highest.max(above_space(byte))),
            nearest: if WILDCARDS {
                each(nearest, *block, |nearest, byte| nearest.min(from_wildcard(byte)))
            } else {
                nearest
            },
        }
    }

    #[inline(always)]
    fn found(self) -> Found {
        // Not zero where a byte is too high, and where one is a wildcard.
        let unusual = self.highest.map(|highest| highest.saturating_sub(PRINTABLE - 1));
        let wildcard = self.nearest.map(|nearest| 1_u8.saturating_sub(nearest));
        if !any(each(unusual, wildcard, |unusual, wildcard| unusual | wildcard)) {
            return Found(0);
        }
        Found(u8::from(any(unusual)) | u8::from(any(wildcard)) << 1)
    }
}

#[inline(always)]
fn each(mut one: Block, other: Block, operation: impl Fn(u8, u8) -> u8) -> Block {
    for (one, other) in one.iter_mut().zip(other) {
        *one = operation(*one, other);
    }
    one
}

#[inline(always)]
fn any(block: Block) -> bool {
    u128::from_ne_bytes(block) != 0
}

/// Text in which wildcards mean nothing: is it something else than printable ASCII?
#[inline(always)]
pub(crate) fn is_unusual(bytes: &[u8]) -> bool {
    scan::<false>(bytes).unusual()
}

/// A topic name.
#[inline(always)]
pub(crate) fn scan_topic(bytes: &[u8]) -> Found {
    scan::<true>(bytes)
}

/// Ones in every byte, for arithmetic on eight bytes at a time.
const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES << 7;

/// The high bit of some byte is set if and only if some byte of `word` is zero.
#[inline(always)]
const fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[inline(always)]
const fn word<const WILDCARDS: bool>(word: u64) -> Found {
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
    let delete = word.wrapping_add(ONES);
    // A byte above ASCII may carry into its neighbour; it is unusual by itself.
    let unusual = (word | control | delete) & HIGHS;
    let wildcard = if WILDCARDS {
        has_zero((word & ONES.wrapping_mul(0xF7)) ^ ONES.wrapping_mul(b'#' as u64))
    } else {
        0
    };
    Found((unusual != 0) as u8 | ((wildcard != 0) as u8) << 1)
}

/// Fewer than 17 bytes: two overlapping words, or one that is filled up with a harmless byte.
#[inline(always)]
fn scan_short<const WILDCARDS: bool>(bytes: &[u8]) -> Found {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let (first, last) = (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last));
        return Found(word::<WILDCARDS>(first).0 | word::<WILDCARDS>(last).0);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
        return word::<WILDCARDS>(u64::from(first) << 32 | u64::from(last));
    }
    let filler = ONES.wrapping_mul(u64::from(b' '));
    word::<WILDCARDS>(bytes.iter().fold(filler, |word, byte| word << 8 | u64::from(*byte)))
}

/// Whether a filter is printable ASCII with every wildcard in its place: alone in its level, and `#` in the last one.
/// Nothing is said of a filter for which this is false, and nothing of share names.
///
/// Looks at every byte together with the one before it. The filter behaves as if a slash stood before and behind it.
#[inline(always)]
pub(crate) fn is_plain_filter(bytes: &[u8]) -> bool {
    let (Some((last, before)), Some((_, after))) = (bytes.split_last(), bytes.split_first()) else {
        return false;
    };
    let (Some(end_before), Some(end_after)) = (before.last_chunk(), after.last_chunk()) else {
        return is_plain_short_filter(bytes, before, after);
    };
    let (mut rest_before, mut rest_after) = (before, after);
    while let (Some((before, tail_before)), Some((after, tail_after))) =
        (rest_before.split_first_chunk(), rest_after.split_first_chunk())
    {
        if any(neighbours(before, after)) {
            return false;
        }
        (rest_before, rest_after) = (tail_before, tail_after);
    }
    // The last byte stands behind another and before none.
    above_space(*last) < PRINTABLE && !any(neighbours(end_before, end_after))
}

/// Not zero where a byte is not printable ASCII, or may not stand before the one behind it.
#[inline(always)]
fn neighbours(before: &Block, after: &Block) -> Block {
    each(*before, *after, |before, after| {
        let misplaced = if misplaced(before, after) { u8::MAX } else { 0 };
        above_space(before).saturating_sub(PRINTABLE - 1) | misplaced
    })
}

#[inline(always)]
fn is_plain_short_filter(bytes: &[u8], before: &[u8], after: &[u8]) -> bool {
    let in_place = |(before, after): (&u8, &u8)| !misplaced(*before, *after);
    let found = scan_short::<true>(bytes);
    !found.unusual() && (!found.wildcard() || before.iter().zip(after).all(in_place))
}

/// Whether a byte may not follow another for the sake of a wildcard.
#[inline(always)]
const fn misplaced(before: u8, after: u8) -> bool {
    let (slash_before, slash_after) = (before == b'/', after == b'/');
    let wildcard_after = from_wildcard(after) == 0;
    (wildcard_after & !slash_before) | ((before == b'+') & !slash_after) | (before == b'#')
}

/// The exact check: UTF-8, U+0000, and the characters that a policy may refuse.
#[cold]
#[inline(never)]
pub(crate) fn judge(bytes: &[u8], control_characters: Choice) -> Result<(), TextError> {
    let text = core::str::from_utf8(bytes).map_err(|_| TextError::IllFormedUtf8)?;
    if bytes.contains(&0) {
        return Err(TextError::NulCharacter);
    }
    match control_characters {
        Choice::Refuse if text.chars().any(is_control_or_non_character) => Err(TextError::ForbiddenCharacter),
        _ => Ok(()),
    }
}

/// U+0001 to U+001F, U+007F to U+009F, and the 66 code points that Unicode will never assign. [U5-1.5.4-a]
fn is_control_or_non_character(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// The whole check of a text that may hold wildcards.
#[inline]
pub(crate) fn check(bytes: &[u8], control_characters: Choice) -> Result<Found, TextError> {
    let found = scan_topic(bytes);
    if found.unusual() {
        judge(bytes, control_characters)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_fast_pass_sees_what_a_slow_one_sees_at_every_length_and_place() {
        for len in 0..70 {
            assert_eq!(scan_topic(&std::vec![b'a'; len]).0, 0);
            for place in 0..len {
                for byte in 0..=255_u8 {
                    let mut text: Vec<u8> = std::vec![b'a'; len];
                    text[place] = byte;
                    let found = scan_topic(&text);
                    assert_eq!(is_unusual(&text), found.unusual());
                    assert_eq!(
                        found.unusual(),
                        !(0x20..0x7F).contains(&byte),
                        "{byte:02x} at {place} of {len}"
                    );
                    assert_eq!(found.wildcard(), byte == b'+' || byte == b'#');
                }
            }
        }
    }

    #[test]
    fn the_fast_pass_over_filters_agrees_with_the_exact_check_at_every_length_and_place() {
        for len in 1..70 {
            for place in 0..len {
                for byte in [b'+', b'#', b'/', b'a', b'~', 0x1F, 0x7F, 0x80, 0xFF] {
                    for (slash_before, slash_after) in [(false, false), (true, false), (false, true), (true, true)] {
                        let mut filter: Vec<u8> = std::vec![b'a'; len];
                        filter[place] = byte;
                        if slash_before && place > 0 {
                            filter[place - 1] = b'/';
                        }
                        if slash_after && place + 1 < len {
                            filter[place + 1] = b'/';
                        }
                        let valid = crate::topic::filter_fault(&filter, false).is_none();
                        let plain = valid && filter.iter().all(|byte| (0x20..0x7F).contains(byte));
                        assert_eq!(is_plain_filter(&filter), plain, "{byte:02x} at {place} of {len}");
                    }
                }
            }
        }
        assert!(!is_plain_filter(b""));
    }

    #[test]
    fn control_characters_and_non_characters_are_refused_only_by_policy() {
        for text in [
            "\u{1}",
            "a\u{1F}",
            "\u{7F}",
            "\u{9F}",
            "\u{FDD0}",
            "\u{FDEF}",
            "\u{FFFE}",
            "\u{FFFF}",
            "\u{1FFFE}",
            "\u{10FFFF}",
        ] {
            assert_eq!(
                check(text.as_bytes(), Choice::Refuse).err(),
                Some(TextError::ForbiddenCharacter),
                "{text:?}"
            );
            assert!(check(text.as_bytes(), Choice::Accept).is_ok());
        }
        for text in ["\u{FDCF}", "\u{FDF0}", "\u{FFFD}", "\u{A0}", "\u{FEFF}", "Ŧėśt🜄"] {
            assert!(check(text.as_bytes(), Choice::Refuse).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn nul_and_ill_formed_text_are_refused_by_every_policy() {
        for choice in [Choice::Accept, Choice::Refuse] {
            assert_eq!(check(b"a\0b", choice).err(), Some(TextError::NulCharacter));
            for bytes in [
                &b"\xC0\xAF"[..],
                b"\xED\xA0\x80",
                b"\xF4\x90\x80\x80",
                b"\xFF",
                b"abc\xE2\x82",
            ] {
                assert_eq!(check(bytes, choice).err(), Some(TextError::IllFormedUtf8));
            }
        }
    }
}
