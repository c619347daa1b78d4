//! What is kept of a retained message.

use bytes::Bytes;
use mqtt_proto::TopicName;

use super::agenda::Who;
use super::party::Party;
use super::records::{BrokerKey, BrokerRecord, Origin, PayloadId};
use super::retained::RetainedLimits;
use super::{Broker, BrokerBound, BrokerLimits};
use crate::Message;
use crate::qos::message_record;
use crate::time::Instant;

/// Payloads up to this may share memory with others, which they would keep from being freed.
const COPIED_BYTES: usize = 4096;

/// What the host publishes below this tells of one life of the broker, and is not stored.
const FIGURES: &[u8] = b"$SYS/";

/// A retained message.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) message: Message,
    pub(super) expires_at: Option<Instant>,
    pub(super) payload_id: Option<PayloadId>,
    /// Who published it; its names are shared with its session. `None`: the host did, or nobody knows.
    pub(super) publisher: Option<Party>,
    pub(super) consent: Consent,
    /// Which message it is. Who was subscribed when it came has got it as one that is published.
    pub(super) origin: Origin,
}

/// What the host has said of a retained message, if it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Nothing that counts.
    Unknown,
    /// It is asked, with this question.
    Asked(u64),
    /// Yes, by the policy with this number.
    Given(u64),
}

impl Kept {
    /// What a subscriber gets of it, with what is left of its time.
    pub(super) fn copy(&self, now: Instant) -> Message {
        let mut copy = self.message.clone();
        copy.expiry_seconds = self.expires_at.map(|at| now.seconds_until(at));
        // [MQTT-3.3.1-8]
        copy.retain = true;
        copy
    }

    /// Whether the host has still to say whether it stays. `policy`: the one that it is asked about messages by, if it is.
    pub(super) fn awaits_consent(&self, policy: Option<u64>) -> bool {
        let has_it = |policy| self.publisher.is_none() || self.consent == Consent::Given(policy);
        policy.is_some_and(|policy| !has_it(policy))
    }
}

impl BrokerLimits {
    pub(super) fn retained(&self) -> RetainedLimits {
        RetainedLimits {
            messages: crate::flow::size(self.retained_messages),
            bytes: self.retained_bytes,
        }
    }
}

impl Broker {
    /// The last message of a topic is kept; an empty one takes it away. [MQTT-3.3.1-5, MQTT-3.3.1-6]
    pub(super) fn retain(&mut self, message: &mut Message, publisher: Option<Party>, consent: Consent, origin: Origin) {
        if message.payload.is_empty() {
            if let Some(kept) = self.retained.remove(&message.topic) {
                self.forget_retained(kept.payload_id, &message.topic);
            }
            return;
        }
        // It may stay for long: it takes no more memory than its own. All copies of the message share it.
        if message.payload.len() <= COPIED_BYTES {
            message.payload = Bytes::copy_from_slice(&message.payload);
        }
        let expires_at = message.expiry_seconds.map(|seconds| self.now.after_seconds(seconds));
        let is_passing = publisher.is_none() && message.topic.as_bytes().starts_with(FIGURES);
        if is_passing {
            self.forget_stored(&message.topic);
        }
        let is_stored = self.journal.is_enabled() && !is_passing;
        let payload_id = is_stored.then(|| self.journal.share(&message.payload));
        let kept = Kept {
            message: message.clone(),
            expires_at,
            payload_id,
            publisher: publisher.clone(),
            consent,
            origin,
        };
        if self.keep(kept) {
            if let Some(payload) = payload_id {
                let record = message_record(message, expires_at, None);
                self.journal.put(|| BrokerRecord::Retained {
                    message: record,
                    payload,
                    publisher,
                    origin,
                });
            }
        } else {
            self.figures.retained_refused = self.figures.retained_refused.saturating_add(1);
            let publisher = publisher.map(|publisher| publisher.shared_client_id());
            self.hit(BrokerBound::Retained, publisher.unwrap_or_default());
        }
    }

    /// Keeps a message in place of the one that its topic had. Returns whether there was room.
    pub(super) fn keep(&mut self, mut kept: Kept) -> bool {
        let topic = owned(&kept.message.topic);
        let message = &mut kept.message;
        message.topic = topic.clone();
        message.properties = message.properties.as_view().to_owned();
        let name = kept.publisher.as_ref().map_or(0, Party::len) as u64;
        let pinned = message
            .size()
            .saturating_add(size_of::<Kept>() as u64)
            .saturating_add(name);
        let (payload_id, expires_at) = (kept.payload_id, kept.expires_at);
        let (has_room, gone) = match self.retained.set(topic.clone(), kept, pinned, expires_at) {
            Ok(earlier) => (true, earlier.and_then(|kept| kept.payload_id)),
            Err(_) => (false, payload_id),
        };
        if let Some(payload) = gone {
            self.journal.release(payload);
        }
        self.arm_retained();
        self.kept_changed(&topic);
        has_room
    }

    pub(super) fn forget_retained(&mut self, payload_id: Option<PayloadId>, topic: &TopicName<Bytes>) {
        if let Some(payload) = payload_id {
            self.journal.delete(|| BrokerKey::Retained(owned(topic)));
            self.journal.release(payload);
        }
        self.kept_changed(topic);
    }

    /// What is retained for a topic stays in memory alone.
    fn forget_stored(&mut self, topic: &TopicName<Bytes>) {
        let kept = self.retained.get_mut(topic);
        if let Some(payload) = kept.and_then(|kept| kept.payload_id.take()) {
            self.journal.delete(|| BrokerKey::Retained(owned(topic)));
            self.journal.release(payload);
        }
    }

    pub(super) fn arm_retained(&mut self) {
        let at = self.retained.next_expiry();
        self.agenda.arm(Who::Retained, &mut self.retained_armed, at);
    }
}

/// A topic that keeps no other memory from being freed.
fn owned(topic: &TopicName<Bytes>) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).unwrap_or_else(|_| topic.clone())
}
