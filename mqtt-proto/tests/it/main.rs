//! What the crate promises its users, function by function. That it keeps the specification is tested in the workspace.
#![allow(
    unreachable_pub,
    dead_code,
    reason = "the reading of hex and of frames is shared with the tests of the workspace"
)]

extern crate self as mqtt_tests;

#[path = "../../../tests/src/hex.rs"]
pub mod hex;
#[path = "../../../tests/tests/conformance/verdict.rs"]
mod verdict;

mod errors;
mod explanations;
mod fanout;
mod numbers;
mod packets;
mod peeks;
mod properties;
mod serial;
mod subscriptions;
mod texts;
