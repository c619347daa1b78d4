//! Clients, and streams between them and a broker.

use bytes::Buf;
use mqtt_session::{Broker, Client, ConnectionId, Event, Instant, Outbox};

/// A client and its stream, if it has one.
pub(crate) struct Peer {
    pub(crate) client: Client,
    outbox: Outbox,
    wants_stream: bool,
    /// It does not open a stream, whatever its machine says.
    pub(crate) is_away: bool,
    link: Option<Link>,
}

struct Link {
    id: ConnectionId,
    outbox: Outbox,
    up: Vec<u8>,
    down: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            outbox: Outbox::default(),
            wants_stream: false,
            is_away: false,
            link: None,
        }
    }

    /// Moves everything that can be moved, and tells what the client has to tell. Returns whether something happened.
    pub(crate) fn step(&mut self, now: Instant, broker: &mut Broker, mut tell: impl FnMut(&Event)) -> bool {
        let mut has_moved = self.open(now, broker);
        if let Some(link) = &mut self.link {
            self.client.poll_transmit(&mut self.outbox);
            has_moved |= pass(&mut self.outbox, &mut link.up);
            has_moved |= take(&mut link.up, |rest| broker.handle_input(now, link.id, rest));
            broker.poll_transmit(link.id, &mut link.outbox);
            has_moved |= pass(&mut link.outbox, &mut link.down);
            has_moved |= take(&mut link.down, |rest| self.client.handle_input(now, rest));
            if broker.is_drained(link.id) && link.down.is_empty() {
                self.client.handle_eof(now);
                self.link = None;
            }
        }
        while let Some(event) = self.client.poll_event() {
            has_moved = true;
            self.wants_stream |= matches!(event, Event::Open);
            tell(&event);
        }
        has_moved
    }

    fn open(&mut self, now: Instant, broker: &mut Broker) -> bool {
        if !self.wants_stream || self.is_away {
            return false;
        }
        let id = broker.handle_open(now).expect("there is room");
        self.wants_stream = false;
        self.outbox.clear();
        self.link = Some(Link {
            id,
            outbox: Outbox::default(),
            up: Vec::new(),
            down: Vec::new(),
        });
        self.client.handle_open(now);
        true
    }

    /// The stream ends at both ends, with what is on its way.
    pub(crate) fn cut(&mut self, now: Instant, broker: &mut Broker) {
        if let Some(link) = self.link.take() {
            broker.handle_eof(now, link.id);
            self.client.handle_eof(now);
        }
    }

    /// The broker is gone, and its end of the stream with it.
    pub(crate) fn lose_broker(&mut self, now: Instant) {
        if self.link.take().is_some() {
            self.client.handle_eof(now);
        }
    }
}

fn pass(outbox: &mut Outbox, into: &mut Vec<u8>) -> bool {
    let len = outbox.len();
    into.extend_from_slice(&outbox.copy_to_bytes(len));
    len > 0
}

fn take(held: &mut Vec<u8>, input: impl FnOnce(&mut &[u8])) -> bool {
    let mut rest = &held[..];
    input(&mut rest);
    let taken = held.len() - rest.len();
    held.drain(..taken);
    taken > 0
}
