//! Every state of two machines with few messages, cuts and crashes: none lost, none of QoS 2 doubled, nothing stuck.
//!
//! These are the small sizes. `cargo run --release -p mqtt-tests --bin explore` goes through the large ones.

use mqtt_proto::Version;
use mqtt_tests::explore::{ONE, Sabotage, Setup, TWO, peak_mib, search};

/// Searches, and says how many states there are.
fn states(setup: &Setup) -> usize {
    let report = search(setup);
    println!("{setup}: {report}, {} MiB so far", peak_mib());
    if let Some(found) = &report.found {
        panic!("{setup}: {}\n{}", found.fault, found.trace);
    }
    assert!(report.ends > 0, "no state is the end of all messages");
    report.states
}

#[test]
fn no_message_is_lost_doubled_or_stuck_in_any_state() {
    let mut total = 0;
    for version in [Version::V5, Version::V3_1_1] {
        for up in [[TWO, TWO], [ONE, TWO], [ONE, ONE]] {
            total += states(&Setup::new(version).up(&up).cuts(1).crashes(1, 1));
        }
        total += states(&Setup::new(version).up(&[TWO]).down(&[TWO]).cuts(1).crashes(1, 0));
        total += states(&Setup::new(version).down(&[TWO]).cuts(1).crashes(1, 1).hesitates());
    }
    assert!(total >= 100_000, "{total} states in all");
}

/// The least of the configurations of the full size: three messages over two identifiers, two cuts, two crashes of each end.
#[test]
fn no_message_is_lost_doubled_or_stuck_at_full_size() {
    let setup = Setup::new(Version::V3_1_1).up(&[TWO, TWO, TWO]).cuts(2).crashes(2, 2);
    let states = states(&setup);
    assert!(states >= 500_000, "{states} states");
}

/// The search is breadth first, so what it prints is the shortest way.
#[test]
fn every_wrong_policy_is_found() {
    for (sabotage, fault) in [
        (Sabotage::StoredTooEarly, "DUPLICATE"),
        (Sabotage::FreedTooEarly, "LOST"),
        (
            Sabotage::SenderStoredTooEarly,
            "message 0 arrived before its sender had stored it",
        ),
        (Sabotage::ReleaseNotStored, "DUPLICATE"),
        (Sabotage::IncomingForgotten, "DUPLICATE"),
        (Sabotage::EmptySender, "LOST"),
        (Sabotage::PubCompSwallowed, "STUCK"),
        (Sabotage::BatchSplit, "LOST"),
        (Sabotage::BatchSplitBackwards, "records could not be used"),
    ] {
        let setup = Setup::new(Version::V5).up(&[TWO, TWO]).cuts(2).crashes(1, 1);
        let report = search(&setup.sabotage(sabotage));
        let found = report.found.unwrap_or_else(|| panic!("{sabotage:?} was not found"));
        println!("{sabotage:?}\n{}", found.trace);
        assert!(found.fault.starts_with(fault), "{sabotage:?}: {}", found.fault);
    }
}

#[test]
fn the_same_search_takes_the_same_steps() {
    let setup = Setup::new(Version::V5).up(&[TWO]).cuts(1).crashes(1, 1);
    let [one, other] = [search(&setup), search(&setup)];
    assert_eq!(
        (one.states, one.steps, one.depth),
        (other.states, other.steps, other.depth)
    );
}
