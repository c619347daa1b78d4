//! Handshakes of TLS that end at every byte of what a client says in them (BI-119): with the end of the stream, and with a
//! farewell of TLS before it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

use super::{Server, closed, connected};

/// What stands behind the bytes: nothing, or `close_notify`.
const ENDS: [&[u8]; 2] = [&[], &[0x15, 3, 3, 0, 2, 1, 0]];
/// A client that comes in.
const CONNECT: &[u8] = b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04name";

/// A client of TLS in one version, with a certificate.
fn client(server: &Server, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(server.authority.pem().as_bytes()).expect("it is PEM");
    roots.add(root).expect("it is a certificate");
    let issued = server.authority.client("client");
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).expect("it is PEM");
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("it is PEM");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .expect("there is such a version")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key);
    Arc::new(config.expect("the key is that of the certificate"))
}

fn begun(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("it is a name");
    ClientConnection::new(Arc::clone(config), name).expect("it can begin")
}

/// What the client says next.
fn flight(tls: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).expect("memory takes it");
    }
    bytes
}

/// Comes so far that the client has its second flight to say: certificate, proof and `Finished`.
fn second_flight(server: &Server, config: &Arc<ClientConfig>) -> (TcpStream, ClientConnection, Vec<u8>) {
    let mut tls = begun(config);
    let mut stream = connected(server.tls);
    stream.write_all(&flight(&mut tls)).expect("it reads");
    loop {
        // TLS 1.3 is through for the client with its second flight, and TLS 1.2 only with the answer to it.
        let is_it = match tls.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => !tls.is_handshaking(),
            _ => tls.wants_write(),
        };
        if is_it {
            let bytes = flight(&mut tls);
            return (stream, tls, bytes);
        }
        assert_ne!(tls.read_tls(&mut stream).expect("it answers"), 0, "it closes");
        tls.process_new_packets().expect("the server does as it should");
    }
}

/// So much is said, and no more.
fn ends(mut stream: TcpStream, bytes: &[u8], end: &[u8]) {
    let _ = stream.write_all(&[bytes, end].concat());
    let _ = stream.shutdown(Shutdown::Write);
    closed(stream, &format!("{} bytes of a flight", bytes.len()));
}

/// With all of both flights the client is let in, so these are the flights.
fn is_let_in(server: &Server, config: &Arc<ClientConfig>) -> usize {
    let (mut stream, mut tls, bytes) = second_flight(server, config);
    stream.write_all(&bytes).expect("it reads");
    let mut secured = rustls::Stream::new(&mut tls, &mut stream);
    secured.write_all(CONNECT).expect("it reads");
    let mut answer = [0; 4];
    secured.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer, [0x20, 2, 0, 0]);
    bytes.len()
}

fn every_byte_may_be_the_last(version: &'static SupportedProtocolVersion) {
    // Nobody is closed for the time that it takes.
    let server = Server::start_with("handshake_timeout = '1h'\n");
    let config = client(&server, version);
    let first = flight(&mut begun(&config));
    let second = is_let_in(&server, &config);
    for end in ENDS {
        for len in 0..=first.len() {
            ends(connected(server.tls), &first[..len], end);
        }
        for len in 0..=second {
            let (stream, _, bytes) = second_flight(&server, &config);
            // Signatures are not always as long.
            ends(stream, &bytes[..len.min(bytes.len())], end);
        }
    }
    server.is_as_before();
    assert!(server.figure("mqtt_streams_failed_total") > 0);
}

#[test]
fn a_handshake_of_tls_1_3_that_ends_at_any_byte_leaves_nothing() {
    every_byte_may_be_the_last(&version::TLS13);
}

#[test]
fn a_handshake_of_tls_1_2_that_ends_at_any_byte_leaves_nothing() {
    every_byte_may_be_the_last(&version::TLS12);
}
