//! The exchanges of QoS 0, 1 and 2 in both directions. They know no role.

mod incoming;
mod outgoing;

pub(crate) use incoming::{Ack, Arrival, Incoming};
pub use outgoing::Loss;
pub(crate) use outgoing::{Answered, Ended, LossCursor, Outgoing, ReleaseMark, RestoredMessage, State, message_record};
#[cfg(feature = "broker")]
pub(crate) use outgoing::{Exchange, Withdrawable, Withdrawn};
