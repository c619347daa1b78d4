//! `mqtt broker` as a process.
#![allow(dead_code, reason = "not every test that shares this file needs all of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use mqtt_proto::{Packet, Role, Rules, Version};
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker, and what it logs. It ends with this value.
pub(crate) struct Broker {
    pub(crate) child: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
}

impl Broker {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        fs::write(folder.join("mqtt.toml"), config).expect("there is room for a file");
        Self::again(folder)
    }

    /// Starts it with the configuration that is there.
    pub(crate) fn again(folder: &Path) -> Self {
        let mut broker = Self::spawn(folder);
        broker.address = broker.told(" listening ", "address=").parse().expect("an address");
        broker.told(" serving ", "process=");
        broker
    }

    /// The same for one that may not come so far as to serve.
    pub(crate) fn spawn(folder: &Path) -> Self {
        let mut child = process(folder);
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
        }
    }

    /// Waits for a line with this in it: what follows `key` there.
    pub(crate) fn told(&self, what: &str, key: &str) -> String {
        let line = self.told_up_to(what).pop().unwrap_or_default();
        let value = line.split(key).nth(1).unwrap_or_default();
        value.split(' ').next().unwrap_or_default().to_owned()
    }

    /// Waits for a line with this in it: all lines up to it.
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

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status();
        assert!(killed.expect("there is kill").success());
    }

    pub(crate) fn client(&self, command: &str, arguments: &[&str]) -> Output {
        let port = self.address.port().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args([command, "-p", &port, "--no-reconnect"])
            .args(arguments)
            .output();
        output.expect("the program runs")
    }

    pub(crate) fn publish(&self, arguments: &[&str]) -> Option<i32> {
        self.client("pub", arguments).status.code()
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

/// Starts the program with the configuration in this folder. Its log is to be read.
pub(crate) fn process(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(["broker", "--config"])
        .arg(folder.join("mqtt.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs")
}

/// What a client of MQTT 5.0 is told in the CONNACK that comes.
pub(crate) fn connack(stream: &mut impl Read) -> u8 {
    let rules = Rules::new(Version::V5).sent_by(Role::Server);
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 256];
        let len = stream.read(&mut part).expect("it answers");
        assert_ne!(len, 0, "it closes without an answer");
        answer.extend_from_slice(&part[..len]);
        if let Some(packet) = Packet::take_from(&mut Bytes::from(answer.clone()), &rules).expect("packets") {
            let Packet::ConnAck(answer) = packet else {
                panic!("{packet:?}")
            };
            return answer.reason.value();
        }
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

pub(crate) const LISTENER: &str = "[[listener]]\naddress = '127.0.0.1:0'\n";

/// Alice, whose password is "open", and Bob, whose password is "sesame".
pub(crate) fn add_users(file: &Path) {
    for (user, password) in [("alice", "open"), ("bob", "sesame")] {
        let mut passwd = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .arg("passwd")
            .args([file, Path::new(user)])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the program runs");
        writeln!(passwd.stdin.take().expect("a pipe"), "{password}").expect("it reads");
        assert!(passwd.wait().expect("it is a child").success());
    }
}
