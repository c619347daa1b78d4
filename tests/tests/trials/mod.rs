//! Runs the trials of one layer as a test binary, and audits the ledger after a whole run.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use mqtt_tests::ledger::{Layer, Ledger, Trial};

/// Runs trials by the arguments of the command line. With `--matrix` the matrix of rows and tests is printed as Markdown
/// instead of the list of tests, and with `--covered` what each trial covered, for the matrix of all layers.
pub(crate) fn run(layer: Layer, trials: Vec<Trial>) -> ExitCode {
    let (prints, arguments): (Vec<String>, Vec<String>) =
        std::env::args().partition(|argument| argument == "--matrix" || argument == "--covered");
    let mut arguments = Arguments::from_iter(arguments);
    if !prints.is_empty() {
        let log = format!("{}/{}.log", env!("CARGO_TARGET_TMPDIR"), layer.name());
        arguments.logfile = Some(log);
    }
    let ledger = Arc::new(Ledger::default());
    let tests = trials.into_iter().map(|trial| as_test(&ledger, trial)).collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    if conclusion.has_failed() {
        return conclusion.exit_code();
    }
    for print in prints {
        match print.as_str() {
            "--matrix" => println!("{}", ledger.matrix(&[layer])),
            _ => print!("{}", ledger.lines()),
        }
    }
    if arguments.list || !is_whole(&arguments) {
        return ExitCode::SUCCESS;
    }
    let audit = ledger.audit(&[layer]);
    eprintln!("{audit}\n");
    if audit.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn as_test(ledger: &Arc<Ledger>, trial: Trial) -> libtest_mimic::Trial {
    let ledger = Arc::clone(ledger);
    libtest_mimic::Trial::test(trial.name.clone(), move || {
        ledger.run(trial);
        Ok(())
    })
}

/// Whether every trial runs, so that what is uncovered has no test.
fn is_whole(arguments: &Arguments) -> bool {
    arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored && !arguments.bench
}
