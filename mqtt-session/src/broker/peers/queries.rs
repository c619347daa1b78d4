//! Retained messages that other shards keep.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use super::super::Broker;
use super::super::kept::Kept;
use super::super::records::ForwardId;
use super::super::retained::Step;
use super::super::review::Waiter;
use super::super::sessions::SessionId;
use super::{PeerMessage, Peers, ShardId};
use crate::Message;

/// Questions that this shard has asked, and those that it has to answer.
#[derive(Debug, Default)]
pub(super) struct Queries {
    last: u64,
    asked: BTreeMap<u64, (u32, SessionId)>,
    waiting: VecDeque<(ShardId, Query)>,
}

/// A question of another shard.
#[derive(Debug)]
pub(super) struct Query {
    query: u64,
    filter: TopicFilter<Bytes>,
    after: Option<TopicName<Bytes>>,
    most: u16,
    seen: Vec<ForwardId>,
}

impl Query {
    pub(super) const fn new(
        query: u64,
        filter: TopicFilter<Bytes>,
        after: Option<TopicName<Bytes>>,
        most: u16,
        seen: Vec<ForwardId>,
    ) -> Self {
        Self {
            query,
            filter,
            after,
            most,
            seen,
        }
    }
}

impl Peers {
    /// The last message of each shard that is here and was to be retained.
    pub(in super::super) fn seen(&self) -> Vec<ForwardId> {
        if self.is_alone() {
            return vec![self.retained];
        }
        let own = usize::from(self.shards.own().0);
        let of_peers = self.known.iter().enumerate();
        of_peers
            .map(|(shard, peer)| if shard == own { self.retained } else { peer.seen })
            .collect()
    }

    /// Whether all messages are here that another shard had. What comes of an earlier life comes before its shard is here.
    fn has_seen(&self, seen: &[ForwardId]) -> bool {
        let own = usize::from(self.shards.own().0);
        let mut pairs = self.known.iter().zip(seen).enumerate();
        self.are_here() && pairs.all(|(shard, (peer, seen))| shard == own || peer.seen >= *seen)
    }

    /// The shard behind this one.
    pub(in super::super) fn behind(&self, shard: ShardId) -> Option<ShardId> {
        let next = shard.0.saturating_add(1);
        (next < self.shards.count()).then_some(ShardId(next))
    }

    pub(in super::super) fn is_own(&self, shard: ShardId) -> bool {
        self.is_alone() || shard == self.shards.own()
    }

    /// Asks a shard for retained messages, for a session. Returns the name of the question.
    pub(in super::super) fn query(
        &mut self,
        shard: ShardId,
        session: (u32, SessionId),
        filter: &TopicFilter<Bytes>,
        after: Option<TopicName<Bytes>>,
        most: u16,
        seen: Vec<ForwardId>,
    ) -> u64 {
        self.queries.last = self.queries.last.saturating_add(1);
        let query = self.queries.last;
        self.queries.asked.insert(query, session);
        let message = PeerMessage::Query {
            query,
            filter: filter.clone(),
            after,
            most,
            seen,
        };
        self.send(shard, message);
        query
    }
}

impl Broker {
    pub(super) fn take_query(&mut self, from: ShardId, query: Query) {
        self.peers.queries.waiting.push_back((from, query));
        self.answer_queries();
    }

    /// Answers what can be answered by now.
    pub(in super::super) fn answer_queries(&mut self) {
        for (from, query) in core::mem::take(&mut self.peers.queries.waiting) {
            let waits = match self.peers.has_seen(&query.seen) {
                true => self.answer_query(from, query),
                false => Some(query),
            };
            self.peers.queries.waiting.extend(waits.map(|query| (from, query)));
        }
    }

    /// Answers a question, or gives it back if it has to wait for the host.
    fn answer_query(&mut self, to: ShardId, mut query: Query) -> Option<Query> {
        let mut budget = crate::flow::size(self.config.limits.steps_per_call.max(1));
        let policy = self.policy_of_messages();
        let (mut messages, mut after) = (Vec::new(), query.after.take());
        let is_wanted = |kept: &Kept| !kept.origin.is_behind(&query.seen);
        let upto = loop {
            if messages.len() >= usize::from(query.most.max(1)) {
                break after;
            }
            match self
                .retained
                .next(&query.filter, after.as_ref(), self.now, budget, is_wanted)
            {
                Step::Found(topic, kept) if kept.awaits_consent(policy) => {
                    if messages.is_empty() {
                        let topic = topic.clone();
                        self.await_consent(topic, Waiter::Shards);
                        query.after = after;
                        return Some(query);
                    }
                    break after;
                }
                Step::Found(topic, kept) => {
                    after = Some(topic.clone());
                    messages.push(kept.copy(self.now));
                    budget = budget.saturating_sub(1).max(1);
                }
                Step::Budget(topic) => break Some(topic.clone()),
                Step::End => break None,
            }
        };
        let query = query.query;
        self.peers
            .send_at(self.now, to, PeerMessage::Page { query, messages, upto });
        None
    }

    pub(super) fn take_page(&mut self, query: u64, messages: Vec<Message>, upto: Option<TopicName<Bytes>>) {
        if let Some((slot, session)) = self.peers.queries.asked.remove(&query) {
            if self.sessions.get(slot).is_some_and(|entry| entry.id == session) {
                self.replay_page(slot, query, messages, upto);
            }
        }
    }
}
