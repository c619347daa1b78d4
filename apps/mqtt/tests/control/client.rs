//! A client that does nothing by itself, on a stream of bytes.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Binary, ConnAckReason, Connect, ConnectProperties, Delivery, Disconnect, DisconnectReason, Filters, Packet,
    PacketId, Publish, PublishProperties, QoS, Role, Rules, Subscribe, SubscriptionOptions, Text, TopicName, Version,
};

use super::broker::Broker;
use super::serving::PATIENCE;

/// A client that does nothing by itself.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) version: Version,
    pub(crate) bytes: BytesMut,
}

impl Client {
    /// Connects, with a session that lasts for so many seconds.
    pub(crate) fn connect(broker: &Broker, name: &str, version: Version, seconds: u32) -> Self {
        let properties = match version.has_properties() {
            true => ConnectProperties::builder()
                .session_expiry(seconds)
                .build()
                .expect("they fit"),
            false => ConnectProperties::empty(),
        };
        let connect = Connect {
            version,
            clean_start: seconds == 0,
            keep_alive: 60,
            client_id: text(name),
            will: None,
            username: None,
            password: None,
            properties,
        };
        Self::open(broker, connect)
    }

    /// The same for a user with a password.
    pub(crate) fn connect_as(broker: &Broker, name: &str, user: &str, password: &str) -> Self {
        let connect = Connect {
            version: Version::V5,
            clean_start: true,
            keep_alive: 60,
            client_id: text(name),
            will: None,
            username: Some(text(user)),
            password: Binary::new(Bytes::copy_from_slice(password.as_bytes())).ok(),
            properties: ConnectProperties::empty(),
        };
        Self::open(broker, connect)
    }

    fn open(broker: &Broker, connect: Connect<Bytes>) -> Self {
        let stream = TcpStream::connect(broker.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut client = Self {
            stream,
            version: connect.version,
            bytes: BytesMut::new(),
        };
        client.send(&Packet::Connect(connect));
        let answer = client.next();
        let is_in = matches!(&answer, Some(Packet::ConnAck(connack)) if connack.reason == ConnAckReason::Success);
        assert!(is_in, "{answer:?}");
        client
    }

    pub(crate) fn send(&mut self, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(self.version, &mut bytes).expect("it can be said");
        self.stream.write_all(&bytes).expect("it is taken");
    }

    pub(crate) fn subscribe(&mut self, filter: &str, options: SubscriptionOptions) {
        let filters = Filters::builder().filter(filter, options).build().expect("a filter");
        self.send(&Packet::Subscribe(Subscribe::new(
            PacketId::new(1).expect("not zero"),
            filters,
        )));
        assert!(matches!(self.next(), Some(Packet::SubAck(_))));
    }

    pub(crate) fn retain(&mut self, topic: &str, payload: &str) {
        self.publish(topic, payload, true);
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        self.send(&Packet::Publish(Publish {
            delivery: Delivery::first(QoS::AtLeastOnce, PacketId::new(2).expect("not zero")),
            retain,
            topic: Some(TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).expect("a topic")),
            properties: PublishProperties::empty(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }));
        assert!(matches!(self.next(), Some(Packet::PubAck(_))));
    }

    /// The next packet. `None`: the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Packet<Bytes>> {
        let rules = Rules::new(self.version).sent_by(Role::Server);
        loop {
            let mut bytes = self.bytes.clone().freeze();
            if let Some(packet) = Packet::take_from(&mut bytes, &rules).expect("a packet") {
                self.bytes = BytesMut::from(&bytes[..]);
                return Some(packet);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).expect("it answers") {
                0 => return None,
                read => self.bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }

    pub(crate) fn leave(mut self) {
        self.send(&Packet::Disconnect(Disconnect::new(
            DisconnectReason::NormalDisconnection,
        )));
        assert!(self.next().is_none());
    }
}

fn text(text: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::copy_from_slice(text.as_bytes())).expect("text")
}
