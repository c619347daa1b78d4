//! Messages from a client to a server connection, whose every byte both machines handle.

use std::hint::black_box;

use bytes::Buf;
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{
    Accept, Client, ClientConfig, Event, Instant, Limits, Message, Outbox, ServerConfig, ServerConnection, ServerEvent,
    SessionConfig,
};

/// All workloads: name, version, QoS, and how many messages are sent at once.
const ALL: [(&str, Version, QoS, usize); 6] = [
    ("qos0-v311-window-20", Version::V3_1_1, QoS::AtMostOnce, 20),
    ("qos1-v311-window-1", Version::V3_1_1, QoS::AtLeastOnce, 1),
    ("qos1-v311-window-20", Version::V3_1_1, QoS::AtLeastOnce, 20),
    ("qos1-v5-window-20", Version::V5, QoS::AtLeastOnce, 20),
    ("qos2-v311-window-20", Version::V3_1_1, QoS::ExactlyOnce, 20),
    ("qos2-v5-window-1", Version::V5, QoS::ExactlyOnce, 1),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|(name, ..)| name)
}

struct Pair {
    client: Client,
    server: ServerConnection,
    up: Outbox,
    down: Outbox,
    told: usize,
    completed: usize,
}

/// So many messages. `None`: there is no such workload.
pub(crate) fn run(name: &str, messages: usize) -> Option<()> {
    let (_, version, qos, window) = ALL.into_iter().find(|(known, ..)| *known == name)?;
    let message = Message::new("site/12/hall/3/temperature", vec![b'x'; 64])
        .ok()?
        .qos(qos);
    let Some(mut pair) = Pair::connected(version) else {
        panic!("the server did not get a CONNECT")
    };
    for _ in 0..messages / window {
        for tag in 0..window as u64 {
            assert!(pair.client.publish(Instant::ZERO, message.clone(), tag).is_ok());
        }
        pair.exchange();
    }
    assert_eq!((pair.told, pair.completed), (messages, messages));
    Some(())
}

impl Pair {
    fn connected(version: Version) -> Option<Self> {
        let now = Instant::ZERO;
        let limits = Limits::default().aliases_used(0).aliases_accepted(0);
        let config = ClientConfig::new("workload").ok()?.version(version).limits(limits);
        let server = ServerConfig::default().session(SessionConfig::default().limits(limits));
        let mut pair = Self {
            client: Client::new(config, now),
            server: ServerConnection::new(server, now),
            up: Outbox::default(),
            down: Outbox::default(),
            told: 0,
            completed: 0,
        };
        pair.client.handle_open(now);
        pair.client_turn();
        pair.server_turn();
        pair.server.accept(now, Accept::new()).ok()?;
        pair.server_turn();
        pair.client_turn();
        Some(pair)
    }

    #[inline(never)]
    fn exchange(&mut self) {
        loop {
            self.client_turn();
            if self.up.is_empty() {
                return;
            }
            self.server_turn();
            if self.down.is_empty() {
                return;
            }
        }
    }

    fn client_turn(&mut self) {
        let now = Instant::ZERO;
        if !self.down.is_empty() {
            let mut input = self.down.chunk();
            self.client.handle_input(now, &mut input);
            self.down.advance(usize::MAX);
        }
        self.client.poll_transmit(&mut self.up);
        while let Some(event) = self.client.poll_event() {
            self.completed += usize::from(matches!(event, Event::Completed { .. }));
        }
        black_box(self.client.poll_timeout());
    }

    fn server_turn(&mut self) {
        let now = Instant::ZERO;
        let mut input = self.up.chunk();
        self.server.handle_input(now, &mut input);
        self.up.advance(usize::MAX);
        while let Some(event) = self.server.poll_event() {
            self.told += usize::from(matches!(event, ServerEvent::Message(_)));
        }
        self.server.poll_transmit(&mut self.down);
        black_box(self.server.poll_timeout());
    }
}
