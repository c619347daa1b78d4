//! Clients that send and send, and read nothing of what they are answered.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;

use bytes::Bytes;
use mqtt_proto::{
    Connect, Delivery, Filters, Packet, PacketId, Publish, PublishProperties, QoS, Subscribe, SubscriptionOptions,
    Version,
};

use super::{Server, joined, text, topic};

/// How many packets are written at once.
const PACKETS: u16 = 1000;

/// What a flood may cost the broker beside what it has at the start: several times what the bounds below let one client have.
#[cfg(target_os = "linux")]
const MEMORY_BYTES: u64 = 16 << 20;
const BOUNDS: &str = "queued_bytes = 262_144\nqueued_messages = 1000\n";

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("it is not zero")
}

fn subscribe(number: u16) -> Packet<Bytes> {
    let filter = format!("flood/{number}");
    let filters = Filters::builder().filter(&filter, SubscriptionOptions::new(QoS::AtMostOnce));
    Packet::Subscribe(Subscribe::new(id(number), filters.build().expect("one filter")))
}

fn publish(delivery: Delivery, payload: usize) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery,
        retain: false,
        topic: Some(topic("flood/1")),
        properties: PublishProperties::empty(),
        payload: vec![0; payload].into(),
    })
}

fn bytes(version: Version, packets: impl IntoIterator<Item = Packet<Bytes>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        packet.encode_to(version, &mut bytes).expect("it can be said");
    }
    bytes
}

fn flood(version: Version, packet: impl Fn(u16) -> Packet<Bytes>) -> Vec<u8> {
    bytes(version, (1..=PACKETS).map(packet))
}

/// Writes this again and again until the stream is closed.
fn pours(mut stream: TcpStream, bytes: &[u8]) -> u64 {
    let mut poured = 0;
    loop {
        match stream.write(bytes) {
            Ok(len) => poured += len as u64,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return poured,
            Err(error) => panic!("after {poured} bytes it is neither read nor closed: {error}"),
        }
    }
}

/// A client floods the broker until it is closed for what this figure counts. Others are served meanwhile.
fn is_closed_for(server: &Server, figure: &str, version: Version, first: &[Packet<Bytes>], flood: Vec<u8>) {
    let before = server.figure(figure);
    let mut stream = joined(server.plain, Connect::new(version, text("flooder")));
    stream
        .write_all(&bytes(version, first.iter().cloned()))
        .expect("it reads");
    let pouring = thread::spawn(move || pours(stream, &flood));
    loop {
        server.serves();
        if pouring.is_finished() {
            break;
        }
    }
    let poured = pouring.join().expect("it is closed");
    assert_eq!(server.figure(figure), before + 1, "after {poured} bytes");
}

#[cfg(target_os = "linux")]
fn memory(server: &Server) -> u64 {
    server.process().most_resident()
}

/// Floods in as much memory as the bounds allow, and nothing of them stays.
fn ends_within_bounds(server: &Server, floods: impl FnOnce()) {
    #[cfg(target_os = "linux")]
    let before = memory(server);
    floods();
    #[cfg(target_os = "linux")]
    {
        let more = memory(server).saturating_sub(before);
        assert!(more <= MEMORY_BYTES, "{more} bytes more");
    }
    server.is_as_before();
}

#[test]
fn who_asks_for_answers_and_reads_none_is_closed() {
    const FIGURE: &str = "mqtt_protocol_errors_total";
    let server = Server::start_with(BOUNDS);
    ends_within_bounds(&server, || {
        for version in [Version::V5, Version::V3_1_1] {
            let message = |number| publish(Delivery::first(QoS::AtLeastOnce, id(number)), 0);
            for flood in [
                flood(version, |_| Packet::PingReq),
                flood(version, subscribe),
                flood(version, message),
            ] {
                is_closed_for(&server, FIGURE, version, &[], flood);
            }
        }
    });
}

#[test]
fn who_publishes_and_reads_nothing_is_closed() {
    const FIGURE: &str = "mqtt_stall_timeouts_total";
    let server = Server::start_with(&format!("{BOUNDS}stall_timeout = '1s'\n"));
    ends_within_bounds(&server, || {
        // What it publishes comes back to it.
        let messages = flood(Version::V5, |_| publish(Delivery::AtMostOnce, 1000));
        is_closed_for(&server, FIGURE, Version::V5, &[subscribe(1)], messages);
    });
    assert!(server.figure("mqtt_messages_dropped_total") > 0);
}
