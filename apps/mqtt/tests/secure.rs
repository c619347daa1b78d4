//! The clients through TLS with certificates on both sides, and through WebSocket, at mosquitto.

#![cfg(feature = "tokio")]

mod running;

use std::fs;

use mqtt_testbed::{Authority, Broker, Setup};
use tempfile::TempDir;

use self::running::{Running, mqtt};

/// Files with the certificates of a client.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(authority: &Authority) -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let client = authority.client("client");
        for (name, text) in [
            ("authority.pem", authority.pem()),
            ("client.pem", client.certificate.as_str()),
            ("client.key", client.key.as_str()),
        ] {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("a plain name").to_owned()
    }
}

/// A message goes through a server that the options name, and comes back.
fn goes_through(port: &str, options: &[&str]) {
    let reader = Running::subscriber(port, &[options, &["-q", "2", "-t", "s", "-C", "1"]].concat());
    let sent = mqtt(
        &[&["pub", "-p", port, "-q", "2", "-t", "s", "-m", "x"], options].concat(),
        b"",
    );
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(reader.ended().stdout, "x\n");
}

#[test]
fn tls_shows_and_asks_for_certificates() {
    let authority = Authority::new();
    let server = authority.server("localhost");
    let setup = Setup {
        tls: Some((authority.pem().to_owned(), server.clone())),
        websocket: false,
    };
    let Some(broker) = Broker::mosquitto(&setup) else {
        return;
    };
    let port = broker.address().port().to_string();
    let files = Files::new(&authority);
    let (roots, certificate, key) = (
        files.path("authority.pem"),
        files.path("client.pem"),
        files.path("client.key"),
    );
    let identity = ["-h", "localhost", "--cert", &certificate, "--key", &key];
    goes_through(&port, &[&identity[..], &["--cafile", &roots]].concat());
    let folder = files.folder.path().to_str().expect("a plain name");
    goes_through(&port, &[&identity[..], &["--capath", folder]].concat());
    // By its address it has another name than in its certificate.
    let by_address = [
        "-h",
        "127.0.0.1",
        "--cafile",
        &roots,
        "--cert",
        &certificate,
        "--key",
        &key,
    ];
    let refused = mqtt(
        &[&["pub", "-p", &port, "-t", "s", "-m", "x"], &by_address[..]].concat(),
        b"",
    );
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    goes_through(&port, &[&by_address[..], &["--tls-name", "localhost"]].concat());
    // Whoever shows no certificate is refused, and whoever trusts others refuses.
    let nobody = ["-h", "localhost", "--cafile", &roots];
    let refused = mqtt(
        &[&["pub", "-p", &port, "-q", "1", "-t", "s", "-m", "x"], &nobody[..]].concat(),
        b"",
    );
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let others = Files::new(&Authority::new());
    let other = others.path("authority.pem");
    let strangers = [&identity[..], &["--cafile", &other]].concat();
    let refused = mqtt(
        &[&["pub", "-p", &port, "-t", "s", "-m", "x"], &strangers[..]].concat(),
        b"",
    );
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("certificate"), "{told}");
}

#[test]
fn websocket_goes_over_tls_and_without() {
    let Some(broker) = Broker::mosquitto(&Setup {
        tls: None,
        websocket: true,
    }) else {
        return;
    };
    goes_through(&broker.address().port().to_string(), &["--ws"]);
    let url = format!("ws://{}/mqtt", broker.address());
    let sent = mqtt(&["pub", "-L", &url, "-t", "s", "-m", "x", "-q", "1"], b"");
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    drop(broker);
    let authority = Authority::new();
    let setup = Setup {
        tls: Some((authority.pem().to_owned(), authority.server("localhost"))),
        websocket: true,
    };
    let Some(broker) = Broker::mosquitto(&setup) else {
        return;
    };
    let files = Files::new(&authority);
    let (roots, certificate, key) = (
        files.path("authority.pem"),
        files.path("client.pem"),
        files.path("client.key"),
    );
    let options = ["--ws", "--cafile", &roots, "--cert", &certificate, "--key", &key];
    goes_through(&broker.address().port().to_string(), &options);
}
