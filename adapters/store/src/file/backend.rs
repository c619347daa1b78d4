//! A medium as redb sees it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use super::Medium;
use crate::{Durability, StoreError, StoreErrorKind};

/// What every file of redb begins with.
pub(super) const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// The page that redb keeps its header in.
const HEADER_BYTES: usize = 4096;

/// How long a file is that redb has begun to make: it gets its length before anything else.
const BEGUN_BYTES: u64 = 1_056_768;

/// What a medium has before it is opened.
pub(super) enum Content {
    Nothing,
    /// What redb leaves behind if it ends while it makes a file: it writes its first bytes last, and refuses a file without
    /// them. A store of another length that something has wiped is none of these.
    Begun,
    /// A file of redb, with this header.
    Store(Vec<u8>),
    SomethingElse,
}

/// What is known of a medium beside what redb says of it.
#[derive(Debug)]
pub(super) struct Watch {
    medium: Arc<dyn Medium>,
    flushes: bool,
    has_failed: AtomicBool,
    has_ended_early: AtomicBool,
    /// The first failure. redb tells the first one once, and later ones without a cause.
    failure: Mutex<Option<StoreError>>,
}

/// Gives redb a medium, and stops for good at the first failure: a flush that failed may have dropped what it was to write,
/// and a second one that succeeds says nothing about that.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<Watch>);

impl Watch {
    pub(super) fn new(medium: Arc<dyn Medium>, durability: Durability) -> Arc<Self> {
        Arc::new(Self {
            medium,
            flushes: durability != Durability::Os,
            has_failed: AtomicBool::new(false),
            has_ended_early: AtomicBool::new(false),
            failure: Mutex::new(None),
        })
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether something was to be read behind the end: the file is cut.
    pub(super) fn has_ended_early(&self) -> bool {
        self.has_ended_early.load(Ordering::Acquire)
    }

    /// Looks at the medium before redb does.
    pub(super) fn look(&self) -> io::Result<Content> {
        let len = self.medium.len()?;
        let mut header = vec![0; HEADER_BYTES.min(usize::try_from(len).unwrap_or(HEADER_BYTES))];
        self.medium.read(0, &mut header)?;
        Ok(if header.is_empty() {
            Content::Nothing
        } else if header.starts_with(&MAGIC) {
            Content::Store(header)
        } else if len == BEGUN_BYTES
            && header.iter().take(MAGIC.len()).all(|byte| *byte == 0)
            && self.is_blank_from(header.len(), len)?
        {
            Content::Begun
        } else {
            Content::SomethingElse
        })
    }

    fn is_blank_from(&self, start: usize, len: u64) -> io::Result<bool> {
        let mut at = start as u64;
        let mut piece = [0; 1 << 14];
        while at < len {
            let rest = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
            let room = rest.min(piece.len());
            let Some(piece) = piece.get_mut(..room) else { break };
            self.medium.read(at, piece)?;
            if piece.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at = at.saturating_add(room as u64);
        }
        Ok(true)
    }

    /// Takes back what redb changed in a file that it then refused. It changes nothing but the header by then.
    pub(super) fn put_back(&self, header: &[u8]) {
        let mut changed = vec![0; header.len()];
        if self.medium.read(0, &mut changed).is_ok() && changed != header {
            // The file is refused either way.
            let _ = self.medium.write(0, header);
        }
    }

    /// Empties a medium that has nothing yet.
    pub(super) fn empty(&self) -> io::Result<()> {
        self.medium.set_len(0)
    }

    fn watched<T>(&self, flushes: bool, call: impl FnOnce(&dyn Medium) -> io::Result<T>) -> io::Result<T> {
        if self.has_failed.load(Ordering::Acquire) {
            return Err(io::Error::other("the medium has failed before"));
        }
        call(&*self.medium).inspect_err(|error| {
            self.has_failed.store(true, Ordering::Release);
            self.has_ended_early
                .fetch_or(error.kind() == io::ErrorKind::UnexpectedEof, Ordering::AcqRel);
            // An error cannot be cloned, and redb gets the other half of it.
            let cause = io::Error::new(error.kind(), error.to_string());
            let error = StoreError::io(cause);
            let is_full = error.kind() == StoreErrorKind::Full;
            let error = if flushes && !is_full {
                error.of(StoreErrorKind::NotFlushed)
            } else {
                error
            };
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        })
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.watched(false, Medium::len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.watched(false, |medium| medium.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.watched(false, |medium| medium.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0
            .watched(true, |medium| if self.0.flushes { medium.sync() } else { Ok(()) })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.watched(false, |medium| medium.write(offset, data))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{FileReader, FileStore};

    #[test]
    fn only_what_making_a_store_leaves_is_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.store");
        let store = FileStore::open(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            BEGUN_BYTES,
            "redb makes them as long"
        );
        assert!(!store.was_blank());
        drop(store);
        let bytes = usize::try_from(BEGUN_BYTES).unwrap();
        for wiped in [HEADER_BYTES, bytes - HEADER_BYTES, bytes + HEADER_BYTES] {
            fs::write(&path, vec![0; wiped]).unwrap();
            for error in [
                FileStore::open(&path).unwrap_err(),
                FileReader::open(&path).unwrap_err(),
            ] {
                assert_eq!(error.kind(), StoreErrorKind::NotAStore, "{wiped}");
            }
            assert_eq!(fs::read(&path).unwrap(), vec![0; wiped], "it is as it was");
        }
        let mut begun = vec![0; bytes];
        for changed in [9, 100] {
            begun[changed] = 1;
            fs::write(&path, &begun).unwrap();
            assert!(FileReader::open(&path).unwrap().was_blank());
        }
        assert!(FileStore::open(&path).unwrap().was_blank());
        assert!(!FileStore::open(&path).unwrap().was_blank(), "it is a store by now");
    }
}
