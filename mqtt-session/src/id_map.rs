//! A table by packet identifier.

use alloc::vec::Vec;

use mqtt_proto::PacketId;

/// Small values by packet identifier, found in constant time and without a search tree's allocations.
///
/// An open table with linear probing: at most three quarters full, and without marks for what was removed, so that it
/// does not wear out. The place of an identifier is fixed, so the same calls give the same table everywhere. A peer that
/// picks identifiers on purpose can make runs as long as there are entries; the limits on open exchanges bound them.
#[derive(Clone, Debug)]
pub(crate) struct IdMap<V> {
    /// None, or a power of two.
    slots: Vec<Option<(PacketId, V)>>,
    /// The upper bits of a hash that name a slot begin here.
    shift: u32,
    len: usize,
}

const FIRST_CAPACITY: usize = 8;

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> IdMap<V> {
    /// An empty table, which holds no memory.
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            shift: 0,
            len: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[cfg(any(test, feature = "broker"))]
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<V: Copy> IdMap<V> {
    #[inline]
    pub(crate) fn get(&self, id: PacketId) -> Option<V> {
        let mut place = self.home(id);
        while let Some(&Some((held, value))) = self.slots.get(place) {
            if held == id {
                return Some(value);
            }
            place = self.behind(place);
        }
        None
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PacketId) -> Option<&mut V> {
        let place = self.find(id)?;
        let (_, value) = self.slots.get_mut(place)?.as_mut()?;
        Some(value)
    }

    /// Puts a value under an identifier, and returns the one that stood there.
    #[inline]
    pub(crate) fn insert(&mut self, id: PacketId, value: V) -> Option<V> {
        if let Some(held) = self.get_mut(id) {
            return Some(core::mem::replace(held, value));
        }
        // (len + 1) / capacity > 3 / 4
        if self.len.saturating_add(1).saturating_mul(4) > self.slots.len().saturating_mul(3) {
            self.grow();
        }
        self.place(id, value);
        self.len = self.len.saturating_add(1);
        None
    }

    /// Takes the value from under an identifier.
    #[inline]
    pub(crate) fn remove(&mut self, id: PacketId) -> Option<V> {
        let place = self.find(id)?;
        let (_, value) = self.slots.get_mut(place)?.take()?;
        self.len = self.len.saturating_sub(1);
        self.close(place);
        Some(value)
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(None);
        self.len = 0;
    }

    /// Shows every entry, by ascending identifier. This sorts a copy.
    pub(crate) fn for_each_sorted(&self, mut show: impl FnMut(PacketId, V)) {
        let mut entries: Vec<(PacketId, V)> = self.slots.iter().copied().flatten().collect();
        entries.sort_unstable_by_key(|(id, _)| *id);
        for (id, value) in entries {
            show(id, value);
        }
    }

    /// Where the search for an identifier begins.
    #[inline]
    fn home(&self, id: PacketId) -> usize {
        let hash = u32::from(id.get()).wrapping_mul(0x9E37_79B1);
        (hash.wrapping_shr(self.shift)) as usize
    }

    #[inline]
    fn behind(&self, place: usize) -> usize {
        place.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }

    /// How far a place lies behind another, around the end.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn find(&self, id: PacketId) -> Option<usize> {
        let mut place = self.home(id);
        loop {
            let (held, _) = self.slots.get(place)?.as_ref()?;
            if *held == id {
                return Some(place);
            }
            place = self.behind(place);
        }
    }

    /// Puts an entry into the first free slot from its home. There is one, and the identifier is not held.
    #[inline]
    fn place(&mut self, id: PacketId, value: V) {
        let mut place = self.home(id);
        while let Some(Some(_)) = self.slots.get(place) {
            place = self.behind(place);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some((id, value));
        }
    }

    /// Moves entries up to a free slot that lies between them and their homes, until none is cut off by one.
    #[inline]
    fn close(&mut self, mut hole: usize) {
        let mut place = self.behind(hole);
        while let Some(&Some(entry)) = self.slots.get(place) {
            let home = self.home(entry.0);
            if self.distance(home, place) >= self.distance(hole, place) {
                if let Some(slot) = self.slots.get_mut(hole) {
                    *slot = Some(entry);
                }
                if let Some(slot) = self.slots.get_mut(place) {
                    *slot = None;
                }
                hole = place;
            }
            place = self.behind(place);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let capacity = self.slots.len().saturating_mul(2).max(FIRST_CAPACITY);
        let mut slots = Vec::new();
        slots.resize(capacity, None);
        let entries = core::mem::replace(&mut self.slots, slots);
        self.shift = 32_u32.saturating_sub(capacity.trailing_zeros());
        for (id, value) in entries.into_iter().flatten() {
            self.place(id, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::BTreeMap;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn an_empty_table_holds_no_memory() {
        let mut map = IdMap::<u32>::new();
        assert_eq!(map.get(id(1)), None);
        assert_eq!(map.get_mut(id(1)), None);
        assert_eq!(map.remove(id(1)), None);
        map.clear();
        assert!(map.is_empty());
        assert_eq!(map.slots.capacity(), 0);
    }

    #[test]
    fn every_identifier_fits() {
        let mut map = IdMap::new();
        for number in 1..=u16::MAX {
            assert_eq!(map.insert(id(number), number), None);
        }
        assert_eq!(map.len(), 65_535);
        assert_eq!(map.slots.len(), 131_072);
        for number in 1..=u16::MAX {
            assert_eq!(map.remove(id(number)), Some(number));
        }
        assert!(map.is_empty());
    }

    #[test]
    fn memory_does_not_grow_while_identifiers_go_round() {
        let mut map = IdMap::new();
        for number in 1..=u16::MAX {
            map.insert(id(number), ());
            if let Some(old) = number.checked_sub(5).and_then(PacketId::new) {
                assert_eq!(map.remove(old), Some(()));
            }
        }
        assert_eq!(map.len(), 5);
        assert_eq!(map.slots.len(), FIRST_CAPACITY);
    }

    /// Few identifiers make long runs and many repetitions; `span` sets how many.
    fn compare_with_a_tree(seed: u64, span: u64) {
        let mut random = Random::new(seed);
        let (mut map, mut tree) = (IdMap::new(), BTreeMap::new());
        for step in 0..6_000_u32 {
            let id = id(1 + random.below(span) as u16);
            // Filling and emptying take turns.
            let filling = if step / 500 % 2 == 0 { 3 } else { 1 };
            if random.below(4) < filling {
                assert_eq!(map.insert(id, step), tree.insert(id, step), "seed {seed}");
            } else {
                assert_eq!(map.remove(id), tree.remove(&id), "seed {seed}");
            }
            let other = self::id(1 + random.below(span) as u16);
            assert_eq!(map.get(other), tree.get(&other).copied(), "seed {seed}");
            if let Some(value) = map.get_mut(other) {
                *value ^= 1;
                *tree.get_mut(&other).unwrap() ^= 1;
            }
            assert_eq!(map.len(), tree.len(), "seed {seed}");
            assert_eq!(map.is_empty(), tree.is_empty(), "seed {seed}");
        }
        let mut expected = tree.iter();
        map.for_each_sorted(|id, value| assert_eq!(expected.next(), Some((&id, &value)), "seed {seed}"));
        assert_eq!(expected.next(), None);
        map.clear();
        assert!(tree.keys().all(|id| map.get(*id).is_none()));
    }

    #[test]
    fn a_table_behaves_as_a_tree() {
        for seed in 0..12 {
            compare_with_a_tree(seed, [6, 40, 1_000, 65_535][seed as usize % 4]);
        }
    }

    #[test]
    fn a_table_whose_entries_share_one_home_behaves_as_a_tree() {
        let mut map = IdMap::new();
        map.insert(id(1), 0);
        let home = map.home(id(1));
        let same_home = (1..=u16::MAX).map(id).filter(|id| map.home(*id) == home);
        let colliding: Vec<PacketId> = same_home.take(5).collect();
        for (value, id) in (0..).zip(&colliding) {
            map.insert(*id, value);
        }
        assert_eq!(map.slots.len(), FIRST_CAPACITY);
        for (value, id) in (0..).zip(&colliding) {
            assert_eq!(map.remove(*id), Some(value));
            assert!(
                (value + 1..)
                    .zip(&colliding[value as usize + 1..])
                    .all(|(value, id)| map.get(*id) == Some(value))
            );
        }
    }
}
