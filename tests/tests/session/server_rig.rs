//! A connection of a server under test with its host in one hand, and in the other the bytes of a client.

use core::time::Duration;
use std::collections::BTreeMap;

use mqtt_session::proto::{AckProperties, Role, SubAckReason, UnsubAckReason, Version};
use mqtt_session::{
    Accept, Batch, Change, Closed, Instant, Key, Op, Outbox, Outcome, Record, ServerConfig, ServerConnection,
    ServerEvent, Session,
};

use crate::rig::{drain, frames, message, texts};
use crate::watch::Watch;
use crate::wire::Wire;

#[derive(Debug)]
pub(crate) struct ServerRig {
    pub(crate) server: ServerConnection,
    pub(crate) now: Instant,
    pub(crate) wire: Wire,
    pub(crate) watch: Watch,
    pub(crate) disk: BTreeMap<Key, Record>,
    config: ServerConfig,
    outbox: Outbox,
}

impl ServerRig {
    /// A stream that a client of this version has opened.
    pub(crate) fn new(config: ServerConfig, version: Version) -> Self {
        let now = Instant::from_secs(1000);
        let mut watch = Watch::new(Role::Server, version);
        watch.opened();
        Self {
            server: ServerConnection::new(config.clone(), now),
            now,
            wire: Wire(version),
            watch,
            disk: BTreeMap::new(),
            config,
            outbox: Outbox::default(),
        }
    }

    /// A client named `c` with properties in hex, that was accepted, and whose session outlives the connection.
    pub(crate) fn connected(config: ServerConfig, version: Version, properties: &str) -> Self {
        let mut rig = Self::new(config, version);
        rig.connect(version.has_properties(), 0, properties);
        rig.accept(Accept::new());
        let sent = rig.sent();
        assert_eq!(sent.len(), 1, "CONNACK alone: {sent:02X?}");
        assert_eq!(sent[0][0], 0x20);
        rig
    }

    // ---- the stream

    /// The client sends CONNECT as `c`, and the host is asked. A session of MQTT 5.0 outlives its connection by an hour, if
    /// the properties do not say anything else first.
    pub(crate) fn connect(&mut self, clean: bool, keep_alive: u16, properties: &str) {
        let is_said = !self.wire.0.has_properties() || properties.starts_with("11");
        let hour = if is_said { "" } else { "11 00000E10" };
        self.connect_with(clean, keep_alive, &format!("{hour} {properties}"));
    }

    /// The same with these properties alone.
    pub(crate) fn connect_with(&mut self, clean: bool, keep_alive: u16, properties: &str) {
        let connect = self.wire.connect(clean, keep_alive, "c", properties);
        assert_eq!(self.feed(&connect), 0);
        assert!(matches!(self.told()[..], [ServerEvent::Connect(_)]));
    }

    pub(crate) fn accept(&mut self, accept: Accept) {
        self.server.accept(self.now, accept).expect("it can be accepted");
        assert!(self.server.is_connected());
    }

    /// The stream breaks, and another one is opened. Returns the session.
    pub(crate) fn cut(&mut self) -> Option<Session> {
        self.server.handle_eof(self.now);
        self.told();
        self.next_stream()
    }

    /// Another stream is opened. Returns the session of the one before.
    pub(crate) fn next_stream(&mut self) -> Option<Session> {
        let session = self.server.take_session();
        self.server = ServerConnection::new(self.config.clone(), self.now);
        self.outbox = Outbox::default();
        self.watch.opened();
        session
    }

    /// The stream breaks; the client comes again with Clean Start 0 and goes on with its session.
    pub(crate) fn resume(&mut self, properties: &str) {
        let session = self.cut().expect("a session");
        self.resume_with(session, properties);
    }

    /// The process is gone, and another one waits for a stream. Returns the session that was stored.
    pub(crate) fn restart(&mut self) -> Session {
        let mut restore = Session::restore(&self.config.session, self.now);
        for record in self.disk.values() {
            restore.record(record.clone());
        }
        self.next_stream();
        restore.finish().0
    }

    /// The client comes again with Clean Start 0 and goes on with this session.
    pub(crate) fn resume_with(&mut self, session: Session, properties: &str) {
        self.connect(false, 0, properties);
        self.accept(Accept::new().session(session));
        self.commit();
        let connack = self.server_sends_connack();
        assert_eq!(connack[2..4], [u8::from(self.wire.0 != Version::V3_1), 0]);
    }

    fn server_sends_connack(&mut self) -> Vec<u8> {
        // One packet at a time, so that what follows CONNACK stays.
        self.outbox = Outbox::new(1);
        let server = &mut self.server;
        server.poll_transmit(&mut self.outbox);
        let len = bytes::Buf::remaining(&self.outbox);
        let bytes = bytes::Buf::copy_to_bytes(&mut self.outbox, len);
        let sent = frames(&bytes);
        for frame in &sent {
            self.watch.sent(frame);
        }
        self.outbox = Outbox::default();
        assert_eq!(sent.len(), 1, "CONNACK first: {sent:02X?}");
        sent[0].clone()
    }

    /// Bytes from the client. How many of them are left.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        self.server.handle_input(self.now, &mut rest);
        for frame in frames(&bytes[..bytes.len() - rest.len()]) {
            self.watch.received(&frame);
        }
        rest.len()
    }

    // ---- time

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now = self.now + time;
        self.server.handle_timeout(self.now);
    }

    // ---- outputs

    /// Takes all frames that the server sends.
    pub(crate) fn sent(&mut self) -> Vec<Vec<u8>> {
        let server = &mut self.server;
        drain(&mut self.outbox, &mut self.watch, |outbox| server.poll_transmit(outbox))
    }

    /// Takes all frames that the server sends: they are these.
    #[track_caller]
    pub(crate) fn sends(&mut self, expected: &[Vec<u8>]) {
        let sent = self.sent();
        assert_eq!(texts(&sent), texts(expected), "{}", self.wire.0);
    }

    #[track_caller]
    pub(crate) fn sends_nothing(&mut self) {
        self.sends(&[]);
    }

    /// Takes all events.
    pub(crate) fn told(&mut self) -> Vec<ServerEvent> {
        core::iter::from_fn(|| self.server.poll_event()).collect()
    }

    /// Takes all events: the payloads of the messages among them.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        let payload = |event: ServerEvent| match event {
            ServerEvent::Message(received) => Some(String::from_utf8_lossy(&received.message.payload).into_owned()),
            _ => None,
        };
        self.told().into_iter().filter_map(payload).collect()
    }

    /// Takes all events: tags and outcomes of the operations among them.
    pub(crate) fn outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let outcome = |event: ServerEvent| match event {
            ServerEvent::Completed { tag, outcome, .. } => Some((tag, outcome)),
            _ => None,
        };
        self.told().into_iter().filter_map(outcome).collect()
    }

    /// Takes all events: why the connection ended, which is said last and once.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> Option<Closed> {
        let told = self.told();
        let is_closed = |event: &ServerEvent| matches!(event, ServerEvent::Closed { .. });
        assert!(told.iter().filter(|event| is_closed(event)).count() <= 1, "{told:?}");
        match told.last() {
            Some(ServerEvent::Closed { reason, .. }) => Some(reason.clone()),
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
        assert!(!self.server.is_drained());
    }

    /// Writes all batches down, and says so.
    pub(crate) fn commit(&mut self) {
        let Self { server, disk, now, .. } = self;
        let last = write_down(disk, |batch| server.poll_store(batch));
        server.handle_stored(*now, last);
    }

    // ---- commands

    pub(crate) fn publish(&mut self, qos: u8, payload: &str, tag: u64) -> Op {
        self.server
            .publish(self.now, message(qos, payload), tag)
            .expect("there is room")
    }

    /// Grants what the events ask for, in their order.
    pub(crate) fn grant(&mut self, events: Vec<ServerEvent>, properties: &AckProperties<bytes::Bytes>) {
        for event in events {
            match event {
                ServerEvent::Subscribe { request, filters, .. } => {
                    let codes = filters.iter().map(|_| SubAckReason::GrantedQoS1);
                    self.server
                        .subscribed(self.now, request, codes, properties.clone())
                        .expect("it was asked");
                }
                ServerEvent::Unsubscribe { request, filters, .. } => {
                    let codes = filters.iter().map(|_| UnsubAckReason::NoSubscriptionExisted);
                    self.server
                        .unsubscribed(self.now, request, codes, properties.clone())
                        .expect("it was asked");
                }
                _ => {}
            }
        }
    }
}

/// Writes all batches down, and returns the number of the last one.
pub(crate) fn write_down(disk: &mut BTreeMap<Key, Record>, mut poll_store: impl FnMut(&mut Batch) -> bool) -> u64 {
    let mut batch = Batch::new();
    while poll_store(&mut batch) {
        for change in batch.changes() {
            match change {
                Change::Put(record) => drop(disk.insert(record.key(), record.clone())),
                Change::Delete(key) => drop(disk.remove(key)),
            }
        }
    }
    batch.number()
}

impl Drop for ServerRig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.watch.assert_lawful();
        }
    }
}
