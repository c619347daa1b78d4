//! The file of the socket: made for one user alone, and gone with the broker.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Reading and writing, for the user of the process.
const MODE: u32 = 0o600;

/// Where a socket is. When this is dropped, its file is removed, unless it is another's by then.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    identity: (u64, u64),
}

/// Listens at a path. What a process that has ended left there is replaced.
///
/// The socket is made in a folder that nobody else can enter, and moved to its path when its rights are right: at no time
/// can another user open it.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, Place)> {
    check_free(path)?;
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
    fs::rename(&made, path)?;
    let place = Place {
        path: path.to_owned(),
        identity,
    };
    Ok((listener, place))
}

/// What the system says, without the path of the folder.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "its folder is not this user's to write".to_owned(),
        _ => error.to_string(),
    }
}

/// Nothing is there, or nothing but what may be replaced.
fn check_free(path: &Path) -> io::Result<()> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => refused("something else than a socket is there"),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => refused("another process serves this socket: end it, or choose another path"),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
        },
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
            1,
            "the folder of its making is gone"
        );
        drop(place);
        assert!(!path.exists());
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
    fn the_socket_of_a_successor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let (listener, place) = bind(&path).unwrap();
        drop(listener);
        let (_listener, _successor) = bind(&path).unwrap();
        drop(place);
        UnixStream::connect(&path).unwrap();
    }
}
