//! Wills: which ends of a connection publish them, and when.

use core::time::Duration;

use mqtt_session::Timer;
use mqtt_session::proto::{Connect, DisconnectReason, SubscriptionOptions, Version};

use super::rig::{NOTHING, Rig, VERSIONS, config, expiring, fleeting, lasting, qos, will};

/// A broker with a watcher `w` of wills, and a client `c` with a will.
fn watched(connect: Connect<bytes::Bytes>, delay_seconds: u32) -> Rig {
    let mut rig = Rig::new(config());
    rig.join(fleeting("w", Version::V5));
    rig.subscribe("w", "w", 0);
    rig.join(Connect {
        will: will("gone", delay_seconds),
        ..connect
    });
    rig
}

fn published(rig: &mut Rig) -> bool {
    match &rig.sent("w")[..] {
        [] => false,
        [one] if one == "PUBLISH q0 w: gone" => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_will_is_published_when_the_stream_ends() {
    for version in VERSIONS {
        let mut rig = watched(fleeting("c", version), 0);
        rig.cut("c");
        assert!(published(&mut rig));
    }
}

#[test]
fn a_will_is_dropped_by_an_orderly_end_alone() {
    let mut rig = watched(fleeting("c", Version::V5), 0);
    rig.leave("c", DisconnectReason::NormalDisconnection);
    assert!(!published(&mut rig));
    let mut rig = watched(fleeting("c", Version::V5), 0);
    rig.leave("c", DisconnectReason::DisconnectWithWill);
    assert!(published(&mut rig));
}

#[test]
fn a_will_waits_for_its_delay() {
    let mut rig = watched(expiring("c", Version::V5, 100), 20);
    rig.cut("c");
    let gone = rig.now + Duration::from_secs(20);
    // What waited for the packets of the connection is over by then.
    rig.advance(19);
    let due = rig.broker.poll_timeout().map(|timeout| (timeout.at, timeout.timer));
    assert_eq!(due, Some((gone, Timer::Will)));
    assert!(!published(&mut rig));
    rig.advance(1);
    assert!(published(&mut rig));
    rig.advance(100);
    assert!(!published(&mut rig));
}

#[test]
fn a_will_does_not_outlive_the_session() {
    let mut rig = watched(expiring("c", Version::V5, 5), 10);
    rig.cut("c");
    rig.advance(4);
    assert!(!published(&mut rig));
    rig.advance(1);
    assert!(published(&mut rig));
    let mut rig = watched(fleeting("c", Version::V5), 10);
    rig.cut("c");
    assert!(published(&mut rig), "a session of no length has no delay");
}

#[test]
fn a_client_that_comes_back_in_time_takes_its_will_with_it() {
    let mut rig = watched(expiring("c", Version::V5, 100), 10);
    rig.cut("c");
    rig.advance(9);
    assert_eq!(rig.connect(expiring("c", Version::V5, 100)), ["CONNACK present"]);
    rig.advance(200);
    assert!(!published(&mut rig));
}

/// The table of the specification: a takeover publishes the will, unless the session goes on and there is a delay.
#[test]
fn a_takeover_publishes_the_will_unless_the_session_goes_on_and_there_is_a_delay() {
    for (delay, clean_start, expiry, expected) in [
        (0, false, 100, true),
        (10, false, 100, false),
        (0, true, 100, true),
        (10, true, 100, true),
        (10, false, 0, true),
    ] {
        let mut rig = watched(expiring("c", Version::V5, expiry), delay);
        rig.rename("c", "old");
        let again = Connect {
            clean_start,
            ..expiring("c", Version::V5, 100)
        };
        assert_eq!(rig.connect(again).len(), 1);
        assert_eq!(published(&mut rig), expected, "{delay} {clean_start} {expiry}");
        rig.advance(200);
        assert!(!published(&mut rig), "{delay} {clean_start} {expiry}");
    }
    let mut rig = watched(lasting("c", Version::V3_1_1), 0);
    rig.rename("c", "old");
    assert_eq!(rig.connect(lasting("c", Version::V3_1_1)), ["CONNACK present"]);
    assert!(published(&mut rig), "MQTT 3 knows no delay");
}

#[test]
fn a_will_is_published_when_a_clean_start_ends_its_session() {
    let mut rig = watched(expiring("c", Version::V5, 100), 10);
    rig.cut("c");
    assert!(!published(&mut rig));
    rig.join(Connect {
        clean_start: true,
        ..expiring("c", Version::V5, 100)
    });
    assert!(published(&mut rig));
    rig.advance(200);
    assert!(!published(&mut rig));
}

#[test]
fn a_client_that_does_not_keep_alive_is_gone_with_its_will() {
    let mut rig = watched(
        Connect {
            keep_alive: 10,
            ..fleeting("c", Version::V3_1_1)
        },
        0,
    );
    rig.advance(14);
    assert!(!published(&mut rig));
    rig.advance(1);
    assert!(published(&mut rig));
    assert_eq!(rig.sent("c"), NOTHING);
    assert!(rig.broker.is_drained(rig.id("c")));
}

/// Whoever was there before the restart gets it, whichever session was made first.
#[test]
fn a_will_whose_session_ends_with_a_restart_goes_to_all_restored_sessions() {
    let stored = || config().is_stored(true);
    let mut rig = Rig::new(stored());
    rig.connect(expiring("c", Version::V5, 10));
    rig.commit();
    rig.connect(lasting("w", Version::V5));
    rig.commit();
    rig.subscribe_with("w", &[("w", SubscriptionOptions::new(qos(1)))], None);
    rig.rename("c", "earlier");
    rig.connect(Connect {
        will: will("gone", 0),
        ..expiring("c", Version::V5, 0)
    });
    rig.commit();
    rig.restart(stored());
    rig.commit();
    rig.connect(lasting("w", Version::V5));
    rig.commit();
    assert_eq!(rig.sent("w"), ["CONNACK present", "PUBLISH q1 #1 w: gone"]);
}
