//! What a file store lies on.

use std::fmt::Debug;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::{StoreError, StoreErrorKind};

/// What a [`FileStore`](crate::FileStore) lies on: bytes by offset, and a flush.
///
/// A file is one. An implementation of one's own is for other media, and for tests that lose power: it sees every write and
/// every flush.
pub trait Medium: Debug + Send + Sync + 'static {
    /// How many bytes there are.
    ///
    /// # Errors
    /// If the medium fails.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are none.
    ///
    /// # Errors
    /// If the medium fails.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills the buffer with the bytes from this offset on.
    ///
    /// # Errors
    /// If the medium fails, or has not so many.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Cuts it, or lengthens it with zeros.
    ///
    /// # Errors
    /// If the medium fails.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Writes these bytes from this offset on.
    ///
    /// # Errors
    /// If the medium fails.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything before durable.
    ///
    /// # Errors
    /// If that cannot be said.
    fn sync(&self) -> io::Result<()>;
}

/// A file that nobody else may open as long as this value lives.
#[derive(Debug)]
pub(super) struct LockedFile {
    file: File,
}

impl LockedFile {
    /// Opens or makes the file of a store.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // What is in it is for nobody else to read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = Self::locked(path, &options, File::try_lock)?;
        // Each time: the process that made the file may have ended before it came to this.
        sync_folder_of(path).map_err(|error| StoreError::new(StoreErrorKind::NotFlushed).because(error))?;
        Ok(file)
    }

    /// Makes a file for nobody else to read. None if there is something already, be it a link that leads nowhere.
    pub(super) fn create_new(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A folder that cannot be made durable is told before anything is replaced in it.
        sync_folder_of(path).map_err(|error| StoreError::io(error).of(StoreErrorKind::NotOpened))?;
        match options.open(path) {
            Ok(file) => Self::lock(file, path, File::try_lock).map(Some),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(StoreError::new(StoreErrorKind::NotOpened).because(error)),
        }
    }

    /// Keeps all others from a file that is to be replaced, or that a link there leads to. None if there is none; what is no file
    /// is not replaced: nobody can tell whether a socket or a pipe is in use.
    pub(super) fn open_replaced(path: &Path) -> Result<Option<Self>, StoreError> {
        if path
            .symlink_metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            return Ok(None);
        }
        is_plain(path)?;
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            // What may only be read can be replaced, too.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path),
            opened => opened,
        };
        let file = file.map_err(|error| StoreError::new(StoreErrorKind::NotOpened).because(error))?;
        Self::lock(file, path, File::try_lock).map(Some)
    }

    /// Opens a file that is there, and keeps all others from it.
    pub(super) fn open_existing(path: &Path) -> Result<Self, StoreError> {
        is_plain(path)?;
        Self::locked(path, OpenOptions::new().read(true).write(true), File::try_lock)
    }

    /// Opens a file that is there to read it, and keeps those from it that would change it.
    pub(super) fn open_shared(path: &Path) -> Result<Self, StoreError> {
        is_plain(path)?;
        Self::locked(path, OpenOptions::new().read(true), File::try_lock_shared)
    }

    fn locked(
        path: &Path,
        options: &OpenOptions,
        lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, StoreError> {
        let file = options.open(path);
        let file = file.map_err(|error| StoreError::new(StoreErrorKind::NotOpened).because(error))?;
        Self::lock(file, path, lock)
    }

    fn lock(file: File, path: &Path, lock: impl FnOnce(&File) -> Result<(), TryLockError>) -> Result<Self, StoreError> {
        lock(&file).map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::new(StoreErrorKind::Locked),
            TryLockError::Error(error) => StoreError::new(StoreErrorKind::NotOpened).because(error),
        })?;
        let locked = Self { file };
        match locked.is_at(path) {
            true => Ok(locked),
            // It was replaced between the two calls, by somebody who had it open.
            false => Err(StoreError::new(StoreErrorKind::Locked)),
        }
    }

    /// Whether the path still leads to it.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        is_the_file(&self.file, path.metadata())
    }

    /// Whether it still has this name, and no link to it.
    pub(super) fn is_itself_at(&self, path: &Path) -> bool {
        is_the_file(&self.file, path.symlink_metadata())
    }

    /// The file itself.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }
}

/// Opening a pipe would wait for its other end.
fn is_plain(path: &Path) -> Result<(), StoreError> {
    let not_opened = StoreError::new(StoreErrorKind::NotOpened);
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(not_opened.because(io::Error::other("this is not a file"))),
        Err(error) => Err(not_opened.because(error)),
    }
}

/// A process that is being started holds a copy of every open file for a moment, and closing this one would leave the lock to it.
impl Drop for LockedFile {
    fn drop(&mut self) {
        // If it fails, the lock ends with the last copy.
        let _ = self.file.unlock();
    }
}

/// Makes the name of a new file durable: a file whose bytes are durable may still have no name after a loss of power.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(unix)]
fn is_the_file(file: &File, named: io::Result<Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), named) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_the_file(_: &File, _: io::Result<Metadata>) -> bool {
    true
}

#[cfg(unix)]
impl Medium for LockedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(not(unix))]
impl Medium for LockedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        // One thread uses a store, so nobody moves the place in between.
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).read_exact(buffer)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
