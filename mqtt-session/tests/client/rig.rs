//! A client, its driver, its store and the server at the other end, all in one hand.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Delivery, Packet, PacketId, Properties, PropertiesBuilder, PubAck,
    PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish, PublishProperties, Role,
    Rules, TopicName, Version, section,
};
use mqtt_session::{Batch, Change, Client, ClientConfig, Event, Instant, Key, Message, Op, Outbox, QoS, Record, Timer};

use super::show;

pub(crate) const VERSIONS: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];

pub(crate) fn config() -> ClientConfig {
    ClientConfig::new("c").unwrap()
}

pub(crate) fn stored() -> ClientConfig {
    config().is_stored(true)
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn message(qos: u8, payload: &str) -> Message {
    Message::new("t", payload.to_owned())
        .unwrap()
        .qos(QoS::from_bits(qos).unwrap())
}

pub(crate) fn said<W: mqtt_session::proto::Storage>(
    build: impl FnOnce(
        PropertiesBuilder<section::ConnAck, mqtt_session::proto::InBytes>,
    ) -> PropertiesBuilder<section::ConnAck, W>,
) -> Properties<section::ConnAck, W::Output> {
    build(ConnAckProperties::builder()).build().unwrap()
}

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) disk: BTreeMap<Key, Record>,
    version: Version,
    outbox: Outbox,
}

impl Rig {
    /// A client that has asked for its first stream.
    pub(crate) fn new(config: ClientConfig) -> Self {
        let now = Instant::from_secs(1000);
        let version = config.version;
        let mut rig = Self::with(Client::new(config, now), version, now);
        assert_eq!(rig.told(), ["open"]);
        rig
    }

    pub(crate) fn with(client: Client, version: Version, now: Instant) -> Self {
        Self {
            client,
            now,
            disk: BTreeMap::new(),
            version,
            outbox: Outbox::default(),
        }
    }

    /// A client whose first connection the server has accepted.
    pub(crate) fn connected(config: ClientConfig) -> Self {
        Self::connected_with(config, ConnAckProperties::empty())
    }

    pub(crate) fn connected_with(config: ClientConfig, properties: ConnAckProperties<Bytes>) -> Self {
        let mut rig = Self::new(config);
        rig.open();
        rig.accept_with(false, properties);
        assert_eq!(rig.told(), ["connected"]);
        rig
    }

    // ---- the stream

    /// Opens a stream and takes the CONNECT.
    pub(crate) fn open(&mut self) -> String {
        self.outbox = Outbox::default();
        self.client.handle_open(self.now);
        let [connect] = self.sent().try_into().unwrap();
        connect
    }

    pub(crate) fn accept(&mut self, session_present: bool) {
        self.accept_with(session_present, ConnAckProperties::empty());
    }

    /// MQTT 3.1 cannot say that a session is present.
    pub(crate) fn accept_with(&mut self, session_present: bool, properties: ConnAckProperties<Bytes>) {
        let session_present = session_present && self.version != Version::V3_1;
        self.feed(&Packet::ConnAck(ConnAck {
            session_present,
            reason: ConnAckReason::Success,
            properties,
        }));
    }

    pub(crate) fn answer_connect(&mut self, reason: ConnAckReason) {
        self.feed(&Packet::ConnAck(ConnAck {
            session_present: false,
            reason,
            properties: ConnAckProperties::empty(),
        }));
    }

    /// The stream breaks. What the driver had not written is gone.
    pub(crate) fn cut(&mut self) {
        self.client.handle_eof(self.now);
        self.outbox = Outbox::default();
    }

    /// The stream breaks, and the next one is opened and accepted.
    pub(crate) fn reconnect(&mut self, session_present: bool) {
        self.reconnect_with(session_present, ConnAckProperties::empty());
    }

    pub(crate) fn reconnect_with(&mut self, session_present: bool, properties: ConnAckProperties<Bytes>) {
        self.cut();
        assert_eq!(self.fire_next(), Timer::Reconnect);
        assert_eq!(self.open(), "CONNECT");
        self.accept_with(session_present, properties);
    }

    // ---- time

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.client.handle_timeout(self.now);
    }

    /// Waits for the next deadline.
    pub(crate) fn fire_next(&mut self) -> Timer {
        let next = self.client.poll_timeout().unwrap();
        self.now = self.now.max(next.at);
        self.client.handle_timeout(self.now);
        next.timer
    }

    // ---- outputs

    /// Takes all bytes that the client sends.
    pub(crate) fn sent_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            self.client.poll_transmit(&mut self.outbox);
            if self.outbox.is_empty() {
                return bytes;
            }
            let len = self.outbox.remaining();
            bytes.extend_from_slice(&self.outbox.copy_to_bytes(len));
        }
    }

    pub(crate) fn sent_packets(&mut self) -> Vec<Packet<Bytes>> {
        let mut bytes = Bytes::from(self.sent_bytes());
        let rules = Rules::new(self.version).sent_by(Role::Client);
        core::iter::from_fn(|| {
            if bytes.is_empty() {
                return None;
            }
            let packet = Packet::take_from(&mut bytes, &rules).unwrap();
            Some(packet.expect("whole packets are sent"))
        })
        .collect()
    }

    pub(crate) fn sent(&mut self) -> Vec<String> {
        self.sent_packets().iter().map(show::packet).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }

    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events().iter().map(show::event).collect()
    }

    /// Writes all batches down, and returns the number of the last one.
    pub(crate) fn write(&mut self) -> u64 {
        let mut batch = Batch::new();
        while self.client.poll_store(&mut batch) {
            for change in batch.changes() {
                match change {
                    Change::Put(record) => {
                        self.disk.insert(record.key(), record.clone());
                    }
                    Change::Delete(key) => {
                        self.disk.remove(key);
                    }
                }
            }
        }
        batch.number()
    }

    /// Writes all batches down, and says so.
    pub(crate) fn commit(&mut self) {
        let number = self.write();
        self.client.handle_stored(self.now, number);
    }

    /// Nothing is stored but that there is a session.
    pub(crate) fn disk_is_idle(&self) -> bool {
        self.disk.keys().all(|key| *key == Key::Session)
    }

    // ---- commands

    pub(crate) fn publish(&mut self, qos: u8, tag: u64) -> Op {
        self.client
            .publish(self.now, message(qos, &format!("m{tag}")), tag)
            .unwrap()
    }

    // ---- the server

    pub(crate) fn feed_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        self.client.handle_input(self.now, &mut rest);
        rest.len()
    }

    pub(crate) fn feed(&mut self, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(self.version, &mut bytes).unwrap();
        self.feed_bytes(&bytes);
    }

    pub(crate) fn encoded(&self, packet: &Packet<Bytes>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode_to(self.version, &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn deliver(&mut self, qos: u8, number: u16, payload: &str) {
        let delivery = Delivery::first(QoS::from_bits(qos).unwrap(), id(number));
        self.feed(&incoming(delivery, payload));
    }

    pub(crate) fn deliver_again(&mut self, qos: u8, number: u16, payload: &str) {
        let delivery = Delivery::first(QoS::from_bits(qos).unwrap(), id(number)).with_dup(true);
        self.feed(&incoming(delivery, payload));
    }

    pub(crate) fn puback(&mut self, number: u16) {
        self.feed(&Packet::PubAck(PubAck::new(id(number), PubAckReason::Success)));
    }

    pub(crate) fn pubrec(&mut self, number: u16) {
        self.feed(&Packet::PubRec(PubRec::new(id(number), PubRecReason::Success)));
    }

    pub(crate) fn pubrec_with(&mut self, number: u16, reason: PubRecReason) {
        self.feed(&Packet::PubRec(PubRec::new(id(number), reason)));
    }

    pub(crate) fn pubrel(&mut self, number: u16) {
        self.feed(&Packet::PubRel(PubRel::new(id(number), PubRelReason::Success)));
    }

    pub(crate) fn pubcomp(&mut self, number: u16) {
        self.feed(&Packet::PubComp(PubComp::new(id(number), PubCompReason::Success)));
    }
}

pub(crate) fn incoming(delivery: Delivery, payload: &str) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery,
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"s")).unwrap()),
        properties: PublishProperties::empty(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    })
}
