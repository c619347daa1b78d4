//! The conformance tests of what carries the bytes, as trials of the ledger.
//!
//! `cargo test -p mqtt-adapter --test transport` runs them, with what bad input does to the layers that adapters share.

#[path = "../../../std/tests/adapter/mod.rs"]
mod adapter;
mod bad_inputs;
#[path = "../../../../tests/tests/trials/mod.rs"]
mod run;
mod tcp;
mod websocket;
mod wire;

use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Trial};

fn main() -> ExitCode {
    run::run(Layer::Transport, trials())
}

fn trials() -> Vec<Trial> {
    let groups = [tcp::trials(), websocket::trials(), bad_inputs::trials()];
    groups.into_iter().flatten().collect()
}
