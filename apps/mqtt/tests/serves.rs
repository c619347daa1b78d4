//! `mqtt broker` on whatever it was built for: it serves a client, and ends when it is told to.
#![cfg(any(feature = "tokio", feature = "smol", feature = "std"))]

mod serving;

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use mqtt_proto::{
    Connect, Filters, Packet, PacketId, Publish, QoS, Role, Rules, Subscribe, SubscriptionOptions, Text, TopicName,
    Version,
};
use serving::{Broker, LISTENER, PATIENCE, folder};

const VERSION: Version = Version::V3_1_1;

/// A client that takes one packet after the other.
struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    fn connect(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("there is such a time");
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    fn send(&mut self, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(VERSION, &mut bytes).expect("it can be said");
        self.stream.write_all(&bytes).expect("it reads");
    }

    fn receive(&mut self) -> Packet<Bytes> {
        let rules = Rules::new(VERSION).sent_by(Role::Server);
        loop {
            let mut bytes = Bytes::from(self.bytes.clone());
            if let Some(packet) = Packet::take_from(&mut bytes, &rules).expect("packets") {
                self.bytes = bytes.to_vec();
                return packet;
            }
            let mut part = [0; 256];
            let len = self.stream.read(&mut part).expect("it answers");
            assert_ne!(len, 0, "it closes");
            self.bytes.extend_from_slice(&part[..len]);
        }
    }
}

#[test]
fn a_client_gets_what_it_sends_and_the_broker_ends_in_good_order() {
    let folder = folder();
    let mut broker = Broker::start(
        folder.path(),
        &format!("shards = 2\n{LISTENER}[persistence]\npath = 'broker.store'\n"),
    );
    let mut client = Client::connect(&broker);
    client.send(&Packet::Connect(Connect::new(
        VERSION,
        Text::from_bytes(Bytes::from_static(b"one")).expect("text"),
    )));
    assert!(matches!(client.receive(), Packet::ConnAck(_)));
    let filters = Filters::builder().filter("a/+", SubscriptionOptions::new(QoS::AtMostOnce));
    client.send(&Packet::Subscribe(Subscribe::new(
        PacketId::new(1).expect("it is not zero"),
        filters.build().expect("one filter"),
    )));
    assert!(matches!(client.receive(), Packet::SubAck(_)));
    let topic = TopicName::from_bytes(Bytes::from_static(b"a/b")).expect("a topic");
    client.send(&Packet::Publish(Publish::new(topic, Bytes::from_static(b"m"))));
    let Packet::Publish(publish) = client.receive() else {
        panic!("no message")
    };
    assert_eq!(publish.payload, "m");
    broker.signal("-TERM");
    assert_eq!(broker.ends(), Some(0));
}
