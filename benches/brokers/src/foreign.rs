//! A load by a generator that is not ours: `foreign/load.c`, a loop over the asynchronous client of Eclipse Paho C.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::Failed;
use crate::brokers::Running;
use crate::cell::Cell;
use crate::environment;

/// The longest that it may take to connect, and to load.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shape of a load.
#[derive(Clone, Copy, Debug)]
pub struct Foreign {
    /// Of messages and subscriptions.
    pub qos: u8,
    /// How many get each message.
    pub subscribers: u32,
    /// Rows of our generator with this shape.
    pub own: &'static [&'static str],
}

/// Compiles the generator into this folder: the program, and the version of the library.
pub fn compile(folder: &Path) -> Result<(PathBuf, String), Failed> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/load.c");
    let program = folder.join("load");
    let output = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(source)
        .arg("-lpaho-mqtt3a")
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    match output.status.success() {
        true => {
            let version = environment::said(&program.display().to_string(), &["--version"]);
            Ok((program, version))
        }
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into()),
    }
}

/// Loads a broker for so long.
pub fn measure(program: &Path, broker: &Running, shape: Foreign, seconds: f64) -> Result<Cell, Failed> {
    let words = [
        broker.port.to_string(),
        shape.qos.to_string(),
        shape.subscribers.to_string(),
        seconds.to_string(),
    ];
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    Generator { child }.loaded(broker.id(), shape)
}

/// It ends with this value.
struct Generator {
    child: Child,
}

impl Generator {
    fn loaded(mut self, broker: u32, shape: Foreign) -> Result<Cell, Failed> {
        let stdout = self.child.stdout.take().ok_or("it has an output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.map(|line| sender.send(line)).take_while(Result::is_ok).count()
        });
        let next = |what: &str| {
            let line = lines.recv_timeout(PATIENCE);
            line.map_err(|_| format!("the foreign generator ends, or says nothing for too long: {what}"))
        };
        next("when it connects")?;
        let used = || Ok::<_, Failed>((cpu_micros(broker)?, cpu_micros(self.child.id())?));
        let before = used()?;
        let mut stdin = self.child.stdin.as_ref().ok_or("it has an input")?;
        stdin.write_all(b"go\n")?;
        let said = next("while it loads")?;
        let after = used()?;
        let numbers: Vec<f64> = said.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [sent, received, seconds] = numbers[..] else {
            return Err(format!("the foreign generator says {said:?}").into());
        };
        if received == 0.0 {
            return Err("no message has come".into());
        }
        Ok(Cell {
            cpu_message: Some((after.0 - before.0) / sent),
            cpu_delivery: Some((after.0 - before.0) / received),
            rate: received / seconds,
            generator: Some((after.1 - before.1) / sent),
            lost: (sent * f64::from(shape.subscribers) - received).max(0.0) as u64,
            ..Cell::default()
        })
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of all threads of a process, from the kernel's scheduler.
fn cpu_micros(id: u32) -> Result<f64, Failed> {
    let mut nanos = 0.0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may have ended since.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let first = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
        nanos += first.ok_or("schedstat has no numbers")?;
    }
    Ok(nanos / 1000.0)
}
