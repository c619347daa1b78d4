//! The text of one level of a filter or a topic, as a number where it is short.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::index::{Hash, Hashing};
use crate::slab::Slab;

/// How much text stands in the node itself.
const SHORT: usize = 15;

/// The text of a level of a filter, in 16 bytes. Two filters share it as far as they begin alike.
///
/// Short text stands in the number, its first byte lowest, and its length and one in the highest byte. In place of long text
/// the low half has its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    low: u64,
    high: NonZeroU64,
}

/// The highest byte of a level whose text is not in it.
const LONG: NonZeroU64 = NonZeroU64::MAX;

/// The texts that do not fit into a node.
#[derive(Debug, Default)]
pub(super) struct LongLevels(Slab<Box<[u8]>>);

/// The text of a level that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'t> {
    Short(Level),
    Long(&'t [u8]),
}

impl Level {
    pub(super) const EMPTY: Self = Self::of(0, 0);
    const PLUS: Self = Self::of(b'+' as u128, 1);
    const HASH: Self = Self::of(b'#' as u128, 1);

    /// Text of so many bytes, with nothing behind it.
    #[inline]
    const fn of(text: u128, len: usize) -> Self {
        let marked = text | (len as u128 | 0x10) << (8 * SHORT);
        Self {
            low: marked as u64,
            high: match NonZeroU64::new((marked >> 64) as u64) {
                Some(high) => high,
                None => LONG,
            },
        }
    }

    pub(super) fn new(text: Text<'_>, long: &mut LongLevels) -> Self {
        match text {
            Text::Short(level) => level,
            Text::Long(text) => Self {
                low: long.0.insert(text.into()).into(),
                high: LONG,
            },
        }
    }

    /// The key of its text, if that is long.
    fn key(self) -> Option<u32> {
        (self.high == LONG).then_some(self.low as u32)
    }

    /// Whether its text is this one, which is long.
    pub(super) fn is_long(self, text: &[u8], long: &LongLevels) -> bool {
        let own = self.key().and_then(|key| long.0.get(key));
        own.is_some_and(|own| **own == *text)
    }

    /// Appends the text.
    pub(super) fn write(self, long: &LongLevels, to: &mut Vec<u8>) {
        if let Some(key) = self.key() {
            to.extend_from_slice(long.0.get(key).map(AsRef::as_ref).unwrap_or_default());
            return;
        }
        let bytes = (u128::from(self.high.get()) << 64 | u128::from(self.low)).to_le_bytes();
        let [text @ .., mark] = &bytes;
        to.extend_from_slice(text.get(..usize::from(mark & 0xF)).unwrap_or_default());
    }

    /// As it is looked for.
    pub(super) fn text<'t>(&self, long: &'t LongLevels) -> Text<'t> {
        match self.key() {
            Some(key) => Text::Long(long.0.get(key).map(AsRef::as_ref).unwrap_or_default()),
            None => Text::Short(*self),
        }
    }

    /// Gives the memory back that the text takes outside of the node.
    pub(super) fn forget(self, long: &mut LongLevels) {
        if let Some(key) = self.key() {
            long.0.remove(key);
        }
    }
}

impl LongLevels {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'t> Text<'t> {
    pub(super) const PLUS: Self = Self::Short(Level::PLUS);

    /// Whether it is `+`.
    pub(super) fn is_plus(self) -> bool {
        matches!(self, Self::Short(Level::PLUS))
    }

    /// Whether it is `#`.
    pub(super) fn is_hash(self) -> bool {
        matches!(self, Self::Short(Level::HASH))
    }

    /// The level that begins here, and where the next one does: behind the last one that is behind the end and one more.
    /// `None`: there is none.
    #[inline]
    pub(super) fn at(path: &'t [u8], at: usize) -> Option<(Self, usize)> {
        let rest = path.get(at..)?;
        let (text, len) = first(path, rest);
        match len {
            Some(len) => Some((
                Self::Short(Level::of(text, len)),
                at.saturating_add(len).saturating_add(1),
            )),
            None => Some(long(rest, at)),
        }
    }

    /// The hash of the level behind those that another hash stands for.
    #[inline]
    pub(super) fn hash(self, hashing: &Hashing, before: Hash) -> Hash {
        match self {
            Self::Short(level) => hashing.behind_numbers(before, level.low, level.high.get()),
            Self::Long(text) => hashing.behind(before, text),
        }
    }
}

/// The first level of `rest`, which is the end of `path`, as far as it is short, and how long it is if that is all.
#[inline]
fn first(path: &[u8], rest: &[u8]) -> (u128, Option<usize>) {
    let word = if let Some(bytes) = rest.first_chunk() {
        u128::from_le_bytes(*bytes)
    } else if let Some(bytes) = path.last_chunk::<16>() {
        // What goes before leaves.
        let before = bytes.len().saturating_sub(rest.len());
        u128::from_le_bytes(*bytes).checked_shr(bits(before)).unwrap_or(0)
    } else {
        number(rest)
    };
    // All bytes at once: the lowest bit that is left stands in the first that is a slash.
    let apart = word ^ SLASHES;
    let zeros = apart.wrapping_sub(ONES) & !apart & HIGHS;
    let len = ((zeros.trailing_zeros() / 8) as usize).min(rest.len());
    if len > SHORT {
        return (word, None);
    }
    let behind = u128::MAX.checked_shl(bits(len)).unwrap_or(0);
    (word & !behind, Some(len))
}

/// The bytes as a number, the first one lowest.
#[cold]
fn number(bytes: &[u8]) -> u128 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Of so many bytes, at most 16.
#[inline]
const fn bits(bytes: usize) -> u32 {
    (bytes as u32).saturating_mul(8)
}

#[cold]
fn long(rest: &[u8], at: usize) -> (Text<'_>, usize) {
    let slash = rest.iter().position(|byte| *byte == b'/');
    let len = slash.unwrap_or(rest.len());
    let text = rest.get(..len).unwrap_or_default();
    (Text::Long(text), at.saturating_add(len).saturating_add(1))
}

const ONES: u128 = u128::from_le_bytes([1; 16]);
const HIGHS: u128 = u128::from_le_bytes([0x80; 16]);
const SLASHES: u128 = u128::from_le_bytes([b'/'; 16]);

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;
    use std::{assert_eq, format};

    use super::*;

    /// The levels of a path, one behind the other, each read and written again.
    fn levels(path: &str) -> Vec<String> {
        let (mut long, mut at, mut levels) = (LongLevels::default(), 0, Vec::new());
        while let Some((text, next)) = Text::at(path.as_bytes(), at) {
            let level = Level::new(text, &mut long);
            match text {
                Text::Short(short) => assert_eq!(level, short),
                Text::Long(text) => assert!(level.is_long(text, &long)),
            }
            assert!(!level.is_long(b"#", &long));
            let mut written = Vec::new();
            level.write(&long, &mut written);
            levels.push(String::from_utf8(written).unwrap());
            level.forget(&mut long);
            at = next;
        }
        assert_eq!(long.len(), 0);
        levels
    }

    #[test]
    fn levels_of_any_length_are_those_between_the_slashes() {
        let texts: Vec<String> = (0..=34)
            .map(|len| {
                "\u{AF}x/0.\u{7FF}yz"
                    .repeat(9)
                    .replace('/', "o")
                    .chars()
                    .take(len)
                    .collect()
            })
            .collect();
        for first in &texts {
            for second in &texts {
                for path in [
                    format!("{first}/{second}"),
                    format!("{first}/{second}/"),
                    format!("{first}//{second}/b"),
                ] {
                    assert_eq!(levels(&path), path.split('/').collect::<Vec<_>>(), "{path}");
                }
            }
        }
    }
}
