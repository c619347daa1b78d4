//! The conformance tests of the workspace: every trial, without the audit of which statements are covered.

#[path = "../../../tests/tests/conformance/accepted.rs"]
mod accepted;
#[path = "../../../tests/tests/conformance/bad_inputs_fields.rs"]
mod bad_inputs_fields;
#[path = "../../../tests/tests/conformance/bad_inputs_frames.rs"]
mod bad_inputs_frames;
#[path = "../../../tests/tests/conformance/bad_inputs_properties.rs"]
mod bad_inputs_properties;
#[path = "../../../tests/tests/conformance/cases_acks.rs"]
mod cases_acks;
#[path = "../../../tests/tests/conformance/cases_connack.rs"]
mod cases_connack;
#[path = "../../../tests/tests/conformance/cases_connect.rs"]
mod cases_connect;
#[path = "../../../tests/tests/conformance/cases_connect_properties.rs"]
mod cases_connect_properties;
#[path = "../../../tests/tests/conformance/cases_disconnect_and_auth.rs"]
mod cases_disconnect_and_auth;
#[path = "../../../tests/tests/conformance/cases_fixed_header.rs"]
mod cases_fixed_header;
#[path = "../../../tests/tests/conformance/cases_publish.rs"]
mod cases_publish;
#[path = "../../../tests/tests/conformance/cases_subscribe.rs"]
mod cases_subscribe;
#[path = "../../../tests/tests/conformance/cases_unsubscribe_and_acks.rs"]
mod cases_unsubscribe_and_acks;
#[path = "../../../tests/tests/conformance/fit.rs"]
mod fit;
#[path = "../../../tests/tests/conformance/heap.rs"]
mod heap;
#[path = "../../../tests/tests/conformance/law.rs"]
mod law;
#[path = "../../../tests/tests/conformance/laws_v3.rs"]
mod laws_v3;
#[path = "../../../tests/tests/conformance/laws_v5.rs"]
mod laws_v5;
#[path = "../../../tests/tests/conformance/laws_v5_values.rs"]
mod laws_v5_values;
#[path = "../../../tests/tests/conformance/policies.rs"]
mod policies;
#[path = "../../../tests/tests/conformance/refusal.rs"]
mod refusal;
#[path = "../../../tests/tests/conformance/regressions.rs"]
mod regressions;
#[path = "../../../tests/tests/conformance/sections.rs"]
mod sections;
#[path = "../../../tests/tests/conformance/sent.rs"]
mod sent;
#[path = "../../../tests/tests/conformance/verdict.rs"]
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mqtt_tests::ledger::{Ledger, Trial};

/// Fifty million packets, which take longer than everything else here together: `hostile` tries a part of them.
const LEFT_OUT: &str = "no small packet makes the decoder panic";

/// Runs trials one after the other, and names the one that fails.
fn pass(trials: Vec<Trial>) {
    let ledger = Ledger::default();
    assert!(!trials.is_empty(), "no trial");
    for trial in trials.into_iter().filter(|trial| !trial.name.ends_with(LEFT_OUT)) {
        let name = trial.name.clone();
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| ledger.run(trial))) {
            eprintln!("{name} failed");
            resume_unwind(failure);
        }
    }
}

macro_rules! groups {
    ($($name:ident: $module:ident;)*) => {
        $(#[test]
        fn $name() {
            pass($module::trials());
        })*
    };
}

groups! {
    frames_that_break_a_statement_are_refused_under_its_id: refusal;
    frames_at_the_edge_of_a_statement_are_accepted: accepted;
    policies_decide_what_the_specification_leaves_open: policies;
    packets_are_made_to_fit_a_limit: fit;
    what_is_sent_keeps_the_statements_of_5_0: laws_v5;
    values_that_are_sent_keep_the_statements_of_5_0: laws_v5_values;
    what_is_sent_keeps_the_statements_of_3_1_1: laws_v3;
    frames_that_broke_other_software_are_refused: bad_inputs_frames;
    fields_that_broke_other_software_are_refused: bad_inputs_fields;
    properties_that_broke_other_software_are_refused: bad_inputs_properties;
    faults_of_other_engines_are_not_ours: regressions;
}
