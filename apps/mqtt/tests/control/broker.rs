//! A broker as a process, and `mqtt ctl`.

use std::fs;
use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::serving::{self, LISTENER, PATIENCE};

/// A broker with a control socket, and what it logs. It ends with this value.
pub(crate) struct Broker {
    process: serving::Broker,
    pub(crate) socket: PathBuf,
}

/// How `mqtt ctl` ended, and what it said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Said {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }

    /// The objects of the option --json.
    pub(crate) fn items(&self) -> Vec<Value> {
        let items = self.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        items.collect()
    }
}

impl Broker {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::configure(folder, config);
        Self::of(serving::Broker::again(folder), folder)
    }

    /// One that may not come so far as to serve.
    pub(crate) fn spawn(folder: &Path, config: &str) -> Self {
        Self::configure(folder, config);
        Self::of(serving::Broker::spawn(folder), folder)
    }

    fn configure(folder: &Path, config: &str) {
        let config = format!("control = 'control.sock'\n{config}\n{LISTENER}");
        fs::write(folder.join("mqtt.toml"), config).expect("there is room for a file");
    }

    fn of(process: serving::Broker, folder: &Path) -> Self {
        Self {
            process,
            socket: folder.join("control.sock"),
        }
    }

    pub(crate) fn ctl(&self, words: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
        // After the command, as well as before it.
        command.args(["ctl", "--socket"]).arg(&self.socket).args(words);
        ended(&mut command)
    }

    pub(crate) fn json(&self, words: &[&str]) -> Vec<Value> {
        let said = self.ctl(&[words, &["--json"]].concat());
        assert_eq!(said.code, Some(0), "{}", said.errors);
        said.items()
    }

    /// Asks until the answer is so: what a client has sent arrives in its own time.
    pub(crate) fn wait_for(&self, words: &[&str], is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let items = self.json(words);
            if is_so(&items) {
                return items;
            }
            assert!(Instant::now() < until, "{words:?}: {items:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Says something on the socket, and returns the lines that come back until it is closed.
    pub(crate) fn converse(&self, bytes: &[u8]) -> Vec<Value> {
        let mut stream = UnixStream::connect(&self.socket).expect("it listens");
        // What is not wanted may not be taken.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let lines = answer.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.collect()
    }
}

impl Deref for Broker {
    type Target = serving::Broker;

    fn deref(&self) -> &serving::Broker {
        &self.process
    }
}

impl DerefMut for Broker {
    fn deref_mut(&mut self) -> &mut serving::Broker {
        &mut self.process
    }
}

pub(crate) fn ended(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        errors: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The names of the clients in these items, sorted.
pub(crate) fn names(items: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = items
        .iter()
        .map(|item| item["client"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    names
}
