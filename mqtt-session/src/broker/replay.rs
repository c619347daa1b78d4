//! Retained messages for a new subscription, a few at a time.

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use super::Broker;
use super::records::ReplayRecord;
use super::retained::Step;
use super::routes::Wanted;
use super::sessions::Place;
use crate::Message;

/// The retained messages that a subscription has still to get. What it has got stands in front of `after`, in the order of
/// the topics; so it goes on where it was, over cuts and restarts, whatever is retained in between.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) filter: TopicFilter<Bytes>,
    pub(super) wanted: Wanted,
    pub(super) after: Option<TopicName<Bytes>>,
}

impl Replay {
    pub(super) fn record(&self) -> ReplayRecord {
        ReplayRecord {
            after: self.after.clone(),
        }
    }
}

/// What one step has come to.
enum Progress {
    Sent(Message),
    More,
    End,
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

    /// Sends retained messages to a session, as far as its queue has room for them and as many steps as one call has.
    /// Returns whether any were sent.
    pub(super) fn replay(&mut self, session: u32) -> bool {
        let mut any = false;
        let mut budget = self.config.limits.steps_per_call.max(1);
        while self.has_room_to_replay(session) {
            if budget == 0 {
                self.go_on_replaying(session);
                break;
            }
            budget = budget.saturating_sub(1);
            if !self.replay_step(session, &mut any) {
                break;
            }
        }
        any
    }

    fn has_room_to_replay(&self, session: u32) -> bool {
        let limits = &self.config.limits;
        match self.sessions.get(session).map(|entry| &entry.place) {
            Some(Place::Connected(slot)) => self.connections.get(*slot).is_some_and(|connection| {
                let window = usize::from(limits.replay_window.max(1));
                connection.machine.outgoing_len() < window && !connection.owes_suback()
            }),
            Some(Place::Host(_)) => self.told.len() < crate::flow::size(limits.events),
            _ => false,
        }
    }

    /// One message or a few steps on the way to it. Whether there is more to do.
    fn replay_step(&mut self, session: u32, any: &mut bool) -> bool {
        let Some(entry) = self.sessions.get_mut(session) else {
            return false;
        };
        let Some(replay) = entry.replays.front_mut() else {
            return false;
        };
        let step = self.retained.next(&replay.filter, replay.after.as_ref(), self.now);
        let progress = match step {
            Step::Found(kept) => {
                replay.after = Some(kept.message.topic.clone());
                let mut copy = kept.message.clone();
                copy.expiry_seconds = kept.seconds_left(self.now);
                // [MQTT-3.3.1-8]
                copy.retain = true;
                copy.qos = copy.qos.min(replay.wanted.options.qos);
                Progress::Sent(copy)
            }
            Step::Passed(topic) => {
                replay.after = Some(topic);
                Progress::More
            }
            Step::End => Progress::End,
        };
        let (filter, wanted) = (replay.filter.clone(), replay.wanted);
        match progress {
            Progress::Sent(copy) => {
                *any = true;
                self.deliver_named(session, copy, wanted.identifier.into_iter());
            }
            Progress::More => return true,
            Progress::End => {
                entry.replays.pop_front();
            }
        }
        self.write_subscription(session, &filter, wanted);
        true
    }
}
