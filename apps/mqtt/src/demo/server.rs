//! The broker of the demonstration: a child process of the same program.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Ending;

const PATIENCE: Duration = Duration::from_secs(10);

/// The process, its store and its address. It ends with this value.
#[derive(Debug)]
pub(super) struct Server {
    folder: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts it on an empty store, and waits until it listens.
    pub(super) fn start() -> Result<Self, Ending> {
        let folder = tempfile::Builder::new().prefix("mqtt-demo-").tempdir()?;
        // A port that was free a moment ago: the broker has to have the same one again after it was killed.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = format!(
            "[[listener]]\naddress = \"{address}\"\n\n[persistence]\npath = {:?}\n",
            folder.path().join("broker.store")
        );
        fs::write(folder.path().join("broker.toml"), config)?;
        let child = spawn(&folder)?;
        let mut server = Self { folder, address, child };
        server.wait()?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as no process can prevent. Which one it was, and which signal ended it, as the system tells.
    pub(super) fn kill(&mut self) -> Result<(u32, String), Ending> {
        self.child.kill()?;
        let status = self.child.wait()?;
        Ok((self.child.id(), ended_by(status)))
    }

    /// Starts it again on the same store, and waits until it listens.
    pub(super) fn restart(&mut self) -> Result<(), Ending> {
        self.child = spawn(&self.folder)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<(), Ending> {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(Ending::failed(format_args!(
                    "the broker has ended: {status}\n{}",
                    self.log()
                )));
            }
            if Instant::now() > until {
                return Err(Ending::failed(format_args!(
                    "the broker does not listen\n{}",
                    self.log()
                )));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and needs not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir) -> io::Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log_of(folder))?;
    Command::new(std::env::current_exe()?)
        .arg("broker")
        .arg("--config")
        .arg(folder.path().join("broker.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("broker.log")
}

#[cfg(unix)]
fn ended_by(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    status
        .signal()
        .map_or_else(|| status.to_string(), |signal| signal.to_string())
}

#[cfg(not(unix))]
fn ended_by(status: ExitStatus) -> String {
    status.to_string()
}
