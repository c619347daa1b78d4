//! How much a session holds.

use super::SessionState;
use crate::qos::Exchange;

/// How much a session holds for its client, and of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Messages to the client that have not ended.
    pub(crate) messages: usize,
    /// Bytes that these take.
    pub(crate) bytes: u64,
    /// Those of them that have an identifier.
    pub(crate) in_flight: usize,
    /// Identifiers of QoS 2 that the client uses.
    pub(crate) incoming: usize,
}

impl SessionState {
    /// The messages to the client that have not ended, the first ones first.
    pub(crate) fn outgoing(&self) -> impl Iterator<Item = &Exchange> {
        self.outgoing.all()
    }

    pub(crate) fn holding(&self) -> Holding {
        Holding {
            messages: self.outgoing.len(),
            bytes: self.outgoing.bytes(),
            in_flight: self.outgoing.in_flight(),
            incoming: self.incoming.held(),
        }
    }
}
