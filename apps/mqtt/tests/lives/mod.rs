//! `mqtt broker` as a process that is started again and again on the same store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[allow(dead_code, reason = "not every test that shares this file needs it")]
/// A port that was free a moment ago: the same for every life of a broker.
pub(crate) fn free_address() -> SocketAddr {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.expect("there is a port")
}

#[allow(dead_code, reason = "not every test that shares this file needs it")]
/// Waits until a number has stayed as it is for half a second.
pub(crate) fn settled(number: impl Fn() -> usize) {
    let latest = Instant::now() + PATIENCE;
    let mut before = number();
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = number();
        if now == before {
            return;
        }
        assert!(Instant::now() < latest, "it goes on and on: {now}");
        before = now;
    }
}

/// A broker, and what it logs. It ends with this value.
pub(crate) struct Serving {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
    /// Its number, also if it is traced or was started by another one.
    pub(crate) process: String,
}

#[allow(dead_code, reason = "not every test that shares this file needs all of it")]
impl Serving {
    /// Starts one with this configuration.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::run(Self::command(folder, config))
    }

    /// What starts one with this configuration.
    pub(crate) fn command(folder: &Path, config: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
        command
            .args(["broker", "--config"])
            .arg(Self::configure(folder, config));
        command
    }

    /// Writes the configuration, and returns its name.
    pub(crate) fn configure(folder: &Path, config: &str) -> std::path::PathBuf {
        let file = folder.join("mqtt.toml");
        fs::write(&file, config).expect("there is room for a file");
        file
    }

    /// Starts it by this command, and waits until it serves.
    pub(crate) fn run(command: Command) -> Self {
        let mut serving = Self::begin(command);
        serving.address = serving.told(" listening ", "address=").parse().expect("an address");
        serving.process = serving.told(" serving ", "process=");
        serving
    }

    /// Starts it by this command, and does not wait.
    pub(crate) fn begin(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            process: String::new(),
        }
    }

    /// Waits for a line with this in it: what follows `key` there.
    pub(crate) fn told(&self, what: &str, key: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{what} is not told, but {before:#?}"));
            if line.contains(what) {
                let value = line.split(key).nth(1).unwrap_or_default();
                return value.split(' ').next().unwrap_or_default().to_owned();
            }
            before.push(line);
        }
    }

    /// All that it has logged and nobody has looked at.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Whether it goes on for this long.
    pub(crate) fn goes_on(&mut self, wait: Duration) -> bool {
        match self.lines.recv_timeout(wait) {
            Err(RecvTimeoutError::Disconnected) => false,
            _ => self.child.try_wait().expect("it is a child").is_none(),
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is a child");
        let status = self.child.wait().expect("it is a child");
        assert_eq!(
            status.signal(),
            Some(9),
            "it ended before it was killed: {:#?}",
            self.log()
        );
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().expect("it is a child").code()
    }

    /// Ends it in good order.
    pub(crate) fn end(self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.process]).status();
        assert!(sent.expect("there is a kill").success());
        self.ended()
    }

    /// A command of the program that talks to this broker.
    pub(crate) fn client(&self, command: &str, arguments: &[&str]) -> Output {
        let port = self.address.port().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args([command, "-p", &port, "--no-reconnect"])
            .args(arguments)
            .output();
        output.expect("the program runs")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let is_running = self.child.try_wait().is_ok_and(|ended| ended.is_none());
        if is_running && !self.process.is_empty() {
            // A broker that is traced would go on when its tracer is killed.
            let _ = Command::new("kill").args(["-KILL", &self.process]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
