//! Every sequence of connecting, leaving, being cut off, waiting and restarting: wills and sessions by the table.
//!
//! These are the small sizes. `cargo run --release -p mqtt-tests --bin explore -- --takeover` plays longer ones.

use mqtt_tests::explore::takeover::{Report, Sabotage, Setup, search};

/// Searches, and says what was seen.
fn seen(setup: &Setup) -> Report {
    let report = search(setup);
    println!("{report}");
    if let Some(found) = &report.found {
        panic!("\n{found}");
    }
    report
}

#[test]
fn wills_and_sessions_are_those_of_the_table_in_every_sequence() {
    let every = seen(&Setup::all(3));
    assert!(every.sequences >= 3_000, "{every}");
    let long = seen(&Setup::few(5));
    let late = seen(&Setup::few(5).late());
    assert!(long.sequences + late.sequences >= 8_000, "{long}, {late}");
    assert!(long.states >= 20 && late.states > long.states, "{long}, {late}");
    let mut all = every.seen;
    all.add(&long.seen);
    all.add(&late.seen);
    let counts = [
        all.takeovers,
        all.resumed,
        all.prompt_wills,
        all.delayed_wills,
        all.wills_of_ended_sessions,
        all.dismissed_wills,
        all.recalled_wills,
        all.expired_sessions,
        all.restored_sessions,
    ];
    assert!(counts.into_iter().all(|count| count >= 100), "{all:?}");
}

#[test]
fn every_wrong_policy_is_found() {
    for (sabotage, fault) in [
        (Sabotage::ClientsNotStored, "records could not be used"),
        (Sabotage::NothingDeleted, "WILL"),
        (Sabotage::CutIsFarewell, "WAKES"),
        (Sabotage::TimeoutsSwallowed, "SESSION"),
        (Sabotage::AlwaysClean, "CONNACK"),
    ] {
        let report = search(&Setup::few(5).sabotage(sabotage));
        let found = report.found.unwrap_or_else(|| panic!("{sabotage:?} was not found"));
        println!("{sabotage:?}\n{found}");
        assert!(found.fault.starts_with(fault), "{sabotage:?}: {found}");
    }
    let late = search(&Setup::few(5).late().sabotage(Sabotage::StoredTooEarly));
    let found = late.found.expect("a store that is too early was not found");
    println!("{found}");
}
