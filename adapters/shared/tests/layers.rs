//! TLS and WebSocket over streams that are as bad as streams can be: they move one byte at a time, wait in between, end
//! anywhere, or say what nobody expects.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mqtt_adapter::{
    Carrier, ClientLayers, Clock, Identity, LayerError, Link, ServerLayers, Step, Stranger, Tls, TlsError, TlsServer,
    TlsSetupError, Transport, Trust, WebSocket, WebSocketError, WebSocketServer,
};
use mqtt_session::{Closed, Limits, ServerConfig, ServerConnection, ServerEvent, SessionConfig, Timer};
use mqtt_testbed::{Authority, End, Issued, ends};

/// More than any buffer holds.
const LARGE: usize = 300_000;

struct Papers {
    authority: Authority,
    server: Issued,
}

impl Papers {
    fn new() -> Self {
        let authority = Authority::new();
        let server = authority.server("broker.example");
        Self { authority, server }
    }

    fn ends(&self, kind: &str) -> (ClientLayers, ServerLayers) {
        let tls = Tls::new(Trust::roots_pem(self.authority.pem()).unwrap());
        let identity = Identity::from_pem(&self.server.certificate, &self.server.key).unwrap();
        let (mut client, mut server) = (ClientLayers::new(), ServerLayers::new());
        if kind.contains("tls") {
            client = client.tls(&tls, "broker.example").unwrap();
            server = server.tls(TlsServer::new(identity));
        }
        if kind.contains("websocket") {
            client = client.websocket(&WebSocket::new(), "broker.example", "/mqtt").unwrap();
            server = server.websocket(WebSocketServer::new());
        }
        (client, server)
    }
}

const KINDS: [&str; 3] = ["tls", "websocket", "tls websocket"];

/// Both ends, over a stream that moves so much at once.
fn pair(kind: &str, portions: &'static [usize]) -> (Carrier<End>, Carrier<End>) {
    let (client, server) = Papers::new().ends(kind);
    let (near, far, _) = ends(portions);
    (Carrier::client(near, &client), Carrier::server(far, &server))
}

/// Writes as much as is taken.
fn write(stream: &mut impl Transport, cx: &mut Context<'_>, bytes: &mut &[u8]) {
    while !bytes.is_empty() {
        match stream.poll_write(
            cx,
            &[IoSlice::new(&bytes[..bytes.len().min(1)]), IoSlice::new(&bytes[1..])],
        ) {
            Poll::Ready(Ok(len)) => *bytes = &bytes[len..],
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => break,
        }
    }
    if let Poll::Ready(Err(error)) = stream.poll_flush(cx) {
        panic!("{error}");
    }
}

/// Reads what is there. `true`: nothing follows.
fn read(stream: &mut impl Transport, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Result<bool, LayerError> {
    let mut buffer = [0; 5000];
    loop {
        match stream.poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(0)) => return Ok(true),
            Poll::Ready(Ok(len)) => into.extend_from_slice(&buffer[..len]),
            Poll::Ready(Err(error)) => return Err(LayerError::of(&error).expect("a layer says so").clone()),
            Poll::Pending => return Ok(false),
        }
    }
}

#[test]
fn any_split_of_the_stream_carries_the_same_bytes_both_ways() {
    let large: Vec<u8> = (0..LARGE).map(|place| (place % 253) as u8).collect();
    for kind in KINDS {
        for portions in [&[1][..], &[0, 1, 1], &[0, 0, 3, 1, 2], &[7], &[0, 5000, 1], &[1 << 20]] {
            // One byte at a time is slow, and what it could break is in the first records.
            let payload = if portions.iter().any(|portion| *portion > 100) {
                &large[..]
            } else {
                &large[..20_000]
            };
            let (mut client, mut server) = pair(kind, portions);
            let mut cx = Context::from_waker(Waker::noop());
            let (mut up, mut down) = (payload, payload);
            let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
            let mut rounds = 0;
            while at_server.len() < payload.len() || at_client.len() < payload.len() {
                write(&mut client, &mut cx, &mut up);
                write(&mut server, &mut cx, &mut down);
                assert_eq!(read(&mut client, &mut cx, &mut at_client), Ok(false));
                assert_eq!(read(&mut server, &mut cx, &mut at_server), Ok(false));
                rounds += 1;
                assert!(
                    rounds < 4_000_000 / portions.iter().max().unwrap().min(&1000),
                    "{kind} {portions:?}"
                );
            }
            assert!(at_server == payload && at_client == payload, "{kind} {portions:?}");
        }
    }
}

/// Lets both ends speak until neither has anything to say; then the client says farewell.
#[test]
fn a_farewell_is_an_end_and_a_cut_is_none() {
    for kind in KINDS {
        for is_polite in [true, false] {
            let (mut client, mut server) = pair(kind, &[1 << 20]);
            let mut cx = Context::from_waker(Waker::noop());
            let (mut up, mut received) = (&b"last words"[..], Vec::new());
            for _ in 0..10 {
                write(&mut client, &mut cx, &mut up);
                assert_eq!(read(&mut server, &mut cx, &mut received), Ok(false));
                assert_eq!(read(&mut client, &mut cx, &mut Vec::new()), Ok(false));
            }
            if is_polite {
                assert!(matches!(client.poll_close(&mut cx), Poll::Ready(Ok(()))));
            }
            drop(client);
            let end = read(&mut server, &mut cx, &mut received);
            match (is_polite, kind) {
                (true, _) => assert_eq!(end, Ok(true), "{kind}"),
                (false, "websocket") => assert_eq!(end, Err(LayerError::WebSocket(WebSocketError::Cut))),
                (false, _) => assert_eq!(end, Err(LayerError::Tls(TlsError::Cut))),
            }
            assert_eq!(received, b"last words");
        }
    }
}

/// Counts how often somebody is woken.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who waits with writing for a handshake is not told by the stream when reading has finished it.
#[test]
fn whoever_waits_to_write_is_woken_by_the_end_of_the_handshake() {
    for kind in KINDS {
        let (mut client, mut server) = pair(kind, &[1 << 20]);
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut others = Context::from_waker(Waker::noop());
        let mut cx = Context::from_waker(&waker);
        let mut rounds = 0;
        // It is polled again only when it is called.
        while client.poll_write(&mut cx, &[IoSlice::new(b"x")]).is_pending() {
            let before = wakes.0.load(Ordering::Relaxed);
            while wakes.0.load(Ordering::Relaxed) == before {
                assert!(server.poll_read(&mut others, &mut [0; 10]).is_pending());
                assert!(client.poll_read(&mut cx, &mut [0; 10]).is_pending());
                rounds += 1;
                assert!(rounds < 10, "{kind}: nobody is woken");
            }
        }
        assert!(rounds > 0);
    }
}

/// A client that begins a handshake and leaves it at that has no more time than one that never says CONNECT.
#[test]
fn half_a_handshake_of_a_client_ends_at_the_deadline() {
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC];
    for (kind, beginning) in [("tls", &hello[..]), ("websocket", b"GET /mqtt HTTP/1.1\r\nHost: a\r\n")] {
        let (near, far, _) = ends(&[1 << 20]);
        far.written().bytes.extend(beginning);
        let limits = Limits::default().handshake_timeout(Duration::from_millis(50));
        let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
        let clock = Clock::new();
        let machine = ServerConnection::new(config, clock.now());
        let mut link = Link::accepted(machine, Carrier::server(near, &Papers::new().ends(kind).1), clock);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(link.poll_machine(&mut cx).is_pending());
        let deadline = link.deadline().expect("there is one");
        std::thread::sleep(deadline.saturating_since(link.now()) + Duration::from_millis(1));
        match link.poll_machine(&mut cx) {
            Poll::Ready(Some(Step::Event(ServerEvent::Closed { reason, .. }))) => {
                assert_eq!(reason, Closed::TimedOut(Timer::Handshake), "{kind}");
            }
            other => panic!("{kind}: {other:?}"),
        }
    }
}

/// A stream of which only the beginning can be read.
struct Short {
    stream: End,
    left: usize,
}

impl Transport for Short {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let most = self.left.min(buffer.len());
        if most == 0 {
            return Poll::Ready(Ok(0));
        }
        let read = self.stream.poll_read(cx, &mut buffer[..most]);
        if let Poll::Ready(Ok(len)) = &read {
            self.left -= len;
        }
        read
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close(cx)
    }
}

/// How opening ends for each end, if the client and the server read so much at most.
fn opened(papers: &Papers, kind: &str, at_client: usize, at_server: usize) -> [Result<(), LayerError>; 2] {
    let (client, server) = papers.ends(kind);
    let (near, far, calls) = ends(&[1 << 20]);
    let short = |stream, left| Short { stream, left };
    let mut ends = [
        Carrier::client(short(near, at_client), &client),
        Carrier::server(short(far, at_server), &server),
    ];
    let mut cx = Context::from_waker(Waker::noop());
    let mut results = [None, None];
    for _ in 0..20 {
        for (end, result) in ends.iter_mut().zip(&mut results) {
            if result.is_some() {
                continue;
            }
            match end.poll_open(&mut cx) {
                Poll::Ready(Ok(())) => *result = Some(Ok(())),
                Poll::Ready(Err(error)) => {
                    *result = Some(Err(LayerError::of(&error).expect("a layer says so").clone()));
                    // Who has failed is gone.
                    let gone = short(mqtt_testbed::ends(&[1]).0, 0);
                    *end = Carrier::plain(gone);
                }
                Poll::Pending => {}
            }
        }
    }
    let calls = calls.load(Ordering::Relaxed);
    assert!(
        calls < 500,
        "{kind} after {at_client} and {at_server} bytes: {calls} calls"
    );
    results.map(|result| result.unwrap_or_else(|| panic!("{kind} after {at_client} and {at_server} bytes: no end")))
}

/// After every number of bytes of a handshake the stream ends, for one end and for the other. Each time both are told, at once.
#[test]
fn an_end_at_every_byte_of_a_handshake_is_told_at_once() {
    for kind in KINDS {
        for is_client in [true, false] {
            let papers = Papers::new();
            let mut len = 0;
            loop {
                let (at_client, at_server) = if is_client {
                    (len, usize::MAX)
                } else {
                    (usize::MAX, len)
                };
                let [client, server] = opened(&papers, kind, at_client, at_server);
                let own = if is_client { client } else { server };
                let Err(error) = own else { break };
                let is_told = match error {
                    LayerError::Tls(TlsError::EndedInHandshake) => kind.contains("tls"),
                    LayerError::WebSocket(WebSocketError::EndedInHandshake) => kind == "websocket",
                    // The handshake of TLS is over, and that of WebSocket goes on.
                    LayerError::Tls(TlsError::Cut) => kind == "tls websocket",
                    _ => false,
                };
                assert!(is_told, "{kind} after {len} bytes: {error}");
                len += 1;
            }
            assert!(len > 100, "{kind}: {len}");
        }
    }
}

/// What an end with these settings says to bytes that come without any handshake of the other end.
fn told(mut end: Carrier<End>, far: &End, bytes: &[u8]) -> LayerError {
    far.written().bytes.extend(bytes);
    let mut cx = Context::from_waker(Waker::noop());
    match end.poll_open(&mut cx) {
        Poll::Ready(Err(error)) => LayerError::of(&error).expect("a layer says so").clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn strangers_are_known_by_their_first_bytes() {
    let cases: [(&[u8], Stranger); 4] = [
        (b"HTTP/1.0 400 Bad Request\r\n", Stranger::Http),
        (&[0x20, 0x02, 0x00, 0x00], Stranger::Mqtt),
        (b"SSH-2.0-x\r\n", Stranger::Ssh),
        (b"220 mail.example ESMTP\r\n", Stranger::Unknown),
    ];
    for (bytes, expected) in cases {
        let (near, far, _) = ends(&[1 << 20]);
        let (client, _) = Papers::new().ends("tls");
        assert_eq!(
            told(Carrier::client(near, &client), &far, bytes),
            LayerError::Tls(TlsError::NotTls(expected))
        );
        if expected != Stranger::Http {
            let (near, far, _) = ends(&[1 << 20]);
            let (client, _) = Papers::new().ends("websocket");
            assert_eq!(
                told(Carrier::client(near, &client), &far, bytes),
                LayerError::WebSocket(WebSocketError::NotHttp(expected))
            );
        }
    }
    // A client that takes a server of TLS for one without.
    let (near, far, _) = ends(&[1 << 20]);
    let (_, server) = Papers::new().ends("tls");
    assert_eq!(
        told(
            Carrier::server(near, &server),
            &far,
            b"\x10\x0C\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x00"
        ),
        LayerError::Tls(TlsError::NotTls(Stranger::Mqtt))
    );
}

#[test]
fn settings_that_cannot_work_are_refused_when_they_are_made() {
    let papers = Papers::new();
    let other = papers.authority.server("other.example");
    let made = |certificate: &str, key: &str| Identity::from_pem(certificate, key).map(|_| ());
    assert_eq!(made("", &papers.server.key), Err(TlsSetupError::NoCertificate));
    assert_eq!(made(&papers.server.certificate, ""), Err(TlsSetupError::NoKey));
    assert_eq!(
        made(&papers.server.certificate, &other.key),
        Err(TlsSetupError::KeyOfOther)
    );
    assert!(Trust::roots_pem("nothing").is_err_and(|error| error == TlsSetupError::NoCertificate));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(made(broken, &papers.server.key).is_err_and(|error| matches!(error, TlsSetupError::Certificate(_))));
    assert!(Trust::roots_pem(broken).is_err_and(|error| matches!(error, TlsSetupError::Certificate(_))));
    assert!(Trust::roots_file("/no/such/file").is_err_and(|error| {
        matches!(&error, TlsSetupError::File(_, io::ErrorKind::NotFound)) && error.to_string().contains("/no/such/file")
    }));
    let key = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("server.key");
    std::fs::write(&key, &papers.server.key).unwrap();
    assert!(Trust::roots_file(&key).is_err_and(|error| {
        let (path, why) = ("server.key: ", "there is no certificate");
        error.to_string().contains(path) && error.to_string().ends_with(why)
    }));
    let tls = Tls::new(Trust::roots_pem(papers.authority.pem()).unwrap());
    assert!(
        tls.server_name("two..dots")
            .is_err_and(|error| error == TlsSetupError::ServerName)
    );
    assert!(
        WebSocket::new()
            .header("Host", "x")
            .is_ok_and(|websocket| { ClientLayers::new().websocket(&websocket, "host", "/mqtt").is_err() })
    );
    assert!(
        ClientLayers::new()
            .websocket(&WebSocket::new(), "host", "/a b")
            .is_err()
    );
}
