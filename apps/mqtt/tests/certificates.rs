//! Certificates at `mqtt broker`: other ones while it runs, users that they name, and lists of those that count no more.
#![cfg(feature = "tokio")]

mod running;
mod serving;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mqtt_testbed::{Authority, Issued, Valid};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};
use tempfile::TempDir;

use self::running::{Running, mqtt};
use self::serving::{Broker, LISTENER};

const TLS: &str = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
/// Behind that: clients have to have a certificate.
const CERTIFIED: &str = "client_ca = 'ca.pem'\nrequire_client_certificate = true\n";

/// The files of a broker with TLS and of its clients.
struct Files {
    folder: TempDir,
}

impl Files {
    /// With a certificate of the broker by this authority.
    fn new(authority: &Authority) -> Self {
        let files = Self {
            folder: serving::folder(),
        };
        files.write("ca.pem", authority.pem());
        files.issue("server", &authority.server("localhost"));
        files
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("a plain name").to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("there is room for a file");
    }

    fn issue(&self, name: &str, issued: &Issued) {
        self.write(&format!("{name}.pem"), &issued.certificate);
        self.write(&format!("{name}.key"), &issued.key);
    }

    /// Clients of these names, each with a certificate.
    fn clients<const N: usize>(&self, authority: &Authority, names: [&str; N]) -> [Issued; N] {
        names.map(|name| {
            let issued = authority.client(name);
            self.issue(name, &issued);
            issued
        })
    }

    /// The options of a client that trusts this authority and shows this certificate.
    fn options(&self, authority: &str, client: Option<&str>) -> Vec<String> {
        let mut words = ["-h", "localhost", "--no-reconnect", "--cafile"]
            .map(str::to_owned)
            .to_vec();
        words.push(self.path(authority));
        if let Some(name) = client {
            let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
            words.extend(["--cert".to_owned(), certificate, "--key".to_owned(), key]);
        }
        words
    }
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn port(broker: &Broker) -> String {
    broker.address.port().to_string()
}

/// How publishing ends.
fn publish(broker: &Broker, options: &[String], topic: &str, message: &str) -> Option<i32> {
    let port = port(broker);
    let publish = ["pub", "-p", &port, "-q", "1", "-t", topic, "-m", message];
    mqtt(&[&publish, &words(options)[..]].concat(), b"").status.code()
}

/// A subscriber to everything, whose connection is its only one.
fn reader(broker: &Broker, options: &[String]) -> Running {
    Running::subscriber(&port(broker), &[&["-t", "#"], &words(options)[..]].concat())
}

/// Reads the configuration again, and waits until this is told of it.
fn reload(broker: &Broker, told: &str) {
    broker.signal("-HUP");
    broker.told(told, "");
}

#[test]
fn the_certificate_of_a_listener_changes_and_no_connection_is_lost() {
    const KEPT: &str = "the configuration stays as it was";
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old);
    files.write("new.pem", new.pem());
    let broker = Broker::start(files.folder(), &format!("{LISTENER}{TLS}"));
    let [by_old, by_new] = ["ca.pem", "new.pem"].map(|authority| files.options(authority, None));
    let mut reader = reader(&broker, &by_old);
    assert_eq!(publish(&broker, &by_old, "t", "before"), Some(0));
    assert_eq!(publish(&broker, &by_new, "t", "too early"), Some(1));

    let issued = new.server("localhost");
    files.issue("server", &issued);
    reload(&broker, "was read again");
    assert_eq!(publish(&broker, &by_new, "t", "behind"), Some(0));
    assert_eq!(publish(&broker, &by_old, "t", "too late"), Some(1));
    reader.wait_for_output("before\nbehind\n");

    // What is wrong changes nothing: files that hold nothing, a key of another one, and a file that is not there.
    let other = new.server("localhost");
    files.write("server.pem", "");
    reload(&broker, KEPT);
    files.write(
        "server.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    reload(&broker, KEPT);
    files.write("server.pem", &other.certificate);
    reload(&broker, KEPT);
    fs::remove_file(files.path("server.key")).expect("it is there");
    reload(&broker, KEPT);
    assert_eq!(publish(&broker, &by_new, "t", "still"), Some(0));
    reader.wait_for_output("before\nbehind\nstill\n");

    // And once it is right, it counts.
    files.issue("server", &old.server("localhost"));
    reload(&broker, "was read again");
    assert_eq!(publish(&broker, &by_old, "t", "again"), Some(0));
    reader.wait_for_output("before\nbehind\nstill\nagain\n");
    assert!(reader.is_running());
    assert_eq!(reader.told().matches("connected;").count(), 1, "{}", reader.told());
}

/// Users are told apart by a part of their certificates, and rights hold by it.
fn certificates_name_users(part: &str, alice: &str, bob: &str) {
    let authority = Authority::new();
    let files = Files::new(&authority);
    files.clients(&authority, ["alice", "bob"]);
    let rule = |user: &str, filter: &str| {
        format!("[[rights.rule]]\nusers = ['{user}']\naccess = 'readwrite'\nfilters = ['{filter}']\n")
    };
    let rules = rule(alice, "of-alice/#") + &rule(bob, "#");
    let config = format!("{LISTENER}{TLS}{CERTIFIED}user_from_certificate = '{part}'\n{rules}");
    let broker = Broker::start(files.folder(), &config);
    let [of_alice, of_bob] = ["alice", "bob"].map(|name| files.options("ca.pem", Some(name)));

    // A name that is not one plain word is in quotes.
    let shown = |name: &str| match name.contains('=') {
        true => format!("user=\"{name}\" "),
        false => format!("user={name} "),
    };
    let reader = reader(&broker, &of_bob);
    let line = broker.told_up_to(" connected ").pop().unwrap_or_default();
    assert!(line.contains(&shown(bob)), "{line}");
    assert_eq!(publish(&broker, &of_alice, "of-alice/t", "hers"), Some(0));
    let line = broker.told_up_to(" connected ").pop().unwrap_or_default();
    assert!(line.contains(&shown(alice)), "{line}");
    assert_ne!(publish(&broker, &of_alice, "of-bob/t", "not hers"), Some(0));
    // A name in CONNECT gives no rights.
    let as_bob = [&of_alice[..], &["-u".to_owned(), bob.to_owned()]].concat();
    assert_ne!(publish(&broker, &as_bob, "of-bob/t", "not hers either"), Some(0));
    let as_nobody = files.options("ca.pem", None);
    let as_alice = [&as_nobody[..], &["-u".to_owned(), alice.to_owned()]].concat();
    assert_eq!(publish(&broker, &as_alice, "of-alice/t", "nobody's"), Some(1));
    assert_eq!(publish(&broker, &of_bob, "of-bob/t", "his"), Some(0));
    reader.wait_for_output("hers\nhis\n");
}

#[test]
fn the_common_name_of_a_certificate_is_the_user() {
    certificates_name_users("common-name", "alice", "bob");
}

#[test]
fn the_subject_of_a_certificate_is_the_user() {
    certificates_name_users("subject", "CN=alice, O=Tests", "CN=bob, O=Tests");
}

#[test]
fn a_certificate_that_is_revoked_lets_nobody_in() {
    let (authority, others) = (Authority::new(), Authority::new());
    let files = Files::new(&authority);
    let [alice, bob] = files.clients(&authority, ["alice", "bob"]);
    files.clients(&others, ["mallory"]);
    let list = |revoked: &[&Issued]| files.write("revoked.pem", &authority.revocation_list(revoked, Valid::Always));
    list(&[&alice]);
    let broker = Broker::start(files.folder(), &with_list());
    let come_in = |expected: [bool; 3]| {
        for (name, is_served) in ["alice", "bob", "mallory"].into_iter().zip(expected) {
            let code = publish(&broker, &files.options("ca.pem", Some(name)), "t", "x");
            assert_eq!(code, Some(if is_served { 0 } else { 1 }), "{name}");
        }
    };
    come_in([false, true, false]);
    list(&[&bob]);
    // Until the broker is told.
    come_in([false, true, false]);
    reload(&broker, "was read again");
    come_in([true, false, false]);
    list(&[&alice, &bob]);
    reload(&broker, "was read again");
    come_in([false, false, false]);
    // A list that cannot be read takes none out of force, and lets nobody in.
    files.write(
        "revoked.pem",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    reload(&broker, "the configuration stays as it was");
    come_in([false, false, false]);
    list(&[]);
    reload(&broker, "was read again");
    come_in([true, true, false]);
}

/// The configuration of a broker that wants certificates, and looks into a list of those that count no more.
fn with_list() -> String {
    format!("{LISTENER}{TLS}{CERTIFIED}revocation_lists = ['revoked.pem']\n")
}

#[test]
fn who_is_connected_with_a_certificate_that_is_revoked_is_sent_away() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let [alice, _] = files.clients(&authority, ["alice", "bob"]);
    let list = |revoked: &[&Issued]| files.write("revoked.pem", &authority.revocation_list(revoked, Valid::Always));
    list(&[]);
    let broker = Broker::start(files.folder(), &with_list());
    let [of_alice, of_bob] = ["alice", "bob"].map(|name| files.options("ca.pem", Some(name)));
    let (hers, mut his) = (reader(&broker, &of_alice), reader(&broker, &of_bob));

    // A list that says nothing of her changes nothing.
    reload(&broker, "was read again");
    assert_eq!(publish(&broker, &of_bob, "t", "to both"), Some(0));
    for reader in [&hers, &his] {
        reader.wait_for_output("to both\n");
    }
    list(&[&alice]);
    reload(&broker, "was read again");
    broker.told("a client is sent away: its certificate counts no more", "");
    let ended = hers.ended();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("Not authorized"), "{ended:?}");
    assert_eq!(publish(&broker, &of_bob, "t", "to one"), Some(0));
    his.wait_for_output("to both\nto one\n");
    assert!(his.is_running());
    assert_eq!(his.told().matches("connected;").count(), 1, "{}", his.told());
}

#[test]
fn who_was_about_to_come_in_when_its_certificate_was_revoked_does_not_stay() {
    const CONNECT: &[u8] = b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04name";
    let authority = Authority::new();
    let files = Files::new(&authority);
    let [alice] = files.clients(&authority, ["alice"]);
    let list = |revoked: &[&Issued]| files.write("revoked.pem", &authority.revocation_list(revoked, Valid::Always));
    list(&[]);
    let broker = Broker::start(files.folder(), &with_list());

    let reader = reader(&broker, &files.options("ca.pem", Some("alice")));
    let mut stream = shaken(&broker, &authority, &alice);
    list(&[&alice]);
    reload(&broker, "was read again");
    // Everybody has been looked at once.
    assert_eq!(reader.ended().code, Some(3));
    stream.write_all(CONNECT).expect("it is open");
    let mut connack = [0; 4];
    stream
        .read_exact(&mut connack)
        .expect("it is accepted, by what it has shown before");
    assert_eq!(connack, [0x20, 2, 0, 0]);
    assert_eq!(stream.read(&mut connack).expect("the stream ends in good order"), 0);
}

/// A stream whose handshake is over at both ends.
fn shaken(broker: &Broker, authority: &Authority, issued: &Issued) -> StreamOwned<ClientConnection, TcpStream> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("it is PEM");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(authority.pem())).expect("it is a certificate");
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("it is PEM");
    // The client of TLS 1.2 has the last word of the server.
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS12])
        .expect("there is such a version")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&issued.certificate)], key)
        .expect("the key is that of the certificate");
    let name = ServerName::try_from("localhost").expect("it is a name");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("it can begin");
    let mut stream = TcpStream::connect(broker.address).expect("the broker listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("it is a stream");
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).expect("the broker lets it in");
    }
    StreamOwned::new(tls, stream)
}
