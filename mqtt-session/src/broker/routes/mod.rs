//! Which subscriptions a topic matches.
//!
//! The levels of all filters stand in one tree. A node whose level is text is found in one hash table by the levels that lead
//! to it, so a topic costs a look-up for each of its levels, and more for each `+` on its way, however many filters there are:
//!
//! ```text
//!  filters: home/+/light  home/attic/light  home/#  $share/eve/home/#
//!
//!                 (root)
//!                    │ "home"
//!                 (home)──────── # ──> subscription     session, end, group, place, QoS and options, identifier
//!              "+" │  │ "attic"   └──> group "eve"      its members in order, whose turn it is
//!          (home/+)  (home/attic)           └─> subscription, subscription ..
//!         "light" │    │ "light"
//!  (home/+/light) ┘    └ (home/attic/light)
//!         │                  └──> subscription
//!         └──> subscription
//!
//!  node: parent, child "+", how many children are text, what ends here or in # below, text of its level
//!
//!  (levels from the root)  ──hash──> node
//!  (end, name)             ──hash──> group
//!  (session, end, group)   ──hash──> subscription       session ──> its subscriptions, linked as they were made
//! ```
//!
//! A filter's text stands nowhere else: [`Routes::subscriptions`] reads it from the tree. What several filters have in common
//! is there once. To unsubscribe costs the levels of the filter, however many subscriptions its session and its filter have:
//! every subscription knows its place in both lists.
//!
//! # Order
//!
//! Matches come in an order that follows from the calls before, and never from a hash: first those of the filters without `+`,
//! then from the last `+` to the first; shorter filters go before longer ones, and at one filter its list says.
//!
//! # What filters of an enemy cost
//!
//! A topic of n levels has 2^n filters of its length, one for each choice of text or `+`; where they all exist, a message
//! visits all their nodes. It never visits a node twice, and only nodes whose levels match those that the topic begins with. So the filters of one
//! session add at most [`subscriptions_per_session`](RouteLimits::subscriptions_per_session) ×
//! [`filter_levels`](RouteLimits::filter_levels) nodes to the way of a message, and usually one or none: the first of these
//! limits keeps an enemy small. Memory has the same bound, at 42 to 53 bytes a node (its place in the table included, which
//! is full to between 44 and 87 %); a level of more than 15 bytes is kept apart. What waits on the way is at most
//! twice as long as the filters are deep. Hashes have a seed that nobody outside knows, so no choice of texts makes look-ups
//! longer.
//!
//! Tables grow by doubling: a subscription is cheap in the mean, and the one that makes a table grow pays for a copy of it.
//! What was held once is kept for the next, except in lists that one filter or group has.

mod ends;
mod groups;
mod index;
mod level;
mod matches;
mod subscription;
#[cfg(test)]
mod tests;
mod trie;
mod walk;

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName, Version};

use crate::slab::{Links, List, NONE, Slab};
use ends::{Item, Kind, Lists, MOST_KEYS};
use groups::Groups;
pub(crate) use groups::{Fitness, GroupId, Turn};
pub(crate) use index::{Hash, Hashing, Index};
pub use matches::Overlap;
pub(crate) use matches::{Delivery, Matches};
use subscription::Subscription;
pub(crate) use subscription::Wanted;
use trie::{End, Trie};

/// How much the routes hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteLimits {
    /// Levels of one filter; the name of a group is none.
    pub(crate) filter_levels: u32,
    /// Subscriptions of one session.
    pub(crate) subscriptions_per_session: u32,
    /// Subscriptions of all sessions. More than 2^29 are never held.
    pub(crate) subscriptions: u32,
}

/// A limit that a new subscription would break. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscribeError {
    /// [`RouteLimits::filter_levels`]
    FilterLevels,
    /// [`RouteLimits::subscriptions_per_session`]
    SubscriptionsPerSession,
    /// [`RouteLimits::subscriptions`]
    Subscriptions,
}

/// The subscriptions of all sessions, found by topic.
///
/// A session is a small number that the caller chose: memory is held for all numbers up to the highest.
#[derive(Debug)]
pub(crate) struct Routes {
    limits: RouteLimits,
    hashing: Hashing,
    trie: Trie,
    lists: Lists,
    groups: Groups,
    subscriptions: Slab<Subscription>,
    /// Finds a subscription by its session, the end of its filter and its group.
    index: Index,
    sessions: Vec<List>,
}

impl Routes {
    /// Routes without subscriptions. The seed is for the hashes: secret and fresh in each run, or fixed to repeat one.
    pub(crate) fn new(limits: RouteLimits, seed: u64) -> Self {
        Self {
            limits,
            hashing: Hashing::new(seed),
            trie: Trie::new(),
            lists: Lists::default(),
            groups: Groups::default(),
            subscriptions: Slab::new(),
            index: Index::default(),
            sessions: Vec::new(),
        }
    }

    /// Subscribes a session to a filter. If it was subscribed to it, that is replaced in its place, and returned; with a
    /// filter that begins with `$share`, a subscription belongs to its group, and is another one than without.
    ///
    /// # Errors
    /// If a new subscription would break a limit.
    pub(crate) fn subscribe<B: AsRef<[u8]>>(
        &mut self,
        session: u32,
        filter: &TopicFilter<B>,
        wanted: Wanted,
    ) -> Result<Option<Wanted>, SubscribeError> {
        let asked = Asked::new(filter);
        if let Some(subscription) = self
            .find(session, &asked)
            .and_then(|key| self.subscriptions.get_mut(key))
        {
            return Ok(Some(core::mem::replace(&mut subscription.wanted, wanted)));
        }
        self.check(session, &asked)?;
        let end = self.trie.insert(&self.hashing, asked.path);
        let end = end.ok_or(SubscribeError::Subscriptions)?;
        self.insert(session, end, &asked, wanted);
        Ok(None)
    }

    /// The same without limits, for what others have subscribed to.
    pub(crate) fn join(&mut self, session: u32, filter: &TopicFilter<Bytes>, wanted: Wanted) {
        let asked = Asked::new(filter);
        if self.find(session, &asked).is_none() {
            if let Some(end) = self.trie.insert(&self.hashing, asked.path) {
                self.insert(session, end, &asked, wanted);
            }
        }
    }

    /// Whether a session is subscribed to a filter.
    pub(crate) fn is_subscribed<B: AsRef<[u8]>>(&self, session: u32, filter: &TopicFilter<B>) -> bool {
        self.find(session, &Asked::new(filter)).is_some()
    }

    /// The group that shares a filter. `None`: it is not shared, or nobody is subscribed to it.
    pub(crate) fn group_of<B: AsRef<[u8]>>(&self, filter: &TopicFilter<B>) -> Option<GroupId> {
        let asked = Asked::new(filter);
        let end = self.trie.find(&self.hashing, asked.path)?;
        self.groups.find(&self.hashing, end, asked.group?).map(GroupId)
    }

    /// The filter of a group, with its name.
    pub(crate) fn group_filter(&self, group: GroupId) -> Option<TopicFilter<Bytes>> {
        self.filter_of(group.0, self.groups.get(group.0)?.end)
    }

    /// Ends a subscription. Returns whether there was one.
    pub(crate) fn unsubscribe<B: AsRef<[u8]>>(&mut self, session: u32, filter: &TopicFilter<B>) -> bool {
        let found = self.find(session, &Asked::new(filter));
        found.is_some_and(|key| self.remove(key))
    }

    /// Ends at most `budget` subscriptions of a session, the oldest first. Returns whether it has none left; until then, the
    /// others match.
    pub(crate) fn remove_session(&mut self, session: u32, budget: usize) -> bool {
        let oldest = |routes: &Self| routes.sessions.get(session as usize).and_then(List::head);
        for _ in 0..budget {
            match oldest(self) {
                Some(key) => self.remove(key),
                None => return true,
            };
        }
        oldest(self).is_none()
    }

    #[cfg(test)]
    /// What a session asked for with a filter.
    pub(crate) fn wanted<B: AsRef<[u8]>>(&self, session: u32, filter: &TopicFilter<B>) -> Option<Wanted> {
        let key = self.find(session, &Asked::new(filter))?;
        Some(self.subscriptions.get(key)?.wanted)
    }

    /// The subscriptions of a session, in the order in which they were made or had their turn last. Each filter is put together anew.
    pub(crate) fn subscriptions(&self, session: u32) -> impl Iterator<Item = (TopicFilter<Bytes>, Wanted)> {
        let list = self.sessions.get(session as usize);
        let keys = core::iter::successors(list.and_then(List::head), move |key| {
            list?.next(&self.subscriptions, *key)
        });
        keys.filter_map(|key| {
            let subscription = self.subscriptions.get(key)?;
            Some((self.filter(subscription)?, subscription.wanted))
        })
    }

    /// All keys of [`at`](Self::at) lie below this.
    pub(crate) fn bound(&self) -> u32 {
        self.subscriptions.bound()
    }

    /// The subscription with this key: its session, its filter, put together anew, and what was asked for.
    pub(crate) fn at(&self, key: u32) -> Option<(u32, TopicFilter<Bytes>, Wanted)> {
        let subscription = self.subscriptions.get(key)?;
        Some((subscription.session, self.filter(subscription)?, subscription.wanted))
    }

    /// How many subscriptions a session has.
    pub(crate) fn subscriptions_of(&self, session: u32) -> usize {
        self.sessions.get(session as usize).map_or(0, List::len)
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Finds whom a message goes to. `publisher` is the session of the client that it comes from. [MQTT-3.8.3-3]
    pub(crate) fn matches<B: AsRef<[u8]>>(
        &self,
        topic: &TopicName<B>,
        publisher: Option<u32>,
        overlap: Overlap,
        matches: &mut Matches,
    ) {
        matches.clear();
        let mut walk = core::mem::take(&mut matches.walk);
        self.trie
            .visit(&self.hashing, topic.as_bytes(), &mut walk, |_, ends, below| {
                for item in self.lists.items(ends, below) {
                    match item.kind() {
                        Kind::Group(key) => matches.groups.push(GroupId(key)),
                        Kind::Subscription(key) => {
                            let subscription = self.subscriptions.get(key);
                            let wants = |subscription: &&Subscription| {
                                !subscription.wanted.options.no_local || Some(subscription.session) != publisher
                            };
                            if let Some(subscription) = subscription.filter(wants) {
                                matches.add(subscription, overlap);
                            }
                        }
                    }
                }
            });
        matches.walk = walk;
    }

    /// The member of a group whose turn it is: of at most `looks` members, in their order, the first of those that are best;
    /// if none is, the first of the others. Who is picked has had the last message.
    ///
    /// `None` if the group has ended, or nobody is fit.
    pub(crate) fn pick(
        &mut self,
        group: GroupId,
        turn: Turn,
        looks: usize,
        fitness: impl Fn(u32) -> Fitness,
    ) -> Option<(u32, Wanted)> {
        let subscriptions = &self.subscriptions;
        let fitness = |key| {
            let member = subscriptions.get(key);
            member.map_or(Fitness::None, |member| fitness(member.session))
        };
        let picked = self.groups.get_mut(group.0)?.pick(turn, looks, fitness)?;
        let member = subscriptions.get(picked)?;
        Some((member.session, member.wanted))
    }

    /// Whether a session has a subscription that a message stands on: of its own if the tag is zero, and otherwise in the
    /// group of that name. `matches` is only memory for the way.
    pub(crate) fn covers(&self, session: u32, topic: &TopicName<Bytes>, tag: u64, matches: &mut Matches) -> bool {
        if tag != 0 {
            let group = self.tagged(tag, topic);
            return group.is_some_and(|group| {
                let end = self.groups.get(group.0).map(|found| found.end);
                end.is_some_and(|end| self.key_of(session, end, group.0).is_some())
            });
        }
        let mut is_found = false;
        self.trie.visit(
            &self.hashing,
            topic.as_bytes(),
            &mut matches.walk,
            |node, ends, below| {
                is_found |= !ends.is_nothing() && self.key_of(session, End::new(node, below), NONE).is_some();
            },
        );
        is_found
    }

    /// The oldest subscription of a session, which becomes the youngest.
    pub(crate) fn take_turn(&mut self, session: u32) -> Option<(TopicFilter<Bytes>, Wanted)> {
        let list = self.sessions.get_mut(session as usize)?;
        let key = list.head()?;
        list.remove(&mut self.subscriptions, key);
        list.push_back(&mut self.subscriptions, key);
        let subscription = self.subscriptions.get(key)?;
        Some((self.filter(subscription)?, subscription.wanted))
    }

    /// The name of a group in its copies of messages.
    pub(crate) fn tag_of(&self, group: GroupId) -> u64 {
        self.groups.get(group.0).map_or(0, |group| group.tag)
    }

    /// The group with this name, if its filter matches the topic.
    pub(crate) fn tagged(&self, tag: u64, topic: &TopicName<Bytes>) -> Option<GroupId> {
        let found = self.groups.of_tag(&self.hashing, tag, |group| {
            let filter = TopicFilter::from_bytes_for(Version::V3_1_1, self.trie.text(b"", group.end));
            filter.is_ok_and(|filter| filter.matches(topic))
        });
        found.map(GroupId)
    }

    fn find(&self, session: u32, asked: &Asked<'_>) -> Option<u32> {
        let end = self.trie.find(&self.hashing, asked.path)?;
        let group = match asked.group {
            Some(name) => self.groups.find(&self.hashing, end, name)?,
            None => NONE,
        };
        self.key_of(session, end, group)
    }

    fn key_of(&self, session: u32, end: End, group: u32) -> Option<u32> {
        self.index.find(hash(&self.hashing, session, end, group), |key| {
            let subscription = self.subscriptions.get(key);
            subscription.is_some_and(|found| found.session == session && found.end == end && found.group == group)
        })
    }

    fn check(&self, session: u32, asked: &Asked<'_>) -> Result<(), SubscribeError> {
        let levels = asked.path.split(|byte| *byte == b'/');
        if levels.count() > self.limits.filter_levels as usize {
            return Err(SubscribeError::FilterLevels);
        }
        if self.subscriptions_of(session) >= self.limits.subscriptions_per_session as usize {
            return Err(SubscribeError::SubscriptionsPerSession);
        }
        if self.len() >= self.limits.subscriptions.min(MOST_KEYS) as usize {
            return Err(SubscribeError::Subscriptions);
        }
        Ok(())
    }

    fn insert(&mut self, session: u32, end: End, asked: &Asked<'_>, wanted: Wanted) {
        let group = asked.group.map_or(NONE, |name| self.group(end, name, asked.path));
        let key = self.subscriptions.insert(Subscription {
            session,
            end,
            group,
            place: 0,
            wanted,
            links: Links::default(),
        });
        match self.groups.get_mut(group) {
            Some(group) => {
                let place = group.push(key);
                self.set_place(Kind::Subscription(key), place);
            }
            None => self.enter(end, Kind::Subscription(key)),
        }
        self.index.insert(hash(&self.hashing, session, end, group), key);
        let slot = session as usize;
        if self.sessions.len() <= slot {
            self.sessions.resize(slot.saturating_add(1), List::new());
        }
        if let Some(list) = self.sessions.get_mut(slot) {
            list.push_back(&mut self.subscriptions, key);
        }
    }

    /// The group with this name at this end; it is made if there is none.
    fn group(&mut self, end: End, name: &[u8], path: &[u8]) -> u32 {
        if let Some(key) = self.groups.find(&self.hashing, end, name) {
            return key;
        }
        let key = self.groups.insert(&self.hashing, end, name, groups::tag(name, path));
        self.enter(end, Kind::Group(key));
        key
    }

    /// Puts an item at the end of its filter, and notes where it stands there.
    fn enter(&mut self, end: End, item: Kind) {
        if let Some(ends) = self.trie.ends(end.node()) {
            let place = self.lists.push(ends, end.is_below(), Item::new(item));
            self.set_place(item, place);
        }
    }

    /// Takes an item from the end of its filter, and the filter from the tree if it was the last one.
    fn leave(&mut self, end: End, place: u32) {
        let ends = self.trie.ends(end.node());
        let moved = ends.and_then(|ends| self.lists.swap_remove(ends, end.is_below(), place));
        if let Some(moved) = moved {
            self.set_place(moved.kind(), place);
        }
        self.trie.prune(&self.hashing, end.node());
    }

    fn set_place(&mut self, item: Kind, place: u32) {
        match item {
            Kind::Subscription(key) => {
                if let Some(subscription) = self.subscriptions.get_mut(key) {
                    subscription.place = place;
                }
            }
            Kind::Group(key) => {
                if let Some(group) = self.groups.get_mut(key) {
                    group.place = place;
                }
            }
        }
    }

    fn remove(&mut self, key: u32) -> bool {
        let Some(subscription) = self.subscriptions.get(key) else {
            return false;
        };
        let (session, end, place) = (subscription.session, subscription.end, subscription.place);
        let group = subscription.group;
        self.index.remove(hash(&self.hashing, session, end, group), key);
        if let Some(list) = self.sessions.get_mut(session as usize) {
            list.remove(&mut self.subscriptions, key);
        }
        if group == NONE {
            self.leave(end, place);
        } else {
            self.leave_group(group, place);
        }
        self.subscriptions.remove(key)
    }

    /// Takes a member from its group, and the group from its filter if it was the last one.
    fn leave_group(&mut self, key: u32, place: u32) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        let moved = group.swap_remove(place);
        let ended = group.is_empty().then_some((group.end, group.place));
        if let Some(moved) = moved {
            self.set_place(Kind::Subscription(moved), place);
        }
        if let Some((end, place)) = ended {
            self.groups.remove(&self.hashing, key);
            self.leave(end, place);
        }
    }

    /// The filter of a subscription, as it was subscribed.
    fn filter(&self, subscription: &Subscription) -> Option<TopicFilter<Bytes>> {
        self.filter_of(subscription.group, subscription.end)
    }

    fn filter_of(&self, group: u32, end: End) -> Option<TopicFilter<Bytes>> {
        let prefix = match self.groups.get(group) {
            Some(group) => [SHARE, &group.name, b"/"].concat(),
            None => Vec::new(),
        };
        let text = self.trie.text(&prefix, end);
        // By the rules of the version that lets most pass: it was checked when it was subscribed.
        TopicFilter::from_bytes_for(Version::V3_1_1, text.into()).ok()
    }
}

const SHARE: &[u8] = b"$share/";

/// A filter as the tree sees it. Clients of MQTT 3 share subscriptions too.
struct Asked<'f> {
    group: Option<&'f [u8]>,
    path: &'f [u8],
}

impl<'f> Asked<'f> {
    fn new<B: AsRef<[u8]>>(filter: &'f TopicFilter<B>) -> Self {
        match filter.shared() {
            Some(shared) => Self {
                group: Some(shared.name.into_inner()),
                path: shared.filter.into_inner(),
            },
            None => Self {
                group: None,
                path: filter.as_bytes(),
            },
        }
    }
}

fn hash(hashing: &Hashing, session: u32, end: End, group: u32) -> Hash {
    hashing.of_numbers(u64::from(session) << 32 | u64::from(group), end.number())
}
