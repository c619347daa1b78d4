//! Foreign clients at a server that stands on the adapter's accept side.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mqtt_adapter::{ServerLayers, WebSocketServer};
use mqtt_session::proto::Version;

use super::server;
use crate::program::Program;
use crate::walker::mosquitto_client;
use crate::{Adapter, Hub, Walk, Walker};

/// Programs start slowly beside other work.
const WALK: Duration = Duration::from_secs(120);
const EVERY_VERSION: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];

/// paho-mqtt goes through everything, in each version.
pub async fn paho_is_served<A: Adapter>() {
    walks::<A>(Walker::Paho, &EVERY_VERSION, false).await;
}

/// aiomqtt goes through everything, in each version.
pub async fn aiomqtt_is_served<A: Adapter>() {
    walks::<A>(Walker::Aiomqtt, &EVERY_VERSION, false).await;
}

/// mqtt.js goes through everything, in each version.
pub async fn mqttjs_is_served<A: Adapter>() {
    walks::<A>(Walker::MqttJs, &EVERY_VERSION, false).await;
}

/// The same over WebSocket.
pub async fn mqttjs_is_served_over_websocket<A: Adapter>() {
    walks::<A>(Walker::MqttJs, &EVERY_VERSION, true).await;
}

/// rumqttc goes through everything, in each version that it speaks.
pub async fn rumqttc_is_served<A: Adapter>() {
    walks::<A>(Walker::Rumqttc, &[Version::V5, Version::V3_1_1], false).await;
}

async fn walks<A: Adapter>(walker: Walker, versions: &[Version], is_websocket: bool) {
    for version in versions {
        let hub = Arc::new(Hub::default());
        let layers = match is_websocket {
            true => ServerLayers::new().websocket(WebSocketServer::new()),
            false => ServerLayers::new(),
        };
        let mut walk = Walk::new(A::serve_with(Arc::clone(&hub), 0, layers).await, *version);
        walk.is_websocket = is_websocket;
        let Some(mut walking) = walker.start(&walk) else {
            return;
        };
        let output = ended::<A>(&mut walking).await;
        assert!(output.ends_with("done\n"), "{}", walking.report());
        crate::until::<A>("the end of all connections", || hub.connections() == 0).await;
    }
}

/// What a program has printed that has ended well.
async fn ended<A: Adapter>(program: &mut Program) -> String {
    let until = std::time::Instant::now() + WALK;
    loop {
        if let Some(status) = program.ended() {
            assert!(status.success(), "{status}: {}", program.report());
            return program.output();
        }
        assert!(
            std::time::Instant::now() < until,
            "it takes too long: {}",
            program.report()
        );
        A::sleep(Duration::from_millis(20)).await;
    }
}

/// `mosquitto_pub` and `mosquitto_sub` exchange messages of each QoS in each version, retained ones, and wills; and a session of
/// `mosquitto_sub` goes on.
pub async fn mosquitto_clients_are_served<A: Adapter>() {
    for version in EVERY_VERSION {
        let (hub, address) = server::<A>().await;
        let shell = Shell { hub, address, version };
        if shell.every_qos::<A>().await.is_none() {
            return;
        }
        shell.retained::<A>().await;
        shell.wills::<A>().await;
        shell.resumed::<A>().await;
    }
}

/// `mosquitto_rr` asks, and `mosquitto_sub` and `mosquitto_pub` answer.
pub async fn mosquitto_rr_gets_its_answer<A: Adapter>() {
    let each_version = |qos| [Version::V5, Version::V3_1_1].map(|version| (version, qos));
    for (version, qos) in (0..=2).flat_map(each_version) {
        let (hub, address) = server::<A>().await;
        let shell = Shell { hub, address, version };
        let Some(mut question) = shell.sub("question", qos, |command| {
            command.args(["-C", "1", "-t", "question"]);
        }) else {
            return;
        };
        let level = qos.to_string();
        shell.subscribed::<A>("question").await;
        let mut asks = shell
            .start("mosquitto_rr", "", |command| {
                command.args(["-q", &level, "-t", "question", "-e", "answer", "-m", "what?"]);
            })
            .expect("it comes with the others");
        assert_eq!(ended::<A>(&mut question).await, format!("{qos} what? 0\n"));
        let mut answers = shell
            .start("mosquitto_pub", "", |command| {
                command.args(["-q", &level, "-t", "answer", "-m", "that"]);
            })
            .expect("it comes with the others");
        ended::<A>(&mut answers).await;
        assert_eq!(ended::<A>(&mut asks).await, "that\n");
    }
}

/// The clients of mosquitto at one server, in one version.
struct Shell {
    hub: Arc<Hub>,
    address: SocketAddr,
    version: Version,
}

impl Shell {
    fn start(&self, name: &str, input: &str, prepare: impl FnOnce(&mut Command)) -> Option<Program> {
        mosquitto_client(name, self.address, self.version, input, prepare)
    }

    /// Prints QoS, payload and RETAIN flag of each message.
    fn sub(&self, id: &str, qos: u8, prepare: impl FnOnce(&mut Command)) -> Option<Program> {
        self.start("mosquitto_sub", "", |command| {
            command.args(["-F", "%q %p %r", "-i", id, "-q", &qos.to_string()]);
            prepare(command);
        })
    }

    /// Publishes each line as a message.
    async fn publish<A: Adapter>(&self, topic: &str, qos: u8, lines: &str) {
        let publishing = self.start("mosquitto_pub", lines, |command| {
            command.args(["-l", "-t", topic, "-q", &qos.to_string()]);
        });
        ended::<A>(&mut publishing.expect("it comes with the others")).await;
    }

    async fn subscribed<A: Adapter>(&self, filter: &str) {
        crate::until::<A>("the subscription", || self.hub.has_subscription(filter)).await;
    }

    async fn every_qos<A: Adapter>(&self) -> Option<()> {
        let lines: String = (0..50).map(|number| format!("{number}\n")).collect();
        for qos in 0..3 {
            let mut taking = self.sub("every", qos, |command| {
                command.args(["-C", "50", "-t", "every/+"]);
            })?;
            self.subscribed::<A>("every/+").await;
            self.publish::<A>("every/qos", qos, &lines).await;
            let expected: String = (0..50).map(|number| format!("{qos} {number} 0\n")).collect();
            assert_eq!(ended::<A>(&mut taking).await, expected, "{:?}", self.version);
        }
        Some(())
    }

    async fn retained<A: Adapter>(&self) {
        let mut keeping = self
            .start("mosquitto_pub", "", |command| {
                command.args(["-r", "-q", "2", "-t", "kept", "-m", "well"]);
            })
            .expect("it comes with the others");
        ended::<A>(&mut keeping).await;
        let taking = self.sub("kept", 2, |command| {
            command.args(["-C", "1", "-t", "kept"]);
        });
        let mut taking = taking.expect("it was there before");
        assert_eq!(ended::<A>(&mut taking).await, "2 well 1\n", "{:?}", self.version);
    }

    async fn wills<A: Adapter>(&self) {
        let taking = self.sub("heir", 2, |command| {
            command.args(["-C", "1", "-t", "gone"]);
        });
        let mut taking = taking.expect("it was there before");
        self.subscribed::<A>("gone").await;
        let mortal = self.sub("mortal", 0, |command| {
            let will = ["--will-topic", "gone", "--will-payload", "bye", "--will-qos", "2"];
            command.args(["-t", "alive"]).args(will);
        });
        self.subscribed::<A>("alive").await;
        // It is killed.
        drop(mortal);
        assert_eq!(ended::<A>(&mut taking).await, "2 bye 0\n", "{:?}", self.version);
    }

    async fn resumed<A: Adapter>(&self) {
        let asleep = |messages: &'static str| {
            let taking = self.sub("sleeper", 2, |command| {
                command.args(["-c", "-C", messages, "-t", "asleep"]);
                if self.version == Version::V5 {
                    command.args(["-x", "600"]);
                }
            });
            taking.expect("it was there before")
        };
        let mut first = asleep("1");
        self.subscribed::<A>("asleep").await;
        self.publish::<A>("asleep", 2, "awake\n").await;
        assert_eq!(ended::<A>(&mut first).await, "2 awake 0\n");
        crate::until::<A>("the end of the connection", || self.hub.connections() == 0).await;
        self.publish::<A>("asleep", 2, "one\ntwo\nthree\n").await;
        let expected = "2 one 0\n2 two 0\n2 three 0\n";
        assert_eq!(ended::<A>(&mut asleep("3")).await, expected, "{:?}", self.version);
    }
}
