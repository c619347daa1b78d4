//! Random exchanges of a server under test with a client that keeps to the protocol.

use core::time::Duration;

use mqtt_session::proto::{
    AckProperties, ConnAckProperties, ConnAckReason, Disconnect, DisconnectReason, Role, TopicName, Version,
};
use mqtt_session::{Accept, DeliveryId, HandOver, Limits, ServerConfig, ServerEvent, SessionConfig};

use crate::peer::{Machine, Peer};
use crate::rig::message;
use crate::server_rig::ServerRig;
use crate::watch::Watch;
use crate::wire::{PINGREQ, Wire, auth};
use crate::workload::METHOD;

const STEPS: usize = 250;

impl Machine for ServerRig {
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

/// What the server sent in the exchange of one seed.
pub(crate) fn run(seed: u64, version: Version) -> Watch {
    Exchange::new(seed, version).run()
}

struct Exchange {
    rig: ServerRig,
    peer: Peer,
    version: Version,
    has_method: bool,
    has_small_packets: bool,
    /// The last request of the client.
    request: u16,
    deliveries: Vec<DeliveryId>,
}

impl Exchange {
    fn new(seed: u64, version: Version) -> Self {
        let limits = Limits::default().packet_ids(9).aliases_used(3);
        let hand_over = if seed % 5 < 2 {
            HandOver::Manual
        } else {
            HandOver::Automatic
        };
        let session = SessionConfig::default()
            .limits(limits)
            .hand_over(hand_over)
            .is_stored(seed % 4 == 1);
        let mut rig = ServerRig::new(ServerConfig::default().session(session), version);
        rig.watch.payloads_are_unique = true;
        Self {
            rig,
            peer: Peer::new(seed, Wire(version)),
            version,
            has_method: version == Version::V5 && seed % 2 == 0,
            has_small_packets: seed % 7 < 3,
            request: 100,
            deliveries: Vec::new(),
        }
    }

    fn run(mut self) -> Watch {
        self.connect(true);
        for _ in 0..STEPS {
            if !self.rig.server.is_connected() {
                self.reconnect();
            }
            self.step();
            self.peer.pull(&mut self.rig);
        }
        let farewell = Disconnect::new(DisconnectReason::ServerShuttingDown);
        self.rig.server.disconnect(self.rig.now, farewell);
        self.peer.pull(&mut self.rig);
        self.rig.watch.ended();
        // The findings are judged together, and not when the rig goes.
        std::mem::replace(&mut self.rig.watch, Watch::new(Role::Server, self.version))
    }

    fn step(&mut self) {
        match self.peer.below(20) {
            0..=4 => self.publish(),
            5 | 6 => self.ask(),
            7..=10 => self.peer.answer(&mut self.rig),
            11..=13 => self.peer.give(&mut self.rig),
            14 => self.peer.give_again(&mut self.rig),
            15 => self.peer.release(&mut self.rig),
            16 => {
                if self.peer.chance(60) {
                    self.reconnect();
                }
            }
            17 => drop(self.rig.feed(PINGREQ)),
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
        let mut message = message(qos, &payload);
        message.topic = TopicName::from_bytes(topic.into()).expect("a topic");
        // What the client does not take is refused here.
        let _ = self.rig.server.publish(self.rig.now, message, 0);
    }

    fn hear(&mut self) {
        let told = self.rig.told();
        for event in &told {
            match event {
                ServerEvent::Message(received) => self.deliveries.extend(received.delivery),
                ServerEvent::Authenticate { .. } if self.rig.server.is_connected() => {
                    let done = self.rig.server.authenticated(self.rig.now, Some(b"fine"));
                    done.expect("the client has begun");
                }
                _ => {}
            }
        }
        let words = AckProperties::builder().reason_string("in words").build();
        self.rig.grant(told, &words.expect("a short reason"));
    }

    fn acknowledge(&mut self) {
        self.hear();
        while self.peer.chance(80) {
            let Some(delivery) = self.peer.pick(&mut self.deliveries) else {
                break;
            };
            // Its connection may have ended.
            let _ = self.rig.server.acknowledge(self.rig.now, delivery);
        }
    }

    // ---- the client

    fn ask(&mut self) {
        self.request += 1;
        let frame = if self.peer.chance(50) {
            self.peer.wire.subscribe(self.request, "t/+", 1)
        } else {
            self.peer.wire.unsubscribe(self.request, "t/+")
        };
        self.rig.feed(&frame);
        if self.peer.chance(50) {
            self.hear();
        }
    }

    fn reauthenticate(&mut self) {
        if self.has_method {
            self.hear();
            self.rig.feed(&auth(0x19, METHOD, b"again"));
            self.hear();
        }
    }

    fn connect(&mut self, is_clean: bool) {
        let ended = self.rig.next_stream();
        let session = ended.filter(|session| !is_clean && !session.has_ended());
        if session.is_none() {
            self.peer.forget();
        }
        let properties = self.properties();
        self.rig.connect(is_clean, 0, &properties);
        if self.has_method {
            let asked = self.rig.server.authenticate(self.rig.now, Some(b"challenge"));
            asked.expect("the client has a method");
            self.peer.pull(&mut self.rig);
            self.rig.feed(&auth(0x18, METHOD, b"proof"));
            self.rig.told();
        }
        if self.peer.chance(10) {
            // A refusal, and the session is gone with it: the next connection begins anew.
            let properties = ConnAckProperties::empty();
            let refused = self
                .rig
                .server
                .refuse_client(self.rig.now, ConnAckReason::NotAuthorized, properties);
            refused.expect("the client waits");
            self.peer.pull(&mut self.rig);
            self.rig.told();
            return self.connect(true);
        }
        if self.peer.chance(10) {
            let farewell = Disconnect::new(DisconnectReason::ServerBusy);
            self.rig.server.disconnect(self.rig.now, farewell);
            self.peer.pull(&mut self.rig);
            self.rig.told();
            return self.connect(true);
        }
        self.rig.accept(Accept::new().session(session));
        self.rig.commit();
        self.peer.repeat(&mut self.rig);
        self.hear();
        self.peer.pull(&mut self.rig);
    }

    fn reconnect(&mut self) {
        if self.peer.chance(50) {
            let farewell = Disconnect::new(DisconnectReason::SessionTakenOver);
            self.rig.server.disconnect(self.rig.now, farewell);
            self.rig.sent();
        }
        self.rig.server.handle_eof(self.rig.now);
        self.rig.told();
        self.rig.advance(Duration::from_secs(1));
        let is_clean = self.peer.chance(25);
        self.connect(is_clean);
    }

    fn properties(&mut self) -> String {
        if self.version != Version::V5 {
            return String::new();
        }
        let mut properties = String::from("11 FFFFFFFF");
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
        if self.peer.chance(50) {
            properties += "17 00";
        }
        properties
    }
}
