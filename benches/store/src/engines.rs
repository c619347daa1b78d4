//! The stores: redb and fjall with the same keys and values, and the file store of this project.

use std::path::Path;

use fjall::{KeyspaceCreateOptions, PersistMode};
use mqtt_session::{BrokerChange, Change};
use mqtt_store::{Action, Durability, FileOptions, FileStore, SessionName, Store, Write};
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, backends::FileBackend};

/// When the medium is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// With each group.
    Each,
    /// Never: each group is with the operating system.
    Never,
}

/// A store at work.
pub trait Engine {
    /// Makes a group durable.
    fn commit(&mut self, group: &[Write]);

    /// How many records there are.
    fn count(&mut self) -> usize;
}

/// How a store is opened.
type Open = fn(&Path, Flush) -> Box<dyn Engine>;

/// All of them. The first two are compared.
pub const ENGINES: [(&str, Open); 3] = [
    ("redb", Redb::open),
    ("fjall", Fjall::open),
    ("`FileStore`", Ours::open),
];

/// What a group changes, as both have it: the key, and the record if it is put there.
fn changes(group: &[Write], mut change: impl FnMut(&[u8], Option<&[u8]>)) {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for write in group {
        match &write.action {
            Action::Apply(changes) => {
                for one in changes {
                    // A session's number, and the key.
                    key.clear();
                    key.extend(1_u64.to_be_bytes());
                    key.extend(one.key().encode());
                    value.clear();
                    if let Change::Put(record) = one {
                        record.encode(&mut value).expect("room");
                    }
                    change(&key, matches!(one, Change::Put(_)).then_some(&value));
                }
            }
            Action::ApplyBroker(changes) => {
                for one in changes {
                    key.clear();
                    one.key().encode(&mut key);
                    value.clear();
                    if let BrokerChange::Put(record) = one {
                        record.encode(&mut value).expect("room");
                    }
                    change(&key, matches!(one, BrokerChange::Put(_)).then_some(&value));
                }
            }
            Action::Forget | Action::ForgetBroker => {}
        }
    }
}

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

struct Redb {
    database: Database,
}

/// A file that is never flushed.
#[derive(Debug)]
struct Unflushed(FileBackend);

impl StorageBackend for Unflushed {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

impl Redb {
    fn open(place: &Path, flush: Flush) -> Box<dyn Engine> {
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(place);
        let file = FileBackend::new(file.expect("a file")).expect("a backend");
        let mut builder = Database::builder();
        builder.set_cache_size(16 << 20).set_check_integrity_on_open(true);
        let database = match flush {
            Flush::Each => builder.create_with_backend(file),
            Flush::Never => builder.create_with_backend(Unflushed(file)),
        };
        Box::new(Self {
            database: database.expect("a database"),
        })
    }
}

impl Engine for Redb {
    fn commit(&mut self, group: &[Write]) {
        let writing = self.database.begin_write().expect("a transaction");
        {
            let mut table = writing.open_table(RECORDS).expect("a table");
            changes(group, |key, value| {
                let changed = match value {
                    Some(value) => table.insert(key, value),
                    None => table.remove(key),
                };
                changed.expect("a change");
            });
        }
        writing.commit().expect("a commit");
    }

    fn count(&mut self) -> usize {
        let reading = self.database.begin_read().expect("a transaction");
        let table = reading.open_table(RECORDS).expect("a table");
        table.iter().expect("records").count()
    }
}

struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
    flush: Flush,
}

impl Fjall {
    fn open(place: &Path, flush: Flush) -> Box<dyn Engine> {
        let database = fjall::Database::builder(place).open().expect("a database");
        let records = database
            .keyspace("records", KeyspaceCreateOptions::default)
            .expect("a keyspace");
        Box::new(Self {
            database,
            records,
            flush,
        })
    }
}

impl Engine for Fjall {
    fn commit(&mut self, group: &[Write]) {
        let mode = match self.flush {
            Flush::Each => PersistMode::SyncData,
            Flush::Never => PersistMode::Buffer,
        };
        let mut batch = self.database.batch().durability(Some(mode));
        changes(group, |key, value| match value {
            Some(value) => batch.insert(&self.records, key, value),
            None => batch.remove(&self.records, key),
        });
        batch.commit().expect("a commit");
    }

    fn count(&mut self) -> usize {
        self.records.len().expect("a length")
    }
}

struct Ours(FileStore);

impl Ours {
    fn open(place: &Path, flush: Flush) -> Box<dyn Engine> {
        let durability = match flush {
            Flush::Each => Durability::Sync,
            Flush::Never => Durability::Os,
        };
        let store = FileStore::open_with(place, FileOptions::default().durability(durability));
        Box::new(Self(store.expect("a store")))
    }
}

impl Engine for Ours {
    fn commit(&mut self, group: &[Write]) {
        self.0.commit(group).expect("a commit");
    }

    fn count(&mut self) -> usize {
        let session = SessionName::new("sensor-7").expect("a short name");
        let broker = SessionName::new("broker").expect("a short name");
        let of_session = self.0.load(&session).expect("records").records.len();
        of_session + self.0.load_broker(&broker).expect("records").records.len()
    }
}
