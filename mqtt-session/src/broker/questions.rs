//! Questions to the host about messages and subscriptions.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{QoS, TopicFilter};

use super::event::Verdict;
use super::parked::{Asked, Waiting};
use super::party::Party;
use super::{Broker, BrokerEvent, ConnectionId, QuestionId};
use crate::time::Instant;

impl Broker {
    /// Answers a [`BrokerEvent::MayPublish`] or [`BrokerEvent::MaySubscribe`]. What it is about takes effect in its turn.
    /// Returns whether there was such a question: its connection may have ended. One that was asked before the policy changed
    /// is asked again.
    pub fn authorize(&mut self, now: Instant, question: QuestionId, verdict: Verdict) -> bool {
        self.advance(now);
        let Some(id) = question.connection else {
            return self.review_answered(question, verdict)
                || self.kept_answered(question, verdict)
                || self.will_answered(question, verdict.is_allowed);
        };
        let (epoch, most) = (self.epoch, usize::from(self.config.limits.remembered_topics));
        let Some(connection) = self.connections.named_mut(id) else {
            return false;
        };
        let verdicts = &mut connection.verdicts;
        let Some((what, asked)) = connection.parked.iter_mut().find_map(|parked| {
            let what = &parked.what;
            let asked = parked
                .asked
                .iter_mut()
                .find(|asked| asked.number == question.number && asked.answer.is_none());
            asked.map(|asked| (what, asked))
        }) else {
            return false;
        };
        asked.answer = Some(verdict.is_allowed);
        if asked.epoch == epoch {
            match what {
                Waiting::Publish(received) => {
                    let forgotten = verdicts.remember_publish(epoch, &received.message.topic, verdict, most);
                    self.figures.topics_forgotten = self.figures.topics_forgotten.saturating_add(forgotten);
                }
                _ => verdicts.remember_subscribe(epoch, verdict),
            }
        }
        self.take_parked(id.slot);
        self.serve(id.slot);
        true
    }

    /// Who may do what is not what it was.
    ///
    /// - An answer that was given before, for more than one packet, counts no more; a packet that waits with one is asked
    ///   about again in its turn.
    /// - With [`Ask::subscribe`](super::Ask), all subscriptions that are there are asked about again, whether or not their
    ///   clients are connected: each once, by [`BrokerEvent::MaySubscribe`], those of connected clients first, and at most
    ///   [`BrokerLimits::reviews`](super::BrokerLimits) at a time. Until all answers about a session are there, messages to
    ///   it wait in its queue, and its retained messages where they are kept; only what was sent before is sent again.
    /// - A subscription that is refused ends as by UNSUBSCRIBE, and [`BrokerEvent::Revoked`] says so; MQTT has no packet
    ///   that would tell the client. When the session has all its answers, a message that was never sent is dropped and
    ///   counted if none of the session's subscriptions matches it any more. One that came by a group goes to another member.
    /// - With [`Ask::publish`](super::Ask), all retained messages that clients have published, wills too, are asked about
    ///   again, by [`BrokerEvent::MayPublish`] with the name of the publisher, whether or not it has a session; after the
    ///   subscriptions, and within the same bound. Until the answer is there, no new subscriber gets the message: its replay
    ///   waits. One that is refused is dropped, and [`BrokerEvent::RetainedRevoked`] says so. Nobody who has it is told, since
    ///   MQTT has no packet that would take it back.
    /// - What was published before, and was not retained, stays published.
    ///
    /// What the host itself has subscribed to or had retained is its own, and not asked about; nor is a retained message of a
    /// store whose records have no names of publishers, as an earlier version wrote them.
    ///
    /// Of [several machines](super::Shards), each is told of the change.
    pub fn policy_changed(&mut self, now: Instant) {
        self.advance(now);
        self.tell_policy();
        self.begin_review();
    }

    /// Asks what has to be asked about a packet.
    pub(super) fn ask(&mut self, slot: u32, what: &Waiting) -> Vec<Asked> {
        match what {
            // One that is refused in its turn is not asked about.
            Waiting::Publish(received) if self.config.ask.publish && self.takes_topic(&received.message.topic) => {
                let epoch = self.epoch;
                let Some(connection) = self.connections.get_mut(slot) else {
                    return Vec::new();
                };
                let known = connection.verdicts.of_publish(epoch, &received.message.topic);
                let (id, session) = (connection.id, connection.session);
                let asked = match known {
                    Some(_) => self.answered(known),
                    None => {
                        let who = self.party_of(session);
                        self.ask_about(Some(id), &who, &received.message)
                    }
                };
                alloc::vec![asked]
            }
            Waiting::Subscribe { filters, .. } if self.config.ask.subscribe => {
                let epoch = self.epoch;
                let Some(connection) = self.connections.get_mut(slot) else {
                    return Vec::new();
                };
                let known = connection.verdicts.of_subscribe(epoch);
                let (id, session) = (connection.id, connection.session);
                let who = self.party_of(session);
                let mut asked = Vec::new();
                for subscription in filters.iter() {
                    asked.push(match known {
                        Some(_) => self.answered(known),
                        None => {
                            let filter = subscription.filter.to_owned();
                            self.ask_to_subscribe(id, &who, filter, subscription.options.qos)
                        }
                    });
                }
                asked
            }
            _ => Vec::new(),
        }
    }

    const fn answered(&self, answer: Option<bool>) -> Asked {
        Asked {
            number: 0,
            epoch: self.epoch,
            answer,
        }
    }

    fn ask_to_subscribe(
        &mut self,
        connection: ConnectionId,
        who: &Party,
        filter: TopicFilter<Bytes>,
        qos: QoS,
    ) -> Asked {
        self.asked = self.asked.saturating_add(1);
        self.told.push_back(BrokerEvent::MaySubscribe {
            question: QuestionId {
                number: self.asked,
                connection: Some(connection),
            },
            connection: Some(connection),
            client_id: who.shared_client_id(),
            owner: who.shared_owner(),
            filter,
            qos,
        });
        Asked {
            number: self.asked,
            epoch: self.epoch,
            answer: None,
        }
    }

    /// The policy has changed since the packet whose turn it is was asked about: it is asked about again. Whether it waits.
    pub(super) fn asks_again(&mut self, slot: u32) -> bool {
        let epoch = self.epoch;
        let Some(connection) = self.connections.get_mut(slot) else {
            return false;
        };
        let is_old = |asked: &Asked| asked.epoch != epoch;
        if !connection
            .parked
            .front()
            .is_some_and(|parked| parked.asked.iter().any(is_old))
        {
            return false;
        }
        let Some(mut parked) = connection.parked.pop_front() else {
            return false;
        };
        parked.asked = self.ask(slot, &parked.what);
        let waits = !parked.is_answered();
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.parked.push_front(parked);
        }
        waits
    }

    /// Asks about what an earlier connection has left.
    pub(super) fn ask_parked(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let mut parked = core::mem::take(&mut connection.parked);
        for item in parked.iter_mut() {
            item.asked = self.ask(slot, &item.what);
        }
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.parked = parked;
        }
        self.take_parked(slot);
    }

    pub(super) fn party_of(&self, session: u32) -> Party {
        let entry = self.sessions.get(session);
        entry.map(|entry| entry.who.clone()).unwrap_or_default()
    }

    pub(super) fn name_of(&self, session: u32) -> Bytes {
        let entry = self.sessions.get(session);
        entry.map(|entry| entry.who.shared_client_id()).unwrap_or_default()
    }
}
