//! The file of a unix socket: made where nothing is, or where a socket is left that nobody serves, and gone with its host.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

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
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
