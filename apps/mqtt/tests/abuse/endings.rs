//! Streams that end inside a packet (BI-006): their connection ends at once, once, and nothing goes on about it.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;

use bytes::Bytes;
use mqtt_proto::{
    Binary, Connect, Delivery, Packet, PacketId, Properties, Publish, PublishProperties, QoS, Version, Will,
};

use super::carried::{Carried, Carrier, bytes, subscribe};
use super::resting::comes_to_rest;
use super::running::{Running, mqtt};
use super::{Server, closed, text, topic};

/// A client whose will says that it is gone.
fn connect(name: &str) -> Connect<Bytes> {
    let mut connect = Connect::new(Version::V3_1_1, text(name));
    connect.keep_alive = 0;
    connect.will = Some(Will {
        topic: topic(&format!("gone/{name}")),
        payload: Binary::new(Bytes::from_static(b"x")).expect("it is short"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Properties::empty(),
    });
    connect
}

/// A message that nobody is to get.
fn message() -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(QoS::AtLeastOnce, PacketId::new(7).expect("it is not zero")),
        retain: false,
        topic: Some(topic("gone/half")),
        properties: PublishProperties::empty(),
        payload: Bytes::from_static(b"half of a message"),
    })
}

/// At every byte of a message, and of the record or frame around it: the client is gone, once, and the message was none.
#[test]
fn an_end_inside_a_packet_is_the_end_of_its_client() {
    let server = Server::start_with("handshake_timeout = '1h'\nlinger_timeout = '1h'\n");
    let port = server.plain.port().to_string();
    let witness = Running::subscriber(&port, &["-t", "gone/#", "-q", "1", "-F", "%t", "--no-reconnect"]);
    let mut names = Vec::new();
    for carrier in Carrier::ALL {
        for len in 1.. {
            let name = format!("{carrier:?}-{len}");
            let mut client = Carried::joined(&server, carrier, connect(&name));
            let wire = client.wire(&bytes(Version::V3_1_1, message()));
            if len >= wire.len() {
                break;
            }
            client.say(&wire[..len]);
            client.stream.shutdown(Shutdown::Write).expect("it is open");
            // It is not closed here, so what ends it is what was read.
            closed(client.stream, &name);
            names.push(format!("gone/{name}"));
        }
        server.running.wait_for_words(&format!("client={carrier:?}-1 reason="));
    }
    assert!(names.len() > 100, "{}", names.len());
    for name in &names {
        witness.wait_for_output(&format!("{name}\n"));
    }
    let last = ["pub", "-p", &port, "-t", "gone/last", "-q", "1", "-m", "x"];
    assert_eq!(mqtt(&last, b"").status.code(), Some(0));
    witness.wait_for_output("gone/last\n");
    let told = server.running.told();
    for name in &names {
        let client = name.strip_prefix("gone/").expect("it is such a topic");
        let words = format!(" client={client} ");
        let ends = told
            .lines()
            .filter(|line| line.contains(&words) && line.contains("disconnected"));
        assert_eq!(ends.count(), 1, "{client}");
    }
    let ended = witness.signalled("INT");
    for name in &names {
        assert_eq!(ended.stdout.lines().filter(|line| line == name).count(), 1, "{name}");
    }
    assert!(!ended.stdout.contains("gone/half"), "{}", ended.stdout);
    server.is_as_before();
}

/// Before a client is in, at every byte of CONNECT: the stream is closed, and nothing is left of it.
#[test]
fn an_end_inside_connect_closes_the_stream() {
    let server = Server::start_with("handshake_timeout = '1h'\nlinger_timeout = '1h'\n");
    let whole = bytes(Version::V3_1_1, connect("nobody"));
    for carrier in Carrier::ALL {
        for len in 0..whole.len() {
            let mut client = Carried::open(&server, carrier);
            let wire = client.wire(&whole[..len]);
            client.say(&wire);
            client.stream.shutdown(Shutdown::Write).expect("it is open");
            closed(client.stream, &format!("{len} bytes of CONNECT by {carrier:?}"));
        }
    }
    server.is_as_before();
    assert_eq!(server.figure("mqtt_wills_published_total"), 0);
    comes_to_rest(&server, "everybody is gone");
}

/// The end can be read again and again while something still is to be written that nobody takes: it is looked at once.
#[test]
fn an_end_behind_which_nothing_is_read_does_not_spin() {
    const MESSAGE: usize = 900_000;
    let server = Server::configured("sys_interval = '1h'\n", "linger_timeout = '1h'\nstall_timeout = '1h'\n");
    let port = server.plain.port().to_string();
    for carrier in Carrier::ALL {
        let mut client = Carried::guest(&server, carrier, "deaf");
        let wire = client.wire(&bytes(Version::V3_1_1, subscribe("load")));
        client.say(&wire);
        client.hear(5);
        // More than all buffers between the broker and a client hold.
        let load = ["pub", "-p", &port, "-t", "load", "-q", "1", "-s", "--repeat", "14"];
        assert_eq!(mqtt(&load, &[0; MESSAGE]).status.code(), Some(0));
        let wire = client.wire(&bytes(Version::V3_1_1, message()));
        client.say(&wire[..wire.len() - 1]);
        client.stream.shutdown(Shutdown::Write).expect("it is open");
        comes_to_rest(
            &server,
            &format!("{carrier:?}: what is left to be written is not taken"),
        );
        // It is what was under way, and then the end. A layer that says why it ends waits for that to be taken.
        let mut rest = Vec::new();
        match client.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        server.waits_for("mqtt_streams", 0);
        server.waits_for("mqtt_clients_connected", 0);
    }
    server.is_as_before();
}
