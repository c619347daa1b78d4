//! Every end of a connection before its client is let in is told, with what the client has said of itself, and counted.

use bytes::Bytes;
use mqtt_session::proto::{
    Binary, ConnAckProperties, ConnAckReason, Connect, Filters, Packet, Subscribe, SubscriptionOptions, Text, Version,
    Will,
};
use mqtt_session::{
    Ask, BrokerBound, BrokerConfig, BrokerEvent, BrokerLimits, Capabilities, Limits, QoS, ServerConfig, SessionConfig,
    Verdict,
};

use super::rig::{NOTHING, Rig, config, fleeting, id, lasting, line, qos, will};

/// What is told of connections that were not admitted, in a line each.
fn refused(rig: &mut Rig) -> Vec<String> {
    let events = rig.events();
    let refused = events
        .iter()
        .filter(|event| matches!(event, BrokerEvent::NotAdmitted { .. }));
    refused.map(line).collect()
}

/// These bytes are all that came. What is told of that, and how many clients count as refused.
fn after(config: BrokerConfig, bytes: &[u8], seconds: u64) -> (Vec<String>, u64) {
    let mut rig = Rig::new(config);
    rig.open("c", Version::V5);
    rig.feed_bytes("c", bytes);
    rig.advance(seconds);
    (refused(&mut rig), rig.broker.figures().clients_refused)
}

fn with_limits(limits: Limits) -> BrokerConfig {
    config().client(ServerConfig::default().session(SessionConfig::default().limits(limits)))
}

#[test]
fn bytes_that_no_client_may_send_first_are_told() {
    let small = || with_limits(Limits::default().connect_bytes(100));
    let cases: [(&str, BrokerConfig, &[u8], u64); 6] = [
        ("HTTP", config(), b"GET / HTTP/1.1\r\n\r\n", 0),
        ("version 9", config(), b"\x10\x0D\0\x04MQTT\x09\x02\0\x3C\0\x01c", 0),
        ("a CONNECT above its bound", small(), b"\x10\xFF\x7F", 0),
        (
            "3.1 without a name",
            config(),
            b"\x10\x0E\0\x06MQIsdp\x03\x02\0\x3C\0\0",
            0,
        ),
        ("PINGREQ", config(), b"\xC0\0", 0),
        ("half a CONNECT", config(), b"\x10\x0D\0\x04MQTT", 10),
    ];
    for (what, config, bytes, seconds) in cases {
        let (told, counted) = after(config, bytes, seconds);
        assert_eq!(told.len(), 1, "{what}: {told:?}");
        assert!(told[0].starts_with("- \"\" of None not admitted: "), "{what}: {told:?}");
        assert_eq!(counted, 1, "{what}");
    }
}

#[test]
fn one_that_goes_by_itself_is_told_and_is_not_refused() {
    let mut rig = Rig::new(config());
    rig.open("c", Version::V5);
    rig.cut("c");
    let told = refused(&mut rig);
    assert_eq!(
        told,
        ["- \"\" of None not admitted: the stream ended without a farewell"]
    );
    assert_eq!(rig.broker.figures().clients_refused, 0);
}

#[test]
fn one_that_is_let_in_is_told_of_when_it_goes_and_not_here() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("c", Version::V5));
    rig.cut("c");
    assert_eq!(refused(&mut rig), NOTHING);
    assert_eq!(rig.broker.figures().clients_refused, 0);
}

#[test]
fn a_refused_login_is_told_with_user_and_client() {
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        let mut rig = Rig::new(config().ask(Ask {
            connect: true,
            ..Ask::default()
        }));
        rig.connect(Connect {
            username: Some(Text::from_bytes(Bytes::from_static(b"eve")).unwrap()),
            password: Some(Binary::new(Bytes::from_static(b"guess")).unwrap()),
            ..lasting("c", version)
        });
        rig.events();
        let (now, connection) = (rig.now, rig.id("c"));
        let reason = ConnAckReason::BadUserNameOrPassword;
        rig.broker
            .refuse(now, connection, reason, ConnAckProperties::empty())
            .unwrap();
        let told = refused(&mut rig);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("- \"c\" of Some(\"eve\") not admitted: the client was refused"),
            "{told:?}"
        );
        assert_eq!(rig.broker.figures().clients_refused, 1);
        let twice = rig.broker.refuse(now, connection, reason, ConnAckProperties::empty());
        assert!(twice.is_err());
        assert_eq!(refused(&mut rig), NOTHING);
    }
}

#[test]
fn who_is_refused_by_the_broker_itself_is_told_by_name() {
    let mut capabilities = Capabilities::default();
    capabilities.maximum_qos = QoS::AtLeastOnce;
    let low = ServerConfig::default().capabilities(capabilities);
    let mut rig = Rig::new(config().client(low));
    rig.connect(Connect {
        will: will("gone", 0).map(|will| Will {
            qos: QoS::ExactlyOnce,
            ..will
        }),
        ..lasting("c", Version::V5)
    });
    let told = refused(&mut rig);
    assert!(
        told[0].starts_with("- \"c\" of None not admitted: the client was refused"),
        "{told:?}"
    );
    // No room for one more session.
    let mut rig = Rig::new(config().limits(BrokerLimits::default().sessions(1)));
    rig.join(lasting("a", Version::V5));
    rig.connect(lasting("b", Version::V5));
    let events = rig.events();
    let hit = events.iter().find_map(|event| match event {
        BrokerEvent::LimitHit { bound, client_id, .. } => Some((*bound, client_id.clone())),
        _ => None,
    });
    assert_eq!(hit, Some((BrokerBound::Sessions, Some(Bytes::from_static(b"b")))));
    assert!(
        events
            .iter()
            .any(|event| line(event).starts_with("- \"b\" of None not admitted"))
    );
    assert_eq!(rig.broker.figures().clients_refused, 1);
}

#[test]
fn a_keep_alive_that_cannot_be_shortened_is_refused() {
    let bounded = || config().client(ServerConfig::default().keep_alive_seconds_max(Some(100)));
    for version in [Version::V3_1_1, Version::V3_1] {
        for (seconds, answer) in [
            (0, "CONNACK 0x85"),
            (101, "CONNACK 0x85"),
            (100, "CONNACK"),
            (1, "CONNACK"),
        ] {
            let mut rig = Rig::new(bounded());
            let connect = Connect {
                keep_alive: seconds,
                ..fleeting("c", version)
            };
            assert_eq!(rig.connect(connect), [answer], "{version:?} {seconds}");
            let is_refused = u64::from(answer != "CONNACK");
            assert_eq!(rig.broker.figures().clients_refused, is_refused);
        }
    }
    // MQTT 5.0 is told a shorter one, and without a bound everybody has what is asked for.
    for (config, version) in [(bounded(), Version::V5), (config(), Version::V3_1_1)] {
        let mut rig = Rig::new(config);
        let connect = Connect {
            keep_alive: 0,
            ..fleeting("c", version)
        };
        assert_eq!(rig.connect(connect), ["CONNACK"], "{version:?}");
    }
}

#[test]
fn events_of_strangers_are_bounded_as_all_that_inform() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().events(3)));
    for number in 0..10 {
        let name = format!("c{number}");
        rig.open(&name, Version::V5);
        rig.feed_bytes(&name, b"GET");
    }
    assert_eq!(refused(&mut rig).len(), 3);
    assert_eq!(rig.broker.figures().clients_refused, 10, "all are counted");
    assert_eq!(rig.broker.figures().events_missed, 7);
}

#[test]
fn what_the_host_does_not_allow_is_counted_apart_from_what_no_client_may() {
    let mut rig = Rig::new(config().ask(Ask {
        publish: true,
        subscribe: true,
        ..Ask::default()
    }));
    rig.join(fleeting("c", Version::V5));
    let filters = Filters::builder().filter("a", SubscriptionOptions::new(qos(0)));
    rig.feed("c", &Packet::Subscribe(Subscribe::new(id(9), filters.build().unwrap())));
    rig.publish("c", "a", 0, "m");
    let deep = "/".repeat(300);
    rig.publish("c", &deep, 0, "m");
    for event in rig.events() {
        if let BrokerEvent::MaySubscribe { question, .. } | BrokerEvent::MayPublish { question, .. } = event {
            rig.broker.authorize(rig.now, question, Verdict::DENY);
        }
    }
    let mut met = Vec::new();
    while let Some(event) = rig.broker.poll_event() {
        match event {
            BrokerEvent::MaySubscribe { question, .. } | BrokerEvent::MayPublish { question, .. } => {
                rig.broker.authorize(rig.now, question, Verdict::DENY);
            }
            BrokerEvent::LimitHit { bound, client_id, .. } => met.push((bound, client_id.unwrap())),
            _ => {}
        }
    }
    let figures = rig.broker.figures();
    let counted = (
        figures.subscriptions_not_allowed,
        figures.messages_refused,
        figures.topics_refused,
    );
    assert_eq!(counted, (1, 1, 1));
    assert_eq!(met, [(BrokerBound::TopicLevels, Bytes::from_static(b"c"))]);
}

#[test]
fn a_bound_names_what_it_is_called_in_the_limits() {
    assert_eq!(BrokerBound::FilterLevels.fields(), ["filter_levels"]);
    assert_eq!(BrokerBound::Retained.fields(), ["retained_messages", "retained_bytes"]);
}
