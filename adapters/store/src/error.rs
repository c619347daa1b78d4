//! What goes wrong with a store: what, where, and what to try.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a store cannot do what it was asked.
///
/// Its text says what happened, where, and what to try. Cloning one copies nothing, since many sessions may have to hear of it.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    path: Option<Arc<Path>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another process, or another store of this one, has the file open.
    Locked,
    /// Somebody else in this process writes for the session or broker of that name.
    SessionInUse,
    /// The file cannot be opened or created.
    NotOpened,
    /// The file is not a store of this crate.
    NotAStore,
    /// The file has a format with this number, which this version of the crate does not know.
    Version(u32),
    /// The file is damaged so far that not even the names of its sessions can be read. It has not been changed.
    Damaged,
    /// The file is damaged. A store that opens it saves what can be saved; what was asked for needs a file that is whole.
    PartlyDamaged,
    /// There is no room for what was to be written.
    Full,
    /// The medium could not be flushed: what was written since the flush before may or may not be there.
    NotFlushed,
    /// The medium could not be read or written.
    Failed,
    /// The store is of a kind that cannot be copied while it is used.
    NoSnapshots,
    /// The store has failed before, or its thread has ended: it confirms nothing until it is opened anew.
    Stopped,
}

impl StoreError {
    /// An error without a place or a cause.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            path: None,
            source: None,
        }
    }

    /// With the file that it happened to.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What a failed read or write means.
    #[must_use]
    pub fn io(error: io::Error) -> Self {
        Self::new(kind_of(&error)).because(error)
    }

    /// The same as another kind.
    #[must_use]
    pub(crate) fn of(mut self, kind: StoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The file that it happened to.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// A medium that is full says so in several ways.
fn kind_of(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => StoreErrorKind::Full,
        _ => StoreErrorKind::Failed,
    }
}

impl StoreErrorKind {
    const fn what(self) -> &'static str {
        match self {
            Self::Locked => "the store is in use",
            Self::SessionInUse => "the session or broker is in use",
            Self::NotOpened => "the store cannot be opened",
            Self::NotAStore => "the file is not a store of MQTT sessions",
            Self::Version(_) => "the store has another format",
            Self::Damaged => "the store is damaged so far that nothing of it can be used",
            Self::PartlyDamaged => "the store is damaged",
            Self::Full => "there is no room for what the store has to write",
            Self::NotFlushed => "the medium of the store could not be flushed",
            Self::Failed => "the medium of the store could not be read or written",
            Self::NoSnapshots => "the store cannot be copied while it is used",
            Self::Stopped => "the store has stopped",
        }
    }

    const fn try_this(self) -> &'static str {
        match self {
            Self::Locked => "end the other process, or give this one a file of its own",
            Self::SessionInUse => "end its other user, or give this one another name or a store of its own",
            Self::NotOpened => "look at the folder, the name and the permissions",
            Self::NotAStore => "look at the name; a store is made where there is no file, or an empty one",
            Self::Version(_) => "use the version of the program that wrote it",
            Self::Damaged => "move the file aside, which ends its sessions, or bring back a copy",
            Self::PartlyDamaged => "open it as a store, which saves what can be saved and keeps the damaged file",
            Self::Full => "make room and open the store again; what was confirmed is in it",
            Self::NotFlushed => "look at the medium, then open the store again; what was confirmed is in it",
            Self::Failed => "look at the medium, then open the store again",
            Self::NoSnapshots => "use a store in a file, or copy what it has once it is closed",
            Self::Stopped => "open the store again; the first error says why it stopped",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.what())?;
        if let StoreErrorKind::Version(found) = self.kind {
            write!(f, " ({found}, and {} is known)", crate::FORMAT_VERSION)?;
        }
        if let Some(path) = &self.path {
            write!(f, ": {}", path.display())?;
        }
        if let Some(source) = &self.source {
            // What others say may be whole sentences.
            write!(f, ": {}", source.to_string().trim_end_matches('.'))?;
        }
        write!(f, "; {}", self.kind.try_this())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Where the file of an error is, for those that put errors together.
pub(crate) fn at(path: Option<&PathBuf>, error: StoreError) -> StoreError {
    match path {
        Some(path) if error.path.is_none() => error.at(path),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_ends_in_front_of_what_to_try() {
        for source in [redb::Error::PreviousIo, redb::Error::RepairAborted] {
            assert!(source.to_string().ends_with('.'), "{source}");
            let told = StoreError::new(StoreErrorKind::Stopped).because(source).to_string();
            assert!(
                told.contains("; open the store again") && !told.contains(".;"),
                "{told}"
            );
        }
    }
}
