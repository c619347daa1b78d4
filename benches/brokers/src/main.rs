//! Brokers over sockets beside each other, under the load of `mqtt bench`. See the README of this folder.

mod added;
mod agreement;
mod brokers;
mod cell;
mod certificate;
mod configuration;
mod data;
mod environment;
mod foreign;
mod plot;
mod rows;
mod table;
mod target;

/// How bars are drawn, as in the other plots.
#[path = "../../src/bars.rs"]
#[allow(dead_code, reason = "this plot needs not all of it")]
mod bars;

use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use self::brokers::{ALL, Kind, Programs};
use self::data::Data;
use self::rows::Row;

/// Why a run has failed.
pub type Failed = Box<dyn Error + Send + Sync>;

/// In the process that has a network of its own: where `mqtt` is.
const INSIDE: &str = "MQTT_BENCH_NETWORK";

/// A broker that takes so long for a load, as nats-server does for 100,000 subscriptions, takes part in so many rounds of it.
const SLOW: Duration = Duration::from_secs(10);
const SLOW_ROUNDS: usize = 3;

/// Brokers over sockets beside each other.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo run --release -- --rounds 1 --rows qos0,qos1     a look at two rows
  cargo run --release -- --write                         all rows, nine rounds: RESULTS.md and brokers.svg
  cargo run --release -- --write --rows idle,retained    these two again; the others stay as they were measured
  cargo run --release -- --write --rows random-10,sync-1,sync-10,sync-100
  cargo run --release -- --write --rows tls0,tls-rate,idle-tls,foreign-qos0,foreign-qos1,foreign-fanout
  cargo run --release -- --write --rounds 0              the report again, without measuring")]
struct Options {
    /// How many rounds, in each of which all brokers take turns
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Seconds of each load
    #[arg(long, default_value_t = 0.6)]
    seconds: f64,
    /// Only these rows
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Only these brokers
    #[arg(long, value_delimiter = ',', value_parser = Kind::from_name)]
    brokers: Vec<Kind>,
    /// Write RESULTS.md and brokers.svg
    #[arg(long)]
    write: bool,
    /// Where rows are kept that have been measured [default: target/rows.json in this folder]
    #[arg(long)]
    data: Option<PathBuf>,
    /// The program `mqtt` [default: it is built]
    #[arg(long)]
    mqtt: Option<PathBuf>,
    /// The program `rumqttd`
    #[arg(long, default_value = "rumqttd")]
    rumqttd: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mqtt-broker-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failed> {
    let mut rows = chosen(&options.rows)?;
    let mqtt = match (std::env::var_os(INSIDE), &options.mqtt) {
        (Some(program), _) => program.into(),
        (None, Some(program)) => program.clone(),
        (None, None) => built()?,
    };
    enter_network(&mqtt);
    let mut programs = Programs::new(mqtt, options.rumqttd.clone())?;
    let compiled = tempfile::tempdir()?;
    let version = compile_foreign(&mut programs, &mut rows, options.rounds, compiled.path());
    let wanted = |kind: &Kind| options.brokers.is_empty() || options.brokers.contains(kind);
    let there: Vec<(Kind, String)> = ALL
        .into_iter()
        .filter(wanted)
        .filter_map(|kind| Some((kind, programs.version(kind)?)))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = options.data.clone().unwrap_or_else(|| folder.join("target/rows.json"));
    let mut data = Data::read(&file)?;
    data.versions.extend(
        there
            .iter()
            .map(|(kind, version)| (kind.name().to_owned(), version.clone())),
    );
    data.versions
        .extend(version.map(|version| ("Paho C".to_owned(), version)));
    let kinds: Vec<Kind> = there.into_iter().map(|(kind, _)| kind).collect();
    if options.rounds > 0 {
        let began = Instant::now();
        let bar = progress(options, &rows, &kinds);
        for rows in rows.chunk_by(|one, next| one.together.is_some() && one.together == next.together) {
            measure(rows, options, &programs, &kinds, &mut data, &bar);
            // What is measured stays, if the next row is interrupted.
            data.write(&file)?;
        }
        bar.finish_and_clear();
        eprintln!("measured in {:.0} s", began.elapsed().as_secs_f64());
    }
    let report = table::report(&data);
    if options.write {
        fs::write(folder.join("RESULTS.md"), &report)?;
        fs::write(folder.join("brokers.svg"), plot::svg(&data))?;
    }
    print!("{report}");
    Ok(())
}

/// The generator that is not ours, if a row needs it. Its version; without it these rows are left out.
fn compile_foreign(programs: &mut Programs, rows: &mut Vec<Row>, rounds: usize, folder: &Path) -> Option<String> {
    if rounds == 0 || rows.iter().all(|row| row.foreign.is_none()) {
        return None;
    }
    match foreign::compile(folder) {
        Ok((program, version)) => {
            programs.foreign = Some(program);
            Some(version)
        }
        Err(error) => {
            eprintln!("skipped: the rows by Paho C, which is not there: apt install gcc libpaho-mqtt-dev\n{error}");
            rows.retain(|row| row.foreign.is_none());
            None
        }
    }
}

fn chosen(names: &[String]) -> Result<Vec<Row>, Failed> {
    let all = rows::all();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|row| row.name != **name)) {
        let names: Vec<&str> = all.iter().map(|row| row.name).collect();
        return Err(format!("there is no row {unknown}: they are {}", names.join(", ")).into());
    }
    let is_named = |row: &Row| names.is_empty() || names.iter().any(|name| name == row.name);
    // Of those that are compared, none is measured without the others.
    let with: Vec<&str> = all
        .iter()
        .filter(|row| is_named(row))
        .filter_map(|row| row.together)
        .collect();
    let is_chosen = |row: &Row| is_named(row) || row.together.is_some_and(|name| with.contains(&name));
    Ok(all.iter().copied().filter(is_chosen).collect())
}

/// Builds `mqtt`, and the programs of this folder beside it, and says where `mqtt` is.
fn built() -> Result<PathBuf, Failed> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    for (what, manifest) in [("--bins", &own), ("--package=mqtt", &manifest)] {
        let arguments = ["build", "--release", what, "--manifest-path"];
        let mut cargo = Command::new("cargo");
        // What `cargo run` says of this package would have others built anew, and this program behind its own back.
        let said = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_"));
        said.for_each(|(name, _)| _ = cargo.env_remove(name));
        cargo.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        let status = cargo.args(arguments).arg(manifest).status()?;
        if !status.success() {
            return Err(format!("{} does not build", manifest.display()).into());
        }
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => manifest.with_file_name("target"),
    };
    Ok(target.join("release/mqtt"))
}

/// Goes on in a network of its own, where nothing else is heard and every port is free. Where that may not be, it goes on without.
fn enter_network(mqtt: &Path) {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let may = Command::new("unshare")
        .args(["-n", "ip", "link", "set", "lo", "up"])
        .output();
    let (true, Ok(own)) = (may.is_ok_and(|output| output.status.success()), std::env::current_exe()) else {
        eprintln!("without a network of its own, which needs `unshare -n` and `ip`");
        return;
    };
    let mut command = Command::new("unshare");
    command
        .args(["-n", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(own);
    command.args(std::env::args_os().skip(1)).env(INSIDE, mqtt);
    eprintln!("no network of its own: {}", command.exec());
}

fn progress(options: &Options, rows: &[Row], kinds: &[Kind]) -> ProgressBar {
    let cells = |row: &Row| row.rounds(options.rounds) * kinds.iter().filter(|kind| row.has(**kind)).count();
    let bar = ProgressBar::new(rows.iter().map(cells).sum::<usize>() as u64);
    match ProgressStyle::with_template("{wide_bar} {msg}, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// All brokers in turn, a round for a round, each with all of these rows. Each round begins with another broker, and another row.
fn measure(rows: &[Row], options: &Options, programs: &Programs, kinds: &[Kind], data: &mut Data, bar: &ProgressBar) {
    let began = Instant::now();
    let mut all: Vec<Turns<'_>> = rows.iter().map(|row| Turns::new(row, options.seconds)).collect();
    let takes_part = |kind: &Kind| rows.iter().any(|row| row.has(*kind));
    let taking_part: Vec<Kind> = kinds.iter().copied().filter(takes_part).collect();
    let rounds = rows.iter().map(|row| row.rounds(options.rounds)).max().unwrap_or(0);
    for round in 0..rounds {
        for step in 0..taking_part.len() {
            let kind = taking_part[(round + step) % taking_part.len()];
            for place in 0..all.len() {
                let turns = &mut all[(round + place) % rows.len()];
                if turns.row.has(kind) && round < turns.row.rounds(options.rounds) {
                    turns.take(programs, kind, round, bar);
                }
            }
        }
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    bar.suspend(|| eprintln!("{}: {:.0} s", names.join(", "), began.elapsed().as_secs_f64()));
    for turns in all {
        data.rows.insert(turns.row.name.to_owned(), turns.measured);
    }
}

/// A row while it is measured.
struct Turns<'a> {
    row: &'a Row,
    measured: data::Measured,
    /// Who has taken too long for it.
    slow: Vec<Kind>,
}

impl<'a> Turns<'a> {
    fn new(row: &'a Row, seconds: f64) -> Self {
        Self {
            row,
            measured: data::Measured::new(seconds),
            slow: Vec::new(),
        }
    }

    fn take(&mut self, programs: &Programs, kind: Kind, round: usize, bar: &ProgressBar) {
        let row = self.row;
        bar.set_message(format!("{} {}", row.name, kind.name()));
        let began = Instant::now();
        // One that has failed twice fails again.
        if self.measured.failures(kind) < 2 && !self.slow.contains(&kind) {
            match cell::measure(programs, kind, row, self.measured.seconds) {
                Ok(cell) => self.measured.add(kind, round, cell),
                Err(error) => {
                    bar.suspend(|| eprintln!("{} at {}, round {round}: {error}", row.name, kind.name()));
                    self.measured.fail(kind, error.to_string());
                }
            }
        }
        if round + 1 >= SLOW_ROUNDS && began.elapsed() > SLOW {
            self.slow.push(kind);
        }
        bar.inc(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chosen_by: &[&str]) -> Vec<&'static str> {
        let names: Vec<String> = chosen_by.iter().map(|name| (*name).to_owned()).collect();
        let rows = chosen(&names).expect("these are rows");
        rows.iter().map(|row| row.name).collect()
    }

    #[test]
    fn rows_that_are_compared_are_measured_together_and_stand_together() {
        assert_eq!(
            names(&["random-100000", "qos0"]),
            ["qos0", "random-10", "random-100000"]
        );
        assert_eq!(names(&["sync-1"]), ["sync-1"]);
        assert_eq!(names(&[]).len(), rows::all().len());
        assert!(chosen(&["random".to_owned()]).is_err());
        let all = rows::all();
        let chunks: Vec<_> = all
            .chunk_by(|one, next| one.together.is_some() && one.together == next.together)
            .filter_map(|rows| rows[0].together)
            .collect();
        assert_eq!(chunks, ["random"], "no row of them stands apart");
    }
}
