//! What the log of `mqtt broker` says, in which form, and what happens if nobody reads it.
#![cfg(feature = "tokio")]

mod serving;
mod web;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_proto::{Connect, Disconnect, DisconnectReason, Packet, Text, Version};
use serde_json::Value;
use serving::{Broker, LISTENER, PATIENCE, add_users, folder, process};

/// A broker whose log is read when the test wants to.
struct Unread {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
    metrics: SocketAddr,
}

impl Unread {
    fn start(folder: &Path, further: &str) -> Self {
        let config = format!("{LISTENER}[metrics]\naddress = '127.0.0.1:0'\n{further}");
        fs::write(folder.join("mqtt.toml"), config).expect("there is room for a file");
        let mut child = process(folder);
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut addresses = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).expect("it can be read"), 0, "it ends");
            addresses.extend(address(&line));
            if line.contains("serving") {
                break;
            }
        }
        let [address, metrics] = addresses[..] else {
            panic!("{addresses:?}")
        };
        Self {
            child,
            log,
            address,
            metrics,
        }
    }

    /// A client with a name so long that its lines fill whatever they wait in. It is let in, and says farewell.
    fn visit(&self, number: usize) {
        let name = format!("{number}-{}", "x".repeat(NAME_BYTES));
        let name = Text::from_bytes(Bytes::from(name)).expect("text");
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("there is such a time");
        send(&mut stream, &Connect::new(Version::V5, name).into());
        let mut answer = [0; 4];
        stream
            .read_exact(&mut answer)
            .expect("it answers, whoever reads the log");
        assert_eq!((answer[0], answer[3]), (0x20, 0), "CONNACK");
        send(
            &mut stream,
            &Disconnect::new(DisconnectReason::NormalDisconnection).into(),
        );
        let mut rest = Vec::new();
        // It closes.
        let _ = stream.read_to_end(&mut rest);
    }

    fn lost(&self) -> u64 {
        web::figure(&web::get(self.metrics, "/metrics"), "mqtt_log_lines_lost_total")
    }

    fn signal(&self, signal: &str) {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(killed.expect("there is kill").success());
    }

    /// Waits for the end, without reading.
    fn ends(&mut self) -> Option<i32> {
        let until = Instant::now() + 2 * PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str) -> Option<SocketAddr> {
    line.split(" address=").nth(1)?.split_whitespace().next()?.parse().ok()
}

fn send(stream: &mut TcpStream, packet: &Packet<Bytes>) {
    let mut bytes = Vec::new();
    packet.encode_to(Version::V5, &mut bytes).expect("it can be said");
    stream.write_all(&bytes).expect("it reads");
}

const NAME_BYTES: usize = 8 * 1024;
/// Each has two lines in the log: more than 4 MiB and a pipe hold.
const CROWD: usize = 400;

#[test]
fn a_log_that_nobody_reads_stops_nobody_and_what_is_lost_is_counted() {
    let folder = folder();
    let mut broker = Unread::start(folder.path(), "");
    (0..CROWD).for_each(|number| broker.visit(number));
    let lost = broker.lost();
    assert!(lost > 0);
    // Somebody reads again: the lines that had room are there, and how many had none.
    broker.signal("-TERM");
    let mut log = String::new();
    broker.log.read_to_string(&mut log).expect("text");
    assert_eq!(broker.ends(), Some(0));
    let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    let told = log.lines().filter(|line| line.contains("lines are missing"));
    let number = |line: &str| {
        line.rsplit("lines=")
            .next()
            .and_then(|number| number.trim().parse::<u64>().ok())
    };
    let told: u64 = told.map(|line| number(line).expect("a number")).sum();
    let there = count(" connected ") + count(" disconnected ");
    assert!(
        there > 0 && told >= lost,
        "{there} lines, {told} told to be lost, {lost} counted"
    );
    let of_the_end = u64::try_from(count(" ending: ") + count(" ended")).expect("two at most");
    assert_eq!(there as u64 + told + of_the_end, 2 * CROWD as u64 + 2);
}

#[test]
fn it_ends_when_it_is_told_to_even_if_nobody_reads_its_log() {
    for form in ["", "[log]\njson = true\n"] {
        let folder = folder();
        // The listener's address is told in another form there.
        let mut broker = if form.is_empty() {
            Unread::start(folder.path(), form)
        } else {
            let mut broker = Unread::start(folder.path(), "");
            let config = fs::read_to_string(folder.path().join("mqtt.toml")).expect("it is there");
            broker.signal("-KILL");
            broker.ends();
            let config = config.replace("127.0.0.1:0'\n[metrics]", &format!("{}'\n[metrics]", broker.address));
            fs::write(folder.path().join("mqtt.toml"), format!("{config}{form}")).expect("there is room");
            broker.child = process(folder.path());
            let until = Instant::now() + PATIENCE;
            while TcpStream::connect(broker.address).is_err() {
                assert!(Instant::now() < until, "it does not listen");
                thread::sleep(Duration::from_millis(20));
            }
            broker
        };
        (0..CROWD / 4).for_each(|number| broker.visit(number));
        broker.signal("-TERM");
        assert_eq!(broker.ends(), Some(0), "{form}");
    }
}

#[test]
fn nothing_is_lost_at_an_end_in_good_order() {
    let folder = folder();
    let mut broker = Unread::start(folder.path(), "");
    let crowd = 20;
    (0..crowd).for_each(|number| broker.visit(number));
    broker.signal("-TERM");
    let mut log = String::new();
    broker.log.read_to_string(&mut log).expect("text");
    assert_eq!(broker.ends(), Some(0));
    assert_eq!(log.matches(" disconnected ").count(), crowd);
    assert!(
        log.trim_end().ends_with(" ended"),
        "{}",
        &log[log.len().saturating_sub(200)..]
    );
}

fn objects(lines: &[String]) -> Vec<Value> {
    let object = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object(), "{line}");
        value
    };
    lines.iter().map(object).collect()
}

fn json_listener() -> String {
    format!("users = ['users']\n{LISTENER}[rights]\nfiles = ['acl']\n[log]\njson = true\n")
}

#[test]
fn each_line_is_an_object_if_that_is_wanted() {
    let folder = folder();
    let (users, acl) = (folder.path().join("users"), folder.path().join("acl"));
    add_users(&users);
    // A warning at the start.
    fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::write(&acl, "user alice\ntopic write a/#\n").expect("there is room for a file");
    fs::set_permissions(&acl, fs::Permissions::from_mode(0o600)).expect("it is ours");
    fs::write(folder.path().join("mqtt.toml"), json_listener()).expect("there is room for a file");
    let mut broker = Broker::spawn(folder.path());
    let first = objects(&broker.told_up_to("\"serving\""));
    let warning = first.iter().find(|line| line["level"] == "WARN").expect("a warning");
    assert_eq!(warning["file"], users.display().to_string());
    assert!(
        warning["advice"]
            .as_str()
            .is_some_and(|advice| advice.starts_with("chmod")),
        "{warning}"
    );

    fs::write(&acl, "user bob\ntopics write a/#\n").expect("there is room for a file");
    broker.signal("-HUP");
    let lines = objects(&broker.told_up_to("stays as it was"));
    let problem = lines.iter().find(|line| line["file"] == acl.display().to_string());
    let problem = problem.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((&problem["level"], &problem["line"]), (&"ERROR".into(), &2.into()));
    assert!(problem["column"].is_u64() && problem["advice"].is_string() && problem["message"].is_string());
    broker.signal("-TERM");
    objects(&broker.told_up_to("\"ended\""));
    assert_eq!(broker.ends(), Some(0));

    // It does not start with it either, and says so in the same form.
    let mut broker = Broker::spawn(folder.path());
    let lines = objects(&broker.told_up_to("cannot be used"));
    assert!(lines.iter().any(|line| line["line"] == 2), "{lines:?}");
    assert_eq!(broker.ends(), Some(1));
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let folder = folder();
    let broker = Broker::start(folder.path(), LISTENER);
    let config = format!("shards = 2\n{LISTENER}[log]\nlevel = 'debug'\n[limits.client]\nqueued_messages = 7\n");
    fs::write(folder.path().join("mqtt.toml"), config).expect("there is room for a file");
    broker.signal("-HUP");
    let lines = broker.told_up_to("with a restart");
    let line = lines.last().expect("one");
    assert!(
        line.contains("keys=\"limits.client.queued_messages, shards\""),
        "{line}"
    );
    broker.told("was read again", "");
}

#[test]
fn retained_messages_that_are_not_allowed_any_more_are_named() {
    let folder = folder();
    let acl = folder.path().join("acl");
    let write = |text: &str| {
        fs::write(&acl, text).expect("there is room for a file");
        fs::set_permissions(&acl, fs::Permissions::from_mode(0o600)).expect("it is ours");
    };
    write("topic readwrite a/#\n");
    let broker = Broker::start(folder.path(), &format!("{LISTENER}[rights]\nfiles = ['acl']\n"));
    let publish = ["-i", "one", "-t", "a/b", "-m", "x", "-r", "-q", "1"];
    assert_eq!(broker.publish(&publish), Some(0));
    write("topic readwrite b/#\n");
    broker.signal("-HUP");
    let lines = broker.told_up_to("a retained message is not allowed any more");
    let line = lines.last().expect("one");
    assert!(line.contains("client=one") && line.contains("topic=a/b"), "{line}");
    // And a farewell says nothing of a will that nobody had.
    let farewell = lines.iter().find(|line| line.contains(" disconnected "));
    let farewell = farewell.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(!farewell.contains("drops the will"), "{farewell}");
}

/// What a broker says that may have so many files open and no more.
fn within_files(folder: &Path, files: u32, config: &str) -> Vec<String> {
    fs::write(folder.join("mqtt.toml"), config).expect("there is room for a file");
    let script = format!("ulimit -n {files}; exec \"$0\" broker --config \"$1\"");
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_mqtt")])
        .arg(folder.join("mqtt.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut lines = Vec::new();
    for line in log.lines().map_while(Result::ok) {
        let is_last = line.contains(" serving ");
        lines.push(line);
        if is_last {
            break;
        }
    }
    child.kill().expect("it runs");
    child.wait().expect("it is a child");
    lines
}

#[test]
fn only_who_asked_for_connections_is_warned_that_they_do_not_fit() {
    let folder = folder();
    let about = |lines: &[String]| {
        let line = lines.iter().find(|line| line.contains("connections=192"));
        line.unwrap_or_else(|| panic!("{lines:?}")).clone()
    };
    let line = about(&within_files(folder.path(), 256, LISTENER));
    assert!(line.contains(" INFO "), "{line}");
    for asking in [
        format!("{LISTENER}max_connections = 5000\n"),
        format!("{LISTENER}[limits.broker]\nconnections = 5000\n"),
    ] {
        let line = about(&within_files(folder.path(), 256, &asking));
        assert!(line.contains(" WARN "), "{line}");
    }
}
