//! `simulate_broker [--seeds N] [--from N]` runs the simulation of a broker with its clients; `simulate_broker --seed N` runs
//! one seed again and prints what happened, as a diagram.

use std::io::IsTerminal;
use std::process::ExitCode;

use mqtt_tests::broker::{Counts, REQUIRED_A_SEED, draw, run};

/// So many seeds are needed before everything can be expected to have happened.
const ENOUGH_FOR_ALL: u64 = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| -> Option<u64> {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)?.parse().ok()
    };
    if let Some(seed) = value("--seed") {
        let run = run(seed, true);
        for line in draw(&run.trace, run.clients) {
            println!("{line}");
        }
        println!("{:?}", run.counts);
        println!("{:?}", run.fault);
        return ExitCode::from(u8::from(run.fault.is_some()));
    }
    let (from, seeds) = (value("--from").unwrap_or(0), value("--seeds").unwrap_or(1000));
    let (mut failed, mut total) = (0, Counts::default());
    let shows = std::io::stderr().is_terminal();
    for seed in from..from + seeds {
        if shows && seed % 100 == 0 {
            eprint!("\r{} of {seeds} seeds", seed - from);
        }
        let run = run(seed, false);
        total.add(&run.counts);
        if let Some(fault) = run.fault {
            println!("seed {seed}: {fault} (simulate_broker --seed {seed} tells the whole)");
            failed += 1;
        }
    }
    if seeds >= ENOUGH_FOR_ALL {
        for (name, _) in total.all().into_iter().filter(|(_, count)| *count == 0) {
            println!("nothing of this happened: {name}");
            failed += 1;
        }
        if total.required < REQUIRED_A_SEED * seeds {
            println!(
                "less than {REQUIRED_A_SEED} messages a seed had to arrive: {}",
                total.required
            );
            failed += 1;
        }
    }
    for (name, count) in total.all() {
        println!("{count:>12}  {name}");
    }
    println!("{failed} of {seeds} seeds failed");
    ExitCode::from(u8::from(failed > 0))
}
