//! The order in which a driver serves a machine, and what must not get from one stream into the next.

use std::time::Duration;

use bytes::{Buf, BufMut};
use mqtt_session::proto::{ConnAck, ConnAckProperties, ConnAckReason, Packet, Version};
use mqtt_session::{
    Accept, Client, ClientConfig, Driver, Event, HandOver, Instant, Limits, Message, Next, QoS, ServerConfig,
    ServerConnection, ServerEvent, SessionConfig, Timer,
};

const NOW: Instant = Instant::from_secs(1_000);

fn connack() -> Vec<u8> {
    let connack = ConnAck {
        session_present: false,
        reason: ConnAckReason::Success,
        properties: ConnAckProperties::<bytes::Bytes>::empty(),
    };
    let mut bytes = Vec::new();
    Packet::ConnAck(connack).encode_to(Version::V5, &mut bytes).unwrap();
    bytes
}

/// A client on an open stream, its CONNECT written.
fn opened(config: ClientConfig) -> Driver<Client> {
    let mut driver = Driver::new(Client::new(config, NOW));
    assert!(matches!(driver.next(NOW), Next::Event(Event::Open)));
    driver.opened(NOW);
    assert!(matches!(driver.next(NOW), Next::Wait(wait) if wait.writes));
    write_all(&mut driver);
    driver
}

fn write_all<M: mqtt_session::Machine>(driver: &mut Driver<M>) -> Vec<u8> {
    let len = driver.outbox().remaining();
    driver.outbox().copy_to_bytes(len).to_vec()
}

fn config() -> ClientConfig {
    ClientConfig::new("c").unwrap()
}

/// The name of what comes next.
fn step(driver: &mut Driver<Client>, now: Instant) -> &'static str {
    match driver.next(now) {
        Next::Store(_) => "store",
        Next::Event(_) => "event",
        Next::Wait(_) => "wait",
        _ => "other",
    }
}

#[test]
fn stores_come_before_events_and_events_before_waiting() {
    let mut driver = opened(config().is_stored(true));
    driver.read_buffer().put_slice(&connack());
    driver.received(NOW);
    let message = Message::new("t", "m").unwrap().qos(QoS::AtLeastOnce);
    driver.machine_mut().publish(NOW, message, 1).unwrap();
    assert_eq!(
        ["store", "event", "wait"].map(|_| step(&mut driver, NOW)),
        ["store", "event", "wait"]
    );
}

#[test]
fn a_due_timer_fires_before_anything_else() {
    let mut driver = opened(config());
    let timeout = driver.machine().poll_timeout().unwrap();
    assert_eq!(timeout.timer, Timer::Handshake);
    // The CONNACK that lies there comes too late.
    driver.read_buffer().put_slice(&connack());
    assert!(matches!(driver.next(timeout.at), Next::Event(Event::Closed { .. })));
}

#[test]
fn bytes_that_were_left_lying_are_offered_again() {
    let mut server = Driver::accepted(ServerConnection::new(ServerConfig::default(), NOW));
    let mut client = Driver::new(Client::new(config().version(Version::V3_1_1), NOW));
    assert!(matches!(client.next(NOW), Next::Event(Event::Open)));
    client.opened(NOW);
    let _ = client.next(NOW);
    server.read_buffer().put_slice(&write_all(&mut client));
    // A PINGREQ behind CONNECT: it is not looked at before the host has answered.
    server.read_buffer().put_slice(b"\xC0\x00");
    server.received(NOW);
    assert!(matches!(server.next(NOW), Next::Event(ServerEvent::Connect(_))));
    assert!(matches!(server.next(NOW), Next::Wait(wait) if wait.read_bytes == 0));
    server.machine_mut().accept(NOW, Accept::new()).unwrap();
    assert!(matches!(server.next(NOW), Next::Wait(wait) if wait.writes && wait.read_bytes > 0));
    assert_eq!(write_all(&mut server), b"\x20\x02\x00\x00\xD0\x00");
}

#[test]
fn nothing_of_one_stream_gets_into_the_next() {
    let mut driver = opened(config());
    driver.read_buffer().put_slice(&connack()[..3]);
    driver.received(NOW);
    let message = Message::new("t", "m").unwrap();
    driver.closed(NOW);
    driver.machine_mut().publish(NOW, message, 1).unwrap();
    assert!(driver.output().is_empty());
    assert!(matches!(driver.next(NOW), Next::Event(Event::Closed { .. })));
    let Next::Wait(wait) = driver.next(NOW) else { panic!() };
    assert!(!wait.writes && wait.read_bytes == 0 && !wait.closes);
    let again = wait.until.unwrap();
    assert_eq!(again.timer, Timer::Reconnect);
    assert!(matches!(driver.next(again.at), Next::Event(Event::Open)));
    driver.opened(again.at);
    let _ = driver.next(again.at);
    assert_eq!(write_all(&mut driver)[0], 0x10);
    // The rest of the CONNACK of the stream before would be malformed here.
    driver.read_buffer().put_slice(&connack());
    driver.received(again.at);
    assert!(matches!(driver.next(again.at), Next::Event(Event::Connected { .. })));
}

#[test]
fn bytes_without_a_stream_are_dropped() {
    let mut driver = Driver::new(Client::new(config(), NOW));
    driver.read_buffer().put_slice(b"late");
    driver.received(NOW);
    assert!(driver.read_buffer().is_empty());
}

#[test]
fn a_connection_that_has_ended_is_closed_when_its_last_bytes_are_written() {
    let mut driver = opened(config());
    driver.read_buffer().put_slice(&connack());
    driver.received(NOW);
    driver.machine_mut().disconnect(NOW);
    let mut told = Vec::new();
    let wait = loop {
        match driver.next(NOW) {
            Next::Event(event) => told.push(event),
            Next::Wait(wait) => break wait,
            _ => {}
        }
    };
    assert!(matches!(told.last(), Some(Event::Closed { .. })));
    assert!(wait.writes && !wait.closes && wait.read_bytes == 0);
    assert_eq!(write_all(&mut driver), b"\xE0\x00");
    assert!(matches!(driver.next(NOW), Next::Wait(wait) if wait.closes && !wait.writes));
    driver.closed(NOW);
    assert!(matches!(driver.next(NOW), Next::Wait(wait) if !wait.closes && wait.until.is_none()));
}

#[test]
fn reading_goes_on_while_there_is_something_to_write() {
    let mut driver = opened(config());
    driver.read_buffer().put_slice(&connack());
    driver.received(NOW);
    for tag in 0..1_000 {
        let message = Message::new("t", "x".repeat(200)).unwrap();
        driver.machine_mut().publish(NOW, message, tag).unwrap();
    }
    loop {
        if let Next::Wait(wait) = driver.next(NOW) {
            assert!(wait.writes && wait.read_bytes > 0);
            return;
        }
    }
}

#[test]
fn room_shrinks_by_what_was_not_taken() {
    let limits = Limits::default().packet_bytes(100);
    let session = SessionConfig::default().limits(limits).hand_over(HandOver::Manual);
    let config = ServerConfig::default().session(session);
    let mut server = Driver::accepted(ServerConnection::new(config, NOW));
    assert!(matches!(server.next(NOW), Next::Wait(wait) if wait.read_bytes == 100));
    server.read_buffer().put_slice(b"\x10\x20\x00");
    server.received(NOW);
    assert!(matches!(server.next(NOW), Next::Wait(wait) if wait.read_bytes == 97));
    // The handshake has a deadline, and the driver tells it.
    let Next::Wait(wait) = server.next(NOW) else { panic!() };
    assert_eq!(wait.until.unwrap().at, NOW + Duration::from_secs(10));
}
