//! What outlives a connection: the messages on their way in both directions, and what the store knows of them.

mod parked;
mod restore;
mod state;

pub use parked::{Session, SessionConfig, SessionEvent, SessionRestore};
pub(crate) use restore::Records;
pub use restore::{LiveOp, Quarantined, RestoreReport};
#[cfg(feature = "broker")]
pub(crate) use state::Holding;
pub(crate) use state::{Manner, SessionState};
