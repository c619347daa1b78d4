//! The text of one level of a filter, in 16 bytes.

use alloc::boxed::Box;

use crate::slab::Slab;

/// How much text stands in the node itself.
const SHORT: usize = 14;

/// The text of a level. Two filters share it as far as they begin alike.
#[derive(Debug)]
pub(super) enum Level {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(u32),
}

/// The texts that do not fit into a node.
#[derive(Debug, Default)]
pub(super) struct LongLevels(Slab<Box<[u8]>>);

impl Level {
    pub(super) const EMPTY: Self = Self::Short {
        len: 0,
        bytes: [0; SHORT],
    };

    pub(super) fn new(text: &[u8], long: &mut LongLevels) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text);
                Self::Short { len, bytes }
            }
            _ => Self::Long(long.0.insert(text.into())),
        }
    }

    #[inline]
    pub(super) fn text<'a>(&'a self, long: &'a LongLevels) -> &'a [u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(key) => long.0.get(*key).map(AsRef::as_ref).unwrap_or_default(),
        }
    }

    /// Gives the memory back that the text takes outside of the node.
    pub(super) fn forget(&self, long: &mut LongLevels) {
        if let Self::Long(key) = self {
            long.0.remove(*key);
        }
    }
}

impl LongLevels {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
