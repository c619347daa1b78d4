//! Each state of an exchange of either QoS, in each direction and at either end, over every mix of a reconnect and a restart, to its end.

use mqtt_session::proto::Version;
use mqtt_session::{Accept, Outcome, ServerConfig, SessionConfig};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config};
use crate::server_rig::ServerRig;
use crate::wire::{Wire, coded, puback, pubcomp, pubrec, pubrel};

/// What comes between the state and the rest of the exchange: connections that are lost (`false`) and processes (`true`).
const WAYS: [&[bool]; 4] = [&[false], &[true], &[true, false], &[false, true]];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        let name = format!("bad_input::BI-076::{name}: every state survives reconnect and restart");
        Trial::new(Layer::Session, name, move || {
            run();
            covers("BI-076");
        })
    };
    vec![
        trial("client", every_state_survives::<Rig>),
        trial("server", every_state_survives::<ServerRig>),
    ]
}

/// A machine with a store, whose peer is the test.
trait End: Sized {
    /// In the middle of a connection.
    fn stored(version: Version) -> Self;
    /// It goes on with its session on another connection, of this process or the next.
    fn after(self, restarts: bool) -> Self;
    fn wire(&self) -> Wire;
    fn publishes(&mut self, qos: u8, payload: &str, tag: u64);
    fn is_fed(&mut self, bytes: &[u8]);
    fn stores(&mut self);
    fn takes_sent(&mut self) -> Vec<Vec<u8>>;
    fn takes_messages(&mut self) -> Vec<String>;
    fn takes_outcomes(&mut self) -> Vec<(u64, Outcome)>;
    /// What the onlooker has held against it.
    fn is_forgiven(&mut self);
}

macro_rules! same_calls {
    () => {
        fn wire(&self) -> Wire {
            self.wire
        }

        fn publishes(&mut self, qos: u8, payload: &str, tag: u64) {
            self.publish(qos, payload, tag);
        }

        fn is_fed(&mut self, bytes: &[u8]) {
            assert_eq!(self.feed(bytes), 0);
        }

        fn stores(&mut self) {
            self.commit();
        }

        fn takes_sent(&mut self) -> Vec<Vec<u8>> {
            self.sent()
        }

        fn takes_messages(&mut self) -> Vec<String> {
            self.messages()
        }

        fn takes_outcomes(&mut self) -> Vec<(u64, Outcome)> {
            self.outcomes()
        }

        fn is_forgiven(&mut self) {
            self.watch.breaks.clear();
        }
    };
}

impl End for Rig {
    same_calls!();

    fn stored(version: Version) -> Self {
        Self::connected(config().version(version).is_stored(true), "")
    }

    fn after(mut self, restarts: bool) -> Self {
        if !restarts {
            self.reconnect(true, "");
            self.told();
            return self;
        }
        let version = self.wire.0;
        let mut rig = self.restart(config().version(version).is_stored(true));
        rig.open();
        rig.accept(true, "");
        rig
    }
}

impl End for ServerRig {
    same_calls!();

    fn stored(version: Version) -> Self {
        let session = SessionConfig::default().is_stored(true);
        let mut rig = Self::new(ServerConfig::default().session(session), version);
        rig.connect(version.has_properties(), 0, "");
        rig.accept(Accept::new());
        rig.commit();
        assert_eq!(rig.sent().len(), 1, "CONNACK");
        rig
    }

    fn after(mut self, restarts: bool) -> Self {
        let session = if restarts {
            self.restart()
        } else {
            self.cut().expect("a session")
        };
        self.resume_with(session, "");
        self
    }
}

fn every_state_survives<E: End>() {
    for version in VERSIONS {
        for way in WAYS {
            for (qos, steps) in [(1, 2), (2, 4)] {
                for step in 0..steps {
                    outgoing_survives::<E>(version, way, qos, step);
                }
            }
            for (qos, steps) in [(1, 2), (2, 3)] {
                for step in 0..steps {
                    incoming_survives::<E>(version, way, qos, step);
                }
            }
        }
    }
}

/// What was stored is stored; what was sent in between is gone with its connection.
fn interrupted<E: End>(mut end: E, way: &[bool]) -> E {
    end.stores();
    for (place, restarts) in way.iter().enumerate() {
        if place > 0 {
            end.takes_sent();
            end.stores();
        }
        end = end.after(*restarts);
        end.stores();
    }
    end
}

#[track_caller]
fn sends<E: End>(end: &mut E, expected: &[Vec<u8>], what: &str) {
    assert_eq!(end.takes_sent(), expected, "{what}");
}

/// Stored and not sent; sent; its PUBREC came; its PUBREL was sent.
fn outgoing_survives<E: End>(version: Version, way: &[bool], qos: u8, step: u8) {
    let what = format!("{version}, QoS {qos} out, step {step}, {way:?}");
    let mut end = E::stored(version);
    let publish = end.wire().publish(qos, 1);
    end.publishes(qos, "x", 1);
    end.stores();
    if step > 0 {
        sends(&mut end, &[publish.clone().bytes()], &what);
    }
    if step > 1 {
        end.is_fed(&pubrec(1));
        end.stores();
    }
    if step > 2 {
        sends(&mut end, &[pubrel(1)], &what);
    }
    let mut end = interrupted(end, way);
    if step == 0 {
        let sent = end.takes_sent();
        let (first, again) = (publish.clone().bytes(), publish.dup().bytes());
        if way == [false] {
            assert_eq!(sent, [first], "{what}");
        } else {
            // After a restart nobody knows whether it had been sent, so it may be called a repetition.
            assert!(sent == [first] || sent == [again], "{what}: {sent:02X?}");
            end.is_forgiven();
        }
    } else if step == 1 {
        sends(&mut end, &[publish.dup().bytes()], &what);
    }
    if qos == 1 {
        end.is_fed(&puback(1));
    } else {
        if step < 2 {
            end.is_fed(&pubrec(1));
            end.stores();
        }
        sends(&mut end, &[pubrel(1)], &what);
        end.is_fed(&pubcomp(1));
    }
    let outcomes = end.takes_outcomes();
    assert!(
        matches!(outcomes[..], [(1, Outcome::Acknowledged(_))]),
        "{what}: {outcomes:?}"
    );
    // Nothing of it is left over.
    end.stores();
    let mut end = end.after(true);
    end.stores();
    sends(&mut end, &[], &what);
    end.publishes(qos, "next", 2);
    end.stores();
    let sent = end.takes_sent();
    assert!(sent.len() == 1 && sent[0].ends_with(b"next"), "{what}: {sent:02X?}");
}

/// Handed over, and not answered; answered; of QoS 2: its PUBREL came.
fn incoming_survives<E: End>(version: Version, way: &[bool], qos: u8, step: u8) {
    let what = format!("{version}, QoS {qos} in, step {step}, {way:?}");
    let mut end = E::stored(version);
    let publish = end.wire().publish(qos, 1);
    let answer = if qos == 1 { puback(1) } else { pubrec(1) };
    end.is_fed(&publish.clone().bytes());
    assert_eq!(end.takes_messages(), ["x"], "{what}");
    end.stores();
    if step > 0 {
        sends(&mut end, std::slice::from_ref(&answer), &what);
    }
    if step > 1 {
        end.is_fed(&pubrel(1));
        end.stores();
    }
    let mut end = interrupted(end, way);
    sends(&mut end, &[], &what);
    if qos == 1 && step == 0 || qos == 2 && step < 2 {
        end.is_fed(&publish.clone().dup().bytes());
        // One of QoS 1 counts as another message. [MQTT-4.3.2-5]
        let again = if qos == 1 { vec!["x"] } else { vec![] };
        assert_eq!(end.takes_messages(), again, "{what}");
        end.stores();
        sends(&mut end, std::slice::from_ref(&answer), &what);
    }
    if qos == 2 {
        end.is_fed(&pubrel(1));
        end.stores();
        let done = [vec![pubcomp(1)], vec![coded(pubcomp(1), 0x92)]];
        let sent = end.takes_sent();
        assert!(done.contains(&sent), "{what}: {sent:02X?}");
    }
    // The identifier is free.
    end.is_fed(&publish.payload("next").bytes());
    assert_eq!(end.takes_messages(), ["next"], "{what}");
    end.stores();
    sends(&mut end, &[answer], &what);
}
