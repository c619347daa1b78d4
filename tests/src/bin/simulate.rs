//! `simulate [--seeds N] [--from N] [--jobs N]` runs the simulation of a client and a server; `simulate --seed N` runs one
//! seed again and prints what happened.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use mqtt_tests::simulation::{Total, run};

/// So many seeds are needed before every state can be expected.
const ENOUGH_FOR_ALL_STATES: u64 = 1000;
/// Each of so many seeds is run twice: the same seed is the same run.
const TWICE: u64 = 50;

struct Options {
    seed: Option<u64>,
    from: u64,
    seeds: u64,
    jobs: u64,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: simulate [--seeds N] [--from N] [--jobs N] | --seed N");
        return ExitCode::FAILURE;
    };
    match options.seed {
        Some(seed) => replay(seed),
        None => run_all(&options),
    }
}

fn options() -> Option<Options> {
    let mut options = Options {
        seed: None,
        from: 0,
        seeds: 1000,
        jobs: 1,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seed" => options.seed = Some(value),
            "--from" => options.from = value,
            "--seeds" => options.seeds = value,
            "--jobs" => options.jobs = value.max(1),
            _ => return None,
        }
    }
    Some(options)
}

fn replay(seed: u64) -> ExitCode {
    let run = run(seed, true);
    let mut out = std::io::stdout().lock();
    for line in &run.trace {
        // Whoever reads may have seen enough.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    match run.fault {
        Some(fault) => {
            eprintln!("seed {seed}: {fault}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("seed {seed}: nothing went wrong in {} steps", run.counts.steps);
            ExitCode::SUCCESS
        }
    }
}

fn run_all(options: &Options) -> ExitCode {
    let done = AtomicU64::new(0);
    let (mut total, mut failed) = (Total::default(), Vec::new());
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..options.jobs)
            .map(|job| {
                scope.spawn({
                    let done = &done;
                    move || work(options, job, done)
                })
            })
            .collect();
        for job in jobs {
            match job.join() {
                Ok((part, faults)) => {
                    total.merge(&part);
                    failed.extend(faults);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    failed.sort_unstable();
    print!("{total}");
    for (seed, fault) in &failed {
        println!("seed {seed}: {fault}");
    }
    if let Some((seed, _)) = failed.first() {
        println!(
            "{} of {} seeds failed; see the first one with",
            failed.len(),
            options.seeds
        );
        println!("cargo run -p mqtt-tests --release --bin simulate -- --seed {seed}");
    }
    let lacks = if options.seeds < ENOUGH_FOR_ALL_STATES {
        Vec::new()
    } else {
        total.lacks()
    };
    for lack in &lacks {
        println!("too little happened: {lack}");
    }
    if failed.is_empty() && lacks.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every seed of one job.
fn work(options: &Options, job: u64, done: &AtomicU64) -> (Total, Vec<(u64, String)>) {
    let (mut total, mut failed) = (Total::default(), Vec::new());
    let mut offset = job;
    while offset < options.seeds {
        let seed = options.from.wrapping_add(offset);
        let report = run(seed, false);
        total.add(&report);
        if let Some(fault) = report.fault {
            failed.push((seed, fault));
        } else if offset % TWICE == 0 && run(seed, false).hash != report.hash {
            failed.push((seed, "the same seed gave another run".to_owned()));
        }
        offset += options.jobs;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, options.seeds);
    }
    (total, failed)
}

fn progress(done: u64, all: u64) {
    if (done % 256 == 0 || done == all) && std::io::stderr().is_terminal() {
        eprint!("\r{done} of {all} seeds");
        if done == all {
            eprintln!();
        }
    }
}
