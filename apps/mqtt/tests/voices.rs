//! `mqtt broker` beside mosquitto: what clients hear from both, over scripts that follow from seeds.
#![cfg(feature = "tokio")]

use std::io::ErrorKind;
use std::path::Path;

use mqtt_tests::voices::{Contest, Tally};

const SCRIPTS: u64 = 60;
const JOBS: usize = 20;

/// Plays the scripts at a broker with these settings, which make a class of differences go. `None`: there is no mosquitto.
fn played(settings: &str, without: &str) -> Option<Tally> {
    let contest = match Contest::start(Path::new(env!("CARGO_BIN_EXE_mqtt")), settings) {
        Ok(contest) => contest,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            mqtt_testbed::skipped("there is no mosquitto on this machine");
            return None;
        }
        Err(error) => panic!("the brokers do not start: {error}"),
    };
    let tally = contest.without(without).scripts(0..SCRIPTS, JOBS, |_| {});
    let replay = format!(
        "cargo run -p mqtt-tests --bin voices -- --settings \"{settings}\" --without '{without}' --seed N tells the whole"
    );
    assert_eq!(tally.unclassified, [], "{replay}");
    // A machine that is too busy for the times of a script says nothing about it; but not of all of them.
    assert!(tally.scripts >= SCRIPTS / 2, "not played in time: {:?}", tally.unplayed);
    // Most are compared to their end, or this proves little.
    assert!(tally.whole * 3 >= tally.scripts * 2, "{tally:?}");
    Some(tally)
}

#[test]
fn every_difference_to_mosquitto_has_a_class() {
    if let Some(tally) = played("", "") {
        assert!(tally.classes.contains_key("overlapping-copies"), "{tally:?}");
    }
}

/// Clients of one script are on different shards: what they hear does not depend on that.
#[test]
fn every_difference_of_several_shards_to_mosquitto_has_a_class() {
    played("shards = 3", "");
}

/// mosquitto sends a copy for each subscription, and so does a broker that is told to.
#[test]
fn with_a_copy_for_each_subscription_copies_do_not_differ() {
    played("protocol.overlap = 'copy-each'", "overlapping-copies");
}
