//! The tests of the workspace, as tests of this crate: mutation testing of the codec runs these and `it`, and no others.
//!
//! They are compiled in from their sources, under the name by which they know each other. As a dependency they would
//! switch on features of the crate that is tested here. `cargo test` leaves them out: it runs them in the workspace.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "the sources are a library elsewhere"
)]

extern crate self as mqtt_tests;

#[path = "../../../tests/src/frame.rs"]
pub mod frame;
#[path = "../../../tests/src/fuzz/codec/mod.rs"]
pub mod fuzz;
#[path = "../../../tests/src/generate/mod.rs"]
pub mod generate;
#[path = "../../../tests/src/hex.rs"]
pub mod hex;
#[path = "../../../tests/src/ledger/mod.rs"]
pub mod ledger;
#[path = "../../../tests/src/oracle.rs"]
pub mod oracle;
#[path = "../../../tests/src/outline.rs"]
pub mod outline;
#[path = "../../../tests/src/reason_codes.rs"]
pub mod reason_codes;

mod conformance;
#[path = "../../../tests/tests/corpora.rs"]
mod corpora;
#[path = "../../../tests/tests/hostile.rs"]
mod hostile;
#[path = "../../../tests/tests/round_trip.rs"]
mod round_trip;
#[path = "../../../tests/tests/split.rs"]
mod split;
#[path = "../../../tests/tests/tables.rs"]
mod tables;
#[path = "../../../tests/tests/topics.rs"]
mod topics;
#[path = "../../../tests/tests/v3_1.rs"]
mod v3_1;
#[path = "../../../tests/tests/vectors/main.rs"]
mod vectors;
