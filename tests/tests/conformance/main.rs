//! The conformance tests of the codec, as trials of the ledger.
//!
//! `cargo test -p mqtt-tests --test conformance` runs them. A run without a filter ends with the audit of the ledger, which
//! fails when a row of the layer was left without a test. With `-- --matrix` the same run prints the matrix of rows
//! and tests as Markdown instead of the list of tests.
//!
//! # Which id a refused frame reports
//! Often several statements describe one fault. A case names the one that a decoder has to report:
//!
//! 1. The first fault in the order of the bytes wins.
//! 2. Of several rows that describe this fault the most specific one wins: the row of the field before the row of its
//!    data type, and that before the row of the packet. Ill-formed UTF-8 in a Will Topic is `MQTT-3.1.3-11`; in a Reason
//!    String, which has no row of its own, it is `MQTT-1.5.4-1`.
//! 3. Two rows that tell one check from two sides are split by the bytes that trigger them. Reserved flags in 3.1.1 are
//!    `MQTT-2.2.2-2` for PINGREQ and PINGRESP, which have nothing but flags, and `MQTT-2.2.2-1` elsewhere. Bytes after the
//!    end of CONNECT belong to the first field whose flag is 0: the User Name, then the Password.
//! 4. A frame of MQTT 3.1 is judged by the statements of 3.1.1.
//! 5. A fault that no row describes reports the statement that faults close the connection: `MQTT-4.13.1-1` in 5.0,
//!    `MQTT-4.8.0-1` in 3.1.1.

mod accepted;
mod bad_inputs_fields;
mod bad_inputs_frames;
mod bad_inputs_properties;
mod cases_acks;
mod cases_connack;
mod cases_connect;
mod cases_connect_properties;
mod cases_disconnect_and_auth;
mod cases_fixed_header;
mod cases_publish;
mod cases_subscribe;
mod cases_unsubscribe_and_acks;
mod fit;
mod heap;
mod law;
mod laws_v3;
mod laws_v5;
mod laws_v5_values;
mod policies;
mod refusal;
mod regressions;
mod sections;
mod sent;
mod verdict;

#[path = "../trials/mod.rs"]
mod run;

use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Trial};

fn main() -> ExitCode {
    run::run(Layer::Codec, trials())
}

fn trials() -> Vec<Trial> {
    let groups = [
        refusal::trials(),
        accepted::trials(),
        policies::trials(),
        fit::trials(),
        laws_v5::trials(),
        laws_v5_values::trials(),
        laws_v3::trials(),
        bad_inputs_frames::trials(),
        bad_inputs_fields::trials(),
        bad_inputs_properties::trials(),
        regressions::trials(),
    ];
    groups.into_iter().flatten().collect()
}
