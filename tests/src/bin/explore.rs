//! Goes through every state of two machines, at the size that is asked for.
//!
//!     cargo run --release -p mqtt-tests --bin explore -- [--size middle|full]
//!     cargo run --release -p mqtt-tests --bin explore -- --takeover
//!
//! The second plays all sequences of what the connections of one client can do at a broker, up to a length.
//!
//! Prints a row for each configuration, and ends with an error if one breaks an invariant.

use std::process::ExitCode;

use mqtt_proto::Version;
use mqtt_tests::explore::{ONE, Setup, TWO, peak_mib, search, takeover};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let setups = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--size", "middle"] => middle(),
        ["--size", "full"] => full(),
        ["--takeover"] => return play_takeovers(),
        _ => {
            eprintln!("usage: explore [--size middle|full] [--takeover]");
            return ExitCode::FAILURE;
        }
    };
    let mut states = 0;
    for (index, setup) in setups.iter().enumerate() {
        eprintln!("{} of {}: {setup} ...", index + 1, setups.len());
        let report = search(setup);
        println!("{setup}: {report}, {} MiB so far", peak_mib());
        states += report.states;
        if let Some(found) = &report.found {
            println!("{}", found.trace);
            return ExitCode::FAILURE;
        }
    }
    println!("{states} states in all, and no invariant is broken in any");
    ExitCode::SUCCESS
}

/// All clients, and longer with two of them, with a store that is quick and with one that is not.
fn play_takeovers() -> ExitCode {
    use takeover::Setup as Sequences;
    let setups = [
        ("all clients", Sequences::all(4)),
        ("all clients, late store", Sequences::all(4).late()),
        ("two clients", Sequences::few(8)),
        ("two clients, late store", Sequences::few(8).late()),
    ];
    for (name, setup) in setups {
        let report = takeover::search(&setup);
        println!("{name}, up to {} actions: {report}", setup.depth);
        if let Some(found) = &report.found {
            println!("{found}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Two messages, or one in each direction.
fn middle() -> Vec<Setup> {
    let mut setups = Vec::new();
    for version in [Version::V5, Version::V3_1_1] {
        for up in [[TWO, TWO], [ONE, TWO]] {
            setups.push(Setup::new(version).up(&up).cuts(2).crashes(1, 1));
        }
        setups.extend(both_directions(version));
    }
    setups
}

/// Three messages over two identifiers, two cuts, two crashes of each end; and one message in each direction.
fn full() -> Vec<Setup> {
    let mut setups = Vec::new();
    for version in [Version::V5, Version::V3_1_1] {
        for up in [[TWO, TWO, TWO], [ONE, TWO, ONE], [TWO, ONE, TWO], [ONE, ONE, ONE]] {
            setups.push(Setup::new(version).up(&up).cuts(2).crashes(2, 2));
        }
        setups.push(Setup::new(version).down(&[TWO, TWO, TWO]).cuts(2).crashes(2, 2));
        setups.push(Setup::new(version).up(&[TWO, TWO]).cuts(2).crashes(1, 1).hesitates());
        setups.extend(both_directions(version));
    }
    setups
}

fn both_directions(version: Version) -> Vec<Setup> {
    [([TWO], [TWO]), ([ONE], [TWO]), ([ONE], [ONE])]
        .into_iter()
        .map(|(up, down)| Setup::new(version).up(&up).down(&down).cuts(1).crashes(1, 1))
        .collect()
}
