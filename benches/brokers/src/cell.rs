//! One load at one broker, in processes of their own.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Failed;
use crate::brokers::{Kind, Programs, Running};
use crate::foreign;
use crate::rows::{Measure, Row};

/// The longest that one may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Of the broker, in microseconds, a message that was published (replayed, where none is).
    pub cpu_message: Option<f64>,
    /// The same a delivery.
    pub cpu_delivery: Option<f64>,
    /// Deliveries a second.
    pub rate: f64,
    /// CPU time of the generator a message, in microseconds.
    pub generator: Option<f64>,
    /// Of deliveries, in microseconds; of acknowledgements where messages are stored.
    pub p50: Option<f64>,
    /// The same.
    pub p99: Option<f64>,
    /// Bytes a connection, of the broker: all, its own, of files.
    pub memory: Option<[f64; 3]>,
    /// Deliveries that did not come.
    pub lost: u64,
}

/// Starts a broker, loads it, and ends it.
pub fn measure(programs: &Programs, kind: Kind, row: &Row, seconds: f64) -> Result<Cell, Failed> {
    if kind == Kind::Store {
        let group = row.group.ok_or("nothing is stored")?;
        let words = [group.to_string(), seconds.to_string(), (seconds / 4.0).to_string()];
        return figures(row, programs.command(kind).args(words));
    }
    let broker = Running::start(programs, kind, row)?;
    if let Some(shape) = row.foreign {
        let program = programs.foreign.as_ref().ok_or("the generator is not there")?;
        return foreign::measure(program, &broker, shape, seconds);
    }
    let mut command = Command::new(&programs.mqtt);
    command
        .args(["bench", "-V", "3.1.1", "--json", "--quiet", "--patience", "3"])
        .args(["--pid", &broker.id().to_string()])
        .args(row.load.split(' '));
    match row.has_tls {
        true => command.args(programs.certificate.arguments(broker.port)),
        false => command.args(["--connect", &format!("127.0.0.1:{}", broker.port)]),
    };
    if row.is_timed() {
        command.args([
            "--warm-up",
            &format!("{}", seconds / 4.0),
            "--duration",
            &seconds.to_string(),
        ]);
    }
    figures(row, &mut command)
}

/// Those that a program prints.
fn figures(row: &Row, command: &mut Command) -> Result<Cell, Failed> {
    let (output, errors) = within(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?,
    )?;
    // Without a connection, or with one that has ended, there are no figures.
    let figures: serde_json::Value = serde_json::from_str(&output).map_err(|_| errors.trim().to_owned())?;
    Ok(read(row, &figures))
}

/// What a process prints, if it ends in time.
fn within(mut child: Child) -> Result<(String, String), Failed> {
    let until = Instant::now() + PATIENCE;
    let mut stdout = child.stdout.take().ok_or("it has an output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("not done within {} s", PATIENCE.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut errors = String::new();
    child
        .stderr
        .take()
        .ok_or("it has errors")?
        .read_to_string(&mut errors)?;
    let output = reader.join().map_err(|_| "reading has failed")?;
    Ok((output, errors))
}

fn read(row: &Row, figures: &serde_json::Value) -> Cell {
    let number = |path: &str| figures.pointer(path).and_then(serde_json::Value::as_f64);
    let times = match row.measure {
        Measure::Durable => "/acknowledgement_micros",
        _ => "/latency_micros",
    };
    let connections = number("/idle").unwrap_or(0.0);
    let each = |part: &str| {
        let at = |when: &str| number(&format!("/memory/{when}/{part}"));
        Some((at("ready")? - at("before")?).max(0.0) / connections)
    };
    let memory = || Some([each("resident")?, each("anonymous")?, each("file")?]);
    Cell {
        cpu_message: number("/broker/cpu_micros_per_message"),
        cpu_delivery: number("/broker/cpu_micros_per_delivery"),
        rate: number("/received_per_second").unwrap_or(0.0),
        generator: number("/generator/cpu_micros_per_message"),
        p50: number(&format!("{times}/p50")),
        p99: number(&format!("{times}/p99")),
        memory: if connections > 0.0 { memory() } else { None },
        lost: number("/lost").unwrap_or(0.0) as u64,
    }
}
