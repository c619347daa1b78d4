//! Foreign brokers: each as a process of its own at a port of 127.0.0.1.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use mqtt_session::QoS;
use mqtt_session::proto::Version;
use tempfile::TempDir;

use crate::Setup;
use crate::program::{Program, find, installed, script};

/// What a broker speaks, and what it does not.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// The versions that it speaks.
    pub versions: &'static [Version],
    /// Each QoS that it has.
    pub qos: &'static [QoS],
    /// What it lacks, in words. Each has a test.
    pub lacks: &'static [Lack],
    /// Whether what it gave to a connection that was cut, before it noticed, comes in the next one before all others. Else it comes last,
    /// after half a minute.
    pub resends_in_order: bool,
    start: fn(&Ports, &Path) -> Option<Vec<Program>>,
    /// How long it may take to start.
    patience: Duration,
}

/// What a broker lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It refuses this version as one that it does not speak.
    Version(Version),
    /// It closes the connection of a client that asks for this version, without a word.
    VersionUnanswered(Version),
    /// It grants no more than this QoS.
    GrantsAtMost(QoS),
    /// It closes the connection of a client that publishes with QoS 2.
    ClosesOnQoS2,
    /// It acknowledges a message of QoS 2 with PUBACK, and not with PUBREC.
    AcknowledgesQoS2AsQoS1,
}

const SHORT: Duration = Duration::from_secs(20);
/// An Erlang machine starts slowly, and slower beside other work.
const LONG: Duration = Duration::from_secs(180);

/// mosquitto 2.0.11, as Debian has it.
pub static MOSQUITTO: Kind = Kind {
    name: "mosquitto",
    versions: &[Version::V5, Version::V3_1_1, Version::V3_1],
    qos: &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce],
    lacks: &[],
    resends_in_order: true,
    start: start_mosquitto,
    patience: SHORT,
};

/// RabbitMQ 3.10 with its MQTT plugin, as Debian has it.
pub static RABBITMQ: Kind = Kind {
    name: "RabbitMQ",
    versions: &[Version::V3_1_1, Version::V3_1],
    qos: &[QoS::AtMostOnce, QoS::AtLeastOnce],
    lacks: &[
        Lack::VersionUnanswered(Version::V5),
        Lack::GrantsAtMost(QoS::AtLeastOnce),
        Lack::AcknowledgesQoS2AsQoS1,
    ],
    resends_in_order: true,
    start: start_rabbitmq,
    patience: LONG,
};

/// nats-server 2.9, as Debian has it.
pub static NATS: Kind = Kind {
    name: "nats-server",
    versions: &[Version::V3_1_1],
    qos: &[QoS::AtMostOnce, QoS::AtLeastOnce],
    lacks: &[
        Lack::Version(Version::V5),
        Lack::VersionUnanswered(Version::V3_1),
        Lack::GrantsAtMost(QoS::AtLeastOnce),
        Lack::ClosesOnQoS2,
    ],
    resends_in_order: false,
    start: start_nats,
    patience: SHORT,
};

/// aedes 1.2, from npm.
pub static AEDES: Kind = Kind {
    name: "aedes",
    versions: &[Version::V3_1_1, Version::V3_1],
    qos: &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce],
    lacks: &[Lack::Version(Version::V5)],
    resends_in_order: true,
    start: start_aedes,
    patience: SHORT,
};

/// A broker that listens, and ends with this value.
#[derive(Debug)]
pub struct Broker {
    /// What it is.
    pub kind: &'static Kind,
    address: SocketAddr,
    // In this order: what a program works in is deleted after its end.
    programs: Vec<Program>,
    _folder: TempDir,
}

/// Ports that were free a moment ago.
struct Ports {
    mqtt: u16,
    others: [u16; 3],
}

impl Broker {
    /// Starts one. `None`, with a printed reason, if there is none on this machine.
    ///
    /// # Panics
    /// If there is none, and the environment says that there has to be; or if it does not start.
    #[must_use]
    pub fn start(kind: &'static Kind) -> Option<Self> {
        Self::start_by(kind, kind.start)
    }

    /// Starts a mosquitto with something on its streams. `None`, with a printed reason, if there is none on this machine.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn mosquitto(setup: &Setup) -> Option<Self> {
        Self::start_by(&MOSQUITTO, |ports, folder| start_mosquitto_with(setup, ports, folder))
    }

    fn start_by(kind: &'static Kind, start: impl FnOnce(&Ports, &Path) -> Option<Vec<Program>>) -> Option<Self> {
        let folder = TempDir::new().expect("there is room for a folder");
        let ports = Ports::new().expect("there are ports");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.mqtt));
        let mut programs = start(&ports, folder.path())?;
        let server = programs.last_mut().expect("a broker is a program");
        server.wait_until(kind.patience, || TcpStream::connect(address).ok());
        Some(Self {
            kind,
            address,
            programs,
            _folder: folder,
        })
    }

    /// The number of its process, where the system tells.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.programs.last()?.process()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Ports {
    fn new() -> io::Result<Self> {
        let free = || TcpListener::bind("127.0.0.1:0");
        let sockets = [free()?, free()?, free()?, free()?];
        let port = |index: usize| sockets[index].local_addr().map(|address| address.port());
        Ok(Self {
            mqtt: port(0)?,
            others: [port(1)?, port(2)?, port(3)?],
        })
    }
}

fn start_mosquitto(ports: &Ports, folder: &Path) -> Option<Vec<Program>> {
    start_mosquitto_with(&Setup::default(), ports, folder)
}

fn start_mosquitto_with(setup: &Setup, ports: &Ports, folder: &Path) -> Option<Vec<Program>> {
    let program = find(&["mosquitto"])?;
    let config = setup.lines(ports.mqtt, folder).expect("there is room for files");
    let file = written(folder, "mosquitto.conf", &config);
    let server = Program::start(&program, b"", |command| {
        command.arg("-c").arg(file);
    });
    Some(vec![server.expect("mosquitto starts")])
}

fn start_nats(ports: &Ports, folder: &Path) -> Option<Vec<Program>> {
    let program = find(&["nats-server"])?;
    let config = format!(
        "server_name: testbed\nlisten: 127.0.0.1:{}\nmax_payload: 4MB\n\
         jetstream {{ store_dir: \"{}\" }}\nmqtt {{ listen: 127.0.0.1:{} }}\n",
        ports.others[0],
        folder.join("jetstream").display(),
        ports.mqtt
    );
    let file = written(folder, "nats.conf", &config);
    let server = Program::start(&program, b"", |command| {
        command.arg("-c").arg(file);
    });
    Some(vec![server.expect("nats-server starts")])
}

fn start_aedes(ports: &Ports, _: &Path) -> Option<Vec<Program>> {
    let (node, modules) = (find(&["node"])?, installed("node")?);
    let server = Program::start(&node, b"", |command| {
        command
            .arg(script("node/aedes.mjs"))
            .arg(modules)
            .arg(ports.mqtt.to_string());
    });
    Some(vec![server.expect("node starts")])
}

/// The program itself, since the one in the path of programs changes the user. Erlang's name server is started beside it,
/// where it would else start one that stays.
fn start_rabbitmq(ports: &Ports, folder: &Path) -> Option<Vec<Program>> {
    let names = find(&["epmd"])?;
    let program = find(&["/usr/lib/rabbitmq/bin/rabbitmq-server"])?;
    let [names_port, amqp_port, node_port] = ports.others.map(|port| port.to_string());
    let config = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp_port}\nmqtt.listeners.tcp.1 = 127.0.0.1:{}\nmqtt.allow_anonymous = true\n\
         mqtt.prefetch = 100\nlog.console = true\nlog.console.level = warning\n",
        ports.mqtt
    );
    let config = written(folder, "rabbitmq.conf", &config);
    let plugins = written(folder, "plugins", "[rabbitmq_mqtt].\n");
    let names = Program::start(&names, b"", |command| {
        command.args(["-address", "127.0.0.1", "-port", &names_port]);
    });
    let server = Program::start(&program, b"", |command| {
        command
            .env("HOME", folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", &names_port)
            .env("RABBITMQ_ALLOW_INPUT", "true")
            .env("RABBITMQ_NODENAME", format!("testbed{amqp_port}@localhost"))
            .env("RABBITMQ_DIST_PORT", node_port)
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("RABBITMQ_CONFIG_FILE", config)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-");
    });
    Some(vec![names.expect("epmd starts"), server.expect("RabbitMQ starts")])
}

fn written(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).expect("there is room for a file");
    file
}
