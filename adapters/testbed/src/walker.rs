//! Foreign clients, as programs that go through everything a client does, against the server that they are told.

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
    /// mqtt.js, over WebSocket.
    MqttJsOverWebSocket,
    /// rumqttc, of Rust.
    Rumqttc,
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
            Self::MqttJs | Self::MqttJsOverWebSocket => {
                let modules = installed("node")?;
                Some((find(&["node"])?, vec![script("node/mqttjs_walk.mjs"), modules]))
            }
            Self::Rumqttc => Some((installed("rumqttc")?.join("bin/rumqttc-walk"), Vec::new())),
        }
    }

    /// Walks to the end, in this thread. `None`, with a printed reason, if there is none on this machine.
    ///
    /// # Panics
    /// If it does not end well, or takes too long.
    #[must_use]
    pub fn walk(self, server: SocketAddr, version: Version) -> Option<()> {
        let mut walking = self.start(server, version)?;
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
    pub(crate) fn start(self, server: SocketAddr, version: Version) -> Option<Program> {
        let (program, arguments) = self.call()?;
        let walking = Program::start(&program, b"", |command| {
            command
                .args(arguments)
                .arg(server.port().to_string())
                .arg(name_of(version));
            if self == Self::MqttJsOverWebSocket {
                command.arg("ws");
            }
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
