//! Groups that share a subscription: each message goes to one of their members.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::ends::{position, swap_remove};
use super::index::{Hash, Hashing, Index};
use super::trie::End;
use crate::slab::Slab;

/// The name of a group among the matches of a topic, until a subscription changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(pub(super) u32);

/// The strategy by which a group finds the member whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The one behind the one that had the last message.
    Next,
    /// The one that had the last message.
    Same,
    /// The one that a number of the caller's falls on: a random one, or the hash of a topic or of a publisher.
    At(u64),
}

/// Whether a member can get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// It is there.
    Best,
    /// If no other is there.
    Last,
    /// Never.
    None,
}

/// The sessions that are subscribed to one filter under one name.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) end: End,
    pub(super) name: Box<[u8]>,
    /// The name that its copies carry: see [`tag`].
    pub(super) tag: u64,
    /// Where the group stands at the end of its filter.
    pub(super) place: u32,
    /// Keys of subscriptions.
    members: Vec<u32>,
    /// Where the member stands that had the last message; beyond the list at first.
    last: usize,
}

impl Group {
    /// The subscription whose turn it is: the first of `looks` members that is best, else the first of the others.
    pub(super) fn pick(&mut self, turn: Turn, looks: usize, fitness: impl Fn(u32) -> Fitness) -> Option<u32> {
        let first = match turn {
            Turn::Next => self.last.wrapping_add(1),
            Turn::Same => self.last,
            Turn::At(number) => usize::try_from(number.checked_rem(self.members.len() as u64)?).unwrap_or_default(),
        };
        let first = if first < self.members.len() { first } else { 0 };
        let (before, behind) = self.members.split_at_checked(first)?;
        let mut ahead = None;
        for (place, member) in behind.iter().chain(before).take(looks.max(1)).enumerate() {
            match fitness(*member) {
                Fitness::Best => {
                    ahead = Some(place);
                    break;
                }
                Fitness::Last => ahead = ahead.or(Some(place)),
                Fitness::None => {}
            }
        }
        let ahead = ahead?;
        self.last = first.saturating_add(ahead).checked_rem(self.members.len())?;
        self.members.get(self.last).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Adds a subscription behind all others. Returns where it stands.
    pub(super) fn push(&mut self, subscription: u32) -> u32 {
        let place = position(&self.members);
        self.members.push(subscription);
        place
    }

    /// Removes the member at a place. The last one takes its place, and is returned.
    pub(super) fn swap_remove(&mut self, place: u32) -> Option<u32> {
        // Who takes the place of the member that had the last message is the next one.
        if self.last == place as usize {
            self.last = self.last.wrapping_sub(1);
        }
        swap_remove(&mut self.members, place)
    }
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Slab<Group>,
    /// Finds a group by where its filter ends, and its name.
    index: Index,
    by_tag: Index,
}

impl Groups {
    pub(super) fn find(&self, hashing: &Hashing, end: End, name: &[u8]) -> Option<u32> {
        self.index.find(hash(hashing, end, name), |key| {
            let group = self.groups.get(key);
            group.is_some_and(|group| group.end == end && *group.name == *name)
        })
    }

    /// Adds a group without members.
    pub(super) fn insert(&mut self, hashing: &Hashing, end: End, name: &[u8], tag: u64) -> u32 {
        let key = self.groups.insert(Group {
            end,
            name: name.into(),
            tag,
            place: 0,
            members: Vec::new(),
            last: usize::MAX,
        });
        self.index.insert(hash(hashing, end, name), key);
        self.by_tag.insert(hashing.of_numbers(tag, 0), key);
        key
    }

    pub(super) fn remove(&mut self, hashing: &Hashing, key: u32) {
        if let Some(group) = self.groups.get(key) {
            self.index.remove(hash(hashing, group.end, &group.name), key);
            self.by_tag.remove(hashing.of_numbers(group.tag, 0), key);
            self.groups.remove(key);
        }
    }

    /// The group with this tag, of those that the caller finds right.
    pub(super) fn of_tag(&self, hashing: &Hashing, tag: u64, is_right: impl Fn(&Group) -> bool) -> Option<u32> {
        self.by_tag.find(hashing.of_numbers(tag, 0), |key| {
            let group = self.groups.get(key);
            group.is_some_and(|group| group.tag == tag && is_right(group))
        })
    }

    pub(super) fn get(&self, key: u32) -> Option<&Group> {
        self.groups.get(key)
    }

    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut Group> {
        self.groups.get_mut(key)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.groups.len() == 0 && self.index.len() == 0 && self.by_tag.len() == 0
    }
}

/// The name by which messages know their group, in this life of the broker and in the next: the 64-bit FNV-1a hash of its
/// name, `/` and its filter. It is never zero, which is the tag of messages that came by no group.
///
/// It is no secret, and texts with the same one can be found: whom a message goes to is looked up by the tag, and then the
/// filter has to match its topic.
pub(super) fn tag(name: &[u8], path: &[u8]) -> u64 {
    let text = name.iter().chain(b"/").chain(path);
    let hash = text.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    hash.max(1)
}

fn hash(hashing: &Hashing, end: End, name: &[u8]) -> Hash {
    hashing.behind(hashing.of_numbers(end.number(), 0), name)
}
