//! Random exchanges of a client with a server that keeps to the protocol: what the laws about sent packets look at.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use mqtt_session::proto::{Text, Version};
use mqtt_session::{Authentication, ClientConfig, DeliveryId, Event, HandOver, Limits};
use mqtt_tests::generate::split_mix;

use crate::rig::{Rig, config};
use crate::watch::{Flight, Law, Watch};
use crate::wire::{self, auth, coded, puback, pubcomp, pubrec, pubrel};

const SEEDS: u64 = 120;
const STEPS: usize = 250;
const METHOD: &str = "SCRAM";

/// How often each law had something to speak of, and where it was broken; in MQTT 5.0 and in MQTT 3.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) witnesses: BTreeMap<(Law, bool), u64>,
    pub(crate) breaks: Vec<(Law, String)>,
}

/// What the client sent in all exchanges; they run once.
pub(crate) fn client_findings() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(|| {
        let mut findings = Findings::default();
        for seed in 0..SEEDS {
            let version = Version::ALL[usize::try_from(seed).unwrap_or_default() % 3];
            let watch = Exchange::new(seed, version).run();
            for (law, count) in watch.witnesses {
                *findings.witnesses.entry((law, version == Version::V5)).or_default() += count;
            }
            let breaks = watch.breaks.into_iter();
            findings
                .breaks
                .extend(breaks.map(|(law, frame)| (law, format!("seed {seed}: {frame}"))));
        }
        findings
    })
}

/// Where a message of the server stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    AwaitsPubAck,
    AwaitsPubRec,
    Received,
    Released,
}

struct Exchange {
    rig: Rig,
    random: u64,
    version: Version,
    has_method: bool,
    /// The server takes 40 bytes. The same on each connection, so that what was sent can be sent again.
    has_small_packets: bool,
    /// Messages of the server, by identifier, with their payload.
    given: BTreeMap<u16, (Given, String)>,
    deliveries: Vec<DeliveryId>,
    messages: u64,
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
        let config: ClientConfig = config()
            .version(version)
            .limits(limits)
            .hand_over(hand_over)
            .is_stored(seed % 4 == 1)
            .authentication(has_method.then_some(method));
        let mut rig = Rig::new(config);
        rig.watch.payloads_are_unique = true;
        Self {
            rig,
            random: seed,
            version,
            has_method,
            has_small_packets: seed % 7 < 3,
            given: BTreeMap::new(),
            deliveries: Vec::new(),
            messages: 0,
        }
    }

    fn run(mut self) -> Watch {
        self.connect();
        for _ in 0..STEPS {
            if !self.rig.client.is_connected() {
                self.reconnect();
            }
            self.step();
            self.pull();
        }
        self.rig.client.abort(self.rig.now);
        self.pull();
        self.rig.cut();
        // The findings are judged together, and not when the rig goes.
        std::mem::replace(
            &mut self.rig.watch,
            Watch::new(mqtt_session::proto::Role::Client, self.version),
        )
    }

    fn below(&mut self, bound: u64) -> u64 {
        split_mix(&mut self.random) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn step(&mut self) {
        match self.below(20) {
            0..=4 => self.publish(),
            5 => drop(self.rig.subscribe("t/+", 0)),
            6 => drop(self.rig.unsubscribe("t/+", 0)),
            7..=10 => self.answer(),
            11..=13 => self.give(),
            14 => self.give_again(),
            15 => self.release(),
            16 => {
                if self.chance(60) {
                    self.reconnect();
                }
            }
            17 => {
                let seconds = self.below(70);
                self.rig.advance(seconds);
            }
            18 => self.reauthenticate(),
            _ => self.acknowledge(),
        }
        if self.chance(70) {
            self.rig.commit();
        }
    }

    // ---- the host

    fn publish(&mut self) {
        self.messages += 1;
        let qos = u8::try_from(self.below(3)).unwrap_or_default();
        let long = if self.chance(10) {
            "long".repeat(12)
        } else {
            String::new()
        };
        let payload = format!("m{}{long}", self.messages);
        let topic = format!("topic/{}", self.below(5));
        let mut message = crate::rig::message(qos, &payload).retain(self.chance(20));
        message.topic = mqtt_session::proto::TopicName::from_bytes(topic.into()).expect("a topic");
        // What the server does not take is refused here.
        let _ = self.rig.client.publish(self.rig.now, message, self.messages);
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
        while !self.deliveries.is_empty() && self.chance(80) {
            let at = usize::try_from(self.below(self.deliveries.len() as u64)).unwrap_or_default();
            let delivery = self.deliveries.swap_remove(at);
            // Its connection may have ended.
            let _ = self.rig.client.acknowledge(self.rig.now, delivery);
        }
    }

    fn reauthenticate(&mut self) {
        if self.rig.client.reauthenticate(self.rig.now, Some(b"again")).is_ok() {
            self.pull();
            self.rig.feed(&auth(0x18, METHOD, b"more"));
            self.hear();
            self.pull();
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
        let present = self.chance(75);
        let present = present && !self.rig.watch.link_is_clean();
        if !(present || self.version == Version::V3_1 && !self.rig.watch.link_is_clean()) {
            self.given.clear();
        }
        let properties = self.properties();
        self.rig.accept(present, &properties);
        self.repeat();
        self.hear();
        self.pull();
    }

    fn reconnect(&mut self) {
        self.rig.cut();
        self.hear();
        while self.rig.client.poll_timeout().is_some() {
            if self.rig.fire_next() == mqtt_session::Timer::Reconnect {
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
        if self.chance(70) {
            properties += &format!("21 {:04X}", 1 + self.below(4));
        }
        if self.has_small_packets {
            properties += "27 00000028";
        }
        properties += &format!("22 {:04X}", self.below(4));
        if self.chance(25) {
            properties += &format!("24 {:02X}", self.below(2));
        }
        if self.chance(30) {
            properties += "25 00";
        }
        properties
    }

    /// Answers something that the client has under way.
    fn answer(&mut self) {
        let link = &self.rig.watch.link;
        let may_be_answered = |id: &u16, flight: &Flight| match flight {
            Flight::Publish { .. } => link.sent_here.contains(id),
            Flight::Released { .. } => !link.pubrels.contains(id),
            _ => true,
        };
        let flights = self.rig.watch.session.flights.iter();
        let open: Vec<(u16, Flight)> = flights
            .filter(|(id, flight)| may_be_answered(id, flight))
            .map(|(id, flight)| (*id, flight.clone()))
            .collect();
        if open.is_empty() {
            return;
        }
        let at = usize::try_from(self.below(open.len() as u64)).unwrap_or_default();
        let (id, flight) = open[at].clone();
        let refuses = self.version == Version::V5 && self.chance(15);
        let answer = match flight {
            Flight::Publish { qos: 1, .. } if refuses => coded(puback(id), 0x87),
            Flight::Publish { qos: 1, .. } => puback(id),
            Flight::Publish { .. } if refuses => coded(pubrec(id), 0x97),
            Flight::Publish { .. } => pubrec(id),
            Flight::Released { .. } => pubcomp(id),
            Flight::Subscribe => self.rig.wire.suback(id, &[1]),
            Flight::Unsubscribe => self.rig.wire.unsuback(id, &[0]),
        };
        self.rig.feed(&answer);
    }

    /// A message of the server.
    fn give(&mut self) {
        self.messages += 1;
        let payload = format!("s{}", self.messages);
        let qos = u8::try_from(self.below(3)).unwrap_or_default();
        let Some(id) = (1..=6).find(|id| !self.given.contains_key(id)) else {
            return;
        };
        match qos {
            1 => drop(self.given.insert(id, (Given::AwaitsPubAck, payload.clone()))),
            2 => drop(self.given.insert(id, (Given::AwaitsPubRec, payload.clone()))),
            _ => {}
        }
        let frame = self.rig.wire.publish(qos, id).payload(payload).bytes();
        self.rig.feed(&frame);
    }

    /// A message of QoS 2 a second time.
    fn give_again(&mut self) {
        let waits = |(id, (state, payload)): (&u16, &(Given, String))| {
            (*state == Given::AwaitsPubRec).then(|| (*id, payload.clone()))
        };
        let waiting = self.given.iter().find_map(waits);
        if let Some((id, payload)) = waiting {
            let frame = self.rig.wire.publish(2, id).dup().payload(payload).bytes();
            self.rig.feed(&frame);
        }
    }

    fn release(&mut self) {
        let received = |(id, (state, _)): (&u16, &(Given, String))| (*state == Given::Received).then_some(*id);
        if let Some(id) = self.given.iter().find_map(received) {
            self.set(id, Given::Released);
            self.rig.feed(&pubrel(id));
        }
    }

    fn set(&mut self, id: u16, state: Given) {
        if let Some((given, _)) = self.given.get_mut(&id) {
            *given = state;
        }
    }

    /// On the next connection the server sends again what is open.
    fn repeat(&mut self) {
        for (id, (state, payload)) in self.given.clone() {
            let wire = self.rig.wire;
            let frame = match state {
                Given::AwaitsPubAck => wire.publish(1, id).dup().payload(payload).bytes(),
                Given::AwaitsPubRec => wire.publish(2, id).dup().payload(payload).bytes(),
                Given::Received | Given::Released => {
                    self.set(id, Given::Released);
                    pubrel(id)
                }
            };
            self.rig.feed(&frame);
        }
    }

    /// Takes what the client sends, and notes what it answers.
    fn pull(&mut self) {
        for frame in self.rig.sent() {
            let id = frame.get(2..4).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
            let state = self.given.get(&id).map(|(state, _)| *state);
            match (frame[0], state) {
                (0x40, Some(Given::AwaitsPubAck)) | (0x70, Some(Given::Released)) => drop(self.given.remove(&id)),
                (0x50, Some(Given::AwaitsPubRec)) => self.set(id, Given::Received),
                (0xC0, _) => drop(self.rig.feed(wire::PINGRESP)),
                _ => {}
            }
        }
    }
}
