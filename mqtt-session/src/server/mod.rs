//! One accepted connection, for those who write their own broker or proxy.

mod config;
mod ending;
mod event;
mod handshake;
#[cfg(feature = "broker")]
mod hosted;
mod input;
mod output;
mod request;

pub use config::{Accept, ServerConfig};
pub use event::{RequestId, ServerEvent};
pub use handshake::{AcceptError, AcceptErrorKind};
pub use request::AnswerError;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{
    Connect, Disconnect, DisconnectReason, PubAckReason, PublishProperties, ReasonCode, Role, Rules, Text, Version,
    Will,
};

use crate::fingerprint::Fingerprint;
use crate::flow::Flow;
use crate::journal::Ticket;
use crate::session::Manner;
use crate::shared::Shared;
use crate::store::Batch;
use crate::time::Instant;
use crate::timers::{Timeout, Timer, earlier};
use crate::wire::Wire;
use crate::{AcknowledgeError, Closed, DeliveryId, Message, Op, PublishError, Session, SupplyError};
use request::Requests;

/// One connection that a client has opened: from its first byte to the last of ours.
///
/// The methods are of the four kinds of [`Client`](crate::Client), and the contract is the same. What is different:
///
/// - The connection begins with [`new`](Self::new) and ends once. It opens no other.
/// - The host answers [`ServerEvent::Connect`]: it knows who may connect, and has the sessions. The one that it hands in with
///   [`accept`](Self::accept) can be taken with [`take_session`](Self::take_session) when the connection has ended.
/// - The host has the subscriptions: it answers [`ServerEvent::Subscribe`] and [`ServerEvent::Unsubscribe`].
///
/// ```text
///            CONNECT              accept                     DISCONNECT, violation, end of the stream
///   Waiting ─────────> Deciding ─────────> Connected ─────────────────────────────────────────────────> Ended
///                        │   ▲ AUTH                                                                        ▲
///           authenticate ▼   │             refuse_client                                                   │
///                      Authenticating      ────────────────────────────────────────────────────────────────┘
/// ```
///
/// # Takeover
///
/// A client that connects again while its earlier connection is still there goes on with its session. The host ends the
/// earlier one with [`disconnect`](Self::disconnect) and `SessionTakenOver`, takes its session, and accepts with it. The
/// earlier peer is not waited for.
#[derive(Clone, Debug)]
pub struct ServerConnection {
    /// The same for all connections of a broker.
    config: Shared<ServerConfig>,
    flow: Flow<ServerEvent>,
    phase: Phase,
    version: Version,
    rules: Rules,
    wire: Wire,
    /// CONNECT, until it is answered.
    connect: Option<Box<Connect<Bytes>>>,
    /// CONNACK, until the store has what it promises.
    connack: Option<Box<(Vec<u8>, Ticket)>>,
    will: Option<Box<Will<Bytes>>>,
    method: Option<Box<Text<Bytes>>>,
    /// The client has begun to authenticate again: the next step is the host's.
    host_authenticates: bool,
    /// The same: the next step is the client's.
    client_authenticates: bool,
    /// The client takes reasons in words.
    says_problems: bool,
    keep_alive_seconds: u16,
    session_expiry_seconds: u32,
    requests: Requests,
    has_session: bool,
    /// The host wants nothing read for a while.
    is_paused: bool,
    /// Packets that were read, and not yet counted by the broker.
    #[cfg(feature = "broker")]
    packets: u32,
    /// When the stream was accepted; after the end of the connection, when that was.
    since: Instant,
    /// The last event has been polled. What the session tells after it is polled from there.
    is_told_closed: bool,
}

/// What the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// CONNECT is awaited.
    Waiting,
    /// The host is to answer CONNECT, or a step of its authentication.
    Deciding,
    /// The next step of the authentication is the client's.
    Authenticating,
    Connected,
    Ended,
}

impl ServerConnection {
    /// A connection whose stream has been accepted.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        let manner = Shared::new(config.session.manner());
        Self::with(Shared::new(config), manner, now)
    }

    /// The same with what other connections have too.
    pub(crate) fn with(config: Shared<ServerConfig>, manner: Shared<Manner>, now: Instant) -> Self {
        let limits = config.session.limits;
        let mut wire = Wire::new();
        let until = limits.handshake_timeout.min(limits.admission_timeout);
        wire.timers.set(Timer::Handshake, now.saturating_add(until));
        Self {
            flow: Flow::new(manner, config.session.is_stored, now),
            phase: Phase::Waiting,
            version: Version::V5,
            rules: Rules::new(Version::V5)
                .sent_by(Role::Client)
                .limit(limits.connect_bytes.min(limits.packet_bytes))
                .policy(config.policy),
            wire,
            connect: None,
            connack: None,
            will: None,
            method: None,
            host_authenticates: false,
            client_authenticates: false,
            says_problems: true,
            keep_alive_seconds: 0,
            session_expiry_seconds: 0,
            requests: Requests::new(),
            has_session: false,
            is_paused: false,
            #[cfg(feature = "broker")]
            packets: 0,
            since: now,
            is_told_closed: false,
            config,
        }
    }

    fn rules_of(&self, version: Version) -> Rules {
        Rules::new(version)
            .sent_by(Role::Client)
            .limit(self.config.session.limits.packet_bytes)
            .policy(self.config.policy)
    }

    // ---- inputs

    /// The stream has ended: the other end closed it, or an error did.
    pub fn handle_eof(&mut self, now: Instant) {
        self.advance(now);
        if self.phase != Phase::Ended {
            self.end(Closed::StreamEnded);
        }
        self.wire.urgent.clear();
        self.wire.timers.clear(Timer::Linger);
    }

    /// A deadline may have passed: see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        for _ in 0..self.config.session.limits.timers_per_call.max(1) {
            let Some(timer) = self.wire.timers.due(self.flow.now()) else {
                break;
            };
            self.wire.timers.clear(timer);
            self.on_timer(timer);
        }
        self.flow.expire();
    }

    /// The batches up to this one are stored.
    pub fn handle_stored(&mut self, now: Instant, upto: u64) {
        self.advance(now);
        self.flow.on_stored(upto);
    }

    /// The store has failed: nothing more can be promised. The connection ends.
    pub fn handle_store_failed(&mut self, now: Instant) {
        self.advance(now);
        if self.connack.take().is_some() {
            // Nothing was said yet, and there is nothing to say that the store would have to know.
            self.wire.urgent.clear();
            return self.end(Closed::StoreFailed);
        }
        self.end_with(Closed::StoreFailed, DisconnectReason::ImplementationSpecificError);
    }

    // ---- commands

    /// Sends a message to the client. It ends in one `Completed` event with the tag. MQTT 3 gets it without its properties.
    ///
    /// # Errors
    /// If it can never be sent, there is no room for it, or there is no session. Nothing has changed then.
    pub fn publish(&mut self, now: Instant, message: Message, tag: u64) -> Result<Op, PublishError> {
        self.publish_within(now, message, tag, u64::MAX)
    }

    /// The same, of one of the sessions of a broker that have so many bytes left together.
    #[inline]
    fn publish_within(&mut self, now: Instant, message: Message, tag: u64, left: u64) -> Result<Op, PublishError> {
        self.advance(now);
        if self.phase != Phase::Connected {
            return Err(PublishError::Closed);
        }
        let message = self.bridged(message);
        let bytes = self.flow.admit(&message, None, left)?;
        Ok(self.flow.session.queue(message, bytes, None, tag))
    }

    /// Sends a message whose payload the host gives in parts, when [`ServerEvent::PayloadWanted`] asks for them. The payload
    /// of `message` itself is not looked at.
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
        self.advance(now);
        if self.phase != Phase::Connected {
            return Err(PublishError::Closed);
        }
        let (message, source_bytes) = (self.bridged(message.without_payload()), Some(payload_bytes));
        let bytes = self.flow.admit(&message, source_bytes, u64::MAX)?;
        Ok(self.flow.session.queue(message, bytes, source_bytes, tag))
    }

    /// The message as the version of the client can carry it.
    fn bridged(&self, mut message: Message) -> Message {
        if !self.version.has_properties() {
            message.properties = PublishProperties::empty();
        }
        message
    }

    /// Gives the next part of a payload, which begins at `offset`: what `PayloadWanted` named is said again here, so that no
    /// answer to a question of an earlier connection stands in the wrong place.
    ///
    /// # Errors
    /// If it is not wanted, begins elsewhere, is empty or too long. Nothing has changed then.
    pub fn supply(&mut self, now: Instant, op: Op, offset: u32, part: impl Into<Bytes>) -> Result<(), SupplyError> {
        self.advance(now);
        self.flow.supply(op, offset, part.into())?;
        self.wire.timers.clear(Timer::Source);
        Ok(())
    }

    /// The payload of this operation cannot be given: it ends with [`Outcome::SourceFailed`](crate::Outcome). If its packet
    /// has begun, the connection ends too.
    ///
    /// # Errors
    /// If there is no such operation with a source. Nothing has changed then.
    pub fn fail_source(&mut self, now: Instant, op: Op) -> Result<(), SupplyError> {
        self.advance(now);
        if self.flow.give_up_source(op)? {
            self.end(Closed::SourceFailed);
        }
        Ok(())
    }

    /// Ends a message that was never sent. Returns whether it could.
    pub fn cancel(&mut self, now: Instant, op: Op) -> bool {
        self.advance(now);
        self.flow.cancel(op)
    }

    /// From `at` on a [`ServerEvent::Late`] says that the operation goes on. Returns whether there is such an operation.
    pub fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        self.advance(now);
        self.flow.session.set_deadline(op, at)
    }

    /// A received message has been handed over.
    ///
    /// # Errors
    /// If there is no such delivery. Nothing has changed then.
    pub fn acknowledge(&mut self, now: Instant, delivery: DeliveryId) -> Result<(), AcknowledgeError> {
        self.refuse(now, delivery, PubAckReason::Success.into())
    }

    /// A received message is refused with this reason. MQTT 3 cannot say so: there it is acknowledged and dropped.
    ///
    /// # Errors
    /// If there is no such delivery, it cannot be refused, or no acknowledgement can carry the reason. Nothing has changed
    /// then.
    pub fn refuse(&mut self, now: Instant, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.advance(now);
        let reason = if self.version.has_properties() {
            reason
        } else {
            PubAckReason::Success.into()
        };
        self.flow.session.acknowledge(delivery, reason)
    }

    /// Ends the connection. MQTT 5.0 is told why.
    pub fn disconnect(&mut self, now: Instant, farewell: Disconnect<Bytes>) {
        self.advance(now);
        if self.phase == Phase::Ended {
            return;
        }
        let reason = farewell.reason;
        if self.phase == Phase::Connected && !self.flow.is_in_packet() {
            self.write_farewell(farewell);
        }
        self.end(Closed::ByHost(reason));
    }

    /// The session of a connection that has ended. What was told and not polled goes with it; only a message in chunks of
    /// which the end was not polled counts as cut short, and comes again.
    ///
    /// One that does not outlive its connection has ended: see [`Session::has_ended`].
    ///
    /// `None` if the connection goes on, was never accepted, or the session has been taken.
    pub fn take_session(&mut self) -> Option<Session> {
        if self.phase != Phase::Ended || !core::mem::take(&mut self.has_session) {
            return None;
        }
        let fresh = Flow::new(Shared::clone(&self.flow.session.manner), false, self.flow.now());
        let flow = core::mem::replace(&mut self.flow, fresh);
        let (mut session, rest) = flow.into_session(ServerEvent::to_session_event);
        for event in rest {
            let event = match event {
                ServerEvent::MessageEnd {
                    delivery: Some(delivery),
                } => {
                    session.state.incoming.withdraw(delivery.number());
                    ServerEvent::MessageAborted
                }
                other => other,
            };
            self.flow.tell(event);
        }
        session.outlives(self.since, self.session_expiry_seconds);
        Some(session)
    }

    // ---- outputs

    /// Takes what is to be stored together. Returns whether there is something.
    ///
    /// Everything that depends on it waits until [`handle_stored`](Self::handle_stored) names its number or a later one.
    pub fn poll_store(&mut self, batch: &mut Batch) -> bool {
        self.flow.session.take_batch(batch)
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        if self.is_told_closed || self.flow.is_told() {
            return None;
        }
        self.is_told_closed = matches!(self.flow.next_event(), Some(ServerEvent::Closed { .. }));
        if self.waits_for_host() {
            return self.poll_event_at_rest();
        }
        self.flow.poll_event()
    }

    /// Takes the next event while nothing is read, which may go on with that.
    #[cold]
    fn poll_event_at_rest(&mut self) -> Option<ServerEvent> {
        let event = self.flow.poll_event();
        if !self.waits_for_host() {
            self.wire.goes_on();
        }
        event
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        // While the host owes something, what waits for the peer stands still.
        let first = self.wire.timers.next_unless(|| self.waits_for_host());
        if !self.flow.session.outgoing.has_deadlines() {
            return first;
        }
        earlier(first, self.flow.session.next_deadline())
    }

    // ---- questions

    /// How many bytes the driver may hold that were received and not taken. Zero: it stops reading, until the host has
    /// answered, polled its events, stored its batches or acknowledged its messages.
    #[must_use]
    pub fn input_room(&self) -> usize {
        if self.stands_still() { 0 } else { self.held() }
    }

    /// Whether nothing is read, since the host owes something.
    #[inline]
    fn stands_still(&self) -> bool {
        if self.phase == Phase::Connected {
            return self.owes_answers();
        }
        self.phase == Phase::Deciding
    }

    /// Whether deadlines of the client stand still. One that is not accepted yet has its time whoever is to say something.
    #[inline]
    fn waits_for_host(&self) -> bool {
        self.phase == Phase::Connected && self.owes_answers()
    }

    /// The largest packet that is held in one piece.
    fn held(&self) -> usize {
        let limits = &self.config.session.limits;
        match self.phase {
            Phase::Waiting => crate::flow::size(limits.connect_bytes.min(limits.packet_bytes)).max(5),
            _ => self.flow.input_bytes(),
        }
    }

    /// Whether the host owes so much that nothing more is read.
    #[inline]
    fn owes_answers(&self) -> bool {
        self.is_paused
            || self.flow.is_blocked()
            || self.requests.len() >= usize::from(self.config.session.limits.requests.max(1))
    }

    /// Whether the connection has ended and nothing is left to be taken: the driver writes what its outbox holds, and
    /// closes the stream.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.phase == Phase::Ended && self.wire.urgent.is_empty()
    }

    /// Whether the host has accepted the client.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// The version that the client speaks, from its CONNECT on.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        (self.phase != Phase::Waiting).then_some(self.version)
    }

    /// A number that is the same for states that go on in the same way: for searches through all states. It leaves out what
    /// only counts, and is to be taken when all events have been polled and all batches taken.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut mark = Fingerprint::new(self.flow.now(), &self.flow.session.journal);
        mark.number(self.phase as u8);
        mark.number(self.version.level());
        self.flow.fingerprint(&mut mark);
        self.wire.fingerprint(&mut mark);
        self.requests.fingerprint(&mut mark);
        if let Some((connack, ticket)) = self.connack.as_deref() {
            mark.bytes(connack);
            mark.ticket(*ticket);
        }
        mark.number(self.will.is_some());
        mark.number(self.host_authenticates);
        mark.number(self.client_authenticates);
        mark.number(self.keep_alive_seconds);
        mark.number(self.session_expiry_seconds);
        mark.number(self.has_session);
        mark.number(self.is_paused);
        mark.finish()
    }
}
