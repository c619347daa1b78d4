//! A client or a server connection behind the calls that both have, so that one property is about both.

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{Packet, ReasonCode, Version};
use mqtt_session::{
    Accept, Batch, Client, ClientConfig, DeliveryId, Event, Instant, Limits, Message, Op, Outbox, ServerConfig,
    ServerConnection, ServerEvent, SessionConfig, Timeout,
};

#[derive(Clone)]
pub(crate) enum Subject {
    Client(Box<Client>),
    Server(Box<ServerConnection>),
}

/// The same call on either.
macro_rules! both {
    ($subject:expr, $one:ident => $call:expr) => {
        match $subject {
            Subject::Client($one) => $call,
            Subject::Server($one) => $call,
        }
    };
}

pub(crate) fn limits() -> Limits {
    Limits::default()
        .packet_ids(3)
        .receive_maximum(3)
        .events(8)
        .batches(4)
        .queued_messages(8)
        .requests(2)
}

pub(crate) const START: Instant = Instant::from_secs(1000);

impl Subject {
    pub(crate) fn all(is_stored: bool, version: Version) -> [Self; 2] {
        let client = ClientConfig::new("c")
            .unwrap()
            .version(version)
            .is_stored(is_stored)
            .limits(limits());
        let session = SessionConfig::default().is_stored(is_stored).limits(limits());
        let server = ServerConfig::default().session(session);
        let mut client = Client::new(client, START);
        client.handle_open(START);
        [
            Self::Client(Box::new(client)),
            Self::Server(Box::new(ServerConnection::new(server, START))),
        ]
    }

    /// The same in the middle of a connection.
    pub(crate) fn all_connected(is_stored: bool, version: Version) -> [Self; 2] {
        let [mut client, mut server] = Self::all(is_stored, version);
        let connect = client.sent();
        server.feed(START, &connect);
        server.act(START);
        server.store(START);
        let connack = server.sent();
        client.feed(START, &connack);
        client.act(START);
        assert!(client.is_connected() && server.is_connected());
        [client, server]
    }

    pub(crate) fn feed(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        both!(self, one => one.handle_input(now, &mut rest));
        bytes.len() - rest.len()
    }

    pub(crate) fn feed_owned(&mut self, now: Instant, bytes: &mut BytesMut) {
        both!(self, one => one.handle_input_owned(now, bytes));
    }

    pub(crate) fn handle_eof(&mut self, now: Instant) {
        both!(self, one => one.handle_eof(now));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        both!(self, one => one.handle_timeout(now));
    }

    pub(crate) fn handle_stored(&mut self, now: Instant, upto: u64) {
        both!(self, one => one.handle_stored(now, upto));
    }

    pub(crate) fn handle_store_failed(&mut self, now: Instant) {
        both!(self, one => one.handle_store_failed(now));
    }

    pub(crate) fn publish(&mut self, now: Instant, message: Message, tag: u64) -> Option<Op> {
        both!(self, one => one.publish(now, message, tag).ok())
    }

    pub(crate) fn cancel(&mut self, now: Instant, op: Op) -> bool {
        both!(self, one => one.cancel(now, op))
    }

    pub(crate) fn set_deadline(&mut self, now: Instant, op: Op, at: Instant) -> bool {
        both!(self, one => one.set_deadline(now, op, at))
    }

    pub(crate) fn supply(&mut self, now: Instant, op: Op, offset: u32, part: Bytes) -> bool {
        both!(self, one => one.supply(now, op, offset, part).is_ok())
    }

    pub(crate) fn fail_source(&mut self, now: Instant, op: Op) -> bool {
        both!(self, one => one.fail_source(now, op).is_ok())
    }

    pub(crate) fn refuse(&mut self, now: Instant, number: u64, reason: ReasonCode) -> bool {
        both!(self, one => one.refuse(now, DeliveryId::from_number(number), reason).is_ok())
    }

    pub(crate) fn poll_store(&mut self, batch: &mut Batch) -> bool {
        both!(self, one => one.poll_store(batch))
    }

    pub(crate) fn poll_transmit(&mut self, outbox: &mut Outbox) {
        both!(self, one => one.poll_transmit(outbox));
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timeout> {
        both!(self, one => one.poll_timeout())
    }

    pub(crate) fn input_room(&self) -> usize {
        both!(self, one => one.input_room())
    }

    pub(crate) fn is_connected(&self) -> bool {
        both!(self, one => one.is_connected())
    }

    // ---- a host that does what it has to

    /// The next event in words. A server accepts whoever connects.
    pub(crate) fn event(&mut self, now: Instant) -> Option<String> {
        match self {
            Self::Client(client) => client.poll_event().map(|event| format!("{event:?}")),
            Self::Server(server) => {
                let event = server.poll_event()?;
                if let ServerEvent::Connect(_) = &event {
                    let _ = server.accept(now, Accept::new());
                }
                Some(format!("{event:?}"))
            }
        }
    }

    /// Polls all events.
    pub(crate) fn act(&mut self, now: Instant) -> Vec<String> {
        core::iter::from_fn(|| self.event(now)).collect()
    }

    /// Operations that ended, by tag.
    pub(crate) fn completed(&mut self) -> Vec<u64> {
        let mut tags = Vec::new();
        match self {
            Self::Client(client) => {
                while let Some(event) = client.poll_event() {
                    if let Event::Completed { tag, .. } = event {
                        tags.push(tag);
                    }
                }
            }
            Self::Server(server) => {
                while let Some(event) = server.poll_event() {
                    if let ServerEvent::Completed { tag, .. } = event {
                        tags.push(tag);
                    }
                }
            }
        }
        tags
    }

    /// Makes all batches durable, and returns how many there were.
    pub(crate) fn store(&mut self, now: Instant) -> usize {
        let mut batch = Batch::new();
        let mut count = 0;
        while self.poll_store(&mut batch) {
            self.handle_stored(now, batch.number());
            count += 1;
        }
        count
    }

    /// All that is sent.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        let mut outbox = Outbox::default();
        self.poll_transmit(&mut outbox);
        let mut chunks = vec![&[][..]; 4096];
        let count = outbox.chunks(&mut chunks);
        chunks[..count].concat()
    }

    /// What a well-behaved peer may send while connected.
    pub(crate) fn stream_of_peer(&self, packets: &[Packet<Bytes>], version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        for packet in packets {
            packet.encode_to(version, &mut bytes).unwrap();
        }
        bytes
    }
}
