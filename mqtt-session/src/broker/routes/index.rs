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

/// A hash, and the seed of those that build on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    /// The hash as a number, to choose by.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl Hashing {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            shared: SharedSeed::from_u64(seed),
        }
    }

    /// What the first hash of a chain builds on.
    #[inline]
    pub(crate) const fn start(&self) -> Hash {
        Hash(self.seed)
    }

    /// The hash of some bytes behind what another hash stands for.
    #[inline]
    pub(crate) fn behind(&self, before: Hash, bytes: &[u8]) -> Hash {
        let mut hasher = FoldHasher::with_seed(before.0, &self.shared);
        hasher.write(bytes);
        Hash(hasher.finish())
    }

    /// The hash of two numbers.
    #[inline]
    pub(crate) fn of_numbers(&self, first: u64, second: u64) -> Hash {
        self.behind_numbers(self.start(), first, second)
    }

    /// The hash of two numbers behind what another hash stands for.
    #[inline]
    pub(crate) fn behind_numbers(&self, before: Hash, first: u64, second: u64) -> Hash {
        let mut hasher = FoldHasher::with_seed(before.0, &self.shared);
        hasher.write_u64(first);
        hasher.write_u64(second);
        Hash(hasher.finish())
    }
}

/// A seed that is seen is a seed that can be aimed at.
impl core::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hashing")
    }
}

/// Finds the keys of a slab by what stands there, of which only the caller knows.
#[derive(Debug, Default)]
pub(crate) struct Index {
    #[expect(clippy::disallowed_types, reason = "only looked up, never iterated")]
    table: HashTable<Place>,
}

/// A key, with so much of its hash that growing asks for no more.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    key: u32,
}

impl Place {
    #[inline]
    const fn new(hash: Hash, key: u32) -> Self {
        Self {
            hash: (hash.0 ^ hash.0 >> 32) as u32,
            key,
        }
    }

    /// The hash as the table wants it: it looks at the lowest bits, and at the highest.
    #[inline]
    fn spread(self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }
}

impl Index {
    #[inline]
    pub(crate) fn find(&self, hash: Hash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let wanted = Place::new(hash, 0);
        let found = self
            .table
            .find(wanted.spread(), |place| place.hash == wanted.hash && is_it(place.key));
        found.map(|place| place.key)
    }

    /// Adds a key that is not in the index.
    pub(crate) fn insert(&mut self, hash: Hash, key: u32) {
        let place = Place::new(hash, key);
        self.table.insert_unique(place.spread(), place, |place| place.spread());
    }

    pub(crate) fn remove(&mut self, hash: Hash, key: u32) {
        let place = Place::new(hash, key);
        if let Ok(entry) = self.table.find_entry(place.spread(), |found| found.key == key) {
            entry.remove();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}
