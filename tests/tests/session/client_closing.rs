//! How the connections of a client end.

use mqtt_session::proto::{DisconnectReason, Version};
use mqtt_session::{Closed, Event, Timer};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::refusal::statement;
use crate::rig::{Rig, VERSIONS, config, message};
use crate::wire::{disconnect, puback};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::closing::{name}"), run);
    vec![
        trial("nothing follows DISCONNECT", nothing_follows_disconnect),
        trial(
            "after DISCONNECT the stream is closed",
            after_disconnect_the_stream_is_closed,
        ),
        trial(
            "an error ends it whether or not DISCONNECT is sent",
            error_ends_it_anyway,
        ),
        trial("a detected error is answered by DISCONNECT", detected_error_is_answered),
        trial("every fault of the server in 3.1.1 closes", every_fault_closes_in_3_1_1),
        trial("a failed store closes", failed_store_closes),
        trial("one of several errors is answered", one_of_several_errors_is_answered),
        trial("an alias ends with its connection", alias_ends_with_its_connection),
    ]
}

/// What is asked for after it, and what is under way, waits for another connection.
fn nothing_follows_disconnect() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.14.4-1", "v311:MQTT-3.14.4-2"]) {
        let mut rig = Rig::connected(config().version(version), "");
        rig.publish(1, "one", 1);
        rig.sent();
        rig.publish(0, "never", 2);
        let given = rig.wire.publish(1, 9).bytes();
        rig.feed(&given);
        rig.told();
        rig.client.abort(rig.now);
        rig.sends(&[disconnect(0)]);
        // It waits in the queue or is refused; it is not sent.
        let _ = rig.client.publish(rig.now, message(0, "late"), 99);
        let more = rig.wire.publish(1, 10).bytes();
        rig.feed(&[more, puback(1)].concat());
        rig.advance(1000);
        rig.sends_nothing();
        covers(row);
    }
}

fn after_disconnect_the_stream_is_closed() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.14.4-2", "v311:MQTT-3.14.4-1"]) {
        let mut rig = Rig::connected(config().version(version), "");
        assert!(!rig.client.is_drained());
        rig.client.disconnect(rig.now);
        rig.sends(&[disconnect(0)]);
        assert_eq!(
            rig.closed(),
            Some(Closed::ByHost(DisconnectReason::NormalDisconnection))
        );
        assert!(rig.client.is_drained(), "the driver closes the stream");
        assert!(!rig.client.is_connected());
        covers(row);
    }
}

/// The bytes of the farewell are never taken: the connection is over all the same.
fn error_ends_it_anyway() {
    let mut rig = Rig::connected(config(), "");
    rig.feed(&hex::bytes("20 03 00 00 00"));
    assert!(!rig.client.is_connected());
    assert!(!rig.client.is_drained(), "DISCONNECT is to be sent");
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    rig.open();
    rig.accept(true, "");
    let told = rig.told();
    assert!(
        matches!(
            told[..],
            [
                Event::Closed {
                    reason: Closed::Violation(..),
                    ..
                },
                Event::Open,
                Event::Connected { .. }
            ]
        ),
        "{told:?}"
    );
    let mut lingering = Rig::connected(config().reconnect(mqtt_session::Reconnect::never()), "");
    lingering.feed(&hex::bytes("20 03 00 00 00"));
    assert_eq!(lingering.fire_next(), Timer::Linger);
    assert!(lingering.client.is_drained(), "waiting has an end");
    covers("v5:MQTT-4.13.2-1");
}

/// A malformed packet and a protocol error of each kind of packet that a server sends.
fn detected_error_is_answered() {
    let cases = [
        ("D0 01 00", 0x81),
        ("36 05 0001 74 0001", 0x81),
        ("10 02 0000", 0x82),
        ("20 03 00 00 00", 0x82),
        ("90 04 0077 00 00", 0x82),
        ("30 FF FF FF 7F", 0x95),
        ("30 06 0000 03 23 0001", 0x82),
        ("30 07 0001 74 03 23 0100", 0x94),
        ("F0 06 18 04 15 0001 78", 0x82),
    ];
    for (bad, code) in cases {
        let mut rig = Rig::connected(config(), "");
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        rig.sends(&[disconnect(code)]);
        assert!(rig.client.is_drained());
    }
    covers("u5:U5-4.13.1-a");
}

fn every_fault_closes_in_3_1_1() {
    for bad in [
        "D0 01 00",
        "36 05 0001 74 0001",
        "F0 00",
        "20 02 00 00",
        "90 03 0077 00",
        "E0 00",
        "C0 00",
        "82 06 0001 0001 61 00",
    ] {
        let mut rig = Rig::connected(config().version(Version::V3_1_1), "");
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        rig.sends_nothing();
        assert!(rig.client.is_drained(), "{bad}");
    }
    covers("v311:MQTT-4.8.0-1");
}

/// What cannot be promised is not acknowledged.
fn failed_store_closes() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).is_stored(true), "");
        let given = rig.wire.publish(2, 1).bytes();
        rig.feed(&given);
        rig.told();
        rig.sends_nothing();
        rig.client.handle_store_failed(rig.now);
        assert_eq!(rig.closed(), Some(Closed::StoreFailed));
        let farewell: Vec<_> = (version == Version::V5).then(|| disconnect(0x83)).into_iter().collect();
        rig.sends(&farewell);
        assert!(rig.client.is_drained());
    }
    covers("v311:MQTT-4.8.0-2");
}

/// A QoS of 3, a reserved property and a topic with a wildcard in one packet.
fn one_of_several_errors_is_answered() {
    let mut rig = Rig::connected(config(), "");
    rig.feed(&hex::bytes("36 09 0001 23 0001 02 7E 00 78"));
    let closed = rig.closed();
    let named = statement(closed.as_ref()).expect("a statement");
    assert!(["v5:MQTT-3.3.1-4", "v5:MQTT-3.3.2-2", "u5:U5-2.2.2-a"].contains(&named.as_str()));
    let sent = rig.sent();
    assert!(
        [0x81, 0x82, 0x90].map(disconnect).contains(&sent[0]) && sent.len() == 1,
        "{sent:02X?}"
    );
    covers("u5:U5-4.13.2-a");
}

fn alias_ends_with_its_connection() {
    let mut rig = Rig::connected(config(), "");
    rig.feed(&hex::bytes("30 08 0001 74 03 23 0001 78 30 07 0000 03 23 0001 78"));
    assert_eq!(rig.messages(), ["x", "x"]);
    rig.reconnect(true, "");
    rig.told();
    rig.feed(&hex::bytes("30 07 0000 03 23 0001 78"));
    let closed = rig.closed();
    assert_eq!(statement(closed.as_ref()).as_deref(), Some("u5:U5-3.3.2-b"));
    rig.sends(&[disconnect(0x82)]);
    covers("v5:MQTT-3.3.2-7");
    covers("BI-045");
}
