//! Writes the matrix of all layers, from what the trials of each have covered: see `tests/conformance.sh`.

use std::io::{Read, stdin};
use std::process::ExitCode;

use mqtt_tests::ledger::{Layer, Ledger};

const HEAD: &str = "\
# Conformance: every statement, and the tests that cover it

Made by `tests/conformance.sh`, and checked in `.ci/run`. A test stands in a row if it ran, passed, and said beside an assertion that it
shows what the row demands; its name begins with the layer that it is about. A row with two layers asks something of both.
The first three tables are the specification's statements, in words of our own; the last two are what went wrong in other software.
";

fn main() -> ExitCode {
    let mut lines = String::new();
    if let Err(error) = stdin().read_to_string(&mut lines) {
        eprintln!("the lines cannot be read: {error}");
        return ExitCode::FAILURE;
    }
    let ledger = Ledger::default();
    if let Err(line) = ledger.take(&lines) {
        eprintln!("this line says of no trial what it covered: {line}");
        return ExitCode::FAILURE;
    }
    let audit = ledger.audit(&Layer::ALL);
    eprintln!("{audit}");
    print!("{HEAD}{}", ledger.conformance());
    if audit.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
