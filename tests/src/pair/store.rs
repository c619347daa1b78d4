//! A store in memory that takes batches in order, makes them durable when the rig says, and forgets the rest at a crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use mqtt_session::{Batch, Change, Key, OutgoingRecord, OutgoingState, PayloadOf, Record};

use super::Wrong;
use super::ledger::Effect;

/// A batch that was taken and is not durable yet.
#[derive(Clone, Debug)]
struct Waiting {
    /// Which session it belongs to.
    session: u64,
    number: u64,
    changes: Vec<Change>,
    effects: Vec<Effect>,
}

/// What became durable.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) session: u64,
    pub(super) number: u64,
    pub(super) effects: Vec<Effect>,
}

/// How far the durable records say that a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) tag: u64,
    pub(super) id: Option<u16>,
    pub(super) is_release: bool,
    /// Its outcome was told before its end.
    pub(super) is_given_up: bool,
    /// The host has the payload.
    pub(super) has_source: bool,
}

impl Outgoing {
    fn of(record: &OutgoingRecord) -> Self {
        let (id, has_source) = match &record.state {
            OutgoingState::Publish { id, message } => (*id, message.source_bytes.is_some()),
            OutgoingState::Release { id, .. } => (Some(*id), false),
        };
        Self {
            tag: record.tag,
            id: id.map(mqtt_proto::PacketId::get),
            is_release: matches!(record.state, OutgoingState::Release { .. }),
            is_given_up: matches!(record.state, OutgoingState::Release { is_given_up: true, .. }),
            has_source,
        }
    }
}

/// The durable records of one session, and the batches on their way there.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// Which session the durable records belong to.
    session: u64,
    durable: BTreeMap<Key, Bytes>,
    /// The last session whose record became durable in this life of the process. Its host may have given it up since.
    kept: Option<u64>,
    outgoing: BTreeMap<u64, Outgoing>,
    waiting: VecDeque<Waiting>,
    /// Records that were damaged, and not written since.
    damaged: BTreeSet<Key>,
    /// A record was damaged at some time.
    pub(super) was_damaged: bool,
}

impl Store {
    pub(super) fn take(&mut self, session: u64, batch: &Batch, effects: Vec<Effect>) {
        self.waiting.push_back(Waiting {
            session,
            number: batch.number(),
            changes: batch.changes().to_vec(),
            effects,
        });
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a batch waits on which an acknowledgement depends.
    pub(super) fn holds_answers(&self) -> bool {
        let is_answers = |change: &Change| matches!(change.key(), Key::Incoming(_) | Key::Inbox(_));
        self.waiting.iter().any(|batch| batch.changes.iter().any(is_answers))
    }

    /// The oldest batch becomes durable.
    pub(super) fn commit(&mut self, wrong: Option<Wrong>) -> Option<Committed> {
        let batch = self.waiting.pop_front()?;
        self.belong_to(batch.session);
        for change in &batch.changes {
            self.apply(change, wrong);
        }
        if self.has(Key::Session) {
            self.kept = Some(batch.session);
        }
        Some(Committed {
            session: batch.session,
            number: batch.number,
            effects: batch.effects,
        })
    }

    /// A new session replaces the one before together with its first batch.
    fn belong_to(&mut self, session: u64) {
        if self.session != session {
            self.session = session;
            self.durable.clear();
            self.outgoing.clear();
            self.damaged.clear();
        }
    }

    fn apply(&mut self, change: &Change, wrong: Option<Wrong>) {
        let drops_release = wrong == Some(Wrong::ReleaseDropped);
        match change {
            Change::Put(Record::Outgoing(record)) => {
                let outgoing = Outgoing::of(record);
                if outgoing.is_release && drops_release {
                    return;
                }
                self.outgoing.insert(record.serial, outgoing);
            }
            Change::Delete(Key::Outgoing(serial)) => {
                self.outgoing.remove(serial);
            }
            Change::Delete(Key::Payload(_)) if drops_release => return,
            _ => {}
        }
        self.damaged.remove(&change.key());
        match change {
            Change::Put(record) => {
                self.durable.insert(record.key(), encoded(record));
            }
            Change::Delete(key) => {
                self.durable.remove(key);
            }
        }
    }

    /// Power is lost. `torn` splits the batch that was being written, which no store that keeps its word does: of its
    /// changes only the first ones are there, or only the last ones.
    pub(super) fn crash(&mut self, torn: Option<(usize, bool)>) {
        if let (Some((count, from_the_end)), Some(batch)) = (torn, self.waiting.pop_front()) {
            self.belong_to(batch.session);
            let count = count.min(batch.changes.len());
            let skipped = if from_the_end { batch.changes.len() - count } else { 0 };
            for change in batch.changes.iter().skip(skipped).take(count) {
                self.apply(change, None);
            }
        }
        self.waiting.clear();
        self.kept = self.has(Key::Session).then_some(self.session);
    }

    /// Damages the durable record at this place, counted round, and returns its key.
    pub(super) fn damage(&mut self, place: usize) -> Option<Key> {
        let place = place.checked_rem(self.durable.len())?;
        let (key, bytes) = self.durable.iter_mut().nth(place)?;
        if self.damaged.contains(key) {
            return None;
        }
        let mut damaged = bytes.to_vec();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        *bytes = damaged.into();
        self.damaged.insert(*key);
        self.was_damaged = true;
        Some(*key)
    }

    pub(super) fn damaged(&self) -> &BTreeSet<Key> {
        &self.damaged
    }

    /// Everything is gone, as if the medium had been replaced.
    pub(super) fn wipe(&mut self) {
        *self = Self::default();
    }

    /// Everything goes after the last batch, since the host has given the session up. That batch is no news to a machine.
    pub(super) fn give_up(&mut self) -> Vec<Committed> {
        let kept = self.kept;
        let last = core::iter::from_fn(|| self.commit(None)).collect();
        self.wipe();
        self.kept = kept;
        last
    }

    /// Whether a client may be told that there is this session.
    pub(super) fn keeps(&self, session: u64) -> bool {
        self.kept == Some(session)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (Key, &Bytes)> {
        self.durable.iter().map(|(key, bytes)| (*key, bytes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.durable.is_empty()
    }

    pub(super) fn session(&self) -> u64 {
        self.session
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.durable.contains_key(&key)
    }

    /// The messages on their way out that a restart would find, in the order of `publish`.
    pub(super) fn outgoing(&self) -> impl Iterator<Item = (u64, Outgoing)> {
        self.outgoing.iter().map(|(serial, outgoing)| (*serial, *outgoing))
    }

    /// Whether a restart would release this identifier: by its record, or since nothing is left of its message to be sent.
    pub(super) fn releases(&self, id: u16) -> bool {
        let is_lost = |serial: u64| {
            let payload = Key::Payload(PayloadOf::Outgoing(serial));
            !self.durable.contains_key(&payload) || self.damaged.contains(&payload)
        };
        self.outgoing.iter().any(|(serial, outgoing)| {
            outgoing.id == Some(id) && (outgoing.is_release || !outgoing.has_source && is_lost(*serial))
        })
    }

    pub(super) fn has_outgoing(&self, id: u16) -> bool {
        self.outgoing
            .values()
            .any(|outgoing| outgoing.id == Some(id) && !outgoing.is_release)
    }
}

fn encoded(record: &Record) -> Bytes {
    let mut bytes = Vec::with_capacity(record.encoded_len());
    assert!(record.encode(&mut bytes).is_ok(), "{record:?} cannot be encoded");
    bytes.into()
}
