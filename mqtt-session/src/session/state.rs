//! The state of a session and what is done with it, whether or not there is a connection.

#[cfg(feature = "broker")]
mod holding;
mod inbox;
#[cfg(feature = "broker")]
mod withdrawal;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use mqtt_proto::{PacketId, PropertyId};

#[cfg(feature = "broker")]
pub(crate) use holding::Holding;

use super::SessionEvent;
use crate::fingerprint::Fingerprint;
use crate::journal::{Journal, Ticket};
use crate::message::{DeliveryId, HandOver, Message, Received};
use crate::op::{Limit, Op, Outcome, PublishError};
#[cfg(feature = "broker")]
use crate::qos::Withdrawn;
use crate::qos::{Ended, Incoming, Loss, LossCursor, Outgoing};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::store::{Batch, Key, SessionRecord};
use crate::time::Instant;
use crate::timers::{Timeout, Timer, earlier};
use crate::{Limits, WhenFull};

/// How many delivery numbers one record sets aside.
const DELIVERY_BLOCK: u64 = 1024;

/// How a session is to behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) limits: Limits,
    pub(crate) hand_over: HandOver,
    pub(crate) when_full: WhenFull,
    pub(crate) loss: Loss,
    /// Received messages of QoS 0 beyond the bound for events are dropped.
    pub(crate) drops_plain: bool,
    /// Messages may carry subscription identifiers, as only those of a server do.
    pub(crate) names_subscriptions: bool,
    /// A tag names a group whose other members get the message when the session ends.
    #[cfg(feature = "broker")]
    pub(crate) shares: bool,
}

/// Everything that outlives a connection.
#[derive(Clone, Debug)]
pub(crate) struct SessionState {
    /// The same for all sessions of a broker.
    pub(crate) manner: Shared<Manner>,
    pub(crate) journal: Journal,
    pub(crate) generation: u32,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    /// Delivery numbers below this one are set aside, as soon as the store has that.
    delivery_floor: u64,
    floor_ticket: Ticket,
    /// Whether there is a record of the session, or one on its way.
    is_written: bool,
    /// Whether the session outlives its connection, as the record says.
    is_kept: bool,
    /// Messages that are told when the store has them.
    inbox: VecDeque<(Ticket, Received)>,
    /// What few sessions ever have.
    aside: Option<Box<Aside>>,
    /// Whether the last connection could say why something is refused.
    pub(crate) may_refuse: bool,
    pub(crate) now: Instant,
}

/// What few sessions ever have, and then for a while.
#[derive(Clone, Debug, Default)]
struct Aside {
    /// Messages that the inbox has no room for. They are neither told nor acknowledged, so the Receive Maximum bounds them;
    /// and what else comes is read on.
    crowded_out: VecDeque<(Received, Option<PacketId>)>,
    /// Damaged records that ended the session. They stay until the peer has been told: a restart before that has to find
    /// the damage again.
    damaged: Vec<Key>,
    /// What the session had for groups when it ended.
    #[cfg(feature = "broker")]
    left_to_groups: Vec<Withdrawn>,
}

#[cfg(feature = "broker")]
impl Aside {
    fn is_empty(&self) -> bool {
        self.crowded_out.is_empty() && self.damaged.is_empty() && self.left_to_groups.is_empty()
    }
}

impl SessionState {
    pub(crate) fn new(manner: Shared<Manner>, is_stored: bool, now: Instant) -> Self {
        Self {
            outgoing: Outgoing::new(manner.limits.packet_ids),
            manner,
            journal: Journal::new(is_stored),
            generation: 1,
            incoming: Incoming::new(),
            delivery_floor: 1,
            floor_ticket: Ticket::NONE,
            is_written: false,
            is_kept: false,
            inbox: VecDeque::new(),
            aside: None,
            may_refuse: true,
            now,
        }
    }

    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.journal();
        self.outgoing.fingerprint(mark);
        self.incoming.fingerprint(mark);
        mark.number(self.incoming.next_delivery() < self.delivery_floor);
        mark.ticket(self.floor_ticket);
        mark.count(self.inbox.len());
        for (ticket, received) in &self.inbox {
            mark.ticket(*ticket);
            mark.bytes(received.message.topic.as_bytes());
            mark.bytes(&received.message.payload);
        }
        let crowded_out = || self.aside.iter().flat_map(|aside| &aside.crowded_out);
        mark.count(crowded_out().count());
        for (received, _) in crowded_out() {
            mark.bytes(received.message.topic.as_bytes());
            mark.bytes(&received.message.payload);
        }
    }

    pub(crate) const fn op(&self, key: u32, serial: u64) -> Op {
        Op {
            session: self.generation,
            key,
            serial,
        }
    }

    // ---- messages on their way out

    /// Whether there is room for a message of so many bytes, or can be made. It is to be queued then. All sessions of a broker
    /// together have so many bytes `left`.
    ///
    /// A message is looked at before it is handed on, since it is large.
    #[inline]
    pub(crate) fn admit<E: From<SessionEvent>>(
        &mut self,
        message: &Message,
        bytes: u64,
        left: u64,
        told: &mut Queue<E>,
    ) -> Result<(), PublishError> {
        if !message.properties.is_empty() {
            self.allow_properties(message)?;
        }
        if self.outgoing.room(bytes, &self.manner.limits, left).is_err() {
            self.make_room(bytes, left, told)?;
        }
        Ok(())
    }

    #[cold]
    fn make_room<E: From<SessionEvent>>(
        &mut self,
        bytes: u64,
        left: u64,
        told: &mut Queue<E>,
    ) -> Result<(), PublishError> {
        if bytes > self.manner.limits.queued_bytes {
            return Err(PublishError::QueueFull(Limit::QueuedBytes));
        }
        // What gives way here is left to this session.
        let most = left.saturating_add(self.outgoing.bytes());
        if bytes > most {
            return Err(PublishError::QueueFull(Limit::QueuedBytesOfAll));
        }
        let left = |outgoing: &Outgoing| most.saturating_sub(outgoing.bytes());
        while let Err(limit) = self.outgoing.room(bytes, &self.manner.limits, left(&self.outgoing)) {
            let when = self.manner.when_full;
            let Some((key, ended)) = self.outgoing.displace(when, &mut self.journal) else {
                return Err(PublishError::QueueFull(limit));
            };
            self.tell_end(key, &ended, || Outcome::Dropped(limit), told);
        }
        Ok(())
    }

    /// Queues a message that has room.
    #[inline(always)]
    pub(crate) fn queue(&mut self, message: Message, bytes: u64, source_bytes: Option<u32>, tag: u64) -> Op {
        let expires_at = message.expiry_seconds.map(|seconds| self.now.after_seconds(seconds));
        let (key, serial) = self
            .outgoing
            .insert(message, bytes, source_bytes, tag, expires_at, &mut self.journal);
        self.op(key, serial)
    }

    fn allow_properties(&self, message: &Message) -> Result<(), PublishError> {
        let own = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval];
        let of_servers = [PropertyId::SubscriptionIdentifier];
        let forbidden = of_servers
            .iter()
            .filter(|_| !self.manner.names_subscriptions)
            .chain(&own);
        match forbidden.copied().find(|id| message.properties.has(*id)) {
            Some(id) => Err(PublishError::PropertyNotAllowed(id)),
            None => Ok(()),
        }
    }

    pub(crate) fn cancel<E: From<SessionEvent>>(&mut self, op: Op, told: &mut Queue<E>) -> bool {
        if op.session != self.generation {
            return false;
        }
        match self.outgoing.cancel(op.key, op.serial, &mut self.journal) {
            Some(ended) => {
                self.tell_end(op.key, &ended, || Outcome::Cancelled, told);
                true
            }
            None => false,
        }
    }

    /// From `at` on the operation is late. Whether there is such an operation.
    pub(crate) fn set_deadline(&mut self, op: Op, at: Instant) -> bool {
        op.session == self.generation && self.outgoing.set_deadline(op.key, op.serial, at)
    }

    #[inline]
    pub(crate) fn tell_end<E: From<SessionEvent>>(
        &self,
        key: u32,
        ended: &Ended,
        outcome: impl FnOnce() -> Outcome,
        told: &mut Queue<E>,
    ) {
        if ended.has_op() {
            self.tell_outcome(key, ended.serial, ended.tag, outcome, told);
        }
    }

    #[inline]
    pub(crate) fn tell_outcome<E: From<SessionEvent>>(
        &self,
        key: u32,
        serial: u64,
        tag: u64,
        outcome: impl FnOnce() -> Outcome,
        told: &mut Queue<E>,
    ) {
        let op = self.op(key, serial);
        // Outcomes are large: this one is put together where it stays.
        told.push_with(|| {
            let outcome = outcome();
            SessionEvent::Completed { op, tag, outcome }.into()
        });
    }

    /// Ends messages that expired before they were sent, and tells which operations are late.
    #[inline]
    pub(crate) fn expire<E: From<SessionEvent>>(&mut self, told: &mut Queue<E>) {
        if self.outgoing.has_deadlines() {
            self.expire_due(told);
        }
    }

    fn expire_due<E: From<SessionEvent>>(&mut self, told: &mut Queue<E>) {
        while let Some((key, ended)) = self.outgoing.expire(self.now, &mut self.journal) {
            self.tell_end(key, &ended, || Outcome::Expired, told);
        }
        while let Some((key, serial, tag)) = self.outgoing.late(self.now) {
            let op = self.op(key, serial);
            told.push_with(|| SessionEvent::Late { op, tag }.into());
        }
    }

    /// When the next message expires or operation is late.
    #[inline(never)]
    pub(crate) fn next_deadline(&self) -> Option<Timeout> {
        let [expiry, late] = [
            (Timer::Expiry, self.outgoing.next_expiry()),
            (Timer::Late, self.outgoing.next_deadline()),
        ]
        .map(|(timer, at)| at.map(|at| Timeout { at, timer }));
        earlier(expiry, late)
    }

    /// Gives back the memory of what holds nothing.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        self.journal.rest();
        self.outgoing.rest();
        self.incoming.rest();
        crate::rest::queue(&mut self.inbox);
        self.aside.take_if(|aside| aside.is_empty());
    }

    // ---- the store

    /// From here on the session, of which nothing is known yet, is kept in a store.
    #[cfg(feature = "broker")]
    pub(crate) fn keep_in_store(&mut self) {
        self.journal = Journal::new(true);
    }

    /// Whether there may be something for the store.
    #[cfg(feature = "broker")]
    pub(crate) fn has_changes(&self) -> bool {
        self.journal.is_enabled() && (self.journal.has_open() || self.outgoing.waits_for_id())
    }

    /// Takes what is to be stored together. What the window has room for gets its identifiers before, so that these do
    /// not wait for a batch of their own.
    pub(crate) fn take_batch(&mut self, batch: &mut Batch) -> bool {
        if self.journal.is_enabled() {
            self.outgoing.assign(&mut self.journal);
        }
        self.journal.take(batch)
    }

    /// Batches up to this one are durable.
    pub(crate) fn stored<E: From<SessionEvent>>(&mut self, upto: u64, told: &mut Queue<E>) {
        self.journal.stored(upto);
        while let Some((ticket, received)) = self.inbox.pop_front() {
            if !self.journal.is_stored(ticket) {
                self.inbox.push_front((ticket, received));
                break;
            }
            told.push_with(|| SessionEvent::Message(received).into());
        }
    }

    /// Messages that an earlier life left in the inbox are told again.
    pub(crate) fn tell_again<E: From<SessionEvent>>(&mut self, message: Message, delivery: u64, told: &mut Queue<E>) {
        self.incoming.restore_inbox(delivery);
        let received = Received {
            message,
            delivery: Some(DeliveryId::from_number(delivery)),
            redelivered: true,
            came_at: self.now,
        };
        told.push_with(|| SessionEvent::Message(received).into());
    }

    pub(crate) fn restore(&mut self, record: &SessionRecord) {
        self.generation = record.generation;
        self.is_written = true;
        self.is_kept = record.is_kept;
        self.delivery_floor = record.delivery_floor;
        self.incoming.skip_deliveries(record.delivery_floor);
        self.advance(record.saved_at);
    }

    /// These damaged records have ended the session.
    pub(crate) fn ends_by(&mut self, damaged: Vec<Key>) {
        for key in &damaged {
            if let Key::Outgoing(serial) = key {
                self.outgoing.skip_serial(*serial);
            }
        }
        if !damaged.is_empty() {
            self.aside.get_or_insert_default().damaged = damaged;
        }
    }

    fn take_damaged(&mut self) -> Vec<Key> {
        let aside = self.aside.as_mut();
        aside
            .map(|aside| core::mem::take(&mut aside.damaged))
            .unwrap_or_default()
    }

    /// What the session had for groups when it ended.
    #[cfg(feature = "broker")]
    pub(crate) fn take_left_to_groups(&mut self) -> Vec<Withdrawn> {
        let aside = self.aside.as_mut();
        aside
            .map(|aside| core::mem::take(&mut aside.left_to_groups))
            .unwrap_or_default()
    }

    /// Another session has begun for good, and what was damaged is not needed any more. That session has a record of its own
    /// in the place of a damaged one: delivery numbers that may have been told are not used again.
    pub(crate) fn forget_damage(&mut self) {
        for key in self.take_damaged() {
            if key != Key::Session {
                self.journal.delete(|| key);
            }
        }
    }

    /// The session is over: nothing of it is kept but what stands in the inbox, which is the host's. [MQTT-4.1.0-2]
    pub(crate) fn end<E: From<SessionEvent>>(&mut self, told: &mut Queue<E>) {
        #[cfg(feature = "broker")]
        self.leave_to_groups();
        while let Some((key, ended)) = self.outgoing.remove_first(&mut self.journal) {
            self.tell_end(key, &ended, || Outcome::SessionLost, told);
        }
        self.incoming.lose(&mut self.journal);
        for key in self.take_damaged() {
            self.journal.delete(|| key);
        }
        self.journal.delete(|| Key::Session);
        self.is_written = false;
    }

    /// The peer has no session for us. [MQTT-3.2.2-5]
    pub(crate) fn lose<E: From<SessionEvent>>(&mut self, told: &mut Queue<E>) {
        let mut cursor = LossCursor::Start;
        while let Some((key, ended)) = self
            .outgoing
            .lose_next(self.manner.loss, &mut cursor, &mut self.journal)
        {
            self.tell_end(key, &ended, || Outcome::SessionLost, told);
        }
        self.incoming.lose(&mut self.journal);
    }
}
