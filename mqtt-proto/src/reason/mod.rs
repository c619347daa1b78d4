//! Reason codes: all of them, and for each packet the ones that it may carry.

// A macro is known to what follows it.
#[macro_use]
mod meaning;
#[macro_use]
mod list;

mod acknowledgement;
mod auth;
mod code;
mod connack;
mod disconnect;
mod subscription;

pub use acknowledgement::{PubAckReason, PubCompReason, PubRecReason, PubRelReason};
pub use auth::AuthReason;
pub use code::ReasonCode;
pub use connack::ConnAckReason;
pub use disconnect::DisconnectReason;
pub use subscription::{SubAckReason, UnsubAckReason};
