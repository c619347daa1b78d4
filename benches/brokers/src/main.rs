//! Brokers over sockets beside each other, under the load of `mqtt bench`. See the README of this folder.

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
        for row in &rows {
            measure(row, options, &programs, &kinds, &mut data, &bar);
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
    let is_chosen = |row: &Row| names.is_empty() || names.iter().any(|name| name == row.name);
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// Builds `mqtt`, and says where it is.
fn built() -> Result<PathBuf, Failed> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let arguments = ["build", "--release", "-p", "mqtt", "--manifest-path"];
    let status = Command::new("cargo").args(arguments).arg(&manifest).status()?;
    if !status.success() {
        return Err("mqtt does not build".into());
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

/// All brokers in turn, a round for a round. Each round begins with another.
fn measure(row: &Row, options: &Options, programs: &Programs, kinds: &[Kind], data: &mut Data, bar: &ProgressBar) {
    let taking_part: Vec<Kind> = kinds.iter().copied().filter(|kind| row.has(*kind)).collect();
    let began = Instant::now();
    let mut is_slow = Vec::new();
    let mut measured = data::Measured::new(options.seconds);
    for round in 0..row.rounds(options.rounds) {
        for step in 0..taking_part.len() {
            let kind = taking_part[(round + step) % taking_part.len()];
            bar.set_message(format!("{} {}", row.name, kind.name()));
            let cell_began = Instant::now();
            // One that has failed twice fails again.
            if measured.failures(kind) < 2 && !is_slow.contains(&kind) {
                match cell::measure(programs, kind, row, options.seconds) {
                    Ok(cell) => measured.add(kind, round, cell),
                    Err(error) => {
                        bar.suspend(|| eprintln!("{} at {}, round {round}: {error}", row.name, kind.name()));
                        measured.fail(kind, error.to_string());
                    }
                }
            }
            if round + 1 >= SLOW_ROUNDS && cell_began.elapsed() > SLOW {
                is_slow.push(kind);
            }
            bar.inc(1);
        }
    }
    bar.suspend(|| eprintln!("{}: {:.0} s", row.name, began.elapsed().as_secs_f64()));
    data.rows.insert(row.name.to_owned(), measured);
}
