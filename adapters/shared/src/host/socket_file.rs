//! The file of a unix socket: made where nothing is, or where a socket is left that nobody serves, and gone with its host.
//!
//! A socket that nobody serves looks like one that is bound and does not listen yet, and what was found dead may be replaced
//! before it is removed. So whoever makes or removes a socket holds a lock on its folder meanwhile: of hosts that start at one
//! path in the same moment one serves. The system takes the lock back however its holder ends, and it leaves no file.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long others may hold the lock on a folder. Each needs it for moments.
const LOCKED_MAX: Duration = Duration::from_secs(5);
/// How long to wait until it is tried again.
const PAUSE: Duration = Duration::from_millis(2);

/// Where a socket is. When this is dropped, its file is removed, unless it is another's by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Device, number and time of the last change, since a number is given again when its file is gone.
type Identity = (u64, u64, i64, i64);

/// Listens at a path. Nothing but a socket that nobody serves is replaced.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let _lock = lock_folder(path)?;
    let socket = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            make_free(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(&fs::symlink_metadata(path)?),
    };
    Ok((socket, file))
}

/// Locks the folder of this path until the value is dropped. No other host makes or removes a socket there meanwhile.
fn lock_folder(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let told = |error: io::Error| {
        let message = format!("its folder {} cannot be locked: {error}", folder.display());
        io::Error::new(error.kind(), message)
    };
    let file = File::open(folder).map_err(told)?;
    let until = Instant::now() + LOCKED_MAX;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < until => thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => {
                let held = "another process holds it: end it, or choose another path";
                return Err(told(io::Error::new(io::ErrorKind::AddrInUse, held)));
            }
            Err(error) => return Err(told(error.into())),
        }
    }
}

/// Removes what is there, if it is a socket that nobody serves.
fn make_free(path: &Path) -> io::Result<()> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::AddrInUse, why);
    // Connecting to any other file is refused as well, so that says nothing of it.
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(refused(
            "something else than a socket is there: choose another path, or remove it",
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(refused(
            "another process serves this socket: end it, or choose another path",
        )),
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Without the lock another could take its place between the look and the removal. What is left is replaced by the next.
        let Ok(_lock) = lock_folder(&self.path) else { return };
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::Barrier;

    use tempfile::tempdir;

    use super::*;

    const THREADS: usize = 8;

    #[test]
    fn of_many_that_start_at_one_dead_socket_one_serves() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("socket");
        for _ in 0..100 {
            drop(UnixListener::bind(&path).unwrap());
            let begin = Barrier::new(THREADS);
            let all: Vec<_> = thread::scope(|scope| {
                let start = || {
                    begin.wait();
                    bind(&path)
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(all.iter().filter(|bound| bound.is_ok()).count(), 1, "{all:?}");
            UnixStream::connect(&path).unwrap();
            drop(all);
            assert!(!path.exists(), "it goes with the one that serves");
        }
    }

    /// Whoever connects to a socket that is being served comes to whom it belongs.
    fn is_reached(listener: &UnixListener, path: &Path, number: u8) -> bool {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(&[number]).unwrap();
        listener.set_nonblocking(true).unwrap();
        // Others come too, to see whether it is served, and say nothing.
        while let Ok((mut other, _)) = listener.accept() {
            let mut said = [0];
            other.set_nonblocking(true).unwrap();
            if other.read(&mut said).is_ok_and(|len| len == 1) {
                return said == [number];
            }
        }
        false
    }

    #[test]
    fn a_socket_is_its_owners_while_others_come_and_go() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("socket");
        let served: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS as u8)
                .map(|number| {
                    let path = &path;
                    scope.spawn(move || {
                        let serve = |_: &i32| {
                            let Ok((listener, file)) = bind(path) else { return false };
                            assert!(is_reached(&listener, path, number));
                            // The socket is dead before its file goes, as with a host that ends.
                            drop(listener);
                            drop(file);
                            true
                        };
                        (0..200).filter(serve).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(served > 0 && !path.exists(), "{served}");
    }

    #[test]
    fn a_folder_that_cannot_be_locked_is_named() {
        let folder = tempdir().unwrap();
        let error = bind(&folder.path().join("none/socket")).unwrap_err();
        assert!(error.to_string().contains("none cannot be locked"), "{error}");
    }
}
