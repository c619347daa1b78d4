//! What the tests of the workspace share: the ledger of statements, generators of packets, and readings of frames and
//! topics that share no code with what they judge.
//!
//! The conformance tests are in `tests/conformance`, the property tests beside them.

pub mod broker;
pub mod explore;
pub mod frame;
pub mod fuzz;
pub mod generate;
pub mod hex;
pub mod ledger;
pub mod oracle;
pub mod outline;
pub mod pair;
pub mod reason_codes;
pub mod simulation;
#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "processes and sockets have a clock, threads and an environment"
)]
pub mod voices;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
