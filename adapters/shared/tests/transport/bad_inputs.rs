//! Known faults of MQTT software on bad input, as far as TLS and WebSocket can have them.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mqtt_adapter::{
    Carrier, ClientLayers, Identity, LayerError, ServerLayers, Tls, TlsServer, Transport, Trust, WebSocket,
    WebSocketServer,
};
use mqtt_testbed::websocket::{frame, request};
use mqtt_testbed::{Authority, End, ends};
use mqtt_tests::ledger::{Layer, Trial, covers};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Adapter, format!("bad_input::{id}::layers: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-118",
            "what is not whole is waited for",
            what_is_not_whole_is_waited_for,
        ),
        trial("BI-118", "a full socket is waited for", a_full_socket_is_waited_for),
        trial(
            "BI-119",
            "a farewell at every byte of a handshake ends it",
            a_farewell_in_a_handshake_ends_it,
        ),
    ]
}

/// Counts how often somebody is woken.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn tls_layers() -> (ClientLayers, ServerLayers) {
    let authority = Authority::new();
    let issued = authority.server("broker.example");
    let tls = Tls::new(Trust::roots_pem(authority.pem()).unwrap());
    let identity = Identity::from_pem(&issued.certificate, &issued.key).unwrap();
    (
        ClientLayers::new().tls(&tls, "broker.example").unwrap(),
        ServerLayers::new().tls(TlsServer::new(identity)),
    )
}

/// One byte of a PING and of a record of TLS at a time: each time the stream is looked at once, found empty, and waited for.
fn what_is_not_whole_is_waited_for() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);

    let (near, far, calls) = ends(&[1 << 20]);
    let mut carrier = Carrier::server(near, &ServerLayers::new().websocket(WebSocketServer::new()));
    let ping = [request("mqtt"), frame(0x89, b"are you there?", true)].concat();
    drip(&mut carrier, &far, &ping, &calls, &mut cx);

    // What a client of TLS says, to a server; what the server answers stays where it is.
    let (client, server) = tls_layers();
    let (near, far, _) = ends(&[1 << 20]);
    let mut hello = Carrier::client(near, &client);
    assert!(hello.poll_open(&mut cx).is_pending());
    let hello: Vec<u8> = far.unread().bytes.drain(..).collect();
    let (near, far, calls) = ends(&[1 << 20]);
    drip(&mut Carrier::server(near, &server), &far, &hello, &calls, &mut cx);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
}

fn drip(carrier: &mut Carrier<End>, far: &End, bytes: &[u8], calls: &AtomicU64, cx: &mut Context<'_>) {
    for (place, byte) in bytes.iter().enumerate() {
        far.written().bytes.push_back(*byte);
        let before = calls.load(Ordering::Relaxed);
        assert!(carrier.poll_read(cx, &mut [0; 100]).is_pending());
        // It reads the byte, looks whether there are more, and perhaps answers.
        let made = calls.load(Ordering::Relaxed) - before;
        assert!((2..=3).contains(&made), "byte {place}: {made} calls");
    }
}

/// A stream that has been full all the time, and counts how often it was asked.
struct Full {
    stream: End,
    asked: u64,
    is_full: bool,
}

impl Transport for Full {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.asked += 1;
        match self.is_full {
            true => Poll::Pending,
            false => self.stream.poll_write(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close(cx)
    }
}

impl Transport for &mut Full {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_close(cx)
    }
}

/// Whoever writes to what is full is told to wait, once for each try, and nobody is woken. What came in meanwhile is read.
fn a_full_socket_is_waited_for() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let (tls, _) = tls_layers();
    let websocket = ClientLayers::new()
        .websocket(&WebSocket::new(), "broker.example", "/")
        .unwrap();
    for layers in [tls, websocket] {
        let (near, _far, _) = ends(&[1 << 20]);
        let mut stream = Full {
            stream: near,
            asked: 0,
            is_full: true,
        };
        let mut carrier = Carrier::client(&mut stream, &layers);
        for _ in 0..100 {
            assert!(carrier.poll_write(&mut cx, &[IoSlice::new(b"x")]).is_pending());
            assert!(carrier.poll_flush(&mut cx).is_pending());
            assert!(carrier.poll_read(&mut cx, &mut [0; 10]).is_pending());
        }
        drop(carrier);
        assert_eq!(stream.asked, 300);
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
}

/// A handshake of which a client has seen some bytes; then the farewell of TLS comes in the place of the rest. As long as the
/// stream is open that is nothing, since anybody could have said it, and nobody spins; when the stream ends, so does the client.
fn a_farewell_in_a_handshake_ends_it() {
    const FAREWELL: [u8; 7] = [0x15, 3, 3, 0, 2, 1, 0];
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let (client, server) = tls_layers();
    let (mut len, mut waited) = (0, 0);
    loop {
        let (near, from_client, calls) = ends(&[1 << 20]);
        let mut client = Carrier::client(near, &client);
        assert!(client.poll_open(&mut cx).is_pending());
        let (near, from_server, _) = ends(&[1 << 20]);
        let mut server = Carrier::server(near, &server);
        let hello: Vec<u8> = from_client.unread().bytes.drain(..).collect();
        from_server.written().bytes.extend(hello);
        let _ = server.poll_open(&mut cx);
        let answer: Vec<u8> = from_server.unread().bytes.drain(..).collect();
        if len >= answer.len() {
            break;
        }
        let before = calls.load(Ordering::Relaxed);
        from_client.written().bytes.extend(&answer[..len]);
        from_client.written().bytes.extend(FAREWELL);
        let mut opened = client.poll_open(&mut cx);
        if opened.is_pending() {
            waited += 1;
            from_client.written().is_closed = true;
            opened = client.poll_open(&mut cx);
        }
        assert!(calls.load(Ordering::Relaxed) - before < 30, "after {len} bytes");
        match opened {
            Poll::Ready(Err(error)) => assert!(
                matches!(LayerError::of(&error), Some(LayerError::Tls(_))),
                "after {len} bytes: {error}"
            ),
            other => panic!("after {len} bytes: {other:?}"),
        }
        len += 1;
    }
    assert!(len > 500 && waited > 0, "{len} {waited}");
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
}
