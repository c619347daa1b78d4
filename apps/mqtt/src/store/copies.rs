//! `mqtt store compact` and `mqtt store backup`.

use std::path::Path;

use mqtt_store::FileStore;

use super::telling::Telling;
use super::{open, refused};
use crate::Ending;
use crate::progress::Progress;

pub(super) fn compact(path: &Path) -> Result<(), Ending> {
    let progress = Progress::counting("records");
    let compaction = FileStore::compact(path, |done, all| progress.tell(done, all));
    progress.end();
    let compaction = compaction.map_err(|error| refused(&error))?;
    let (before, after) = (compaction.before_bytes, compaction.after_bytes);
    let mut telling = Telling::new();
    match after < before {
        true => telling.line(format_args!("{}: {after} bytes, {before} before", path.display())),
        false => telling.line(format_args!(
            "{}: {before} bytes; it cannot be made smaller, and is as it was",
            path.display()
        )),
    }
}

pub(super) fn backup(path: &Path, to: &Path, is_forced: bool) -> Result<(), Ending> {
    if !is_forced && to.symlink_metadata().is_ok() {
        return Err(
            Ending::failed(format_args!("{}: there is a file already", to.display()))
                .advice("--force replaces it, when the copy is whole"),
        );
    }
    let reader = open(path)?;
    let progress = Progress::of_bytes("written and read again");
    let copied = reader.copy_to(to, is_forced, |done, all| progress.tell(done, all));
    progress.end();
    let bytes = copied.map_err(|error| refused(&error))?;
    Telling::new().line(format_args!(
        "{}: {bytes} bytes, a copy of {}",
        to.display(),
        path.display()
    ))
}
