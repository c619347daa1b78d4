//! A server connection, its driver, its store and the client at the other end, all in one hand.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    ConnAckReason, Connect, ConnectProperties, Delivery, Disconnect, DisconnectReason, Filters, Packet, PacketId,
    Properties, PropertiesBuilder, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel,
    PubRelReason, Publish, PublishProperties, Role, Rules, Subscribe, SubscribeProperties, SubscriptionOptions, Text,
    TopicFilters, TopicFiltersBuilder, TopicName, Unsubscribe, Version, Will, section,
};
use mqtt_session::{
    Accept, Batch, Change, HandOver, Instant, Key, Limits, Message, Op, Outbox, QoS, Record, RequestId, ServerConfig,
    ServerConnection, ServerEvent, Session, SessionConfig, Timer,
};

use super::show;

pub(crate) const VERSIONS: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];
pub(crate) const NOTHING: [&str; 0] = [];

pub(crate) fn limited(limits: Limits) -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().limits(limits))
}

pub(crate) fn handing_over(hand_over: HandOver) -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().hand_over(hand_over))
}

pub(crate) fn stored() -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().is_stored(true))
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn text(value: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::copy_from_slice(value.as_bytes())).unwrap()
}

pub(crate) fn message(qos: u8, payload: &str) -> Message {
    Message::new("t", payload.to_owned())
        .unwrap()
        .qos(QoS::from_bits(qos).unwrap())
}

pub(crate) fn asks<W: mqtt_session::proto::Storage>(
    build: impl FnOnce(
        PropertiesBuilder<section::Connect, mqtt_session::proto::InBytes>,
    ) -> PropertiesBuilder<section::Connect, W>,
) -> Properties<section::Connect, W::Output> {
    build(ConnectProperties::builder()).build().unwrap()
}

/// How long the sessions of the clients of MQTT 5.0 here are kept, if a test does not say otherwise.
pub(crate) const LASTING_SECONDS: u32 = 3600;

/// The CONNECT of a client that wants to go on with its session.
pub(crate) fn connect(version: Version) -> Connect<Bytes> {
    let properties = match version.has_properties() {
        true => asks(|builder| builder.session_expiry(LASTING_SECONDS)),
        false => ConnectProperties::empty(),
    };
    Connect {
        version,
        clean_start: false,
        keep_alive: 60,
        client_id: text("c"),
        will: None,
        username: None,
        password: None,
        properties,
    }
}

pub(crate) fn will() -> Option<Will<Bytes>> {
    Some(Will {
        topic: TopicName::from_bytes(Bytes::from_static(b"w")).unwrap(),
        payload: mqtt_session::proto::Binary::new(Bytes::from_static(b"gone")).unwrap(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::empty(),
    })
}

pub(crate) fn encoded(packet: &Packet<Bytes>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode_to(version, &mut bytes).unwrap();
    bytes
}

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) server: ServerConnection,
    pub(crate) now: Instant,
    pub(crate) disk: BTreeMap<Key, Record>,
    pub(crate) version: Version,
    pub(crate) outbox: Outbox,
}

impl Rig {
    /// A connection that nothing came on yet.
    pub(crate) fn new(config: ServerConfig) -> Self {
        let now = Instant::from_secs(1000);
        Self {
            server: ServerConnection::new(config, now),
            now,
            disk: BTreeMap::new(),
            version: Version::V5,
            outbox: Outbox::default(),
        }
    }

    /// A connection whose host is to answer this CONNECT.
    pub(crate) fn asked(config: ServerConfig, connect: Connect<Bytes>) -> Self {
        let mut rig = Self::new(config);
        rig.connect(connect);
        assert_eq!(rig.told(), ["connect"]);
        rig
    }

    /// A connection that was accepted with a session of its own.
    pub(crate) fn accepted(config: ServerConfig, version: Version) -> Self {
        Self::accepted_as(config, connect(version))
    }

    pub(crate) fn accepted_as(config: ServerConfig, connect: Connect<Bytes>) -> Self {
        let mut rig = Self::asked(config, connect);
        rig.server.accept(rig.now, Accept::new()).unwrap();
        rig.commit();
        assert_eq!(rig.sent(), ["CONNACK"]);
        rig
    }

    /// The next connection of the same client, at the same time, accepted with this session.
    pub(crate) fn resumed(&self, config: ServerConfig, session: Session) -> Self {
        let mut rig = Self::new(config);
        rig.now = self.now;
        rig.disk.clone_from(&self.disk);
        rig.connect(connect(self.version));
        assert_eq!(rig.told(), ["connect"]);
        rig.server.accept(rig.now, Accept::new().session(session)).unwrap();
        let present = match self.version {
            Version::V3_1 => "CONNACK",
            _ => "CONNACK present",
        };
        assert_eq!(rig.first_sent(), present);
        rig
    }

    /// The same, and nothing was polled yet but the CONNECT.
    pub(crate) fn resumed_quietly(&self, session: Session) -> Self {
        let mut rig = Self::asked(ServerConfig::default(), connect(self.version));
        rig.now = self.now;
        rig.server.accept(rig.now, Accept::new().session(session)).unwrap();
        rig
    }

    // ---- the stream

    pub(crate) fn connect(&mut self, connect: Connect<Bytes>) {
        self.version = connect.version;
        self.feed(&Packet::Connect(connect));
    }

    pub(crate) fn feed_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        self.server.handle_input(self.now, &mut rest);
        rest.len()
    }

    pub(crate) fn feed(&mut self, packet: &Packet<Bytes>) {
        let bytes = encoded(packet, self.version);
        self.feed_bytes(&bytes);
    }

    // ---- time

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.server.handle_timeout(self.now);
    }

    /// How many seconds from now the next deadline is, and which.
    pub(crate) fn next_timer(&self) -> Option<(u64, Timer)> {
        let next = self.server.poll_timeout()?;
        Some((next.at.saturating_since(self.now).as_secs(), next.timer))
    }

    pub(crate) fn fire_next(&mut self) -> Timer {
        let next = self.server.poll_timeout().unwrap();
        self.now = self.now.max(next.at);
        self.server.handle_timeout(self.now);
        next.timer
    }

    // ---- outputs

    /// Takes all bytes that the server sends.
    pub(crate) fn sent_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            self.server.poll_transmit(&mut self.outbox);
            if self.outbox.is_empty() {
                return bytes;
            }
            let len = self.outbox.remaining();
            bytes.extend_from_slice(&self.outbox.copy_to_bytes(len));
        }
    }

    pub(crate) fn sent_packets(&mut self) -> Vec<Packet<Bytes>> {
        let mut bytes = Bytes::from(self.sent_bytes());
        let rules = Rules::new(self.version).sent_by(Role::Server);
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

    /// The first packet that is sent. What follows it is left for the next look.
    fn first_sent(&mut self) -> String {
        let mut outbox = Outbox::new(1);
        self.server.poll_transmit(&mut outbox);
        let len = outbox.remaining();
        let mut bytes = outbox.copy_to_bytes(len);
        let rules = Rules::new(self.version).sent_by(Role::Server);
        let packet = Packet::take_from(&mut bytes, &rules).unwrap().unwrap();
        assert!(bytes.is_empty(), "one packet at a time");
        show::packet(&packet)
    }

    pub(crate) fn events(&mut self) -> Vec<ServerEvent> {
        core::iter::from_fn(|| self.server.poll_event()).collect()
    }

    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events().iter().map(show::event).collect()
    }

    /// Writes all batches down, and returns the number of the last one.
    pub(crate) fn write(&mut self) -> u64 {
        let mut batch = Batch::new();
        while self.server.poll_store(&mut batch) {
            write_down(&mut self.disk, &batch);
        }
        batch.number()
    }

    /// Writes all batches down, and says so.
    pub(crate) fn commit(&mut self) {
        let number = self.write();
        self.server.handle_stored(self.now, number);
    }

    // ---- the host

    pub(crate) fn publish(&mut self, qos: u8, tag: u64) -> Op {
        self.server
            .publish(self.now, message(qos, &format!("m{tag}")), tag)
            .unwrap()
    }

    pub(crate) fn refuse_client(&mut self, reason: ConnAckReason) {
        self.server
            .refuse_client(self.now, reason, Properties::empty())
            .unwrap();
    }

    /// Ends the connection, since the client came back on another one.
    pub(crate) fn take_over(&mut self) -> Session {
        let farewell = Disconnect::new(DisconnectReason::SessionTakenOver);
        self.server.disconnect(self.now, farewell);
        self.server.take_session().unwrap()
    }

    /// What the client asks and the host is to answer.
    pub(crate) fn requests(&mut self) -> Vec<RequestId> {
        self.events()
            .into_iter()
            .map(|event| match event {
                ServerEvent::Subscribe { request, .. } | ServerEvent::Unsubscribe { request, .. } => request,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    // ---- the client

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

    pub(crate) fn pubrel(&mut self, number: u16) {
        self.feed(&Packet::PubRel(PubRel::new(id(number), PubRelReason::Success)));
    }

    pub(crate) fn pubcomp(&mut self, number: u16) {
        self.feed(&Packet::PubComp(PubComp::new(id(number), PubCompReason::Success)));
    }

    pub(crate) fn ping(&mut self) {
        self.feed(&Packet::PingReq);
    }

    pub(crate) fn disconnect(&mut self, reason: DisconnectReason) {
        self.feed(&Packet::Disconnect(Disconnect::new(reason)));
    }

    pub(crate) fn subscribe(&mut self, number: u16, filters: &[&str]) {
        self.subscribe_with(number, filters, SubscribeProperties::empty());
    }

    pub(crate) fn subscribe_with(&mut self, number: u16, filters: &[&str], properties: SubscribeProperties<Bytes>) {
        let options = SubscriptionOptions::new(QoS::ExactlyOnce);
        let filters = filters
            .iter()
            .fold(Filters::builder(), |builder, filter| builder.filter(filter, options));
        self.feed(&Packet::Subscribe(Subscribe {
            id: id(number),
            filters: filters.build().unwrap(),
            properties,
        }));
    }

    pub(crate) fn unsubscribe(&mut self, number: u16, filters: &[&str]) {
        let filters = filters
            .iter()
            .fold(TopicFilters::builder(), TopicFiltersBuilder::filter);
        self.feed(&Packet::Unsubscribe(Unsubscribe {
            id: id(number),
            filters: filters.build().unwrap(),
            properties: Properties::empty(),
        }));
    }
}

pub(crate) fn write_down(disk: &mut BTreeMap<Key, Record>, batch: &Batch) {
    for change in batch.changes() {
        match change {
            Change::Put(record) => {
                disk.insert(record.key(), record.clone());
            }
            Change::Delete(key) => {
                disk.remove(key);
            }
        }
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
