//! Every sequence of what the connections of one client can do, with its will and its session: short ones, but all.
//!
//! A [`World`] is a real broker, the client's streams, a store, a clock that jumps to the next deadline, and a host that is
//! subscribed to the topic of the wills. Beside it stands a [`Model`]: the table on the documentation of `Broker`, and nothing
//! else. After each [`Action`] what the broker did has to be what the model says.
//!
//! A broker is not to be cloned, so each sequence is played from the beginning. No two sequences are taken for the same: what
//! is counted as a state is what the model knows, and serves to tell how much was seen.

mod model;
mod search;
mod world;

pub use model::{Hello, Model, WillKind};
pub use search::{Found, Report, Setup, search};
pub use world::{Action, Sabotage, World};
