//! What a client goes on with.

use mqtt_session::{Key, Op};

use super::durable::Durable;
use crate::Cause;

/// What a client found in its store when it began, and goes on with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Messages that an earlier life had published and that were not acknowledged. They go on, and are counted by
    /// [`Statistics`](crate::Statistics) when they end.
    pub outgoing: usize,
    /// Received messages that an earlier life had not acknowledged. They are told again, as
    /// [`redelivered`](crate::Incoming::redelivered).
    pub incoming: usize,
    /// Records that could not be used. The messages they belong to are lost; everything else goes on.
    pub damaged: Vec<Key>,
    /// The records of an exchange of QoS 2 or of the session itself were damaged. Half a session cannot keep its promise: it
    /// begins anew with what was never sent.
    pub session_ended: bool,
}

/// How a client begins.
pub(super) enum Restoring {
    /// In memory.
    Memory,
    /// With what its store has.
    #[cfg_attr(not(feature = "store"), allow(dead_code, reason = "there is no store"))]
    Durable(Durable, Restored, Vec<Op>),
    /// Not at all: its store cannot be used.
    #[cfg_attr(not(feature = "store"), allow(dead_code, reason = "there is no store"))]
    Failed(Cause),
}
