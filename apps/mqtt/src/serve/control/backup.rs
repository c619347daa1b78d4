//! A copy of the store, while the broker goes on.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use mqtt_store::{StoreError, Writer};

use super::exchange::{Output, Stopped};
use crate::ctl::protocol::{Copied, Fault, Kind};
use crate::serve::log;

/// So often is told how far it has come.
const EVERY: Duration = Duration::from_secs(1);

/// How far it has come, in records.
#[derive(Default)]
struct Progress {
    done: AtomicU64,
    all: AtomicU64,
}

impl Progress {
    fn item(&self, path: &str, bytes: Option<u64>) -> Copied {
        Copied {
            path: path.to_owned(),
            records: self.done.load(Ordering::Relaxed),
            of: self.all.load(Ordering::Relaxed),
            bytes,
        }
    }
}

/// Copies the store to this path, which is one of the broker's machine, and the file its user's.
pub(super) fn backup(
    store: Option<&Writer>,
    path: &str,
    force: bool,
    output: &mut Output<'_, '_>,
) -> Result<(), Stopped> {
    let refused = |message: &str| Stopped::Fault(Fault::new(Kind::BadRequest, message));
    let Some(store) = store else {
        return Err(refused(
            "this broker keeps everything in memory: it has no store to copy",
        ));
    };
    if !Path::new(path).is_absolute() {
        return Err(refused("the path of a copy begins at the root"));
    }
    if !force && Path::new(path).symlink_metadata().is_ok() {
        return Err(refused(&format!(
            "{path}: there is a file already; with `force` it is replaced"
        )));
    }
    tracing::info!(target: log::CONTROL, path, "the store is being copied, as the control socket was told");
    let progress = Progress::default();
    let copied = copy(store, path, force, &progress, output);
    match copied.map_err(|error| Fault::new(Kind::Failed, error))? {
        Ok(bytes) => {
            tracing::info!(target: log::CONTROL, path, bytes, "the store was copied");
            Ok(output.beat(&progress.item(path, Some(bytes)))?)
        }
        Err(error) => {
            tracing::warn!(target: log::CONTROL, path, %error, "the store was not copied");
            Err(Fault::new(Kind::Failed, error).into())
        }
    }
}

/// Copies on a thread of its own, and tells meanwhile how far it has come. Nobody has to hear it: the copy is made all the same.
fn copy(
    store: &Writer,
    path: &str,
    force: bool,
    progress: &Progress,
    output: &mut Output<'_, '_>,
) -> io::Result<Result<u64, StoreError>> {
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let copying = thread::Builder::new().name("mqtt-backup".to_owned());
        let copying = copying.spawn_scoped(scope, move || {
            let copied = store.snapshot().and_then(|snapshot| {
                snapshot.copy_to(path, force, |done, all| {
                    progress.done.store(done, Ordering::Relaxed);
                    progress.all.store(all, Ordering::Relaxed);
                })
            });
            // It is waited for.
            let _ = sender.send(copied);
        })?;
        loop {
            match receiver.recv_timeout(EVERY) {
                Ok(copied) => return Ok(copied),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = output.beat(&progress.item(path, None));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = copying.join();
                    return Err(io::Error::other("copying the store has panicked"));
                }
            }
        }
    })
}
