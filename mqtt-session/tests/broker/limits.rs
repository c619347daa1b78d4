//! Every bound has a consequence, and is counted.

use mqtt_session::BrokerLimits;
use mqtt_session::proto::{SubscriptionOptions, Version};
use mqtt_session::{Limits, ServerConfig, SessionConfig};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, qos};

#[test]
fn one_connection_too_many_is_not_opened() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().connections(2)));
    let first = rig.open("a", Version::V5);
    rig.open("b", Version::V5);
    assert_eq!(rig.broker.handle_open(rig.now), None);
    assert_eq!(rig.broker.figures().connections_refused, 1);
    rig.broker.handle_eof(rig.now, first);
    let next = rig.broker.handle_open(rig.now).unwrap();
    assert_ne!(next, first, "names of connections are not used again");
}

#[test]
fn one_session_too_many_is_refused() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().sessions(1)));
    rig.join(lasting("a", Version::V5));
    rig.cut("a");
    assert_eq!(rig.connect(lasting("b", Version::V5)), ["CONNACK 0x97"]);
    assert!(rig.broker.is_drained(rig.id("b")));
    assert_eq!(rig.connect(lasting("a", Version::V5)), ["CONNACK present"]);
    assert_eq!(rig.broker.figures().sessions_refused, 1);
    rig.cut("a");
    assert_eq!(rig.connect(fleeting("a", Version::V5)), ["CONNACK"]);
}

#[test]
fn filters_beyond_the_limits_are_refused_one_by_one() {
    let limits = BrokerLimits::default().subscriptions_per_session(2).filter_levels(3);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("s", Version::V5));
    let options = SubscriptionOptions::new(qos(0));
    let sent = rig.subscribe_with("s", &["a/b/c/d", "a", "b", "c"].map(|filter| (filter, options)), None);
    assert_eq!(sent, ["SUBACK #9 0x8f 0x00 0x00 0x97"]);
    assert_eq!(rig.broker.figures().subscriptions_refused, 2);
}

#[test]
fn a_client_that_does_not_read_loses_messages_which_are_counted_and_nobody_else_does() {
    let session = SessionConfig::default().limits(Limits::default().queued_messages(3));
    let mut rig = Rig::new(config().client(ServerConfig::default().session(session)));
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("slow", Version::V5));
    rig.join(fleeting("other", Version::V5));
    for name in ["slow", "other"] {
        rig.subscribe(name, "t", 0);
    }
    for _ in 0..10 {
        rig.publish("p", "t", 0, "m");
        assert_eq!(rig.sent("other"), ["PUBLISH q0 t: m"]);
    }
    assert_eq!(rig.told(), ["dropped 7 to slow"]);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.broker.figures().messages_dropped, 7);
    assert_eq!(rig.sent("slow").len(), 3);
}

#[test]
fn events_that_only_inform_are_bounded_and_counted() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().events(2)));
    for name in ["a", "b", "c", "d", "e"] {
        rig.join(fleeting(name, Version::V5));
    }
    assert_eq!(rig.events().len(), 3);
    assert_eq!(rig.events().len(), 0);
}

#[test]
fn a_stream_on_which_nothing_comes_is_closed() {
    let mut rig = Rig::new(config());
    let silent = rig.open("silent", Version::V5);
    rig.advance(9);
    assert!(!rig.broker.is_drained(silent));
    rig.advance(1);
    assert!(rig.broker.is_drained(silent));
    assert_eq!(rig.broker.figures().connections, 0);
}
