//! Foreign clients, as programs that go through everything a client does, against the server that they are told.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use mqtt_session::proto::Version;

use crate::program::{Program, find, installed, script};

/// A foreign client that walks through everything, with its own checks, and ends well if all of them hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walker {
    /// paho-mqtt, of Python.
    Paho,
    /// aiomqtt, of Python.
    Aiomqtt,
    /// gmqtt, of Python.
    Gmqtt,
    /// mqtt.js, of Node.
    MqttJs,
    /// rumqttc, of Rust.
    Rumqttc,
    /// Paho's client in C.
    PahoC,
}

/// Where to walk, and what is there.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The address of the server.
    pub server: SocketAddr,
    /// The version that is spoken.
    pub version: Version,
    /// Whether the server has shared subscriptions, which are walked through then.
    pub has_shared: bool,
    /// Whether the server speaks WebSocket, at the path `/mqtt`.
    pub is_websocket: bool,
    /// The server speaks TLS: the file with its authority, as PEM. The certificate is for the address of the server.
    pub authority: Option<PathBuf>,
}

impl Walk {
    /// Over TCP, through what every server has.
    #[must_use]
    pub const fn new(server: SocketAddr, version: Version) -> Self {
        Self {
            server,
            version,
            has_shared: false,
            is_websocket: false,
            authority: None,
        }
    }

    /// As the walks have it on their command line.
    fn tell(&self, command: &mut Command) {
        command.arg(self.server.port().to_string()).arg(name_of(self.version));
        if self.has_shared {
            command.arg("shared");
        }
        if self.is_websocket {
            command.arg("ws");
        }
        if let Some(file) = &self.authority {
            let mut word = OsString::from("ca=");
            word.push(file);
            command.arg(word);
        }
    }
}

/// Programs start slowly beside other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a program is called: itself, and its first arguments.
type Call = (PathBuf, Vec<PathBuf>);

impl Walker {
    fn call(self) -> Option<Call> {
        match self {
            Self::Paho => python("paho_walk.py"),
            Self::Aiomqtt => python("aiomqtt_walk.py"),
            Self::Gmqtt => python("gmqtt_walk.py"),
            Self::MqttJs => {
                let modules = installed("node")?;
                Some((find(&["node"])?, vec![script("node/mqttjs_walk.mjs"), modules]))
            }
            Self::Rumqttc => Some((installed("rumqttc")?.join("bin/rumqttc-walk"), Vec::new())),
            Self::PahoC => Some((installed("paho-c")?.join("paho-walk"), Vec::new())),
        }
    }

    /// Walks to the end, in this thread. `None`, with a printed reason, if there is none on this machine.
    ///
    /// # Panics
    /// If it does not end well, or takes too long.
    #[must_use]
    pub fn walk(self, walk: &Walk) -> Option<()> {
        let mut walking = self.start(walk)?;
        let until = Instant::now() + PATIENCE;
        while walking.ended().is_none() {
            assert!(Instant::now() < until, "it takes too long: {}", walking.report());
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended_well = walking.ended().is_some_and(|status| status.success());
        assert!(
            ended_well && walking.output().ends_with("done\n"),
            "{}",
            walking.report()
        );
        Some(())
    }

    /// Starts it. `None`, with a printed reason, if there is none on this machine.
    pub(crate) fn start(self, walk: &Walk) -> Option<Program> {
        let (program, arguments) = self.call()?;
        let walking = Program::start(&program, b"", |command| {
            command.args(arguments);
            walk.tell(command);
        });
        Some(walking.expect("the program starts"))
    }
}

fn python(name: &str) -> Option<Call> {
    let program = installed("python")?.join("bin/python");
    Some((program, vec![script("python").join(name)]))
}

/// As the walks have it on their command line.
const fn name_of(version: Version) -> &'static str {
    match version {
        Version::V3_1 => "3.1",
        Version::V3_1_1 => "3.1.1",
        Version::V5 => "5.0",
    }
}

/// One of the three clients of mosquitto: `mosquitto_pub`, `mosquitto_sub` or `mosquitto_rr`. `None`, with a printed reason, if
/// it is not on this machine.
pub(crate) fn mosquitto_client(
    name: &str,
    server: SocketAddr,
    version: Version,
    input: &str,
    prepare: impl FnOnce(&mut Command),
) -> Option<Program> {
    let version = match version {
        Version::V3_1 => "mqttv31",
        Version::V3_1_1 => "mqttv311",
        Version::V5 => "mqttv5",
    };
    let client = Program::start(&find(&[name])?, input.as_bytes(), |command| {
        command.args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", version]);
        prepare(command);
    });
    Some(client.expect("the program starts"))
}
