//! A client that comes while its earlier connection is there.

use core::time::Duration;

use mqtt_session::proto::{Connect, Version};
use mqtt_session::{BrokerBound, BrokerEvent, BrokerLimits};

use super::rig::{NOTHING, Rig, VERSIONS, config, lasting};

/// Connects the client that is called `s` again, while its other connection is known as `old`.
fn come_again(rig: &mut Rig, connect: Connect<bytes::Bytes>) -> Vec<String> {
    rig.rename("s", "old");
    rig.connect(connect)
}

#[test]
fn the_earlier_connection_ends_and_the_session_goes_on() {
    for version in VERSIONS {
        let mut rig = Rig::new(config());
        rig.join(lasting("s", version));
        rig.subscribe("s", "t", 1);
        let sent = come_again(&mut rig, lasting("s", version));
        assert_eq!(sent.len(), 1);
        let farewell = if version == Version::V5 {
            vec!["DISCONNECT 0x8e"]
        } else {
            vec![]
        };
        assert_eq!(rig.sent("old"), farewell, "{version:?}");
        assert!(rig.broker.is_drained(rig.id("old")));
        rig.publish("s", "t", 1, "m");
        assert_eq!(rig.sent("s"), ["PUBACK #5", "PUBLISH q1 #1 t: m"]);
        rig.cut("old");
        assert_eq!(rig.broker.figures().connections, 1);
        assert_eq!(rig.broker.figures().clients_connected, 1);
        assert_eq!(rig.broker.figures().takeovers, 1);
    }
}

#[test]
fn what_was_in_flight_goes_to_the_new_connection_alone() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.subscribe("s", "t", 1);
    rig.publish("s", "t", 1, "m");
    assert_eq!(rig.sent("s"), ["PUBACK #5", "PUBLISH q1 #1 t: m"]);
    let sent = come_again(&mut rig, lasting("s", Version::V5));
    assert_eq!(sent, ["CONNACK present", "PUBLISH q1 #1 dup t: m"]);
    rig.puback("old", 1);
    assert_eq!(rig.sent("old"), ["DISCONNECT 0x8e"]);
    rig.puback("s", 1);
    assert_eq!(rig.sent("s"), NOTHING);
}

#[test]
fn a_clean_start_takes_over_and_begins_anew() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.subscribe("s", "t", 1);
    let clean = Connect {
        clean_start: true,
        ..lasting("s", Version::V5)
    };
    assert_eq!(come_again(&mut rig, clean), ["CONNACK"]);
    rig.run();
    rig.publish("s", "t", 1, "m");
    assert_eq!(rig.sent("s"), ["PUBACK #5"]);
}

#[test]
fn a_storm_of_takeovers_leaves_one_connection() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    for _ in 0..100 {
        assert_eq!(come_again(&mut rig, lasting("s", Version::V5)), ["CONNACK present"]);
    }
    assert_eq!(rig.broker.figures().clients_connected, 1);
    assert_eq!(rig.broker.figures().sessions, 1);
}

/// Two programs with one name throw each other out as fast as they can connect.
#[test]
fn who_takes_over_too_often_is_refused_and_the_earlier_connection_goes_on() {
    for version in VERSIONS {
        let limits = BrokerLimits::default().takeovers_per_second(2);
        let mut rig = Rig::new(config().limits(limits));
        rig.join(lasting("s", version));
        rig.subscribe("s", "t", 1);
        rig.join(lasting("other", version));
        for _ in 0..2 {
            assert_eq!(
                come_again(&mut rig, lasting("s", version)).len(),
                1,
                "a second's worth may come at once"
            );
        }
        rig.rename("s", "kept");
        let refused = if version == Version::V5 {
            "CONNACK 0x9f"
        } else {
            "CONNACK 0x88"
        };
        for _ in 0..10 {
            assert_eq!(rig.connect(lasting("s", version)), [refused], "{version:?}");
            rig.rename("s", "refused");
        }
        rig.publish("other", "t", 0, "m");
        assert_eq!(rig.sent("kept"), ["PUBLISH q0 t: m"]);
        assert_eq!(rig.broker.figures().takeovers, 2);
        assert_eq!(rig.broker.figures().takeovers_refused, 10);
        let hits = rig.events().into_iter().filter_map(|event| match event {
            BrokerEvent::LimitHit { bound, times, .. } => Some((bound, times)),
            _ => None,
        });
        assert_eq!(hits.collect::<Vec<_>>(), [(BrokerBound::TakeoversPerSecond, 10)]);

        // Who was refused does not count: after half a second there is room for one.
        rig.now = rig.now + Duration::from_millis(500);
        assert_eq!(rig.connect(lasting("s", version)).len(), 1);
        assert_eq!(rig.broker.figures().takeovers, 3);
        rig.rename("s", "kept");
        assert_eq!(rig.connect(lasting("s", version)), [refused]);
        // Others are not meant, and neither is who comes when nobody is there.
        rig.rename("other", "old");
        assert!(rig.connect(lasting("other", version))[0].starts_with("CONNACK"));
        rig.cut("kept");
        rig.rename("s", "refused");
        assert_ne!(rig.connect(lasting("s", version)), [refused]);
    }
}

#[test]
fn one_takeover_is_let_through_however_small_the_burst() {
    let limits = BrokerLimits::default().takeovers_per_second(1).burst(Duration::ZERO);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(lasting("s", Version::V5));
    for seconds in 0..3 {
        assert_eq!(
            come_again(&mut rig, lasting("s", Version::V5)),
            ["CONNACK present"],
            "{seconds}"
        );
        rig.advance(1);
    }
}
