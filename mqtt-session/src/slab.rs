//! Values under small reusable keys, and lists that run through them.

use alloc::vec::Vec;

/// No key: the end of a list, and what a full slab returns.
pub(crate) const NONE: u32 = u32::MAX;

/// Values under keys that the slab chooses.
///
/// Keys are dense: at most as many have ever been used as values were held at once. The key that was freed last is used
/// next, since its memory is the likeliest to be in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    first_free: u32,
    len: usize,
}

#[derive(Clone, Debug)]
enum Entry<T> {
    Free { next: u32 },
    Taken(T),
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab, which holds no memory.
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            first_free: NONE,
            len: 0,
        }
    }

    /// Keeps a value and returns its key.
    ///
    /// Keys end below [`NONE`]. Past them the value is forgotten and `NONE` returned, a key that holds nothing; the named
    /// limits of what is kept in slabs lie far below, and so does memory.
    #[inline(always)]
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.make_room();
        self.put(value)
    }

    /// Sees to it that there is room for one value more.
    #[inline(always)]
    pub(crate) fn make_room(&mut self) {
        if self.first_free == NONE {
            self.grow();
        }
    }

    /// The same as [`insert`](Self::insert), where there is room: a large value is put together where it stands.
    #[inline(always)]
    pub(crate) fn put(&mut self, value: T) -> u32 {
        let key = self.first_free;
        match self.entries.get_mut(key as usize) {
            Some(entry @ Entry::Free { .. }) => {
                if let Entry::Free { next } = *entry {
                    self.first_free = next;
                }
                self.len = self.len.wrapping_add(1);
                *entry = Entry::Taken(value);
            }
            // If it might be dropped here, it would be put together elsewhere first.
            _ => core::mem::forget(value),
        }
        key
    }

    /// A place more, if there are keys left.
    #[cold]
    fn grow(&mut self) {
        let key = u32::try_from(self.entries.len()).unwrap_or(NONE);
        if key != NONE {
            self.entries.push(Entry::Free { next: NONE });
            self.first_free = key;
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        match self.entries.get(key as usize) {
            Some(Entry::Taken(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        match self.entries.get_mut(key as usize) {
            Some(Entry::Taken(value)) => Some(value),
            _ => None,
        }
    }

    /// Drops a value where it stands, and returns whether there was one. Its key is the next to be used again.
    ///
    /// A value that stands in a [`List`] leaves the list first.
    #[inline]
    pub(crate) fn remove(&mut self, key: u32) -> bool {
        let Some(entry @ Entry::Taken(_)) = self.entries.get_mut(key as usize) else {
            return false;
        };
        *entry = Entry::Free { next: self.first_free };
        self.first_free = key;
        self.len = self.len.wrapping_sub(1);
        true
    }

    /// The keys of all values.
    #[cfg(feature = "broker")]
    pub(crate) fn keys(&self) -> impl Iterator<Item = u32> + use<'_, T> {
        let taken = |(_, entry): &(u32, &Entry<T>)| matches!(entry, Entry::Taken(_));
        (0..).zip(&self.entries).filter(taken).map(|(key, _)| key)
    }

    /// All keys lie below this.
    #[cfg(feature = "broker")]
    pub(crate) fn bound(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(NONE)
    }

    /// How many values are held.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

/// A value that can stand in one [`List`].
pub(crate) trait Linked {
    fn links(&mut self) -> &mut Links;
    fn links_ref(&self) -> &Links;
}

/// The neighbours of a value in its list. The default is to stand in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    previous: u32,
    next: u32,
}

impl Links {
    /// The key behind.
    #[inline]
    pub(crate) const fn next(&self) -> Option<u32> {
        some(self.next)
    }
}

impl Default for Links {
    fn default() -> Self {
        Self {
            previous: NONE,
            next: NONE,
        }
    }
}

/// An order of values in a slab, kept in the values themselves, so that one can leave from the middle at no cost.
///
/// Several lists can run through one slab, but a value has one pair of [`Links`] and so stands in one list at a time. The
/// caller pairs each list with its slab, and appends only what stands in none.
#[derive(Clone, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    pub(crate) const fn new() -> Self {
        Self {
            head: NONE,
            tail: NONE,
            len: 0,
        }
    }

    /// Appends a value that stands in no list. A key that holds nothing is ignored.
    #[inline]
    pub(crate) fn push_back<T: Linked>(&mut self, slab: &mut Slab<T>, key: u32) {
        let Some(value) = slab.get_mut(key) else {
            return;
        };
        *value.links() = Links {
            previous: self.tail,
            next: NONE,
        };
        match slab.get_mut(self.tail) {
            Some(tail) => tail.links().next = key,
            None => self.head = key,
        }
        self.tail = key;
        self.len = self.len.saturating_add(1);
    }

    /// Takes a value out of this list, and returns the key that was behind it; it stays in the slab. What stands in no list
    /// is left alone.
    #[inline]
    pub(crate) fn remove<T: Linked>(&mut self, slab: &mut Slab<T>, key: u32) -> Option<u32> {
        let value = slab.get_mut(key)?;
        let links = *value.links();
        if links.previous == NONE && self.head != key {
            return None;
        }
        *value.links() = Links::default();
        match slab.get_mut(links.previous) {
            Some(previous) => previous.links().next = links.next,
            None => self.head = links.next,
        }
        match slab.get_mut(links.next) {
            Some(next) => next.links().previous = links.previous,
            None => self.tail = links.previous,
        }
        self.len = self.len.saturating_sub(1);
        some(links.next)
    }

    /// The key at the end.
    #[inline]
    pub(crate) const fn tail(&self) -> Option<u32> {
        some(self.tail)
    }

    /// The key at the front.
    #[inline]
    pub(crate) const fn head(&self) -> Option<u32> {
        some(self.head)
    }

    /// The key behind this one.
    #[inline]
    pub(crate) fn next<T: Linked>(&self, slab: &Slab<T>, key: u32) -> Option<u32> {
        some(slab.get(key)?.links_ref().next)
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

#[inline]
const fn some(key: u32) -> Option<u32> {
    if key == NONE { None } else { Some(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::{BTreeMap, VecDeque};

    #[derive(Debug)]
    struct Item {
        number: u64,
        links: Links,
    }

    impl Item {
        fn new(number: u64) -> Self {
            Self {
                number,
                links: Links::default(),
            }
        }
    }

    impl Linked for Item {
        fn links(&mut self) -> &mut Links {
            &mut self.links
        }

        fn links_ref(&self) -> &Links {
            &self.links
        }
    }

    #[test]
    fn the_key_freed_last_is_used_next() {
        let mut slab = Slab::new();
        let keys: [u32; 4] = core::array::from_fn(|number| slab.insert(number));
        assert_eq!(keys, [0, 1, 2, 3]);
        slab.remove(1);
        slab.remove(3);
        assert_eq!([slab.insert(9), slab.insert(9), slab.insert(9)], [3, 1, 4]);
    }

    #[test]
    fn a_value_is_removed_once() {
        let mut slab = Slab::new();
        let key = slab.insert('a');
        assert!(slab.remove(key));
        assert!(!slab.remove(key));
        assert_eq!(slab.get(key), None);
        assert_eq!(slab.get_mut(key), None);
        assert_eq!(slab.len(), 0);
        assert_eq!([slab.insert('b'), slab.insert('c')], [0, 1]);
    }

    #[test]
    fn a_removed_value_is_dropped() {
        let shared = std::rc::Rc::new(());
        let mut slab = Slab::new();
        let keys: [u32; 2] = core::array::from_fn(|_| slab.insert(shared.clone()));
        assert!(slab.remove(keys[0]));
        assert_eq!(std::rc::Rc::strong_count(&shared), 2);
    }

    #[test]
    fn a_slab_behaves_as_a_map() {
        let mut random = Random::new(1);
        let (mut slab, mut map) = (Slab::new(), BTreeMap::new());
        for number in 0..5_000_u64 {
            let key = random.below(40) as u32;
            if random.below(2) == 0 && map.len() < 32 {
                assert_eq!(map.insert(slab.insert(number), number), None);
            } else {
                assert_eq!(slab.remove(key), map.remove(&key).is_some());
            }
            assert_eq!(slab.get(key), map.get(&key));
            assert_eq!(slab.get_mut(key), map.get_mut(&key));
            assert_eq!(slab.len(), map.len());
        }
        assert!(slab.entries.len() <= 32);
    }

    #[test]
    fn the_key_of_a_full_slab_holds_nothing() {
        let mut slab = Slab::new();
        slab.insert(Item::new(0));
        let mut list = List::new();
        list.push_back(&mut slab, NONE);
        list.remove(&mut slab, NONE);
        assert_eq!((list.head(), list.len()), (None, 0));
        assert!(slab.get(NONE).is_none());
    }

    #[test]
    fn removing_what_is_in_no_list_changes_nothing() {
        let mut slab = Slab::new();
        let mut list = List::new();
        let (inside, outside) = (slab.insert(Item::new(0)), slab.insert(Item::new(1)));
        list.push_back(&mut slab, inside);
        list.remove(&mut slab, outside);
        assert_eq!((list.head(), list.len()), (Some(inside), 1));
    }

    fn forwards(list: &List, slab: &Slab<Item>) -> VecDeque<u64> {
        let keys = core::iter::successors(list.head(), |key| list.next(slab, *key));
        keys.map(|key| slab.get(key).unwrap().number).collect()
    }

    fn backwards(list: &List, slab: &Slab<Item>) -> VecDeque<u64> {
        let keys = core::iter::successors(some(list.tail), |key| some(slab.get(*key).unwrap().links.previous));
        keys.map(|key| slab.get(key).unwrap().number).collect()
    }

    #[test]
    fn two_lists_in_one_slab_keep_their_orders() {
        let mut random = Random::new(2);
        let mut slab = Slab::new();
        let mut lists = [List::new(), List::new()];
        let mut expected = [VecDeque::new(), VecDeque::new()];
        let mut keys = BTreeMap::new();
        for number in 0..3_000_u64 {
            let side = random.below(2) as usize;
            let (list, order) = (&mut lists[side], &mut expected[side]);
            if order.len() < 8 && random.below(2) == 0 {
                let key = slab.insert(Item::new(number));
                keys.insert(number, key);
                list.push_back(&mut slab, key);
                order.push_back(number);
            } else if let Some(left) = order.remove(random.below(order.len() as u64) as usize) {
                let key = keys[&left];
                list.remove(&mut slab, key);
                assert_eq!(slab.get(key).map(|item| item.number), Some(left));
                assert!(slab.remove(key));
            }
            for (list, order) in lists.iter().zip(&expected) {
                assert_eq!(forwards(list, &slab), *order);
                assert!(backwards(list, &slab).iter().rev().eq(order));
                assert_eq!(list.len(), order.len());
            }
        }
    }
}
