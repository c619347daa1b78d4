//! The brokers, each as a process of its own.

use std::fs;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Failed;

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
}

/// All of them.
pub const ALL: [Kind; 6] = [
    Kind::Ours,
    Kind::OursTwo,
    Kind::Mosquitto,
    Kind::Rumqttd,
    Kind::Nats,
    Kind::Null,
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

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// This project's.
    pub mqtt: PathBuf,
    null: PathBuf,
    rumqttd: PathBuf,
}

impl Programs {
    /// With `mqtt` there, and `rumqttd` where it was told to be.
    pub fn new(mqtt: PathBuf, rumqttd: PathBuf) -> Result<Self, Failed> {
        let null = std::env::current_exe()?.with_file_name("null");
        Ok(Self { mqtt, null, rumqttd })
    }

    fn command(&self, kind: Kind) -> Command {
        match kind {
            Kind::Ours | Kind::OursTwo => Command::new(&self.mqtt),
            Kind::Null => Command::new(&self.null),
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

/// What a broker is to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Nothing.
    Memory,
    /// What is acknowledged is in a file, flushed; mosquitto has its persistence, which writes when it ends and every half hour.
    File,
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
    /// Starts one on a port that nobody has.
    pub fn start(programs: &Programs, kind: Kind, keeping: Keeping) -> Result<Self, Failed> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let mut command = programs.command(kind);
        configure(&mut command, kind, keeping, port, folder.path())?;
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
        running.listens(kind)?;
        Ok(running)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn listens(&mut self, kind: Kind) -> Result<(), Failed> {
        let until = Instant::now() + PATIENCE;
        loop {
            if answers(self.port).is_ok() {
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
    use std::io::Write;
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

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(command: &mut Command, kind: Kind, keeping: Keeping, port: u16, folder: &Path) -> Result<(), Failed> {
    match kind {
        Kind::Ours | Kind::OursTwo => {
            let file = written(folder, "mqtt.toml", &ours(kind, keeping, port, folder))?;
            command.args(["broker", "--config"]).arg(file);
        }
        Kind::Mosquitto => {
            let file = written(folder, "mosquitto.conf", &mosquitto(keeping, port, folder))?;
            command.arg("-c").arg(file);
        }
        Kind::Rumqttd => {
            let file = written(folder, "rumqttd.toml", &rumqttd(port))?;
            command.arg("--quiet").arg("-c").arg(file);
        }
        Kind::Nats => {
            let file = written(folder, "nats.conf", &nats(port, folder))?;
            command.arg("-c").arg(file);
        }
        Kind::Null => {
            command.arg(port.to_string());
        }
    }
    Ok(())
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Failed> {
    let file = folder.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

fn ours(kind: Kind, keeping: Keeping, port: u16, folder: &Path) -> String {
    let shards = if kind == Kind::OursTwo { 2 } else { 1 };
    let persistence = match keeping {
        Keeping::Memory => String::new(),
        Keeping::File => format!(
            "[persistence]\npath = \"{}\"\ndurability = \"sync\"\n",
            folder.join("store").display()
        ),
    };
    format!(
        "shards = {shards}\n{persistence}[limits.broker]\nsubscriptions_per_session = 1000000\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n"
    )
}

/// Without bounds that drop messages, and without a log: its fastest configuration that loses nothing.
fn mosquitto(keeping: Keeping, port: u16, folder: &Path) -> String {
    let persistence = match keeping {
        Keeping::Memory => "persistence false\n".to_owned(),
        Keeping::File => format!("persistence true\npersistence_location {}/\n", folder.display()),
    };
    format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type none\nuser root\n\
         max_queued_messages 0\nmax_inflight_messages 100\n{persistence}"
    )
}

/// The configuration that it prints, with room for all connections.
fn rumqttd(port: u16) -> String {
    format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20010\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"v4-1\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 1\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\nmax_inflight_count = 100\n\
         dynamic_filters = true\n"
    )
}

/// MQTT needs its store, also for QoS 0.
fn nats(port: u16, folder: &Path) -> String {
    format!(
        "host: 127.0.0.1\nport: -1\nserver_name: bench\njetstream {{ store_dir: \"{}\" }}\n\
         mqtt {{ host: 127.0.0.1, port: {port} }}\n",
        folder.join("jetstream").display()
    )
}
