//! Packets about messages that come in.

use core::num::NonZeroU16;

use bytes::Bytes;
use mqtt_proto::{
    Delivery, PacketId, PacketType, PropertyId, PubAckReason, PubCompReason, PubRelReason, Publish, PublishProperties,
    QoS, ReasonCode, TopicName,
};

use super::{Flow, Reply, Tells, size};
use crate::alias::AliasFault;
use crate::closed::Violation;
use crate::message::{DeliveryId, Message, Received};
use crate::op::Outcome;
use crate::qos::{Answered, Arrival};

/// Small received messages are kept together in blocks of this size.
const POOL_BYTES: usize = 4096;

impl<E: Tells> Flow<E> {
    /// A PUBLISH came in whole. `None`: it is not told. Else what was found out about it belongs into its message.
    #[inline(always)]
    pub(crate) fn on_publish(&mut self, publish: &Publish<&[u8]>) -> Result<Option<Arrived>, Violation> {
        let topic = self.resolve(publish)?;
        let arrival = match publish.delivery {
            Delivery::AtMostOnce if self.drops_plain() => return Ok(None),
            Delivery::AtMostOnce => None,
            Delivery::AtLeastOnce { id, .. } => Some(self.session.incoming.at_least_once(id)),
            Delivery::ExactlyOnce { id, .. } => Some(self.session.incoming.exactly_once(id, &self.session.journal)),
        };
        let number = match arrival {
            None => None,
            Some(Arrival::New(number)) => Some(number),
            Some(Arrival::Repeated) => return Ok(None),
            Some(Arrival::TooMany) => return Err(Violation::ReceiveMaximumExceeded),
        };
        Ok(Some(Arrived {
            topic,
            delivery: number.map(DeliveryId::from_number),
        }))
    }

    /// A message is there in whole.
    #[inline(always)]
    pub(crate) fn arrived(&mut self, kept: Kept, payload: Bytes, id: Option<PacketId>, delivery: Option<DeliveryId>) {
        self.flush_dropped();
        // Messages are large: this one is put together where it stays.
        let came_at = self.session.now;
        let received = || Received {
            message: kept.with(payload),
            delivery,
            redelivered: false,
            came_at,
        };
        if self.session.tells_at_once(delivery) {
            self.events.push_with(|| E::message(received()));
        } else {
            self.session.keep(received(), id, &mut self.events);
        }
    }

    /// Whether a message of QoS 0 is dropped, which is counted.
    pub(super) fn drops_plain(&mut self) -> bool {
        let manner = &self.session.manner;
        let drops = manner.drops_plain && self.events.len() >= size(manner.limits.events).max(1);
        if drops {
            self.dropped = self.dropped.saturating_add(1);
        }
        drops
    }

    /// What topic a PUBLISH is about, if not the one it carries. [MQTT-3.3.2-7, U5-3.3.2-b]
    #[inline(always)]
    pub(super) fn resolve(&mut self, publish: &Publish<&[u8]>) -> Result<Option<TopicName<Bytes>>, Violation> {
        match publish.properties.topic_alias() {
            None => Ok(None),
            Some(alias) => self.resolve_alias(alias, publish.topic.as_ref()),
        }
    }

    #[inline(never)]
    fn resolve_alias(
        &mut self,
        alias: NonZeroU16,
        topic: Option<&TopicName<&[u8]>>,
    ) -> Result<Option<TopicName<Bytes>>, Violation> {
        let resolved = self.link.receive_aliases.resolve(alias, topic);
        resolved.map_err(|fault| match fault {
            AliasFault::Unknown => Violation::TopicAliasUnknown,
            AliasFault::AboveMaximum => Violation::TopicAliasAboveMaximum,
        })
    }

    /// A PUBLISH in memory that a message can share: a small one beside others, a large one on its own.
    pub(crate) fn copy_frame(&mut self, frame: &[u8]) -> Bytes {
        let pool_bytes = POOL_BYTES.min(size(self.session.manner.limits.pool_bytes));
        if frame.len() > pool_bytes / 4 {
            return Bytes::copy_from_slice(frame);
        }
        if self.pool.capacity() < frame.len() {
            self.renew_pool(pool_bytes);
        }
        self.pool.extend_from_slice(frame);
        self.pool.split().freeze()
    }

    /// Makes room for more small messages. Where those of a full block are still held, another block takes turns with it.
    #[cold]
    fn renew_pool(&mut self, pool_bytes: usize) {
        if !self.pool.try_reclaim(pool_bytes) {
            core::mem::swap(&mut self.pool, self.rested_pool.get_or_insert_default());
            // Takes the memory back if all messages in it are gone.
            self.pool.reserve(pool_bytes);
        }
    }

    /// An acknowledgement that says nothing but success came in.
    #[inline(always)]
    pub(crate) fn on_bare_ack(&mut self, packet_type: PacketType, id: PacketId) -> Result<(), Violation> {
        self.on_any_ack(packet_type, id, PubAckReason::Success.into())
    }

    /// Any other one came in, which is seldom.
    #[inline(never)]
    pub(crate) fn on_ack(
        &mut self,
        packet_type: PacketType,
        id: PacketId,
        reason: ReasonCode,
    ) -> Result<(), Violation> {
        self.on_any_ack(packet_type, id, reason)
    }

    #[inline(always)]
    fn on_any_ack(&mut self, packet_type: PacketType, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        match packet_type {
            PacketType::PubAck => self.on_puback(id, reason),
            PacketType::PubRec => self.on_pubrec(id, reason),
            PacketType::PubRel => self.on_pubrel(id),
            PacketType::PubComp => self.on_pubcomp(id, reason),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn on_puback(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        if !self.is_sent(id)? {
            return Ok(());
        }
        let answered = self.session.outgoing.puback(id, &mut self.session.journal);
        self.on_answer(answered, reason).map(|_| ())
    }

    /// A PUBREC is answered by PUBREL, also one for an id that is not known, unless it refuses. [MQTT-4.3.3-4]
    #[inline(always)]
    fn on_pubrec(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        if !self.is_sent(id)? {
            return Ok(());
        }
        let is_error = reason.value() >= 0x80;
        let answered = self.session.outgoing.pubrec(id, is_error, &mut self.session.journal);
        match self.on_answer(answered, reason)? {
            Met::Repeated => self.reply_pubrel(id, PubRelReason::Success),
            Met::Nothing if !is_error => self.reply_pubrel(id, PubRelReason::PacketIdentifierNotFound),
            Met::Nothing | Met::Exchange => Ok(()),
        }
    }

    fn reply_pubrel(&mut self, id: PacketId, reason: PubRelReason) -> Result<(), Violation> {
        let behind = self.session.outgoing.last_release_due();
        self.reply(Reply::PubRel(id, reason, behind))
    }

    #[inline(always)]
    fn on_pubcomp(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        let answered = self.session.outgoing.pubcomp(id, &mut self.session.journal);
        self.on_answer(answered, reason).map(|_| ())
    }

    #[inline]
    fn on_answer(&mut self, answered: Answered, reason: ReasonCode) -> Result<Met, Violation> {
        match answered {
            Answered::Done(key, ended) => {
                // Only PUBACK and PUBREC refuse; a PUBCOMP ends the exchange whatever it says.
                let refuses = reason.value() >= 0x80 && ended.had_message();
                let outcome = || match refuses {
                    true => Outcome::Refused(reason),
                    false => Outcome::Acknowledged(reason),
                };
                self.session.tell_end(key, &ended, outcome, &mut self.events);
                Ok(Met::Exchange)
            }
            Answered::Released | Answered::NotAsked => Ok(Met::Exchange),
            Answered::Repeated => Ok(Met::Repeated),
            Answered::Unknown => Ok(Met::Nothing),
            Answered::OtherQoS => Err(Violation::AcknowledgementOfOtherQoS),
        }
    }

    #[inline(always)]
    fn on_pubrel(&mut self, id: PacketId) -> Result<(), Violation> {
        let released = self.session.incoming.pubrel(id, &mut self.session.journal);
        let reason = if released.found {
            PubCompReason::Success
        } else {
            PubCompReason::PacketIdentifierNotFound
        };
        self.reply(Reply::PubComp(id, reason, released.ticket))
    }
}

/// What was found out about a message that came in.
pub(crate) struct Arrived {
    /// The topic, if it is not the one that the PUBLISH carries.
    pub(crate) topic: Option<TopicName<Bytes>>,
    pub(crate) delivery: Option<DeliveryId>,
}

/// What a message takes from its PUBLISH, but for the payload. It shares the memory of the frame.
pub(crate) struct Kept {
    qos: QoS,
    retain: bool,
    expiry_seconds: Option<u32>,
    topic: TopicName<Bytes>,
    properties: PublishProperties<Bytes>,
}

impl Kept {
    #[inline(always)]
    pub(crate) fn of(publish: &Publish<&[u8]>, topic: Option<TopicName<Bytes>>, frame: &Bytes) -> Option<Self> {
        let topic = match (topic, &publish.topic) {
            (Some(topic), _) => topic,
            (None, Some(topic)) => topic.to_owned_in(frame),
            (None, None) => return None,
        };
        let properties = &publish.properties;
        Some(Self {
            qos: publish.delivery.qos(),
            retain: publish.retain,
            expiry_seconds: properties.message_expiry(),
            topic,
            properties: if properties.is_empty() {
                PublishProperties::empty()
            } else {
                let of_machine = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval];
                let kept = of_machine.into_iter().fold(*properties, PublishProperties::without);
                kept.to_owned_in(frame)
            },
        })
    }

    #[inline(always)]
    pub(super) fn with(self, payload: Bytes) -> Message {
        Message {
            topic: self.topic,
            payload,
            qos: self.qos,
            retain: self.retain,
            expiry_seconds: self.expiry_seconds,
            properties: self.properties,
        }
    }
}

/// What an acknowledgement met.
enum Met {
    Exchange,
    Repeated,
    Nothing,
}
