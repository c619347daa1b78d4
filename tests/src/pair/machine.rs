//! Client and server behind one face, as a driver of either sees them.

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{Connect, ReasonCode};
use mqtt_session::{
    AcknowledgeError, Batch, Client, Closed, DeliveryId, Event, Instant, Message, Op, Outbox, Outcome, PublishError,
    Received, RequestId, ServerEvent, Session, SessionEvent, SupplyError, Timeout,
};

use super::server::{Holder, Server};

/// What a machine told its host.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Told {
    Open,
    Connected {
        session_present: bool,
    },
    Connect(Box<Connect<Bytes>>),
    Message(Received),
    Completed {
        tag: u64,
        outcome: Outcome,
    },
    Late,
    Start {
        payload_bytes: u32,
        qos: mqtt_session::QoS,
    },
    Chunk(Bytes),
    End {
        delivery: Option<DeliveryId>,
    },
    Aborted,
    PayloadWanted {
        op: Op,
        tag: u64,
        offset: u32,
        bytes: u32,
    },
    Dropped,
    Subscribe {
        request: RequestId,
        filters: usize,
    },
    Unsubscribe {
        request: RequestId,
        filters: usize,
    },
    Authenticate,
    Closed {
        reason: Closed,
        may_end: Option<(Session, u32)>,
        is_final: bool,
    },
}

impl Told {
    /// Whether it belongs to one connection, and may not come after its end.
    pub(super) const fn is_of_connection(&self) -> bool {
        !matches!(
            self,
            Self::Open | Self::Message(_) | Self::Completed { .. } | Self::Late
        )
    }
}

/// Either role.
#[derive(Clone, Debug)]
pub(super) enum Machine {
    Client(Box<Client>),
    Server(Box<Server>),
}

/// The same call on whatever has the session. For a server without one, the value at the end.
macro_rules! on_session {
    ($machine:expr, $one:ident => $call:expr, $none:expr) => {
        match $machine {
            Machine::Client($one) => $call,
            Machine::Server(server) => match server.holder() {
                Holder::Connection($one) => $call,
                Holder::Session($one) => $call,
                Holder::Nobody => $none,
            },
        }
    };
}

/// The same call on whatever has the stream.
macro_rules! on_stream {
    ($machine:expr, $one:ident => $call:expr, $none:expr) => {
        match $machine {
            Machine::Client($one) => $call,
            Machine::Server(server) => match server.stream() {
                Some($one) => $call,
                None => $none,
            },
        }
    };
}

impl Machine {
    pub(super) fn handle_input(&mut self, now: Instant, input: &mut BytesMut, owned: bool) {
        if owned {
            on_stream!(self, one => one.handle_input_owned(now, input), ());
            return;
        }
        let before = input.len();
        let mut rest = &input[..];
        on_stream!(self, one => one.handle_input(now, &mut rest), ());
        let taken = before - rest.len();
        bytes::Buf::advance(input, taken);
    }

    pub(super) fn handle_eof(&mut self, now: Instant) {
        on_stream!(self, one => one.handle_eof(now), ());
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.handle_timeout(now),
            Self::Server(server) => server.handle_timeout(now),
        }
    }

    pub(super) fn handle_stored(&mut self, now: Instant, number: u64) {
        on_session!(self, one => one.handle_stored(now, number), ());
    }

    pub(super) fn handle_store_failed(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.handle_store_failed(now),
            Self::Server(server) => server.handle_store_failed(now),
        }
    }

    pub(super) fn publish(
        &mut self,
        now: Instant,
        message: Message,
        source_bytes: Option<u32>,
        tag: u64,
    ) -> Result<Op, PublishError> {
        match source_bytes {
            None => on_session!(self, one => one.publish(now, message, tag), Err(PublishError::Closed)),
            Some(bytes) => {
                on_session!(self, one => one.publish_source(now, message, bytes, tag), Err(PublishError::Closed))
            }
        }
    }

    pub(super) fn supply(&mut self, now: Instant, op: Op, offset: u32, part: Bytes) -> Result<(), SupplyError> {
        on_stream!(self, one => one.supply(now, op, offset, part), Err(SupplyError::NotWanted))
    }

    pub(super) fn fail_source(&mut self, now: Instant, op: Op) -> Result<(), SupplyError> {
        on_stream!(self, one => one.fail_source(now, op), Err(SupplyError::NotWanted))
    }

    pub(super) fn cancel(&mut self, now: Instant, op: Op) -> bool {
        on_session!(self, one => one.cancel(now, op), false)
    }

    pub(super) fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        on_session!(self, one => one.set_deadline(now, op, at), false)
    }

    pub(super) fn acknowledge(&mut self, now: Instant, delivery: DeliveryId) -> Result<(), AcknowledgeError> {
        on_session!(self, one => one.acknowledge(now, delivery), Err(AcknowledgeError::Unknown))
    }

    pub(super) fn refuse(
        &mut self,
        now: Instant,
        delivery: DeliveryId,
        reason: ReasonCode,
    ) -> Result<(), AcknowledgeError> {
        on_session!(self, one => one.refuse(now, delivery, reason), Err(AcknowledgeError::Unknown))
    }

    pub(super) fn poll_store(&mut self, batch: &mut Batch) -> bool {
        on_session!(self, one => one.poll_store(batch), false)
    }

    pub(super) fn poll_transmit(&mut self, outbox: &mut Outbox) {
        on_stream!(self, one => one.poll_transmit(outbox), ());
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Timeout> {
        match self {
            Self::Client(client) => client.poll_timeout(),
            Self::Server(server) => server.poll_timeout(),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Told> {
        match self {
            Self::Client(client) => client.poll_event().map(from_client),
            Self::Server(server) => server.poll_event(),
        }
    }

    pub(super) fn input_room(&mut self) -> usize {
        on_stream!(self, one => one.input_room(), 0)
    }

    pub(super) fn is_connected(&mut self) -> bool {
        on_stream!(self, one => one.is_connected(), false)
    }

    pub(super) fn is_drained(&mut self) -> bool {
        on_stream!(self, one => one.is_drained(), true)
    }

    /// Which of its sessions the machine has.
    pub(super) const fn session(&self) -> u64 {
        match self {
            Self::Client(_) => 0,
            Self::Server(server) => server.session_number(),
        }
    }
}

fn from_client(event: Event) -> Told {
    match event {
        Event::Open => Told::Open,
        Event::Connected { session_present, .. } => Told::Connected { session_present },
        Event::Authenticate { .. } => Told::Authenticate,
        Event::Message(received) => Told::Message(received),
        Event::Completed { tag, outcome, .. } => Told::Completed { tag, outcome },
        Event::Late { .. } => Told::Late,
        Event::MessageStart { payload_bytes, message } => Told::Start {
            payload_bytes,
            qos: message.qos,
        },
        Event::Chunk(chunk) => Told::Chunk(chunk),
        Event::MessageEnd { delivery } => Told::End { delivery },
        Event::MessageAborted => Told::Aborted,
        Event::PayloadWanted { op, tag, offset, bytes } => Told::PayloadWanted { op, tag, offset, bytes },
        Event::Dropped { .. } => Told::Dropped,
        Event::Closed { reason, retry_at } => Told::Closed {
            reason,
            may_end: None,
            is_final: retry_at.is_none(),
        },
        other => panic!("the rig does not know {other:?}"),
    }
}

pub(super) fn from_session(event: SessionEvent) -> Told {
    match event {
        SessionEvent::Message(received) => Told::Message(received),
        SessionEvent::Completed { tag, outcome, .. } => Told::Completed { tag, outcome },
        SessionEvent::Late { .. } => Told::Late,
        other => panic!("the rig does not know {other:?}"),
    }
}

/// What a connection told. At its end the session is to be taken.
pub(super) fn from_server(event: ServerEvent, take: impl FnOnce() -> Option<Session>) -> Told {
    match event {
        ServerEvent::Connect(connect) => Told::Connect(connect),
        ServerEvent::Authenticate { .. } => Told::Authenticate,
        ServerEvent::Message(received) => Told::Message(received),
        ServerEvent::Completed { tag, outcome, .. } => Told::Completed { tag, outcome },
        ServerEvent::Late { .. } => Told::Late,
        ServerEvent::MessageStart { payload_bytes, message } => Told::Start {
            payload_bytes,
            qos: message.qos,
        },
        ServerEvent::Chunk(chunk) => Told::Chunk(chunk),
        ServerEvent::MessageEnd { delivery } => Told::End { delivery },
        ServerEvent::MessageAborted => Told::Aborted,
        ServerEvent::PayloadWanted { op, tag, offset, bytes } => Told::PayloadWanted { op, tag, offset, bytes },
        ServerEvent::Subscribe { request, filters, .. } => Told::Subscribe {
            request,
            filters: filters.iter().count(),
        },
        ServerEvent::Unsubscribe { request, filters, .. } => Told::Unsubscribe {
            request,
            filters: filters.iter().count(),
        },
        ServerEvent::Closed {
            reason,
            session_expiry_seconds,
            ..
        } => Told::Closed {
            reason,
            may_end: take().map(|session| (session, session_expiry_seconds)),
            is_final: true,
        },
        other => panic!("the rig does not know {other:?}"),
    }
}
