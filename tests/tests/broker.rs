//! The simulation of a broker with its clients, at a small size, and what it has to notice.

use mqtt_tests::broker::{Counts, REQUIRED_A_SEED, run, run_lying};

const SEEDS: u64 = 400;

#[test]
fn no_seed_breaks_a_promise_and_everything_happens() {
    let mut total = Counts::default();
    for seed in 0..SEEDS {
        let run = run(seed, false);
        assert_eq!(
            run.fault, None,
            "seed {seed}: cargo run -p mqtt-tests --bin simulate_broker -- --seed {seed}"
        );
        total.add(&run.counts);
    }
    for (name, count) in total.all() {
        assert!(count > 0, "nothing of this happened: {name}");
    }
    assert!(total.steps / SEEDS >= 200, "{total:?}");
    assert!(total.published / SEEDS >= 20, "{total:?}");
    assert!(total.required / SEEDS >= REQUIRED_A_SEED, "{total:?}");
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..40 {
        let (first, second) = (run(seed, false), run(seed, false));
        assert_eq!((first.hash, first.counts), (second.hash, second.counts), "seed {seed}");
    }
}

#[test]
fn a_host_that_says_stored_too_early_is_noticed() {
    let noticed = (0..5000).find(|seed| run_lying(*seed, false).fault.is_some());
    assert!(
        noticed.is_some(),
        "acknowledged messages may be lost, and nobody notices"
    );
}
