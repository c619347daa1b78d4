//! Every bound has a consequence, and is counted.

use mqtt_session::proto::{Connect, ConnectProperties, SubscriptionOptions, Version};
use mqtt_session::{Ask, BrokerBound, BrokerEvent, BrokerLimits};
use mqtt_session::{Limits, ServerConfig, SessionConfig};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, line, qos};

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
fn what_a_session_lost_that_has_ended_is_told_of_nobody_else() {
    let session = SessionConfig::default().limits(Limits::default().queued_messages(3));
    let mut rig = Rig::new(config().client(ServerConfig::default().session(session)));
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("slow", Version::V5));
    rig.subscribe("slow", "t", 0);
    for _ in 0..10 {
        rig.publish("p", "t", 0, "m");
    }
    rig.cut("slow");
    rig.connect(fleeting("next", Version::V5));
    let events = rig.events();
    let dropped = |event: &&BrokerEvent| matches!(event, BrokerEvent::Dropped { .. });
    assert_eq!(events.iter().find(dropped).map(line), None);
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

/// Which bounds were met since the last call, and how often.
fn hits(rig: &mut Rig) -> Vec<(BrokerBound, u64)> {
    let events = rig.events();
    let hits = events.iter().filter_map(|event| match event {
        BrokerEvent::LimitHit { bound, times, .. } => Some((*bound, *times)),
        _ => None,
    });
    hits.collect()
}

#[test]
fn the_host_hears_once_of_a_bound_that_is_met_often() {
    let limits = BrokerLimits::default()
        .connections(1)
        .filter_levels(1)
        .subscriptions_per_session(1)
        .retained_messages(0);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("c", Version::V5));
    for _ in 0..3 {
        assert_eq!(rig.broker.handle_open(rig.now), None);
    }
    let options = SubscriptionOptions::new(qos(0));
    rig.subscribe_with("c", &["a/b", "a", "b"].map(|filter| (filter, options)), None);
    rig.retain("c", "t", 0, "kept");
    assert_eq!(
        hits(&mut rig),
        [
            (BrokerBound::Connections, 3),
            (BrokerBound::SubscriptionsPerSession, 1),
            (BrokerBound::FilterLevels, 1),
            (BrokerBound::Retained, 1),
        ]
    );
    assert_eq!(hits(&mut rig), []);
}

#[test]
fn a_client_that_sends_too_many_messages_is_read_later_and_loses_nothing() {
    let limits = BrokerLimits::default().messages_per_second(10);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("fast", Version::V5));
    rig.join(fleeting("other", Version::V5));
    let id = rig.id("fast");
    for _ in 0..10 {
        rig.publish("fast", "t", 0, "m");
    }
    assert!(rig.broker.input_room(id) > 0, "a second's worth may come at once");
    rig.publish("fast", "t", 0, "m");
    assert_eq!(rig.broker.input_room(id), 0);
    assert!(rig.broker.input_room(rig.id("other")) > 0);
    let ping = b"\xC0\x00";
    assert_eq!(rig.feed_bytes("fast", ping), 2, "nothing is taken");
    assert_eq!(rig.broker.figures().reads_paused, 1);
    assert_eq!(hits(&mut rig), [(BrokerBound::MessagesPerSecond, 1)]);
    while rig.broker.poll_ready().is_some() {}
    let due = rig.broker.poll_timeout().unwrap();
    assert_eq!(due.at, rig.now + core::time::Duration::from_millis(100));
    assert_eq!(due.timer, mqtt_session::Timer::Work);
    rig.now = due.at;
    rig.run();
    assert!(rig.broker.input_room(id) > 0);
    assert_eq!(rig.broker.poll_ready(), Some(id), "the driver hears that there is room");
    assert_eq!(rig.feed_bytes("fast", ping), 0);
    assert_eq!(rig.broker.figures().messages_published, 11);
    rig.advance(1);
    for _ in 0..10 {
        rig.publish("fast", "t", 0, "m");
    }
    assert!(rig.broker.input_room(id) > 0, "who has waited has a burst again");
}

#[test]
fn a_client_that_sends_too_many_bytes_is_read_later() {
    let limits = BrokerLimits::default()
        .bytes_per_second(1000)
        .burst(core::time::Duration::ZERO);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("c", Version::V5));
    rig.advance(1);
    let id = rig.id("c");
    let before = rig.broker.figures().bytes_received;
    rig.publish("c", "t", 0, &"x".repeat(4990));
    let packet = rig.broker.figures().bytes_received - before;
    assert_eq!(packet, 4997);
    assert_eq!(hits(&mut rig), [(BrokerBound::BytesPerSecond, 2)]);
    rig.advance(4);
    assert_eq!(rig.broker.input_room(id), 0);
    rig.advance(1);
    assert!(rig.broker.input_room(id) > 0);
}

#[test]
fn a_client_that_is_not_read_is_not_taken_for_silent() {
    let limits = BrokerLimits::default()
        .messages_per_second(1)
        .burst(core::time::Duration::ZERO);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(Connect {
        keep_alive: 10,
        ..fleeting("c", Version::V5)
    });
    let many: Vec<u8> = b"\x30\x04\0\x01t\0".repeat(60);
    assert_eq!(rig.feed_bytes("c", &many), 0, "what has arrived is taken");
    rig.advance(59);
    assert_eq!(rig.broker.input_room(rig.id("c")), 0);
    rig.advance(1);
    assert!(rig.broker.input_room(rig.id("c")) > 0);
    rig.advance(14);
    assert_eq!(rig.sent("c"), NOTHING);
    rig.advance(1);
    assert_eq!(rig.sent("c"), ["DISCONNECT 0x8d"]);
}

/// A client that takes packets of so many bytes.
fn small(name: &str, packet_bytes: u32) -> Connect<bytes::Bytes> {
    let properties = ConnectProperties::builder().maximum_packet_size(packet_bytes);
    Connect {
        properties: properties.build().unwrap(),
        ..fleeting(name, Version::V5)
    }
}

/// Nobody waits for a client that cannot be answered, whoever decides about it.
#[test]
fn a_client_that_takes_no_connack_is_not_kept() {
    for asks in [false, true] {
        let ask = Ask {
            connect: asks,
            ..Ask::default()
        };
        let mut rig = Rig::new(config().ask(ask));
        for (packet_bytes, refused) in [(1, &[][..]), (4, &[]), (5, &["CONNACK 0x95"]), (12, &["CONNACK 0x95"])] {
            let mut sent = rig.connect(small("c", packet_bytes));
            let id = rig.id("c");
            if asks {
                let none = mqtt_session::proto::ConnAckProperties::empty();
                let admitted = rig.broker.admit(rig.now, id, none.clone());
                assert!(admitted.is_err(), "{packet_bytes}");
                let reason = mqtt_session::proto::ConnAckReason::PacketTooLarge;
                assert_eq!(rig.broker.refuse(rig.now, id, reason, none), Ok(()));
                sent = rig.sent("c");
            }
            assert_eq!(sent, refused, "{packet_bytes}");
            rig.advance(60);
            assert_eq!(rig.broker.figures().connections, 0, "{packet_bytes}");
        }
    }
}

#[test]
fn a_client_that_takes_no_suback_of_that_size_is_told_so_and_let_go() {
    let mut rig = Rig::new(config());
    rig.join(small("c", 30));
    let filters: Vec<String> = (0..30).map(|number| format!("f{number}")).collect();
    let options = SubscriptionOptions::new(qos(0));
    let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), options)).collect();
    assert_eq!(rig.subscribe_with("c", &filters, None), ["DISCONNECT 0x95"]);
    assert!(rig.broker.is_drained(rig.id("c")));
    assert_eq!(rig.broker.figures().clients_connected, 0);
}
