//! Foreign clients at `mqtt broker`: each walks through everything that a client does, with its own checks.
#![cfg(feature = "tokio")]

mod running;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mqtt_session::proto::Version;
use mqtt_testbed::{Authority, Walker};
use tempfile::TempDir;

use self::running::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const EVERY_VERSION: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];
const NO_V3_1: [Version; 2] = [Version::V5, Version::V3_1_1];

/// The program, as a server.
struct Server {
    _running: Running,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    fn start(listener: &str) -> Self {
        Self::start_in(TempDir::new().expect("there is room for a folder"), listener)
    }

    fn start_in(folder: TempDir, listener: &str) -> Self {
        let file = folder.path().join("mqtt.toml");
        // They send messages of 1 MiB, which is more than is taken if nothing is said.
        let limits = "[limits.client]\npacket_bytes = '2 MiB'\n";
        let config = format!("[[listener]]\naddress = '127.0.0.1:0'\n{listener}{limits}");
        fs::write(&file, config).expect("there is room for a file");
        let running = Running::start(&["broker", "--config", file.to_str().expect("a plain name")]);
        running.wait_for_words(" serving ");
        let told = running.told();
        let address = told
            .split("address=")
            .nth(1)
            .and_then(|said| said.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok()).expect("it says where");
        Self {
            _running: running,
            address,
            folder,
        }
    }
}

fn walks(walker: Walker, versions: &[Version], listener: &str) {
    for version in versions {
        let server = Server::start(listener);
        if walker.walk(server.address, *version).is_none() {
            return;
        }
    }
}

#[test]
fn paho_is_served() {
    walks(Walker::Paho, &EVERY_VERSION, "");
}

#[test]
fn aiomqtt_is_served() {
    walks(Walker::Aiomqtt, &NO_V3_1, "");
}

#[test]
fn gmqtt_is_served() {
    walks(Walker::Gmqtt, &NO_V3_1, "");
}

#[test]
fn mqttjs_is_served() {
    walks(Walker::MqttJs, &EVERY_VERSION, "");
}

#[test]
fn mqttjs_is_served_over_websocket() {
    walks(Walker::MqttJsOverWebSocket, &EVERY_VERSION, "[listener.websocket]\n");
}

#[test]
fn rumqttc_is_served() {
    walks(Walker::Rumqttc, &NO_V3_1, "");
}

/// A foreign client until it ends; nothing, with a printed reason, if it is not on this machine.
fn peer(program: &str, words: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            mqtt_testbed::skipped(format_args!("there is no {program} on this machine"));
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    // One that reads nothing may have ended.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    Some(child.wait_with_output().expect("it ends"))
}

/// Sleeping sessions of `mosquitto_sub` get what `mosquitto_pub` sends, and what is retained.
fn mosquitto_clients_go(common: &[&str], version: &str) -> Option<()> {
    let lines: String = (0..50).map(|number| format!("{number}\n")).collect();
    for qos in ["1", "2"] {
        let name = format!("sleeper-{qos}");
        let mut session = [common, &["-c", "-i", &name, "-q", qos, "-t", "lines/+"]].concat();
        if version == "mqttv5" {
            session.extend(["-x", "600"]);
        }
        let subscribed = peer("mosquitto_sub", &[&session[..], &["-E"]].concat(), "")?;
        assert!(subscribed.status.success(), "{subscribed:?}");
        let topic = format!("lines/{qos}");
        let sent = peer(
            "mosquitto_pub",
            &[common, &["-l", "-q", qos, "-t", &topic]].concat(),
            &lines,
        )?;
        assert!(sent.status.success(), "{sent:?}");
        let got = peer("mosquitto_sub", &[&session[..], &["-C", "50", "-W", "30"]].concat(), "")?;
        assert_eq!(String::from_utf8_lossy(&got.stdout), lines, "{got:?}");
        // The second session has slept through nothing of the first one's.
        let gone = peer(
            "mosquitto_sub",
            &[common, &["-i", &name, "-E", "-t", "other"]].concat(),
            "",
        )?;
        assert!(gone.status.success(), "{gone:?}");
    }
    for qos in ["0", "1", "2"] {
        let sent = peer(
            "mosquitto_pub",
            &[common, &["-r", "-q", qos, "-t", "kept", "-m", qos]].concat(),
            "",
        )?;
        assert!(sent.status.success(), "{sent:?}");
        let words = ["-q", "2", "-t", "kept", "-C", "1", "-W", "30", "-F", "%q %r %p"];
        let got = peer("mosquitto_sub", &[common, &words].concat(), "")?;
        assert_eq!(
            String::from_utf8_lossy(&got.stdout),
            format!("{qos} 1 {qos}\n"),
            "{got:?}"
        );
    }
    Some(())
}

#[test]
fn mosquitto_clients_are_served() {
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let server = Server::start("");
        let port = server.address.port().to_string();
        let common = ["-h", "127.0.0.1", "-p", &port, "-V", version];
        if mosquitto_clients_go(&common, version).is_none() {
            return;
        }
    }
}

/// The first line that paho's subscriber in C prints. It does not end by itself.
fn first_line(words: &[&str]) -> String {
    let mut command = Command::new("paho_c_sub");
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it comes with the publisher");
    let output = child.stdout.take().expect("a pipe");
    let (sender, lines) = channel();
    let reader = thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let _ = sender.send(read.map(|_| line));
    });
    let line = lines.recv_timeout(PATIENCE);
    let _ = child.kill();
    let _ = child.wait();
    reader.join().expect("reading does not panic");
    line.expect("it prints something").expect("text")
}

#[test]
fn paho_of_c_is_served() {
    let server = Server::start("");
    let port = server.address.port().to_string();
    for version in ["31", "311", "5"] {
        for qos in ["0", "1", "2"] {
            let common = ["-h", "127.0.0.1", "-p", &port, "-V", version, "-q", qos, "-t", "kept"];
            let text = format!("{version} with {qos}");
            let Some(sent) = peer("paho_c_pub", &[&common[..], &["-r", "-m", &text]].concat(), "") else {
                return;
            };
            assert!(sent.status.success(), "{sent:?}");
            assert_eq!(first_line(&common), format!("{text}\n"));
        }
    }
}

#[test]
fn mosquitto_clients_are_served_over_tls_with_certificates_on_both_sides() {
    let folder = TempDir::new().expect("there is room for a folder");
    let authority = Authority::new();
    let (server, client) = (authority.server("localhost"), authority.client("client"));
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", server.certificate.as_str()),
        ("server.key", server.key.as_str()),
        ("client.pem", client.certificate.as_str()),
        ("client.key", client.key.as_str()),
    ] {
        fs::write(folder.path().join(name), text).expect("there is room for a file");
    }
    let tls = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'ca.pem'\n\
               require_client_certificate = true\n";
    let server = Server::start_in(folder, tls);
    let path = |name: &str| {
        server
            .folder
            .path()
            .join(name)
            .to_str()
            .expect("a plain name")
            .to_owned()
    };
    let (ca, certificate, key) = (path("ca.pem"), path("client.pem"), path("client.key"));
    let port = server.address.port().to_string();
    for version in ["mqttv311", "mqttv5"] {
        let place = ["-h", "localhost", "-p", &port, "-V", version];
        let identity = ["--cafile", &ca, "--cert", &certificate, "--key", &key];
        if mosquitto_clients_go(&[&place[..], &identity].concat(), version).is_none() {
            return;
        }
        // Nobody comes in without a certificate.
        let words = ["--cafile", &ca, "-q", "1", "-t", "t", "-m", "x"];
        let refused = peer("mosquitto_pub", &[&place[..], &words].concat(), "").expect("it was there before");
        assert!(!refused.status.success(), "{refused:?}");
    }
}
