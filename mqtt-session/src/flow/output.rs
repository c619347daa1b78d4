//! What a flow sends: answers first, then messages.

use mqtt_proto::{Delivery, PacketId, PubAck, PubComp, PubRec, PubRel, PubRelReason};

use super::outline::Outline;
use super::{Flow, Reply, Tells, size};
use crate::alias::Alias;
use crate::op::Outcome;
use crate::outbox::Outbox;
use crate::qos::Ack;

/// Writes an acknowledgement, which always fits. Not by way of `Packet`, which would bring in the encoders of all packets.
macro_rules! write {
    ($packet:ident, $id:expr, $reason:expr, $version:expr, $outbox:expr) => {{
        let (id, reason): (PacketId, _) = ($id, $reason);
        if reason.value() == 0 {
            $outbox.buffer().extend_from_slice(&$packet::bare(id));
        } else {
            let packet: $packet<&[u8]> = $packet::new(id, reason).for_version($version);
            let written = packet.encode_to($version, $outbox.buffer());
            debug_assert!(written.is_ok(), "{packet:?} cannot be encoded: {written:?}");
        }
        $outbox.count(1);
    }};
}

impl<E: Tells> Flow<E> {
    /// Acknowledgements and releases: what may never wait for quota. [MQTT-4.9.0-3]
    pub(crate) fn transmit_answers(&mut self, outbox: &mut Outbox) {
        let version = self.link.version;
        while outbox.has_room() {
            if let Some(ack) = self.session.incoming.next_ack(&self.session.journal) {
                match ack {
                    Ack::PubAck(id, reason) => write!(PubAck, id, reason, version, outbox),
                    Ack::PubRec(id, reason) => write!(PubRec, id, reason, version, outbox),
                }
            } else if let Some(reply) = self.next_reply() {
                self.write_reply(reply, outbox);
            } else if let Some((key, id)) = self.session.outgoing.next_release(&self.session.journal) {
                self.session.outgoing.released(key);
                write!(PubRel, id, PubRelReason::Success, version, outbox);
            } else {
                return;
            }
        }
    }

    fn next_reply(&mut self) -> Option<Reply> {
        match self.link.replies.front() {
            Some(Reply::PubComp(_, _, ticket)) if !self.session.journal.is_stored(*ticket) => None,
            Some(Reply::PubRel(_, _, Some(release))) if !self.session.outgoing.is_released(*release) => None,
            _ => self.link.replies.pop_front(),
        }
    }

    fn write_reply(&mut self, reply: Reply, outbox: &mut Outbox) {
        let version = self.link.version;
        match reply {
            Reply::PubRel(id, reason, _) => write!(PubRel, id, reason, version, outbox),
            Reply::PubComp(id, reason, _) => {
                self.session.incoming.completed(id);
                write!(PubComp, id, reason, version, outbox);
            }
        }
    }

    /// Messages, as far as window, store and outbox allow. Whether one was given up: it may have been sent before, and has to be
    /// released then, for which nobody may poll again.
    #[must_use]
    pub(crate) fn transmit_messages(&mut self, outbox: &mut Outbox) -> bool {
        #[cfg(feature = "broker")]
        self.transmit_frames(outbox);
        if self.session.outgoing.len() == 0 {
            return false;
        }
        self.expire();
        while self.session.outgoing.has_due() && outbox.has_room() {
            // Each message of QoS 0 that is sent is told: no more of them than are heard.
            let with_plain = self.events.len() < size(self.session.manner.limits.events).max(1);
            let next = self
                .session
                .outgoing
                .next_publish(with_plain, &mut self.session.journal);
            let Some(key) = next else { return false };
            match self.write_publish(key, outbox) {
                Ok(Some(payload_bytes)) => {
                    self.begin_source(key, payload_bytes);
                    if !self.transmit_source(outbox) {
                        return false;
                    }
                }
                Ok(None) => {
                    if let Some(ended) = self.session.outgoing.published(key) {
                        self.session.tell_end(key, &ended, || Outcome::Sent, &mut self.events);
                    }
                }
                Err(outcome) => {
                    self.give_up(key, outcome);
                    return true;
                }
            }
        }
        false
    }

    pub(super) fn give_up(&mut self, key: u32, outcome: Outcome) {
        match self.session.outgoing.give_up(key, &mut self.session.journal) {
            Some(given_up) if !given_up.told => {
                self.session
                    .tell_outcome(key, given_up.serial, given_up.tag, || outcome, &mut self.events);
            }
            _ => {}
        }
    }

    /// Writes a message, or its head if its payload comes from a source: then the length of that is returned.
    fn write_publish(&mut self, key: u32, outbox: &mut Outbox) -> Result<Option<u32>, Outcome> {
        let Some(exchange) = self.session.outgoing.get(key) else {
            return Ok(None);
        };
        let Some(message) = exchange.message() else {
            return Ok(None);
        };
        // It may have waited since before the server said so.
        let allowed = self.link.capabilities.allow_publish(message.qos, message.retain);
        allowed.map_err(Outcome::NotSupported)?;
        let delivery = match exchange.id() {
            None => Delivery::AtMostOnce,
            Some(id) => Delivery::first(message.qos, id).with_dup(exchange.repeated),
        };
        let expiry = exchange.expires_at.map(|at| self.session.now.seconds_until(at));
        let aliases = self.link.send_aliases.as_ref();
        let mut alias = aliases.map_or(Alias::None, |aliases| aliases.choose(message.topic.as_bytes()));
        let (number, with_topic) = match alias {
            Alias::None => (None, true),
            Alias::New(number) => (Some(number), true),
            Alias::Known(number) => (Some(number), false),
        };
        let outline = Outline {
            version: self.link.version,
            delivery,
            message,
            with_topic,
            expiry,
            alias: number,
            source_bytes: exchange.source_bytes,
        };
        let limit = self.link.peer_packet_bytes;
        let is_inline = message.payload.len() <= size(self.session.manner.limits.inline_bytes);
        let whole = if is_inline {
            outline.write_whole(limit, outbox.buffer())
        } else {
            None
        };
        let is_whole = whole.is_some();
        let mut written = whole.unwrap_or_else(|| outline.write(limit, outbox.buffer()));
        if written.is_err() && matches!(alias, Alias::New(_)) {
            // The alias is this end's choice, and its first use makes the packet longer. [MQTT-3.1.2-25]
            alias = Alias::None;
            let plain = Outline { alias: None, ..outline };
            written = plain.write(limit, outbox.buffer());
        }
        written.map_err(|bytes| Outcome::TooLarge { bytes, limit })?;
        outbox.count_messages(1);
        if !is_whole && exchange.source_bytes.is_none() {
            if is_inline {
                outbox.buffer().extend_from_slice(&message.payload);
            } else {
                outbox.share(message.payload.clone());
            }
        }
        if let Some(aliases) = &mut self.link.send_aliases {
            aliases.commit(message.topic.as_bytes(), alias);
        }
        Ok(exchange.source_bytes)
    }
}
