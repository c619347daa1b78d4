//! Messages on their way out across the end of a session, and across a restart.

use mqtt_proto::{PacketId, QoS};

use super::{Ended, Exchange, Outgoing};
use crate::journal::{Journal, Ticket};
use crate::message::Message;
use crate::slab::Links;
use crate::time::Instant;

/// What becomes of messages in flight when the peer has lost the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// QoS 1 goes again as new; QoS 2 ends with [`Outcome::SessionLost`](crate::Outcome), since it may have arrived.
    #[default]
    RepeatAtLeastOnce,
    /// QoS 1 and QoS 2 go again as new: a message of QoS 2 may arrive twice.
    RepeatAll,
    /// Both end with [`Outcome::SessionLost`](crate::Outcome).
    EndAll,
}

impl Loss {
    const fn repeats(self, qos: QoS) -> bool {
        match self {
            Self::RepeatAll => true,
            Self::RepeatAtLeastOnce => matches!(qos, QoS::AtLeastOnce),
            Self::EndAll => false,
        }
    }
}

impl Outgoing {
    /// The peer has no session any more: what was in flight goes again as new, or ends. Returns one that ended.
    pub(crate) fn lose_next(
        &mut self,
        loss: Loss,
        from: &mut LossCursor,
        journal: &mut Journal,
    ) -> Option<(u32, Ended)> {
        if let Some(key) = self.releases.head() {
            return self.remove(key, journal).map(|ended| (key, ended));
        }
        loop {
            let key = match from {
                LossCursor::Start => self.publishes.head()?,
                LossCursor::At(key) => (*key)?,
            };
            let next = self.publishes.next(&self.exchanges, key);
            *from = LossCursor::At(next);
            let exchange = self.exchanges.get(key)?;
            let id = exchange.id?;
            let qos = exchange
                .message
                .as_ref()
                .map_or(QoS::ExactlyOnce, |message| message.qos);
            if exchange.repeated && !loss.repeats(qos) {
                return self.remove(key, journal).map(|ended| (key, ended));
            }
            self.renew(key, id, journal);
        }
    }

    /// Makes a message what it was before it got its id.
    fn renew(&mut self, key: u32, id: PacketId, journal: &mut Journal) {
        self.unbind(id);
        self.identified = self.identified.saturating_sub(1);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.id = None;
            exchange.repeated = false;
            exchange.sent_on = 0;
            exchange.charged_on = 0;
            if let Some(at) = exchange.expires_at {
                self.times.get_or_insert_default().expiries.insert(key, at);
            }
        }
        // Ids are taken from the front, so the first without one is the first of all.
        self.unassigned = self.publishes.head();
        self.write(key, journal);
    }

    /// This serial is taken by a record that cannot be read.
    pub(crate) fn skip_serial(&mut self, serial: u64) {
        self.next_serial = self.next_serial.max(serial.saturating_add(1));
    }

    /// Takes over what an earlier life had stored, in the order of the serials. A message with an id may have been sent.
    pub(crate) fn restore(
        &mut self,
        serial: u64,
        tag: u64,
        id: Option<PacketId>,
        message: Option<RestoredMessage>,
    ) -> Option<u32> {
        if let Some(id) = id {
            if self.find(id).is_some() || !self.ids.reserve(id) {
                return None;
            }
        }
        let is_publish = message.is_some();
        let (message, source_bytes, expires_at) = match message {
            Some(restored) => (Some(restored.message), restored.source_bytes, restored.expires_at),
            None => (None, None, None),
        };
        self.next_serial = self.next_serial.max(serial.saturating_add(1));
        let bytes = message.as_ref().map_or(0, Message::size);
        self.bytes = self.bytes.saturating_add(bytes);
        let key = self.exchanges.insert(Exchange {
            links: Links::default(),
            serial,
            tag,
            told: false,
            id: None,
            bytes,
            message,
            source_bytes,
            expires_at,
            sent_on: 0,
            charged_on: 0,
            repeated: id.is_some(),
            ticket: Ticket::NONE,
        });
        if is_publish {
            self.publishes.push_back(&mut self.exchanges, key);
        } else {
            self.releases.push_back(&mut self.exchanges, key);
        }
        match id {
            Some(id) => {
                self.bind(key, id);
                self.identified = self.identified.saturating_add(u16::from(is_publish));
            }
            None => {
                self.unassigned = self.unassigned.or(Some(key));
                if let Some(at) = expires_at {
                    self.times.get_or_insert_default().expiries.insert(key, at);
                }
            }
        }
        Some(key)
    }
}

/// A message of an earlier life.
#[derive(Debug)]
pub(crate) struct RestoredMessage {
    pub(crate) message: Message,
    pub(crate) source_bytes: Option<u32>,
    pub(crate) expires_at: Option<Instant>,
}

/// How far [`Outgoing::lose_next`] has come.
#[derive(Debug)]
pub(crate) enum LossCursor {
    Start,
    At(Option<u32>),
}
