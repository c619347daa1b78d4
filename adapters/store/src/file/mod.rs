//! A store in one file.

mod backend;
mod copying;
mod fresh;
mod group;
mod layout;
mod medium;
mod numbers;
mod overlay;
mod page;
mod reader;
mod salvage;
mod snapshot;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mqtt_session::{BrokerKey, Key};
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableHandle};

use self::backend::{Backend, Content, Watch};
pub use self::copying::Compaction;
pub use self::layout::FORMAT_VERSION;
use self::layout::{BROKER_RECORDS, Number, RECORDS};
use self::medium::LockedFile;
pub use self::medium::Medium;
use self::numbers::Numbers;
pub use self::reader::FileReader;
pub use self::salvage::Salvaged;
pub use self::snapshot::Snapshot;
use crate::error::at;
use crate::store::Role;
use crate::{Durability, Loaded, SessionName, Store, StoreError, StoreErrorKind, Stored, Write};

/// A store in one file, on [redb](https://docs.rs/redb).
///
/// ```
/// use mqtt_session::{Change, IncomingRecord, Record, proto::PacketId};
/// use mqtt_store::{FileStore, SessionName, Store, Write};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("sessions.redb");
/// let name = SessionName::new("sensor-7")?;
/// let id = PacketId::new(7).unwrap();
///
/// let mut store = FileStore::open(&path)?;
/// let change = Change::Put(Record::Incoming(IncomingRecord { id }));
/// store.commit(&[Write::apply(name.clone(), vec![change])])?;
/// drop(store);
///
/// let mut after_a_restart = FileStore::open(&path)?;
/// assert_eq!(after_a_restart.load(&name)?.records.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a damaged file gets
///
/// Every page is checked when the file is opened. If one is damaged, the file is moved aside, to a name that ends in
/// `.damaged` and a number, and what can be told for certain to be undamaged goes into a new one: [`salvaged`](Self::salvaged)
/// says how much that was. A record that is lost is loaded as [`Stored::Damaged`], also after another restart, until the machine
/// has dealt with it. Where it cannot be told which records are lost, their sessions have a damaged
/// [`Key::Session`], which ends them: half a session cannot keep its promise. Within a broker the same holds for each of its
/// sessions; a subscription, a retained message or a payload that is lost ends nothing.
///
/// Damage in what the very last commit wrote looks, after a crash, as if that commit had been cut off. The state before it is
/// then restored, and nothing reported.
pub struct FileStore {
    database: Option<Database>,
    watch: Arc<Watch>,
    path: Option<PathBuf>,
    durability: Durability,
    numbers: Numbers,
    scratch: Vec<u8>,
    has_failed: bool,
    was_blank: bool,
    salvaged: Option<Salvaged>,
}

/// How a file store is opened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// What a confirmed write survives. Default [`Durability::Sync`].
    pub durability: Durability,
    /// How many bytes of the file are kept in memory at most. Default 16 MiB.
    pub cache_bytes: usize,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            cache_bytes: 16 << 20,
        }
    }
}

impl FileOptions {
    /// Sets [`durability`](Self::durability).
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`cache_bytes`](Self::cache_bytes).
    #[must_use]
    pub const fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }
}

impl FileStore {
    /// Opens the store in this file, and makes it if there is no file or an empty one.
    ///
    /// # Errors
    /// If the file is in use, is no store or one of another format, is damaged so far that nothing can be told of it, or if the
    /// medium fails. The file is as it was.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, FileOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: FileOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        Self::open_file(path, options).map_err(|error| error.at(path))
    }

    fn open_file(path: &Path, options: FileOptions) -> Result<Self, StoreError> {
        let file = Arc::new(LockedFile::open(path)?);
        match Self::open_medium(file.clone(), options, Some(path)) {
            Err(error) if error.kind() == StoreErrorKind::Damaged => {
                let found = salvage::read(&*file).ok_or(error)?;
                let (replacement, salvaged) = salvage::replace(path, &file, &found, options)?;
                let mut store = Self::open_medium(replacement, options, Some(path))?;
                store.salvaged = Some(salvaged);
                Ok(store)
            }
            result => result,
        }
    }

    /// Opens the store on a medium that nobody else uses, and makes it if the medium is empty.
    ///
    /// A damaged one is not repaired, since there is no second one to write to.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_on(medium: impl Medium, options: FileOptions) -> Result<Self, StoreError> {
        Self::open_medium(Arc::new(medium), options, None)
    }

    fn open_medium(medium: Arc<dyn Medium>, options: FileOptions, path: Option<&Path>) -> Result<Self, StoreError> {
        let watch = Watch::new(medium, options.durability);
        let (database, was_blank) = open_database(&watch, options)?;
        let mut store = Self {
            database: Some(database),
            watch,
            path: path.map(Path::to_path_buf),
            durability: options.durability,
            numbers: Numbers::default(),
            scratch: Vec::new(),
            has_failed: false,
            was_blank,
            salvaged: None,
        };
        store.check_format()?;
        store.make_tables()?;
        store.read_numbers()?;
        Ok(store)
    }

    /// Whether the file had room for a store and nothing in it: making one was interrupted, or it was wiped. It is a new one.
    #[must_use]
    pub const fn was_blank(&self) -> bool {
        self.was_blank
    }

    /// What opening has saved from a damaged file, if it was damaged.
    #[must_use]
    pub const fn salvaged(&self) -> Option<&Salvaged> {
        self.salvaged.as_ref()
    }

    fn database(&self) -> Result<&Database, StoreError> {
        match &self.database {
            Some(database) if !self.has_failed => Ok(database),
            _ => Err(at(self.path.as_ref(), StoreError::new(StoreErrorKind::Stopped))),
        }
    }

    /// Reads all of it as it is now, whatever is written later.
    fn reading(&self) -> Result<ReadTransaction, StoreError> {
        self.database()?.begin_read().map_err(|error| self.error(error))
    }

    /// What an error of redb means, with the place it happened.
    fn error(&self, error: impl Into<redb::Error>) -> StoreError {
        at(self.path.as_ref(), meaning(&self.watch, error.into()))
    }

    /// Refuses files of other programs and of other versions of this one.
    fn check_format(&self) -> Result<(), StoreError> {
        let reading = self.reading()?;
        let tables = reading.list_tables().map_err(|error| self.error(error))?;
        for table in tables {
            match layout::version_of(table.name()) {
                Some(FORMAT_VERSION) => {}
                Some(other) => return Err(StoreError::new(StoreErrorKind::Version(other))),
                None => return Err(StoreError::new(StoreErrorKind::NotAStore)),
            }
        }
        Ok(())
    }

    /// From here on all tables are there.
    fn make_tables(&mut self) -> Result<(), StoreError> {
        self.transaction(|writing| {
            for role in Role::ALL {
                writing.open_table(role.names())?;
            }
            writing.open_table(RECORDS)?;
            writing.open_table(BROKER_RECORDS)?;
            Ok(())
        })
    }

    fn read_numbers(&mut self) -> Result<(), StoreError> {
        let mut numbers = Numbers::default();
        let reading = self.reading()?;
        for role in Role::ALL {
            let names = reading.open_table(role.names()).map_err(|error| self.error(error))?;
            for entry in names.iter().map_err(|error| self.error(error))? {
                let (name, sealed) = entry.map_err(|error| self.error(error))?;
                // The pages are right, so a wrong checksum was written: by broken memory.
                if let (Some(number), Ok(name)) = (
                    layout::open_number(name.value(), sealed.value()),
                    SessionName::new(name.value()),
                ) {
                    numbers.insert(role, name, number);
                }
            }
        }
        self.numbers = numbers;
        Ok(())
    }

    fn records_of(&self, number: Number) -> Result<Loaded, StoreError> {
        let reading = self.reading()?;
        let table = reading.open_table(RECORDS).map_err(|error| self.error(error))?;
        let (first, last) = layout::places(number);
        let mut records = Vec::new();
        for entry in table
            .range::<&layout::Place>(&first..=&last)
            .map_err(|error| self.error(error))?
        {
            let (place, value) = entry.map_err(|error| self.error(error))?;
            // What a key stands for that is none is not known, so it may have been anything.
            let key = |bytes: &[u8]| Key::decode(bytes).ok_or(Key::Session);
            records.push(stored(Role::Session, place.value(), value.value(), key));
        }
        Ok(Loaded { records })
    }

    fn broker_records_of(&self, number: Number) -> Result<Loaded<BrokerKey>, StoreError> {
        let reading = self.reading()?;
        let table = reading.open_table(BROKER_RECORDS).map_err(|error| self.error(error))?;
        let (first, end) = layout::broker_places(number);
        let mut records = Vec::new();
        for entry in table
            .range::<&[u8]>(&first[..]..&end[..])
            .map_err(|error| self.error(error))?
        {
            let (place, value) = entry.map_err(|error| self.error(error))?;
            let key = |bytes: &[u8]| layout::broker_key(bytes).ok_or_else(|| layout::broker_owner(bytes));
            records.push(stored(Role::Broker, place.value(), value.value(), key));
        }
        Ok(Loaded { records })
    }
}

impl Store for FileStore {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        if group.is_empty() {
            return self.database().map(|_| ());
        }
        self.write_group(group)
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.database()?;
        Ok(self.numbers.of(Role::Session).keys().cloned().collect())
    }

    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        match self.numbers.of(Role::Session).get(session) {
            Some(number) => self.records_of(*number),
            // Where names were lost, a session that is not known may have had records.
            None if self.records_of(Number::NAMELESS)?.is_empty() => Ok(Loaded::default()),
            None => Ok(Loaded {
                records: vec![Stored::Damaged(Key::Session)],
            }),
        }
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.database()?;
        Ok(self.numbers.of(Role::Broker).keys().cloned().collect())
    }

    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        match self.numbers.of(Role::Broker).get(broker) {
            Some(number) => self.broker_records_of(*number),
            None if self.broker_records_of(Number::NAMELESS)?.is_empty() => Ok(Loaded::default()),
            None => Ok(Loaded {
                records: vec![Stored::Damaged(BrokerKey::Broker)],
            }),
        }
    }

    fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        self.take_snapshot()
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        match self.database.take() {
            Some(database) => database.close().map_err(|error| self.error(error)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .field("durability", &self.durability)
            .field("sessions", &self.numbers.of(Role::Session).len())
            .field("brokers", &self.numbers.of(Role::Broker).len())
            .field("has_failed", &self.has_failed)
            .finish_non_exhaustive()
    }
}

/// What stands at a place. `key` gives its key, or the one that is damaged if it is none.
fn stored<K>(role: Role, place: &[u8], value: &[u8], key: impl FnOnce(&[u8]) -> Result<K, K>) -> Stored<K> {
    let (_, bytes) = layout::split_place(place).unwrap_or((Number::NAMELESS, &[]));
    match (key(bytes), layout::open_record(role, value)) {
        (Ok(key), Some((within, record))) if within == place => Stored::Record(key, Bytes::copy_from_slice(record)),
        (Ok(key) | Err(key), _) => Stored::Damaged(key),
    }
}

/// Opens what is there, or makes it. What is refused is left as it was. Whether it was begun, and nothing more.
fn open_database(watch: &Arc<Watch>, options: FileOptions) -> Result<(Database, bool), StoreError> {
    let opened = match watch.look().map_err(StoreError::io)? {
        Content::Nothing => checked(watch, options),
        Content::Begun => {
            watch.empty().map_err(StoreError::io)?;
            return Ok((checked(watch, options)?, true));
        }
        Content::Store(header) => checked(watch, options).inspect_err(|_| watch.put_back(&header)),
        Content::SomethingElse => Err(StoreError::new(StoreErrorKind::NotAStore)),
    };
    Ok((opened?, false))
}

/// Opens a file, and reads all of it.
fn checked(watch: &Arc<Watch>, options: FileOptions) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder
        .set_cache_size(options.cache_bytes)
        .set_check_integrity_on_open(true);
    let backend = Backend(watch.clone());
    // redb checks what it reads here, and its own debug assertions say so by a panic.
    match catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(backend))) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(DatabaseError::UpgradeRequired(version))) => {
            Err(StoreError::new(StoreErrorKind::Version(version.into())))
        }
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(StoreError::new(StoreErrorKind::Locked)),
        Ok(Err(error)) if watch.has_ended_early() => Err(StoreError::new(StoreErrorKind::Damaged).because(error)),
        Ok(Err(error)) => Err(meaning(watch, error.into())),
        Err(_) => Err(StoreError::new(StoreErrorKind::Damaged)),
    }
}

/// What an error of redb means. What the medium said goes before what redb makes of it.
fn meaning(watch: &Watch, error: redb::Error) -> StoreError {
    if let Some(failure) = watch.failure() {
        return failure;
    }
    let kind = match &error {
        redb::Error::Corrupted(_) => StoreErrorKind::Damaged,
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => StoreErrorKind::Stopped,
        _ => StoreErrorKind::Failed,
    };
    StoreError::new(kind).because(error)
}
