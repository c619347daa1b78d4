//! Both roles over WebSocket, and the other end of their streams.

use std::task::{Context, Poll, Waker};

use mqtt_adapter::{Carrier, ClientLayers, Clock, LayerError, Link, ServerLayers, Step, WebSocket, WebSocketServer};
use mqtt_session::proto::Version;
use mqtt_session::{Client, ClientConfig, Event, Reconnect, ServerConfig, ServerConnection, ServerEvent};
use mqtt_testbed::websocket::{answer, request};
use mqtt_testbed::{End, ends};

/// Everything at once.
pub(crate) const WHOLE: &[usize] = &[1 << 20];

pub(crate) type ServerLink = Link<ServerConnection, Carrier<End>>;
pub(crate) type ClientLink = Link<Client, Carrier<End>>;

/// A server to which a client says this head.
pub(crate) fn server_asked(head: &[u8]) -> (ServerLink, End) {
    let (near, far, _) = ends(WHOLE);
    let carrier = Carrier::server(near, &ServerLayers::new().websocket(WebSocketServer::new()));
    let clock = Clock::new();
    let machine = ServerConnection::new(ServerConfig::default(), clock.now());
    far.written().bytes.extend(head);
    (Link::accepted(machine, carrier, clock), far)
}

/// A server with which a client has got over to WebSocket.
pub(crate) fn server() -> (ServerLink, End) {
    let (mut link, far) = server_asked(&request("mqtt"));
    assert!(server_events(&mut link).is_empty());
    assert!(received(&far).starts_with(b"HTTP/1.1 101 "));
    (link, far)
}

/// A client that has asked to go over to WebSocket, and what it has said.
pub(crate) fn client_asking(version: Version) -> (ClientLink, End, Vec<u8>) {
    let (near, far, _) = ends(WHOLE);
    let layers = ClientLayers::new().websocket(&WebSocket::new(), "broker.example:80", "/mqtt");
    let carrier = Carrier::client(near, &layers.expect("it can be asked for"));
    let clock = Clock::new();
    let mut config = ClientConfig::new("c")
        .expect("it is text")
        .reconnect(Reconnect::never());
    config.version = version;
    let mut link = Link::client(Client::new(config, clock.now()), clock);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(
        link.poll_step(&mut cx),
        Poll::Ready(Some(Step::Event(Event::Open)))
    ));
    link.opened(carrier);
    assert!(client_events(&mut link).is_empty());
    let asked = received(&far);
    (link, far, asked)
}

/// A client that has got over to WebSocket and said CONNECT, and what it has said behind its request.
pub(crate) fn client(version: Version) -> (ClientLink, End, Vec<u8>) {
    let (mut link, far, asked) = client_asking(version);
    far.written().bytes.extend(answer(&asked, "mqtt"));
    assert!(client_events(&mut link).is_empty());
    let said = received(&far);
    (link, far, said)
}

pub(crate) fn server_events(link: &mut ServerLink) -> Vec<ServerEvent> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut events = Vec::new();
    // More than there is to do here.
    for _ in 0..1000 {
        match link.poll_machine(&mut cx) {
            Poll::Ready(Some(Step::Event(event))) => events.push(event),
            Poll::Ready(Some(Step::Store(_))) => {}
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    events
}

pub(crate) fn client_events(link: &mut ClientLink) -> Vec<Event> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut events = Vec::new();
    for _ in 0..1000 {
        match link.poll_step(&mut cx) {
            Poll::Ready(Some(Step::Event(event))) => events.push(event),
            Poll::Ready(Some(Step::Store(_))) => {}
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    events
}

/// What has come to the other end since the last look.
pub(crate) fn received(far: &End) -> Vec<u8> {
    far.unread().bytes.drain(..).collect()
}

/// What a layer had against going on.
pub(crate) fn fault(error: Option<std::io::Error>) -> LayerError {
    let error = error.expect("the stream has ended with an error");
    LayerError::of(&error).expect("a layer says so").clone()
}
