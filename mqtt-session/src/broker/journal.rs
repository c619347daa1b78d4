//! What a broker is to store: its own records and those of its sessions, in one order.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use super::records::{BrokerBatch, BrokerChange, BrokerKey, BrokerRecord, PayloadId};
use super::sessions::SessionId;
use crate::store::{Batch, Change, Key, PayloadOf, Record};

/// A batch of one session, as a part of a batch of the broker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) slot: u32,
    pub(super) session: SessionId,
    pub(super) number: u64,
}

/// A batch that is with the store.
#[derive(Debug)]
struct Flight {
    number: u64,
    parts: Vec<Part>,
    /// It turned out to have no changes: the store does not know of it.
    is_empty: bool,
}

/// The changes that were not taken yet, what the store has of them, and which sessions have more.
#[derive(Debug)]
pub(super) struct Journal {
    is_enabled: bool,
    open: Vec<BrokerChange>,
    /// Counts what changes, here and in sessions.
    changes: u64,
    /// The number of the open batch.
    next: u64,
    /// Something waits for the open batch.
    is_awaited: bool,
    stored: u64,
    /// Sessions that may have changes of their own.
    dirty: Vec<u32>,
    flying: VecDeque<Flight>,
    payloads: Payloads,
    scratch: Batch,
}

impl Journal {
    pub(super) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            open: Vec::new(),
            changes: 0,
            next: 1,
            is_awaited: false,
            stored: 0,
            dirty: Vec::new(),
            flying: VecDeque::new(),
            payloads: Payloads::default(),
            scratch: Batch::new(),
        }
    }

    pub(super) const fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    pub(super) fn put(&mut self, record: impl FnOnce() -> BrokerRecord) {
        if self.is_enabled {
            self.push(BrokerChange::Put(record()));
        }
    }

    pub(super) fn delete(&mut self, key: impl FnOnce() -> BrokerKey) {
        if self.is_enabled {
            self.push(BrokerChange::Delete(key()));
        }
    }

    fn push(&mut self, change: BrokerChange) {
        self.changes = self.changes.saturating_add(1);
        self.open.push(change);
    }

    /// A session has changes of its own. `is_known`: it stands in the list of these already.
    pub(super) fn session_changed(&mut self, session: u32, is_known: bool) {
        self.changes = self.changes.saturating_add(1);
        if !is_known {
            self.dirty.push(session);
        }
    }

    /// How much has changed, to compare it with later.
    pub(super) const fn mark(&self) -> u64 {
        self.changes
    }

    /// What waits for everything that has changed since then waits for this number.
    pub(super) fn ticket_since(&mut self, mark: u64) -> u64 {
        if mark == self.changes { 0 } else { self.ticket() }
    }

    /// What waits for everything that has changed waits for this number.
    pub(super) const fn ticket(&mut self) -> u64 {
        self.is_awaited = true;
        self.next
    }

    /// Takes the list of sessions that may have changes.
    pub(super) fn take_dirty(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.dirty)
    }

    /// The list of dirty sessions is used again.
    pub(super) fn give_back(&mut self, mut dirty: Vec<u32>) {
        if self.dirty.is_empty() {
            dirty.clear();
            self.dirty = dirty;
        }
    }

    pub(super) const fn is_stored(&self, ticket: u64) -> bool {
        ticket <= self.stored
    }

    /// How many batches are with the store.
    pub(super) const fn pending(&self) -> u64 {
        self.next.saturating_sub(1).saturating_sub(self.stored)
    }

    /// A payload gets its record, unless it has one, and one user more.
    pub(super) fn share(&mut self, bytes: &Bytes) -> PayloadId {
        let (id, is_new) = self.payloads.share(bytes);
        if is_new {
            self.open.push(BrokerChange::Put(BrokerRecord::Payload {
                id,
                bytes: bytes.clone(),
            }));
        }
        id
    }

    /// One user less. The record goes with the last.
    pub(super) fn release(&mut self, id: PayloadId) {
        if self.payloads.release(id) {
            self.open.push(BrokerChange::Delete(BrokerKey::Payload(id)));
        }
    }

    /// Takes the changes of one session into the open batch. `poll` is its `poll_store`. Returns the number of its batch.
    pub(super) fn collect(&mut self, session: SessionId, poll: impl FnOnce(&mut Batch) -> bool) -> Option<u64> {
        let mut scratch = core::mem::take(&mut self.scratch);
        let number = poll(&mut scratch).then(|| scratch.number());
        if number.is_some() {
            for change in scratch.changes() {
                self.collect_one(session, change);
            }
        }
        self.scratch = scratch;
        number
    }

    fn collect_one(&mut self, session: SessionId, change: &Change) {
        match change {
            Change::Put(Record::Payload { of, bytes }) => {
                let payload = self.share(bytes);
                if let Some(earlier) = self.payloads.of.insert((session, *of), payload) {
                    self.release(earlier);
                }
                let record = BrokerRecord::PayloadOf {
                    session,
                    of: *of,
                    payload,
                };
                self.open.push(BrokerChange::Put(record));
            }
            Change::Put(record) => {
                let record = BrokerRecord::Session {
                    session,
                    record: record.clone(),
                };
                self.open.push(BrokerChange::Put(record));
            }
            Change::Delete(key) => {
                self.open.push(BrokerChange::Delete(BrokerKey::Session(session, *key)));
                if let Key::Payload(of) = key {
                    self.forget_payload(session, *of);
                }
            }
        }
    }

    fn forget_payload(&mut self, session: SessionId, of: PayloadOf) {
        if let Some(payload) = self.payloads.of.remove(&(session, of)) {
            self.release(payload);
        }
    }

    /// Hands the open batch to the driver. `parts` are the batches of sessions in it.
    pub(super) fn take(&mut self, batch: &mut BrokerBatch, parts: Vec<Part>) -> bool {
        let has_changes = !self.open.is_empty();
        if has_changes {
            batch.fill(self.next, &mut self.open);
        }
        if has_changes || self.is_awaited {
            let flight = Flight {
                number: self.next,
                parts,
                is_empty: !has_changes,
            };
            self.flying.push_back(flight);
            self.next = self.next.saturating_add(1);
            self.is_awaited = false;
        }
        has_changes
    }

    /// The batches up to this one are stored: the parts of the next one of them, until there is none. One without changes is
    /// stored with the one before it.
    pub(super) fn next_stored(&mut self, upto: u64) -> Option<Vec<Part>> {
        let next = self.flying.front()?;
        if next.number > upto && !next.is_empty {
            return None;
        }
        let flight = self.flying.pop_front()?;
        self.stored = flight.number;
        Some(flight.parts)
    }

    /// A record of an earlier life: this message has this payload.
    pub(super) fn restore_payload(&mut self, session: SessionId, of: PayloadOf, id: PayloadId, bytes: &Bytes) {
        self.payloads.restore(id, bytes);
        self.payloads.of.insert((session, of), id);
    }

    pub(super) fn restore_shared(&mut self, id: PayloadId, bytes: &Bytes) {
        self.payloads.restore(id, bytes);
    }

    /// Whether a payload has users.
    pub(super) fn has_payload(&self, id: PayloadId) -> bool {
        self.payloads.users.contains_key(&id)
    }
}

/// Which payloads have records, and how many use them.
#[derive(Debug, Default)]
struct Payloads {
    last: u64,
    /// A payload is held as long as its record, so that no other can come to stand in its place in memory.
    users: BTreeMap<PayloadId, (Bytes, u64)>,
    places: BTreeMap<(usize, usize), PayloadId>,
    of: BTreeMap<(SessionId, PayloadOf), PayloadId>,
}

impl Payloads {
    /// Where it stands in memory. The same bytes in another place count as another payload.
    fn place(bytes: &Bytes) -> (usize, usize) {
        (bytes.as_ptr().addr(), bytes.len())
    }

    fn share(&mut self, bytes: &Bytes) -> (PayloadId, bool) {
        if let Some(id) = self.places.get(&Self::place(bytes)) {
            if let Some((_, users)) = self.users.get_mut(id) {
                *users = users.saturating_add(1);
                return (*id, false);
            }
        }
        self.last = self.last.saturating_add(1);
        let id = PayloadId(self.last);
        self.users.insert(id, (bytes.clone(), 1));
        self.places.insert(Self::place(bytes), id);
        (id, true)
    }

    /// Whether that was the last user.
    fn release(&mut self, id: PayloadId) -> bool {
        let Some((bytes, users)) = self.users.get_mut(&id) else {
            return false;
        };
        *users = users.saturating_sub(1);
        if *users > 0 {
            return false;
        }
        self.places.remove(&Self::place(bytes));
        self.users.remove(&id);
        true
    }

    fn restore(&mut self, id: PayloadId, bytes: &Bytes) {
        self.last = self.last.max(id.0);
        let (held, users) = self.users.entry(id).or_insert_with(|| (bytes.clone(), 0));
        *users = users.saturating_add(1);
        self.places.insert(Self::place(held), id);
    }
}
