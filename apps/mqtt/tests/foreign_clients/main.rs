//! Foreign clients at `mqtt broker`: each walks through everything that a client does, with its own checks.
//!
//! That is, over TCP, TLS, WebSocket and WebSocket in TLS, in MQTT 5.0, 3.1.1 and 3.1: messages of every QoS, of 1 MiB and without payload;
//! retained ones; wills of clients that vanish, and none of those that leave; sessions that are resumed; shared subscriptions, also in the
//! versions that do not know them; and, in 5.0, properties, and a name that the broker gives. What is left out is what a client does not have:
//!
//! | Client | What it does not have |
//! |---|---|
//! | paho-mqtt 2.2.0 | |
//! | aiomqtt 2.5.1 | It keeps nothing of the CONNACK: that a session goes on is seen by what arrives, and a name that is given not at all. |
//! | gmqtt 0.8.0 | MQTT 3.1; WebSocket; a name that is given, since it makes up one of its own. |
//! | mqtt.js 5.16.0 | |
//! | rumqttc 0.25.1 | MQTT 3.1. |
//! | Paho C 1.3.12 | In 5.0 its `MQTTClient` does not tell that a session goes on. A client that vanishes is a process that is killed. Over WebSocket it waits for more while messages lie in what it has read, if several came at once. |
//! | mosquitto 2.0.11 | WebSocket. Its programs print nothing of the CONNACK: neither that a session goes on nor a name that is given. |
#![cfg(feature = "tokio")]

mod mosquitto;
#[path = "../running/mod.rs"]
mod running;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use mqtt_session::proto::Version;
use mqtt_testbed::{Authority, Walk, Walker};
use tempfile::TempDir;

use self::running::Running;

const EVERY_VERSION: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];
const NO_V3_1: [Version; 2] = [Version::V5, Version::V3_1_1];

const TLS: &str = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n";
const TLS_OF_BOTH: &str = "[listener.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\nclient_ca = 'ca.pem'\n\
                           require_client_certificate = true\n";
const WEBSOCKET: &str = "[listener.websocket]\n";

/// The program, as a server.
struct Server {
    _running: Running,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// With one listener, of which this is said. Its certificates are in the folder, for whoever asks for TLS.
    fn start(listener: &str) -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let authority = Authority::new();
        let (server, client) = (authority.server("127.0.0.1"), authority.client("client"));
        // They send messages of 1 MiB, which is more than is taken if nothing is said.
        let limits = "[limits.client]\npacket_bytes = '2 MiB'\n";
        let config = format!("[[listener]]\naddress = '127.0.0.1:0'\n{listener}{limits}");
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("server.pem", server.certificate.as_str()),
            ("server.key", server.key.as_str()),
            ("client.pem", client.certificate.as_str()),
            ("client.key", client.key.as_str()),
            ("mqtt.toml", config.as_str()),
        ] {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        let file = folder.path().join("mqtt.toml");
        let running = Running::start(&["broker", "--config", file.to_str().expect("a plain name")]);
        running.wait_for_words(" serving ");
        let told = running.told();
        let address = told
            .split("address=")
            .nth(1)
            .and_then(|said| said.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok()).expect("it says where");
        Self {
            _running: running,
            address,
            folder,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// One walk at a server of its own in each version.
fn walks(walker: Walker, versions: &[Version], layers: &[&str]) {
    for version in versions {
        let server = Server::start(&layers.concat());
        let walk = Walk {
            has_shared: true,
            is_websocket: layers.contains(&WEBSOCKET),
            authority: layers.contains(&TLS).then(|| server.file("ca.pem")),
            ..Walk::new(server.address, *version)
        };
        if walker.walk(&walk).is_none() {
            return;
        }
    }
}

#[test]
fn paho_is_served() {
    walks(Walker::Paho, &EVERY_VERSION, &[]);
}

#[test]
fn paho_is_served_over_tls() {
    walks(Walker::Paho, &EVERY_VERSION, &[TLS]);
}

#[test]
fn paho_is_served_over_websocket() {
    walks(Walker::Paho, &EVERY_VERSION, &[WEBSOCKET]);
}

#[test]
fn paho_is_served_over_websocket_in_tls() {
    walks(Walker::Paho, &EVERY_VERSION, &[TLS, WEBSOCKET]);
}

#[test]
fn aiomqtt_is_served() {
    walks(Walker::Aiomqtt, &EVERY_VERSION, &[]);
}

#[test]
fn aiomqtt_is_served_over_tls() {
    walks(Walker::Aiomqtt, &EVERY_VERSION, &[TLS]);
}

#[test]
fn aiomqtt_is_served_over_websocket() {
    walks(Walker::Aiomqtt, &EVERY_VERSION, &[WEBSOCKET]);
}

#[test]
fn aiomqtt_is_served_over_websocket_in_tls() {
    walks(Walker::Aiomqtt, &EVERY_VERSION, &[TLS, WEBSOCKET]);
}

#[test]
fn gmqtt_is_served() {
    walks(Walker::Gmqtt, &NO_V3_1, &[]);
}

#[test]
fn gmqtt_is_served_over_tls() {
    walks(Walker::Gmqtt, &NO_V3_1, &[TLS]);
}

#[test]
fn mqttjs_is_served() {
    walks(Walker::MqttJs, &EVERY_VERSION, &[]);
}

#[test]
fn mqttjs_is_served_over_tls() {
    walks(Walker::MqttJs, &EVERY_VERSION, &[TLS]);
}

#[test]
fn mqttjs_is_served_over_websocket() {
    walks(Walker::MqttJs, &EVERY_VERSION, &[WEBSOCKET]);
}

#[test]
fn mqttjs_is_served_over_websocket_in_tls() {
    walks(Walker::MqttJs, &EVERY_VERSION, &[TLS, WEBSOCKET]);
}

#[test]
fn rumqttc_is_served() {
    walks(Walker::Rumqttc, &NO_V3_1, &[]);
}

#[test]
fn rumqttc_is_served_over_tls() {
    walks(Walker::Rumqttc, &NO_V3_1, &[TLS]);
}

#[test]
fn rumqttc_is_served_over_websocket() {
    walks(Walker::Rumqttc, &NO_V3_1, &[WEBSOCKET]);
}

#[test]
fn rumqttc_is_served_over_websocket_in_tls() {
    walks(Walker::Rumqttc, &NO_V3_1, &[TLS, WEBSOCKET]);
}

#[test]
fn paho_of_c_is_served() {
    walks(Walker::PahoC, &EVERY_VERSION, &[]);
}

#[test]
fn paho_of_c_is_served_over_tls() {
    walks(Walker::PahoC, &EVERY_VERSION, &[TLS]);
}
