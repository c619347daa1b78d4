//! The connections of a broker, each a machine of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{Connect, SubAckReason, UnsubAckReason};

use super::ConnectionId;
use super::pace::Pace;
use super::parked::{Parked, Verdicts};
use super::peers::Ticket;
use super::seldom::Seldom;
use crate::slab::{NONE, Slab};
use crate::time::Instant;
use crate::{DeliveryId, RequestId, ServerConnection};

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) machine: ServerConnection,
    /// The session of its client, once it is admitted.
    pub(super) session: u32,
    /// CONNECT, until the client is admitted.
    pub(super) connect: Option<Box<Connect<Bytes>>>,
    /// What waits for the host, in the order in which it came.
    pub(super) parked: Seldom<Parked>,
    pub(super) verdicts: Verdicts,
    pub(super) pace: Pace,
    /// What is said when a batch is stored.
    pub(super) owed: Seldom<(Ticket, Owed)>,
    /// The batch that has to be stored before anything is sent: CONNACK promises what is in it.
    pub(super) gate: u64,
    /// What it was counted with last, of the bytes that wait in all queues.
    pub(super) queued_bytes: u64,
    pub(super) armed: Option<Instant>,
    /// It stands in the list of those that have output.
    pub(super) is_ready: bool,
    /// Its end has been dealt with.
    pub(super) has_ended: bool,
}

impl Connection {
    /// Whether it is open, is called in time, and has nothing for the store.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        let idle_until = self.machine.idle_until();
        let due = self.pace.until().map_or(idle_until, |until| until.min(idle_until));
        let is_called = self.armed.is_some_and(|armed| armed <= due);
        is_called && !self.has_ended && !self.machine.has_changes()
    }

    /// Gives back the memory of what holds nothing.
    pub(super) fn rest(&mut self) {
        self.machine.rest();
        self.parked.rest();
        self.owed.rest();
    }

    /// Whether a SUBACK waits for the store: messages for its subscriptions follow it.
    pub(super) fn owes_suback(&self) -> bool {
        let is_suback = |(_, owed): &(Ticket, Owed)| matches!(owed, Owed::Subscribed(..));
        self.owed.iter().any(is_suback)
    }
}

/// What is said to the client when the store has what it promises.
#[derive(Debug)]
pub(super) enum Owed {
    Acknowledge(DeliveryId),
    Subscribed(RequestId, Vec<SubAckReason>),
    Unsubscribed(RequestId, Vec<UnsubAckReason>),
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// Connections are large: the table that has room for more of them holds none itself.
    slots: Slab<Box<Connection>>,
    opened: u64,
}

impl Connections {
    pub(super) fn open(&mut self, machine: ServerConnection, pace: Pace) -> Option<ConnectionId> {
        let serial = self.opened.saturating_add(1);
        let id = ConnectionId { serial, slot: NONE };
        let slot = self.slots.insert(Box::new(Connection {
            id,
            machine,
            session: NONE,
            connect: None,
            parked: Seldom::new(),
            verdicts: Verdicts::default(),
            pace,
            owed: Seldom::new(),
            gate: 0,
            queued_bytes: 0,
            armed: None,
            is_ready: false,
            has_ended: false,
        }));
        let connection = self.slots.get_mut(slot)?;
        connection.id.slot = slot;
        self.opened = serial;
        Some(connection.id)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// All slots lie below this.
    pub(super) fn bound(&self) -> u32 {
        self.slots.bound()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Connection> {
        self.slots.get(slot).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot).map(Box::as_mut)
    }

    pub(super) fn named(&self, id: ConnectionId) -> Option<&Connection> {
        self.get(id.slot).filter(|connection| connection.id == id)
    }

    pub(super) fn named_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.get_mut(id.slot).filter(|connection| connection.id == id)
    }

    pub(super) fn slots(&self) -> Vec<u32> {
        self.slots.keys().collect()
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.slots.remove(slot);
    }
}
