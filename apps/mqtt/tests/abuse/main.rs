//! `mqtt broker` under abuse at its sockets: whoever does what no client does is closed, nothing of him stays, and others are served.
//! The numbers `BI-…` are those of the table of bad inputs in `tests/data`.
#![cfg(feature = "tokio")]

mod addresses;
mod carried;
mod endings;
mod faults;
mod floods;
mod handshakes;
mod lingerers;
#[cfg(target_os = "linux")]
#[path = "../crowd/process.rs"]
#[allow(dead_code, reason = "its files are not looked at here")]
mod process;
mod refusals;
mod resting;
#[path = "../running/mod.rs"]
mod running;
mod stores;
mod trickles;
mod vanishing;
#[path = "../web/mod.rs"]
mod web;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_proto::{Connect, Packet, Text, TopicName};
use mqtt_testbed::Authority;
use mqtt_testbed::websocket::{frame, request};
use tempfile::TempDir;

use self::running::{Running, mqtt};

/// Far longer than the broker's own patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with a listener of each kind.
struct Server {
    running: Running,
    folder: TempDir,
    authority: Authority,
    plain: SocketAddr,
    tls: SocketAddr,
    websocket: SocketAddr,
    proxied: SocketAddr,
    metrics: SocketAddr,
}

impl Server {
    fn start() -> Self {
        Self::start_with("handshake_timeout = '1s'\n")
    }

    /// One with these bounds of a client.
    fn start_with(bounds: &str) -> Self {
        Self::configured("", bounds)
    }

    /// The same with something before everything else.
    fn configured(first: &str, bounds: &str) -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let authority = Authority::new();
        let issued = authority.server("localhost");
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("server.pem", issued.certificate.as_str()),
            ("server.key", issued.key.as_str()),
        ] {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        let linger = match bounds.contains("linger_timeout") {
            true => "",
            false => "linger_timeout = '100ms'\n",
        };
        let listener = "[[listener]]\naddress = '127.0.0.1:0'\n";
        let tls = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'ca.pem'\n";
        let config = format!(
            "{first}{listener}{listener}{tls}{listener}[listener.websocket]\n{listener}proxy_protocol = true\nanonymous = true\n\
             [[listener]]\naddress = 'unix:mqtt.sock'\n\
             [metrics]\naddress = '127.0.0.1:0'\n[limits.client]\n{linger}{bounds}"
        );
        let file = folder.path().join("mqtt.toml");
        fs::write(&file, config).expect("there is room for a file");
        let running = Running::start(&["broker", "--config", file.to_str().expect("a plain name")]);
        let [plain, tls, websocket, proxied, metrics] = running.addresses()[..] else {
            panic!("all of them are told: {}", running.told())
        };
        Self {
            running,
            folder,
            authority,
            plain,
            tls,
            websocket,
            proxied,
            metrics,
        }
    }

    /// The listeners for clients.
    fn listeners(&self) -> [SocketAddr; 4] {
        [self.plain, self.tls, self.websocket, self.proxied]
    }

    /// Clients are served, plain and over TLS.
    fn serves(&self) {
        let (plain, tls) = (self.plain.port().to_string(), self.tls.port().to_string());
        let ca = self.folder.path().join("ca.pem");
        let common = ["-t", "t", "-m", "x", "-q", "1", "--no-reconnect"];
        let secure = ["-h", "localhost", "--cafile", ca.to_str().expect("a plain name")];
        for words in [
            &["pub", "-p", &plain][..],
            &[&["pub", "-p", &tls][..], &secure].concat(),
        ] {
            let sent = mqtt(&[words, &common].concat(), b"");
            assert_eq!(sent.status.code(), Some(0), "{sent:?} {}", self.running.told());
        }
    }

    fn figure(&self, name: &str) -> u64 {
        web::figure(&web::get(self.metrics, "/metrics"), name)
    }

    fn waits_for(&self, name: &str, value: u64) {
        let until = Instant::now() + PATIENCE;
        while self.figure(name) != value {
            assert!(Instant::now() < until, "{name} is {}", self.figure(name));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its number as a process.
    #[cfg(target_os = "linux")]
    fn process(&self) -> process::Process {
        let told = self.running.told();
        let id = told.split(" process=").nth(1).and_then(|rest| rest.split(' ').next());
        process::Process::new(id.expect("it is told"))
    }

    /// Nothing is open, and clients are served.
    fn is_as_before(&self) {
        self.waits_for("mqtt_streams", 0);
        self.waits_for("mqtt_connections", 0);
        self.serves();
    }
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// A client that has come in.
fn joined(address: SocketAddr, connect: Connect<Bytes>) -> TcpStream {
    let mut bytes = Vec::new();
    let version = connect.version;
    Packet::from(connect)
        .encode_to(version, &mut bytes)
        .expect("it can be said");
    let mut stream = connected(address);
    stream.write_all(&bytes).expect("it reads");
    answered(&mut stream);
    stream
}

/// CONNACK comes, and lets the client in.
fn answered(stream: &mut impl Read) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("it answers");
    let mut answer = vec![0; usize::from(head[1])];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!((head[0], answer[1]), (0x20, 0), "it is refused");
}

fn text(text: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::copy_from_slice(text.as_bytes())).expect("text")
}

fn topic(topic: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).expect("a topic")
}

/// Hears what the broker says until it closes the stream.
fn closed(mut stream: TcpStream, what: &str) -> Vec<u8> {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(error) => panic!("{what}: it is not closed: {error}"),
    }
    heard
}

/// Says this and no more, and is closed.
fn says(address: SocketAddr, bytes: &[u8], what: &str) -> Vec<u8> {
    let mut stream = connected(address);
    // It may be closed before all of it is said.
    let _ = stream.write_all(bytes);
    closed(stream, what)
}

/// BI-111, BI-112: who says nothing, or one byte now and then, has no place for longer than the handshake may take.
#[test]
fn silence_and_dribble_end_with_the_handshake_timeout() {
    let server = Server::start();
    let silent: Vec<TcpStream> = server
        .listeners()
        .into_iter()
        .flat_map(|address| (0..25).map(move |_| connected(address)))
        .collect();
    server.serves();
    let connect = [&[0x10, 0xFF, 0x7F][..], b"\0\x04MQTT\x05\x02\0\0\0\0", &[0; 64]].concat();
    for address in server.listeners() {
        let mut stream = connected(address);
        let reading = stream.try_clone().expect("one more handle");
        let reader = thread::spawn(move || closed(reading, "a dribble"));
        for byte in connect.iter().cycle() {
            if reader.is_finished() || stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        reader.join().expect("it is closed");
    }
    for stream in silent {
        closed(stream, "silence");
    }
    server.is_as_before();
}

/// BI-007, BI-008: what is no CONNECT, and one that says that it is large, is closed at once, from however many.
#[test]
fn a_flood_of_what_is_no_connect_is_closed() {
    let server = Server::start();
    let floods: [&[u8]; 5] = [
        &[0x30, 0xFF, 0xFF, 0xFF, 0x7F],
        &[0x10, 0xFF, 0xFF, 0xFF, 0x7F],
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x00, 0x00],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    for address in [server.plain, server.tls, server.proxied] {
        for flood in floods {
            let opened: Vec<TcpStream> = (0..20)
                .map(|_| {
                    let mut stream = connected(address);
                    let _ = stream.write_all(&flood.repeat(400));
                    stream
                })
                .collect();
            for stream in opened {
                closed(stream, "a flood");
            }
        }
    }
    server.is_as_before();
}

#[test]
fn websocket_is_held_to_its_protocol() {
    let server = Server::start();
    let good = request("mqtt");
    let text = |text: &str| text.as_bytes().to_vec();
    let elsewhere = String::from_utf8_lossy(&good).replace("/mqtt HTTP", "/else HTTP");
    let keyless = String::from_utf8_lossy(&good).replace("Sec-WebSocket-Key", "X-Key");
    let endless = [text("GET /mqtt HTTP/1.1\r\n"), text(&"X-Filler: y\r\n".repeat(20_000))].concat();
    for (head, what) in [
        (text("\r\n\r\n"), "no request"),
        (vec![0xFF; 5000], "bytes of no kind"),
        (text(&elsewhere), "another path"),
        (text(&keyless), "no key"),
        (request("chat"), "another subprotocol"),
        (
            text("POST /mqtt HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
            "another method",
        ),
        (endless, "a head without an end"),
    ] {
        let heard = says(server.websocket, &head, what);
        assert!(
            !heard.starts_with(b"HTTP/1.1 101"),
            "{what}: {}",
            String::from_utf8_lossy(&heard)
        );
    }
    let large = [&[0x82, 0xFF][..], &u64::MAX.to_be_bytes(), &[1, 2, 3, 4]].concat();
    for (frames, what) in [
        (frame(0x82, &[0xC0, 0x00], false), "a frame without a mask"),
        (frame(0x81, b"text", true), "text"),
        (frame(0xF2, &[0xC0, 0x00], true), "reserved bits"),
        (frame(0x83, &[], true), "an unknown kind of frame"),
        (frame(0x80, &[0xC0], true), "a continuation of nothing"),
        (frame(0x09, &[], true), "a ping in pieces"),
        (frame(0x89, &[0; 126], true), "a long ping"),
        (large, "a frame of 16 EiB"),
        (frame(0x82, &[0x30, 0x00], true), "no CONNECT"),
        (frame(0x02, &[], true).repeat(2), "one message in another"),
    ] {
        let heard = says(server.websocket, &[&good[..], &frames].concat(), what);
        assert!(
            heard.starts_with(b"HTTP/1.1 101"),
            "{what}: {}",
            String::from_utf8_lossy(&heard)
        );
    }
    server.is_as_before();
}

#[test]
fn a_proxy_header_is_whole_and_right_or_the_stream_is_closed() {
    let server = Server::start();
    let connect = b"\x10\x11\0\x04MQTT\x05\x02\0\0\0\0\x04name";
    let first = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 1883\r\n";
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0x0F, 0xA0, 0x07, 0x5B];
    let second = [&signature[..], &[0x21, 0x11, 0, 12], &addresses].concat();
    for good in [&first[..], &second] {
        let mut stream = connected(server.proxied);
        stream.write_all(&[good, connect].concat()).expect("it reads");
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).expect("it answers");
        assert_eq!(answer[0], 0x20);
        drop(stream);
        // At every byte of it the stream may end.
        for len in 0..good.len() {
            let mut stream = connected(server.proxied);
            let _ = stream.write_all(&good[..len]);
            let _ = stream.shutdown(Shutdown::Write);
            assert_eq!(closed(stream, "a header that ends"), [0_u8; 0]);
        }
    }
    let long = [&signature[..], &[0x21, 0x11, 0xFF, 0xFF], &addresses].concat();
    let short = [&signature[..], &[0x21, 0x11, 0, 3], &addresses[..3]].concat();
    let version = [&signature[..], &[0x31, 0x11, 0, 12], &addresses].concat();
    for (header, what) in [
        (&b""[..], "no header"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 99999 1883\r\n", "a port that is none"),
        (
            b"PROXY TCP4 fe80::1 192.0.2.2 4000 1883\r\n",
            "an address of another family",
        ),
        (b"PROXY TCP4 192.0.2.1\r\n", "too little"),
        (b"proxy TCP4 192.0.2.1 192.0.2.2 4000 1883\r\n", "another word"),
        (&b"PROXY TCP4 ".repeat(100), "a line without an end"),
        (&long, "64 KiB that do not come"),
        (&short, "less than its addresses"),
        (&version, "another version"),
    ] {
        let heard = says(server.proxied, &[header, connect].concat(), what);
        assert_eq!(heard, [0_u8; 0], "{what}");
    }
    server.is_as_before();
}

/// Requests for metrics that are never finished keep neither clients nor other requests waiting for long.
#[test]
fn slow_requests_for_metrics_stop_nobody() {
    let server = Server::start();
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = connected(server.metrics);
            stream.write_all(b"GET /metrics HT").expect("it reads");
            stream
        })
        .collect();
    let mut dribbles = connected(server.metrics);
    let reading = dribbles.try_clone().expect("one more handle");
    let dribbling = thread::spawn(move || closed(reading, "a request that goes on and on"));
    server.serves();
    assert_eq!(server.figure("mqtt_connections_opened_total"), 2);
    let _ = dribbles.write_all(b"GET /metrics HTTP/1.1\r\nX: ");
    while !dribbling.is_finished() && dribbles.write_all(b"y").is_ok() {
        thread::sleep(Duration::from_millis(50));
    }
    dribbling.join().expect("it is closed");
    for stream in slow {
        closed(stream, "half a request");
    }
    says(server.metrics, &b"GET ".repeat(100_000), "a line without an end");
    server.is_as_before();
}
