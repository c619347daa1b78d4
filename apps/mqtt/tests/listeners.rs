//! The listeners of `mqtt broker`: clients get in by each kind of them, and hear each other whichever way they came.
#![cfg(feature = "tokio")]

mod running;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use mqtt_testbed::Authority;
use tempfile::TempDir;

use self::running::{Running, mqtt};

const LISTENER: &str = "[[listener]]\naddress = '127.0.0.1:0'\n";
const TLS: &str = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";

/// The files of a broker with TLS.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("there is room for a folder");
    let authority = Authority::new();
    let server = authority.server("localhost");
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", &server.certificate),
        ("server.key", &server.key),
    ] {
        fs::write(folder.path().join(name), text).expect("there is room for a file");
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    let path = folder.path().join(name);
    path.to_str().expect("a plain name").to_owned()
}

fn start(folder: &TempDir, config: &str) -> Running {
    let file = path(folder, "mqtt.toml");
    fs::write(&file, config).expect("there is room for a file");
    Running::start(&["broker", "--config", &file])
}

/// A subscriber that came this way hears a message, and ends.
struct Reader(Running);

impl Reader {
    fn start(way: &[&str]) -> Self {
        let words = ["sub", "-d", "--no-reconnect", "-t", "t", "-q", "1", "-C", "1"];
        let reader = Running::start(&[&words, way].concat());
        reader.wait_for_words("subscribed to");
        Self(reader)
    }

    fn hears(self, message: &str, way: &[&str]) {
        let ended = self.0.ended();
        assert_eq!(ended.stdout, format!("{message}\n"), "{way:?}: {}", ended.stderr);
    }
}

fn publish(message: &str, way: &[&str]) {
    let words = ["pub", "--no-reconnect", "-t", "t", "-q", "1", "-m", message];
    let sent = mqtt(&[&words, way].concat(), b"");
    assert_eq!(sent.status.code(), Some(0), "{way:?}: {sent:?}");
}

#[test]
fn clients_publish_and_subscribe_by_every_kind_of_listener() {
    let folder = folder();
    let has_ipv6 = TcpListener::bind("[::1]:0").map_err(|error| {
        mqtt_testbed::skipped(format_args!("there is no IPv6 on this machine: {error}"));
    });
    let mut config = format!("{LISTENER}{LISTENER}{TLS}{LISTENER}[listener.websocket]\n");
    config += &format!("{LISTENER}{TLS}[listener.websocket]\npath = '/elsewhere'\n");
    config += "[[listener]]\naddress = 'unix:mqtt.sock'\n";
    if has_ipv6.is_ok() {
        config += "[[listener]]\naddress = '[::1]:0'\n";
    }
    let broker = start(&folder, &config);
    let ports: Vec<String> = broker.addresses().iter().map(|at| at.port().to_string()).collect();
    let (ca, socket) = (path(&folder, "ca.pem"), path(&folder, "mqtt.sock"));
    let secure = ["-h", "localhost", "--cafile", &ca];
    let mut ways = vec![
        vec!["-p", &ports[0]],
        [&["-p", &ports[1]], &secure[..]].concat(),
        vec!["-p", &ports[2], "--ws"],
        [&["-p", &ports[3], "--ws", "--ws-path", "/elsewhere"], &secure[..]].concat(),
        vec!["--unix", &socket],
    ];
    if let Some(port) = ports.get(4) {
        ways.push(vec!["-h", "::1", "-p", port]);
    }
    assert_eq!(ways.len(), if has_ipv6.is_ok() { 6 } else { 5 });
    for way in &ways {
        let readers: Vec<Reader> = ways.iter().map(|way| Reader::start(way)).collect();
        let message = way.join(" ");
        publish(&message, way);
        for (reader, way) in readers.into_iter().zip(&ways) {
            reader.hears(&message, way);
        }
    }
}

/// A broker that was killed leaves the file of its socket behind, and the next one takes its place.
#[test]
fn a_unix_socket_is_there_again_after_a_kill_and_taken_from_nobody() {
    let folder = folder();
    let config = "[[listener]]\naddress = 'unix:mqtt.sock'\n";
    let socket = path(&folder, "mqtt.sock");
    let way = ["--unix", &socket];
    let first = start(&folder, config);
    first.wait_for_words(" serving ");
    publish("one", &way);
    assert_eq!(first.signalled("KILL").code, None);
    let second = start(&folder, config);
    second.wait_for_words(" serving ");
    publish("two", &way);
    // A third one does not take it from a broker that lives.
    let third = start(&folder, config).ended();
    assert_eq!(third.code, Some(1), "{}", third.stderr);
    assert!(third.stderr.contains("mqtt.sock"), "{}", third.stderr);
    publish("three", &way);
    assert_eq!(second.signalled("TERM").code, Some(0));
    assert!(!folder.path().join("mqtt.sock").exists(), "it goes with its broker");
}

#[test]
fn a_file_that_is_no_socket_stays_where_it_is() {
    let folder = folder();
    let file = folder.path().join("mqtt.sock");
    fs::write(&file, "precious").expect("there is room for a file");
    let refused = start(&folder, "[[listener]]\naddress = 'unix:mqtt.sock'\n").ended();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("something else than a socket"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "precious");
}

/// Whoever sets up a proxy sees it in the log, at the level that it has by itself.
#[test]
fn a_wrong_header_of_a_proxy_is_told() {
    let folder = folder();
    let listener = format!("{LISTENER}proxy_protocol = true\nanonymous = true\n");
    for tls in ["", TLS] {
        let broker = start(&folder, &format!("{listener}{tls}"));
        let address = broker.addresses()[0];
        // UDP over IPv4, twice: the second is told with those that follow it.
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x0F\xA0\x07\x5B";
            stream.write_all(header).expect("it reads");
            // It ends, whether in good order or not.
            let _ = stream.read(&mut [0]);
        }
        broker.wait_for_words("is for datagrams, not for a stream: 0x12");
        assert_eq!(broker.told().matches("datagrams").count(), 1, "{}", broker.told());
        let ended = broker.signalled("TERM");
        assert!(
            ended.stderr.contains("further connections without a header"),
            "{}",
            ended.stderr
        );
    }
}
