//! What a client tells its host.

use bytes::Bytes;
use mqtt_proto::{AuthProperties, AuthReason, ConnAckProperties};

use crate::flow::tells;
use crate::time::Instant;
use crate::{Closed, DeliveryId, Message, Op, Outcome, Received};

/// What a client tells its host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It is time to open a stream to the server: call `handle_open` or `handle_open_failed`.
    Open,
    /// The server accepted the connection.
    Connected {
        /// Whether it goes on with the session. MQTT 3.1 cannot say so.
        session_present: bool,
        /// What it says about itself.
        properties: ConnAckProperties<Bytes>,
    },
    /// The server asks for a step of authentication: answer with `authenticate`.
    Authenticate {
        /// Which step.
        reason: AuthReason,
        /// Method and data.
        properties: AuthProperties<Bytes>,
    },
    /// A message arrived.
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
    /// The deadline of an operation has passed. It goes on, and ends in one `Completed` all the same.
    Late {
        /// Which one.
        op: Op,
        /// The tag that the host gave it.
        tag: u64,
    },
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
    /// The connection ended before the rest of the message came. What came of it counts for nothing: a message of QoS 1 or
    /// 2 comes again.
    MessageAborted,
    /// A message from a source is being sent: the host is to `supply` the next part of its payload,
    /// and to name its offset.
    PayloadWanted {
        /// The operation.
        op: Op,
        /// The tag that the host gave it.
        tag: u64,
        /// Where the part begins. Zero again after a connection was lost.
        offset: u32,
        /// How many bytes it may have at most.
        bytes: u32,
    },
    /// Messages of QoS 0 were dropped, since the host did not poll their events.
    Dropped {
        /// How many.
        messages: u64,
    },
    /// The connection ended. This is the last event of it.
    Closed {
        /// Why.
        reason: Closed,
        /// When the next stream will be asked for. `None`: never, until the host asks with `reconnect`.
        retry_at: Option<Instant>,
    },
}

tells!(Event, |messages| Some(Event::Dropped { messages }));
