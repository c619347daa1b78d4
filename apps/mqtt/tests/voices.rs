//! `mqtt broker` beside mosquitto: what clients hear from both, over scripts that follow from seeds.
#![cfg(feature = "tokio")]

use std::io::ErrorKind;
use std::path::Path;

use mqtt_tests::voices::Contest;

const SCRIPTS: u64 = 60;
const JOBS: usize = 20;

#[test]
fn every_difference_to_mosquitto_has_a_class() {
    let contest = match Contest::start(Path::new(env!("CARGO_BIN_EXE_mqtt"))) {
        Ok(contest) => contest,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return mqtt_testbed::skipped("there is no mosquitto on this machine");
        }
        Err(error) => panic!("the brokers do not start: {error}"),
    };
    let tally = contest.scripts(0..SCRIPTS, JOBS, |_| {});
    let replay = "cargo run -p mqtt-tests --bin voices -- --seed N tells the whole";
    assert_eq!(tally.unclassified, [], "{replay}");
    // A machine that is too busy for the times of a script says nothing about it; but not of all of them.
    assert!(tally.scripts >= SCRIPTS / 2, "not played in time: {:?}", tally.unplayed);
    // Most are compared to their end, or this proves little.
    assert!(tally.whole * 3 >= tally.scripts * 2, "{tally:?}");
}
