//! Our client, which sends, and our server connection, which receives.
//!
//! Both ends do what the run loop says: batches, bytes, events, and the deadline.

use std::hint::black_box;
use std::time;

use bytes::Buf;
use mqtt_session::proto::Version;
use mqtt_session::{
    Accept, Batch, Change, Client, ClientConfig, Event, HandOver, Instant, Limits, Message, Outbox, QoS, ServerConfig,
    ServerConnection, ServerEvent, SessionConfig,
};

use crate::run::{Pair, Tally};
use crate::scenario::{PAYLOAD, Protocol, Scenario, TOPIC};

/// What is done with the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// There are none.
    None,
    /// They count as stored at once.
    Typed,
    /// Their records are encoded one behind the other before they count as stored.
    Encoded,
}

/// Both ends and what is between them. With `CLOCK` each turn of an end reads the clock.
pub struct Ours<const CLOCK: bool> {
    client: Client,
    server: ServerConnection,
    up: Outbox,
    down: Outbox,
    disk: Disk,
    message: Message,
    started: time::Instant,
}

struct Disk {
    store: Store,
    batch: Batch,
    encoded: Vec<u8>,
}

impl<const CLOCK: bool> Ours<CLOCK> {
    pub fn new(scenario: Scenario, store: Store) -> Self {
        Self::with(scenario, store, HandOver::Automatic)
    }

    /// The receiving end keeps each message until its host acknowledges it.
    pub fn with_inbox(scenario: Scenario, store: Store) -> Self {
        Self::with(scenario, store, HandOver::Inbox)
    }

    fn with(scenario: Scenario, store: Store, hand_over: HandOver) -> Self {
        // The others send the topic with each message.
        let limits = Limits::default().aliases_used(0).aliases_accepted(0);
        let is_stored = store != Store::None;
        let (client, server) = connected(scenario.protocol, limits, is_stored, hand_over);
        Self {
            client,
            server,
            up: Outbox::default(),
            down: Outbox::default(),
            disk: Disk {
                store,
                batch: Batch::new(),
                encoded: Vec::new(),
            },
            message: message(scenario.qos),
            started: time::Instant::now(),
        }
    }

    #[inline(always)]
    fn now(&self) -> Instant {
        if CLOCK {
            Instant::from_micros(self.started.elapsed().as_micros() as u64)
        } else {
            Instant::ZERO
        }
    }

    #[inline(always)]
    fn client_turn(&mut self, tally: &mut Tally) {
        let now = self.now();
        if !self.down.is_empty() {
            let mut input = self.down.chunk();
            tally.wire += input.len();
            self.client.handle_input(now, &mut input);
            self.down.advance(usize::MAX);
        }
        self.disk
            .take(|batch| self.client.poll_store(batch).then(|| batch.number()))
            .into_iter()
            .for_each(|upto| self.client.handle_stored(now, upto));
        self.client.poll_transmit(&mut self.up);
        while let Some(event) = self.client.poll_event() {
            if matches!(event, Event::Completed { .. }) {
                tally.completed += 1;
            }
        }
        black_box(self.client.poll_timeout());
    }

    #[inline(always)]
    fn server_turn(&mut self, tally: &mut Tally) {
        let now = self.now();
        let mut input = self.up.chunk();
        tally.wire += input.len();
        self.server.handle_input(now, &mut input);
        self.up.advance(usize::MAX);
        self.store_server(now);
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::Message(received) = event {
                tally.deliver(received.message.topic.as_bytes(), &received.message.payload);
                if let Some(delivery) = received.delivery {
                    self.server.acknowledge(now, delivery).expect("it was told");
                }
            }
        }
        self.store_server(now);
        self.server.poll_transmit(&mut self.down);
        black_box(self.server.poll_timeout());
    }

    #[inline(always)]
    fn store_server(&mut self, now: Instant) {
        self.disk
            .take(|batch| self.server.poll_store(batch).then(|| batch.number()))
            .into_iter()
            .for_each(|upto| self.server.handle_stored(now, upto));
    }
}

impl<const CLOCK: bool> Pair for Ours<CLOCK> {
    fn exchange(&mut self, window: usize, tally: &mut Tally) {
        let now = self.now();
        for tag in 0..window as u64 {
            self.client
                .publish(now, self.message.clone(), tag)
                .expect("there is room");
        }
        loop {
            self.client_turn(tally);
            if self.up.is_empty() {
                return;
            }
            self.server_turn(tally);
            if self.down.is_empty() {
                return;
            }
        }
    }
}

impl Disk {
    /// Takes what there is to be stored, and returns up to which batch it is.
    #[inline(always)]
    fn take(&mut self, mut poll: impl FnMut(&mut Batch) -> Option<u64>) -> Option<u64> {
        if self.store == Store::None {
            return None;
        }
        let mut upto = None;
        while let Some(number) = poll(&mut self.batch) {
            upto = Some(number);
            match self.store {
                Store::Encoded => self.encode(),
                _ => {
                    black_box(self.batch.changes());
                }
            }
        }
        upto
    }

    fn encode(&mut self) {
        self.encoded.clear();
        for change in self.batch.changes() {
            match change {
                Change::Put(record) => {
                    self.encoded.extend_from_slice(&record.key().encode());
                    record.encode(&mut self.encoded).expect("the record is valid");
                }
                Change::Delete(key) => self.encoded.extend_from_slice(&key.encode()),
            }
        }
        black_box(&self.encoded);
    }
}

/// The message of every flow.
pub fn message(qos: u8) -> Message {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
    Message::new(TOPIC, PAYLOAD.to_vec())
        .expect("the topic is valid")
        .qos(qos)
}

/// Both ends after the handshake.
pub fn connected(
    protocol: Protocol,
    limits: Limits,
    is_stored: bool,
    hand_over: HandOver,
) -> (Client, ServerConnection) {
    let now = Instant::ZERO;
    let version = match protocol {
        Protocol::V3_1_1 => Version::V3_1_1,
        Protocol::V5 => Version::V5,
    };
    let config = ClientConfig::new("bench")
        .expect("the name is valid")
        .version(version)
        .is_stored(is_stored)
        .limits(limits);
    let session = SessionConfig::default()
        .limits(limits)
        .is_stored(is_stored)
        .hand_over(hand_over);
    let mut client = Client::new(config, now);
    let mut server = ServerConnection::new(ServerConfig::default().session(session), now);
    let (mut up, mut down, mut batch) = (Outbox::default(), Outbox::default(), Batch::new());
    client.handle_open(now);
    client.poll_transmit(&mut up);
    server.handle_input(now, &mut up.chunk());
    server.accept(now, Accept::new()).expect("a client waits");
    while server.poll_store(&mut batch) {
        server.handle_stored(now, batch.number());
    }
    while server.poll_event().is_some() {}
    server.poll_transmit(&mut down);
    client.handle_input(now, &mut down.chunk());
    while client.poll_event().is_some() {}
    assert!(client.is_connected() && server.is_connected());
    (client, server)
}
