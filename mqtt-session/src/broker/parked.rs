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

/// What the host has said for more than one packet. Most connections have nothing of it.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    epoch: u64,
    publish: Option<bool>,
    subscribe: Option<bool>,
    topics: VecDeque<(TopicName<Bytes>, bool)>,
}

impl Verdicts {
    /// What was said since the policy changed.
    fn known(&mut self, epoch: u64) -> Option<&Known> {
        if self.0.as_ref().is_some_and(|known| known.epoch != epoch) {
            self.0 = None;
        }
        self.0.as_deref()
    }

    /// The same, to be added to.
    fn begun(&mut self, epoch: u64) -> &mut Known {
        let _ = self.known(epoch);
        let begin = || {
            Box::new(Known {
                epoch,
                ..Known::default()
            })
        };
        self.0.get_or_insert_with(begin)
    }

    pub(super) fn of_publish(&mut self, epoch: u64, topic: &TopicName<Bytes>) -> Option<bool> {
        let known = self.known(epoch)?;
        let of_topic = || known.topics.iter().find(|(known, _)| known == topic);
        known.publish.or_else(|| of_topic().map(|(_, is_allowed)| *is_allowed))
    }

    pub(super) fn of_subscribe(&mut self, epoch: u64) -> Option<bool> {
        self.known(epoch)?.subscribe
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
        match verdict.scope {
            Scope::Once => {}
            Scope::Connection => self.begun(epoch).publish = Some(verdict.is_allowed),
            Scope::Topic => {
                let topics = &mut self.begun(epoch).topics;
                topics.retain(|(known, _)| known != topic);
                topics.push_back((topic.clone(), verdict.is_allowed));
                while topics.len() > most {
                    topics.pop_front();
                    forgotten = forgotten.saturating_add(1);
                }
            }
        }
        forgotten
    }

    pub(super) fn remember_subscribe(&mut self, epoch: u64, verdict: Verdict) {
        if verdict.scope == Scope::Connection {
            self.begun(epoch).subscribe = Some(verdict.is_allowed);
        }
    }
}
