//! A store that forgets with its process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mqtt_session::{BrokerChange, BrokerKey, Change, Key};

use crate::{Action, Loaded, SessionName, Store, StoreError, StoreErrorKind, Stored, Write};

/// A store in memory: for tests, and for hosts that want a session to outlive a machine but not the process.
///
/// Clones share what is stored, so that dropping one and using another is what a restart is to a file. It keeps records in
/// their encoded form, as every store does.
///
/// ```
/// use mqtt_session::{Change, IncomingRecord, Record, proto::PacketId};
/// use mqtt_store::{MemoryStore, SessionName, Store, Write};
///
/// let name = SessionName::new("sensor-7")?;
/// let id = PacketId::new(7).unwrap();
/// let mut store = MemoryStore::new();
/// let change = Change::Put(Record::Incoming(IncomingRecord { id }));
/// store.commit(&[Write::apply(name.clone(), vec![change])])?;
///
/// let mut after_a_restart = store.clone();
/// drop(store);
/// assert_eq!(after_a_restart.load(&name)?.records.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

type Records<K> = BTreeMap<K, Bytes>;

#[derive(Clone, Debug, Default)]
struct Shared {
    sessions: BTreeMap<SessionName, Records<Key>>,
    brokers: BTreeMap<SessionName, Records<BrokerKey>>,
    has_failed: bool,
}

impl MemoryStore {
    /// A store with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every commit fails, as on a medium that broke. A store that is opened [`anew`](Self::reopened) works again.
    pub fn fail(&self) {
        self.lock().has_failed = true;
    }

    /// The same records in a store that has not failed, and shares nothing with this one.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let mut shared = self.lock().clone();
        shared.has_failed = false;
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// A panic of another thread leaves no group half applied: nothing panics between the first change and the last.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        if shared.has_failed {
            return Err(StoreError::new(StoreErrorKind::Stopped));
        }
        for write in group {
            match &write.action {
                Action::Apply(changes) => {
                    let records = shared.sessions.entry(write.session.clone()).or_default();
                    for change in changes {
                        apply(records, change);
                    }
                }
                Action::Forget => {
                    shared.sessions.remove(&write.session);
                }
                Action::ApplyBroker(changes) => {
                    let records = shared.brokers.entry(write.session.clone()).or_default();
                    for change in changes {
                        apply_broker(records, change);
                    }
                }
                Action::ForgetBroker => {
                    shared.brokers.remove(&write.session);
                }
            }
        }
        Ok(())
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        Ok(self.lock().sessions.keys().cloned().collect())
    }

    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        let shared = self.lock();
        Ok(loaded(shared.sessions.get(session)))
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        Ok(self.lock().brokers.keys().cloned().collect())
    }

    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        let shared = self.lock();
        Ok(loaded(shared.brokers.get(broker)))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn loaded<K: Clone>(records: Option<&Records<K>>) -> Loaded<K> {
    let records = records.into_iter().flatten();
    let records = records.map(|(key, bytes)| Stored::Record(key.clone(), bytes.clone()));
    Loaded {
        records: records.collect(),
    }
}

fn apply(records: &mut Records<Key>, change: &Change) {
    match change {
        Change::Put(record) => {
            let mut bytes = Vec::with_capacity(record.encoded_len());
            // A Vec takes whatever is put into it.
            let _ = record.encode(&mut bytes);
            records.insert(record.key(), bytes.into());
        }
        Change::Delete(key) => {
            records.remove(key);
        }
    }
}

fn apply_broker(records: &mut Records<BrokerKey>, change: &BrokerChange) {
    match change {
        BrokerChange::Put(record) => {
            let mut bytes = Vec::with_capacity(record.encoded_len());
            let _ = record.encode(&mut bytes);
            records.insert(record.key(), bytes.into());
        }
        BrokerChange::Delete(key) => {
            records.remove(key);
        }
    }
}
