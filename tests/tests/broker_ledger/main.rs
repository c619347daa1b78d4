//! The conformance tests of the broker, as trials of the ledger.
//!
//! `cargo test -p mqtt-tests --test broker_ledger` runs them. A run without a filter ends with the audit of the ledger, which
//! lists the rows that no trial covers. With `-- --matrix` the same run prints the matrix of rows and tests as Markdown.
//!
//! Each trial gives a whole broker the bytes of its clients, and looks at what they are sent. The rig is the one of the
//! broker's own tests.

mod bad_inputs_bounds;
mod bad_inputs_policy;
mod bad_inputs_sessions;
mod bad_inputs_topics;
mod bad_inputs_wills;
mod connecting;
mod delivering;
mod heap;
mod matching;
mod overlapping;
mod regressions;
mod retained;
#[path = "../../../mqtt-session/tests/broker/rig.rs"]
#[allow(dead_code, reason = "the broker's own tests use more of it")]
mod rig;
#[path = "../trials/mod.rs"]
mod run;
mod scene;
mod shared;
#[path = "../../../mqtt-session/tests/server/show.rs"]
#[allow(dead_code, reason = "the lines of a server are more than those of a broker")]
mod show;
mod subscribing;
mod unsubscribing;
mod wills;

use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Trial};

/// Trials named for their module and their function.
macro_rules! trials_of_module {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<mqtt_tests::ledger::Trial> {
            let module = module_path!().rsplit("::").next().unwrap_or_default();
            let name = |trial: &str| format!("{module}::{trial}");
            vec![$(mqtt_tests::ledger::Trial::new(
                mqtt_tests::ledger::Layer::Broker,
                name(stringify!($name)),
                $name,
            )),*]
        }
    };
}
use trials_of_module;

fn main() -> ExitCode {
    run::run(Layer::Broker, trials())
}

fn trials() -> Vec<Trial> {
    let groups = [
        connecting::trials(),
        wills::trials(),
        retained::trials(),
        delivering::trials(),
        overlapping::trials(),
        subscribing::trials(),
        unsubscribing::trials(),
        matching::trials(),
        shared::trials(),
        bad_inputs_topics::trials(),
        bad_inputs_bounds::trials(),
        bad_inputs_policy::trials(),
        bad_inputs_sessions::trials(),
        bad_inputs_wills::trials(),
        regressions::trials(),
    ];
    groups.into_iter().flatten().collect()
}
