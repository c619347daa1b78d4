//! Messages from client to client by way of a broker, and what else a broker does.

use std::hint::black_box;

use bytes::Buf;
use mqtt_session::{Broker, BrokerConfig, ConnectionId, Instant, Outbox};

/// One workload.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) name: &'static str,
    qos: u8,
    subscribers: usize,
    /// Other filters, of the publisher.
    filters: usize,
}

/// All workloads.
pub(crate) const ALL: [Traffic; 6] = [
    traffic("qos0-1-to-1", 0, 1, 0),
    traffic("qos0-1-to-1-of-1000", 0, 1, 1000),
    traffic("qos0-1-to-100", 0, 100, 0),
    traffic("qos1-1-to-1", 1, 1, 0),
    traffic("qos1-1-to-100", 1, 100, 0),
    traffic("qos2-1-to-1", 2, 1, 0),
];

const fn traffic(name: &'static str, qos: u8, subscribers: usize, filters: usize) -> Traffic {
    Traffic {
        name,
        qos,
        subscribers,
        filters,
    }
}

const NOW: Instant = Instant::ZERO;
const TOPIC: &str = "site/12/hall/3/temperature";

struct World {
    broker: Broker,
    clients: Vec<(ConnectionId, Outbox)>,
    messages: usize,
    completed: usize,
}

impl Traffic {
    /// So many messages, one at a time. Those that go to many are fewer.
    pub(crate) fn run(self, messages: usize) {
        let messages = messages / self.subscribers;
        let mut world = World {
            broker: Broker::new(BrokerConfig::new(7), NOW),
            clients: Vec::new(),
            messages: 0,
            completed: 0,
        };
        for _ in 0..=self.subscribers {
            world.connect();
        }
        for subscriber in 1..=self.subscribers {
            world.send(subscriber, &subscribe(TOPIC, self.qos));
        }
        for number in 0..self.filters {
            world.send(0, &subscribe(&format!("site/{number}/#"), 0));
            world.send(0, &subscribe(&format!("site/12/hall/{number}/+/x"), 0));
        }
        // One of those that the filters match goes to the publisher too.
        let copies = self.subscribers + usize::from(self.filters > 12);
        let publish = publish(self.qos);
        for _ in 0..messages {
            world.send(0, &publish);
        }
        assert_eq!(world.messages, messages * copies);
        assert_eq!(world.completed, if self.qos == 0 { 0 } else { messages });
    }
}

impl World {
    fn connect(&mut self) {
        let Some(connection) = self.broker.handle_open(NOW) else {
            panic!("there is room")
        };
        self.clients.push((connection, Outbox::default()));
        let number = self.clients.len() - 1;
        let name = format!("{number:03}");
        let connect = [b"\x10\x0F\0\x04MQTT\x04\x02\0\0\0\x03", name.as_bytes()].concat();
        self.send(number, &connect);
    }

    /// A client sends, and all answer until nobody has anything to say.
    #[inline(never)]
    fn send(&mut self, client: usize, bytes: &[u8]) {
        self.input(client, bytes);
        let mut answer = [0; 4];
        while let Some(ready) = self.broker.poll_ready() {
            let client = ready.number() as usize - 1;
            self.broker.poll_transmit(ready, &mut self.clients[client].1);
            while self.clients[client].1.has_remaining() {
                let outbox = &mut self.clients[client].1;
                let written = outbox.chunk();
                let len = 2 + usize::from(written[1]);
                let answers = read(&written[..len], &mut answer);
                self.messages += usize::from(written[0] >> 4 == 3);
                self.completed += usize::from(matches!(written[0] >> 4, 4 | 7));
                outbox.advance(len);
                if answers {
                    self.input(client, &answer);
                }
            }
        }
        while let Some(event) = self.broker.poll_event() {
            black_box(event);
        }
        black_box(self.broker.poll_timeout());
    }

    fn input(&mut self, client: usize, mut bytes: &[u8]) {
        self.broker.handle_input(NOW, self.clients[client].0, &mut bytes);
        assert!(bytes.is_empty());
    }
}

/// What a client answers to a packet, if anything.
fn read(packet: &[u8], answer: &mut [u8; 4]) -> bool {
    let (first, at) = match packet[0] {
        0x32 => (0x40, 4 + usize::from(packet[3])),
        0x34 => (0x50, 4 + usize::from(packet[3])),
        0x50 => (0x62, 2),
        0x62 => (0x70, 2),
        _ => return false,
    };
    *answer = [first, 2, packet[at], packet[at + 1]];
    true
}

fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let head = [0x82, 5 + filter.len() as u8, 0, 1, 0, filter.len() as u8];
    [&head, filter.as_bytes(), &[qos]].concat()
}

fn publish(qos: u8) -> Vec<u8> {
    let id: &[u8] = if qos == 0 { &[] } else { &[0, 9] };
    let len = 2 + TOPIC.len() + id.len() + 64;
    let head = [0x30 | qos << 1, len as u8, 0, TOPIC.len() as u8];
    [&head, TOPIC.as_bytes(), id, &[b'x'; 64]].concat()
}
