//! A client at the begin of connections and sessions.

use core::time::Duration;

use mqtt_session::proto::Version;
use mqtt_session::{CleanStart, ClientConfig, Event, Outcome, Timer};
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::rig::{Rig, VERSIONS, config};
use crate::wire::{self, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::connecting::{name}"), run);
    vec![
        trial("clean start begins anew", clean_start_begins_anew),
        trial("clean session begins anew", clean_session_begins_anew),
        trial("a session with expiry is kept", session_with_expiry_is_kept),
        trial("a session of 3.1.1 is kept", session_of_3_1_1_is_kept),
        trial("a session without expiry ends", session_without_expiry_ends),
        trial("the client id names the session", client_id_names_the_session),
        trial("an assigned client id is used from then on", assigned_client_id_is_used),
        trial(
            "without a session at the server nothing is resumed",
            lost_session_is_dropped,
        ),
        trial(
            "an open connection keeps its session",
            open_connection_keeps_its_session,
        ),
        trial("nothing is sent before CONNACK", nothing_is_sent_before_connack),
    ]
}

const CLEAN: usize = 2;

fn flags(connect: &[u8], version: Version) -> usize {
    let outline = Outline::read(connect, version.level()).expect("a CONNECT");
    let flags = outline.numbers("Connect Flags").next();
    flags.expect("Connect Flags")
}

fn client_id(connect: &[u8], version: Version) -> Vec<u8> {
    let outline = Outline::read(connect, version.level()).expect("a CONNECT");
    let id = outline.texts("Client Identifier").next();
    id.expect("a Client Identifier").to_vec()
}

/// Has a message of QoS 1, one of QoS 2 under release and one of the server under way.
fn busy(config: ClientConfig) -> Rig {
    let mut rig = Rig::new(config);
    rig.open();
    rig.accept(false, "");
    rig.told();
    rig.publish(1, "one", 1);
    rig.publish(2, "two", 2);
    rig.sent();
    rig.feed(&pubrec(2));
    rig.sends(&[pubrel(2)]);
    let given = rig.wire.publish(2, 7).payload("given").bytes();
    rig.feed(&given);
    assert_eq!(rig.messages(), ["given"]);
    rig.sends(&[pubrec(7)]);
    rig
}

/// Nothing of the session before is left: what the server had given comes as new, and what was in flight has ended.
fn nothing_is_resumed(rig: &mut Rig) {
    // Under any identifier, and without DUP.
    let sent = rig.sent();
    let id = sent.first().map_or(0, |frame| u16::from_be_bytes([frame[5], frame[6]]));
    assert_eq!(sent, [rig.wire.publish(1, id).payload("one").bytes()]);
    let outcomes: Vec<_> = rig.outcomes();
    assert_eq!(outcomes, [(2, Outcome::SessionLost)]);
    let given = rig.wire.publish(2, 7).payload("given anew").bytes();
    rig.feed(&given);
    assert_eq!(rig.messages(), ["given anew"]);
    rig.sends(&[pubrec(7)]);
}

/// Everything of the session before is there.
fn everything_is_resumed(rig: &mut Rig) {
    rig.sends(&[pubrel(2), rig.wire.publish(1, 1).dup().payload("one").bytes()]);
    let again = rig.wire.publish(2, 7).dup().payload("given").bytes();
    rig.feed(&again);
    assert_eq!(rig.messages(), [""; 0], "it was handed over before");
    rig.sends(&[pubrec(7)]);
    rig.feed(&[puback(1), pubcomp(2)].concat());
    let outcomes: Vec<u64> = rig.outcomes().iter().map(|(tag, _)| *tag).collect();
    assert_eq!(outcomes, [1, 2]);
}

fn begins_anew(version: Version) {
    let mut rig = busy(config().version(version).clean_start(CleanStart::Always));
    rig.cut();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    let connect = rig.open();
    assert_eq!(flags(&connect, version) & CLEAN, CLEAN);
    rig.accept(false, "");
    nothing_is_resumed(&mut rig);
}

fn clean_start_begins_anew() {
    begins_anew(Version::V5);
    covers("v5:MQTT-3.1.2-4");
}

fn clean_session_begins_anew() {
    begins_anew(Version::V3_1_1);
    covers("v311:MQTT-3.1.2-6");
}

fn is_kept(version: Version) {
    let mut rig = busy(config().version(version));
    rig.cut();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    let connect = rig.open();
    assert_eq!(flags(&connect, version) & CLEAN, 0);
    rig.accept(true, "");
    everything_is_resumed(&mut rig);
}

fn session_with_expiry_is_kept() {
    is_kept(Version::V5);
    covers("v5:MQTT-3.1.2-23");
}

fn session_of_3_1_1_is_kept() {
    is_kept(Version::V3_1_1);
    covers("v311:MQTT-3.1.2-4");
}

fn session_without_expiry_ends() {
    for version in VERSIONS {
        let mut rig = busy(config().version(version).session_expiry_seconds(0));
        rig.cut();
        assert_eq!(rig.fire_next(), Timer::Reconnect);
        let connect = rig.open();
        assert_eq!(flags(&connect, version) & CLEAN, CLEAN);
        rig.accept(false, "");
        nothing_is_resumed(&mut rig);
    }
}

/// One value of the machine is one session: every CONNECT that resumes it has the same name.
fn client_id_names_the_session() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.3-2", "v311:MQTT-3.1.3-2"]) {
        let mut rig = busy(config().version(version));
        for _ in 0..3 {
            rig.cut();
            assert_eq!(rig.fire_next(), Timer::Reconnect);
            assert_eq!(client_id(&rig.open(), version), b"c");
            rig.accept(true, "");
            rig.sent();
            rig.told();
        }
        covers(row);
    }
}

fn assigned_client_id_is_used() {
    let mut rig = Rig::new(ClientConfig::new("").expect("no name"));
    assert_eq!(client_id(&rig.open(), Version::V5), b"");
    rig.accept(false, "12 0003 616263");
    rig.cut();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    assert_eq!(client_id(&rig.open(), Version::V5), b"abc");
    covers("v5:MQTT-3.1.3-2");
}

fn lost_session_is_dropped() {
    for version in VERSIONS {
        let mut rig = busy(config().version(version));
        rig.reconnect(false, "");
        nothing_is_resumed(&mut rig);
    }
    covers("v5:MQTT-3.2.2-5");
    covers("RG-05");
}

/// Neither time nor the interval of the session takes anything away while the connection is open.
fn open_connection_keeps_its_session() {
    for version in VERSIONS {
        let mut rig = busy(config().version(version).session_expiry_seconds(1));
        for _ in 0..2000 {
            rig.now = rig.now + Duration::from_secs(59);
            rig.client.handle_timeout(rig.now);
            if rig.sent().contains(&wire::PINGREQ.to_vec()) {
                rig.feed(wire::PINGRESP);
            }
        }
        rig.stays();
        let again = rig.wire.publish(2, 7).dup().payload("given").bytes();
        rig.feed(&again);
        assert_eq!(rig.messages(), [""; 0], "its identifier is known");
        rig.sends(&[pubrec(7)]);
        rig.feed(&[puback(1), pubcomp(2)].concat());
        let tags: Vec<u64> = rig.outcomes().iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, [1, 2]);
    }
    covers("v5:MQTT-4.1.0-1");
    covers("v311:MQTT-4.1.0-1");
    covers("v311:MQTT-4.1.0-2");
}

fn nothing_is_sent_before_connack() {
    for version in VERSIONS {
        let mut rig = Rig::new(config().version(version));
        rig.publish(0, "early", 1);
        rig.subscribe("a", 2);
        assert_eq!(rig.open()[0], 0x10);
        rig.publish(1, "later", 3);
        rig.sends_nothing();
        rig.accept(false, "");
        assert_eq!(rig.sent().len(), 3);
        assert!(matches!(rig.told()[..], [Event::Connected { .. }, ..]));
    }
    covers("v5:MQTT-3.1.0-1");
    covers("v311:MQTT-3.1.0-1");
}
