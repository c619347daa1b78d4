//! Messages through a broker, to all who are subscribed, and every answer to them.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    Connect, ConnectProperties, Delivery, Filters, Packet, PacketId, Properties, Publish, PublishProperties, QoS,
    Subscribe, SubscriptionOptions, Text, TopicName, Version,
};
use mqtt_session::{Broker, BrokerConfig, ConnectionId, Instant, Limits, Outbox, ServerConfig, SessionConfig};

const NOW: Instant = Instant::ZERO;
const TOPIC: &str = "site/12/hall/3/temperature";

/// How many messages are sent at once.
const WINDOW: u16 = 20;

/// All workloads: name, version, QoS, and how many are subscribed to what one client publishes.
const ALL: [(&str, Version, QoS, usize); 5] = [
    ("1-to-1-qos0-v311-window-20", Version::V3_1_1, QoS::AtMostOnce, 1),
    ("1-to-1-qos1-v311-window-20", Version::V3_1_1, QoS::AtLeastOnce, 1),
    ("1-to-1-qos2-v5-window-20", Version::V5, QoS::ExactlyOnce, 1),
    ("1-to-100-qos0-v5-window-20", Version::V5, QoS::AtMostOnce, 100),
    ("1-to-100-qos1-v311-window-20", Version::V3_1_1, QoS::AtLeastOnce, 100),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, ..)| name)
}

/// So many messages. `None`: there is no such workload.
pub(crate) fn run(name: &str, messages: usize) -> Option<()> {
    let (_, version, qos, subscribers) = ALL.into_iter().find(|(known, ..)| *known == name)?;
    exchange(version, qos, subscribers, 0, messages);
    Some(())
}

/// So many messages from one client to another, beside so many that do nothing, with the ticks of a clock in between.
pub(crate) fn run_beside(idle: &str, messages: usize) -> Option<()> {
    exchange(Version::V3_1_1, QoS::AtLeastOnce, 1, idle.parse().ok()?, messages);
    Some(())
}

fn exchange(version: Version, qos: QoS, subscribers: usize, idle: usize, messages: usize) {
    let mut rig = Rig::new();
    for _ in 0..=subscribers + idle {
        rig.connect(version);
    }
    for subscriber in 1..=subscribers {
        rig.send(subscriber, &subscribe(qos).encoded(version));
    }
    rig.exchange();
    let packets = (1..=WINDOW).filter_map(PacketId::new);
    let burst: Vec<u8> = packets.flat_map(|id| publish(qos, id).encoded(version)).collect();
    for _ in 0..messages / usize::from(WINDOW) {
        rig.send(0, &burst);
        rig.exchange();
        if idle > 0 {
            rig.tick();
        }
    }
    let completed = if qos == QoS::AtMostOnce { 0 } else { messages };
    assert_eq!((rig.delivered, rig.completed), (messages * subscribers, completed));
}

/// A broker, and clients that answer at once.
struct Rig {
    broker: Broker,
    peers: Vec<Peer>,
    now: Instant,
    delivered: usize,
    completed: usize,
}

struct Peer {
    connection: ConnectionId,
    outbox: Outbox,
    reply: Vec<u8>,
}

impl Rig {
    fn new() -> Self {
        let limits = Limits::default().send_maximum(u16::MAX).receive_maximum(1024);
        let client = ServerConfig::default().session(SessionConfig::default().limits(limits));
        Self {
            broker: Broker::new(BrokerConfig::new(7).client(client), NOW),
            peers: Vec::new(),
            now: NOW,
            delivered: 0,
            completed: 0,
        }
    }

    /// Some time passes, and nothing is due for anybody.
    fn tick(&mut self) {
        self.now = self.now.saturating_add(Duration::from_millis(1));
        self.broker.handle_timeout(self.now);
        self.exchange();
    }

    fn connect(&mut self, version: Version) {
        let Some(connection) = self.broker.handle_open(NOW) else {
            panic!("the broker has no room for a client")
        };
        let peer = self.peers.len();
        self.peers.push(Peer {
            connection,
            outbox: Outbox::default(),
            reply: Vec::new(),
        });
        self.send(peer, &connect(peer, version).encoded(version));
        self.exchange();
    }

    fn send(&mut self, peer: usize, mut bytes: &[u8]) {
        self.broker.handle_input(NOW, self.peers[peer].connection, &mut bytes);
        assert!(bytes.is_empty());
    }

    #[inline(never)]
    fn exchange(&mut self) {
        let mut answering = Vec::new();
        loop {
            while let Some(ready) = self.broker.poll_ready() {
                let number = ready.slot() as usize;
                self.write(number);
                if !self.peers[number].reply.is_empty() {
                    answering.push(number);
                }
            }
            while let Some(event) = self.broker.poll_event() {
                black_box(event);
            }
            black_box(self.broker.poll_timeout());
            if answering.is_empty() {
                return;
            }
            for number in answering.drain(..) {
                let peer = &mut self.peers[number];
                let reply = core::mem::take(&mut peer.reply);
                self.send(number, &reply);
            }
        }
    }

    /// Everything that the broker has for a client goes to it, and is answered.
    fn write(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let mut is_full = true;
        while is_full {
            self.broker.poll_transmit(peer.connection, &mut peer.outbox);
            is_full = !peer.outbox.has_room();
            let mut bytes = peer.outbox.chunk();
            while let [first, len, ..] = bytes {
                let (packet, rest) = bytes.split_at(2 + usize::from(*len));
                bytes = rest;
                match (first >> 4, first >> 1 & 3) {
                    (3, qos) => {
                        self.delivered += 1;
                        let answer = if qos == 1 { 0x40 } else { 0x50 };
                        let id = 4 + TOPIC.len();
                        if qos > 0 {
                            peer.reply.extend([answer, 2, packet[id], packet[id + 1]]);
                        }
                    }
                    (5, _) => peer.reply.extend([0x62, 2, packet[2], packet[3]]),
                    (6, _) => peer.reply.extend([0x70, 2, packet[2], packet[3]]),
                    (4 | 7, _) => self.completed += 1,
                    _ => {}
                }
            }
            peer.outbox.advance(usize::MAX);
        }
    }
}

trait Encoded {
    fn encoded(self, version: Version) -> Vec<u8>;
}

impl<P: Into<Packet<Bytes>>> Encoded for P {
    fn encoded(self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(self.into().encode_to(version, &mut bytes).is_ok());
        bytes
    }
}

fn connect(peer: usize, version: Version) -> Connect<Bytes> {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::from_bytes(Bytes::from(format!("client-{peer}"))).unwrap_or_default(),
        will: None,
        username: None,
        password: None,
        properties: ConnectProperties::empty(),
    }
}

fn subscribe(qos: QoS) -> Packet<Bytes> {
    let filters = Filters::builder().filter(TOPIC, SubscriptionOptions::new(qos)).build();
    #[expect(clippy::expect_used, reason = "the filter is fixed and valid")]
    let filters = filters.expect("the filter is valid");
    Packet::Subscribe(Subscribe {
        id: PacketId::MIN,
        filters,
        properties: Properties::empty(),
    })
}

fn publish(qos: QoS, id: PacketId) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(qos, id),
        retain: false,
        topic: TopicName::from_bytes(Bytes::from_static(TOPIC.as_bytes())).ok(),
        properties: PublishProperties::empty(),
        payload: Bytes::from_static(&[b'x'; 64]),
    })
}
