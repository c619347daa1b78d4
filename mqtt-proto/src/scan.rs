//! One pass over text: is it plain ASCII, and does it hold a wildcard?
//!
//! Nearly all text on the wire is printable ASCII. A pass over 16 bytes at a time settles that case; what is left goes
//! through the exact check in [`judge`].

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

#[inline]
fn classify(byte: u8) -> u8 {
    let unusual = u8::from(byte.wrapping_sub(0x20) >= 0x5F);
    let wildcard = u8::from(byte == b'+') | u8::from(byte == b'#');
    unusual | wildcard << 1
}

#[inline]
fn block<const N: usize>(bytes: &[u8; N]) -> u8 {
    bytes.iter().fold(0, |found, byte| found | classify(*byte))
}

/// Looks at every byte once.
#[inline]
pub(crate) fn scan(bytes: &[u8]) -> Found {
    let Some(last) = bytes.last_chunk::<16>() else {
        return scan_short(bytes);
    };
    let mut found = block(last);
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_first_chunk::<16>() {
        found |= block(head);
        rest = tail;
    }
    Found(found)
}

/// Fewer than 16 bytes: two overlapping blocks of the largest size that fits.
#[inline]
fn scan_short(bytes: &[u8]) -> Found {
    let found = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        block(first) | block(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        block(first) | block(last)
    } else {
        bytes.iter().fold(0, |found, byte| found | classify(*byte))
    };
    Found(found)
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
