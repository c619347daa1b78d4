//! Changing a file of users: one line at a time, everything else as it was, and never half.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Puts a line for a user, or takes its lines out. `None` if there is nothing to take out.
pub(super) fn with_line(text: &str, user: &str, line: Option<&str>) -> Option<String> {
    let is_users = |line: &&str| line.split_once(':').is_some_and(|(name, _)| name == user);
    let mut changed = String::with_capacity(text.len() + 128);
    let mut is_found = false;
    for old in text.lines() {
        if !is_users(&old) {
            changed.extend([old, "\n"]);
        } else if let Some(line) = line.filter(|_| !is_found) {
            changed.extend([line, "\n"]);
            is_found = true;
        } else {
            is_found = true;
        }
    }
    match line {
        Some(line) if !is_found => changed.extend([line, "\n"]),
        None if !is_found => return None,
        _ => {}
    }
    Some(changed)
}

/// A file of users that is about to be changed.
#[derive(Debug)]
pub(super) struct UsersFile {
    /// Where it really is: a link stays one.
    path: PathBuf,
    existing: Option<Metadata>,
    pub(super) text: String,
}

impl UsersFile {
    /// Opens it; it may not be there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match fs::canonicalize(path) {
            Ok(path) => Ok(Self {
                existing: Some(fs::metadata(&path)?),
                text: fs::read_to_string(&path)?,
                path,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(Self {
                path: path.to_owned(),
                existing: None,
                text: String::new(),
            }),
            Err(error) => Err(error),
        }
    }

    pub(super) const fn is_there(&self) -> bool {
        self.existing.is_some()
    }

    /// Replaces it as a whole: whoever reads sees the old file or the new one, also after a loss of power. It keeps its mode
    /// and its owner; one that was not there is for its owner alone.
    pub(super) fn replace(&self, text: &str) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        if let Some(existing) = &self.existing {
            let own = file.as_file().metadata()?;
            if (own.uid(), own.gid()) != (existing.uid(), existing.gid()) {
                fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()))?;
            }
            file.as_file().set_permissions(existing.permissions())?;
        }
        file.as_file().sync_all()?;
        match self.existing {
            Some(_) => file.persist(&self.path),
            None => file.persist_noclobber(&self.path),
        }
        .map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}
