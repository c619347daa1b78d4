//! A broker machine on threads, for adapters.
//!
//! ```text
//!            ┌───────────────────────────── one thread ─────────────────────────────┐
//!  listener ─┼─> Entrance ──> line ── read ──> Broker ── fill ──> line ── write ────┼─> stream
//!            │                                │      ↑                               │
//!            │                           tell │      │ admit, authorize, ..          │
//!            │                                ↓      │                               │
//!            │                                 Policy                     ShardHandle┼─< other threads
//!            └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A [`Shard`] is polled by an adapter as one future. Each stream, each listener, the store and the mailbox have a bell; a
//! turn looks at those that were rung: it reads, and then it writes what that gave, to whomever it is for.

mod accepting;
mod addresses;
mod bells;
mod ending;
mod entrance;
mod figures;
mod keep_alive;
mod line;
mod lines;
mod mailbox;
mod origin;
mod outboxes;
mod placing;
mod plan;
mod policy;
mod proxied;
mod reading;
mod sending;
mod shard;
#[cfg(unix)]
mod socket_file;
mod start;
#[cfg(feature = "store")]
mod storing;

pub use entrance::{Entrance, Network};
pub use figures::Traffic;
pub use keep_alive::TcpKeepAlive;
pub use mailbox::ShardHandle;
pub use origin::Origin;
pub use plan::{Host, Listen, Socket};
pub use policy::{AllowAll, Desk, Notice, Policy};
pub use proxied::ProxyHeaderError;
pub use shard::{Ended, Seat, Shard};
pub use start::{Panicked, Parts, Running, StartError};
