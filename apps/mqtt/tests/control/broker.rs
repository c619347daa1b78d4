//! A broker as a process, and `mqtt ctl`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker with a control socket, and what it logs. It ends with this value.
pub(crate) struct Broker {
    pub(crate) child: Child,
    pub(crate) lines: Receiver<String>,
    pub(crate) address: SocketAddr,
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
        let mut broker = Self::spawn(folder, config);
        broker.address = broker.told(" listening ", "address=").parse().expect("an address");
        broker.told(" serving ", "process=");
        broker
    }

    /// One with a user, and for everybody else.
    pub(crate) fn start_for(folder: &Path, user: &str, password: &str) -> Self {
        let users = folder.join("users");
        let mut passwd = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .arg("passwd")
            .args([users.as_path(), Path::new(user)])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the program runs");
        writeln!(passwd.stdin.take().expect("a pipe"), "{password}").expect("it reads");
        assert!(passwd.wait().expect("it is a child").success());
        Self::start(folder, "users = ['users']")
    }

    /// One that may not come so far as to serve.
    pub(crate) fn spawn(folder: &Path, config: &str) -> Self {
        let file = folder.join("mqtt.toml");
        let listener = "[[listener]]\naddress = '127.0.0.1:0'\n";
        fs::write(&file, format!("control = 'control.sock'\n{config}\n{listener}")).expect("there is room for a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["broker", "--config"])
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
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
            socket: folder.join("control.sock"),
        }
    }

    /// Waits for a line with this in it: what follows `key` there.
    pub(crate) fn told(&self, what: &str, key: &str) -> String {
        let line = self.told_up_to(what).pop().expect("there is one");
        let value = line.split(key).nth(1).unwrap_or_default();
        value.split(' ').next().unwrap_or_default().to_owned()
    }

    /// All lines up to one with this in it.
    pub(crate) fn told_up_to(&self, what: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            lines.push(line.unwrap_or_else(|_| panic!("{what} is not told: {lines:?}")));
            if lines.last().is_some_and(|line| line.contains(what)) {
                return lines;
            }
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

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status();
        assert!(killed.expect("there is kill").success());
    }

    pub(crate) fn ends(&mut self) -> Option<i32> {
        self.child.wait().expect("it is a child").code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
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
