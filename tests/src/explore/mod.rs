//! Every state that two machines can reach with a small number of messages, cuts and crashes.
//!
//! A [`World`] is a real client and a real server connection with its session, a link whose packets can be lost from any
//! point on, two stores whose batches become durable as separate steps, and an application at each end that writes down what
//! it was told. An [`Action`] is one step of it. The [`search`] goes breadth first through all of them, takes states with the
//! same fingerprint for the same, checks the invariants in each, and gives the shortest way to one that breaks them.
//!
//! What is left out, and why nothing is missed by it, stands in DESIGN.md.

mod describe;
mod disk;
mod invariants;
mod outputs;
mod search;
mod setup;
mod steps;
pub mod takeover;
mod world;

pub use disk::Disk;
pub use search::{Found, Report, peak_mib, search};
pub use setup::{ONE, Setup, TWO};
pub use world::{Action, Sabotage, Side, World};
