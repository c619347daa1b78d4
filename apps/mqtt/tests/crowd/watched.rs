//! A broker with metrics, whose process is watched.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::lives::{PATIENCE, Serving};
use super::process::Process;
use super::web;

/// A broker, from its configuration to its end.
pub(crate) struct Watched {
    pub(crate) serving: Serving,
    pub(crate) process: Process,
    metrics: SocketAddr,
    pub(crate) folder: TempDir,
}

/// What each configuration begins with.
const CONFIG: &str = "sys_interval = '1s'\n[metrics]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'\n";

impl Watched {
    /// Starts one with these sections.
    pub(crate) fn start(sections: &str) -> Self {
        Self::start_by(sections, |command| command, |_| ())
    }

    /// Starts it by a command that is made of the usual one. What it logs before it listens is asked for by `before`.
    pub(crate) fn start_by(
        sections: &str,
        change: impl FnOnce(Command) -> Command,
        before: impl FnOnce(&Serving),
    ) -> Self {
        Self::run(&format!("{CONFIG}{sections}"), change, before)
    }

    /// Starts one with so many shards.
    pub(crate) fn sharded(shards: u16, sections: &str) -> Self {
        let config = format!("shards = {shards}\n{CONFIG}{sections}");
        Self::run(&config, |command| command, |_| ())
    }

    fn run(config: &str, change: impl FnOnce(Command) -> Command, before: impl FnOnce(&Serving)) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let command = Serving::command(folder.path(), config);
        let mut serving = Serving::begin(change(command));
        before(&serving);
        serving.address = serving.told(" listening ", "address=").parse().expect("an address");
        let metrics = serving.told(" metrics ", "address=").parse().expect("an address");
        serving.process = serving.told(" serving ", "process=");
        Self {
            process: Process::new(&serving.process),
            serving,
            metrics,
            folder,
        }
    }

    /// Ends it in good order, and returns what it has logged since somebody looked.
    pub(crate) fn log_to_the_end(self) -> Vec<String> {
        let sent = Command::new("kill").args(["-TERM", &self.serving.process]).status();
        assert!(sent.expect("there is a kill").success());
        let mut log = Vec::new();
        let is_ended = |line: &String| line.contains(" INFO ended");
        wait_until(
            || "it does not end".to_owned(),
            || {
                log.extend(self.serving.log());
                log.iter().any(is_ended)
            },
        );
        log
    }

    /// All figures, as text.
    pub(crate) fn metrics(&self) -> String {
        web::get(self.metrics, "/metrics")
    }

    /// One figure.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        web::figure(&self.metrics(), name)
    }

    /// Waits until a figure is as it is to be.
    pub(crate) fn wait_for(&self, name: &str, is_so: impl Fn(u64) -> bool) {
        wait_until(
            || format!("{name} is {}", self.figure(name)),
            || is_so(self.figure(name)),
        );
    }
}

pub(crate) fn wait_until(told: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{}", told());
        thread::sleep(Duration::from_millis(20));
    }
}
