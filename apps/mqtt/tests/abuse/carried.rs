//! A client by hand on each kind of listener: what it says can be cut anywhere, below its layers too.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_proto::{Connect, Filters, Packet, PacketId, QoS, Subscribe, SubscriptionOptions, Version};
use mqtt_testbed::websocket::{frame, request};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::{Server, connected, text};

/// What carries the bytes of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    WebSocket,
    Proxy,
}

impl Carrier {
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Tls, Self::WebSocket, Self::Proxy];
}

/// A stream with the layers of its listener.
pub(crate) struct Carried {
    pub(crate) stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    carrier: Carrier,
}

/// A packet as it is encoded.
pub(crate) fn bytes(version: Version, packet: impl Into<Packet<Bytes>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.into().encode_to(version, &mut bytes).expect("it can be said");
    bytes
}

/// SUBSCRIBE to one filter with QoS 0.
pub(crate) fn subscribe(filter: &str) -> Packet<Bytes> {
    let filters = Filters::builder().filter(filter, SubscriptionOptions::new(QoS::AtMostOnce));
    let id = PacketId::new(1).expect("it is not zero");
    Packet::Subscribe(Subscribe::new(id, filters.build().expect("one filter")))
}

fn tls(server: &Server) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(server.authority.pem().as_bytes()).expect("it is PEM");
    roots.add(root).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("it is a name");
    ClientConnection::new(Arc::new(config), name).expect("it can begin")
}

impl Carried {
    /// A stream whose layers are open.
    pub(crate) fn open(server: &Server, carrier: Carrier) -> Self {
        let address = match carrier {
            Carrier::Tcp => server.plain,
            Carrier::Tls => server.tls,
            Carrier::WebSocket => server.websocket,
            Carrier::Proxy => server.proxied,
        };
        let mut carried = Self {
            stream: connected(address),
            tls: None,
            carrier,
        };
        match carrier {
            Carrier::Tcp => {}
            Carrier::Tls => {
                let mut tls = tls(server);
                while tls.is_handshaking() {
                    tls.complete_io(&mut carried.stream)
                        .expect("the server does as it should");
                }
                carried.tls = Some(Box::new(tls));
            }
            Carrier::WebSocket => {
                carried.say(&request("mqtt"));
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    carried.stream.read_exact(&mut byte).expect("it answers");
                    head.push(byte[0]);
                }
                assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
            }
            Carrier::Proxy => carried.say(b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 1883\r\n"),
        }
        carried
    }

    /// A client that has come in.
    pub(crate) fn joined(server: &Server, carrier: Carrier, connect: Connect<Bytes>) -> Self {
        let mut carried = Self::open(server, carrier);
        let version = connect.version;
        let wire = carried.wire(&bytes(version, connect));
        carried.say(&wire);
        let answer = carried.hear(4);
        assert_eq!((answer[0], answer[3]), (0x20, 0), "it is let in: {answer:?}");
        carried
    }

    /// One that asks for nothing.
    pub(crate) fn guest(server: &Server, carrier: Carrier, name: &str) -> Self {
        let mut connect = Connect::new(Version::V3_1_1, text(name));
        connect.keep_alive = 0;
        Self::joined(server, carrier, connect)
    }

    /// These bytes as they go to the stream.
    pub(crate) fn wire(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return match self.carrier {
                Carrier::WebSocket => frame(0x82, bytes, true),
                _ => bytes.to_vec(),
            };
        };
        tls.writer().write_all(bytes).expect("memory takes it");
        let mut wire = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut wire).expect("memory takes it");
        }
        wire
    }

    /// Writes to the stream below the layers.
    pub(crate) fn say(&mut self, wire: &[u8]) {
        self.stream.write_all(wire).expect("it reads");
    }

    /// Hears at least so many bytes of MQTT, and what came with them.
    pub(crate) fn hear(&mut self, least: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        let mut wire = Vec::new();
        while heard.len() < least {
            assert_ne!(
                self.hear_some(1 << 16, &mut wire, &mut heard),
                0,
                "it closes after {heard:?}"
            );
        }
        heard
    }

    /// Takes so many bytes at most from the stream, and what they are of MQTT with what was not whole before. Returns how many came.
    pub(crate) fn hear_some(&mut self, most: usize, wire: &mut Vec<u8>, heard: &mut Vec<u8>) -> usize {
        let mut buffer = vec![0; most];
        let len = self.stream.read(&mut buffer).expect("it answers");
        wire.extend_from_slice(&buffer[..len]);
        match &mut self.tls {
            Some(tls) => {
                let mut rest = wire.as_slice();
                while !rest.is_empty() {
                    tls.read_tls(&mut rest).expect("memory gives it");
                    tls.process_new_packets().expect("the server does as it should");
                    let mut plain = tls.reader();
                    let mut part = [0; 4096];
                    while let Ok(len @ 1..) = plain.read(&mut part) {
                        heard.extend_from_slice(&part[..len]);
                    }
                }
                wire.clear();
            }
            None if self.carrier == Carrier::WebSocket => {
                let mut rest = wire.as_slice();
                while let Some((payload, len)) = unframed(rest) {
                    heard.extend_from_slice(payload);
                    rest = &rest[len..];
                }
                *wire = rest.to_vec();
            }
            None => heard.append(wire),
        }
        len
    }
}

/// The payload of a whole frame of a server, and how long the frame is.
fn unframed(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (start, len) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        len => (2, usize::from(len)),
    };
    Some((bytes.get(start..start + len)?, start + len))
}
