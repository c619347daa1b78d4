//! Wills: published when a connection ends without DISCONNECT, or later.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::Bytes;
use mqtt_proto::{PropertyId, PublishProperties, QoS, Will};

use super::agenda::Who;
use super::parked::Asked;
use super::party::Party;
use super::records::WillRecord;
use super::sessions::PendingWill;
use super::{Broker, BrokerBound, BrokerEvent, QuestionId};
use crate::Message;
use crate::qos::message_record;

/// Wills that wait for answers of the host.
#[derive(Debug, Default)]
pub(super) struct ParkedWills {
    waiting: VecDeque<(Asked, Party, Message)>,
}

/// The message of a will, as its publisher's connection leaves it.
fn message(will: &Will<Bytes>) -> Message {
    let mut properties = PublishProperties::<Bytes>::builder();
    let own = [PropertyId::WillDelayInterval, PropertyId::MessageExpiryInterval];
    for property in will.properties.iter().filter(|property| !own.contains(&property.id())) {
        properties = properties.property(&property);
    }
    Message {
        topic: will.topic.clone(),
        payload: Bytes::copy_from_slice(will.payload.as_bytes()),
        qos: will.qos,
        retain: will.retain,
        expiry_seconds: will.properties.message_expiry(),
        // What a will may carry, a message may carry too.
        properties: properties.build().unwrap_or_default(),
    }
}

/// What a restart has to know of the will of an open connection.
pub(super) fn record(will: &Will<Bytes>) -> WillRecord {
    let message = message(will);
    WillRecord {
        message: message_record(&message, None, None),
        expiry_seconds: message.expiry_seconds,
        payload: message.payload,
        delay_seconds: will.properties.will_delay().unwrap_or(0),
        at: None,
    }
}

impl Broker {
    /// A connection has ended and left a will: it is published, or waits for its delay. [MQTT-3.1.2-8, MQTT-3.1.3-9]
    pub(super) fn arm_will(&mut self, session: u32, will: Option<Box<Will<Bytes>>>, session_expiry_seconds: u32) {
        let Some(will) = will else {
            return;
        };
        // The earlier of both ends decides.
        let delay = will.properties.will_delay().unwrap_or(0).min(session_expiry_seconds);
        let message = message(&will);
        if delay == 0 {
            return self.publish_will(session, message);
        }
        let at = self.now.after_seconds(delay);
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.will = Some(Box::new(PendingWill { message, at }));
            self.agenda.arm(Who::Session(session), &mut entry.armed, Some(at));
        }
    }

    /// The will of a session that waits is due, or its session ends.
    pub(super) fn publish_pending_will(&mut self, session: u32) {
        let pending = self.sessions.get_mut(session).and_then(|entry| entry.will.take());
        if let Some(pending) = pending {
            self.publish_will(session, pending.message);
            self.write_client(session, None);
        }
    }

    fn publish_will(&mut self, session: u32, message: Message) {
        // A will of an earlier life may be older than this rule.
        if !self.takes_topic(&message.topic) {
            self.count_topic(session, &message.topic);
            return;
        }
        if !self.config.ask.publish {
            return self.send_will(Some(session), &self.party_of(session), message);
        }
        let Some(entry) = self.sessions.get(session) else {
            return;
        };
        let who = entry.who.clone();
        if self.wills.waiting.len() >= crate::flow::size(self.config.limits.parked_wills) {
            self.wills.waiting.pop_front();
            self.figures.wills_dropped = self.figures.wills_dropped.saturating_add(1);
            self.hit(BrokerBound::ParkedWills, who.shared_client_id());
        }
        let asked = self.ask_about(None, &who, &message);
        self.wills.waiting.push_back((asked, who, message));
    }

    fn send_will(&mut self, from: Option<u32>, who: &Party, message: Message) {
        self.figures.wills_published = self.figures.wills_published.saturating_add(1);
        let is_once = message.qos > QoS::AtMostOnce;
        let publisher = message.retain.then_some(who);
        self.route(message, from, publisher, is_once);
    }

    /// The host has said whether a will may be published. Whether there was such a question.
    pub(super) fn will_answered(&mut self, question: QuestionId, is_allowed: bool) -> bool {
        let is_it = |(asked, ..): &(Asked, Party, Message)| asked.number == question.number;
        let Some(index) = self.wills.waiting.iter().position(is_it) else {
            return false;
        };
        let Some((asked, who, message)) = self.wills.waiting.remove(index) else {
            return false;
        };
        if asked.epoch != self.epoch {
            let asked = self.ask_about(None, &who, &message);
            self.wills.waiting.push_back((asked, who, message));
        } else if is_allowed {
            // The client may have a session again: its name decides about No Local.
            let from = self.sessions.of_client(who.client_id());
            self.send_will(from, &who, message);
        } else {
            self.figures.messages_refused = self.figures.messages_refused.saturating_add(1);
        }
        true
    }

    /// Asks the host about a message.
    pub(super) fn ask_about(
        &mut self,
        connection: Option<super::ConnectionId>,
        who: &Party,
        message: &Message,
    ) -> Asked {
        self.asked = self.asked.saturating_add(1);
        let question = QuestionId {
            number: self.asked,
            connection,
        };
        self.told.push_back(BrokerEvent::MayPublish {
            question,
            connection,
            client_id: who.shared_client_id(),
            owner: who.shared_owner(),
            topic: message.topic.clone(),
            qos: message.qos,
            retain: message.retain,
            payload_bytes: message.payload.len(),
        });
        Asked {
            number: self.asked,
            epoch: self.epoch,
            answer: None,
        }
    }
}
