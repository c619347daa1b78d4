//! A door to a server in the file system.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

/// A socket of this machine, through which one gets to a server. It is gone with this value; connections go on.
pub(crate) struct Door {
    path: PathBuf,
}

impl Door {
    /// A door with this name to this server.
    pub(crate) fn to(server: SocketAddr, name: &str) -> io::Result<Self> {
        let file = format!("mqtt-testbed-{}-{name}-{}.sock", std::process::id(), server.port());
        let path = std::env::temp_dir().join(file);
        let listener = UnixListener::bind(&path)?;
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                thread::spawn(move || serve(&near, server));
            }
        });
        Ok(Self { path })
    }

    /// As a client asks for it.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.path.display())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(near: &UnixStream, server: SocketAddr) -> io::Result<()> {
    let far = TcpStream::connect(server)?;
    far.set_nodelay(true)?;
    let (mut from_far, mut to_near) = (far.try_clone()?, near.try_clone()?);
    thread::spawn(move || {
        let passed = io::copy(&mut from_far, &mut to_near);
        to_near.shutdown(Shutdown::Write)?;
        passed
    });
    let (mut from_near, mut to_far) = (near.try_clone()?, far);
    let passed = io::copy(&mut from_near, &mut to_far);
    to_far.shutdown(Shutdown::Write)?;
    passed.map(|_| ())
}
