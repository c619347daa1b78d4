//! A store that is looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqtt_session::BrokerKey;

use super::medium::LockedFile;
use super::overlay::Overlay;
use super::{FileOptions, FileStore, Medium, Salvaged, salvage};
use crate::{Loaded, SessionName, Store, StoreError, StoreErrorKind};

/// What stands in the file of a [`FileStore`], read without changing a byte of it.
///
/// It has what a store that opens the file would have: what a process left half done when it ended is finished in memory, and of
/// a damaged file this has what [`FileStore::open`] would save. As long as this value lives, nobody can open the file as a
/// store; any number of readers can.
///
/// ```
/// use mqtt_store::{FileReader, FileStore, SessionName};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("sessions.redb");
/// drop(FileStore::open(&path)?);
/// let mut reader = FileReader::open(&path)?;
/// assert!(reader.salvaged().is_none() && reader.brokers()?.is_empty());
/// assert!(reader.load(&SessionName::new("sensor-7")?)?.is_empty());
/// assert!(FileStore::open(&path).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileReader {
    pub(super) store: FileStore,
    pub(super) file: Arc<LockedFile>,
    pub(super) path: PathBuf,
}

impl FileReader {
    /// Opens the store in this file. An empty file is a store that has nothing yet.
    ///
    /// # Errors
    /// If there is no file, if it is in use by a store, is none or one of another format, is damaged so far that nothing can be
    /// told of it, or if the medium fails.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let opened = LockedFile::open_shared(path).and_then(|file| Self::of(Arc::new(file), path));
        opened.map_err(|error| error.at(path))
    }

    /// Reads a file that is locked already.
    pub(super) fn of(file: Arc<LockedFile>, path: &Path) -> Result<Self, StoreError> {
        let options = FileOptions::default();
        let overlay = Overlay::new(file.clone()).map_err(StoreError::io)?;
        let store = match FileStore::open_medium(Arc::new(overlay), options, Some(path)) {
            Err(error) if error.kind() == StoreErrorKind::Damaged => {
                let found = salvage::read(&*file).ok_or(error)?;
                let mut store = FileStore::open_medium(Arc::new(Overlay::empty()), options, Some(path))?;
                found.write(&mut store)?;
                store.read_numbers()?;
                store.salvaged = Some(found.report(path.to_path_buf()));
                store
            }
            opened => opened?,
        };
        Ok(Self {
            store,
            file,
            path: path.to_path_buf(),
        })
    }

    /// What could be read of a damaged file, if it is damaged. It [lies](Salvaged::moved_to) where it was.
    #[must_use]
    pub const fn salvaged(&self) -> Option<&Salvaged> {
        self.store.salvaged()
    }

    /// As [`FileStore::was_blank`].
    #[must_use]
    pub const fn was_blank(&self) -> bool {
        self.store.was_blank()
    }

    /// How many bytes the file has.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn file_bytes(&self) -> Result<u64, StoreError> {
        self.file.len().map_err(|error| StoreError::io(error).at(&self.path))
    }

    /// As [`Store::sessions`].
    ///
    /// # Errors
    /// As there.
    pub fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.store.sessions()
    }

    /// As [`Store::load`].
    ///
    /// # Errors
    /// As there.
    pub fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        self.store.load(session)
    }

    /// As [`Store::brokers`].
    ///
    /// # Errors
    /// As there.
    pub fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.store.brokers()
    }

    /// As [`Store::load_broker`].
    ///
    /// # Errors
    /// As there.
    pub fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        self.store.load_broker(broker)
    }
}
