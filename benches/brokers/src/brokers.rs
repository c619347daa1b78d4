//! The brokers, each as a process of its own.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failed;
use crate::certificate::Certificate;
use crate::configuration::{Setup, configure};
use crate::rows::Row;

/// How long a broker may take to listen.
const PATIENCE: Duration = Duration::from_secs(15);

/// A broker that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `mqtt broker` with one shard.
    Ours,
    /// `mqtt broker` with two.
    OursTwo,
    /// Debian's mosquitto.
    Mosquitto,
    /// rumqttd of the registry.
    Rumqttd,
    /// Debian's nats-server.
    Nats,
    /// What only forwards.
    Null,
    /// The store of `mqtt broker` without the broker.
    Store,
}

/// All of them.
pub const ALL: [Kind; 7] = [
    Kind::Ours,
    Kind::OursTwo,
    Kind::Mosquitto,
    Kind::Rumqttd,
    Kind::Nats,
    Kind::Null,
    Kind::Store,
];

impl Kind {
    /// What it is called on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "mqtt-1",
            Self::OursTwo => "mqtt-2",
            Self::Mosquitto => "mosquitto",
            Self::Rumqttd => "rumqttd",
            Self::Nats => "nats",
            Self::Null => "null",
            Self::Store => "store",
        }
    }

    /// By its name.
    pub fn from_name(name: &str) -> Result<Self, String> {
        let found = ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("it is one of {}", ALL.map(Self::name).join(", ")))
    }

    /// Whether it is a foreign broker, and not this project's or none at all.
    pub const fn is_peer(self) -> bool {
        matches!(self, Self::Mosquitto | Self::Rumqttd | Self::Nats)
    }
}

/// Where the programs are, and who they are.
#[derive(Debug)]
pub struct Programs {
    /// This project's.
    pub mqtt: PathBuf,
    null: PathBuf,
    store: PathBuf,
    rumqttd: PathBuf,
    /// The generator that is not ours, if it is there.
    pub foreign: Option<PathBuf>,
    /// Of all brokers that speak TLS.
    pub certificate: Certificate,
}

impl Programs {
    /// With `mqtt` there, and `rumqttd` where it was told to be.
    pub fn new(mqtt: PathBuf, rumqttd: PathBuf) -> Result<Self, Failed> {
        let own = std::env::current_exe()?;
        Ok(Self {
            mqtt,
            null: own.with_file_name("null"),
            store: own.with_file_name("store"),
            rumqttd,
            foreign: None,
            certificate: Certificate::new()?,
        })
    }

    /// What starts it.
    pub fn command(&self, kind: Kind) -> Command {
        match kind {
            Kind::Ours | Kind::OursTwo => Command::new(&self.mqtt),
            Kind::Null => Command::new(&self.null),
            Kind::Store => Command::new(&self.store),
            Kind::Mosquitto => Command::new(found("mosquitto")),
            Kind::Rumqttd => Command::new(&self.rumqttd),
            Kind::Nats => Command::new(found("nats-server")),
        }
    }

    /// What it says of its version; `None` if it is not there, with advice on standard error.
    pub fn version(&self, kind: Kind) -> Option<String> {
        let (arguments, advice) = match kind {
            Kind::Ours | Kind::OursTwo => (["--version"], "cargo build --release -p mqtt"),
            Kind::Mosquitto => (["-h"], "apt install mosquitto"),
            Kind::Rumqttd => (
                ["--version"],
                "cargo install rumqttd --version 0.20.0 (without --locked), or --rumqttd PATH",
            ),
            Kind::Nats => (["--version"], "apt install nats-server"),
            Kind::Null => return self.null.exists().then(|| "of this folder".to_owned()),
            Kind::Store => {
                return self
                    .store
                    .exists()
                    .then(|| "the store of mqtt, without the broker".to_owned());
            }
        };
        let Ok(output) = self.command(kind).args(arguments).output() else {
            eprintln!("skipped: {}, which is not there: {advice}", kind.name());
            return None;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().map(str::to_owned)
    }
}

/// A daemon is often outside of the path of those who may start it.
fn found(name: &str) -> PathBuf {
    let there = Path::new("/usr/sbin").join(name);
    if there.exists() { there } else { name.into() }
}

/// A broker that runs. It ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub port: u16,
    _folder: TempDir,
}

impl Running {
    /// Starts one for this row, on a port that nobody has.
    pub fn start(programs: &Programs, kind: Kind, row: &Row) -> Result<Self, Failed> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let mut command = programs.command(kind);
        let setup = Setup {
            kind,
            keeping: row.keeping(),
            port,
            folder: folder.path(),
            certificate: row.has_tls.then_some(&programs.certificate),
        };
        configure(&mut command, &setup)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut running = Self {
            child,
            port,
            _folder: folder,
        };
        running.listens(kind, || match row.has_tls {
            true => answers_over_tls(programs, port),
            false => answers(port).is_ok(),
        })?;
        Ok(running)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn listens(&mut self, kind: Kind, is_ready: impl Fn() -> bool) -> Result<(), Failed> {
        let until = Instant::now() + PATIENCE;
        loop {
            if is_ready() {
                return Ok(());
            }
            let has_ended = self.child.try_wait()?.is_some();
            if has_ended || Instant::now() > until {
                let log = fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
                return Err(format!("{} does not listen on port {}: {}", kind.name(), self.port, log.trim()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether a client is let in: some brokers listen before they are ready.
fn answers(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3C\x00\x05ready")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    let is_in = answer == [0x20, 2, 0, 0];
    stream.write_all(b"\xE0\x00")?;
    if is_in {
        Ok(())
    } else {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// The same over TLS.
fn answers_over_tls(programs: &Programs, port: u16) -> bool {
    let mut command = Command::new(&programs.mqtt);
    command.args(["bench", "-V", "3.1.1", "--quiet", "--publishers", "0", "--idle", "1"]);
    command.args(programs.certificate.arguments(port));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
