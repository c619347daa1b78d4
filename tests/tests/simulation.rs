//! A small size of the simulation, and the proof that it notices: each wrong policy leads to a fault.
//!
//! `SIMULATION_SEEDS` says how many seeds are run; `cargo run -p mqtt-tests --release --bin simulate` runs any number.

use mqtt_tests::pair::Wrong;
use mqtt_tests::simulation::{Total, run, run_right, run_wrong};

/// So many seeds are tried before a wrong policy counts as unnoticed.
const SEEDS_A_POLICY: u64 = 10_000;

#[expect(clippy::disallowed_methods, reason = "the size of a run is not part of it")]
fn seeds() -> u64 {
    let asked = std::env::var("SIMULATION_SEEDS").ok();
    asked.and_then(|seeds| seeds.parse().ok()).unwrap_or(1500)
}

#[test]
fn nothing_is_lost_or_doubled_whatever_goes_wrong() {
    let mut total = Total::default();
    for seed in 0..seeds() {
        let run = run(seed, false);
        let again = format!("cargo run -p mqtt-tests --release --bin simulate -- --seed {seed}");
        assert_eq!(run.fault, None, "{again}");
        total.add(&run);
    }
    println!("{total}");
    assert_eq!(total.lacks(), [""; 0]);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..100 {
        let (one, other) = (run(seed, false), run(seed, true));
        assert_eq!((one.hash, &one.counts), (other.hash, &other.counts), "seed {seed}");
        assert!(other.trace.len() as u64 >= other.counts.steps, "seed {seed}");
    }
    assert_ne!(run(1, false).hash, run(2, false).hash);
}

/// How many seeds it took.
fn leads_to(wrong: Wrong, faults: &[&str]) {
    let found = (0..SEEDS_A_POLICY).find_map(|seed| {
        let fault = run_wrong(seed, wrong, false).fault?;
        faults.iter().any(|known| fault.contains(known)).then_some(seed)
    });
    assert!(found.is_some(), "{wrong:?} leads to none of {faults:?}");
    // The fault is that of the policy: played right, the same plan is without fault.
    for seed in 0..100 {
        assert_eq!(run_right(seed, false).fault, None, "seed {seed}");
    }
}

#[test]
fn acknowledging_before_the_store_has_it_is_noticed() {
    leads_to(Wrong::StoredTooEarly, &["is lost"]);
}

#[test]
fn a_release_that_is_not_stored_is_noticed() {
    leads_to(Wrong::ReleaseDropped, &["handed over twice"]);
}

#[test]
fn forgetting_incoming_identifiers_at_reconnect_is_noticed() {
    leads_to(Wrong::IncomingForgotten, &["handed over twice"]);
}

#[test]
fn an_empty_sender_that_resumes_is_noticed() {
    leads_to(Wrong::SenderEmptied, &["is lost"]);
}

#[test]
fn a_pubcomp_that_is_swallowed_is_noticed() {
    leads_to(Wrong::CompNotFoundSwallowed, &["never comes to rest"]);
}

#[test]
fn a_batch_of_which_only_the_first_changes_are_stored_is_noticed() {
    leads_to(Wrong::BatchSplitFirst, &["is lost", "handed over twice"]);
}

#[test]
fn a_batch_of_which_only_the_last_changes_are_stored_is_noticed() {
    leads_to(Wrong::BatchSplitLast, &["is lost", "handed over twice"]);
}

#[test]
fn acknowledgements_that_arrive_twice_are_noticed() {
    leads_to(Wrong::AcksDoubled, &["is lost"]);
}
