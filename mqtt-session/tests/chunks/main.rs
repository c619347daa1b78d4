//! Payloads that are never in memory as a whole: received and sent in chunks, by both machines.

mod over_cuts;
mod receiving;
mod sending;
mod storing;

/// The rig of the client's tests.
#[allow(dead_code, reason = "each set of tests uses a part of it")]
#[path = "../client"]
mod client {
    pub(crate) mod rig;
    pub(crate) mod show;
}

/// The rig of the server's tests.
#[allow(dead_code, reason = "each set of tests uses a part of it")]
#[path = "../server"]
mod server {
    pub(crate) mod rig;
    pub(crate) mod show;
}
