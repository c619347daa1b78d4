//! The sessions of a broker, by the names of their clients.

use alloc::boxed::Box;

use super::names::Names;
use super::parked::Parked;
use super::party::Party;
use super::records::{ClientRecord, WillRecord};
use super::replay::Replay;
use super::review::Standing;
use super::routes::{Hash, Hashing, Index};
use super::seldom::Seldom;
use crate::qos::message_record;
use crate::slab::{NONE, Slab};
use crate::time::Instant;
use crate::{Message, Session};

/// The name of a session in the store, which is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

impl SessionId {
    /// The number, for the host's own records.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A session and what the broker knows of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SessionId,
    pub(super) who: Party,
    pub(super) place: Place,
    /// Published unless the client comes back in time.
    pub(super) will: Option<Box<PendingWill>>,
    pub(super) replays: Seldom<Replay>,
    /// Messages of QoS 2 that came and wait for the host.
    pub(super) parked: Seldom<Parked>,
    pub(super) session_expiry_seconds: u32,
    pub(super) standing: Standing,
    pub(super) is_stored: bool,
    /// When its client came or went. `None`: in an earlier life.
    pub(super) since: Option<Instant>,
    /// It may have changes for the store.
    pub(super) is_dirty: bool,
    /// A replay of it goes on with the next call.
    pub(super) is_replaying: bool,
    /// Its replay waits for what the host says of a retained message.
    pub(super) awaits_consent: bool,
    /// Copies that were dropped and not told.
    pub(super) dropped: u64,
    pub(super) armed: Option<Instant>,
}

impl Entry {
    /// What a restart has to know of it.
    pub(super) fn record(&self, will: Option<WillRecord>) -> ClientRecord {
        ClientRecord {
            session: self.id,
            who: self.who.clone(),
            session_expiry_seconds: self.session_expiry_seconds,
            ends_at: match &self.place {
                Place::Parked(state) => state.ends_at(),
                _ => None,
            },
            will: will.or_else(|| self.will.as_ref().map(|will| will.record())),
        }
    }
}

impl PendingWill {
    fn record(&self) -> WillRecord {
        WillRecord {
            message: message_record(&self.message, None, None),
            expiry_seconds: self.message.expiry_seconds,
            payload: self.message.payload.clone(),
            delay_seconds: 0,
            at: Some(self.at),
        }
    }
}

/// Where the state of a session is.
#[derive(Debug)]
pub(super) enum Place {
    /// With the connection in this slot.
    Connected(u32),
    /// Nobody is connected to it.
    Parked(Box<Session>),
    /// It is one of the host's own subscriptions, which has no client.
    Host,
    /// It stands for another shard, as a member of the groups that have members there.
    Peer,
    /// It has ended, and its subscriptions are being dropped.
    Leaving,
}

/// A will whose connection has ended.
#[derive(Debug)]
pub(super) struct PendingWill {
    pub(super) message: Message,
    pub(super) at: Instant,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    entries: Slab<Entry>,
    by_client: Index,
    hashing: Hashing,
    pub(super) names: Names,
}

impl Sessions {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Slab::new(),
            by_client: Index::default(),
            hashing: Hashing::new(seed),
            names: Names::default(),
        }
    }

    /// How many clients have a session.
    pub(super) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// All slots lie below this.
    pub(super) fn bound(&self) -> u32 {
        self.entries.bound()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot)
    }

    /// The connection of a session, if its client has one.
    pub(super) fn connection_of(&self, slot: u32) -> Option<u32> {
        match self.get(slot)?.place {
            Place::Connected(connection) => Some(connection),
            _ => None,
        }
    }

    /// The session of a client.
    pub(super) fn of_client(&self, client_id: &[u8]) -> Option<u32> {
        let is_it = |slot| self.get(slot).is_some_and(|entry| entry.who.client_id() == client_id);
        self.by_client.find(self.hash(client_id), is_it)
    }

    /// A number that follows from some bytes, and that nobody outside can foresee.
    pub(super) fn hash(&self, bytes: &[u8]) -> Hash {
        self.hashing.behind(self.hashing.start(), bytes)
    }

    /// A new session, in place of none.
    pub(super) fn insert(&mut self, who: Party, place: Place, is_stored: bool) -> u32 {
        let id = SessionId(self.names.give());
        self.place(id, who, place, is_stored)
    }

    /// A session of an earlier life.
    pub(super) fn insert_named(&mut self, id: SessionId, who: Party, place: Place) -> u32 {
        self.names.restore_given(id.0);
        self.place(id, who, place, true)
    }

    fn place(&mut self, id: SessionId, who: Party, place: Place, is_stored: bool) -> u32 {
        let is_client = !matches!(place, Place::Host | Place::Peer);
        let hash = self.hash(who.client_id());
        let slot = self.entries.insert(Entry {
            id,
            who,
            place,
            will: None,
            replays: Seldom::new(),
            parked: Seldom::new(),
            session_expiry_seconds: 0,
            standing: Standing::default(),
            is_stored,
            since: None,
            is_dirty: false,
            is_replaying: false,
            awaits_consent: false,
            dropped: 0,
            armed: None,
        });
        if slot == NONE {
            return slot;
        }
        if is_client {
            self.by_client.insert(hash, slot);
        }
        slot
    }

    /// The client of this session has none any more. The session stays until it is removed.
    pub(super) fn forget_client(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else {
            return;
        };
        self.by_client.remove(self.hash(entry.who.client_id()), slot);
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.forget_client(slot);
        self.entries.remove(slot);
    }
}
