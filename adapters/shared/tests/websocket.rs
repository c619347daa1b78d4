//! WebSocket against a peer that says what it likes.

use std::io::IoSlice;
use std::task::{Context, Poll, Waker};

use mqtt_adapter::{
    Carrier, ClientLayers, LayerError, ServerLayers, Transport, WebSocket, WebSocketError, WebSocketRefusal,
    WebSocketServer,
};
use mqtt_testbed::websocket::{Frame, answer, frame, frames, request};
use mqtt_testbed::{End, ends};

const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
const CLOSE: u8 = 0x88;

/// A server, and the other end of its stream, on which a client has got over to WebSocket.
fn server(settings: WebSocketServer) -> (Carrier<End>, End) {
    let (near, far, _) = ends(&[1 << 20]);
    let mut server = Carrier::server(near, &ServerLayers::new().websocket(settings));
    far.written().bytes.extend(request("mqtt"));
    assert!(matches!(
        server.poll_open(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(Ok(()))
    ));
    far.unread().bytes.clear();
    (server, far)
}

fn client() -> (Carrier<End>, End) {
    let (near, far, _) = ends(&[1 << 20]);
    let layers = ClientLayers::new().websocket(&WebSocket::new(), "broker.example:80", "/mqtt");
    let mut client = Carrier::client(near, &layers.unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(client.poll_open(&mut cx).is_pending());
    let asked: Vec<u8> = far.unread().bytes.drain(..).collect();
    far.written().bytes.extend(answer(&asked, "mqtt"));
    assert!(matches!(client.poll_open(&mut cx), Poll::Ready(Ok(()))));
    (client, far)
}

/// What is read of this, and what is said to it.
fn said(carrier: &mut Carrier<End>, far: &End, bytes: &[u8]) -> (Result<Vec<u8>, LayerError>, Vec<Frame>) {
    far.written().bytes.extend(bytes);
    let mut cx = Context::from_waker(Waker::noop());
    let (mut read, mut buffer) = (Vec::new(), [0; 1000]);
    let result = loop {
        match carrier.poll_read(&mut cx, &mut buffer) {
            Poll::Ready(Ok(0)) => {
                read.extend(b"(end)");
                break Ok(read);
            }
            Poll::Ready(Ok(len)) => read.extend(&buffer[..len]),
            Poll::Ready(Err(error)) => break Err(LayerError::of(&error).expect("a layer says so").clone()),
            Poll::Pending => break Ok(read),
        }
    };
    let answers: Vec<u8> = far.unread().bytes.drain(..).collect();
    (result, frames(&answers))
}

fn error(error: WebSocketError) -> Result<Vec<u8>, LayerError> {
    Err(LayerError::WebSocket(error))
}

/// The code of the only frame, which closes.
fn close_code(frames: &[Frame]) -> u16 {
    match frames {
        [only] if only.first == CLOSE => u16::from_be_bytes([only.payload[0], only.payload[1]]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pings_are_answered_and_change_nothing() {
    let (mut server, far) = server(WebSocketServer::new());
    // One between the two halves of a message.
    let bytes = [
        frame(0x02, b"one", true),
        frame(PING, b"here?", true),
        frame(0x80, b"two", true),
    ]
    .concat();
    let (read, answers) = said(&mut server, &far, &bytes);
    assert_eq!(read, Ok(b"onetwo".to_vec()));
    let pong = Frame {
        first: PONG,
        is_masked: false,
        payload: b"here?".to_vec(),
    };
    assert_eq!(answers, [pong]);
    assert_eq!(
        said(&mut server, &far, &frame(PONG, b"unasked", true)),
        (Ok(Vec::new()), Vec::new())
    );
}

#[test]
fn text_is_refused_with_its_code() {
    let (mut server, far) = server(WebSocketServer::new());
    let (read, answers) = said(&mut server, &far, &frame(0x81, b"text", true));
    assert_eq!((read, close_code(&answers)), (error(WebSocketError::Text), 1003));
    let (mut client, far) = client();
    let (read, answers) = said(&mut client, &far, &frame(0x81, b"text", false));
    assert_eq!((read, close_code(&answers)), (error(WebSocketError::Text), 1003));
    assert!(far.unread().is_closed, "the connection is closed as well");
}

#[test]
fn messages_have_a_bound_in_one_frame_and_in_many() {
    let whole = || server(WebSocketServer::new().message_bytes(100));
    let (mut one, far) = whole();
    assert_eq!(
        said(&mut one, &far, &frame(BINARY, &[7; 100], true)),
        (Ok(vec![7; 100]), Vec::new())
    );
    // Its length says enough: the payload is not waited for.
    let (read, answers) = said(&mut one, &far, &frame(BINARY, &[7; 101], true)[..8]);
    assert_eq!((read, close_code(&answers)), (error(WebSocketError::TooLarge), 1009));
    let (mut many, far) = whole();
    let (read, answers) = said(
        &mut many,
        &far,
        &[frame(0x02, &[7; 60], true), frame(0x00, &[7; 41], true)].concat(),
    );
    assert_eq!((read, close_code(&answers)), (error(WebSocketError::TooLarge), 1009));
}

#[test]
fn what_breaks_the_protocol_is_refused_with_its_code() {
    for (is_server, bytes) in [
        (true, frame(BINARY, b"not masked", false)),
        (false, frame(BINARY, b"masked", true)),
        (true, frame(0x83, b"reserved", true)),
        (true, frame(0xC2, b"an extension", true)),
        (true, frame(0x80, b"continues nothing", true)),
        (true, frame(0x09, b"a ping in parts", true)),
    ] {
        let (mut carrier, far) = if is_server {
            server(WebSocketServer::new())
        } else {
            client()
        };
        let (read, answers) = said(&mut carrier, &far, &bytes);
        assert!(
            matches!(read, Err(LayerError::WebSocket(WebSocketError::Protocol(_)))),
            "{bytes:?}: {read:?}"
        );
        assert_eq!(close_code(&answers), 1002, "{bytes:?}");
    }
}

#[test]
fn a_farewell_is_answered_and_its_code_is_told() {
    let (mut server_end, far) = server(WebSocketServer::new());
    let bytes = [
        frame(BINARY, b"last", true),
        frame(CLOSE, &1000_u16.to_be_bytes(), true),
    ]
    .concat();
    let (read, answers) = said(&mut server_end, &far, &bytes);
    assert_eq!((read, close_code(&answers)), (Ok(b"last(end)".to_vec()), 1000));
    let (mut client, far) = client();
    let why = [&1008_u16.to_be_bytes()[..], b"policy"].concat();
    let (read, answers) = said(&mut client, &far, &frame(CLOSE, &why, false));
    assert_eq!(read, error(WebSocketError::Closed(1008, "policy".into())));
    assert_eq!(close_code(&answers), 1008);
}

/// One that asks all the time and reads no answers gets the last one, and does not fill the memory.
#[test]
fn answers_to_pings_do_not_pile_up() {
    let (near, far, _) = ends(&[1 << 20]);
    let mut server = Carrier::server(Stuck(near), &ServerLayers::new().websocket(WebSocketServer::new()));
    let mut cx = Context::from_waker(Waker::noop());
    far.written().bytes.extend(request("mqtt"));
    assert!(server.poll_open(&mut cx).is_pending());
    let pings: Vec<u8> = (0..100_000_u32)
        .flat_map(|number| frame(PING, &number.to_be_bytes(), true))
        .collect();
    far.written().bytes.extend(pings);
    far.written().bytes.extend(frame(BINARY, b"through", true));
    let mut buffer = [0; 100];
    let read = (0..1000).find_map(|_| match server.poll_read(&mut cx, &mut buffer) {
        Poll::Ready(Ok(len)) => Some(len),
        _ => None,
    });
    assert_eq!(read, Some(7));
    // All that waits at most: 64 KiB here and there, for 600,000 bytes of answers.
    assert!(matches!(
        server.poll_write(&mut cx, &[IoSlice::new(b"x")]),
        Poll::Pending
    ));
}

/// A stream that takes nothing.
struct Stuck(End);

impl Transport for Stuck {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<std::io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<std::io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

#[test]
fn mqtt_is_chosen_before_the_name_that_clients_of_mqtt_3_1_have_for_it() {
    for (offered, chosen) in [
        ("mqttv3.1", "mqttv3.1"),
        ("mqttv3.1, mqtt", "mqtt"),
        ("chat,mqtt", "mqtt"),
    ] {
        let (near, far, _) = ends(&[1 << 20]);
        let layers = ServerLayers::new().websocket(WebSocketServer::new());
        let mut server = Carrier::server(near, &layers);
        far.written().bytes.extend(request(offered));
        let opened = server.poll_open(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(opened, Poll::Ready(Ok(()))), "{opened:?}");
        let answer: Vec<u8> = far.unread().bytes.drain(..).collect();
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let line = format!("sec-websocket-protocol: {chosen}\r\n");
        assert!(answer.contains(&line), "{offered}: {answer}");
    }
}

#[test]
fn requests_for_something_else_are_refused_with_a_status() {
    let cases = [
        (request("mqtt"), "/here", "404", WebSocketRefusal::Path),
        (request("chat, mqttv5"), "/mqtt", "400", WebSocketRefusal::NoSubprotocol),
        (
            b"GET /mqtt HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            "/mqtt",
            "400",
            WebSocketRefusal::BadRequest,
        ),
        (
            b"GET /mqtt HTTP/1.1\r\n\x00: a\r\n\r\n".to_vec(),
            "/mqtt",
            "400",
            WebSocketRefusal::BadRequest,
        ),
    ];
    for (bytes, path, status, why) in cases {
        let (near, far, _) = ends(&[1 << 20]);
        let layers = ServerLayers::new().websocket(WebSocketServer::new().path(path));
        let mut server = Carrier::server(near, &layers);
        far.written().bytes.extend(bytes);
        match server.poll_open(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(error)) => {
                let refused = LayerError::WebSocket(WebSocketError::Refused(why));
                assert_eq!(LayerError::of(&error), Some(&refused));
            }
            other => panic!("{other:?}"),
        }
        let answer: Vec<u8> = far.unread().bytes.drain(..).collect();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let (near, far, _) = ends(&[1 << 20]);
    let mut server = Carrier::server(near, &ServerLayers::new().websocket(WebSocketServer::new()));
    far.written().bytes.extend(b"GET / HTTP/1.1\r\nX: ");
    far.written().bytes.extend([b'x'; 9000]);
    match server.poll_open(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => {
            assert_eq!(
                LayerError::of(&error),
                Some(&LayerError::WebSocket(WebSocketError::HeadTooLong))
            );
        }
        other => panic!("{other:?}"),
    }
}
