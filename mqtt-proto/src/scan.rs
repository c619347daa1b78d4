//! One pass over text: is it plain ASCII, and does it hold a wildcard?
//!
//! Nearly all text on the wire is printable ASCII. A pass over 16 bytes at a time, which compilers turn into vector
//! instructions, settles that case; what is left goes through the exact check in [`judge`].

use crate::{Choice, TextError};

/// What one pass over text found. Both flags together: `NEITHER` means printable ASCII without wildcards.
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

/// Ones in every byte, for arithmetic on eight bytes at a time.
const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES << 7;

/// The high bit of some byte is set if and only if some byte of `word` is zero.
#[inline(always)]
const fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

#[inline(always)]
const fn word(word: u64) -> Found {
    let high = word & HIGHS;
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word & HIGHS;
    let delete = has_zero(word ^ ONES.wrapping_mul(0x7F));
    let plus = has_zero(word ^ ONES.wrapping_mul(b'+' as u64));
    let hash = has_zero(word ^ ONES.wrapping_mul(b'#' as u64));
    let (unusual, wildcard) = (high | control | delete, plus | hash);
    if unusual | wildcard == 0 {
        return Found(0);
    }
    Found((unusual != 0) as u8 | ((wildcard != 0) as u8) << 1)
}

/// What 16 bytes are, each at its place, so that several blocks can be put together before the result is looked at.
#[inline(always)]
fn block(bytes: &[u8; 16], found: &mut [u8; 16]) {
    for (found, byte) in found.iter_mut().zip(bytes) {
        let unusual = byte.wrapping_sub(0x20) >= 0x5F;
        let wildcard = (*byte == b'+') | (*byte == b'#');
        *found |= u8::from(unusual) | u8::from(wildcard) << 1;
    }
}

/// Looks at every byte once.
#[inline(always)]
pub(crate) fn scan(bytes: &[u8]) -> Found {
    let Some(last) = bytes.last_chunk::<16>() else {
        return scan_short(bytes);
    };
    let mut found = [0; 16];
    block(last, &mut found);
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_first_chunk::<16>() {
        if tail.is_empty() {
            break;
        }
        block(head, &mut found);
        rest = tail;
    }
    if u128::from_ne_bytes(found) == 0 {
        return Found(0);
    }
    Found(found.iter().fold(0, |all, found| all | found))
}

/// Fewer than 16 bytes: two overlapping words, or one that is filled up with a harmless byte.
#[inline(always)]
fn scan_short(bytes: &[u8]) -> Found {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return Found(word(u64::from_ne_bytes(*first)).0 | word(u64::from_ne_bytes(*last)).0);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return word(u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last)));
    }
    let filler = ONES.wrapping_mul(u64::from(b' '));
    word(bytes.iter().fold(filler, |word, byte| word << 8 | u64::from(*byte)))
}

/// Whether every wildcard of a filter stands in its place: alone in its level, and `#` in the last one.
///
/// Looks at every byte together with the one before it. The filter behaves as if a slash stood before and behind it.
#[inline(always)]
pub(crate) fn wildcards_in_place(bytes: &[u8]) -> bool {
    let (Some((_, before)), Some((_, after))) = (bytes.split_last(), bytes.split_first()) else {
        return true;
    };
    if before.len() >= 16 {
        return in_place_by::<16>(before, after);
    }
    if before.len() >= 8 {
        return in_place_by::<8>(before, after);
    }
    !before
        .iter()
        .zip(after)
        .any(|(before, after)| misplaced(*before, *after))
}

/// The same for at least `N` pairs of neighbours, `N` at a time; the last block may overlap the one before it.
#[inline(always)]
fn in_place_by<const N: usize>(mut before: &[u8], mut after: &[u8]) -> bool {
    let mut wrong = [0_u8; N];
    if let (Some(before), Some(after)) = (before.last_chunk(), after.last_chunk()) {
        neighbours(before, after, &mut wrong);
    }
    while let (Some((one, rest)), Some((other, rest_after))) = (before.split_first_chunk(), after.split_first_chunk()) {
        neighbours(one, other, &mut wrong);
        (before, after) = (rest, rest_after);
    }
    wrong.iter().fold(0, |all, wrong| all | wrong) == 0
}

#[inline(always)]
fn neighbours<const N: usize>(before: &[u8; N], after: &[u8; N], wrong: &mut [u8; N]) {
    let mut found = [0_u8; N];
    for (found, (before, after)) in found.iter_mut().zip(before.iter().zip(after)) {
        *found = u8::from(misplaced(*before, *after));
    }
    for (wrong, found) in wrong.iter_mut().zip(found) {
        *wrong |= found;
    }
}

/// Whether a byte may not follow another for the sake of a wildcard.
#[inline(always)]
const fn misplaced(before: u8, after: u8) -> bool {
    // `+` and `#` differ in one bit.
    let wildcard_after = after & !0x08 == b'#';
    let (slash_before, slash_after) = (before == b'/', after == b'/');
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
    let found = scan(bytes);
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
            assert_eq!(scan(&std::vec![b'a'; len]).0, 0);
            for place in 0..len {
                for byte in 0..=255_u8 {
                    let mut text: Vec<u8> = std::vec![b'a'; len];
                    text[place] = byte;
                    let found = scan(&text);
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
