//! What can happen to a pair.

use core::time::Duration;

use mqtt_session::QoS;
use mqtt_session::proto::ConnAckReason;

use super::{Crash, Side};

/// A message to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The QoS.
    pub qos: QoS,
    /// Which topic.
    pub topic: u8,
    /// How long the payload is: 8 bytes at least.
    pub payload_bytes: usize,
    /// The Message Expiry Interval.
    pub expiry_seconds: Option<u32>,
    /// The host gives the payload when it is sent.
    pub from_source: bool,
    /// The RETAIN flag.
    pub retain: bool,
}

impl Publish {
    /// A short message.
    #[must_use]
    pub const fn of(qos: QoS) -> Self {
        Self {
            qos,
            topic: 0,
            payload_bytes: 8,
            expiry_seconds: None,
            from_source: false,
            retain: false,
        }
    }
}

/// Bytes that no peer may send, between two packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// A packet of a type that does not exist.
    Malformed,
    /// A well-formed packet that may not come here.
    Misplaced,
}

/// What happens next. Where nothing can be done, nothing happens.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The whole run loop of the driver of a side.
    Turn(Side),
    /// A message is published.
    Publish(Side, Publish),
    /// The client subscribes, to so many filters; the first one may have a wildcard.
    Subscribe {
        /// How many filters.
        filters: u8,
        /// Whether one has a wildcard.
        wildcard: bool,
    },
    /// The client unsubscribes from so many filters.
    Unsubscribe {
        /// How many filters.
        filters: u8,
    },
    /// Due timers are fired.
    Timers(Side),
    /// Batches are given to the store.
    TakeBatches(Side),
    /// The oldest batch becomes durable.
    Commit(Side),
    /// The outbox is filled.
    Transmit(Side),
    /// Up to so many bytes of the outbox are written.
    Write(Side, usize),
    /// Up to so many bytes are read; as a buffer that may be kept, or a slice.
    Read(Side, usize, bool),
    /// Up to so many events are polled.
    Events(Side, usize),
    /// A message is acknowledged.
    Acknowledge(Side, usize),
    /// A message is refused.
    Refuse(Side, usize),
    /// The server accepts the client that waits, or refuses it.
    Answer(Option<ConnAckReason>),
    /// The server answers a SUBSCRIBE or UNSUBSCRIBE.
    AnswerRequest(bool),
    /// So many bytes of a payload are given.
    Supply(Side, usize),
    /// A payload cannot be given.
    FailSource(Side),
    /// The operation at this place is cancelled.
    Cancel(Side, usize),
    /// The host wants to hear when the operation at this place is late.
    SetDeadline(Side, usize, Duration),
    /// The stream that the client wants is opened, or cannot be.
    Open(bool),
    /// Time passes until something can happen, but no longer than this.
    Wait(Duration),
    /// Time passes.
    Advance(Duration),
    /// The clock of a side goes back by this much, once.
    SetBack(Side, Duration),
    /// The stream breaks; so many bytes under way still arrive, by the side that reads them.
    Cut([usize; 2]),
    /// The stream breaks after so many more bytes from this side.
    CutAfter(Side, u64),
    /// What this side writes from here on disappears.
    HalfOpen(Side),
    /// Something else than the peer puts bytes into the stream, towards this side.
    Noise(Side, Noise),
    /// A process ends without notice, and begins again.
    Crash(Side, Crash),
    /// The store of a side fails.
    FailStore(Side),
    /// A side ends the connection: the client after it has sent everything, unless it is abrupt.
    Disconnect(Side, bool),
    /// The host of the server loses a session that nobody is connected to.
    LoseSession,
    /// The client begins again with settings that no CONNECT can carry.
    Misconfigure,
}
