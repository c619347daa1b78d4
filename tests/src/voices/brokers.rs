//! The servers, each as a process that ends with its value.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts the program `mqtt broker`, with this before the listener in its configuration.
    ///
    /// # Errors
    /// If it does not start, or does not say where it listens.
    pub fn ours(program: &Path, settings: &str) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let config = folder.path().join("mqtt.toml");
        fs::write(&config, format!("{settings}\n[[listener]]\naddress = '127.0.0.1:0'\n"))?;
        let mut command = Command::new(program);
        command.args(["broker", "--config"]).arg(config).stderr(Stdio::piped());
        let mut running = Self::start(command, folder)?;
        let log = running.child.stderr.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let (sender, addresses) = channel();
        // It is read to its end, so that nobody waits for room in the pipe.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let said = line
                    .split_once(" listening ")
                    .and_then(|(_, said)| said.split_once("address="));
                let address = said.and_then(|(_, said)| said.split(' ').next()?.parse().ok());
                address.map(|address| sender.send(address));
            }
        });
        let silent = |_| io::Error::other("mqtt broker does not say where it listens");
        running.address = addresses.recv_timeout(PATIENCE).map_err(silent)?;
        Ok(running)
    }

    /// Starts mosquitto.
    ///
    /// # Errors
    /// If it is there and does not start. `NotFound` if it is not there.
    pub fn mosquitto() -> io::Result<Self> {
        let program = found("mosquitto")?;
        let (folder, port) = (TempDir::new()?, free_port()?);
        // Without a limit of its queue, version 2.0.11 drops connections and stops sending.
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n\
             max_inflight_messages 0\nset_tcp_nodelay true\nallow_duplicate_messages true\n"
        );
        let file = folder.path().join("mosquitto.conf");
        fs::write(&file, config)?;
        // It gives the rights of root up.
        #[cfg(unix)]
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        let mut command = Command::new(program);
        command.arg("-c").arg(file).stderr(Stdio::null());
        Self::start(command, folder)?.listening_at(port)
    }

    /// Starts aedes from the packages of node that stand below `peers` in cargo's target folder.
    ///
    /// # Errors
    /// If it is there and does not start. `NotFound` if it is not there.
    pub fn aedes() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut places = program.ancestors().map(|place| place.join("peers/node"));
        let modules = places.find(|place| place.is_dir()).ok_or(io::ErrorKind::NotFound)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adapters/testbed/peers/node/aedes.mjs");
        let (folder, port) = (TempDir::new()?, free_port()?);
        let mut command = Command::new(found("node")?);
        command
            .arg(script)
            .arg(modules)
            .arg(port.to_string())
            .stderr(Stdio::null());
        Self::start(command, folder)?.listening_at(port)
    }

    fn start(mut command: Command, folder: TempDir) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            child,
            _folder: folder,
        })
    }

    fn listening_at(mut self, port: u16) -> io::Result<Self> {
        self.address.set_port(port);
        let until = Instant::now() + PATIENCE;
        while let Err(error) = TcpStream::connect(self.address) {
            if Instant::now() > until {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(self)
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A program in the path of programs, or where Debian has servers.
fn found(name: &str) -> io::Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&folders)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name));
    places
        .find(|place| place.is_file())
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}
