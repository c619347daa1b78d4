//! What the machines of both ends have in common, under one name each.

use bytes::{Bytes, BytesMut};
use mqtt_proto::{Connect, ReasonCode, Role};
use mqtt_session::{
    AcknowledgeError, Batch, Client, Closed, DeliveryId, Event, Instant, Message, Op, Outbox, Outcome, PublishError,
    Received, RequestId, ServerConnection, ServerEvent, Session, SessionEvent, SupplyError,
};

/// What either machine tells.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Open,
    Connected,
    Connect(Box<Connect<Bytes>>),
    Authenticate,
    /// A SUBSCRIBE with so many filters.
    Subscribe(RequestId, usize),
    /// An UNSUBSCRIBE with so many filters.
    Unsubscribe(RequestId, usize),
    Message(Received),
    Start,
    Chunk,
    End(Option<DeliveryId>),
    Aborted,
    Wanted(Op, u32, u32),
    Completed(Op, u64, Outcome),
    Late(u64),
    Dropped,
    Closed(Closed),
}

impl Told {
    /// Whether it can only be told while there is a connection.
    pub(super) const fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Connected
                | Self::Connect(_)
                | Self::Authenticate
                | Self::Subscribe(..)
                | Self::Unsubscribe(..)
                | Self::Start
                | Self::Chunk
                | Self::End(_)
                | Self::Aborted
                | Self::Wanted(..)
        )
    }
}

/// What is asked of a machine again and again.
pub(super) trait Outputs {
    fn poll_event(&mut self) -> Option<Told>;
    fn poll_store(&mut self, batch: &mut Batch) -> bool;
    fn poll_transmit(&mut self, outbox: &mut Outbox);
    fn next_deadline(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant);
}

/// A machine of either end.
pub(super) trait Machine: Outputs + Clone {
    const ROLE: Role;
    fn handle_input(&mut self, now: Instant, input: &mut &[u8]);
    fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut);
    fn handle_eof(&mut self, now: Instant);
    fn handle_stored(&mut self, now: Instant, upto: u64);
    fn publish(&mut self, now: Instant, message: Message, source: Option<u32>, tag: u64) -> Result<Op, PublishError>;
    fn supply(&mut self, now: Instant, op: Op, offset: u32, part: Vec<u8>) -> Result<(), SupplyError>;
    fn fail_source(&mut self, now: Instant, op: Op) -> Result<(), SupplyError>;
    fn cancel(&mut self, now: Instant, op: Op) -> bool;
    fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool;
    fn refuse(&mut self, now: Instant, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError>;
    fn fingerprint(&self) -> u64;
}

impl Outputs for Client {
    fn poll_event(&mut self) -> Option<Told> {
        Some(match self.poll_event()? {
            Event::Open => Told::Open,
            Event::Connected { .. } => Told::Connected,
            Event::Authenticate { .. } => Told::Authenticate,
            Event::Message(received) => Told::Message(received),
            Event::Completed { op, tag, outcome } => Told::Completed(op, tag, outcome),
            Event::Late { tag, .. } => Told::Late(tag),
            Event::MessageStart { .. } => Told::Start,
            Event::Chunk(_) => Told::Chunk,
            Event::MessageEnd { delivery } => Told::End(delivery),
            Event::MessageAborted => Told::Aborted,
            Event::PayloadWanted { op, offset, bytes, .. } => Told::Wanted(op, offset, bytes),
            Event::Dropped { .. } => Told::Dropped,
            Event::Closed { reason, .. } => Told::Closed(reason),
            other => panic!("an event without a name here: {other:?}"),
        })
    }

    fn poll_store(&mut self, batch: &mut Batch) -> bool {
        self.poll_store(batch)
    }

    fn poll_transmit(&mut self, outbox: &mut Outbox) {
        self.poll_transmit(outbox);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.poll_timeout().map(|timeout| timeout.at)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }
}

impl Machine for Client {
    const ROLE: Role = Role::Client;

    fn handle_input(&mut self, now: Instant, input: &mut &[u8]) {
        self.handle_input(now, input);
    }

    fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
        self.handle_input_owned(now, input);
    }

    fn handle_eof(&mut self, now: Instant) {
        self.handle_eof(now);
    }

    fn handle_stored(&mut self, now: Instant, upto: u64) {
        self.handle_stored(now, upto);
    }

    fn publish(&mut self, now: Instant, message: Message, source: Option<u32>, tag: u64) -> Result<Op, PublishError> {
        match source {
            None => self.publish(now, message, tag),
            Some(bytes) => self.publish_source(now, message, bytes, tag),
        }
    }

    fn supply(&mut self, now: Instant, op: Op, offset: u32, part: Vec<u8>) -> Result<(), SupplyError> {
        self.supply(now, op, offset, part)
    }

    fn fail_source(&mut self, now: Instant, op: Op) -> Result<(), SupplyError> {
        self.fail_source(now, op)
    }

    fn cancel(&mut self, now: Instant, op: Op) -> bool {
        self.cancel(now, op)
    }

    fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        self.set_deadline(now, op, at)
    }

    fn refuse(&mut self, now: Instant, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.refuse(now, delivery, reason)
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint()
    }
}

/// The server's end of one client: a connection, or its session while there is none, or nothing yet.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerEnd {
    pub(super) connection: Option<ServerConnection>,
    pub(super) session: Option<Session>,
}

impl Outputs for ServerEnd {
    fn poll_event(&mut self) -> Option<Told> {
        if let Some(event) = self.connection.as_mut().and_then(ServerConnection::poll_event) {
            return Some(match event {
                ServerEvent::Connect(connect) => Told::Connect(connect),
                ServerEvent::Authenticate { .. } => Told::Authenticate,
                ServerEvent::Message(received) => Told::Message(received),
                ServerEvent::MessageStart { .. } => Told::Start,
                ServerEvent::Chunk(_) => Told::Chunk,
                ServerEvent::MessageEnd { delivery } => Told::End(delivery),
                ServerEvent::MessageAborted => Told::Aborted,
                ServerEvent::Subscribe { request, filters, .. } => Told::Subscribe(request, filters.iter().count()),
                ServerEvent::Unsubscribe { request, filters, .. } => Told::Unsubscribe(request, filters.iter().count()),
                ServerEvent::PayloadWanted { op, offset, bytes, .. } => Told::Wanted(op, offset, bytes),
                ServerEvent::Completed { op, tag, outcome } => Told::Completed(op, tag, outcome),
                ServerEvent::Late { tag, .. } => Told::Late(tag),
                ServerEvent::Closed { reason, .. } => Told::Closed(reason),
                other => panic!("an event without a name here: {other:?}"),
            });
        }
        Some(match self.session.as_mut()?.poll_event()? {
            SessionEvent::Message(received) => Told::Message(received),
            SessionEvent::Completed { op, tag, outcome } => Told::Completed(op, tag, outcome),
            SessionEvent::Late { tag, .. } => Told::Late(tag),
            other => panic!("an event without a name here: {other:?}"),
        })
    }

    fn poll_store(&mut self, batch: &mut Batch) -> bool {
        match (&mut self.session, &mut self.connection) {
            (Some(session), _) => session.poll_store(batch),
            (None, Some(connection)) => connection.poll_store(batch),
            (None, None) => false,
        }
    }

    fn poll_transmit(&mut self, outbox: &mut Outbox) {
        if let Some(connection) = &mut self.connection {
            connection.poll_transmit(outbox);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let connection = self.connection.as_ref().and_then(ServerConnection::poll_timeout);
        let session = self.session.as_ref().and_then(Session::poll_timeout);
        connection.into_iter().chain(session).map(|timeout| timeout.at).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
    }
}

/// The session, or the connection that has it.
macro_rules! at_session {
    ($self:ident, $otherwise:expr, $held:ident => $act:expr) => {
        match (&mut $self.session, &mut $self.connection) {
            (Some($held), _) => $act,
            (None, Some($held)) => $act,
            (None, None) => $otherwise,
        }
    };
}

impl Machine for ServerEnd {
    const ROLE: Role = Role::Server;

    fn handle_input(&mut self, now: Instant, input: &mut &[u8]) {
        if let Some(connection) = &mut self.connection {
            connection.handle_input(now, input);
        }
    }

    fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
        if let Some(connection) = &mut self.connection {
            connection.handle_input_owned(now, input);
        }
    }

    fn handle_eof(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_eof(now);
        }
    }

    fn handle_stored(&mut self, now: Instant, upto: u64) {
        at_session!(self, (), held => held.handle_stored(now, upto));
    }

    fn publish(&mut self, now: Instant, message: Message, source: Option<u32>, tag: u64) -> Result<Op, PublishError> {
        at_session!(self, Err(PublishError::Closed), held => match source {
            None => held.publish(now, message, tag),
            Some(bytes) => held.publish_source(now, message, bytes, tag),
        })
    }

    fn supply(&mut self, now: Instant, op: Op, offset: u32, part: Vec<u8>) -> Result<(), SupplyError> {
        match &mut self.connection {
            Some(connection) => connection.supply(now, op, offset, part),
            None => Err(SupplyError::NotWanted),
        }
    }

    fn fail_source(&mut self, now: Instant, op: Op) -> Result<(), SupplyError> {
        match &mut self.connection {
            Some(connection) => connection.fail_source(now, op),
            None => Err(SupplyError::NotWanted),
        }
    }

    fn cancel(&mut self, now: Instant, op: Op) -> bool {
        at_session!(self, false, held => held.cancel(now, op))
    }

    fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        at_session!(self, false, held => held.set_deadline(now, op, at))
    }

    fn refuse(&mut self, now: Instant, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        at_session!(self, Err(AcknowledgeError::Unknown), held => held.refuse(now, delivery, reason))
    }

    fn fingerprint(&self) -> u64 {
        let session = self.session.as_ref().map_or(0, Session::fingerprint);
        let connection = self.connection.as_ref().map_or(0, ServerConnection::fingerprint);
        session ^ connection.rotate_left(1)
    }
}
