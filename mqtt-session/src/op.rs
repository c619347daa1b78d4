//! Operations of the host and how they end.

use bytes::Bytes;
use mqtt_proto::{ReasonCode, SubAck, UnsubAck};

/// The handle of a command that ends later, in exactly one `Completed` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Op {
    /// The generation of the session that the operation belongs to.
    pub(crate) session: u32,
    /// Where the machine finds it.
    pub(crate) key: u32,
    /// Which one of its session it is.
    pub(crate) serial: u64,
}

impl Op {
    /// The number of the operation within its session: rising, and the same after a restart.
    #[must_use]
    pub const fn serial(self) -> u64 {
        self.serial
    }
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A message of QoS 0 has been given to the stream. Nobody will say more about it.
    Sent,
    /// The peer took the message: PUBACK or PUBCOMP with this reason.
    Acknowledged(ReasonCode),
    /// The peer refused the message: PUBACK or PUBREC with this reason.
    Refused(ReasonCode),
    /// The server answered a SUBSCRIBE: a code for each filter.
    Subscribed(SubAck<Bytes>),
    /// The server answered an UNSUBSCRIBE: a code for each filter, if the version has them.
    Unsubscribed(UnsubAck<Bytes>),
    /// The message expired before it was sent.
    Expired,
    /// The machine let go of it to stay within this limit.
    Dropped(Limit),
    /// The peer takes no packet as large as this one.
    TooLarge {
        /// The size of the packet.
        bytes: u32,
        /// The Maximum Packet Size of the peer.
        limit: u32,
    },
    /// The server has said that it does not support what the operation asks for.
    NotSupported(Capability),
    /// The session that it was part of ended. Whether a message of QoS 2 arrived is not known.
    SessionLost,
    /// The host cancelled it before it was sent.
    Cancelled,
    /// The connection ended in the middle of a payload of QoS 0 that came from a source.
    Interrupted,
    /// The host could not give the payload that it had promised.
    SourceFailed,
}

/// The name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::queued_messages`](crate::Limits).
    QueuedMessages,
    /// [`Limits::queued_bytes`](crate::Limits).
    QueuedBytes,
    /// `BrokerLimits::queued_bytes`, of a broker: what the queues of all its sessions hold together.
    QueuedBytesOfAll,
    /// [`Limits::requests`](crate::Limits).
    Requests,
}

/// What a server may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// The QoS of the message.
    QoS,
    /// Retained messages.
    Retain,
    /// Wildcards in filters.
    WildcardSubscriptions,
    /// Shared subscriptions.
    SharedSubscriptions,
    /// Subscription identifiers.
    SubscriptionIdentifiers,
}

/// Why `publish` did not take a message. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The queue holds as much as this limit allows.
    QueueFull(Limit),
    /// The peer takes no packet as large as this.
    TooLarge {
        /// The size of the packet.
        bytes: u32,
        /// The Maximum Packet Size of the peer.
        limit: u32,
    },
    /// The connected server does not support it.
    NotSupported(Capability),
    /// The message has properties that the machine sets itself: topic alias, message expiry or subscription identifiers.
    PropertyNotAllowed(mqtt_proto::PropertyId),
    /// The version of the connection has no properties and no message expiry.
    NotInVersion,
    /// The machine is shutting down.
    Closed,
}

impl core::fmt::Display for PublishError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::QueueFull(limit) => write!(
                f,
                "the queue is full ({limit:?}): wait for an outcome, or raise the limit"
            ),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the packet would take {bytes} bytes, and the peer accepts {limit}")
            }
            Self::NotSupported(capability) => write!(f, "the server does not support this: {capability:?}"),
            Self::PropertyNotAllowed(id) => write!(f, "the property {id:?} is set by the machine itself"),
            Self::NotInVersion => f.write_str("this version of MQTT has no properties"),
            Self::Closed => f.write_str("the machine is shutting down"),
        }
    }
}

impl core::error::Error for PublishError {}

/// Why a part of a payload was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupplyError {
    /// No `PayloadWanted` of this operation is open.
    NotWanted,
    /// It does not begin where the part begins that is asked for. It may be the late answer to what an earlier connection
    /// asked for: a payload goes from its beginning again on a new one.
    OtherOffset {
        /// Where that part begins.
        wanted: u32,
    },
    /// There is nothing in it.
    Empty,
    /// It is longer than what was asked for.
    TooMuch {
        /// How many bytes were asked for.
        wanted: u32,
    },
}

impl core::fmt::Display for SupplyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotWanted => f.write_str("no part of the payload of this operation is asked for"),
            Self::OtherOffset { wanted } => write!(f, "the part that is asked for begins at byte {wanted}"),
            Self::Empty => f.write_str("a part of a payload cannot be empty"),
            Self::TooMuch { wanted } => write!(f, "only {wanted} bytes are asked for"),
        }
    }
}

impl core::error::Error for SupplyError {}

/// Why an acknowledgement was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcknowledgeError {
    /// There is no such delivery, or it has been acknowledged, or its connection has ended (QoS 1).
    Unknown,
    /// A message that stands in the inbox has been accepted: it cannot be refused.
    CannotRefuse,
    /// The reason is not one that the acknowledgement of this QoS can carry.
    ReasonNotListed,
}

impl core::fmt::Display for AcknowledgeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such delivery: acknowledged before, or its connection has ended",
            Self::CannotRefuse => "a message in the inbox has been accepted and cannot be refused",
            Self::ReasonNotListed => "no acknowledgement of this QoS carries that reason",
        })
    }
}

impl core::error::Error for AcknowledgeError {}
