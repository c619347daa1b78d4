//! The conformance tests of what carries the bytes, as trials of the ledger: a TCP connection, and a socket of this machine.
//!
//! `cargo test -p mqtt-tests --test transport` runs them. The other adapters go through the same scenarios in their own tests.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "adapters are where clocks and threads come in"
)]

#[path = "../../../adapters/std/tests/adapter/mod.rs"]
mod adapter;
#[path = "../trials/mod.rs"]
mod run;

use std::process::ExitCode;

use adapter::Std;
use mqtt_testbed::scenarios;
use mqtt_tests::ledger::{Layer, Trial, covers};

fn main() -> ExitCode {
    run::run(Layer::Transport, trials())
}

fn trials() -> Vec<Trial> {
    vec![Trial::new(
        Layer::Transport,
        "tcp: nothing is lost and nothing is out of order",
        || {
            mqtt_std::block_on(scenarios::every_qos_is_delivered::<Std>());
            // A mebibyte in which each byte tells its place, from a client to a server and back.
            mqtt_std::block_on(scenarios::large_payloads_are_delivered::<Std>());
            covers("v5:MQTT-4.2.0-1");
            covers("v311:MQTT-7.1.1-1");
            covers("v311:MQTT-7.1.2-1");
        },
    )]
}
