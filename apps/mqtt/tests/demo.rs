//! `mqtt demo`, without a terminal, and what it says of a broker that forgets.
#![cfg(feature = "demo")]

use std::process::Command;
use std::time::Instant;

#[test]
fn every_promise_is_kept_over_a_cut_and_a_killed_broker() {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt")).arg("demo").output();
    let output = output.expect("the program runs");
    let told = String::from_utf8(output.stdout).expect("text");
    println!("{:.1} s", began.elapsed().as_secs_f64());
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "cut in front of PUBREC",
        "the connection of smol is cut in front of PUBLISH",
        "was ended by signal 9",
        "CONNACK goes on",
        "Delivered once",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "no colour without a terminal: {told}");
}

/// A message that is acknowledged and that a subscriber does not have yet is in the store or nowhere. A store that keeps no message is
/// seen by that, whatever the machine does in which order and whatever shares a group.
#[test]
#[cfg(feature = "broken-store")]
fn a_store_that_forgets_turns_the_verdict() {
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .arg("demo")
        .env("MQTT_BROKEN_STORE", "1")
        .output();
    let output = output.expect("the program runs");
    let told = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("A promise was broken") && told.contains("BROKEN"),
        "{told}"
    );
}
