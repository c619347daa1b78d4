//! A file that is written beside another one, and then gets its name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backend::{Content, Watch};
use super::medium::{LockedFile, sync_folder_of};
use crate::{Durability, StoreError, StoreErrorKind};

/// A file that nobody else opens, and that is removed again unless it gets the name it is meant for.
pub(super) struct Fresh {
    pub(super) path: PathBuf,
    pub(super) file: Arc<LockedFile>,
    is_named: bool,
}

impl Fresh {
    /// Beside the file that it is meant for. What a process left there that was killed goes: nobody has it locked, and it
    /// begins as a store does, or has nothing yet. Anything else there is not ours, and an error.
    pub(super) fn beside(path: &Path) -> Result<Self, StoreError> {
        let path = with_suffix(path, ".new");
        let made = LockedFile::create_new(&path).and_then(|made| match made {
            Some(file) => Ok(Some(file)),
            None => {
                take_away(&path)?;
                LockedFile::create_new(&path)
            }
        });
        match made {
            Ok(Some(file)) => Ok(Self {
                path,
                file: Arc::new(file),
                is_named: false,
            }),
            // Somebody else has made one in between.
            Ok(None) => Err(StoreError::new(StoreErrorKind::Locked).at(&path)),
            Err(error) => Err(error.at(&path)),
        }
    }

    /// Gives it a name that nothing has.
    pub(super) fn name(self, path: &Path) -> Result<(), StoreError> {
        self.assert_is_there()?;
        // Unlike a new name, a second one never takes the place of a file. Its first name goes with this value.
        match fs::hard_link(&self.path, path) {
            Ok(()) => named(path, sync_folder_of(path)),
            // Not every file system has second names.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && path.symlink_metadata().is_err() => {
                self.rename(path)
            }
            Err(error) => Err(not_named(error, path)),
        }
    }

    /// Gives it the name of another file, which the caller has locked.
    pub(super) fn name_over(self, path: &Path, replaced: &LockedFile) -> Result<(), StoreError> {
        if !replaced.is_at(path) {
            return Err(StoreError::new(StoreErrorKind::Locked).at(path));
        }
        self.rename(path)
    }

    /// Gives it a name, whatever has it.
    pub(super) fn rename(mut self, path: &Path) -> Result<(), StoreError> {
        self.assert_is_there()?;
        fs::rename(&self.path, path).map_err(|error| not_named(error, path))?;
        self.is_named = true;
        named(path, sync_folder_of(path))
    }

    /// Whatever somebody has put in its place is not named.
    fn assert_is_there(&self) -> Result<(), StoreError> {
        match self.file.is_itself_at(&self.path) {
            true => Ok(()),
            false => Err(StoreError::new(StoreErrorKind::Locked).at(&self.path)),
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.is_named && self.file.is_itself_at(&self.path) {
            // Whoever comes next removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn not_named(error: io::Error, path: &Path) -> StoreError {
    StoreError::new(StoreErrorKind::NotOpened).because(error).at(path)
}

/// The name is given: what is left is to say whether it lasts.
fn named(path: &Path, is_durable: io::Result<()>) -> Result<(), StoreError> {
    is_durable.map_err(|error| {
        let cause = format!("the file is written and has its name, which a loss of power may take from it: {error}");
        StoreError::new(StoreErrorKind::NotFlushed)
            .because(io::Error::new(error.kind(), cause))
            .at(path)
    })
}

/// Removes what was left by somebody who was killed.
fn take_away(path: &Path) -> Result<(), StoreError> {
    let not_ours = || {
        let cause = "this is not left over from a copy: move it away, since the copy has this name until it is whole";
        StoreError::new(StoreErrorKind::NotOpened).because(io::Error::new(io::ErrorKind::AlreadyExists, cause))
    };
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(not_ours()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        _ => {}
    }
    let file = Arc::new(LockedFile::open_existing(path)?);
    let content = Watch::new(file.clone(), Durability::Os).look();
    match content.map_err(StoreError::io)? {
        Content::SomethingElse => Err(not_ours()),
        // The lock is held: nobody is writing it.
        _ if file.is_itself_at(path) => fs::remove_file(path).map_err(StoreError::io),
        _ => Err(StoreError::new(StoreErrorKind::Locked)),
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_may_not_last_is_told_as_given() {
        let path = Path::new("copy");
        assert!(named(path, Ok(())).is_ok());
        let error = named(path, Err(io::Error::other("no"))).map_err(|error| (error.kind(), error.to_string()));
        let (kind, text) = error.unwrap_err();
        assert_eq!(kind, StoreErrorKind::NotFlushed);
        assert!(text.contains("copy") && text.contains("has its name"), "{text}");
    }
}
