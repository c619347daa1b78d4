//! Many deadlines, of which the earliest is always known.

use alloc::vec::Vec;

use crate::Instant;
use crate::slab::NONE;

/// Deadlines by the keys of a slab, at most one for each key.
///
/// A binary heap that knows where each key stands in it, so that a deadline can be moved or removed before it comes.
/// Among deadlines at the same time the lowest key is first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// The place in the heap by key, or [`NONE`]. Keys of a slab are dense, and so this is.
    places: Vec<u32>,
}

impl Deadlines {
    /// Sets the deadline of a key, in place of the one it has.
    pub(crate) fn insert(&mut self, key: u32, at: Instant) {
        if key == NONE {
            return;
        }
        let place = self.place_of(key).unwrap_or_else(|| self.append(key, at));
        self.settle(place, (at, key));
    }

    /// Takes away the deadline of a key, and returns it.
    #[inline]
    pub(crate) fn remove(&mut self, key: u32) -> Option<Instant> {
        if self.heap.is_empty() {
            return None;
        }
        self.take(key)
    }

    fn take(&mut self, key: u32) -> Option<Instant> {
        let place = self.place_of(key)?;
        let last = self.heap.pop()?;
        if let Some(known) = self.places.get_mut(key as usize) {
            *known = NONE;
        }
        if last.1 == key {
            return Some(last.0);
        }
        let (at, _) = self.heap.get(place).copied()?;
        self.settle(place, last);
        Some(at)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest deadline and its key.
    #[inline]
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    #[cfg(test)]
    /// How many keys have a deadline.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    #[inline]
    /// The deadline of a key.
    pub(crate) fn get(&self, key: u32) -> Option<Instant> {
        self.heap.get(self.place_of(key)?).map(|(at, _)| *at)
    }

    fn place_of(&self, key: u32) -> Option<usize> {
        let place = *self.places.get(key as usize)?;
        if place == NONE { None } else { Some(place as usize) }
    }

    /// Makes room at the end of the heap for a key that has no deadline.
    fn append(&mut self, key: u32, at: Instant) -> usize {
        let place = self.heap.len();
        self.heap.push((at, key));
        let needed = (key as usize).saturating_add(1);
        if self.places.len() < needed {
            self.places.resize(needed, NONE);
        }
        place
    }

    /// Puts an entry where it belongs, beginning at a place whose own entry is gone.
    fn settle(&mut self, place: usize, entry: (Instant, u32)) {
        let risen = self.rise(place, entry);
        let place = if risen == place { self.sink(place, entry) } else { risen };
        self.put(place, entry);
    }

    /// Moves later entries down from above the place, and returns the place that is left for this one.
    fn rise(&mut self, mut place: usize, entry: (Instant, u32)) -> usize {
        while let Some(above) = place.checked_sub(1).map(|left| left / 2) {
            match self.heap.get(above).copied() {
                Some(parent) if entry < parent => self.put(place, parent),
                _ => break,
            }
            place = above;
        }
        place
    }

    /// Moves earlier entries up from below the place, and returns the place that is left for this one.
    fn sink(&mut self, mut place: usize, entry: (Instant, u32)) -> usize {
        while let Some((below, child)) = self.earlier_child(place) {
            if entry < child {
                break;
            }
            self.put(place, child);
            place = below;
        }
        place
    }

    fn earlier_child(&self, place: usize) -> Option<(usize, (Instant, u32))> {
        let left = place.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let left_entry = self.heap.get(left).copied()?;
        match self.heap.get(right).copied() {
            Some(right_entry) if right_entry < left_entry => Some((right, right_entry)),
            _ => Some((left, left_entry)),
        }
    }

    #[inline]
    fn put(&mut self, place: usize, entry: (Instant, u32)) {
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = entry;
        }
        if let Some(known) = self.places.get_mut(entry.1 as usize) {
            // There is at most one entry for each key, so the place fits where the key does.
            *known = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::BTreeMap;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn the_earliest_comes_first_and_ties_go_by_key() {
        let mut deadlines = Deadlines::default();
        for (key, micros) in [(4, 20), (2, 10), (7, 10), (0, 30)] {
            deadlines.insert(key, at(micros));
        }
        for (micros, key) in [(10, 2), (10, 7), (20, 4), (30, 0)] {
            assert_eq!(deadlines.first(), Some((at(micros), key)));
            assert_eq!(deadlines.remove(key), Some(at(micros)));
        }
        assert_eq!(deadlines.first(), None);
    }

    #[test]
    fn a_second_deadline_replaces_the_first() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(1, at(10));
        deadlines.insert(2, at(20));
        deadlines.insert(1, at(30));
        assert_eq!((deadlines.len(), deadlines.first()), (2, Some((at(20), 2))));
        deadlines.insert(1, at(5));
        assert_eq!((deadlines.len(), deadlines.first()), (2, Some((at(5), 1))));
    }

    #[test]
    fn a_key_without_deadline_has_nothing_to_remove() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(3, at(10));
        assert_eq!(deadlines.remove(1), None);
        assert_eq!(deadlines.remove(9), None);
        assert_eq!(deadlines.remove(NONE), None);
        assert_eq!(deadlines.remove(3), Some(at(10)));
        assert_eq!(deadlines.remove(3), None);
    }

    #[test]
    fn the_key_of_a_full_slab_gets_no_deadline() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(NONE, at(1));
        assert_eq!((deadlines.len(), deadlines.first()), (0, None));
    }

    #[test]
    fn deadlines_behave_as_a_list_that_is_searched() {
        for seed in 0..6 {
            let mut random = Random::new(seed);
            let (mut deadlines, mut list) = (Deadlines::default(), BTreeMap::new());
            for step in 0..4_000 {
                let key = random.below(60) as u32;
                let filling = if step / 400 % 2 == 0 { 3 } else { 1 };
                if random.below(4) < filling {
                    let at = at(random.below(200));
                    deadlines.insert(key, at);
                    list.insert(key, at);
                } else {
                    assert_eq!(deadlines.remove(key), list.remove(&key), "seed {seed}");
                }
                let first = list.iter().map(|(key, at)| (*at, *key)).min();
                assert_eq!(deadlines.first(), first, "seed {seed}");
                assert_eq!(deadlines.len(), list.len(), "seed {seed}");
            }
        }
    }

    #[test]
    fn the_steady_state_allocates_nothing() {
        let mut deadlines = Deadlines::default();
        for key in 0..50 {
            deadlines.insert(key, at(u64::from(key)));
        }
        let memory = (deadlines.heap.capacity(), deadlines.places.capacity());
        for round in 1..50 {
            for key in 0..50 {
                deadlines.remove(key);
                deadlines.insert(key, at(u64::from(key ^ round)));
            }
        }
        assert_eq!((deadlines.heap.capacity(), deadlines.places.capacity()), memory);
    }
}
