//! A broker, its driver, its store and its clients, all in one hand.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    Binary, Connect, ConnectProperties, Delivery, Disconnect, DisconnectReason, Filters, Packet, PacketId, Properties,
    PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish,
    PublishProperties, Role, Rules, Subscribe, SubscribeProperties, SubscriptionId, SubscriptionOptions, Text,
    TopicFilters, TopicName, Unsubscribe, Version, Will, WillProperties,
};
use mqtt_session::{
    Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerEvent, BrokerKey, BrokerRecord, BrokerReport, ConnectionId,
    Cursor, Instant, Outbox, QoS,
};

use super::show;

pub(crate) const VERSIONS: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];
pub(crate) const NOTHING: [&str; 0] = [];
pub(crate) const LASTING_SECONDS: u32 = 3600;

pub(crate) fn config() -> BrokerConfig {
    BrokerConfig::new(7)
}

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn text(value: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::copy_from_slice(value.as_bytes())).unwrap()
}

pub(crate) fn topic(value: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::copy_from_slice(value.as_bytes())).unwrap()
}

pub(crate) fn qos(bits: u8) -> QoS {
    QoS::from_bits(bits).unwrap()
}

/// The CONNECT of a client whose session outlives its connection.
pub(crate) fn lasting(name: &str, version: Version) -> Connect<Bytes> {
    expiring(name, version, LASTING_SECONDS)
}

/// One whose session is kept for as long, in MQTT 5.0.
pub(crate) fn expiring(name: &str, version: Version, seconds: u32) -> Connect<Bytes> {
    let properties = match version.has_properties() {
        true => ConnectProperties::builder().session_expiry(seconds).build().unwrap(),
        false => ConnectProperties::empty(),
    };
    Connect {
        version,
        clean_start: false,
        keep_alive: 0,
        client_id: text(name),
        will: None,
        username: None,
        password: None,
        properties,
    }
}

/// One whose session begins and ends with its connection.
pub(crate) fn fleeting(name: &str, version: Version) -> Connect<Bytes> {
    Connect {
        clean_start: true,
        ..expiring(name, version, 0)
    }
}

/// A will on topic `w`, of QoS 1, after this delay.
pub(crate) fn will(payload: &str, delay_seconds: u32) -> Option<Will<Bytes>> {
    Some(Will {
        topic: topic("w"),
        payload: Binary::new(Bytes::copy_from_slice(payload.as_bytes())).unwrap(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: match delay_seconds {
            0 => Properties::empty(),
            _ => WillProperties::builder().will_delay(delay_seconds).build().unwrap(),
        },
    })
}

struct Peer {
    id: ConnectionId,
    version: Version,
    outbox: Outbox,
    bytes: Vec<u8>,
}

pub(crate) struct Rig {
    pub(crate) broker: Broker,
    pub(crate) now: Instant,
    pub(crate) disk: BTreeMap<BrokerKey, BrokerRecord>,
    peers: BTreeMap<String, Peer>,
}

impl Rig {
    pub(crate) fn new(config: BrokerConfig) -> Self {
        let now = Instant::from_secs(1000);
        Self {
            broker: Broker::new(config, now),
            now,
            disk: BTreeMap::new(),
            peers: BTreeMap::new(),
        }
    }

    // ---- streams

    pub(crate) fn open(&mut self, name: &str, version: Version) -> ConnectionId {
        let id = self.broker.handle_open(self.now).unwrap();
        let peer = Peer {
            id,
            version,
            outbox: Outbox::default(),
            bytes: Vec::new(),
        };
        self.peers.insert(name.to_owned(), peer);
        id
    }

    /// Opens a stream, sends CONNECT, and returns what comes back.
    pub(crate) fn connect(&mut self, connect: Connect<Bytes>) -> Vec<String> {
        let name = String::from_utf8_lossy(connect.client_id.as_bytes()).into_owned();
        self.open(&name, connect.version);
        self.feed(&name, &Packet::Connect(connect));
        self.sent(&name)
    }

    /// The same, for a client that is accepted without a session.
    pub(crate) fn join(&mut self, connect: Connect<Bytes>) {
        assert_eq!(self.connect(connect), ["CONNACK"]);
    }

    /// The connection that is known by one name is known by another from here on.
    pub(crate) fn rename(&mut self, name: &str, other: &str) {
        if let Some(peer) = self.peers.remove(name) {
            self.peers.insert(other.to_owned(), peer);
        }
    }

    pub(crate) fn id(&self, name: &str) -> ConnectionId {
        self.peers[name].id
    }

    pub(crate) fn feed(&mut self, name: &str, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(self.peers[name].version, &mut bytes).unwrap();
        self.feed_bytes(name, &bytes);
    }

    /// Returns how many bytes were not taken.
    pub(crate) fn feed_bytes(&mut self, name: &str, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        self.broker.handle_input(self.now, self.peers[name].id, &mut rest);
        self.counts_what_waits();
        rest.len()
    }

    /// The stream breaks.
    pub(crate) fn cut(&mut self, name: &str) {
        let peer = self.peers.remove(name).unwrap();
        self.broker.handle_eof(self.now, peer.id);
        self.counts_what_waits();
    }

    /// DISCONNECT with this reason, and the end of the stream.
    pub(crate) fn leave(&mut self, name: &str, reason: DisconnectReason) {
        self.feed(name, &Packet::Disconnect(Disconnect::new(reason)));
        self.cut(name);
    }

    // ---- packets

    pub(crate) fn subscribe(&mut self, name: &str, filter: &str, bits: u8) {
        let sent = self.subscribe_with(name, &[(filter, SubscriptionOptions::new(qos(bits)))], None);
        assert_eq!(
            sent.first().map(String::as_str),
            Some(&*format!("SUBACK #9 {bits:#04x}"))
        );
        assert_eq!(sent.len(), 1, "{sent:?}");
    }

    pub(crate) fn subscribe_with(
        &mut self,
        name: &str,
        filters: &[(&str, SubscriptionOptions)],
        identifier: Option<u32>,
    ) -> Vec<String> {
        let mut builder = Filters::builder();
        for (filter, options) in filters {
            builder = builder.filter(filter, *options);
        }
        let properties = match identifier {
            Some(number) => SubscribeProperties::builder()
                .subscription_id(SubscriptionId::new(number).unwrap())
                .build()
                .unwrap(),
            None => SubscribeProperties::empty(),
        };
        let packet = Subscribe {
            id: id(9),
            filters: builder.build().unwrap(),
            properties,
        };
        self.feed(name, &Packet::Subscribe(packet));
        self.sent(name)
    }

    pub(crate) fn unsubscribe(&mut self, name: &str, filter: &str) -> Vec<String> {
        let filters: TopicFilters<Bytes> = TopicFilters::builder().filter(filter).build().unwrap();
        let packet = Unsubscribe {
            id: id(8),
            filters,
            properties: Properties::empty(),
        };
        self.feed(name, &Packet::Unsubscribe(packet));
        self.sent(name)
    }

    /// A message with identifier 5.
    pub(crate) fn publish(&mut self, name: &str, to: &str, bits: u8, payload: &str) {
        self.publish_with(name, to, bits, payload, false, PublishProperties::empty());
    }

    pub(crate) fn retain(&mut self, name: &str, to: &str, bits: u8, payload: &str) {
        self.publish_with(name, to, bits, payload, true, PublishProperties::empty());
    }

    pub(crate) fn publish_with(
        &mut self,
        name: &str,
        to: &str,
        bits: u8,
        payload: &str,
        retain: bool,
        properties: PublishProperties<Bytes>,
    ) {
        let packet = Publish {
            delivery: Delivery::first(qos(bits), id(5)),
            retain,
            topic: Some(topic(to)),
            properties,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        };
        self.feed(name, &Packet::Publish(packet));
    }

    pub(crate) fn puback(&mut self, name: &str, number: u16) {
        let ack = PubAck {
            id: id(number),
            reason: PubAckReason::Success,
            properties: Properties::empty(),
        };
        self.feed(name, &Packet::PubAck(ack));
    }

    pub(crate) fn pubrec(&mut self, name: &str, number: u16) {
        let ack = PubRec {
            id: id(number),
            reason: PubRecReason::Success,
            properties: Properties::empty(),
        };
        self.feed(name, &Packet::PubRec(ack));
    }

    pub(crate) fn pubrel(&mut self, name: &str, number: u16) {
        let ack = PubRel {
            id: id(number),
            reason: PubRelReason::Success,
            properties: Properties::empty(),
        };
        self.feed(name, &Packet::PubRel(ack));
    }

    pub(crate) fn pubcomp(&mut self, name: &str, number: u16) {
        let ack = PubComp {
            id: id(number),
            reason: PubCompReason::Success,
            properties: Properties::empty(),
        };
        self.feed(name, &Packet::PubComp(ack));
    }

    // ---- outputs

    /// Fills the outbox of a client's stream, from which nothing is taken.
    pub(crate) fn fill(&mut self, name: &str) {
        let peer = self.peers.get_mut(name).unwrap();
        self.broker.poll_transmit(peer.id, &mut peer.outbox);
    }

    /// What has been sent to a client since the last call.
    pub(crate) fn sent(&mut self, name: &str) -> Vec<String> {
        let packets = self.sent_packets(name);
        packets.iter().map(show::packet).collect()
    }

    pub(crate) fn sent_packets(&mut self, name: &str) -> Vec<Packet<Bytes>> {
        let peer = self.peers.get_mut(name).unwrap();
        loop {
            self.broker.poll_transmit(peer.id, &mut peer.outbox);
            if peer.outbox.is_empty() {
                break;
            }
            let len = peer.outbox.len();
            peer.bytes.extend_from_slice(&peer.outbox.copy_to_bytes(len));
        }
        let rules = Rules::new(peer.version).sent_by(Role::Server);
        let mut bytes = Bytes::from(core::mem::take(&mut peer.bytes));
        self.counts_what_waits();
        let mut packets = Vec::new();
        while !bytes.is_empty() {
            let packet = Packet::take_from(&mut bytes, &rules).unwrap();
            packets.push(packet.expect("whole packets are sent"));
        }
        packets
    }

    /// What the host is told and asked, in a line each, without the coming and going of clients.
    pub(crate) fn told(&mut self) -> Vec<String> {
        let events = self.events();
        let lines = events.iter().map(line);
        lines.filter(|line| !line.starts_with('-')).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<BrokerEvent> {
        std::iter::from_fn(|| self.broker.poll_event()).collect()
    }

    // ---- time

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.run();
    }

    /// Lets the broker do what is due.
    pub(crate) fn run(&mut self) {
        for _ in 0..10_000 {
            match self.broker.poll_timeout() {
                Some(next) if next.at <= self.now => self.broker.handle_timeout(self.now),
                _ => return self.counts_what_waits(),
            }
        }
        panic!("something stays due: {:?}", self.broker.poll_timeout());
    }

    // ---- the store

    /// The process ends, and the next one goes on with the store.
    pub(crate) fn restart(&mut self, config: BrokerConfig) -> BrokerReport {
        self.restart_damaged(config, &[])
    }

    /// The same, and what stands under these keys cannot be read.
    pub(crate) fn restart_damaged(&mut self, config: BrokerConfig, damaged: &[BrokerKey]) -> BrokerReport {
        let mut restore = Broker::restore(config, self.now);
        for (key, record) in &self.disk {
            if damaged.contains(key) {
                restore.damaged(key.clone());
            } else {
                restore.record(record.clone());
            }
        }
        let (broker, report) = restore.finish();
        self.broker = broker;
        self.counts_what_waits();
        self.peers.clear();
        report
    }

    /// Takes what is to be stored. Returns the number of the batch, if there is one.
    pub(crate) fn take(&mut self) -> Option<BrokerBatch> {
        let mut batch = BrokerBatch::new();
        self.broker.poll_store(&mut batch).then_some(batch)
    }

    pub(crate) fn write(&mut self, batch: &BrokerBatch) {
        for change in batch.changes() {
            match change {
                BrokerChange::Put(record) => {
                    self.disk.insert(record.key(), record.clone());
                }
                BrokerChange::Delete(key) => {
                    self.disk.remove(key);
                }
            }
        }
    }

    /// Stores all that is to be stored, and says so.
    pub(crate) fn commit(&mut self) {
        while let Some(batch) = self.take() {
            self.write(&batch);
            self.broker.handle_stored(self.now, batch.number());
            self.counts_what_waits();
        }
    }

    /// The figure of all is the sum of what each session has.
    fn counts_what_waits(&self) {
        let mut cursor = Cursor::START;
        let mut bytes = 0;
        while !cursor.is_at_end() {
            let sessions = self.broker.sessions(&mut cursor, 1000);
            bytes += sessions.map(|session| session.message_bytes()).sum::<u64>();
        }
        assert_eq!(self.broker.figures().queued_bytes, bytes);
    }
}

/// An event in a line. What only informs about clients begins with a minus.
pub(crate) fn line(event: &BrokerEvent) -> String {
    let name = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let party = |client_id: &Bytes, owner: &Option<Bytes>| match owner {
        Some(owner) => format!("{} of {}", name(client_id), name(owner)),
        None => name(client_id),
    };
    match event {
        BrokerEvent::Connect { connect, .. } => format!("connect {}", connect.client_id),
        BrokerEvent::Authenticate { .. } => "authenticate".into(),
        BrokerEvent::MayPublish {
            client_id,
            topic,
            qos,
            connection,
            owner,
            ..
        } => {
            let left = if connection.is_none() { ", left behind" } else { "" };
            format!(
                "may {} publish q{} to {topic}{left}?",
                party(client_id, owner),
                qos.bits()
            )
        }
        BrokerEvent::MaySubscribe {
            client_id,
            owner,
            filter,
            qos,
            ..
        } => format!("may {} subscribe q{} to {filter}?", party(client_id, owner), qos.bits()),
        BrokerEvent::Connected {
            client_id,
            session_present,
            ..
        } => format!("- {} connected, session {session_present}", name(client_id)),
        BrokerEvent::Disconnected { client_id, reason, .. } => format!("- {} disconnected: {reason}", name(client_id)),
        BrokerEvent::SessionEnded { client_id } => format!("- session of {} ended", name(client_id)),
        BrokerEvent::Dropped { client_id, messages } => format!("dropped {messages} to {}", name(client_id)),
        BrokerEvent::Delivered { message, .. } => {
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            format!("delivered q{} {}: {payload}", message.qos.bits(), message.topic)
        }
        BrokerEvent::LimitHit {
            bound,
            times,
            client_id,
        } => format!(
            "- {bound:?} met {times} times, by {}",
            name(&client_id.clone().unwrap_or_default())
        ),
        BrokerEvent::NotAdmitted {
            client_id,
            username,
            reason,
            ..
        } => format!(
            "- {:?} of {:?} not admitted: {reason}",
            name(client_id),
            username.as_ref().map(name)
        ),
        BrokerEvent::Missed { events } => format!("missed {events}"),
        BrokerEvent::StoreFailed => "store failed".into(),
        other => format!("{other:?}"),
    }
}
