//! What a store should have, without any cleverness.

use std::collections::BTreeMap;
use std::fmt::Debug;

use mqtt_session::{BrokerChange, BrokerKey, Change, Key};
use mqtt_store::{Action, Loaded, SessionName, Store, Stored, Write};

/// Records by session and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) sessions: BTreeMap<SessionName, BTreeMap<Key, Vec<u8>>>,
    pub(crate) brokers: BTreeMap<SessionName, BTreeMap<BrokerKey, Vec<u8>>>,
}

impl Model {
    pub(crate) fn apply(&mut self, group: &[Write]) {
        for write in group {
            match &write.action {
                Action::Apply(changes) => {
                    let records = self.sessions.entry(write.session.clone()).or_default();
                    for change in changes {
                        match change {
                            Change::Put(record) => {
                                let mut bytes = Vec::new();
                                record.encode(&mut bytes).unwrap();
                                records.insert(record.key(), bytes);
                            }
                            Change::Delete(key) => {
                                records.remove(key);
                            }
                        }
                    }
                }
                Action::Forget => {
                    self.sessions.remove(&write.session);
                }
                Action::ApplyBroker(changes) => {
                    let records = self.brokers.entry(write.session.clone()).or_default();
                    for change in changes {
                        match change {
                            BrokerChange::Put(record) => {
                                let mut bytes = Vec::new();
                                record.encode(&mut bytes).unwrap();
                                records.insert(record.key(), bytes);
                            }
                            BrokerChange::Delete(key) => {
                                records.remove(key);
                            }
                        }
                    }
                }
                Action::ForgetBroker => {
                    self.brokers.remove(&write.session);
                }
            }
        }
    }

    /// The states before the first group, and after each.
    pub(crate) fn states(groups: &[Vec<Write>]) -> Vec<Self> {
        let mut states = vec![Self::default()];
        for group in groups {
            let mut next = states.last().unwrap().clone();
            next.apply(group);
            states.push(next);
        }
        states
    }

    /// What a store has.
    pub(crate) fn of(store: &mut dyn Store) -> Self {
        let names = store.sessions().unwrap();
        let sessions = names.into_iter().map(|name| {
            let loaded = store.load(&name).unwrap();
            (name, records(loaded))
        });
        let sessions = sessions.collect();
        let names = store.brokers().unwrap();
        let brokers = names.into_iter().map(|name| {
            let loaded = store.load_broker(&name).unwrap();
            (name, records(loaded))
        });
        Self {
            sessions,
            brokers: brokers.collect(),
        }
    }
}

/// Records of which none is damaged, each in its place in the order.
pub(crate) fn records<K: Ord + Debug>(loaded: Loaded<K>) -> BTreeMap<K, Vec<u8>> {
    let records: Vec<_> = key_and_bytes(loaded);
    assert!(records.is_sorted_by(|(one, _), (next, _)| one < next));
    records.into_iter().collect()
}

fn key_and_bytes<K: Debug>(loaded: Loaded<K>) -> Vec<(K, Vec<u8>)> {
    let records = loaded.records.into_iter().map(|stored| match stored {
        Stored::Record(key, bytes) => (key, bytes.to_vec()),
        Stored::Damaged(key) => panic!("{key:?} is damaged"),
    });
    records.collect()
}

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }
}
