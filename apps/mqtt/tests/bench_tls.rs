//! `mqtt bench` over TLS, as a process, at a broker that is one too.
#![cfg(feature = "tokio")]

mod running;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use mqtt_testbed::Authority;
use serde_json::Value;
use tempfile::TempDir;

use self::running::Running;

/// Options, and the files that they name.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A broker with two listeners: one with TLS, one that also wants certificates of clients. It ends with this value.
struct Broker {
    _running: Running,
    folder: TempDir,
    tls: String,
    strict: String,
}

impl Broker {
    fn start() -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let authority = Authority::new();
        let (server, client) = (authority.server("localhost"), authority.client("client"));
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("other.pem", Authority::new().pem()),
            ("server.pem", server.certificate.as_str()),
            ("server.key", server.key.as_str()),
            ("client.pem", client.certificate.as_str()),
            ("client.key", client.key.as_str()),
        ] {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        let listener = "[[listener]]\naddress = '127.0.0.1:0'\n\
                        [listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
        let config = format!("{listener}{listener}client_ca = 'ca.pem'\nrequire_client_certificate = true\n");
        let file = folder.path().join("mqtt.toml");
        fs::write(&file, config).expect("there is room for a file");
        let running = Running::start(&["broker", "--config", file.to_str().expect("a plain name")]);
        running.wait_for_words(" serving ");
        let told = running.told();
        let mut ports = told.split(" address=127.0.0.1:").skip(1).map(|said| {
            let port = said.split_whitespace().next().expect("something follows");
            format!("localhost:{port}")
        });
        let mut next = || ports.next().expect("both are told");
        Self {
            tls: next(),
            strict: next(),
            folder,
            _running: running,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A load over TLS with these files and options.
    fn bench(&self, connect: &str, files: Files<'_>, options: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
        command.args(["bench", "--json", "--connect", connect]);
        for (option, name) in files {
            command.arg(option).arg(self.path(name));
        }
        command.args(options.split_whitespace());
        command.stdin(Stdio::null()).output().expect("the program runs")
    }

    /// The results of a load that loses nothing.
    fn figures(&self, options: &str) -> Value {
        let output = self.bench(&self.tls, &[("--cafile", "ca.pem")], options);
        assert!(output.status.success(), "{options}: {}", errors(&output));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn number(figures: &Value, path: &str) -> f64 {
    let value = figures.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{path} is a number in {figures}"))
}

#[test]
fn the_numbers_add_up_over_tls() {
    let broker = Broker::start();
    for qos in [0, 1, 2] {
        for (shape, fan) in [("", 1.0), ("--subscribers 5", 5.0), ("--publishers 5", 1.0)] {
            let figures = broker.figures(&format!("-q {qos} --count 600 {shape}"));
            assert_eq!(number(&figures, "/total/received"), 600.0 * fan, "{figures}");
            assert_eq!(number(&figures, "/lost"), 0.0, "{figures}");
            assert_eq!(number(&figures, "/latency_micros/count"), 600.0 * fan, "{figures}");
            assert_eq!(figures["tls"], true, "{figures}");
            let server = figures["server"].as_str().unwrap_or_default();
            assert!(server.starts_with("mqtts://"), "{figures}");
        }
    }
}

/// Sockets take a part of what is written, and records come in parts: both ends wait for each other again and again.
#[test]
fn more_than_sockets_hold_goes_through_tls() {
    let broker = Broker::start();
    for (options, count) in [
        ("--payload 900000 --count 40 --ahead 8 -q 1", 40.0),
        ("--payload 900000 --count 40 --ahead 8", 40.0),
        ("--payload 20000 --count 3000", 3000.0),
        ("--count 200000", 200_000.0),
        ("--rate 2000 --count 500 -q 1", 500.0),
    ] {
        let figures = broker.figures(options);
        assert_eq!(number(&figures, "/total/received"), count, "{figures}");
    }
    let figures = broker.figures("--retained 20000 --subscribers 2");
    assert_eq!(number(&figures, "/total/received"), 40_000.0, "{figures}");
}

#[test]
fn idle_connections_stand_over_tls() {
    let broker = Broker::start();
    let figures = broker.figures("--idle 50 --filters 500 --publishers 0 --subscribers 0");
    assert_eq!(number(&figures, "/idle"), 50.0);
    let figures = broker.figures("--idle 50 --count 100");
    assert_eq!(number(&figures, "/total/received"), 100.0);
}

#[test]
fn who_is_not_trusted_is_told_with_what_to_do() {
    let broker = Broker::start();
    let url = format!("mqtts://{}", broker.tls);
    let address = broker.tls.replace("localhost", "127.0.0.1");
    let mine = [("--cafile", "ca.pem")];
    let refused: [(&str, Files<'_>, &str, &str, &str); 5] = [
        (&url, &[("--cafile", "other.pem")], "", "who is trusted", "--cafile"),
        (&address, &mine, "", "not for 127.0.0.1", "--tls-name"),
        (
            &broker.tls,
            &[("--cafile", "none.pem")],
            "",
            "cannot be read",
            "none.pem",
        ),
        (&broker.strict, &mine, "", "certificate required", "--cert"),
        (
            &broker.tls,
            &[],
            &pinned(&[0; 32]),
            "not the pinned one",
            "--tls-fingerprint",
        ),
    ];
    for (connect, files, options, said, advice) in refused {
        let output = broker.bench(connect, files, &format!("--count 1 {options}"));
        let told = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{connect} {files:?}: {told}");
        assert!(
            told.contains(said) && told.contains(advice),
            "{connect} {files:?}: {told}"
        );
    }
}

/// The option that trusts the certificate with this sum.
fn pinned(sum: &[u8]) -> String {
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("--tls-fingerprint {digits}")
}

#[test]
fn certificates_of_clients_and_other_names_are_options() {
    let broker = Broker::start();
    let identity = [
        ("--cafile", "ca.pem"),
        ("--cert", "client.pem"),
        ("--key", "client.key"),
    ];
    let output = broker.bench(&broker.strict, &identity, "--count 10");
    assert!(output.status.success(), "{}", errors(&output));
    let address = broker.tls.replace("localhost", "127.0.0.1");
    let output = broker.bench(&address, &identity[..1], "--count 10 --tls-name localhost");
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_server_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]);
    });
    let broker = Broker::start();
    let output = broker.bench(&address, &[("--cafile", "ca.pem")], "");
    let told = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("in the middle of the handshake"), "{told}");
    server.join().expect("it does not panic");
}
