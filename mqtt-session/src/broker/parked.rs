//! What waits for answers of the host, in the order in which it came.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{Filters, SubscribeProperties, TopicFilters, TopicName, Will};

use super::event::{Scope, Verdict};
use crate::{Closed, Received, RequestId};

/// What a packet waits with.
#[derive(Debug)]
pub(super) enum Waiting {
    Publish(Received),
    Subscribe {
        request: RequestId,
        filters: Filters<Bytes>,
        properties: SubscribeProperties<Bytes>,
    },
    Unsubscribe {
        request: RequestId,
        filters: TopicFilters<Bytes>,
    },
    Closed {
        reason: Closed,
        will: Option<Box<Will<Bytes>>>,
        session_expiry_seconds: u32,
    },
}

/// A packet and the questions about it.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) what: Waiting,
    /// None: nothing has to be asked. A SUBSCRIBE has one for each filter.
    pub(super) asked: Vec<Asked>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) answer: Option<bool>,
}

impl Parked {
    /// A packet of which nothing has been asked.
    pub(super) const fn new(what: Waiting) -> Self {
        let asked = Vec::new();
        Self { what, asked }
    }

    /// Whether the host has said all that is needed.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.iter().all(|asked| asked.answer.is_some())
    }

    /// What was said about the filter in this place, or the message.
    pub(super) fn is_allowed(&self, index: usize) -> bool {
        match self.asked.get(index) {
            Some(asked) => asked.answer == Some(true),
            None => true,
        }
    }
}

/// What the host has said for more than one packet.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    epoch: u64,
    publish: Option<bool>,
    subscribe: Option<bool>,
    topics: VecDeque<(TopicName<Bytes>, bool)>,
}

impl Verdicts {
    /// Forgets what was said before the policy changed.
    fn renew(&mut self, epoch: u64) {
        if self.epoch != epoch {
            *self = Self {
                epoch,
                ..Self::default()
            };
        }
    }

    pub(super) fn of_publish(&mut self, epoch: u64, topic: &TopicName<Bytes>) -> Option<bool> {
        self.renew(epoch);
        let of_topic = || self.topics.iter().find(|(known, _)| known == topic);
        self.publish.or_else(|| of_topic().map(|(_, is_allowed)| *is_allowed))
    }

    pub(super) fn of_subscribe(&mut self, epoch: u64) -> Option<bool> {
        self.renew(epoch);
        self.subscribe
    }

    /// Returns how many topics are forgotten for that.
    pub(super) fn remember_publish(
        &mut self,
        epoch: u64,
        topic: &TopicName<Bytes>,
        verdict: Verdict,
        most: usize,
    ) -> u64 {
        let mut forgotten: u64 = 0;
        self.renew(epoch);
        match verdict.scope {
            Scope::Once => {}
            Scope::Connection => self.publish = Some(verdict.is_allowed),
            Scope::Topic => {
                self.topics.retain(|(known, _)| known != topic);
                self.topics.push_back((topic.clone(), verdict.is_allowed));
                while self.topics.len() > most {
                    self.topics.pop_front();
                    forgotten = forgotten.saturating_add(1);
                }
            }
        }
        forgotten
    }

    pub(super) fn remember_subscribe(&mut self, epoch: u64, verdict: Verdict) {
        self.renew(epoch);
        if verdict.scope == Scope::Connection {
            self.subscribe = Some(verdict.is_allowed);
        }
    }
}
