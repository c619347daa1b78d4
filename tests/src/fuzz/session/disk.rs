//! A store of encoded records that completes batch by batch, crashes, and is damaged.

use std::collections::{BTreeMap, VecDeque};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_session::{Batch, Change, Key, Record};

/// What one machine has stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) durable: BTreeMap<Key, Bytes>,
    pending: VecDeque<(u64, Vec<Change>)>,
    taken: u64,
    /// The number of the last batch that is durable.
    pub(super) stored: u64,
}

impl Disk {
    /// Takes a batch, whose number is the next one.
    pub(super) fn take(&mut self, batch: &Batch) {
        assert!(
            batch.number() > self.taken,
            "batch {} after {}",
            batch.number(),
            self.taken
        );
        assert!(!batch.is_empty(), "an empty batch");
        self.taken = batch.number();
        self.pending.push_back((batch.number(), batch.changes().to_vec()));
    }

    /// The next batch becomes durable. Returns its number.
    pub(super) fn commit(&mut self) -> Option<u64> {
        let (number, changes) = self.pending.pop_front()?;
        for change in changes {
            match change {
                Change::Put(record) => drop(self.durable.insert(record.key(), encoded(&record))),
                Change::Delete(key) => drop(self.durable.remove(&key)),
            }
        }
        self.stored = number;
        Some(number)
    }

    /// Whether something is on its way.
    pub(super) fn is_writing(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Power goes.
    pub(super) fn crash(&mut self) {
        self.pending.clear();
        self.taken = 0;
        self.stored = 0;
    }

    /// Damages one record, or mends what was damaged the same way. Returns its key if it cannot be read.
    pub(super) fn damage(&mut self, u: &mut Unstructured<'_>) -> Result<Option<Key>> {
        let keys: Vec<Key> = self.durable.keys().copied().collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let key = *u.choose(&keys)?;
        let mut bytes = self.durable[&key].to_vec();
        let place = u.choose_index(bytes.len())?;
        if u.arbitrary()? {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << u.int_in_range(0..=7)?;
        }
        let bytes = Bytes::from(bytes);
        let is_damaged = Record::decode(&bytes).is_err();
        self.durable.insert(key, bytes);
        Ok(is_damaged.then_some(key))
    }
}

/// A record as bytes, which are the record again.
pub(super) fn encoded(record: &Record) -> Bytes {
    let mut bytes = Vec::new();
    let len = record.encode(&mut bytes).expect("a Vec takes every record");
    assert_eq!((len, record.encoded_len()), (bytes.len(), bytes.len()), "{record:?}");
    let bytes = Bytes::from(bytes);
    assert_eq!(
        Record::decode(&bytes).as_ref(),
        Ok(record),
        "a record that is read back"
    );
    bytes
}
