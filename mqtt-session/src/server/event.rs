//! What a server connection tells its host.

use alloc::boxed::Box;

use bytes::Bytes;
use mqtt_proto::{
    AuthProperties, AuthReason, Connect, Filters, SubscribeProperties, TopicFilters, UnsubscribeProperties, Will,
};

use crate::flow::tells;
use crate::session::SessionEvent;
use crate::{Closed, DeliveryId, Message, Op, Outcome, Received};

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// What a server connection tells its host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client wants to be served: answer with `accept`, `refuse`, or `authenticate` to go on asking it. Nothing more is
    /// read until then.
    Connect(Box<Connect<Bytes>>),
    /// A step of authentication came. During the handshake: answer as `Connect`. Later, when the client authenticates
    /// again: answer with `authenticate`, `authenticated` or `disconnect`.
    Authenticate {
        /// Which step.
        reason: AuthReason,
        /// Method and data.
        properties: AuthProperties<Bytes>,
    },
    /// A message arrived.
    Message(Received),
    /// A message arrives that is larger than [`Limits::whole_packet_bytes`](crate::Limits): its payload follows in chunks,
    /// and no other message comes before its end.
    MessageStart {
        /// The message, without its payload.
        message: Message,
        /// How many bytes the payload has.
        payload_bytes: u32,
    },
    /// A part of the payload.
    Chunk(Bytes),
    /// The message has arrived in whole: from here on it can be acknowledged.
    MessageEnd {
        /// To be acknowledged by this name. `None` if nothing is to be acknowledged.
        delivery: Option<DeliveryId>,
    },
    /// The connection ended before the rest of the message came. What came of it counts for nothing.
    MessageAborted,
    /// The client subscribes: answer with `subscribed`, as soon as the subscriptions are as durable as they are to be.
    Subscribe {
        /// To be answered by this name.
        request: RequestId,
        /// The filters.
        filters: Filters<Bytes>,
        /// Subscription Identifier and User Properties.
        properties: SubscribeProperties<Bytes>,
    },
    /// The client unsubscribes: answer with `unsubscribed`.
    Unsubscribe {
        /// To be answered by this name.
        request: RequestId,
        /// The filters.
        filters: TopicFilters<Bytes>,
        /// User Properties.
        properties: UnsubscribeProperties<Bytes>,
    },
    /// A message from a source is being sent: the host is to `supply` the next part of its payload,
    /// and to name its offset.
    PayloadWanted {
        /// The operation.
        op: Op,
        /// The tag that the host gave it.
        tag: u64,
        /// Where the part begins.
        offset: u32,
        /// How many bytes it may have at most.
        bytes: u32,
    },
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
    /// The connection ended. This is its last event. The session can be taken with `take_session`.
    Closed {
        /// Why.
        reason: Closed,
        /// The will, if it is to be published: after its Will Delay Interval, unless the client comes back before.
        /// [MQTT-3.1.2-8, MQTT-3.1.2-10]
        will: Option<Box<Will<Bytes>>>,
        /// How many seconds the session outlives the connection; `u32::MAX`: for ever.
        session_expiry_seconds: u32,
    },
}

impl ServerEvent {
    /// What of it outlives the connection.
    pub(super) fn to_session_event(&self) -> Option<SessionEvent> {
        match self.clone() {
            Self::Message(received) => Some(SessionEvent::Message(received)),
            Self::Completed { op, tag, outcome } => Some(SessionEvent::Completed { op, tag, outcome }),
            Self::Late { op, tag } => Some(SessionEvent::Late { op, tag }),
            _ => None,
        }
    }
}

// A server drops no message that it has read: it stops reading.
tells!(ServerEvent, |_| None);
