//! The fault of one connection ends that connection alone, and what happens by time goes on (BI-110).

use std::io::Write;
use std::net::Shutdown;

use bytes::Bytes;
use mqtt_proto::{
    Binary, Connect, ConnectProperties, Delivery, Packet, Publish, PublishProperties, QoS, Version, Will,
    WillProperties,
};

use super::carried::{Carried, Carrier, bytes, subscribe};
use super::{Server, closed, connected, joined, says, text, topic};

/// Somebody who is there all the time, on one connection.
struct Healthy(Carried);

impl Healthy {
    fn new(server: &Server, carrier: Carrier) -> Self {
        let mut client = Carried::guest(server, carrier, &format!("healthy-{carrier:?}"));
        let wire = client.wire(&bytes(Version::V3_1_1, subscribe(&format!("healthy/{carrier:?}"))));
        client.say(&wire);
        assert_eq!(client.hear(5), [0x90, 3, 0, 1, 0]);
        Self(client)
    }

    /// It is answered, and what it publishes comes back to it.
    fn is_served(&mut self, carrier: Carrier) {
        let message = plain(&format!("healthy/{carrier:?}"), "x", PublishProperties::empty(), false);
        let message = bytes(Version::V3_1_1, message);
        let wire = self.0.wire(&[&message[..], &[0xC0, 0]].concat());
        self.0.say(&wire);
        let heard = self.0.hear(message.len() + 2);
        let both = [&message[..], &[0xD0, 0]].concat();
        let turned = [&[0xD0, 0], &message[..]].concat();
        assert!(heard == both || heard == turned, "{heard:?}");
    }
}

fn plain(to: &str, payload: &'static str, properties: PublishProperties<Bytes>, retain: bool) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::AtMostOnce,
        retain,
        topic: Some(topic(to)),
        properties,
        payload: Bytes::from_static(payload.as_bytes()),
    })
}

/// A client of MQTT 5.0 with a will that is late by so much, and a session that lasts as long.
fn lasting(name: &str, keep_alive: u16, seconds: u32) -> Connect<Bytes> {
    let mut connect = Connect::new(Version::V5, text(name));
    connect.keep_alive = keep_alive;
    connect.properties = ConnectProperties::builder()
        .session_expiry(seconds)
        .build()
        .expect("one");
    connect.will = Some(Will {
        topic: topic(&format!("gone/{name}")),
        payload: Binary::new(Bytes::from_static(b"x")).expect("it is short"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties::builder().will_delay(seconds).build().expect("one"),
    });
    connect
}

/// Something that ends by time, of each kind: a client without a word, a will, a session, a retained message, a stream without CONNECT.
fn set_timers(server: &Server, name: &str) -> Vec<std::net::TcpStream> {
    let silent = joined(server.plain, lasting(&format!("{name}-silent"), 1, 0));
    let mut gone = joined(server.plain, lasting(&format!("{name}-gone"), 0, 1));
    let properties = PublishProperties::builder().message_expiry(1).build().expect("one");
    let kept = plain(&format!("kept/{name}"), "x", properties, true);
    gone.write_all(&bytes(Version::V5, kept)).expect("it reads");
    // Its session goes on without it, and has a will that waits.
    gone.shutdown(Shutdown::Write).expect("it is open");
    closed(gone, "the end of a stream");
    vec![silent, connected(server.plain)]
}

/// The same at the far end of all times: these are never due, and keep nothing from being due.
fn set_far_timers(server: &Server) {
    let mut far = joined(server.plain, lasting("far", u16::MAX, u32::MAX));
    let properties = PublishProperties::builder()
        .message_expiry(u32::MAX)
        .build()
        .expect("one");
    let kept = plain("kept/far", "x", properties, true);
    far.write_all(&bytes(Version::V5, kept)).expect("it reads");
    server.waits_for("mqtt_retained_messages", 1);
}

/// Whatever a client can do to be thrown out, and some who go in the middle of something.
fn faults(server: &Server) {
    for carrier in Carrier::ALL {
        let wrong: [&[u8]; 8] = [
            b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c",
            &[0x00, 0x00],
            &[0x20, 0x02, 0x00, 0x00],
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x32, 0x05, 0x00, 0x01, b't', 0x00, 0x00],
            &[0x82, 0x02, 0x00, 0x01],
            &[0x62, 0x02, 0x00, 0x00],
            b"\x30\x05\0\x03a/#",
        ];
        for (number, bytes) in wrong.into_iter().enumerate() {
            let mut client = Carried::guest(server, carrier, &format!("wrong-{number}"));
            let wire = client.wire(bytes);
            client.say(&wire);
            closed(client.stream, &format!("{bytes:?} by {carrier:?}"));
        }
        // What no layer above TCP knows, in the middle of the connection.
        let mut client = Carried::guest(server, carrier, "garbage");
        client.say(&[0xFF; 4096]);
        closed(client.stream, "garbage");
        // What was not read is reset, on both sides.
        let mut client = Carried::guest(server, carrier, "reset");
        let wire = client.wire(&[&bytes(Version::V3_1_1, subscribe("#"))[..], &[0xC0, 0, 0x30]].concat());
        client.say(&wire);
        drop(client);
    }
    for address in server.listeners() {
        says(address, b"GET / HTTP/1.1\r\nHost: \xFF\r\n\r\n", "a stranger");
        drop(connected(address));
    }
    says(
        server.metrics,
        b"\xFF\xFF /metrics HTTP/9\r\n\r\n",
        "no request for metrics",
    );
}

#[test]
fn a_fault_ends_one_connection_and_no_timer() {
    let server = Server::configured("sys_interval = '0s'\n", "handshake_timeout = '2s'\n");
    let mut healthy: Vec<_> = Carrier::ALL
        .into_iter()
        .map(|carrier| (carrier, Healthy::new(&server, carrier)))
        .collect();
    set_far_timers(&server);
    let before = set_timers(&server, "before");
    for _ in 0..3 {
        faults(&server);
        for (carrier, client) in &mut healthy {
            client.is_served(*carrier);
        }
    }
    let after = set_timers(&server, "after");
    // All that was due has happened, for those from before the faults and for those from behind them; what is far away has not.
    server.waits_for("mqtt_keep_alive_timeouts_total", 2);
    server.waits_for("mqtt_handshake_timeouts_total", 2);
    server.waits_for("mqtt_retained_messages", 1);
    server.waits_for("mqtt_wills_published_total", 4);
    server.waits_for("mqtt_sessions", Carrier::ALL.len() as u64 + 1);
    for stream in before.into_iter().chain(after) {
        closed(stream, "a time that is over");
    }
    for (carrier, client) in &mut healthy {
        client.is_served(*carrier);
    }
    server.serves();
    server.waits_for("mqtt_clients_connected", Carrier::ALL.len() as u64);
    drop(healthy);
    server.is_as_before();
}
