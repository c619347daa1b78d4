//! `mqtt ctl` and the socket that it speaks to, on whatever the broker runs.
#![cfg(any(feature = "tokio", feature = "smol", feature = "std"))]

mod backup;
mod broker;
mod changing;
mod client;
mod seeing;
#[path = "../serving/mod.rs"]
mod serving;
mod socket;
