//! Peers that are gone without a word: no end of the stream tells of them.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_proto::{
    Binary, Connect, ConnectProperties, Filters, Packet, PacketId, Properties, QoS, Subscribe, SubscriptionOptions,
    Version, Will,
};

use super::running::{Running, mqtt};
use super::{Server, closed, joined, text, topic};

/// Seconds.
const KEEP_ALIVE: u16 = 1;

/// A client with a will, which says nothing more of its own accord.
fn connect(name: &str) -> Connect<Bytes> {
    Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: KEEP_ALIVE,
        client_id: text(name),
        will: Some(Will {
            topic: topic(&format!("gone/{name}")),
            payload: Binary::new(Bytes::from_static(b"without a word")).expect("it is short"),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::empty(),
        }),
        username: None,
        password: None,
        properties: ConnectProperties::empty(),
    }
}

/// One has nothing to say, and the other reads nothing of what is on its way to it.
#[test]
fn who_falls_silent_is_closed_after_its_keep_alive_and_its_will_is_published() {
    const MESSAGE: usize = 900_000;
    const MESSAGES: usize = 16;
    let server = Server::start();
    let port = server.plain.port().to_string();
    let witness = Running::subscriber(
        &port,
        &["-t", "gone/#", "-q", "1", "-F", "%t %p", "-C", "3", "--no-reconnect"],
    );
    let before = Instant::now();
    let silent = joined(server.plain, connect("silent"));
    let mut deaf = joined(server.plain, connect("deaf"));
    let filters = Filters::builder().filter("load", SubscriptionOptions::new(QoS::AtMostOnce));
    let subscribe = Subscribe::new(
        PacketId::new(1).expect("it is not zero"),
        filters.build().expect("one filter"),
    );
    let mut bytes = Vec::new();
    Packet::Subscribe(subscribe)
        .encode_to(Version::V5, &mut bytes)
        .expect("it can be said");
    deaf.write_all(&bytes).expect("it reads");
    // More than all buffers between the broker and a client hold.
    let count = MESSAGES.to_string();
    let load = ["pub", "-p", &port, "-t", "load", "-q", "1", "-s", "--repeat", &count];
    let sent = mqtt(&load, &[0; MESSAGE]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    server.serves();

    witness.wait_for_output("gone/silent without a word\n");
    witness.wait_for_output("gone/deaf without a word\n");
    assert!(before.elapsed() >= Duration::from_millis(1500) * u32::from(KEEP_ALIVE));
    // CONNACK is read; DISCONNECT says why.
    assert_eq!(closed(silent, "silence"), [0xE0, 1, 0x8D]);
    let heard = closed(deaf, "deafness");
    assert!(heard.len() < MESSAGE * MESSAGES, "all of it was sent: {}", heard.len());

    // Nobody else has noticed.
    let last = ["pub", "-p", &port, "-t", "gone/last", "-q", "1", "-m", "x"];
    assert_eq!(mqtt(&last, b"").status.code(), Some(0));
    let ended = witness.ended();
    assert_eq!(ended.stdout.lines().last(), Some("gone/last x"), "{}", ended.stderr);
    server.is_as_before();
    assert_eq!(server.figure("mqtt_keep_alive_timeouts_total"), 2);
    assert_eq!(server.figure("mqtt_wills_published_total"), 2);
}
