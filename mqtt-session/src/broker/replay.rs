//! Retained messages for a new subscription, a few at a time.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use super::Broker;
use super::kept::Kept;
use super::peers::ShardId;
use super::records::{ForwardId, ReplayRecord};
use super::retained::Step;
use super::review::Waiter;
use super::routes::Wanted;
use super::sessions::Place;
use crate::Message;

/// The retained messages that a subscription has still to get. What it has got stands in front of `after`, in the order of
/// the topics; so it goes on where it was, over cuts and restarts, whatever is retained in between.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) filter: TopicFilter<Bytes>,
    pub(super) wanted: Wanted,
    /// The shard whose messages are sent; those of shards before it have been.
    pub(super) shard: ShardId,
    pub(super) after: Option<TopicName<Bytes>>,
    /// The last message of each shard that was here when the client subscribed. Later ones are delivered as published ones,
    /// and not sent again. [MQTT-3.3.1-12]
    pub(super) seen: Vec<ForwardId>,
    /// What another shard was asked and has not answered, and by which policy.
    pub(super) asked: Option<(u64, u64)>,
}

impl Replay {
    pub(super) fn record(&self) -> ReplayRecord {
        ReplayRecord {
            shard: self.shard,
            after: self.after.clone(),
            seen: self.seen.clone(),
        }
    }
}

/// What one step has come to.
enum Stepped {
    /// A message was sent.
    Sent,
    /// A replay is over.
    Over,
    /// Nothing was found in as many steps as one call has.
    More,
    /// There is nothing to replay.
    Idle,
}

impl Broker {
    /// A replay of this session goes on with one of the next calls.
    pub(super) fn go_on_replaying(&mut self, session: u32) {
        if let Some(entry) = self.sessions.get_mut(session) {
            if !entry.is_replaying && !entry.replays.is_empty() {
                entry.is_replaying = true;
                self.replaying.push_back(session);
            }
        }
    }

    /// Sends retained messages to a session, as far as its queue has room for them. Returns whether any were sent.
    #[inline(always)]
    pub(super) fn replay(&mut self, session: u32) -> bool {
        let entry = self.sessions.get(session);
        entry.is_some_and(|entry| !entry.replays.is_empty()) && self.replay_some(session)
    }

    #[inline(never)]
    fn replay_some(&mut self, session: u32) -> bool {
        let mut any = false;
        while self.has_room_to_replay(session) {
            match self.replay_step(session) {
                Stepped::Sent => any = true,
                Stepped::Over => {}
                Stepped::More => {
                    self.go_on_replaying(session);
                    break;
                }
                Stepped::Idle => break,
            }
        }
        if let Some(entry) = self.sessions.get_mut(session) {
            // Sessions have replays for a moment, and last for long.
            entry.replays.rest();
        }
        any
    }

    fn has_room_to_replay(&self, session: u32) -> bool {
        if self.is_held(session) {
            return false;
        }
        let limits = &self.config.limits;
        match self.sessions.get(session).map(|entry| &entry.place) {
            Some(Place::Connected(slot)) => self.connections.get(*slot).is_some_and(|connection| {
                let window = usize::from(limits.replay_window.max(1));
                connection.machine.outgoing_len() < window && !connection.owes_suback()
            }),
            Some(Place::Host) => self.told.len() < crate::flow::size(limits.events),
            _ => false,
        }
    }

    fn replay_step(&mut self, session: u32) -> Stepped {
        let budget = crate::flow::size(self.config.limits.steps_per_call.max(1));
        let policy = self.policy_of_messages();
        let Some(entry) = self.sessions.get_mut(session) else {
            return Stepped::Idle;
        };
        let Some(replay) = entry.replays.front_mut() else {
            return Stepped::Idle;
        };
        if !self.peers.is_own(replay.shard) {
            return self.ask_for_page(session);
        }
        let (wanted, after) = (replay.wanted, replay.after.as_ref());
        let is_wanted = |kept: &Kept| !kept.origin.is_behind(&replay.seen);
        match self.retained.next(&replay.filter, after, self.now, budget, is_wanted) {
            Step::Found(topic, kept) if kept.awaits_consent(policy) => {
                let topic = topic.clone();
                self.await_consent(topic, Waiter::Session(session));
                Stepped::Idle
            }
            Step::Found(topic, kept) => {
                replay.after = Some(topic.clone());
                let mut copy = kept.copy(self.now);
                copy.qos = copy.qos.min(wanted.options.qos);
                let filter = replay.filter.clone();
                self.deliver_named(session, copy, 0, wanted.identifier.into_iter());
                self.write_subscription(session, &filter, wanted);
                Stepped::Sent
            }
            Step::Budget(topic) => {
                replay.after = Some(topic.clone());
                Stepped::More
            }
            Step::End => {
                self.next_shard(session);
                Stepped::Over
            }
        }
    }

    /// The messages of one shard are sent: those of the next one follow, or the replay is over.
    fn next_shard(&mut self, session: u32) {
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let Some(mut replay) = entry.replays.pop_front() else {
            return;
        };
        let (filter, wanted) = (replay.filter.clone(), replay.wanted);
        if let Some(next) = self.peers.behind(replay.shard) {
            replay.shard = next;
            replay.after = None;
            entry.replays.push_front(replay);
        }
        self.write_subscription(session, &filter, wanted);
    }

    /// Another shard is asked for as many messages as there is room for.
    fn ask_for_page(&mut self, slot: u32) -> Stepped {
        let most = self.config.limits.replay_window.max(1);
        let Some(entry) = self.sessions.get_mut(slot) else {
            return Stepped::Idle;
        };
        let session = (slot, entry.id);
        let Some(replay) = entry.replays.front_mut().filter(|replay| replay.asked.is_none()) else {
            return Stepped::Idle;
        };
        let (after, seen) = (replay.after.clone(), replay.seen.clone());
        let query = self
            .peers
            .query(replay.shard, session, &replay.filter, after, most, seen);
        replay.asked = Some((query, self.epoch));
        Stepped::Idle
    }

    /// Another shard has answered. What nobody waits for any more is asked for again when somebody does; so is what was asked
    /// for before the policy changed, or what the session may not have yet.
    pub(super) fn replay_page(
        &mut self,
        session: u32,
        query: u64,
        messages: Vec<Message>,
        upto: Option<TopicName<Bytes>>,
    ) {
        let is_held = self.is_held(session);
        let epoch = self.epoch;
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let is_there = matches!(entry.place, Place::Connected(_) | Place::Host);
        let is_it = |replay: &&mut Replay| replay.asked.is_some_and(|(asked, _)| asked == query);
        let Some(replay) = entry.replays.front_mut().filter(is_it) else {
            return;
        };
        let is_old = replay.asked.take().is_some_and(|(_, asked)| asked != epoch);
        if !is_there {
            return;
        }
        if is_held || is_old {
            return self.go_on_replaying(session);
        }
        let is_last = upto.is_none();
        replay.after = upto;
        let (filter, wanted) = (replay.filter.clone(), replay.wanted);
        for mut copy in messages {
            copy.qos = copy.qos.min(wanted.options.qos);
            self.deliver_named(session, copy, 0, wanted.identifier.into_iter());
        }
        if is_last {
            self.next_shard(session);
        } else {
            self.write_subscription(session, &filter, wanted);
        }
        self.go_on_replaying(session);
    }
}
