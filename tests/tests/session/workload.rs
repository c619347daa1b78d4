//! Random exchanges of a client under test with a server that keeps to the protocol: what the laws about sent packets look
//! at.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use mqtt_session::proto::{Role, Text, TopicName, Version};
use mqtt_session::{Authentication, DeliveryId, Event, HandOver, Limits, Timer};

use crate::peer::{Machine, Peer};
use crate::rig::{Rig, config, message};
use crate::server_workload;
use crate::watch::{Law, Watch};
use crate::wire::{Wire, auth};

const SEEDS: u64 = 120;
const STEPS: usize = 250;
/// The authentication method of both ends.
pub(crate) const METHOD: &str = "SCRAM";

/// How often each law had something to speak of, and where it was broken; in MQTT 5.0 and in MQTT 3.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) witnesses: BTreeMap<(Law, bool), u64>,
    pub(crate) breaks: Vec<(Law, String)>,
}

impl Findings {
    /// Of all seeds, over all versions.
    fn of(run: impl Fn(u64, Version) -> Watch) -> Self {
        let mut findings = Self::default();
        for seed in 0..SEEDS {
            let version = Version::ALL[usize::try_from(seed).unwrap_or_default() % 3];
            let watch = run(seed, version);
            for (law, count) in watch.witnesses {
                *findings.witnesses.entry((law, version == Version::V5)).or_default() += count;
            }
            let breaks = watch.breaks.into_iter();
            findings
                .breaks
                .extend(breaks.map(|(law, frame)| (law, format!("seed {seed}: {frame}"))));
        }
        findings
    }

    /// What a machine in this role sent in all exchanges; they run once.
    pub(crate) fn about(role: Role) -> &'static Self {
        static CLIENT: OnceLock<Findings> = OnceLock::new();
        static SERVER: OnceLock<Findings> = OnceLock::new();
        match role {
            Role::Client => CLIENT.get_or_init(|| Self::of(|seed, version| Exchange::new(seed, version).run())),
            Role::Server => SERVER.get_or_init(|| Self::of(server_workload::run)),
        }
    }
}

impl Machine for Rig {
    fn feed(&mut self, bytes: &[u8]) -> usize {
        Self::feed(self, bytes)
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        Self::sent(self)
    }

    fn watch(&self) -> &Watch {
        &self.watch
    }
}

struct Exchange {
    rig: Rig,
    peer: Peer,
    version: Version,
    has_method: bool,
    /// The server takes 40 bytes. The same on each connection, so that what was sent can be sent again.
    has_small_packets: bool,
    deliveries: Vec<DeliveryId>,
}

impl Exchange {
    fn new(seed: u64, version: Version) -> Self {
        let limits = Limits::default().packet_ids(9).aliases_used(3);
        let has_method = version == Version::V5 && seed % 2 == 0;
        let method = Authentication {
            method: Text::from_bytes(METHOD.into()).expect("a name"),
            data: None,
        };
        let hand_over = if seed % 5 < 2 {
            HandOver::Manual
        } else {
            HandOver::Automatic
        };
        let config = config()
            .version(version)
            .limits(limits)
            .hand_over(hand_over)
            .is_stored(seed % 4 == 1)
            .authentication(has_method.then_some(method));
        let mut rig = Rig::new(config);
        rig.watch.payloads_are_unique = true;
        Self {
            rig,
            peer: Peer::new(seed, Wire(version)),
            version,
            has_method,
            has_small_packets: seed % 7 < 3,
            deliveries: Vec::new(),
        }
    }

    fn run(mut self) -> Watch {
        self.connect();
        for _ in 0..STEPS {
            if !self.rig.client.is_connected() {
                self.reconnect();
            }
            self.step();
            self.peer.pull(&mut self.rig);
        }
        self.rig.client.abort(self.rig.now);
        self.peer.pull(&mut self.rig);
        self.rig.cut();
        // The findings are judged together, and not when the rig goes.
        std::mem::replace(&mut self.rig.watch, Watch::new(Role::Client, self.version))
    }

    fn step(&mut self) {
        match self.peer.below(20) {
            0..=4 => self.publish(),
            5 => drop(self.rig.subscribe("t/+", 0)),
            6 => drop(self.rig.unsubscribe("t/+", 0)),
            7..=10 => self.peer.answer(&mut self.rig),
            11..=13 => self.peer.give(&mut self.rig),
            14 => self.peer.give_again(&mut self.rig),
            15 => self.peer.release(&mut self.rig),
            16 => {
                if self.peer.chance(60) {
                    self.reconnect();
                }
            }
            17 => {
                let seconds = self.peer.below(70);
                self.rig.advance(seconds);
            }
            18 => self.reauthenticate(),
            _ => self.acknowledge(),
        }
        if self.peer.chance(70) {
            self.rig.commit();
        }
    }

    // ---- the host

    fn publish(&mut self) {
        let qos = u8::try_from(self.peer.below(3)).unwrap_or_default();
        let payload = self.peer.payload();
        let topic = format!("topic/{}", self.peer.below(5));
        let mut message = message(qos, &payload).retain(self.peer.chance(20));
        message.topic = TopicName::from_bytes(topic.into()).expect("a topic");
        // What the server does not take is refused here.
        let _ = self.rig.client.publish(self.rig.now, message, 0);
    }

    fn hear(&mut self) {
        for event in self.rig.told() {
            match event {
                Event::Message(received) => self.deliveries.extend(received.delivery),
                Event::Authenticate { .. } => {
                    let _ = self.rig.client.authenticate(self.rig.now, Some(b"proof"));
                }
                _ => {}
            }
        }
    }

    fn acknowledge(&mut self) {
        self.hear();
        while self.peer.chance(80) {
            let Some(delivery) = self.peer.pick(&mut self.deliveries) else {
                break;
            };
            // Its connection may have ended.
            let _ = self.rig.client.acknowledge(self.rig.now, delivery);
        }
    }

    fn reauthenticate(&mut self) {
        if self.rig.client.reauthenticate(self.rig.now, Some(b"again")).is_ok() {
            self.peer.pull(&mut self.rig);
            self.rig.feed(&auth(0x18, METHOD, b"more"));
            self.hear();
            self.peer.pull(&mut self.rig);
            self.rig.feed(&auth(0x00, METHOD, b"fine"));
        }
    }

    // ---- the server

    fn connect(&mut self) {
        self.rig.open();
        if self.has_method {
            self.rig.feed(&auth(0x18, METHOD, b"challenge"));
            self.hear();
            self.rig.sent();
        }
        let is_clean = self.rig.watch.link_is_clean();
        let present = self.peer.chance(75) && !is_clean;
        if !present && (is_clean || self.version != Version::V3_1) {
            self.peer.forget();
        }
        let properties = self.properties();
        self.rig.accept(present, &properties);
        self.peer.repeat(&mut self.rig);
        self.hear();
        self.peer.pull(&mut self.rig);
    }

    fn reconnect(&mut self) {
        self.rig.cut();
        self.hear();
        while self.rig.client.poll_timeout().is_some() {
            if self.rig.fire_next() == Timer::Reconnect {
                break;
            }
        }
        self.hear();
        self.connect();
    }

    fn properties(&mut self) -> String {
        if self.version != Version::V5 {
            return String::new();
        }
        let mut properties = String::new();
        if self.has_method {
            properties += "15 0005 534352414D";
        }
        if self.peer.chance(70) {
            properties += &format!("21 {:04X}", 1 + self.peer.below(4));
        }
        if self.has_small_packets {
            properties += "27 00000028";
        }
        properties += &format!("22 {:04X}", self.peer.below(4));
        if self.peer.chance(25) {
            properties += &format!("24 {:02X}", self.peer.below(2));
        }
        if self.peer.chance(30) {
            properties += "25 00";
        }
        properties
    }
}
