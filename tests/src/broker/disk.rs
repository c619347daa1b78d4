//! What a machine has stored, as bytes, and what a loss of power leaves of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use mqtt_session::{BrokerBatch, BrokerChange, BrokerKey, BrokerRecord, BrokerRestore};

use super::wills::{self, Batches, Stored};
use crate::simulation::Random;

/// Records by their keys, and batches that the store has and has not reported.
#[derive(Debug, Default)]
pub(super) struct Disk {
    durable: BTreeMap<BrokerKey, Bytes>,
    /// Keys whose records were torn, and not written since.
    torn: BTreeSet<BrokerKey>,
    flying: VecDeque<BrokerBatch>,
    pub(super) batches: Batches,
}

impl Disk {
    /// How many batches are not durable.
    pub(super) fn flying(&self) -> usize {
        self.flying.len()
    }

    pub(super) fn take(&mut self, batch: BrokerBatch) {
        self.batches.taken += 1;
        self.flying.push_back(batch);
    }

    /// The next batch is durable. Returns its number.
    pub(super) fn flush(&mut self) -> Option<u64> {
        let batch = self.flying.pop_front()?;
        for change in batch.changes() {
            self.torn.remove(&change.key());
            match change {
                BrokerChange::Put(record) => {
                    self.durable.insert(record.key(), encoded(record));
                }
                BrokerChange::Delete(key) => {
                    self.durable.remove(key);
                }
            }
        }
        self.batches.durable += 1;
        Some(batch.number())
    }

    /// Power is lost: of what was not reported any beginning is there, and of the batch behind it a part of one record.
    /// Returns the key of that, if there is one.
    pub(super) fn lose_power(&mut self, random: &mut Random) -> Option<BrokerKey> {
        for _ in 0..random.place(self.flying.len() + 1) {
            self.flush();
        }
        let torn = match self.flying.front().cloned() {
            Some(batch) if random.percent(50) => self.tear(&batch, random),
            _ => None,
        };
        self.flying.clear();
        self.batches.taken = self.batches.durable;
        torn
    }

    /// A part of a record is where none was. A store that keeps its word has the others of the batch not at all; and no
    /// record that is torn can take with it what was stored before: those of exchanges are left out.
    fn tear(&mut self, batch: &BrokerBatch, random: &mut Random) -> Option<BrokerKey> {
        let fresh = batch.changes().iter().filter_map(|change| match change {
            BrokerChange::Put(record) if !self.durable.contains_key(&record.key()) => Some(record),
            _ => None,
        });
        let alone = fresh.filter(|record| {
            matches!(
                record,
                BrokerRecord::Client(_)
                    | BrokerRecord::Subscription(_)
                    | BrokerRecord::Retained { .. }
                    | BrokerRecord::Payload { .. }
            )
        });
        let all: Vec<&BrokerRecord> = alone.collect();
        let record = *all.get(random.place(all.len()))?;
        let bytes = encoded(record);
        let part = bytes.slice(..random.place(bytes.len()));
        self.durable.insert(record.key(), part);
        self.torn.insert(record.key());
        Some(record.key())
    }

    /// Gives everything to a broker that begins.
    pub(super) fn restore(&self, restore: &mut BrokerRestore) {
        for (key, bytes) in &self.durable {
            restore.encoded(key.clone(), bytes);
        }
    }

    /// What cannot be read.
    pub(super) const fn torn(&self) -> &BTreeSet<BrokerKey> {
        &self.torn
    }

    /// Whether a record is a subscription of a session that had ended and whose subscriptions were being dropped.
    pub(super) fn is_leftover(&self, key: &BrokerKey) -> bool {
        matches!(key, BrokerKey::Subscription(session, _) if !self.durable.contains_key(&BrokerKey::Client(*session)))
    }

    /// What is stored of the will of a client.
    pub(super) fn will_of(&self, name: &[u8]) -> Option<Stored> {
        let clients = self
            .durable
            .iter()
            .filter(|(key, _)| matches!(key, BrokerKey::Client(_)));
        let mut clients = clients.filter_map(|(_, bytes)| match BrokerRecord::decode(bytes) {
            Ok(BrokerRecord::Client(client)) => Some(client),
            _ => None,
        });
        let client = clients.find(|client| client.who.client_id() == name)?;
        client.will.map(|will| Stored {
            number: wills::number_of(&will.payload).unwrap_or_default(),
            delay_seconds: will.delay_seconds.min(client.session_expiry_seconds),
            at: will.at,
        })
    }
}

fn encoded(record: &BrokerRecord) -> Bytes {
    let mut bytes = Vec::with_capacity(record.encoded_len());
    record.encode(&mut bytes).expect("a record can be encoded");
    bytes.into()
}
