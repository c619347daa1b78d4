//! The file of the socket: made for one user alone, and gone with the broker.
//!
//! Whose it is says a lock on a file beside it, `PATH.lock`, which its owner holds for as long as it lives, however it ends. Both files
//! go with a broker that ends by itself; what a killed one leaves is replaced.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Reading and writing, for the user of the process.
const MODE: u32 = 0o600;
/// A socket that is neither refused nor opened in this time is served by somebody who is stopped.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Where a socket is. When this is dropped, its file is removed, unless it is another's by then.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    identity: (u64, u64),
    /// Goes after the socket.
    _lock: Lock,
}

/// The lock of a path.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

/// Listens at a path. What a process that has ended left there is replaced.
///
/// The socket is made in a folder that nobody else can enter, and linked to its path when its rights are right: at no time
/// can another user open it, and nothing that is there is overwritten.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, Place)> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = tempfile::Builder::new()
        .prefix(".mqtt-")
        .tempdir_in(parent.unwrap_or_else(|| Path::new(".")))
        .map_err(|error| io::Error::new(error.kind(), format!("no socket can be made there: {}", plain(&error))))?;
    let made = folder.path().join("s");
    let listener = UnixListener::bind(&made).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => io::Error::new(error.kind(), "the path is too long for a socket"),
        _ => error,
    })?;
    fs::set_permissions(&made, Permissions::from_mode(MODE))?;
    let identity = identity(&made)?;
    let lock = Lock::take(path)?;
    let folder = make_free(path, folder)?;
    fs::hard_link(&made, path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => refused("something else is there since a moment ago"),
        _ => error,
    })?;
    let place = Place {
        path: path.to_owned(),
        identity,
        _lock: lock,
    };
    drop(folder);
    Ok((listener, place))
}

impl Lock {
    fn take(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let path = path.with_file_name(name);
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        loop {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(MODE);
            let file = options.open(&path).map_err(told)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(is_served()),
                Err(TryLockError::Error(error)) => return Err(told(error)),
            }
            let locked = file.metadata().map_err(told)?;
            // The file of an owner that has removed it since is not the one that others lock.
            match identity(&path) {
                Ok(there) if there == (locked.dev(), locked.ino()) => return Ok(Self { path, _file: file }),
                Ok(_) if fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) => {
                    return Err(told(io::Error::other("it is a link: remove it")));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(error)),
                _ => {}
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It is still held: nobody else has it.
        let _ = fs::remove_file(&self.path);
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, why)
}

fn is_served() -> io::Error {
    refused("another process serves this socket: end it, or choose another path")
}

/// What the system says, without the path of the folder.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "its folder is not this user's to write".to_owned(),
        _ => error.to_string(),
    }
}

/// Moves away what is there, if it is a socket that nobody serves. Whoever calls this has the lock: no broker does the same.
fn make_free(path: &Path, folder: TempDir) -> io::Result<TempDir> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(folder),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(refused("something else than a socket is there")),
        // It may be of a program that knows nothing of the lock.
        Ok(_) if is_live(path)? => Err(is_served()),
        Ok(_) => move_away(path, folder),
    }
}

/// Moves away a socket, and nothing else.
fn move_away(path: &Path, folder: TempDir) -> io::Result<TempDir> {
    let old = folder.path().join("old");
    match fs::rename(path, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::symlink_metadata(&old) {
        // It has come since: it goes back, unless its place is taken again.
        Ok(metadata) if !metadata.file_type().is_socket() => match fs::hard_link(&old, path) {
            Ok(()) => Err(refused("something else than a socket is there")),
            Err(_) => {
                let kept = folder.keep().join("old");
                let kept = kept.display();
                Err(refused(&format!(
                    "something else than a socket was there: it is kept as {kept}"
                )))
            }
        },
        _ => Ok(folder),
    }
}

/// Whether somebody serves a socket.
fn is_live(path: &Path) -> io::Result<bool> {
    let path = path.to_owned();
    let (sender, answer) = mpsc::sync_channel(1);
    // It waits for a process that is stopped; then it is left waiting.
    thread::Builder::new().name("mqtt-control".to_owned()).spawn(move || {
        let _ = sender.send(UnixStream::connect(path).map(drop));
    })?;
    match answer.recv_timeout(CONNECT_TIME) {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(true),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Drop for Place {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_its_user_alone_and_goes_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let (_listener, place) = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        UnixStream::connect(&path).unwrap();
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            2,
            "the socket and its lock: the folder of its making is gone"
        );
        drop(place);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn what_is_left_is_replaced_and_what_lives_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a process leaves it that is killed");
        let (_listener, _place) = bind(&path).unwrap();
        let error = bind(&path).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        UnixStream::connect(&path).expect("it is still there");
    }

    #[test]
    fn another_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "precious").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = bind(&folder.path().join("x".repeat(40)).join("../".repeat(40)).join("s"));
        assert!(error.is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left");
        let error = bind(&folder.path().join("no/folder")).unwrap_err();
        assert!(error.to_string().contains("folder does not exist"), "{error}");
    }

    #[test]
    fn the_socket_of_another_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let (_listener, place) = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(place);
        UnixStream::connect(&path).unwrap();
        let error = bind(&path).unwrap_err();
        assert!(error.to_string().contains("another process"), "it has no lock: {error}");
    }

    /// Whether it takes connections does not matter: it may be stopped, and its queue of them full.
    #[test]
    fn an_owner_is_known_by_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let (listener, place) = bind(&path).unwrap();
        drop(listener);
        let error = bind(&path).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        drop(place);
        bind(&path).unwrap();
    }

    #[test]
    fn of_many_that_start_at_once_one_serves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        for _ in 0..20 {
            drop(UnixListener::bind(&path).unwrap());
            let all: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bind(&path))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(all.iter().filter(|bound| bound.is_ok()).count(), 1, "{all:?}");
            UnixStream::connect(&path).unwrap();
            drop(all);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    /// The file has come between the look at the path and the move.
    #[test]
    fn nothing_is_overwritten_that_comes_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        fs::write(&path, "precious").unwrap();
        let aside = tempfile::tempdir_in(folder.path()).unwrap();
        let error = move_away(&path, aside).unwrap_err();
        assert!(error.to_string().contains("something else"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
