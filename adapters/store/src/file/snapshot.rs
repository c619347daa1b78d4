//! What a store has at one moment, beside whoever goes on writing it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::ReadTransaction;

use super::backend::Watch;
use super::copying::{Destination, is_same, not_the_same, write_anew};
use super::fresh::Fresh;
use super::reader::FileReader;
use super::{FileStore, at};
use crate::{StoreError, StoreErrorKind};

/// All that a store in a file had when this was [made](crate::Writer::snapshot), while the store is used.
///
/// It is what the file would be if its process were killed at that moment: every batch up to one, and none after it. As long as
/// it lives, room in the file that becomes free is not used again, so that the file may grow, and the file stays in use, also if the
/// store is closed.
///
/// ```
/// use mqtt_store::{FileReader, FileStore, Writer};
///
/// # let folder = tempfile::tempdir()?;
/// # let (path, copy) = (folder.path().join("broker.store"), folder.path().join("copy"));
/// let writer = Writer::start(FileStore::open(&path)?)?;
/// let snapshot = writer.snapshot()?;
/// // On a thread that may wait, while others write.
/// snapshot.copy_to(&copy, false, |_, _| {})?;
/// assert!(FileReader::open(&copy)?.brokers()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot {
    reading: ReadTransaction,
    /// What is known of the medium of the store.
    watch: Arc<Watch>,
    path: Option<PathBuf>,
}

impl FileStore {
    pub(super) fn take_snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot {
            reading: self.reading()?,
            watch: self.watch.clone(),
            path: self.path.clone(),
        })
    }
}

impl Snapshot {
    /// Writes it into a file of its own, without room that is not used, and gives that its name when all of it is durable, and was
    /// read again and compared. `replaces`: a file that has the name goes; otherwise it stays, and this is an error.
    /// `tell` hears how many records are written, and of how many. Returns how many bytes the copy has.
    ///
    /// # Errors
    /// If there is a file already, one to replace that is in use, as the store itself is, or something that is no file; if there is
    /// one with that name and `.new` behind, which is in use or no store: one of a process that was killed is removed; if the store
    /// is closed meanwhile, or if a medium fails. What was at `to` is as it was; unless the error is
    /// [`NotFlushed`](StoreErrorKind::NotFlushed) and at that path: then the copy is there, and whether it is there after a loss of
    /// power is not known.
    pub fn copy_to(
        &self,
        to: impl AsRef<Path>,
        replaces: bool,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<u64, StoreError> {
        let to = to.as_ref();
        let destination = Destination::new(to, replaces)?;
        let fresh = Fresh::beside(to)?;
        write_anew(&self.reading, &fresh, &mut tell).map_err(|error| self.whose(error, &fresh.path))?;
        let copy = FileReader::of(fresh.file.clone(), &fresh.path)?;
        let is_same = is_same(&self.reading, &copy.store).map_err(|error| self.whose(error, &fresh.path))?;
        if copy.salvaged().is_some() || !is_same {
            return Err(not_the_same(&fresh.path));
        }
        let bytes = copy.file_bytes()?;
        drop(copy);
        destination.take(fresh)?;
        Ok(bytes)
    }

    /// With the file that it happened to: that of the store, or the copy.
    fn whose(&self, error: StoreError, copy: &Path) -> StoreError {
        match (self.watch.failure(), error.kind()) {
            (Some(failure), _) => at(self.path.as_ref(), failure),
            (None, StoreErrorKind::Stopped) => at(self.path.as_ref(), StoreError::new(StoreErrorKind::Stopped)),
            (None, _) => at(Some(&copy.to_path_buf()), error),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
