//! Nothing is done for all connections at once: a message and a tick cost the same beside 10 clients that idle and beside
//! 10,000. Counted in instructions, so that nothing else that the machine does plays a part.

use std::process::Command;

use mqtt_testbed::skipped;

/// How much more or less it may be, in parts of a thousand.
const TOLERANCE: u64 = 30;

/// The instructions of a whole run of the workload.
fn count(idle: usize, rounds: usize) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_workload"))
        .args([format!("beside-{idle}"), rounds.to_string()])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            skipped(format_args!("valgrind cannot be run: {error}"));
            return None;
        }
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let line = told.lines().find(|line| line.contains("Collected"));
    let number = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    Some(number.unwrap_or_else(|| panic!("no figure is told: {told}")))
}

/// What a hundred messages take, with what begins and ends a run left out.
fn a_round(idle: usize) -> Option<u64> {
    const FEW: usize = 5;
    const MANY: usize = 25;
    let (few, many) = (count(idle, FEW)?, count(idle, MANY)?);
    Some((many - few) / (MANY - FEW) as u64)
}

#[test]
fn a_message_costs_the_same_beside_any_number_that_idle() {
    let (Some(few), Some(many)) = (a_round(10), a_round(10_000)) else {
        return;
    };
    println!("a hundred messages: {few} instructions beside 10, {many} beside 10,000");
    let difference = few.abs_diff(many);
    assert!(
        difference * 1000 <= few * TOLERANCE,
        "{few} instructions beside 10, {many} beside 10,000"
    );
}
