//! A store in a file that ends in any way, is damaged, and is opened again, beside one in memory.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_session::{Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerKey, Change, Instant, Key, Message};
use mqtt_store::{
    Action, Durability, FileOptions, FileStore, Loaded, MemoryStore, SessionName, Store, StoreErrorKind, Stored, Write,
};
use tempfile::TempDir;

use super::records::record;

const SESSIONS: [&str; 3] = ["a", "another", ""];
const BROKER: &str = "b";
const TOPICS: [&str; 3] = ["t", "a/b", "a/longer/topic/of/many/levels"];
/// An input writes so often.
const COMMITS: usize = 40;

/// Bytes as writes, ends of the process, and damage to the file.
///
/// # Panics
/// If a store breaks a promise: see `fuzz/README.md`.
pub fn store(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut world = World::new();
    while !u.is_empty() && world.step(&mut u).unwrap_or(false) {}
}

/// Everything that a store has.
type State = (Vec<(SessionName, Loaded)>, Vec<(SessionName, Loaded<BrokerKey>)>);

struct World {
    _folder: TempDir,
    path: PathBuf,
    store: FileStore,
    /// What the file has to have.
    truth: MemoryStore,
    /// The same without the last commit.
    before: MemoryStore,
    /// Every record that was written.
    written: BTreeSet<(SessionName, Vec<u8>)>,
    commits: usize,
    broker: Broker,
}

fn open(path: &PathBuf) -> std::result::Result<FileStore, mqtt_store::StoreError> {
    // The process ends here, never the system.
    FileStore::open_with(
        path,
        FileOptions::default().cache_bytes(1 << 20).durability(Durability::Os),
    )
}

/// The file of a store that has nothing.
fn empty() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("empty");
        close(open(&path).expect("a new file"));
        fs::read(path).expect("the file")
    })
}

fn close(store: FileStore) {
    Box::new(store).close().expect("the disk works");
}

fn state(store: &mut dyn Store) -> State {
    let sessions = store.sessions().expect("the disk works").into_iter();
    let sessions = sessions.map(|name| (name.clone(), store.load(&name).expect("the disk works")));
    let sessions = sessions.collect();
    let brokers = store.brokers().expect("the disk works").into_iter();
    let brokers = brokers.map(|name| (name.clone(), store.load_broker(&name).expect("the disk works")));
    (sessions, brokers.collect())
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        fs::write(&path, empty()).expect("the disk works");
        let config = BrokerConfig::new(1).is_stored(true);
        Self {
            store: open(&path).expect("an empty store"),
            _folder: folder,
            path,
            truth: MemoryStore::new(),
            before: MemoryStore::new(),
            written: BTreeSet::new(),
            commits: 0,
            broker: Broker::new(config, Instant::from_secs(1)),
        }
    }

    /// Whether it goes on.
    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<bool> {
        match u.int_in_range(0..=9_u8)? {
            0..=6 => self.commits(u)?,
            7 => self.is_opened_again(u.arbitrary()?),
            _ => {
                self.is_damaged(u)?;
                return Ok(false);
            }
        }
        Ok(self.commits < COMMITS)
    }

    fn commits(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut group = Vec::new();
        for _ in 0..u.int_in_range(1..=3_u8)? {
            group.extend(self.write(u)?);
        }
        for write in &group {
            self.note(write);
        }
        self.before = self.truth.reopened();
        self.truth.commit(&group).expect("memory does not fail");
        self.store.commit(&group).expect("the disk works");
        self.commits += 1;
        Ok(())
    }

    fn write(&mut self, u: &mut Unstructured<'_>) -> Result<Option<Write>> {
        let session = SessionName::new(u.choose(&SESSIONS)?).expect("a short name");
        let broker = SessionName::new(BROKER).expect("a short name");
        Ok(Some(match u.int_in_range(0..=9_u8)? {
            0 => Write::forget(session),
            1 => Write::forget_broker(broker),
            2..=5 => {
                let batch = self.broker_batch(u)?;
                return Ok(batch.map(|batch| Write::apply_broker(broker, batch.changes().to_vec())));
            }
            _ => {
                let mut changes = Vec::new();
                for _ in 0..u.int_in_range(1..=4_u8)? {
                    let record = record(u)?;
                    changes.push(if u.ratio(1, 5)? {
                        Change::Delete(record.key())
                    } else {
                        Change::Put(record)
                    });
                }
                Write::apply(session, changes)
            }
        }))
    }

    /// A broker has something retained.
    fn broker_batch(&mut self, u: &mut Unstructured<'_>) -> Result<Option<BrokerBatch>> {
        let topic = *u.choose(&TOPICS)?;
        let len = u.int_in_range(0..=3000)?;
        let message = Message::new(topic, Bytes::from(vec![b'.'; len])).expect("a valid topic");
        self.broker.publish(Instant::from_secs(1), message.retain(true));
        let mut batch = BrokerBatch::new();
        let is_there = self.broker.poll_store(&mut batch);
        if is_there {
            self.broker.handle_stored(Instant::from_secs(1), batch.number());
        }
        Ok(is_there.then_some(batch))
    }

    fn note(&mut self, write: &Write) {
        let encoded: Vec<Vec<u8>> = match &write.action {
            Action::Apply(changes) => {
                let records = changes.iter().filter_map(|change| match change {
                    Change::Put(record) => Some(bytes_of(|bytes| record.encode(bytes))),
                    Change::Delete(_) => None,
                });
                records.collect()
            }
            Action::ApplyBroker(changes) => {
                let records = changes.iter().filter_map(|change| match change {
                    BrokerChange::Put(record) => Some(bytes_of(|bytes| record.encode(bytes))),
                    BrokerChange::Delete(_) => None,
                });
                records.collect()
            }
            Action::Forget | Action::ForgetBroker => Vec::new(),
        };
        let written = encoded.into_iter().map(|bytes| (write.session.clone(), bytes));
        self.written.extend(written);
    }

    /// The file as it is after the process has ended, orderly or not; and a store that is none, in the place of the one before.
    fn file(&mut self, is_killed: bool) -> Vec<u8> {
        let killed = fs::read(&self.path).expect("the disk works");
        let aside = self.path.with_file_name("aside");
        let _ = fs::remove_file(&aside);
        fs::write(&aside, empty()).expect("the disk works");
        close(std::mem::replace(
            &mut self.store,
            open(&aside).expect("an empty store"),
        ));
        if is_killed {
            killed
        } else {
            fs::read(&self.path).expect("the disk works")
        }
    }

    fn is_opened_again(&mut self, is_killed: bool) {
        let file = self.file(is_killed);
        fs::write(&self.path, file).expect("the disk works");
        self.store = open(&self.path).expect("nothing is damaged");
        assert_eq!(self.store.salvaged(), None, "nothing is damaged");
        assert!(
            state(&mut self.store) == state(&mut self.truth),
            "what was confirmed is there"
        );
    }

    fn is_damaged(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let is_killed = u.arbitrary()?;
        let mut file = self.file(is_killed);
        for _ in 0..u.int_in_range(1..=4_u8)? {
            damage(u, &mut file)?;
        }
        // Nothing but zeros is what is left of a file that was just made: a new store.
        if file.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        fs::write(&self.path, &file).expect("the disk works");
        let mut store = match open(&self.path) {
            Ok(store) => store,
            Err(error) => {
                assert!(
                    matches!(
                        error.kind(),
                        StoreErrorKind::Damaged | StoreErrorKind::NotAStore | StoreErrorKind::Version(_)
                    ),
                    "{error}"
                );
                assert!(
                    fs::read(&self.path).expect("the disk works") == file,
                    "a file that is refused is as it was"
                );
                return Ok(());
            }
        };
        let found = state(&mut store);
        if let Some(salvaged) = store.salvaged() {
            assert!(
                fs::read(&salvaged.moved_to).expect("the disk works") == file,
                "the damaged file is kept"
            );
        } else {
            let is_older = is_killed && found == state(&mut self.before);
            assert!(
                is_older || found == state(&mut self.truth),
                "a state that never was, and nobody is told"
            );
        }
        self.is_true(&found);
        drop(store);
        let mut store = open(&self.path).expect("what was saved is whole");
        assert_eq!(store.salvaged(), None, "what was saved is whole");
        assert!(state(&mut store) == found, "what was saved is there again");
        self.serves(&mut store);
        Ok(())
    }

    /// Nothing is told that was not written.
    fn is_true(&self, (sessions, brokers): &State) {
        self.were_written(sessions);
        self.were_written(brokers);
    }

    fn were_written<K: std::fmt::Debug>(&self, all: &[(SessionName, Loaded<K>)]) {
        for (name, loaded) in all {
            for stored in &loaded.records {
                if let Stored::Record(key, bytes) = stored {
                    let place = (name.clone(), bytes.to_vec());
                    assert!(self.written.contains(&place), "{name}: {key:?} never was");
                }
            }
        }
    }

    /// A broker begins with what is left, and the store takes more.
    fn serves(&mut self, store: &mut FileStore) {
        let broker = SessionName::new(BROKER).expect("a short name");
        let mut restore = Broker::restore(BrokerConfig::new(1), Instant::from_secs(1));
        let loaded = store.load_broker(&broker).expect("the disk works");
        loaded.into_broker(&mut restore).expect("records of this version");
        let _ = restore.finish();
        store
            .commit(&[
                Write::apply(broker.clone(), vec![Change::Delete(Key::Session)]),
                Write::forget(broker),
            ])
            .expect("a store that was opened takes more");
    }
}

fn bytes_of<E: std::fmt::Debug>(encode: impl FnOnce(&mut Vec<u8>) -> std::result::Result<usize, E>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes).expect("a Vec takes every record");
    bytes
}

/// One place of the file changes.
fn damage(u: &mut Unstructured<'_>, file: &mut Vec<u8>) -> Result<()> {
    // The header matters most, and what is behind it has holes.
    let at = if u.arbitrary()? {
        u.int_in_range(0..=383)?
    } else {
        u.int_in_range(0..=file.len().saturating_sub(1))?
    };
    let Some(rest) = file.get_mut(at..) else { return Ok(()) };
    match u.int_in_range(0..=6_u8)? {
        0..=2 => {
            if let Some(byte) = rest.first_mut() {
                *byte ^= 1 << u.int_in_range(0..=7)?;
            }
        }
        3 => {
            let len = u.int_in_range(1..=16)?.min(rest.len()).min(u.len());
            rest[..len].copy_from_slice(u.bytes(len)?);
        }
        4 => {
            let len = rest.len().min(512);
            rest[..len].fill(0);
        }
        5 => file.truncate(at),
        _ => file.resize(file.len() + u.int_in_range(1..=9000)?, 0),
    }
    Ok(())
}
