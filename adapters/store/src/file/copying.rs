//! Copies of a store: one that is smaller in its place, and one elsewhere.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use redb::{Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, Value, WriteTransaction};

use super::fresh::Fresh;
use super::layout::{BROKER_RECORDS, RECORDS};
use super::medium::LockedFile;
use super::reader::FileReader;
use super::{FileOptions, FileStore, Medium};
use crate::store::Role;
use crate::{Store, StoreError, StoreErrorKind};

/// How much is copied before it is told how far it has come.
const PIECE_BYTES: usize = 1 << 20;
/// How many records are copied before that.
const PIECE_RECORDS: u64 = 1024;

/// What has become of a file that was to be made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// How many bytes it had.
    pub before_bytes: u64,
    /// How many it has. As many as before: it could not be made smaller, and is as it was.
    pub after_bytes: u64,
}

/// Tells how much is done, and of how much.
pub(super) type Tell<'t> = &'t mut dyn FnMut(u64, u64);

impl FileStore {
    /// Writes the store in this file anew, without the room that it does not use any more, and puts it in the place of the
    /// old one at once: whenever this is interrupted, the file is the one or the other. What is written is compared with what was
    /// there before it takes its place. `tell` hears how many records are done, and of how many.
    ///
    /// # Errors
    /// As for [`open`](Self::open), if the file is damaged, and if beside it there is a file with its name and `.new` behind,
    /// which is in use or no store: one of a process that was killed is removed. The file is as it was; unless the error is
    /// [`NotFlushed`](StoreErrorKind::NotFlushed) and at the path of the file: then the smaller one has taken its place, and
    /// which of the two is there after a loss of power is not known.
    pub fn compact(path: impl AsRef<Path>, mut tell: impl FnMut(u64, u64)) -> Result<Compaction, StoreError> {
        let path = path.as_ref();
        // Where a link leads to is replaced, and not the link.
        let path = &fs::canonicalize(path)
            .map_err(|error| StoreError::new(StoreErrorKind::NotOpened).because(error).at(path))?;
        compact(path, &mut tell).map_err(|error| super::at(Some(path), error))
    }
}

fn compact(path: &Path, tell: Tell<'_>) -> Result<Compaction, StoreError> {
    let file = LockedFile::open_existing(path)?;
    let reader = FileReader::of(Arc::new(file), path)?;
    refuse_damaged(&reader)?;
    let before_bytes = reader.file_bytes()?;
    let fresh = Fresh::beside(path)?;
    let reading = reader.store.reading()?;
    write_anew(&reading, &fresh, tell).map_err(|error| super::at(Some(&fresh.path), error))?;
    give_away(fresh.file.file(), reader.file.file()).map_err(|error| StoreError::io(error).at(&fresh.path))?;
    let copy = FileReader::of(fresh.file.clone(), &fresh.path)?;
    if copy.salvaged().is_some() || !is_same(&reading, &copy.store)? {
        return Err(not_the_same(&fresh.path));
    }
    let after_bytes = copy.file_bytes()?;
    if after_bytes >= before_bytes {
        return Ok(Compaction {
            before_bytes,
            after_bytes: before_bytes,
        });
    }
    fresh.name_over(path, &reader.file)?;
    Ok(Compaction {
        before_bytes,
        after_bytes,
    })
}

fn refuse_damaged(reader: &FileReader) -> Result<(), StoreError> {
    match reader.salvaged() {
        None => Ok(()),
        Some(_) => Err(StoreError::new(StoreErrorKind::PartlyDamaged).at(&reader.path)),
    }
}

pub(super) fn not_the_same(path: &Path) -> StoreError {
    let cause = io::Error::other("what was written is not what was to be written");
    StoreError::new(StoreErrorKind::Failed).because(cause).at(path)
}

/// Whoever could open the file before can open it after.
fn give_away(to: &File, like: &File) -> io::Result<()> {
    let metadata = like.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = to.metadata()?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            std::os::unix::fs::fchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    to.set_permissions(metadata.permissions())?;
    to.sync_all()
}

/// Writes all that is read into a file that has nothing yet.
pub(super) fn write_anew(reading: &ReadTransaction, to: &Fresh, tell: Tell<'_>) -> Result<(), StoreError> {
    let options = FileOptions::default();
    let mut store = FileStore::open_medium(to.file.clone(), options, Some(&to.path))?;
    let mut done = 0;
    store.transaction(|writing| {
        let all = reading.open_table(RECORDS)?.len()?;
        let all = all.saturating_add(reading.open_table(BROKER_RECORDS)?.len()?);
        for role in Role::ALL {
            copy_table(reading, writing, role.names(), || {})?;
        }
        let mut count = || {
            done += 1;
            if done % PIECE_RECORDS == 0 || done == all {
                tell(done, all);
            }
        };
        copy_table(reading, writing, RECORDS, &mut count)?;
        copy_table(reading, writing, BROKER_RECORDS, &mut count)
    })?;
    // Pages that were filled and split on the way are free now, in between.
    if let Some(database) = &mut store.database {
        let compacted = database.compact();
        compacted.map_err(|error| match error {
            redb::CompactionError::Storage(error) => store.error(error),
            other => StoreError::new(StoreErrorKind::Failed).because(io::Error::other(other.to_string())),
        })?;
    }
    Box::new(store).close()
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
    mut count: impl FnMut(),
) -> Result<(), redb::Error> {
    let from = from.open_table(table)?;
    let mut to = to.open_table(table)?;
    for entry in from.iter()? {
        let (key, value) = entry?;
        to.insert(key.value(), value.value())?;
        count();
    }
    Ok(())
}

/// Whether a store has the bytes that are read, under the same keys.
pub(super) fn is_same(one: &ReadTransaction, other: &FileStore) -> Result<bool, StoreError> {
    let reading = other.reading()?;
    let compare = || -> Result<bool, redb::Error> {
        let mut is_same = true;
        for role in Role::ALL {
            is_same &= has_same(one, &reading, role.names())?;
        }
        Ok(is_same && has_same(one, &reading, RECORDS)? && has_same(one, &reading, BROKER_RECORDS)?)
    };
    compare().map_err(|error| other.error(error))
}

fn has_same<K: Key + 'static, V: Value + 'static>(
    one: &ReadTransaction,
    other: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<bool, redb::Error> {
    let (one, other) = (one.open_table(table)?, other.open_table(table)?);
    if one.len()? != other.len()? {
        return Ok(false);
    }
    for (one, other) in one.iter()?.zip(other.iter()?) {
        let ((key, value), (other_key, other_value)) = (one?, other?);
        let is_same = K::as_bytes(&key.value()).as_ref() == K::as_bytes(&other_key.value()).as_ref()
            && V::as_bytes(&value.value()).as_ref() == V::as_bytes(&other_value.value()).as_ref();
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a copy is to be.
pub(super) struct Destination<'p> {
    path: &'p Path,
    /// A store that has it open would go on writing into a file without a name.
    replaced: Option<LockedFile>,
}

impl<'p> Destination<'p> {
    /// `replaces`: a file that is there goes; otherwise it is an error. What is no file never goes.
    pub(super) fn new(path: &'p Path, replaces: bool) -> Result<Self, StoreError> {
        if !replaces && path.symlink_metadata().is_ok() {
            let error = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(StoreError::new(StoreErrorKind::NotOpened).because(error).at(path));
        }
        let replaced = match replaces {
            true => LockedFile::open_replaced(path).map_err(|error| error.at(path))?,
            false => None,
        };
        Ok(Self { path, replaced })
    }

    /// Gives a copy that is whole its name.
    pub(super) fn take(self, copy: Fresh) -> Result<(), StoreError> {
        let path = self.path;
        match self.replaced {
            Some(replaced) => copy.name_over(path, &replaced),
            // What came there meanwhile stays.
            None => copy.name(path),
        }
    }
}

impl FileReader {
    /// Copies the file, byte by byte, and gives the copy its name when all of it is durable, and was read again and is a
    /// store. `replaces`: a file that has the name goes; otherwise it stays, and this is an error. `tell` hears how
    /// many bytes are written and read again, and of how many. Returns how many bytes the copy has.
    ///
    /// # Errors
    /// If there is a file already, one to replace that is in use, or something that is no file; if there is one with that name and
    /// `.new` behind, which is in use or no store: one of a process that was killed is removed; if the store is damaged, or if a
    /// medium fails. What was at `to` is as it was; unless the error is [`NotFlushed`](StoreErrorKind::NotFlushed) and at that path:
    /// then the copy is there, and whether it is there after a loss of power is not known.
    pub fn copy_to(
        &self,
        to: impl AsRef<Path>,
        replaces: bool,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<u64, StoreError> {
        let to = to.as_ref();
        refuse_damaged(self)?;
        let destination = Destination::new(to, replaces)?;
        let fresh = Fresh::beside(to)?;
        let copied = self.copy_and_compare(&fresh, &mut tell);
        let bytes = copied.map_err(|error| super::at(Some(&fresh.path), error))?;
        destination.take(fresh)?;
        Ok(bytes)
    }

    fn copy_and_compare(&self, to: &Fresh, tell: Tell<'_>) -> Result<u64, StoreError> {
        let copy = &*to.file;
        let all = self.file_bytes()?;
        let twice = all.saturating_mul(2);
        let mut sum = 0;
        each_piece(&self.file, all, |at, piece| {
            sum = crc32c::crc32c_append(sum, piece);
            tell(at, twice);
            copy.file().write_all(piece)
        })
        .and_then(|()| copy.file().sync_all())
        .map_err(StoreError::io)?;
        let mut again = 0;
        each_piece(copy, all, |at, piece| {
            again = crc32c::crc32c_append(again, piece);
            tell(all.saturating_add(at), twice);
            Ok(())
        })
        .map_err(StoreError::io)?;
        let copy = Self::of(to.file.clone(), &to.path)?;
        tell(twice, twice);
        match sum == again && copy.salvaged().is_none() && is_same(&self.store.reading()?, &copy.store)? {
            true => Ok(all),
            false => Err(not_the_same(&to.path)),
        }
    }
}

fn each_piece(from: &LockedFile, len: u64, mut piece: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut at = 0_u64;
    while at < len {
        let room = usize::try_from(len.saturating_sub(at))
            .unwrap_or(PIECE_BYTES)
            .min(PIECE_BYTES);
        let Some(bytes) = buffer.get_mut(..room) else { break };
        from.read(at, bytes)?;
        piece(at, bytes)?;
        at = at.saturating_add(room as u64);
    }
    Ok(())
}
