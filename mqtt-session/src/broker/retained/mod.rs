//! Retained messages: at most one a topic, found again by the filters of those who subscribe later.
//!
//! They stand in the order of their levels: `/` comes before all other text, so that what lies below a level stands together.
//! A replay goes through that order and jumps over what its filter cannot match:
//!
//! ```text
//!  filter a/+/c      a    a/1/b    a/1/c    a/1/d    a/1/e ..    a/2/c/x    a/3    ab/1/c
//!                    │      │        │        │                     │        │        │
//!                    └─next─┴─a/1/c──┴──next──┴── past a/1 ─────────┴─past a/2        └─ end
//!                                  found
//! ```
//!
//! A cursor is the topic that was looked at last, and nothing else: it can be stored, and continued in another life of the
//! broker. What is retained from the first step to the last is found exactly once, whatever changes around it; what comes,
//! goes or is replaced meanwhile is found as it is when the cursor passes, or not at all. Whoever replays says which messages
//! are wanted: those that came later than the subscription are not, since they are delivered as published ones.
//!
//! # What a replay costs
//!
//! A step looks at no more topics than its budget, and each look is a search in the tree. A filter without wildcards looks at
//! one topic, `a/b/#` at those that it finds, and `+` at up to three topics for each level that stands in its place. Where
//! many do and little follows, as with `+/x`, a replay takes as many steps as the budget asks for.

mod order;
mod scan;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use crate::time::Instant;
use order::ByLevels;
use scan::Verdict;

/// How much is retained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetainedLimits {
    /// Messages, one for each topic.
    pub(crate) messages: usize,
    /// Bytes of their topics and of what they pin.
    pub(crate) bytes: u64,
}

/// A limit that a message would break. Nothing has changed: what was retained before stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetainError {
    /// [`RetainedLimits::messages`]
    Messages,
    /// [`RetainedLimits::bytes`]
    Bytes,
}

/// The retained messages, of whatever kind the caller keeps.
#[derive(Debug)]
pub(crate) struct Retained<M> {
    limits: RetainedLimits,
    messages: BTreeMap<ByLevels, Held<M>>,
    /// Those that expire, the first one first.
    expiring: BTreeSet<(Instant, ByLevels)>,
    bytes: u64,
}

#[derive(Debug)]
struct Held<M> {
    message: M,
    /// With the topic.
    bytes: u64,
    expires_at: Option<Instant>,
}

impl<M> Held<M> {
    fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// One step of a replay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'r, M> {
    /// A message for the filter. The replay goes on behind its topic.
    Found(&'r TopicName<Bytes>, &'r M),
    /// So many topics were looked at that the replay goes on in another call, behind this one.
    Budget(&'r TopicName<Bytes>),
    /// There is nothing further.
    End,
}

impl<M> Retained<M> {
    pub(crate) const fn new(limits: RetainedLimits) -> Self {
        Self {
            limits,
            messages: BTreeMap::new(),
            expiring: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Retains a message in place of the one that its topic had, which is returned. [MQTT-3.3.1-5] `pinned_bytes` is what it
    /// keeps from being freed; the topic is counted too, and should pin nothing beyond itself.
    ///
    /// # Errors
    /// If that would break a limit.
    pub(crate) fn set(
        &mut self,
        topic: TopicName<Bytes>,
        message: M,
        pinned_bytes: u64,
        expires_at: Option<Instant>,
    ) -> Result<Option<M>, RetainError> {
        let bytes = pinned_bytes.saturating_add(topic.len() as u64);
        let key = ByLevels(topic);
        let replaced = self.messages.get(&key).map(|held| held.bytes);
        if replaced.is_none() && self.messages.len() >= self.limits.messages {
            return Err(RetainError::Messages);
        }
        let others = self.bytes.saturating_sub(replaced.unwrap_or(0));
        if others.saturating_add(bytes) > self.limits.bytes {
            return Err(RetainError::Bytes);
        }
        let before = self.take(&key);
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(expires_at) = expires_at {
            self.expiring.insert((expires_at, key.clone()));
        }
        let held = Held {
            message,
            bytes,
            expires_at,
        };
        self.messages.insert(key, held);
        Ok(before)
    }

    /// Retains nothing for a topic any more, as a message without payload asks for. [MQTT-3.3.1-6]
    pub(crate) fn remove(&mut self, topic: &TopicName<Bytes>) -> Option<M> {
        self.take(&ByLevels(topic.clone()))
    }

    /// The message of a topic, expired or not.
    pub(crate) fn get_mut(&mut self, topic: &TopicName<Bytes>) -> Option<&mut M> {
        let held = self.messages.get_mut(&ByLevels(topic.clone()))?;
        Some(&mut held.message)
    }

    /// The topic behind this one, or the first one, whatever any filter says of it.
    pub(crate) fn topic_behind(&self, topic: Option<&TopicName<Bytes>>) -> Option<&TopicName<Bytes>> {
        let from = topic.map_or(Bound::Unbounded, |topic| Bound::Excluded(ByLevels(topic.clone())));
        let (ByLevels(topic), _) = self.messages.range((from, Bound::Unbounded)).next()?;
        Some(topic)
    }

    /// Removes the message that expired first, if one has expired. One call removes one, so that the caller bounds the work.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(TopicName<Bytes>, M)> {
        let (_, first) = self.expiring.first().filter(|(expires_at, _)| *expires_at <= now)?;
        let key = first.clone();
        let message = self.take(&key)?;
        Some((key.0, message))
    }

    /// When [`expire`](Self::expire) is due.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiring.first().map(|(expires_at, _)| *expires_at)
    }

    /// The next message for a filter behind a topic, or the first one. What has expired is left out. Of a shared filter
    /// nothing is taken apart: such a subscription gets no retained messages. [MQTT-4.8.2] What is not wanted is passed over.
    pub(crate) fn next<B: AsRef<[u8]>>(
        &self,
        filter: &TopicFilter<B>,
        after: Option<&TopicName<Bytes>>,
        now: Instant,
        budget: usize,
        is_wanted: impl Fn(&M) -> bool,
    ) -> Step<'_, M> {
        let mut looks = budget;
        self.next_within(filter, after, now, &mut looks, is_wanted)
    }

    /// The same with a budget for several steps, from which each look is taken.
    pub(crate) fn next_within<B: AsRef<[u8]>>(
        &self,
        filter: &TopicFilter<B>,
        after: Option<&TopicName<Bytes>>,
        now: Instant,
        looks: &mut usize,
        is_wanted: impl Fn(&M) -> bool,
    ) -> Step<'_, M> {
        let behind = |topic: &TopicName<Bytes>| Bound::Excluded(ByLevels(topic.clone()));
        let mut from = after.map_or(Bound::Unbounded, behind);
        while let Some((ByLevels(topic), held)) = self.messages.range((from, Bound::Unbounded)).next() {
            *looks = looks.saturating_sub(1);
            from = match scan::judge(filter.as_bytes(), topic.as_bytes()) {
                Verdict::Match if !held.is_expired(now) && is_wanted(&held.message) => {
                    return Step::Found(topic, &held.message);
                }
                Verdict::Match | Verdict::Next => behind(topic),
                // What is too long for a topic is no place to jump to. The next topic leads on as well.
                Verdict::Jump(place) => match TopicName::from_bytes(Bytes::from(place)) {
                    Ok(place) => Bound::Included(ByLevels(place)),
                    Err(_) => behind(topic),
                },
                Verdict::End => return Step::End,
            };
            if *looks == 0 {
                return Step::Budget(topic);
            }
        }
        Step::End
    }

    /// How many messages are retained.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn take(&mut self, key: &ByLevels) -> Option<M> {
        let held = self.messages.remove(key)?;
        self.bytes = self.bytes.saturating_sub(held.bytes);
        if let Some(expires_at) = held.expires_at {
            self.expiring.remove(&(expires_at, key.clone()));
        }
        Some(held.message)
    }
}
