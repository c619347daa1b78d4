//! The codec beside independent MQTT codecs: random packets and mutations of them are decoded by both sides, and every
//! difference has to fall into a class that has a name and a statement of the specification. See `README.md`.

mod anatomy;
mod classes;
mod control;
mod filters;
mod generate;
mod mutate;
mod normal;
mod options;
mod ours;
mod peers;
mod random;
mod report;
mod run;
mod tables;
mod tally;
mod verdict;
mod witness;

use std::process::ExitCode;

use classes::Finding;
use control::Flip;
use options::{Options, Task};
use report::{Report, grouped, hex};
use run::{Comparison, Pair, Size};

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(misunderstood) => {
            eprintln!("{misunderstood}");
            return ExitCode::from(2);
        }
    };
    peers::keep_panics_quiet();
    let size = Size {
        packets: options.packets,
        mutations: options.mutations,
        seed: options.seed,
    };
    match options.task {
        Task::Compare => compare(size),
        Task::Control => control(size),
        Task::Frame(bytes) => show(&bytes),
    }
}

/// Exits with 1 if a difference has no class.
fn compare(size: Size) -> ExitCode {
    let tallies = run::all(&Pair::all(), size, None);
    let mut unexplained = 0;
    for (pair, tally) in &tallies {
        println!("{}", Report(*pair, tally));
        unexplained += tally.unexplained_cases();
    }
    let cases = tallies.iter().map(|(_, tally)| tally.cases()).sum();
    println!(
        "Cases: {}. Seed: {}. Unclassified: {}.",
        grouped(cases),
        size.seed,
        grouped(unexplained)
    );
    if unexplained == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Exits with 1 if every flip was found, and with 0 if one was not: then this program cannot be trusted.
fn control(size: Size) -> ExitCode {
    let mut all_found = true;
    for flip in Flip::all() {
        let found: u64 = run::all(&Pair::all(), size, Some(flip))
            .iter()
            .map(|(_, tally)| tally.unexplained_cases())
            .sum();
        println!("{flip:?}: {} unclassified differences", grouped(found));
        all_found &= found > 0;
    }
    if all_found {
        println!("Every flip was found.");
        ExitCode::FAILURE
    } else {
        println!("A FLIP WAS NOT FOUND.");
        ExitCode::SUCCESS
    }
}

fn show(bytes: &[u8]) -> ExitCode {
    println!("{}", hex(bytes));
    for pair in Pair::all() {
        let case = Comparison::new(pair, None).case(bytes);
        let finding = match case.finding(None) {
            Finding::Agreement => "no difference".to_owned(),
            Finding::Difference(class) => format!("{} [{}]", class.name, class.statement),
            Finding::Unexplained => "UNCLASSIFIED".to_owned(),
        };
        println!("{}: {finding}\n  {}", pair.name(), case.verdicts());
    }
    ExitCode::SUCCESS
}
