//! Who is subscribed to one filter: nobody, one, or a list of any length.

use alloc::vec::Vec;

use crate::slab::{NONE, Slab};

/// What the three highest bits of a number say of the key in the others.
const GROUP: u32 = 1 << 31;
const BELOW: u32 = 1 << 30;
const LISTS: u32 = 1 << 29;

/// Keys of subscriptions, groups and lists lie below this number, so that the bits above are free.
pub(super) const MOST_KEYS: u32 = LISTS;

/// A subscription or a group of shared ones: what stands at the end of a filter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Item(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Subscription(u32),
    Group(u32),
}

impl Item {
    pub(super) const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Subscription(key) => Self(key),
            Kind::Group(key) => Self(key | GROUP),
        }
    }

    #[inline]
    pub(super) const fn kind(self) -> Kind {
        let key = self.0 & !(GROUP | BELOW);
        if self.0 & GROUP == 0 {
            Kind::Subscription(key)
        } else {
            Kind::Group(key)
        }
    }
}

impl core::fmt::Debug for Item {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kind().fmt(f)
    }
}

/// What stands at a node, in four bytes: most nodes have one item or none, be it at the node itself or in `#` below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends(Item);

/// All items of a node that has several.
#[derive(Debug, Default)]
struct Both {
    here: Vec<Item>,
    below: Vec<Item>,
}

impl Both {
    fn list(&mut self, below: bool) -> &mut Vec<Item> {
        if below { &mut self.below } else { &mut self.here }
    }

    /// What is left, if that is one item.
    fn only(&self) -> Option<Ends> {
        match (&*self.here, &*self.below) {
            ([item], []) => Some(Ends::one(*item, false)),
            ([], [item]) => Some(Ends::one(*item, true)),
            _ => None,
        }
    }
}

impl Ends {
    pub(super) const NOTHING: Self = Self(Item(NONE));

    const fn one(item: Item, below: bool) -> Self {
        let mark = if below { BELOW } else { 0 };
        Self(Item(item.0 & !BELOW | mark))
    }

    #[inline]
    pub(super) const fn is_nothing(self) -> bool {
        self.0.0 == NONE
    }

    /// Whether something may end at the node, or in `#` below it.
    #[inline]
    pub(super) const fn may_have(self, below: bool) -> bool {
        !self.is_nothing() && (self.0.0 & LISTS != 0 || self.is_below() == below)
    }

    #[inline]
    const fn lists(self) -> Option<u32> {
        if self.0.0 & LISTS == 0 || self.is_nothing() {
            None
        } else {
            Some(self.0.0 & !LISTS)
        }
    }

    #[inline]
    const fn is_below(self) -> bool {
        self.0.0 & BELOW != 0
    }
}

/// The lists of all nodes that have more than one item.
#[derive(Debug, Default)]
pub(super) struct Lists(Slab<Both>);

impl Lists {
    /// The items of the filter that ends at the node, or of the one that ends in `#` below it.
    #[inline]
    pub(super) fn items<'a>(&'a self, ends: &'a Ends, below: bool) -> &'a [Item] {
        if ends.is_nothing() {
            return &[];
        }
        match ends.lists().and_then(|key| self.0.get(key)) {
            Some(both) if below => &both.below,
            Some(both) => &both.here,
            None if ends.is_below() == below => core::slice::from_ref(&ends.0),
            None => &[],
        }
    }

    /// Adds an item behind all others of its filter. Returns where it stands among them.
    pub(super) fn push(&mut self, ends: &mut Ends, below: bool, item: Item) -> u32 {
        if ends.is_nothing() {
            *ends = Ends::one(item, below);
            return 0;
        }
        let key = match ends.lists() {
            Some(key) => key,
            None => {
                let mut both = Both::default();
                both.list(ends.is_below()).push(ends.0);
                let key = self.0.insert(both);
                *ends = Ends(Item(key | LISTS));
                key
            }
        };
        self.0.get_mut(key).map_or(0, |both| {
            let list = both.list(below);
            let place = position(list);
            list.push(item);
            place
        })
    }

    /// Removes the item at a place of its filter. The last one takes its place, and is returned.
    pub(super) fn swap_remove(&mut self, ends: &mut Ends, below: bool, place: u32) -> Option<Item> {
        let Some(key) = ends.lists() else {
            *ends = Ends::NOTHING;
            return None;
        };
        let both = self.0.get_mut(key)?;
        let moved = swap_remove(both.list(below), place);
        if let Some(only) = both.only() {
            *ends = only;
            self.0.remove(key);
        }
        moved
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

/// Where the next item of a list will stand.
pub(super) fn position<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(NONE)
}

/// Removes what stands at a place of a list. The last one takes its place, and is returned. A list that has room for far
/// more than it holds gives some of it back.
pub(super) fn swap_remove<T: Copy>(list: &mut Vec<T>, place: u32) -> Option<T> {
    let place = place as usize;
    if place < list.len() {
        list.swap_remove(place);
    }
    if list.len() < list.capacity() / 4 {
        list.shrink_to(list.len().saturating_mul(2));
    }
    list.get(place).copied()
}
