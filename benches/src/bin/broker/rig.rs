//! A broker and its clients, with what a run loop does between them.

use std::hint::black_box;

use bytes::Buf;
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{
    Broker, BrokerConfig, BrokerLimits, ConnectionId, Instant, Limits, Outbox, ServerConfig, SessionConfig,
};

use crate::wire::{self, Read};

/// No time passes.
pub const NOW: Instant = Instant::ZERO;

struct Peer {
    connection: ConnectionId,
    outbox: Outbox,
    reply: Vec<u8>,
    /// It stands in the list of those that answer.
    answers: bool,
}

/// A broker and clients that answer at once.
pub struct Rig {
    pub broker: Broker,
    pub version: Version,
    peers: Vec<Peer>,
    answering: Vec<usize>,
}

/// A broker with room for everything that is measured here, in memory.
pub fn broker() -> Broker {
    let limits = Limits::default().send_maximum(u16::MAX).receive_maximum(1024);
    let client = ServerConfig::default().session(SessionConfig::default().limits(limits));
    let all = BrokerLimits::default()
        .connections(u32::MAX)
        .sessions(u32::MAX)
        .subscriptions_per_session(u32::MAX);
    Broker::new(BrokerConfig::new(7).client(client).limits(all), NOW)
}

impl Rig {
    pub fn new(version: Version) -> Self {
        Self {
            broker: broker(),
            version,
            peers: Vec::new(),
            answering: Vec::new(),
        }
    }

    /// One client more, and its number.
    pub fn connect(&mut self) -> usize {
        let connection = self.broker.handle_open(NOW).expect("there is room");
        let peer = self.peers.len();
        assert_eq!(connection.number(), peer as u64 + 1);
        self.peers.push(Peer {
            connection,
            outbox: Outbox::default(),
            reply: Vec::new(),
            answers: false,
        });
        let connect = wire::connect(self.version, &format!("client-{peer}"), false);
        self.send(peer, &connect);
        self.exchange();
        peer
    }

    pub fn subscribe(&mut self, peer: usize, filter: &str, qos: QoS, identifier: u32) {
        let subscribe = wire::subscribe(self.version, filter, qos, identifier);
        self.send(peer, &subscribe);
        self.exchange();
    }

    /// The bytes of a client come to the broker.
    pub fn send(&mut self, peer: usize, mut bytes: &[u8]) {
        self.broker.handle_input(NOW, self.peers[peer].connection, &mut bytes);
        assert!(bytes.is_empty(), "the broker did not take everything");
    }

    /// Goes on until nobody has anything to say. Returns what the clients have read.
    pub fn exchange(&mut self) -> Read {
        let mut read = Read::default();
        loop {
            self.write(&mut read);
            while let Some(event) = self.broker.poll_event() {
                black_box(event);
            }
            black_box(self.broker.poll_timeout());
            if self.answering.is_empty() {
                return read;
            }
            for index in 0..self.answering.len() {
                let peer = &mut self.peers[self.answering[index]];
                peer.answers = false;
                self.broker
                    .handle_input(NOW, peer.connection, &mut peer.reply.as_slice());
                peer.reply.clear();
            }
            self.answering.clear();
        }
    }

    /// Everything that the broker has for its clients goes to them.
    fn write(&mut self, read: &mut Read) {
        while let Some(ready) = self.broker.poll_ready() {
            let number = ready.number() as usize - 1;
            let peer = &mut self.peers[number];
            let mut is_full = true;
            while is_full {
                self.broker.poll_transmit(ready, &mut peer.outbox);
                is_full = !peer.outbox.has_room();
                wire::read(peer.outbox.chunk(), &mut peer.reply, read);
                peer.outbox.advance(usize::MAX);
            }
            if !peer.reply.is_empty() && !peer.answers {
                peer.answers = true;
                self.answering.push(number);
            }
        }
    }
}
