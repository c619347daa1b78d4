//! The client: from CONNECT to the last acknowledgement, over any number of connections.

mod authentication;
mod config;
mod ending;
mod event;
mod handshake;
mod input;
mod output;
mod request;
mod restore;

pub use authentication::AuthenticateError;
pub use config::{Authentication, CleanStart, ClientConfig};
pub use event::Event;
pub use request::RequestError;
pub use restore::ClientRestore;

use bytes::Bytes;
use mqtt_proto::{Disconnect, DisconnectReason, PubAckReason, ReasonCode, Rules};

use crate::capabilities::Capabilities;
use crate::fingerprint::Fingerprint;
use crate::flow::Flow;
use crate::pacing::Pacing;
use crate::random::Random;
use crate::session::Manner;
use crate::shared::Shared;
use crate::store::Batch;
use crate::time::Instant;
use crate::timers::{Timeout, Timer, earlier};
use crate::wire::Wire;
use crate::{AcknowledgeError, Closed, DeliveryId, Message, Op, PublishError, SupplyError};
use request::Requests;

/// A client: one session with one server, over any number of connections.
///
/// There are four kinds of methods.
///
/// - **Inputs** tell what happened outside: `handle_*`. They return nothing.
/// - **Commands** say what the host wants: [`publish`](Self::publish), [`subscribe`](Self::subscribe) and so on. What they
///   refuse has changed nothing.
/// - **Outputs** say what is to be done: [`poll_store`](Self::poll_store), [`poll_transmit`](Self::poll_transmit),
///   [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout). They may be asked in any order and at any
///   time.
/// - **Questions** change nothing.
///
/// # The contract
///
/// 1. No input panics.
/// 2. What the server does wrong ends the connection with one [`Event::Closed`], the last event of that connection. The
///    bytes of a farewell may still be to be sent: [`is_drained`](Self::is_drained).
/// 3. Any split of the input gives the same outputs.
/// 4. [`poll_timeout`](Self::poll_timeout) is one deadline or none; [`handle_timeout`](Self::handle_timeout) moves it.
/// 5. Time is what the host says; it never goes back here. The same inputs give the same outputs.
/// 6. Everything is bounded: see [`Limits`](crate::Limits).
/// 7. Input is taken in whole packets, or in chunks of a large payload; what is left stays with the driver.
///    [`input_room`](Self::input_room) is 0 only while the host owes something: events to be polled, batches to be stored,
///    and before MQTT 5.0 messages to be acknowledged. Output is never the reason. Meanwhile deadlines that wait for the server stand still.
///    Messages of QoS 0 that the host does not keep up with are dropped, and told as one [`Event::Dropped`].
/// 8. Output goes into an [`Outbox`](crate::Outbox) of the driver, as far as it has room; the rest waits. What is in there and
///    is not taken for [`stall_timeout`](crate::Limits::stall_timeout) ends the connection. A message of QoS 0 counts as sent
///    when it is in the outbox.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    flow: Flow<Event>,
    phase: Phase,
    /// The name that the server gave a client without one.
    assigned_id: Option<Bytes>,
    /// The server may have a session that this client knows all about.
    may_resume: bool,
    /// The session ends with the connection, as one that began anew does before MQTT 5.0. [MQTT-3.1.2-6]
    is_passing: bool,
    rules: Rules,
    requests: Requests,
    capabilities: Capabilities,
    /// As asked for, or as the server has said.
    keep_alive_seconds: u16,
    /// How long the session outlives the connection: as asked for, or as the server has said.
    session_expiry_seconds: u32,
    wire: Wire,
    pacing: Pacing,
    random: Random,
    ping_due: bool,
    turn: authentication::Turn,
    /// The host wants to end the connection when everything is done.
    leaving: Option<Disconnect<Bytes>>,
}

/// What the client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no stream, and none is wanted yet.
    Idle,
    /// A stream was asked for.
    Opening,
    /// CONNECT is on its way.
    Connecting,
    Connected,
    /// The connection has ended; its last bytes may still have to leave.
    Ending,
    /// The host has ended it, or trying again cannot help.
    Stopped,
}

impl Client {
    /// A client that has no session yet. It asks for a stream at once.
    #[must_use]
    pub fn new(config: ClientConfig, now: Instant) -> Self {
        let manner = Manner {
            limits: config.limits,
            hand_over: config.hand_over,
            when_full: config.when_full,
            loss: config.loss,
            drops_plain: true,
            names_subscriptions: false,
            #[cfg(feature = "broker")]
            shares: false,
        };
        let mut wire = Wire::new();
        wire.timers.set(Timer::Reconnect, now);
        let mut client = Self {
            flow: Flow::new(Shared::new(manner), config.is_stored, now),
            phase: Phase::Idle,
            assigned_id: None,
            may_resume: false,
            is_passing: false,
            rules: Rules::new(config.version),
            requests: Requests::new(config.limits.requests),
            capabilities: Capabilities::default(),
            keep_alive_seconds: config.keep_alive_seconds,
            session_expiry_seconds: config.session_expiry_seconds,
            wire,
            pacing: Pacing::new(config.reconnect),
            random: Random::new(config.seed),
            ping_due: false,
            turn: authentication::Turn::Nobody,
            leaving: None,
            config,
        };
        client.fire(now);
        client
    }

    /// A client that goes on with what an earlier life has stored.
    #[must_use]
    pub fn restore(config: ClientConfig, now: Instant) -> ClientRestore {
        ClientRestore::new(config, now)
    }

    // ---- inputs

    /// A stream to the server is open.
    pub fn handle_open(&mut self, now: Instant) {
        self.advance(now);
        if matches!(self.phase, Phase::Connecting | Phase::Connected | Phase::Stopped) {
            return;
        }
        self.begin();
    }

    /// No stream could be opened. With `may_succeed_later` another one is asked for after a while.
    pub fn handle_open_failed(&mut self, now: Instant, may_succeed_later: bool) {
        self.advance(now);
        if self.phase != Phase::Opening {
            return;
        }
        self.phase = Phase::Idle;
        let retry_at = if may_succeed_later {
            self.pacing.failed(self.flow.now(), &mut self.random)
        } else {
            None
        };
        self.schedule(retry_at);
        let reason = Closed::NotOpened;
        self.flow.tell(Event::Closed { reason, retry_at });
    }

    /// The stream has ended: the other end closed it, or an error did.
    pub fn handle_eof(&mut self, now: Instant) {
        self.advance(now);
        match self.phase {
            Phase::Connecting | Phase::Connected => self.end(Closed::StreamEnded, None),
            _ => {}
        }
        self.gone();
    }

    /// A deadline may have passed: see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.fire(now);
    }

    /// The batches up to this one are stored.
    pub fn handle_stored(&mut self, now: Instant, upto: u64) {
        self.advance(now);
        self.flow.on_stored(upto);
    }

    /// The store has failed: nothing more can be promised. The connection ends, and no other is opened.
    pub fn handle_store_failed(&mut self, now: Instant) {
        self.advance(now);
        let farewell = Disconnect::new(DisconnectReason::ImplementationSpecificError);
        if matches!(self.phase, Phase::Connecting | Phase::Connected) {
            self.end(Closed::StoreFailed, Some(farewell));
        }
        self.phase = if self.phase == Phase::Ending {
            Phase::Ending
        } else {
            Phase::Stopped
        };
        self.wire.timers.clear(Timer::Reconnect);
    }

    // ---- commands

    /// Sends a message. It ends in one `Completed` event with the tag.
    ///
    /// # Errors
    /// If it can never be sent, or there is no room for it. Nothing has changed then.
    pub fn publish(&mut self, now: Instant, message: Message, tag: u64) -> Result<Op, PublishError> {
        self.advance(now);
        self.may_publish(&message)?;
        let bytes = self.flow.admit(&message, None, u64::MAX)?;
        Ok(self.flow.session.queue(message, bytes, None, tag))
    }

    /// Sends a message whose payload the host gives in parts, when [`Event::PayloadWanted`] asks for them. The payload of
    /// `message` itself is not looked at.
    ///
    /// Only one part is in memory at a time. The payload is asked for again from its beginning on a new connection, and
    /// after a restart: the store has everything of the message but this.
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
        self.may_publish(&message)?;
        let (message, source_bytes) = (message.without_payload(), Some(payload_bytes));
        let bytes = self.flow.admit(&message, source_bytes, u64::MAX)?;
        Ok(self.flow.session.queue(message, bytes, source_bytes, tag))
    }

    fn may_publish(&self, message: &Message) -> Result<(), PublishError> {
        if self.leaving.is_some() || self.phase == Phase::Stopped {
            return Err(PublishError::Closed);
        }
        if self.phase == Phase::Connected {
            self.capabilities.allow(message)?;
        }
        Ok(())
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
            self.end(Closed::SourceFailed, None);
        }
        Ok(())
    }

    /// From `at` on an [`Event::Late`] says that the operation goes on. Returns whether there is such an operation.
    ///
    /// A deadline ends nothing: a message that may have been sent cannot be taken back, and its identifier stays in use.
    pub fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        self.advance(now);
        if op.key == request::KEY {
            return self.requests.set_deadline(op, at);
        }
        self.flow.session.set_deadline(op, at)
    }

    /// Ends a message, SUBSCRIBE or UNSUBSCRIBE that was not sent yet. Returns whether it could.
    pub fn cancel(&mut self, now: Instant, op: Op) -> bool {
        self.advance(now);
        if op.key == request::KEY {
            return self.cancel_request(op);
        }
        self.flow.cancel(op)
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
        let reason = if self.config.version.has_properties() {
            reason
        } else {
            PubAckReason::Success.into()
        };
        self.flow.session.acknowledge(delivery, reason)
    }

    /// Ends the connection when everything that waits has been sent and acknowledged, and opens no other.
    pub fn disconnect(&mut self, now: Instant) {
        self.disconnect_with(now, Disconnect::new(DisconnectReason::NormalDisconnection));
    }

    /// The same, with a reason and properties.
    pub fn disconnect_with(&mut self, now: Instant, farewell: Disconnect<Bytes>) {
        self.advance(now);
        match self.phase {
            Phase::Connected => self.leaving = Some(farewell),
            Phase::Connecting => self.end(Closed::ByHost(farewell.reason), None),
            _ => {}
        }
        if self.phase != Phase::Connected {
            self.stop();
        }
    }

    /// Ends the connection at once. What is in flight stays in the session.
    pub fn abort(&mut self, now: Instant) {
        self.advance(now);
        if matches!(self.phase, Phase::Connecting | Phase::Connected) {
            let reason = DisconnectReason::NormalDisconnection;
            let farewell = (self.phase == Phase::Connected).then(|| Disconnect::new(reason));
            self.end(Closed::ByHost(reason), farewell);
        }
        self.stop();
    }

    /// Asks for a stream again after the client has stopped.
    pub fn reconnect(&mut self, now: Instant) {
        self.advance(now);
        if matches!(self.phase, Phase::Idle | Phase::Ending | Phase::Stopped) {
            self.leaving = None;
            if self.phase == Phase::Stopped {
                self.phase = Phase::Idle;
            }
            self.wire.timers.set(Timer::Reconnect, self.flow.now());
        }
    }

    // ---- outputs

    /// Takes what is to be stored together. Returns whether there is something.
    ///
    /// Everything that depends on it waits until [`handle_stored`](Self::handle_stored) names its number or a later one.
    pub fn poll_store(&mut self, batch: &mut Batch) -> bool {
        self.flow.session.take_batch(batch)
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.flow.is_told() {
            return None;
        }
        if self.stands_still() {
            return self.poll_event_at_rest();
        }
        self.flow.poll_event()
    }

    /// Takes the next event while nothing is read, which may go on with that.
    #[cold]
    fn poll_event_at_rest(&mut self) -> Option<Event> {
        let event = self.flow.poll_event();
        if !self.stands_still() {
            self.wire.goes_on();
        }
        event
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        // While the host owes something, what waits for the peer stands still.
        let first = self.wire.timers.next_unless(|| self.stands_still());
        if self.flow.session.outgoing.has_deadlines() || self.requests.len() > 0 {
            return self.earlier_deadline(first);
        }
        first
    }

    /// The first deadline, with those of operations.
    #[inline(never)]
    fn earlier_deadline(&self, first: Option<Timeout>) -> Option<Timeout> {
        let timer = Timer::Late;
        let request = self.requests.next_deadline().map(|at| Timeout { at, timer });
        earlier(earlier(first, self.flow.session.next_deadline()), request)
    }

    // ---- questions

    /// How many bytes the driver may hold that were received and not taken. Zero: it stops reading, until the host has
    /// polled its events, stored its batches or acknowledged its messages.
    #[must_use]
    pub fn input_room(&self) -> usize {
        if self.stands_still() {
            return 0;
        }
        self.flow.input_bytes()
    }

    /// Whether nothing is read, since the host owes something.
    #[inline]
    fn stands_still(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Connected) && self.flow.is_blocked()
    }

    /// Whether the connection has ended and nothing is left to be taken: the driver writes what its outbox holds, and
    /// closes the stream.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        !matches!(self.phase, Phase::Connecting | Phase::Connected) && self.wire.urgent.is_empty()
    }

    /// Whether the server has accepted the connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// What the connected server supports, as it said in CONNACK.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// A number that is the same for states that go on in the same way: for searches through all states. It leaves out what
    /// only counts, and is to be taken when all events have been polled and all batches taken.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut mark = Fingerprint::new(self.flow.now(), &self.flow.session.journal);
        mark.number(self.phase as u8);
        self.flow.fingerprint(&mut mark);
        self.wire.fingerprint(&mut mark);
        self.pacing.fingerprint(&mut mark);
        self.requests.fingerprint(&mut mark);
        mark.bytes(self.assigned_id.as_deref().unwrap_or_default());
        mark.number(self.may_resume);
        mark.number(self.keep_alive_seconds);
        mark.number(self.session_expiry_seconds);
        mark.number(self.ping_due);
        mark.number(self.turn as u8);
        mark.number(self.leaving.is_some());
        mark.finish()
    }
}
