//! What a client tells its host.

use bytes::Bytes;
use mqtt_proto::{AuthProperties, AuthReason, ConnAckProperties};

use crate::flow::Traffic;
use crate::time::Instant;
use crate::{Closed, Op, Outcome, Received};

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

impl From<Traffic> for Event {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Message(received) => Self::Message(received),
            Traffic::Completed { op, tag, outcome } => Self::Completed { op, tag, outcome },
            Traffic::Dropped { messages } => Self::Dropped { messages },
        }
    }
}
