//! A client under test with its driver in one hand, and in the other the bytes of a server.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Buf;
use mqtt_session::proto::{Filters, Role, SubscribeProperties, SubscriptionOptions, TopicFilters, Version};
use mqtt_session::{
    Batch, Change, Client, ClientConfig, Closed, Event, Instant, Key, Message, Op, Outbox, Outcome, QoS, Record, Timer,
};
use mqtt_tests::frame::Frame;
use mqtt_tests::hex;

use crate::watch::Watch;
use crate::wire::Wire;

/// The versions of MQTT that have tables of statements.
pub(crate) const VERSIONS: [Version; 2] = [Version::V5, Version::V3_1_1];

/// A client named `c`.
pub(crate) fn config() -> ClientConfig {
    ClientConfig::new("c").expect("a name")
}

/// A message to topic `t`.
pub(crate) fn message(qos: u8, payload: &str) -> Message {
    Message::new("t", payload.to_owned())
        .expect("a topic")
        .qos(QoS::from_bits(qos).expect("a QoS"))
}

/// The frames at the front of bytes that hold nothing else.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
        let (one, rest) = bytes.split_at(frame.len);
        frames.push(one.to_vec());
        bytes = rest;
    }
    frames
}

/// Frames in hex.
pub(crate) fn texts(frames: &[Vec<u8>]) -> Vec<String> {
    frames.iter().map(|frame| hex::text(frame)).collect()
}

/// Takes all frames that a machine sends.
pub(crate) fn drain(outbox: &mut Outbox, watch: &mut Watch, mut poll: impl FnMut(&mut Outbox)) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        poll(outbox);
        if outbox.is_empty() {
            break;
        }
        let len = outbox.remaining();
        bytes.extend_from_slice(&outbox.copy_to_bytes(len));
    }
    let sent = frames(&bytes);
    let whole: usize = sent.iter().map(Vec::len).sum();
    assert_eq!(whole, bytes.len(), "whole packets are sent");
    for frame in &sent {
        watch.sent(frame);
    }
    sent
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) wire: Wire,
    pub(crate) watch: Watch,
    pub(crate) disk: BTreeMap<Key, Record>,
    outbox: Outbox,
}

impl Rig {
    /// A client that has asked for its first stream.
    pub(crate) fn new(config: ClientConfig) -> Self {
        let now = Instant::from_secs(1000);
        let version = config.version;
        Self::with(Client::new(config, now), version, now)
    }

    pub(crate) fn with(mut client: Client, version: Version, now: Instant) -> Self {
        assert_eq!(client.poll_event(), Some(Event::Open));
        Self {
            client,
            now,
            wire: Wire(version),
            watch: Watch::new(Role::Client, version),
            disk: BTreeMap::new(),
            outbox: Outbox::default(),
        }
    }

    /// A client whose first connection the server has accepted; with properties of CONNACK in hex.
    pub(crate) fn connected(config: ClientConfig, properties: &str) -> Self {
        let mut rig = Self::new(config);
        rig.open();
        rig.accept(false, properties);
        rig.told();
        assert!(rig.client.is_connected());
        rig
    }

    // ---- the stream

    /// Opens a stream, and returns the CONNECT.
    pub(crate) fn open(&mut self) -> Vec<u8> {
        self.outbox = Outbox::default();
        self.watch.opened();
        self.client.handle_open(self.now);
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "CONNECT alone: {sent:02X?}");
        sent.remove(0)
    }

    /// The server accepts; with properties in hex. MQTT 3.1 cannot say that a session is present.
    pub(crate) fn accept(&mut self, present: bool, properties: &str) {
        let present = present && self.wire.0 != Version::V3_1;
        self.feed(&self.wire.connack(present, 0, properties));
    }

    /// The stream breaks. What the driver had not written is gone.
    pub(crate) fn cut(&mut self) {
        self.client.handle_eof(self.now);
        self.outbox = Outbox::default();
        self.watch.ended();
    }

    /// The stream breaks, and the next one is opened and accepted.
    pub(crate) fn reconnect(&mut self, present: bool, properties: &str) {
        self.cut();
        assert_eq!(self.fire_next(), Timer::Reconnect);
        self.open();
        self.accept(present, properties);
    }

    /// Bytes from the server. How many of them are left.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        for frame in frames(bytes) {
            self.watch.received(&frame);
        }
        let mut rest = bytes;
        self.client.handle_input(self.now, &mut rest);
        rest.len()
    }

    // ---- time

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.client.handle_timeout(self.now);
    }

    /// Waits for the next deadline.
    pub(crate) fn fire_next(&mut self) -> Timer {
        let next = self.client.poll_timeout().expect("a deadline");
        self.now = self.now.max(next.at);
        self.client.handle_timeout(self.now);
        next.timer
    }

    // ---- outputs

    /// Takes all frames that the client sends.
    pub(crate) fn sent(&mut self) -> Vec<Vec<u8>> {
        let client = &mut self.client;
        drain(&mut self.outbox, &mut self.watch, |outbox| client.poll_transmit(outbox))
    }

    /// Takes all frames that the client sends: they are these.
    #[track_caller]
    pub(crate) fn sends(&mut self, expected: &[Vec<u8>]) {
        let sent = self.sent();
        assert_eq!(texts(&sent), texts(expected), "{}", self.wire.0);
    }

    /// Takes all frames that the client sends, past the onlooker, who has not seen all that went before.
    pub(crate) fn client_sends(&mut self) -> Vec<Vec<u8>> {
        let client = &mut self.client;
        let mut unseen = Watch::new(Role::Client, self.wire.0);
        drain(&mut self.outbox, &mut unseen, |outbox| client.poll_transmit(outbox))
    }

    /// Takes all frames and sees that there are none.
    #[track_caller]
    pub(crate) fn sends_nothing(&mut self) {
        self.sends(&[]);
    }

    /// Takes all events.
    pub(crate) fn told(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// Takes all events: the payloads of the messages among them.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        let payload = |event: Event| match event {
            Event::Message(received) => Some(String::from_utf8_lossy(&received.message.payload).into_owned()),
            _ => None,
        };
        self.told().into_iter().filter_map(payload).collect()
    }

    /// Takes all events: tags and outcomes of the operations among them.
    pub(crate) fn outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let outcome = |event: Event| match event {
            Event::Completed { tag, outcome, .. } => Some((tag, outcome)),
            _ => None,
        };
        self.told().into_iter().filter_map(outcome).collect()
    }

    /// Takes all events: why the connection ended, which is said last and once.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> Option<Closed> {
        let told = self.told();
        let is_closed = |event: &Event| matches!(event, Event::Closed { .. });
        assert!(told.iter().filter(|event| is_closed(event)).count() <= 1, "{told:?}");
        match told.last() {
            Some(Event::Closed { reason, .. }) => Some(reason.clone()),
            _ => {
                assert!(!told.iter().any(is_closed), "not the last event: {told:?}");
                None
            }
        }
    }

    /// The connection goes on.
    #[track_caller]
    pub(crate) fn stays(&mut self) {
        assert_eq!(self.closed(), None);
        assert!(self.client.is_connected());
    }

    /// Writes all batches down, and says so.
    pub(crate) fn commit(&mut self) {
        let mut batch = Batch::new();
        while self.client.poll_store(&mut batch) {
            for change in batch.changes() {
                match change {
                    Change::Put(record) => drop(self.disk.insert(record.key(), record.clone())),
                    Change::Delete(key) => drop(self.disk.remove(key)),
                }
            }
        }
        self.client.handle_stored(self.now, batch.number());
    }

    /// The client is gone, and another one goes on with what was stored.
    pub(crate) fn restart(self, config: ClientConfig) -> Self {
        let mut restore = Client::restore(config, self.now);
        for record in self.disk.values() {
            restore.record(record.clone());
        }
        let (client, _) = restore.finish();
        let mut rig = Self::with(client, self.wire.0, self.now);
        rig.disk = self.disk.clone();
        rig.watch.session = self.watch.session.clone();
        rig
    }

    // ---- commands

    pub(crate) fn publish(&mut self, qos: u8, payload: &str, tag: u64) -> Op {
        self.client
            .publish(self.now, message(qos, payload), tag)
            .expect("there is room")
    }

    pub(crate) fn subscribe(&mut self, filter: &str, tag: u64) -> Op {
        let options = SubscriptionOptions::new(QoS::AtLeastOnce);
        let filters = Filters::builder().filter(filter, options).build().expect("a filter");
        self.client
            .subscribe(self.now, filters, SubscribeProperties::empty(), tag)
            .expect("there is room")
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str, tag: u64) -> Op {
        let filters = TopicFilters::builder().filter(filter).build().expect("a filter");
        self.client.unsubscribe(self.now, filters, tag).expect("there is room")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.watch.assert_lawful();
        }
    }
}
