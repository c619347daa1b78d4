//! The socket itself, and what is said on it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::broker::{Broker, ended};
use super::serving::{PATIENCE, folder};

#[test]
fn the_socket_is_the_users_alone_and_goes_with_the_broker() {
    let folder = folder();
    let mut broker = Broker::start(folder.path(), "");
    let metadata = fs::metadata(&broker.socket).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let mut second = Broker::spawn(folder.path(), "");
    second.told_up_to("another process serves this socket");
    assert_eq!(second.ends(), Some(1));
    assert_eq!(broker.ctl(&["clients"]).code, Some(0), "the first one has kept it");

    broker.signal("-KILL");
    broker.ends();
    assert!(broker.socket.exists());
    let left = broker.ctl(&["clients"]);
    assert_eq!(left.code, Some(1));
    assert!(left.errors.contains("does not run any more"), "{}", left.errors);
    let mut broker = Broker::start(folder.path(), "");
    assert_eq!(broker.ctl(&["clients"]).code, Some(0));
    broker.signal("-TERM");
    assert_eq!(broker.ends(), Some(0));
    assert!(!broker.socket.exists());
    let gone = broker.ctl(&["clients"]);
    assert_eq!(gone.code, Some(1));
    assert!(
        gone.errors.contains("there is no control socket") && gone.errors.contains("control = "),
        "{}",
        gone.errors
    );
}

#[test]
fn the_socket_is_found_by_a_variable_too() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let said = ended(command.args(["ctl", "log"]).env("MQTT_CONTROL", &broker.socket));
    assert_eq!((said.code, &*said.out), (Some(0), "info\n"), "{}", said.errors);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let said = ended(
        command
            .args(["ctl", "log", "--socket"])
            .arg(&broker.socket)
            .env("MQTT_CONTROL", "/nowhere"),
    );
    assert_eq!(said.code, Some(0), "{}", said.errors);
}

#[test]
fn what_is_no_request_is_refused_and_harms_nobody() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    for wrong in [
        "\n",
        "{}\n",
        "hello\n",
        "{\"ask\":\"kick\"}\n",
        "\u{0}",
        "{\"ask\":\"sessions\",\"limit\":-1}\n",
    ] {
        let answer = broker.converse(wrong.as_bytes());
        assert_eq!(answer.len(), 1, "{wrong:?}");
        assert_eq!(answer[0]["error"]["kind"], "bad-request", "{wrong:?}");
    }
    let answer = broker.converse(&vec![b' '; 600 * 1024]);
    // What was not read resets the connection: the answer may be lost with it.
    assert!(answer.iter().all(|line| {
        line["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("bytes"))
    }));
    // Several requests on one connection, of which the last has no end of its line.
    let answer = broker
        .converse(b"{\"ask\":\"log\"}\n{\"ask\":\"retained\",\"filter\":\"a\"}\n{\"ask\":\"show\",\"client\":\"x\"}");
    assert_eq!(answer[0]["item"]["level"], "info");
    assert_eq!(
        (&answer[1]["end"]["items"], &answer[1]["end"]["more"]),
        (&1.into(), &false.into())
    );
    assert_eq!(
        (&answer[2]["end"]["items"], &answer[3]["error"]["kind"]),
        (&0.into(), &"not-found".into())
    );
}

#[test]
fn connections_to_the_socket_are_bounded() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    let mut idle: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(&broker.socket).expect("it listens");
            stream.write_all(b"{\"ask\":\"log\"}\n").expect("it is taken");
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            lines.read_line(&mut line).expect("an answer");
            assert!(line.starts_with("{\"item\""), "{line}");
            lines
        })
        .collect();
    let busy = broker.ctl(&["clients"]);
    assert_eq!(busy.code, Some(1));
    assert!(
        busy.errors.contains("open already") && busy.errors.contains("try again"),
        "{}",
        busy.errors
    );
    idle.clear();
    let until = Instant::now() + PATIENCE;
    while broker.ctl(&["clients"]).code != Some(0) {
        assert!(Instant::now() < until, "no place comes free");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn items_are_printed_when_they_come() {
    let folder = folder();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(["ctl", "clients", "--json", "--socket"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let (mut stream, _) = listener.accept().expect("it connects");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, lines) = channel();
    thread::spawn(move || {
        out.lines().map_while(Result::ok).for_each(|line| {
            let _ = sender.send(line);
        });
    });
    for item in ["{\"client\":\"a\"}", "{\"client\":\"b\"}"] {
        let line = format!("{{\"item\":{item}}}\n");
        stream.write_all(line.as_bytes()).expect("it is taken");
        let printed = lines.recv_timeout(PATIENCE);
        if printed.is_err() {
            let _ = child.kill();
        }
        assert_eq!(printed.as_deref(), Ok(item));
    }
    let end = b"{\"end\":{\"items\":2,\"more\":false}}\n";
    stream.write_all(end).expect("it is taken");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
