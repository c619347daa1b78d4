//! The conformance tests of the adapters and the store, as trials of the ledger.
//!
//! `cargo test -p mqtt-tests --test adapter` runs them. A run without a filter ends with the audit of the ledger, which lists
//! the rows that no trial covers.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "adapters are where clocks and threads come in"
)]

#[path = "../../../adapters/std/tests/adapter/mod.rs"]
mod adapter;
#[path = "../../../adapters/shared/tests/transport/bad_inputs.rs"]
mod layers;
mod pipe;
#[path = "../trials/mod.rs"]
mod run;
mod sockets;
mod store;
mod streams;

use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Trial};

fn main() -> ExitCode {
    run::run(Layer::Adapter, trials())
}

fn trials() -> Vec<Trial> {
    let groups = [streams::trials(), layers::trials(), sockets::trials(), store::trials()];
    groups.into_iter().flatten().collect()
}
