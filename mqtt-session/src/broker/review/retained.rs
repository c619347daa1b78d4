//! Retained messages are asked about again, by the names of those who published them.
//!
//! ```text
//!  the cursor passes a message ──────┐        the host: yes ──> it is as before, and who waited for it gets it
//!  one comes from another shard, ────┴─> ask
//!   which knew only the old policy            the host: no  ──> it is dropped, with its record
//! ```
//!
//! What is said counts for the message that it was asked about: one that has come to its topic in between was allowed by
//! itself.

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mqtt_proto::TopicName;

use super::super::event::Verdict;
use super::super::kept::Consent;
use super::super::party::Party;
use super::super::{Broker, BrokerEvent, ConnectionId, QuestionId};
use super::Stage;

/// How far the review of retained messages has come.
#[derive(Debug, Default)]
pub(super) struct KeptReview {
    /// The topic that was looked at last.
    after: Option<TopicName<Bytes>>,
    questions: BTreeMap<u64, Question>,
    /// Topics of messages that came when the cursor was on its way or through, allowed by a policy that is over.
    late: BTreeSet<TopicName<Bytes>>,
    /// Who waits for what the host says of a message.
    waiting: BTreeMap<TopicName<Bytes>, BTreeSet<Waiter>>,
}

#[derive(Debug)]
struct Question {
    epoch: u64,
    topic: TopicName<Bytes>,
}

/// Who gets a retained message when the host allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Waiter {
    /// A session.
    Session(u32),
    /// The shards whose questions were not answered yet.
    Shards,
}

impl KeptReview {
    /// Begins anew. The cursor comes to those that were late, too.
    pub(super) fn begin(&mut self) {
        self.after = None;
        self.late.clear();
    }

    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// How many questions wait for answers.
    pub(super) fn asked(&self) -> usize {
        self.questions.len()
    }

    fn is_asked(&self, number: u64, epoch: u64) -> bool {
        self.questions
            .get(&number)
            .is_some_and(|question| question.epoch == epoch)
    }
}

impl Broker {
    /// The policy that retained messages stand under, if the host is asked about messages.
    pub(in super::super) fn policy_of_messages(&self) -> Option<u64> {
        self.config.ask.publish.then_some(self.epoch)
    }

    /// Somebody is to get the message of a topic when the host has said that it may.
    pub(in super::super) fn await_consent(&mut self, topic: TopicName<Bytes>, waiter: Waiter) {
        if let Waiter::Session(session) = waiter {
            let Some(entry) = self.sessions.get_mut(session) else {
                return;
            };
            // Each waits in one place: it looks again when something has changed there.
            if core::mem::replace(&mut entry.awaits_consent, true) {
                return;
            }
        }
        self.review.kept.waiting.entry(topic).or_default().insert(waiter);
    }

    /// What is retained for a topic is not what it was, or not as it was.
    pub(in super::super) fn kept_changed(&mut self, topic: &TopicName<Bytes>) {
        let is_late = self
            .retained
            .get_mut(topic)
            .map(|kept| kept.publisher.is_some() && kept.consent == Consent::Unknown);
        let is_passed = match self.review.stage {
            Stage::Over => true,
            Stage::Retained => self.review.kept.after.is_some(),
            Stage::Connections(_) | Stage::Sessions(_) => false,
        };
        let review = &mut self.review.kept;
        if is_late == Some(true) && is_passed && self.config.ask.publish {
            review.late.insert(topic.clone());
        } else {
            review.late.remove(topic);
        }
        for waiter in review.waiting.remove(topic).unwrap_or_default() {
            match waiter {
                Waiter::Session(session) => {
                    if let Some(entry) = self.sessions.get_mut(session) {
                        entry.awaits_consent = false;
                    }
                    self.go_on_replaying(session);
                }
                Waiter::Shards => self.answer_queries(),
            }
        }
    }

    /// The cursor goes on by one message.
    pub(super) fn review_next_kept(&mut self) {
        let after = self.review.kept.after.take();
        match self.retained.topic_behind(after.as_ref()).cloned() {
            Some(topic) => {
                self.review.kept.after = Some(topic.clone());
                self.review_kept(&topic);
            }
            None => self.review.stage = Stage::Over,
        }
    }

    /// One that the cursor may have passed before it came is looked at.
    pub(super) fn review_late(&mut self) {
        if let Some(topic) = self.review.kept.late.pop_first() {
            self.review_kept(&topic);
        }
    }

    fn review_kept(&mut self, topic: &TopicName<Bytes>) {
        let Some(kept) = self.retained.get_mut(topic) else {
            return;
        };
        let is_asked = match kept.consent {
            Consent::Given(epoch) => epoch == self.epoch,
            Consent::Asked(number) => self.review.kept.is_asked(number, self.epoch),
            Consent::Unknown => false,
        };
        let Some(publisher) = kept.publisher.clone().filter(|_| !is_asked) else {
            return;
        };
        let message = kept.message.clone();
        match self.publisher_may(&publisher, topic) {
            Some(is_allowed) => self.decide_kept(topic, is_allowed),
            None => {
                let asked = self.ask_about(None, &publisher, &message);
                if let Some(kept) = self.retained.get_mut(topic) {
                    kept.consent = Consent::Asked(asked.number);
                }
                let question = Question {
                    epoch: asked.epoch,
                    topic: topic.clone(),
                };
                self.review.kept.questions.insert(asked.number, question);
            }
        }
    }

    /// What the host has said for all that a client publishes, or for this topic, if it is connected.
    fn publisher_may(&mut self, publisher: &Party, topic: &TopicName<Bytes>) -> Option<bool> {
        let (connection, epoch) = (self.connection_of_party(publisher)?, self.epoch);
        let connection = self.connections.named_mut(connection)?;
        connection.verdicts.of_publish(epoch, topic)
    }

    /// The connection of a client, if it is still whose it was.
    fn connection_of_party(&self, party: &Party) -> Option<ConnectionId> {
        let session = self.sessions.of_client(party.client_id())?;
        let is_it = self.sessions.get(session).is_some_and(|entry| entry.who == *party);
        is_it.then(|| self.connection_of(party.client_id())).flatten()
    }

    /// The host has said whether a message stays retained. Whether there was such a question.
    pub(in super::super) fn kept_answered(&mut self, question: QuestionId, verdict: Verdict) -> bool {
        let Some(Question { epoch, topic }) = self.review.kept.questions.remove(&question.number) else {
            return false;
        };
        let kept = self.retained.get_mut(&topic);
        let Some(kept) = kept.filter(|kept| kept.consent == Consent::Asked(question.number)) else {
            return true;
        };
        if epoch != self.epoch {
            // The cursor is not there yet, which asks by the policy that counts.
            kept.consent = Consent::Unknown;
            return true;
        }
        let publisher = kept.publisher.clone().unwrap_or_default();
        let most = usize::from(self.config.limits.remembered_topics);
        let connection = self.connection_of_party(&publisher);
        if let Some(connection) = connection.and_then(|id| self.connections.named_mut(id)) {
            let forgotten = connection.verdicts.remember_publish(epoch, &topic, verdict, most);
            self.figures.topics_forgotten = self.figures.topics_forgotten.saturating_add(forgotten);
        }
        self.decide_kept(&topic, verdict.is_allowed);
        true
    }

    fn decide_kept(&mut self, topic: &TopicName<Bytes>, is_allowed: bool) {
        if is_allowed {
            if let Some(kept) = self.retained.get_mut(topic) {
                kept.consent = Consent::Given(self.epoch);
            }
            return self.kept_changed(topic);
        }
        let Some(kept) = self.retained.remove(topic) else {
            return;
        };
        self.forget_retained(kept.payload_id, topic);
        self.figures.retained_revoked = self.figures.retained_revoked.saturating_add(1);
        let (client_id, topic) = (kept.publisher.unwrap_or_default().shared_client_id(), topic.clone());
        self.inform(|| BrokerEvent::RetainedRevoked { client_id, topic });
    }
}
