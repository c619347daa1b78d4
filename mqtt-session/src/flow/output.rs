//! What a flow sends: answers first, then messages.

use core::num::NonZeroU16;

use mqtt_proto::{
    Delivery, Packet, PubAck, PubComp, PubRec, PubRel, PubRelReason, PublishHead, PublishProperties, SharedPublish,
    Version,
};

use super::{Flow, MICROS, OWN_PROPERTIES, Reply, Traffic};
use crate::alias::Alias;
use crate::op::Outcome;
use crate::outbox::Outbox;
use crate::qos::Ack;
use crate::time::Instant;

impl<E: From<Traffic>> Flow<E> {
    /// Acknowledgements and releases: what may never wait for quota. [MQTT-4.9.0-3]
    pub(crate) fn transmit_answers(&mut self, outbox: &mut Outbox) {
        let version = self.link.version;
        while outbox.has_room() {
            if let Some(ack) = self.incoming.next_ack(&self.journal) {
                match ack {
                    Ack::PubAck(id, reason) => write(
                        &Packet::PubAck(PubAck::new(id, reason).for_version(version)),
                        version,
                        outbox,
                    ),
                    Ack::PubRec(id, reason) => write(
                        &Packet::PubRec(PubRec::new(id, reason).for_version(version)),
                        version,
                        outbox,
                    ),
                }
            } else if let Some(reply) = self.next_reply() {
                self.write_reply(reply, outbox);
            } else if let Some((key, id)) = self.outgoing.next_release(&self.journal) {
                self.outgoing.released(key);
                write(&Packet::PubRel(PubRel::new(id, PubRelReason::Success)), version, outbox);
            } else {
                return;
            }
        }
    }

    fn next_reply(&mut self) -> Option<Reply> {
        match self.link.replies.front() {
            Some(Reply::PubComp(_, _, ticket)) if !self.journal.is_stored(*ticket) => None,
            _ => self.link.replies.pop_front(),
        }
    }

    fn write_reply(&mut self, reply: Reply, outbox: &mut Outbox) {
        let version = self.link.version;
        match reply {
            Reply::PubRel(id, reason) => write(
                &Packet::PubRel(PubRel::new(id, reason).for_version(version)),
                version,
                outbox,
            ),
            Reply::PubComp(id, reason, _) => {
                self.incoming.completed(id);
                write(
                    &Packet::PubComp(PubComp::new(id, reason).for_version(version)),
                    version,
                    outbox,
                );
            }
        }
    }

    /// Messages, as far as window, store and outbox allow.
    pub(crate) fn transmit_messages(&mut self, outbox: &mut Outbox) {
        self.expire();
        while outbox.has_room() {
            let Some(key) = self.outgoing.next_publish(&mut self.journal) else {
                return;
            };
            match self.write_publish(key, outbox) {
                Ok(()) => {
                    if let Some(exchange) = self.outgoing.published(key) {
                        self.tell_end(key, &exchange, Outcome::Sent);
                    }
                }
                Err(outcome) => self.give_up(key, outcome),
            }
        }
    }

    fn give_up(&mut self, key: u32, outcome: Outcome) {
        match self.outgoing.give_up(key, &mut self.journal) {
            Some(given_up) if !given_up.told => self.tell_outcome(key, given_up.serial, given_up.tag, outcome),
            _ => {}
        }
    }

    fn write_publish(&mut self, key: u32, outbox: &mut Outbox) -> Result<(), Outcome> {
        let limit = self.link.peer_packet_bytes;
        let version = self.link.version;
        let Some(exchange) = self.outgoing.get(key) else {
            return Ok(());
        };
        let Some(message) = exchange.message() else {
            return Ok(());
        };
        let delivery = match exchange.id() {
            None => Delivery::AtMostOnce,
            Some(id) => Delivery::first(message.qos, id).with_dup(exchange.repeated),
        };
        let expiry = exchange
            .expires_at
            .filter(|_| version.has_properties())
            .map(|at| self.seconds_until(at));
        let alias = self.link.send_aliases.choose(message.topic.as_bytes());
        let (number, topic) = match alias {
            Alias::None => (None, Some(message.topic.as_view())),
            Alias::New(number) => (Some(number), Some(message.topic.as_view())),
            Alias::Known(number) => (Some(number), None),
        };
        let mut own = [0; OWN_PROPERTIES];
        let head = PublishHead {
            delivery,
            retain: message.retain,
            topic,
            own: own_properties(&mut own, expiry, number),
        };
        // Towards MQTT 3 the properties of a message that waited are left out.
        let properties = if version.has_properties() {
            message.properties.as_view()
        } else {
            PublishProperties::empty()
        };
        let too_large = |bytes: usize| Outcome::TooLarge {
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            limit,
        };
        let shared =
            SharedPublish::new(version, properties, &message.payload[..]).map_err(|_| too_large(usize::MAX))?;
        let (_, total) = shared.encoded_len(&head).map_err(|_| too_large(usize::MAX))?;
        if u32::try_from(total).unwrap_or(u32::MAX) > limit {
            return Err(too_large(total));
        }
        shared
            .encode_head_to(&head, outbox.buffer())
            .map_err(|_| too_large(total))?;
        let [properties, payload] = shared.parts();
        outbox.buffer().extend_from_slice(properties);
        if payload.len() > usize::try_from(self.manner.limits.inline_bytes).unwrap_or(usize::MAX) {
            outbox.share(message.payload.clone());
        } else {
            outbox.buffer().extend_from_slice(payload);
        }
        self.link.send_aliases.commit(message.topic.as_bytes(), alias);
        Ok(())
    }

    /// What is left until then, rounded up, and never nothing. [MQTT-3.3.2-6]
    fn seconds_until(&self, at: Instant) -> u32 {
        let left = at.saturating_since(self.now).as_micros().div_ceil(MICROS);
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }

    /// Ends messages that expired before they were sent.
    pub(crate) fn expire(&mut self) -> bool {
        let mut any = false;
        while let Some((key, exchange)) = self.outgoing.expire(self.now, &mut self.journal) {
            self.tell_end(key, &exchange, Outcome::Expired);
            any = true;
        }
        any
    }
}

/// Writes a packet that always fits.
pub(crate) fn write(packet: &Packet<&[u8]>, version: Version, outbox: &mut Outbox) {
    // These packets exist in every version, and memory grows as needed.
    let written = packet.encode_to(version, outbox.buffer());
    debug_assert!(written.is_ok(), "{packet:?} cannot be encoded: {written:?}");
}

/// The properties of a PUBLISH that belong to this connection alone.
pub(super) fn own_properties(
    buffer: &mut [u8],
    expiry: Option<u32>,
    alias: Option<NonZeroU16>,
) -> PublishProperties<&[u8]> {
    if expiry.is_none() && alias.is_none() {
        return PublishProperties::empty();
    }
    let mut builder = PublishProperties::build_in(buffer);
    if let Some(seconds) = expiry {
        builder = builder.message_expiry(seconds);
    }
    if let Some(alias) = alias {
        builder = builder.topic_alias(alias.get());
    }
    builder.build().unwrap_or_default()
}
