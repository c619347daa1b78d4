//! Streams between clients and the broker, which end at either side or at both.

use std::collections::BTreeSet;

use bytes::Buf;
use mqtt_session::proto::{ConnAckReason, Version};
use mqtt_session::{ConnectionId, Outbox};

use super::rates::Read;

/// A stream. What is on its way is lost when it is cut, at any byte.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) version: Version,
    /// How many messages its client takes at once, and those that it has and has not acknowledged.
    pub(super) receive_maximum: u16,
    pub(super) unacknowledged: BTreeSet<u16>,
    /// The last identifier that the broker has used.
    pub(super) last_identifier: u16,
    /// From the client to the broker.
    pub(super) up: Vec<u8>,
    /// From the broker to the client.
    pub(super) down: Vec<u8>,
    /// How much of that had been said before the store failed.
    pub(super) said: usize,
    pub(super) outbox: Outbox,
    pub(super) read: Read,
    /// The client has sent CONNECT.
    pub(super) has_asked: bool,
    /// What a broker that has ended since has said instead of letting the client in.
    pub(super) refusal: Option<ConnAckReason>,
    /// The client was sent CONNACK.
    pub(super) is_answered: bool,
    /// The broker's end is open.
    pub(super) is_served: bool,
    /// The client's end is open.
    pub(super) is_used: bool,
}

impl Link {
    pub(super) fn new(id: ConnectionId, version: Version) -> Self {
        Self {
            id,
            version,
            receive_maximum: u16::MAX,
            unacknowledged: BTreeSet::new(),
            last_identifier: 0,
            up: Vec::new(),
            down: Vec::new(),
            said: 0,
            outbox: Outbox::new(512),
            read: Read::default(),
            has_asked: false,
            refusal: None,
            is_answered: false,
            is_served: true,
            is_used: true,
        }
    }

    pub(super) const fn is_gone(&self) -> bool {
        !self.is_served && !self.is_used
    }
}

/// Moves what an outbox holds.
pub(super) fn drain(outbox: &mut Outbox, into: &mut Vec<u8>) {
    let len = outbox.len();
    into.extend_from_slice(&outbox.copy_to_bytes(len));
}
