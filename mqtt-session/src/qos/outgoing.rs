//! Messages on their way out, from `publish` to the last acknowledgement.
//!
//! ```text
//!             id assigned        sent            PUBACK, or PUBREC with an error
//!   Queued ──────────────> PublishDue ──────> AwaitAck ───────────────────────────> done
//!                              ▲  └─────────> AwaitRec ──┐ PUBREC
//!               reconnected    └────┘                    ▼
//!                                              ReleaseDue ──────> AwaitComp ──────> done
//!                                                  ▲      sent       │     PUBCOMP
//!                                                  └─────────────────┘ reconnected
//! ```
//!
//! What was sent on an earlier connection counts as due: each exchange remembers the connection it was last sent on, so
//! that a new connection changes one number and not every exchange.
//!
//! Three lists keep the order: messages that wait for PUBACK or PUBREC in the order of `publish`, releases in the order of
//! PUBREC [MQTT-4.6.0-4], and messages of QoS 0. The first two have a cursor to the first one that is due.

mod answers;
mod exchange;
mod fingerprint;
mod lives;
mod time;
#[cfg(feature = "broker")]
mod view;
#[cfg(feature = "broker")]
mod withdrawal;

use alloc::boxed::Box;
use alloc::vec::Vec;

use mqtt_proto::{PacketId, QoS};

use crate::ids::Ids;
use crate::journal::{Journal, Ticket};
use crate::message::Message;
use crate::op::Limit;
use crate::slab::{Links, List, Slab};
use crate::store::{Key, PayloadOf, Record};
use crate::time::Instant;
use crate::{Limits, WhenFull};

pub(crate) use answers::{Answered, ReleaseMark};
pub(crate) use exchange::{Ended, Exchange, State, message_record};
pub use lives::Loss;
pub(crate) use lives::{LossCursor, RestoredMessage};
use time::Times;
#[cfg(feature = "broker")]
pub(crate) use withdrawal::{Withdrawable, Withdrawn};

const NONE: u32 = u32::MAX;

/// All messages on their way out of one session.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    exchanges: Slab<Exchange>,
    /// QoS 1 and 2 until PUBACK or PUBREC, in the order of `publish`.
    publishes: List,
    /// QoS 2 from PUBREC to PUBCOMP, in the order of PUBREC.
    releases: List,
    /// QoS 0, in the order of `publish`.
    plain: List,
    /// The first of `publishes` that was not sent on this connection.
    due_publish: Option<u32>,
    /// The first of `releases` that was not sent on this connection.
    due_release: Option<u32>,
    /// The first of `publishes` without an id. All behind it have none either.
    unassigned: Option<u32>,
    ids: Ids,
    by_id: Vec<u32>,
    /// Deadlines, which few messages have.
    times: Option<Box<Times>>,
    bytes: u64,
    next_serial: u64,
    /// The number of the connection. No two of a session have the same.
    connection: u32,
    is_connected: bool,
    /// What was never sent waits.
    is_held: bool,
    window: u16,
    /// Messages that use up the window.
    charged: u16,
    /// Of `publishes`, those with an id.
    identified: u16,
    /// Of these, those that use up the window.
    charged_publishes: u16,
}

impl Outgoing {
    pub(crate) fn new(packet_ids: u16) -> Self {
        Self {
            exchanges: Slab::new(),
            publishes: List::new(),
            releases: List::new(),
            plain: List::new(),
            due_publish: None,
            due_release: None,
            unassigned: None,
            ids: Ids::new(packet_ids.max(1)),
            by_id: Vec::new(),
            times: None,
            bytes: 0,
            next_serial: 1,
            connection: 0,
            is_connected: false,
            is_held: false,
            window: 0,
            charged: 0,
            identified: 0,
            charged_publishes: 0,
        }
    }

    pub(crate) const fn connection(&self) -> u32 {
        self.connection
    }

    pub(crate) fn len(&self) -> usize {
        self.exchanges.len()
    }

    pub(crate) fn get(&self, key: u32) -> Option<&Exchange> {
        self.exchanges.get(key)
    }

    /// A connection begins: everything in flight is due again, within the new window. [MQTT-4.4.0-1]
    pub(crate) fn connected(&mut self, window: u16) {
        self.connection = self.connection.saturating_add(1);
        self.is_connected = true;
        self.window = window;
        self.charged = 0;
        self.charged_publishes = 0;
        self.due_publish = self.publishes.head();
        self.due_release = self.releases.head();
    }

    pub(crate) fn disconnected(&mut self) {
        self.is_connected = false;
        self.window = 0;
        self.due_publish = None;
        self.due_release = None;
    }

    /// Gives back the memory of tables, if no message is on its way.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        if self.exchanges.len() == 0 {
            self.exchanges = Slab::new();
            self.by_id = Vec::new();
            self.times = None;
        }
    }

    /// An id for a SUBSCRIBE or UNSUBSCRIBE, which share the space. [U5-2.2.1-a]
    pub(crate) fn lend_id(&mut self) -> Option<PacketId> {
        self.ids.allocate()
    }

    pub(crate) fn return_id(&mut self, id: PacketId) {
        self.ids.release(id);
    }

    /// Takes a message over. The caller has made room.
    #[inline(always)]
    pub(crate) fn insert(
        &mut self,
        message: Message,
        bytes: u64,
        source_bytes: Option<u32>,
        tag: u64,
        expires_at: Option<Instant>,
        journal: &mut Journal,
    ) -> (u32, u64) {
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let qos = message.qos;
        // Nobody overtakes an older one that waits for its identifier.
        let waits = qos == QoS::AtMostOnce || self.unassigned.is_some();
        let id = if waits { None } else { self.take_id() };
        self.exchanges.make_room();
        let key = self.exchanges.put(Exchange {
            links: Links::default(),
            serial,
            tag,
            told: false,
            id,
            bytes,
            message: Some(message),
            source_bytes,
            expires_at,
            sent_on: 0,
            charged_on: 0,
            repeated: false,
            ticket: Ticket::NONE,
        });
        if let Some(at) = expires_at {
            self.times.get_or_insert_default().expiries.insert(key, at);
        }
        if qos == QoS::AtMostOnce {
            self.plain.push_back(&mut self.exchanges, key);
            return (key, serial);
        }
        self.publishes.push_back(&mut self.exchanges, key);
        match id {
            Some(id) => self.place(id, key),
            None => self.unassigned = self.unassigned.or(Some(key)),
        }
        if self.is_connected && self.due_publish.is_none() {
            self.due_publish = Some(key);
        }
        if journal.is_enabled() {
            self.write_payload(key, journal);
            self.record(key, journal);
        }
        (key, serial)
    }

    /// Whether a message of this size may be taken, and if not, what is in the way. `left` is what other sessions leave to this one.
    pub(crate) fn room(&self, size: u64, limits: &Limits, left: u64) -> Result<(), Limit> {
        if self.exchanges.len() >= usize::try_from(limits.queued_messages).unwrap_or(usize::MAX) {
            return Err(Limit::QueuedMessages);
        }
        if self.bytes.saturating_add(size) > limits.queued_bytes {
            return Err(Limit::QueuedBytes);
        }
        if size > left {
            return Err(Limit::QueuedBytesOfAll);
        }
        Ok(())
    }

    /// Makes room by giving up messages that were never sent, the oldest first.
    pub(crate) fn displace(&mut self, when: WhenFull, journal: &mut Journal) -> Option<(u32, Ended)> {
        if when == WhenFull::Refuse {
            return None;
        }
        let candidates = [self.plain.head(), self.unassigned];
        let oldest = candidates
            .into_iter()
            .flatten()
            .min_by_key(|key| self.get(*key).map_or(u64::MAX, |exchange| exchange.serial))?;
        self.remove(oldest, journal).map(|ended| (oldest, ended))
    }

    /// Whether a message waits to be sent.
    #[inline]
    pub(crate) const fn has_due(&self) -> bool {
        self.due_publish.is_some() || self.plain.head().is_some()
    }

    /// Whether a message of QoS 0 waits to be sent.
    #[cfg(feature = "broker")]
    pub(crate) const fn has_plain(&self) -> bool {
        self.plain.head().is_some()
    }

    /// How many bytes the messages take that have not ended.
    #[inline]
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is a message without an identifier.
    #[cfg(feature = "broker")]
    pub(crate) const fn waits_for_id(&self) -> bool {
        self.unassigned.is_some()
    }

    /// Gives ids to messages that the window has room for. [MQTT-2.2.1-3]
    pub(crate) fn assign(&mut self, journal: &mut Journal) {
        while self.assign_one(journal) {}
    }

    /// An identifier for one message more, if the window has room for it.
    #[inline]
    fn take_id(&mut self) -> Option<PacketId> {
        let uncharged = self.identified.saturating_sub(self.charged_publishes);
        if self.charged.saturating_add(uncharged) >= self.window {
            return None;
        }
        let id = self.ids.allocate()?;
        self.identified = self.identified.saturating_add(1);
        Some(id)
    }

    fn assign_one(&mut self, journal: &mut Journal) -> bool {
        while let Some(key) = self
            .unassigned
            .filter(|key| self.get(*key).is_some_and(|exchange| exchange.id.is_some()))
        {
            self.unassigned = self.publishes.next(&self.exchanges, key);
        }
        let Some(key) = self.unassigned else { return false };
        let Some(id) = self.take_id() else { return false };
        self.unassigned = self.publishes.next(&self.exchanges, key);
        self.bind(key, id);
        self.write(key, journal);
        true
    }

    fn bind(&mut self, key: u32, id: PacketId) {
        self.place(id, key);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.id = Some(id);
        }
    }

    /// Acknowledgements with this identifier are for this exchange.
    #[inline]
    fn place(&mut self, id: PacketId, key: u32) {
        let index = usize::from(id.get());
        if self.by_id.len() <= index {
            self.by_id.resize(index.saturating_add(1), NONE);
        }
        if let Some(place) = self.by_id.get_mut(index) {
            *place = key;
        }
    }

    fn unbind(&mut self, id: PacketId) {
        if let Some(place) = self.by_id.get_mut(usize::from(id.get())) {
            *place = NONE;
        }
        self.ids.release(id);
    }

    /// The payload stands in a record of its own, unless the host gives it.
    fn write_payload(&self, key: u32, journal: &mut Journal) {
        let exchange = self.get(key).filter(|exchange| exchange.source_bytes.is_none());
        if let Some((message, serial)) = exchange.and_then(|exchange| Some((exchange.message()?, exchange.serial))) {
            let (of, bytes) = (PayloadOf::Outgoing(serial), message.payload.clone());
            journal.put(|| Record::Payload { of, bytes });
        }
    }

    #[inline]
    fn write(&mut self, key: u32, journal: &mut Journal) {
        if journal.is_enabled() {
            self.record(key, journal);
        }
    }

    fn record(&mut self, key: u32, journal: &mut Journal) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            if let Some(record) = exchange.record() {
                exchange.ticket = journal.put(|| record);
            }
        }
    }

    /// The next message that may be sent: the oldest one that neither the window nor the store holds back, and of QoS 0 only
    /// if these are wanted.
    #[inline(always)]
    pub(crate) fn next_publish(&mut self, with_plain: bool, journal: &mut Journal) -> Option<u32> {
        if !self.is_connected {
            return None;
        }
        // With a store, identifiers are given when a batch is taken: nothing waits for a store that nobody is told of.
        if self.unassigned.is_some() && !journal.is_enabled() {
            self.assign(journal);
        }
        let acknowledged = self.due_publish.filter(|key| {
            let exchange = self.exchanges.get(*key);
            let may_go = |exchange: &Exchange| {
                exchange.id.is_some() && (exchange.repeated || !self.is_held) && journal.is_stored(exchange.ticket)
            };
            self.charged < self.window && exchange.is_some_and(may_go)
        });
        let plain = self.plain.head().filter(|_| with_plain && !self.is_held);
        match (acknowledged, plain) {
            (Some(one), Some(other)) if self.serial(other) < self.serial(one) => Some(other),
            (None, other) => other,
            (one, _) => one,
        }
    }

    fn serial(&self, key: u32) -> u64 {
        self.exchanges.get(key).map_or(u64::MAX, |exchange| exchange.serial)
    }

    /// The next PUBREL that may be sent, if the store has it.
    #[inline]
    pub(crate) fn next_release(&self, journal: &Journal) -> Option<(u32, PacketId)> {
        let key = self.due_release?;
        let exchange = self.exchanges.get(key)?;
        let id = exchange.id.filter(|_| journal.is_stored(exchange.ticket))?;
        Some((key, id))
    }

    /// The message went out. QoS 0 is done with that.
    #[inline(always)]
    pub(crate) fn published(&mut self, key: u32) -> Option<Ended> {
        if self.due_publish != Some(key) {
            return self.detach(key);
        }
        self.due_publish = None;
        if let Some(exchange) = self.exchanges.get_mut(key) {
            self.due_publish = exchange.links.next();
            exchange.sent_on = self.connection;
            exchange.charged_on = self.connection;
            exchange.repeated = true;
        }
        self.charged = self.charged.saturating_add(1);
        self.charged_publishes = self.charged_publishes.saturating_add(1);
        self.forget_expiry(key);
        None
    }

    #[inline]
    pub(crate) fn released(&mut self, key: u32) {
        self.due_release = self.releases.next(&self.exchanges, key);
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.sent_on = self.connection;
        }
    }

    fn find(&self, id: PacketId) -> Option<(u32, State, QoS)> {
        let key = *self.by_id.get(usize::from(id.get()))?;
        let exchange = self.exchanges.get(key)?;
        let qos = exchange
            .message
            .as_ref()
            .map_or(QoS::ExactlyOnce, |message| message.qos);
        Some((key, exchange.state(self.connection), qos))
    }

    /// Takes an exchange out of `publishes` and keeps the counts and cursors right. Its charge stays.
    #[inline(always)]
    fn leave_publishes(&mut self, key: u32) {
        let Some(exchange) = self.exchanges.get(key) else {
            return;
        };
        if exchange.id.is_some() {
            self.identified = self.identified.saturating_sub(1);
            if exchange.charged_on == self.connection {
                self.charged_publishes = self.charged_publishes.saturating_sub(1);
            }
        }
        let next = self.publishes.remove(&mut self.exchanges, key);
        for cursor in [&mut self.due_publish, &mut self.unassigned] {
            if *cursor == Some(key) {
                *cursor = next;
            }
        }
        self.forget_expiry(key);
    }

    /// Takes an exchange out of everything but the journal.
    #[inline(always)]
    fn detach(&mut self, key: u32) -> Option<Ended> {
        let exchange = self.exchanges.get(key)?;
        let (ended, id, size) = (exchange.ended(), exchange.id, exchange.bytes);
        let is_charged = exchange.charged_on == self.connection && self.is_connected;
        match &exchange.message {
            None => {
                if self.due_release == Some(key) {
                    self.due_release = self.releases.next(&self.exchanges, key);
                }
                self.releases.remove(&mut self.exchanges, key);
            }
            Some(message) if message.qos == QoS::AtMostOnce => {
                self.plain.remove(&mut self.exchanges, key);
                self.forget_expiry(key);
            }
            Some(_) => self.leave_publishes(key),
        }
        if let Some(id) = id {
            self.unbind(id);
        }
        self.forget_deadline(key);
        self.exchanges.remove(key);
        if is_charged {
            // Each final acknowledgement gives back one. [U5-4.9-a]
            self.charged = self.charged.saturating_sub(1);
        }
        self.bytes = self.bytes.saturating_sub(size);
        Some(ended)
    }

    /// Ends an exchange.
    #[inline]
    fn remove(&mut self, key: u32, journal: &mut Journal) -> Option<Ended> {
        let ended = self.detach(key)?;
        if !ended.is_plain() {
            journal.delete(|| Key::Outgoing(ended.serial));
            if ended.had_message() {
                journal.delete(|| Key::Payload(PayloadOf::Outgoing(ended.serial)));
            }
        }
        Some(ended)
    }

    /// Ends any of the exchanges, the first of each list first.
    pub(crate) fn remove_first(&mut self, journal: &mut Journal) -> Option<(u32, Ended)> {
        let lists = [&self.releases, &self.publishes, &self.plain];
        let key = lists.into_iter().find_map(List::head)?;
        self.remove(key, journal).map(|ended| (key, ended))
    }

    /// Ends a message that was never sent.
    pub(crate) fn cancel(&mut self, key: u32, serial: u64, journal: &mut Journal) -> Option<Ended> {
        let exchange = self.exchanges.get(key)?;
        if exchange.serial != serial || exchange.repeated || exchange.message.is_none() {
            return None;
        }
        self.remove(key, journal)
    }

    /// The exchange goes on, and nobody hears of its end.
    pub(crate) fn settle(&mut self, key: u32) {
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.told = true;
        }
    }
}
