//! A hash table that only looks up: nothing can be seen of its order.

use core::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
#[expect(clippy::disallowed_types, reason = "only looked up, never iterated")]
use hashbrown::HashTable;

/// The seeds of all hashes: from the configuration, so that nobody outside can aim for collisions and runs are repeatable.
#[derive(Clone)]
pub(crate) struct Hashing {
    seed: u64,
    shared: SharedSeed,
}

impl Hashing {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            shared: SharedSeed::from_u64(seed),
        }
    }

    /// The hash of a number and some bytes.
    #[inline]
    pub(crate) fn of(&self, number: u64, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write_u64(number);
        hasher.write(bytes);
        hasher.finish()
    }

    /// The hash of two numbers.
    #[inline]
    pub(crate) fn of_numbers(&self, first: u64, second: u64) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write_u64(first);
        hasher.write_u64(second);
        hasher.finish()
    }
}

/// A seed that is seen is a seed that can be aimed at.
impl core::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hashing")
    }
}

/// Finds the keys of a slab by what stands there. The index holds the keys alone: the caller knows hashes and values.
#[derive(Debug, Default)]
pub(crate) struct Index {
    #[expect(clippy::disallowed_types, reason = "only looked up, never iterated")]
    table: HashTable<u32>,
}

impl Index {
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(hash, |key| is_it(*key)).copied()
    }

    /// Adds a key that is not in the index.
    pub(crate) fn insert(&mut self, hash: u64, key: u32, hash_of: impl Fn(u32) -> u64) {
        self.table.insert_unique(hash, key, |key| hash_of(*key));
    }

    pub(crate) fn remove(&mut self, hash: u64, key: u32) {
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == key) {
            entry.remove();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}
