//! Clients over sockets beside each other: one command, one table.
//!
//! ```text
//! cargo run --release              # a short look
//! cargo run --release -- --write   # nine rounds, and RESULTS.md
//! ```
//!
//! Each run of a client is a process of its own, whose CPU time the kernel counts. In each round all clients take turns with
//! the same load, and the round gives one ratio.

mod awake;
mod load;
mod ours;
mod peers;
mod rumqttc;
mod server;
mod table;
mod target;

use std::io::{IsTerminal, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use load::{Failed, Load, Pace, Used};
use peers::{Client, Target};
use table::Row;

/// No run takes longer: a client that does not come to an end is an error, and not a silence.
const RUN_TIME: Duration = Duration::from_secs(120);

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            println!("{}", listener.local_addr()?.port());
            Ok(server::serve(&listener)?)
        }
        ["client", name, port, ..] => {
            let load = Load::from_args(&args[3..]).ok_or("client NAME PORT QOS WINDOW MESSAGES PACE")?;
            let port = port.parse()?;
            let used = match name {
                "mqtt-tokio" => ours::tokio(port, load)?,
                "mqtt-smol" => ours::smol(port, load)?,
                "mqtt-std" => ours::std(port, load)?,
                "rumqttc" => rumqttc::run(port, load)?,
                _ => return Err(format!("there is no client {name:?}").into()),
            };
            println!("{used}");
            Ok(())
        }
        ["spin"] => awake::spin(),
        [] => compare(3, false),
        ["--write"] => compare(9, true),
        _ => Err("nothing, or --write".into()),
    }
}

/// All loads, in the order of the table.
fn loads(target: &Target) -> Vec<Load> {
    let messages = if target.is_null() { 50_000 } else { 15_000 };
    let mut loads = Vec::new();
    for qos in 0..=2 {
        for window in [20, 100] {
            let pace = Pace::Saturated;
            loads.push(Load {
                qos,
                window,
                messages,
                pace,
            });
        }
    }
    let (window, qos) = (100, 1);
    if target.is_null() {
        for rate in [20_000, 100_000] {
            let (messages, pace) = (rate / 4, Pace::Offered(rate));
            loads.push(Load {
                qos,
                window,
                messages,
                pace,
            });
        }
    }
    let (messages, pace) = (2_000, Pace::OneByOne);
    loads.push(Load {
        qos,
        window,
        messages,
        pace,
    });
    loads
}

fn compare(rounds: usize, write: bool) -> Result<(), Failed> {
    let clients = peers::clients()?;
    let _awake = awake::awake()?;
    let mut rows = Vec::new();
    for target in peers::targets()? {
        for load in loads(&target) {
            let mut row = Row::new(target.name(), load, &clients);
            for round in 0..rounds {
                progress(&format!("{} {load:?}: round {} of {rounds}", target.name(), round + 1));
                for client in &clients {
                    row.add(client, run(client, target.port(), client.share(load))?);
                }
            }
            for client in &clients {
                row.set_syscalls(client, syscalls(client, target.port(), client.share(load))?);
            }
            rows.push(row);
        }
    }
    progress("");
    let report = table::report(&rows, &clients, rounds)?;
    println!("{report}");
    if write {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"), report)?;
    }
    Ok(())
}

/// One line that is written over, for who waits.
fn progress(line: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{line}");
        let _ = out.flush();
    }
}

fn run(client: &Client, port: u16, load: Load) -> Result<Used, Failed> {
    let mut command = client.command(port, load)?;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let until = Instant::now() + RUN_TIME;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(format!("{} with {load:?}: does not end", client.name()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{} with {load:?}: {}", client.name(), output.status).into());
    }
    let mut used: Used = String::from_utf8(output.stdout)?.trim().parse()?;
    used.messages = f64::from(load.messages);
    Ok(used)
}

/// How many calls of the kernel a message takes, if there is `strace` to count them.
fn syscalls(client: &Client, port: u16, load: Load) -> Result<Option<f64>, Failed> {
    let counted = tempfile::NamedTempFile::new()?;
    let inner = client.command(port, load)?;
    let mut outer = Command::new("strace");
    outer
        .args(["-f", "-c", "-o"])
        .arg(counted.path())
        .arg(inner.get_program())
        .args(inner.get_args());
    match outer.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        _ => return Ok(None),
    }
    let counted = std::fs::read_to_string(counted.path())?;
    let total = counted.lines().find(|line| line.trim_end().ends_with("total"));
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
    Ok(calls.map(|calls| calls / f64::from(load.messages)))
}
