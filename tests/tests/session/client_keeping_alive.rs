//! Keep-alive of a client.

use mqtt_session::proto::Version;
use mqtt_session::{Closed, Timer};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config};
use crate::wire::{PINGREQ, PINGRESP, disconnect};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::keeping_alive::{name}"), run);
    vec![
        trial("silence ends with PINGREQ", silence_ends_with_pingreq),
        trial("what is sent puts PINGREQ off", what_is_sent_puts_pingreq_off),
        trial("0 turns it off", zero_turns_it_off),
        trial("the interval of the server counts", interval_of_the_server_counts),
        trial("a missing PINGRESP closes", missing_pingresp_closes),
        trial(
            "each connection has its own interval",
            each_connection_has_its_own_interval,
        ),
    ]
}

fn pings(rig: &mut Rig) -> bool {
    let sent = rig.sent();
    assert!(sent.iter().all(|frame| frame == PINGREQ), "{sent:02X?}");
    !sent.is_empty()
}

/// Moves on in steps of a second: after how many of them PINGREQ goes out.
fn seconds_to_ping(rig: &mut Rig, at_most: u64) -> Option<u64> {
    for second in 1..=at_most {
        rig.advance(1);
        if pings(rig) {
            return Some(second);
        }
    }
    None
}

fn silence_ends_with_pingreq() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.2-20", "v311:MQTT-3.1.2-23"]) {
        let mut rig = Rig::connected(config().version(version).keep_alive_seconds(10), "");
        for _ in 0..3 {
            let seconds = seconds_to_ping(&mut rig, 60).expect("a PINGREQ");
            assert!((1..=10).contains(&seconds), "{seconds} s of silence");
            rig.feed(PINGRESP);
            // What comes in is not what goes out.
            let given = rig.wire.publish(0, 0).bytes();
            rig.feed(&given);
            rig.told();
        }
        covers(row);
    }
}

fn what_is_sent_puts_pingreq_off() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.1.2-20", "v311:MQTT-3.1.2-23"]) {
        let mut rig = Rig::connected(config().version(version).keep_alive_seconds(10), "");
        for tag in 0..20 {
            rig.advance(5);
            rig.publish(0, "x", tag);
            rig.sends(&[rig.wire.publish(0, 0).bytes()]);
        }
        let seconds = seconds_to_ping(&mut rig, 60).expect("a PINGREQ");
        assert!((5..=10).contains(&seconds), "{seconds} s of silence");
        covers(row);
    }
}

fn zero_turns_it_off() {
    let mut rig = Rig::connected(config().keep_alive_seconds(0), "");
    assert_eq!(seconds_to_ping(&mut rig, 5000), None);
    rig.stays();
}

/// Both ways: a shorter and a longer one than asked for, and none.
fn interval_of_the_server_counts() {
    let mut shorter = Rig::connected(config().keep_alive_seconds(100), "13 000A");
    assert!(seconds_to_ping(&mut shorter, 60).is_some_and(|seconds| seconds <= 10));
    let mut longer = Rig::connected(config().keep_alive_seconds(10), "13 0064");
    assert!(seconds_to_ping(&mut longer, 100).is_some_and(|seconds| seconds > 50));
    covers("v5:MQTT-3.1.2-21");
    let mut none = Rig::connected(config().keep_alive_seconds(10), "13 0000");
    assert_eq!(seconds_to_ping(&mut none, 1000), None);
    covers("v5:MQTT-3.2.2-21");
}

fn missing_pingresp_closes() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).keep_alive_seconds(10), "");
        assert!(seconds_to_ping(&mut rig, 10).is_some());
        rig.advance(9);
        rig.stays();
        rig.advance(2);
        assert_eq!(rig.closed(), Some(Closed::TimedOut(Timer::PingResponse)));
        if version == Version::V5 {
            rig.sends(&[disconnect(0x80)]);
        }
        let mut answered = Rig::connected(config().version(version).keep_alive_seconds(10), "");
        assert!(seconds_to_ping(&mut answered, 10).is_some());
        answered.feed(PINGRESP);
        answered.advance(9);
        answered.stays();
    }
    covers("u5:U5-3.1.2-j");
}

/// What one server said is not carried over to the next connection, and nothing adds up.
fn each_connection_has_its_own_interval() {
    let mut rig = Rig::connected(config().keep_alive_seconds(20), "13 0005");
    assert_eq!(seconds_to_ping(&mut rig, 60), Some(5));
    for _ in 0..5 {
        rig.reconnect(true, "");
        rig.told();
        assert_eq!(seconds_to_ping(&mut rig, 60), Some(20));
    }
    covers("BI-096");
}
