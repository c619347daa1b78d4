//! What can be told for certain from a damaged file.
//!
//! A record counts if its page is as it was written, or if the page is not, its own checksum is right, and another record of the
//! page shows where the damage is. A page whose records are all right though the page is not may be of another time: then
//! nothing of it counts. What is lost is told by key where the key is certain; otherwise the sessions that it may have been of
//! are ended: sessions of the store, and sessions within a broker alike.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqtt_session::{BrokerKey, Key};
use redb::WriteTransaction;

use super::fresh::{Fresh, with_suffix};
use super::layout::{self, BROKER_RECORDS, DAMAGED, NUMBER_BYTES, Number, PLACE_BYTES, Place, RECORDS};
use super::medium::LockedFile;
use super::page::{Entry, Header, KeyRange, Piece, Root, Slot, Widths};
use super::{FileOptions, FileStore, Medium};
use crate::store::Role;
use crate::{Durability, SessionName, Store, StoreError, StoreErrorKind};

/// What opening a damaged file has saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Where the damaged file lies.
    pub moved_to: PathBuf,
    /// How many records are as they were.
    pub records: usize,
    /// The records that are lost.
    pub damaged: Vec<(SessionName, Key)>,
    /// The sessions that have lost records without it being known which: their machines end them.
    pub ended: Vec<SessionName>,
    /// Names of sessions were lost, and their records with them. Each session that is not known is loaded as damaged from
    /// here on, since it may be one of them.
    pub names_lost: bool,
    /// The records of brokers that are lost.
    pub broker_damaged: Vec<(SessionName, BrokerKey)>,
    /// The brokers that have lost records without it being known which. Sessions that may have lost one are ended;
    /// sessions, subscriptions and retained messages may be missing as a whole.
    pub brokers_incomplete: Vec<SessionName>,
    /// Names of brokers were lost, and their records with them. Each broker that is not known is loaded as damaged from here on.
    pub broker_names_lost: bool,
}

/// What a damaged file has.
pub(super) struct Found {
    sessions: Half,
    brokers: Half,
}

/// What a damaged file has of sessions or of brokers.
struct Half {
    role: Role,
    names: BTreeMap<Number, SessionName>,
    /// None for what is damaged.
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Where nothing is known.
    lost: Vec<KeyRange>,
    ended: BTreeSet<Number>,
    names_lost: bool,
    /// How many pieces of the file were not as they were written.
    failures: usize,
}

/// Reads the newest commit that has the least damage. None if not even its tables can be told.
pub(super) fn read(medium: &dyn Medium) -> Option<Found> {
    let header = Header::read(medium)?;
    let mut best: Option<Found> = None;
    for slot in &header.slots {
        if let Some(found) = read_commit(&header, medium, slot)
            && best.as_ref().is_none_or(|best| found.failures() < best.failures())
        {
            best = Some(found);
        }
    }
    best
}

fn read_commit(header: &Header, medium: &dyn Medium, slot: &Slot) -> Option<Found> {
    let tables = header.walk(medium, slot.root?, Widths::default());
    let half = |role| {
        Half::read(role, |name, widths| {
            let root = root_of(&tables, name)?;
            Some(root.map_or_else(Vec::new, |root| header.walk(medium, root, widths)))
        })
    };
    Some(Found {
        sessions: half(Role::Session)?,
        // A file that was written before there were brokers has no tables for them.
        brokers: match half(Role::Broker) {
            Some(half) => half,
            None if tables.iter().all(|piece| matches!(piece, Piece::Entry(_))) => Half::new(Role::Broker),
            None => return None,
        },
    })
}

/// Where a table begins; `None` within for an empty one. A table that stands in a damaged page counts if it is not empty: the
/// checksum of its first page stands beside it.
fn root_of(tables: &[Piece], name: &str) -> Option<Option<Root>> {
    for piece in tables {
        let (entries, is_damaged) = match piece {
            Piece::Entry(entry) => (std::slice::from_ref(entry), false),
            Piece::DamagedLeaf(entries, _) => (entries.as_slice(), true),
            Piece::Lost(_) => continue,
        };
        for (key, definition) in entries {
            if key == name.as_bytes() {
                // Kind 1, length 8, whether there is a root 1, root.
                return match definition.get(9)? {
                    0 if is_damaged => None,
                    0 => Some(None),
                    _ => Root::read(definition.get(10..)?).map(Some),
                };
            }
        }
    }
    None
}

impl Half {
    fn new(role: Role) -> Self {
        Self {
            role,
            names: BTreeMap::new(),
            records: BTreeMap::new(),
            lost: Vec::new(),
            ended: BTreeSet::new(),
            names_lost: false,
            failures: 0,
        }
    }

    /// Both tables, as far as they can be read; none if it cannot be told where they are.
    fn read(role: Role, table: impl Fn(&str, Widths) -> Option<Vec<Piece>>) -> Option<Self> {
        let names = Widths {
            key: None,
            value: Some(layout::SEALED_NUMBER_BYTES),
        };
        let records = Widths {
            key: match role {
                Role::Session => Some(PLACE_BYTES),
                Role::Broker => None,
            },
            value: None,
        };
        let mut half = Self::new(role);
        half.take_names(table(role.names_name(), names)?);
        half.take_records(table(role.records_name(), records)?);
        half.end_lost();
        half.drop_nameless();
        Some(half)
    }

    fn take_names(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Entry((name, value)) => match layout::open_number(&name, &value) {
                    Some(number) => self.take_name(number, &name),
                    None => self.names_lost = true,
                },
                Piece::DamagedLeaf(entries, _) => {
                    self.failures += 1;
                    self.names_lost = true;
                    let numbers = entries.iter().map(|(name, value)| layout::open_number(name, value));
                    let is_of_another_time = numbers.clone().all(|number| number.is_some());
                    for ((name, _), number) in entries.iter().zip(numbers) {
                        if let Some(number) = number {
                            self.take_name(number, name);
                            if is_of_another_time {
                                self.ended.insert(number);
                            }
                        }
                    }
                }
                Piece::Lost(_) => {
                    self.failures += 1;
                    self.names_lost = true;
                }
            }
        }
    }

    fn take_name(&mut self, number: Number, name: &[u8]) {
        if let Ok(name) = SessionName::new(name) {
            self.names.insert(number, name);
        }
    }

    fn take_records(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Entry((place, value)) => self.take_record(&place, value),
                Piece::DamagedLeaf(entries, range) => self.take_damaged(&entries, &range),
                Piece::Lost(range) => {
                    self.failures += 1;
                    self.lost.push(range);
                }
            }
        }
    }

    /// A record of a page that is as it was written.
    fn take_record(&mut self, place: &[u8], value: Vec<u8>) {
        let is_whole = matches!(Judged::of(self.role, place, &value), Judged::Whole(_));
        self.records.insert(place.to_vec(), is_whole.then_some(value));
    }

    /// The records of a page that is not.
    fn take_damaged(&mut self, entries: &[Entry], range: &KeyRange) {
        self.failures += 1;
        let judged = entries.iter().map(|(place, value)| Judged::of(self.role, place, value));
        let judged: Vec<Judged> = judged.collect();
        if judged.iter().all(|judged| matches!(judged, Judged::Whole(_))) {
            return self.lost.push(range.clone());
        }
        for (at, ((_, value), judgement)) in entries.iter().zip(&judged).enumerate() {
            match judgement {
                Judged::Whole(place) | Judged::Moved(place) => {
                    self.records.insert(place.clone(), Some(value.clone()));
                }
                Judged::Known(place) => {
                    self.records.insert(place.clone(), None);
                }
                Judged::Unknown => {
                    let (before, after) = judged.split_at(at);
                    // Those beside each other lie between the same bounds.
                    if !matches!(before.last(), Some(Judged::Unknown)) {
                        let above = before.iter().rev().find_map(Judged::whole);
                        let upto = after.iter().find_map(Judged::whole);
                        self.lost.push(KeyRange {
                            above: above.or_else(|| range.above.clone()),
                            upto: upto.or_else(|| range.upto.clone()),
                        });
                    }
                }
            }
        }
    }

    fn sessions_in(&self, range: &KeyRange) -> (Number, Number) {
        let first = self.names.keys().next().copied().unwrap_or(Number::FIRST);
        let last = self.names.keys().next_back().copied().unwrap_or(Number::FIRST);
        (
            session_of(range.above.as_deref()).unwrap_or(first),
            session_of(range.upto.as_deref()).unwrap_or(last),
        )
    }

    /// Ends every session that may have had a record where nothing is known. Of a broker, the sessions within it.
    fn end_lost(&mut self) {
        for range in core::mem::take(&mut self.lost) {
            let (from, upto) = self.sessions_in(&range);
            // What says that names are lost stands before everything else.
            self.names_lost |= range.above.is_none();
            self.ended
                .extend(self.names.keys().filter(|number| (from..=upto).contains(*number)));
            if self.role == Role::Broker {
                self.end_within(&range);
            }
        }
        if self.role == Role::Session {
            for number in &self.ended {
                self.records.insert(self.role.whole(*number), None);
            }
        }
    }

    /// Ends the sessions of brokers that may have had a record in this range.
    fn end_within(&mut self, range: &KeyRange) {
        let sessions: BTreeSet<(Number, [u8; 9])> = self
            .records
            .keys()
            .filter_map(|place| {
                let (number, key) = layout::split_place(place)?;
                Some((number, BrokerKey::session_prefix(layout::broker_key(key)?.session()?)))
            })
            .collect();
        for (number, session) in sessions {
            let first = [&number.0.to_be_bytes()[..], &session].concat();
            let begins_before_the_end = range.upto.as_ref().is_none_or(|upto| first <= *upto);
            // Everything of the session begins with these bytes.
            let ends_behind_the_start = range
                .above
                .as_ref()
                .is_none_or(|above| first > *above || above.starts_with(&first));
            if begins_before_the_end && ends_behind_the_start {
                let place = layout::broker_place(number, &layout::broker_owner(&session));
                self.records.insert(place, None);
            }
        }
    }

    /// What has no name cannot be asked for. And what says that names were lost says so on.
    fn drop_nameless(&mut self) {
        let Self { names, records, .. } = self;
        let mut names_lost = self.names_lost;
        records.retain(|place, _| {
            let number = layout::split_place(place).map(|(number, _)| number);
            names_lost |= number == Some(Number::NAMELESS);
            number.is_some_and(|number| names.contains_key(&number))
        });
        self.names_lost = names_lost;
        if names_lost {
            records.insert(self.role.whole(Number::NAMELESS), None);
        }
    }

    /// What is lost, by name and by what `key` makes of the bytes of the key.
    fn damaged<K>(&self, key: impl Fn(&[u8]) -> Option<K>) -> Vec<(SessionName, K)> {
        let damaged = self.records.iter().filter(|(_, value)| value.is_none());
        let damaged = damaged.filter_map(|(place, _)| {
            let (number, bytes) = layout::split_place(place)?;
            Some((self.names.get(&number)?.clone(), key(bytes)?))
        });
        damaged.collect()
    }

    fn ended(&self) -> Vec<SessionName> {
        let names = self.ended.iter().filter_map(|number| self.names.get(number));
        names.cloned().collect()
    }

    fn write_names(&self, writing: &WriteTransaction) -> Result<(), redb::Error> {
        let mut table = writing.open_table(self.role.names())?;
        for (number, name) in &self.names {
            table.insert(name.as_bytes(), &layout::seal_number(*number, name))?;
        }
        Ok(())
    }
}

impl Found {
    const fn failures(&self) -> usize {
        self.sessions.failures.saturating_add(self.brokers.failures)
    }

    pub(super) fn report(&self, moved_to: PathBuf) -> Salvaged {
        let Self { sessions, brokers } = self;
        let records = sessions.records.values().chain(brokers.records.values());
        Salvaged {
            moved_to,
            records: records.flatten().count(),
            damaged: sessions.damaged(Key::decode),
            ended: sessions.ended(),
            names_lost: sessions.names_lost,
            broker_damaged: brokers.damaged(layout::broker_key),
            brokers_incomplete: brokers.ended(),
            broker_names_lost: brokers.names_lost,
        }
    }

    /// Writes everything into a store that has nothing yet.
    pub(super) fn write(&self, store: &mut FileStore) -> Result<(), StoreError> {
        let Self { sessions, brokers } = self;
        store.transaction(|writing| {
            sessions.write_names(writing)?;
            brokers.write_names(writing)?;
            let mut records = writing.open_table(RECORDS)?;
            for (place, value) in &sessions.records {
                // Others than those of this length cannot stand in this table.
                if let Ok(place) = <&Place>::try_from(place.as_slice()) {
                    records.insert(place, value.as_deref().unwrap_or(DAMAGED))?;
                }
            }
            let mut records = writing.open_table(BROKER_RECORDS)?;
            for (place, value) in &brokers.records {
                records.insert(place.as_slice(), value.as_deref().unwrap_or(DAMAGED))?;
            }
            Ok(())
        })
    }
}

/// What is to be thought of an entry, its page aside.
enum Judged {
    /// A record with a right checksum.
    Whole(Vec<u8>),
    /// A record with a right checksum, that belongs elsewhere: its key in the page is damaged.
    Moved(Vec<u8>),
    /// A record that is damaged. Where it belongs is said twice, so it is certain.
    Known(Vec<u8>),
    /// It may have been any.
    Unknown,
}

impl Judged {
    fn of(role: Role, place: &[u8], value: &[u8]) -> Self {
        let has_key = |place: &[u8]| layout::split_place(place).is_some_and(|(_, key)| role.is_key(key));
        match layout::open_record(role, value) {
            Some((within, _)) if !has_key(&within) => Self::Unknown,
            Some((within, _)) if within == place => Self::Whole(within),
            Some((within, _)) => Self::Moved(within),
            None => match layout::place_within(role, value) {
                Some(within) if within == place && has_key(&within) => Self::Known(within),
                _ => Self::Unknown,
            },
        }
    }

    fn whole(&self) -> Option<Vec<u8>> {
        match self {
            Self::Whole(place) => Some(place.clone()),
            _ => None,
        }
    }
}

/// The session of a bound.
fn session_of(bound: Option<&[u8]>) -> Option<Number> {
    let (number, _) = bound?.split_first_chunk::<NUMBER_BYTES>()?;
    Some(Number(u64::from_be_bytes(*number)))
}

/// Puts a file with what was found in the place of the damaged one, which keeps existing under another name. At every moment
/// one of the two has the name of the store.
pub(super) fn replace(
    path: &Path,
    damaged: &LockedFile,
    found: &Found,
    options: FileOptions,
) -> Result<(Arc<LockedFile>, Salvaged), StoreError> {
    let failed = |error| StoreError::new(StoreErrorKind::Failed).because(error);
    let fresh = Fresh::beside(path)?;
    let file = fresh.file.clone();
    let mut store = FileStore::open_medium(file.clone(), options.durability(Durability::Sync), Some(&fresh.path))?;
    found.write(&mut store)?;
    Box::new(store).close()?;
    let moved_to = keep(path).map_err(failed)?;
    fresh.name_over(path, damaged)?;
    Ok((file, found.report(moved_to)))
}

/// Gives the damaged file a second name.
fn keep(path: &Path) -> std::io::Result<PathBuf> {
    let mut count = 1_u32;
    loop {
        let name = with_suffix(path, &format!(".damaged-{count}"));
        match std::fs::hard_link(path, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => count = count.saturating_add(1),
            // Not every file system has second names.
            Err(_) if !name.exists() => return std::fs::copy(path, &name).map(|_| name),
            Err(error) => return Err(error),
        }
    }
}
