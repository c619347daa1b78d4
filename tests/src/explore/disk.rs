//! A store: what is durable, and what is on its way there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};

use mqtt_proto::PacketId;
use mqtt_session::{Batch, Change, Key, OutgoingState, PayloadOf, Record};

/// What one end has stored.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What survives a crash.
    pub durable: BTreeMap<Key, Record>,
    /// What does not, in the order in which it becomes durable.
    pub pending: VecDeque<Write>,
}

/// A part of a batch that becomes durable at once: all of it, unless somebody splits batches.
#[derive(Clone, Debug)]
pub struct Write {
    /// The changes.
    pub changes: Vec<Change>,
    /// The number to report when they are durable; none for a part that is not the last of its batch.
    pub number: Option<u64>,
}

impl Disk {
    /// Takes a batch.
    pub fn take(&mut self, batch: &Batch) {
        self.pending.push_back(Write {
            changes: batch.changes().to_vec(),
            number: Some(batch.number()),
        });
    }

    /// Takes a batch as two writes: the first half first, or the second.
    pub fn take_split(&mut self, batch: &Batch, second_first: bool) {
        let (first, second) = batch.changes().split_at(batch.changes().len() / 2);
        let parts = if second_first { [second, first] } else { [first, second] };
        for (index, part) in parts.into_iter().enumerate() {
            self.pending.push_back(Write {
                changes: part.to_vec(),
                number: (index == 1).then(|| batch.number()),
            });
        }
    }

    /// The next write becomes durable. Returns it.
    pub fn commit(&mut self) -> Option<Write> {
        let write = self.pending.pop_front()?;
        for change in &write.changes {
            match change {
                Change::Put(record) => {
                    self.durable.insert(record.key(), record.clone());
                }
                Change::Delete(key) => {
                    self.durable.remove(key);
                }
            }
        }
        Some(write)
    }

    /// Power goes.
    pub fn crash(&mut self) {
        self.pending.clear();
    }

    /// The text of the payload of a delivery that is durable.
    #[must_use]
    pub fn inbox_texts(&self) -> Vec<(u64, String)> {
        let payload_of = |number| match self.durable.get(&Key::Payload(PayloadOf::Inbox(number))) {
            Some(Record::Payload { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        self.durable
            .keys()
            .filter_map(|key| match key {
                Key::Inbox(number) => Some((*number, payload_of(*number))),
                _ => None,
            })
            .collect()
    }

    /// Hashes what is stored, with ranks in the place of numbers. `is_done` tells deliveries apart that the application has
    /// dealt with.
    pub fn fingerprint(&self, hasher: &mut impl Hasher, is_done: impl Fn(u64) -> bool) {
        let ranks = Ranks::of(self);
        self.durable.len().hash(hasher);
        for record in self.durable.values() {
            ranks.hash_record(record, hasher, &is_done);
        }
        for write in &self.pending {
            (write.changes.len(), write.number.is_some()).hash(hasher);
            for change in &write.changes {
                match change {
                    Change::Put(record) => ranks.hash_record(record, hasher, &is_done),
                    Change::Delete(key) => ranks.hash_key(*key, hasher),
                }
            }
        }
    }
}

/// The places of serial and delivery numbers among all that a store knows.
struct Ranks {
    outgoing: BTreeSet<u64>,
    inbox: BTreeSet<u64>,
}

impl Ranks {
    fn of(disk: &Disk) -> Self {
        let mut ranks = Self {
            outgoing: BTreeSet::new(),
            inbox: BTreeSet::new(),
        };
        let pending = disk.pending.iter().flat_map(|write| &write.changes).map(Change::key);
        for key in disk.durable.keys().copied().chain(pending) {
            match key {
                Key::Outgoing(number) | Key::Payload(PayloadOf::Outgoing(number)) => ranks.outgoing.insert(number),
                Key::Inbox(number) | Key::Payload(PayloadOf::Inbox(number)) => ranks.inbox.insert(number),
                _ => false,
            };
        }
        ranks
    }

    fn hash_key(&self, key: Key, hasher: &mut impl Hasher) {
        let rank = |set: &BTreeSet<u64>, number: u64| set.range(..number).count();
        match key {
            Key::Session => 0_u8.hash(hasher),
            Key::Outgoing(number) => (1_u8, rank(&self.outgoing, number)).hash(hasher),
            Key::Payload(PayloadOf::Outgoing(number)) => (2_u8, rank(&self.outgoing, number)).hash(hasher),
            Key::Inbox(number) => (3_u8, rank(&self.inbox, number)).hash(hasher),
            Key::Payload(PayloadOf::Inbox(number)) => (4_u8, rank(&self.inbox, number)).hash(hasher),
            Key::Incoming(id) => (5_u8, id.get()).hash(hasher),
            _ => 6_u8.hash(hasher),
        }
    }

    fn hash_record(&self, record: &Record, hasher: &mut impl Hasher, is_done: impl Fn(u64) -> bool) {
        self.hash_key(record.key(), hasher);
        match record {
            Record::Outgoing(outgoing) => {
                outgoing.tag.hash(hasher);
                match &outgoing.state {
                    OutgoingState::Publish { id, .. } => (0_u8, id.map(PacketId::get)).hash(hasher),
                    OutgoingState::Release { id, .. } => (1_u8, id.get()).hash(hasher),
                }
            }
            Record::Payload { bytes, .. } => bytes.hash(hasher),
            Record::Inbox(inbox) => is_done(inbox.delivery).hash(hasher),
            _ => {}
        }
    }
}
