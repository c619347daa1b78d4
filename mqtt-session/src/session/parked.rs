//! A session while nobody is connected to it.

#[cfg(feature = "broker")]
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::ReasonCode;

use super::{Manner, Records, RestoreReport, SessionState};
use crate::fingerprint::Fingerprint;
use crate::qos::Loss;
#[cfg(feature = "broker")]
use crate::qos::{Withdrawable, Withdrawn};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::store::{Batch, Key, Record};
use crate::time::Instant;
use crate::timers::{Timeout, Timer, earlier};
use crate::{AcknowledgeError, DeliveryId, HandOver, Limits, Message, Op, Outcome, PublishError, Received, WhenFull};

/// What a session tells while nobody is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A message that had arrived.
    Message(Received),
    /// An operation ended.
    Completed {
        /// Which one.
        op: Op,
        /// The tag that the host gave it.
        tag: u64,
        /// How.
        outcome: Outcome,
    },
    /// The deadline of an operation has passed. It goes on.
    Late {
        /// Which one.
        op: Op,
        /// The tag that the host gave it.
        tag: u64,
    },
}

/// How a session is to behave, also while nobody is connected.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Who says that a received message was handed over.
    pub hand_over: HandOver,
    /// Whether the session is kept in a store: `poll_store` then has batches, and promises wait for them. Default no.
    pub is_stored: bool,
    /// What happens when the queue is full.
    pub when_full: WhenFull,
    /// The bounds.
    pub limits: Limits,
    /// Tags of messages name groups: see [`Manner::shares`].
    #[cfg(feature = "broker")]
    pub(crate) shares: bool,
}

impl SessionConfig {
    /// Sets [`hand_over`](Self::hand_over).
    #[must_use]
    pub const fn hand_over(mut self, hand_over: HandOver) -> Self {
        self.hand_over = hand_over;
        self
    }

    /// Sets [`is_stored`](Self::is_stored).
    #[must_use]
    pub const fn is_stored(mut self, is_stored: bool) -> Self {
        self.is_stored = is_stored;
        self
    }

    /// Sets [`when_full`](Self::when_full).
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) const fn manner(&self) -> Manner {
        Manner {
            limits: self.limits,
            hand_over: self.hand_over,
            when_full: self.when_full,
            // A client that has lost its session says so with Clean Start, and gets another session.
            loss: Loss::RepeatAtLeastOnce,
            drops_plain: false,
            names_subscriptions: true,
            #[cfg(feature = "broker")]
            shares: self.shares,
        }
    }
}

/// The session of a client that is not connected: what is on its way in both directions.
///
/// A [`ServerConnection`](crate::ServerConnection) is given one with [`Accept`](crate::Accept) and gives it back when it has
/// ended. In between messages can be queued, acknowledged and stored as on a connection. Batches have one order over all
/// connections of the session.
///
/// Subscriptions are not part of it: the host, who routes messages, has them.
///
/// ```
/// use mqtt_session::{Instant, Message, QoS, Session, SessionConfig};
/// let mut session = Session::new(&SessionConfig::default(), Instant::ZERO);
/// session.publish(Instant::ZERO, Message::new("t", "for later")?.qos(QoS::AtLeastOnce), 1).unwrap();
/// assert_eq!(session.outgoing_len(), 1);
/// # Ok::<(), mqtt_session::proto::TextError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) state: SessionState,
    /// When it is over, if nobody connects before.
    pub(crate) ends_at: Option<Instant>,
    pub(crate) has_ended: bool,
    pub(crate) told: Queue<SessionEvent>,
    /// What a broker counted it with last, of the bytes that wait in all queues.
    #[cfg(feature = "broker")]
    pub(crate) counted: u64,
}

impl Session {
    /// A session of which nothing is known yet.
    #[must_use]
    pub fn new(config: &SessionConfig, now: Instant) -> Self {
        Self::with(Shared::new(config.manner()), config.is_stored, now)
    }

    fn with(manner: Shared<Manner>, is_stored: bool, now: Instant) -> Self {
        Self {
            state: SessionState::new(manner, is_stored, now),
            ends_at: None,
            has_ended: false,
            told: Queue::new(),
            #[cfg(feature = "broker")]
            counted: 0,
        }
    }

    /// The session of a connection that has ended, and what it has to tell.
    pub(crate) const fn of(state: SessionState, told: Queue<SessionEvent>) -> Self {
        Self {
            state,
            ends_at: None,
            has_ended: false,
            told,
            #[cfg(feature = "broker")]
            counted: 0,
        }
    }

    /// Nobody is connected since then, and the session may go on for so many seconds. [MQTT-4.1.0-2]
    pub(crate) fn outlives(&mut self, since: Instant, seconds: u32) {
        if seconds != u32::MAX {
            self.ends_at = Some(since.after_seconds(seconds));
            self.advance(since);
        }
    }

    /// A session that goes on with what an earlier life has stored.
    #[must_use]
    pub fn restore(config: &SessionConfig, now: Instant) -> SessionRestore {
        Self::restore_with(Shared::new(config.manner()), now)
    }

    /// The same with what other sessions have too.
    pub(crate) fn restore_with(manner: Shared<Manner>, now: Instant) -> SessionRestore {
        SessionRestore {
            session: Self::with(manner, true, now),
            records: Records::default(),
        }
    }

    /// Queues a message for the client. It ends in one `Completed` event with the tag.
    ///
    /// # Errors
    /// If it can never be sent, there is no room for it, or the session has ended. Nothing has changed then.
    pub fn publish(&mut self, now: Instant, message: Message, tag: u64) -> Result<Op, PublishError> {
        self.queue(now, message, None, tag, u64::MAX)
    }

    /// The same, of one of the sessions of a broker that have so many bytes left together.
    #[cfg(feature = "broker")]
    pub(crate) fn publish_within(
        &mut self,
        now: Instant,
        message: Message,
        tag: u64,
        left: u64,
    ) -> Result<(), PublishError> {
        self.queue(now, message, None, tag, left).map(|_| ())
    }

    /// Queues a message whose payload is asked for when it is sent, in parts, by
    /// [`PayloadWanted`](crate::ServerEvent::PayloadWanted).
    ///
    /// # Errors
    /// As for [`publish`](Self::publish).
    pub fn publish_source(
        &mut self,
        now: Instant,
        message: Message,
        payload_bytes: u32,
        tag: u64,
    ) -> Result<Op, PublishError> {
        self.queue(now, message.without_payload(), Some(payload_bytes), tag, u64::MAX)
    }

    fn queue(
        &mut self,
        now: Instant,
        message: Message,
        source_bytes: Option<u32>,
        tag: u64,
        left: u64,
    ) -> Result<Op, PublishError> {
        self.advance(now);
        if self.has_ended {
            return Err(PublishError::Closed);
        }
        // A restart that finds messages has to find their session.
        self.state.write_down(true);
        let bytes = message.size();
        self.state.admit(&message, bytes, left, &mut self.told)?;
        Ok(self.state.queue(message, bytes, source_bytes, tag))
    }

    /// Ends a message that was never sent. Returns whether it could.
    pub fn cancel(&mut self, now: Instant, op: Op) -> bool {
        self.advance(now);
        self.state.cancel(op, &mut self.told)
    }

    /// From `at` on a `Late` event says that the operation goes on. Returns whether there is such an operation.
    pub fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        self.advance(now);
        self.state.set_deadline(op, at)
    }

    /// A received message has been handed over.
    ///
    /// # Errors
    /// If there is no such delivery. Nothing has changed then.
    pub fn acknowledge(&mut self, now: Instant, delivery: DeliveryId) -> Result<(), AcknowledgeError> {
        self.refuse(now, delivery, mqtt_proto::PubAckReason::Success.into())
    }

    /// A received message is refused with this reason. If the last connection was one of MQTT 3, which cannot say so, it is
    /// acknowledged and dropped.
    ///
    /// # Errors
    /// If there is no such delivery, it cannot be refused, or no acknowledgement can carry the reason. Nothing has changed
    /// then.
    pub fn refuse(&mut self, now: Instant, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.advance(now);
        let reason = if self.state.may_refuse {
            reason
        } else {
            mqtt_proto::PubAckReason::Success.into()
        };
        self.state.acknowledge(delivery, reason)
    }

    /// When the session ends, if nobody connects before. A connection that ends sets it, by the session expiry of its client.
    #[must_use]
    pub const fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// Sets [`ends_at`](Self::ends_at), which is not part of the records: for a session that was restored, by what the host
    /// has written down of it.
    pub const fn set_end(&mut self, ends_at: Option<Instant>) {
        self.ends_at = ends_at;
    }

    /// Whether the session has ended: its messages are lost, its records are being deleted, and no connection can go on with
    /// it. What stands in the inbox is still to be acknowledged.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(crate) fn has_ended_by(&self, now: Instant) -> bool {
        self.has_ended || self.ends_at.is_some_and(|at| at <= now)
    }

    /// Time has passed. What is due to end has ended, whether or not a timer was fired for it.
    fn advance(&mut self, now: Instant) {
        self.state.advance(now);
        if self.ends_at.is_some_and(|at| at <= self.state.now) {
            self.end();
        }
    }

    /// How many bytes the messages take that wait for the client.
    #[cfg(feature = "broker")]
    pub(crate) const fn queued_bytes(&self) -> u64 {
        self.state.outgoing.bytes()
    }

    #[cfg(feature = "broker")]
    pub(crate) fn has_changes(&self) -> bool {
        self.state.has_changes()
    }

    /// Gives back the memory of what holds nothing.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        self.state.rest();
        self.told.rest();
    }

    /// Takes messages out that were never sent and are not wanted any more.
    #[cfg(feature = "broker")]
    pub(crate) fn withdraw_unsent(&mut self, is_wanted: impl FnMut(Withdrawable<'_>) -> bool) -> Vec<Withdrawn> {
        self.state.withdraw_unsent(is_wanted)
    }

    /// What the session had for groups when it ended.
    #[cfg(feature = "broker")]
    pub(crate) fn take_left_to_groups(&mut self) -> Vec<Withdrawn> {
        self.state.take_left_to_groups()
    }

    /// It is this late: what it gives back says what is left of its time.
    #[cfg(feature = "broker")]
    pub(crate) fn tell_time(&mut self, now: Instant) {
        self.state.advance(now);
    }

    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        self.ends_at = None;
        self.state.end(&mut self.told);
    }

    /// A deadline may have passed: see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.state.expire(&mut self.told);
    }

    /// The batches up to this one are stored.
    pub fn handle_stored(&mut self, now: Instant, upto: u64) {
        self.advance(now);
        self.state.stored(upto, &mut self.told);
    }

    /// Takes what is to be stored together. Returns whether there is something.
    pub fn poll_store(&mut self, batch: &mut Batch) -> bool {
        self.state.take_batch(batch)
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let mut event = self.told.pop_front()?;
        if let SessionEvent::Message(received) = &mut event {
            received.grows_old(self.state.now);
            self.state.handed_over(&mut received.delivery);
        }
        Some(event)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        let expiry = self.ends_at.map(|at| Timeout {
            at,
            timer: Timer::SessionExpiry,
        });
        earlier(expiry, self.state.next_deadline())
    }

    /// A number that is the same for states that go on in the same way: for searches through all states. It leaves out what
    /// only counts, and is to be taken when all events have been polled and all batches taken.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut mark = Fingerprint::new(self.state.now, &self.state.journal);
        self.state.fingerprint(&mut mark);
        mark.time(self.ends_at);
        mark.number(self.has_ended);
        mark.count(self.told.len());
        mark.finish()
    }

    /// How many messages to the client have not ended.
    #[must_use]
    pub fn outgoing_len(&self) -> usize {
        self.state.outgoing.len()
    }
}

/// Takes the records of an earlier life, in any order.
#[derive(Debug)]
pub struct SessionRestore {
    session: Session,
    records: Records,
}

impl SessionRestore {
    /// Takes a record.
    pub fn record(&mut self, record: Record) {
        self.records.record(record);
    }

    /// Takes what the store has under a key, as it was encoded. What is damaged is reported.
    pub fn encoded(&mut self, key: Key, bytes: &Bytes) {
        self.records.encoded(key, bytes);
    }

    /// Something stands under this key that cannot be read.
    pub fn damaged(&mut self, key: Key) {
        self.records.damaged(key);
    }

    /// Ends restoring. If the report says that the session ended, the client is to be told that none is present. Without a
    /// record of the session itself it [has ended](Session::has_ended) too: what stands in the inbox is told again.
    #[must_use]
    pub fn finish(mut self) -> (Session, RestoreReport) {
        let is_known = self.records.has_session();
        let report = self.records.restore(&mut self.session.state, &mut self.session.told);
        if !is_known && !report.session_ended {
            self.session.end();
        }
        (self.session, report)
    }
}
