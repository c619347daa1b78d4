//! The conformance tests of the state machines, as trials of the ledger.
//!
//! `cargo test -p mqtt-tests --test session` runs them. A run without a filter ends with the audit of the ledger, which
//! lists the rows that no trial covers. With `-- --matrix` the same run prints the matrix of rows and tests as Markdown.
//!
//! A trial covers a row only if the machine under test is one that the row binds. That a client closes when a server sends
//! a second CONNACK shows nothing about servers: the row about it, which binds the server, is covered by what a server
//! under test sends.

mod bad_inputs_client;
mod bad_inputs_server;
mod client_authentication;
mod client_closing;
mod client_connecting;
mod client_keeping_alive;
mod client_quota;
mod client_receiving;
mod client_sending;
mod edges;
mod laws;
mod peer;
mod refusal;
mod regressions;
mod resuming;
mod rig;
#[path = "../trials/mod.rs"]
mod run;
mod server_authentication;
mod server_connecting;
mod server_rig;
mod server_serving;
mod server_workload;
mod violations;
mod watch;
mod wire;
mod workload;

use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Trial};

fn main() -> ExitCode {
    run::run(Layer::Session, trials())
}

fn trials() -> Vec<Trial> {
    let groups = [
        laws::trials(),
        client_connecting::trials(),
        client_keeping_alive::trials(),
        client_sending::trials(),
        client_receiving::trials(),
        client_quota::trials(),
        client_authentication::trials(),
        client_closing::trials(),
        refusal::trials(),
        violations::trials(),
        edges::trials(),
        bad_inputs_client::trials(),
        bad_inputs_server::trials(),
        resuming::trials(),
        regressions::trials(),
        server_connecting::trials(),
        server_serving::trials(),
        server_authentication::trials(),
    ];
    groups.into_iter().flatten().collect()
}
