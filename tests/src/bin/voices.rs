//! `voices [--scripts N] [--from N] [--jobs N]` plays scripts of clients at `mqtt broker`, at mosquitto and at aedes, and counts how what the
//! clients hear differs; `voices --seed N` plays one, makes it as small as it gets, and prints what everybody heard.
//!
//! `--program PATH` is the program `mqtt`, which else stands beside this one; `--settings TEXT`, what it is configured with, such as
//! `shards = 3` or `protocol.overlap = "copy-each"`; `--without CLASS` lets a class of differences explain nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "processes and sockets have a clock, threads and an environment"
)]

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use mqtt_tests::voices::{Contest, Outcome, Script, Tally, Transcript, draw, name, rows, shrink};

/// So many at once: most of the time they wait.
const JOBS: u64 = 16;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("voices: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)
    };
    let value = |name: &str| -> Option<u64> { text(name)?.parse().ok() };
    let beside = std::env::current_exe()?.with_file_name("mqtt");
    let program = text("--program").map_or(beside, PathBuf::from);
    let settings = text("--settings").map_or("", String::as_str);
    let contest = Contest::start(&program, settings).map_err(|error| {
        let about = format!("mqtt broker ({}) and mosquitto are needed: {error}", program.display());
        io::Error::new(error.kind(), about)
    })?;
    let contest = match text("--without") {
        Some(class) => contest.without(class),
        None => contest,
    };
    if let Some(seed) = value("--seed") {
        return Ok(replay(
            &contest,
            &draw(seed),
            !arguments.iter().any(|argument| argument == "--whole"),
        ));
    }
    let (from, scripts) = (value("--from").unwrap_or(0), value("--scripts").unwrap_or(200));
    let jobs = value("--jobs").unwrap_or(JOBS);
    let (since, shows) = (Instant::now(), io::stderr().is_terminal());
    let tally = contest.scripts(from..from + scripts, usize::try_from(jobs).unwrap_or(1), |done| {
        if shows {
            eprint!("\r{done} of {scripts} scripts");
        }
    });
    print(&tally, contest.has_third());
    println!("{} seconds", since.elapsed().as_secs());
    let is_well = tally.unclassified.is_empty() && tally.unplayed.is_empty();
    Ok(ExitCode::from(u8::from(!is_well)))
}

fn print(tally: &Tally, has_third: bool) {
    println!("| class | right | statement | scripts | such as | aedes with ours | with mosquitto | with neither |");
    println!("|---|---|---|---:|---:|---:|---:|---:|");
    for row in rows() {
        let (count, first, votes) = tally.classes.get(row.id).copied().unwrap_or_default();
        println!(
            "| {} | {:?} | {} | {count} | {first} | {} | {} | {} |",
            row.id, row.right, row.statement, votes.ours, votes.theirs, votes.neither
        );
    }
    println!();
    println!(
        "{} scripts, {} without a difference, {} compared to their end; {} steps of {} compared",
        tally.scripts, tally.equal, tally.whole, tally.steps.1, tally.steps.0
    );
    if !has_third {
        println!("aedes is not on this machine");
    }
    println!(
        "{} scripts could not be played in time: {:?}",
        tally.unplayed.len(),
        tally.unplayed
    );
    println!("{} scripts with an unclassified difference", tally.unclassified.len());
    for (seed, difference) in &tally.unclassified {
        println!("--seed {seed} {difference}");
    }
}

/// Prints a script with both transcripts: one that has an unclassified difference as small as it gets.
fn replay(contest: &Contest, script: &Script, smaller: bool) -> ExitCode {
    let odd = |script: &Script| contest.outcome(script).ok()?.verdict.unclassified;
    let small = match odd(script).filter(|_| smaller) {
        Some(first) => shrink(script, |script| odd(script).is_some_and(|odd| odd.is_like(&first))),
        None => script.clone(),
    };
    let outcome = match contest.outcome(&small) {
        Ok(outcome) => outcome,
        Err(error) => {
            println!("it could not be played: {error:?}");
            return ExitCode::FAILURE;
        }
    };
    tell(&small, &outcome);
    ExitCode::from(u8::from(outcome.verdict.unclassified.is_some()))
}

fn tell(script: &Script, outcome: &Outcome) {
    for (client, version) in script.clients.iter().enumerate() {
        println!("{} speaks {version:?}", name(client));
    }
    for (number, step) in script.steps.iter().enumerate() {
        println!("{number:>3}  {step}");
        for client in 0..script.clients.len() {
            let heard = |transcript: &Transcript| -> Vec<String> {
                transcript[number][client].iter().map(ToString::to_string).collect()
            };
            let (ours, theirs) = (heard(&outcome.ours), heard(&outcome.theirs));
            if ours == theirs {
                ours.iter()
                    .for_each(|line| println!("       {} hears {line}", name(client)));
            } else {
                ours.iter()
                    .for_each(|line| println!("       {} hears from ours      {line}", name(client)));
                theirs
                    .iter()
                    .for_each(|line| println!("       {} hears from mosquitto {line}", name(client)));
            }
        }
    }
    for (class, step) in &outcome.verdict.met {
        println!("step {step}: {}", class.id);
    }
    if let Some(odd) = &outcome.verdict.unclassified {
        println!("step {}: no class for this: {odd}", odd.step);
    }
}
