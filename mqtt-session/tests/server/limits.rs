//! What either end allows, and what happens to who asks for more.

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    Delivery, Packet, Publish, PublishProperties, QoS, SubscribeProperties, SubscriptionId, TopicName, Version,
};
use mqtt_session::{Capabilities, HandOver, Limits, Outbox, PublishError, ServerConfig, SessionConfig};

use crate::rig::{LASTING_SECONDS, NOTHING, Rig, VERSIONS, asks, connect, id, limited, message};

fn without(change: impl FnOnce(&mut Capabilities)) -> ServerConfig {
    let mut capabilities = Capabilities::default();
    change(&mut capabilities);
    ServerConfig::default().capabilities(capabilities)
}

fn publish(qos: u8, retain: bool, properties: PublishProperties<Bytes>) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(QoS::from_bits(qos).unwrap(), id(1)),
        retain,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"s")).unwrap()),
        properties,
        payload: Bytes::from_static(b"x"),
    })
}

fn alias(number: u16, topic: Option<&'static str>) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: topic.map(|topic| TopicName::from_bytes(Bytes::from_static(topic.as_bytes())).unwrap()),
        properties: PublishProperties::builder().topic_alias(number).build().unwrap(),
        payload: Bytes::from_static(b"x"),
    })
}

#[test]
fn a_message_that_is_not_supported_closes_with_its_reason() {
    let at_least = without(|server| server.maximum_qos = QoS::AtLeastOnce);
    let at_most = without(|server| server.maximum_qos = QoS::AtMostOnce);
    let not_kept = without(|server| server.retain = false);
    for (config, qos, retain, closed) in [
        (&at_least, 2, false, Some(("QoSNotSupported", "0x9b"))),
        (&at_least, 1, false, None),
        (&at_most, 1, false, Some(("QoSNotSupported", "0x9b"))),
        (&at_most, 0, true, None),
        (&not_kept, 0, true, Some(("RetainNotSupported", "0x9a"))),
        (&not_kept, 2, false, None),
    ] {
        for version in VERSIONS {
            let mut rig = Rig::accepted(config.clone(), version);
            rig.feed(&publish(qos, retain, PublishProperties::empty()));
            let told = rig.told();
            match closed {
                None => assert!(told[0].starts_with("message"), "{told:?}"),
                Some((violation, reason)) => {
                    assert!(
                        told[0].starts_with(&format!("closed Violation({violation})")),
                        "{told:?}"
                    );
                    match version {
                        Version::V5 => assert_eq!(rig.sent(), [format!("DISCONNECT {reason}")]),
                        _ => assert_eq!(rig.sent(), NOTHING),
                    }
                }
            }
        }
    }
}

#[test]
fn a_subscription_that_is_not_supported_closes_with_its_reason() {
    let numbered = SubscribeProperties::builder()
        .subscription_id(SubscriptionId::new(1).unwrap())
        .build()
        .unwrap();
    let none = SubscribeProperties::empty();
    for (config, filter, properties, violation, reason) in [
        (
            without(|s| s.wildcards = false),
            "a/#",
            &none,
            "WildcardNotSupported",
            "0xa2",
        ),
        (
            without(|s| s.wildcards = false),
            "+",
            &none,
            "WildcardNotSupported",
            "0xa2",
        ),
        (
            without(|s| s.shared = false),
            "$share/g/a",
            &none,
            "SharedNotSupported",
            "0x9e",
        ),
        (
            without(|s| s.subscription_ids = false),
            "a",
            &numbered,
            "SubscriptionIdsNotSupported",
            "0xa1",
        ),
    ] {
        let mut rig = Rig::accepted(config.clone(), Version::V5);
        rig.subscribe(1, &["plain"]);
        assert_eq!(rig.told(), ["subscribe plain"]);
        rig.subscribe_with(2, &["plain", filter], properties.clone());
        assert_eq!(rig.told(), [format!("closed Violation({violation})")]);
        assert_eq!(rig.sent(), [format!("DISCONNECT {reason}")]);
        // MQTT 3 was told nothing, and its host answers.
        let mut rig = Rig::accepted(config, Version::V3_1_1);
        rig.subscribe(2, &["plain", filter]);
        assert_eq!(rig.told(), [format!("subscribe plain {filter}")]);
    }
}

#[test]
fn more_open_messages_than_announced_close() {
    let session = SessionConfig::default()
        .hand_over(HandOver::Manual)
        .limits(Limits::default().receive_maximum(2));
    let mut rig = Rig::accepted(ServerConfig::default().session(session), Version::V5);
    rig.deliver(1, 1, "x");
    rig.deliver(2, 2, "x");
    rig.deliver_again(2, 2, "x");
    rig.deliver(0, 1, "x");
    assert!(rig.server.is_connected());
    rig.deliver(2, 3, "x");
    assert_eq!(rig.told().last().unwrap(), "closed Violation(ReceiveMaximumExceeded)");
    assert_eq!(rig.sent(), ["DISCONNECT 0x93"]);
    // MQTT 3.1.1 cannot be told: it is not read instead.
    let mut rig = Rig::accepted(ServerConfig::default().session(session), Version::V3_1_1);
    rig.deliver(1, 1, "x");
    rig.deliver(1, 2, "x");
    assert_eq!(rig.server.input_room(), 0);
    assert!(rig.server.is_connected());
}

#[test]
fn no_more_is_in_flight_than_the_client_takes() {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.receive_maximum(2));
    let mut rig = Rig::accepted_as(ServerConfig::default(), small);
    for tag in 1..=4 {
        rig.publish(1, tag);
    }
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m1", "PUBLISH q1 #2 t: m2"]);
    rig.puback(1);
    assert_eq!(rig.sent(), ["PUBLISH q1 #3 t: m3"]);
}

#[test]
fn a_message_that_the_client_cannot_take_is_refused_or_ends() {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.maximum_packet_size(30).session_expiry(LASTING_SECONDS));
    let mut rig = Rig::accepted_as(ServerConfig::default(), small.clone());
    let large = message(1, &"x".repeat(30));
    let refused = rig.server.publish(rig.now, large.clone(), 1);
    assert_eq!(refused, Err(PublishError::TooLarge { bytes: 38, limit: 30 }));
    // One that was queued while nobody was connected.
    let mut session = rig.take_over();
    session.publish(rig.now, large, 2).unwrap();
    session.publish(rig.now, message(1, "fits"), 3).unwrap();
    let mut next = Rig::asked(ServerConfig::default(), small);
    next.server
        .accept(next.now, mqtt_session::Accept::new().session(session))
        .unwrap();
    assert_eq!(next.sent(), ["CONNACK present", "PUBLISH q1 #2 t: fits"]);
    assert_eq!(next.told(), ["completed 2: too large: 38 above 30"]);
}

#[test]
fn a_packet_above_the_announced_size_closes_at_its_header() {
    let limits = Limits::default().packet_bytes(100);
    let mut rig = Rig::accepted(limited(limits), Version::V5);
    rig.feed_bytes(&[0x30, 98]);
    assert!(rig.server.is_connected());
    let mut rig = Rig::accepted(limited(limits), Version::V5);
    rig.feed_bytes(&[0x30, 99]);
    assert_eq!(rig.told(), ["closed malformed 0x95"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x95"]);
}

#[test]
fn a_packet_that_is_no_publish_is_held_in_one_piece_whatever_its_size() {
    let limits = Limits::default().whole_packet_bytes(64);
    let mut rig = Rig::accepted(limited(limits), Version::V5);
    assert_eq!(rig.server.input_room(), 64);
    rig.feed_bytes(&[0x82, 62]);
    assert_eq!(rig.server.input_room(), 64);
    rig.feed_bytes(&[0x82, 0xC8, 1]);
    assert_eq!(rig.server.input_room(), 203);
    assert!(rig.server.is_connected());
}

#[test]
fn answers_that_nobody_reads_stay_within_their_bounds() {
    let limits = Limits::default().reply_bytes(1000);
    let mut client = connect(Version::V5);
    client.keep_alive = 0;
    let mut rig = Rig::accepted(limited(limits), Version::V5);
    let mut outbox = Outbox::new(100);
    for _ in 0..10_000 {
        rig.ping();
        rig.server.poll_transmit(&mut outbox);
        assert!(outbox.len() <= 100);
        if !rig.server.is_connected() {
            break;
        }
    }
    assert_eq!(rig.told(), ["closed Violation(RepliesNotRead)"]);
    // What was answered before is whole, and the farewell stands behind it.
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        let len = outbox.remaining();
        bytes.extend_from_slice(&outbox.copy_to_bytes(len));
        rig.server.poll_transmit(&mut outbox);
    }
    assert_eq!(bytes.len(), 100 + 1002 + 3);
    let (pongs, farewell) = bytes.split_at(1102);
    assert!(pongs.chunks(2).all(|pong| pong == [0xD0, 0]));
    assert_eq!(farewell, [0xE0, 1, 0x97]);
}

#[test]
fn completions_that_nobody_reads_stay_within_their_bounds() {
    let mut rig = Rig::accepted(limited(Limits::default().replies(10)), Version::V5);
    for number in 1..=10 {
        rig.pubrel(number);
    }
    assert!(rig.server.is_connected());
    rig.pubrel(11);
    assert_eq!(rig.told(), ["closed Violation(RepliesNotRead)"]);
}

#[test]
fn an_alias_stands_for_its_topic_as_long_as_the_connection() {
    let mut rig = Rig::accepted(limited(Limits::default().aliases_accepted(2)), Version::V5);
    rig.feed(&alias(2, Some("first")));
    rig.feed(&alias(2, None));
    rig.feed(&alias(2, Some("second")));
    rig.feed(&alias(2, None));
    let topics = ["first", "first", "second", "second"].map(|topic| format!("message q0 {topic}: x"));
    assert_eq!(rig.told(), topics);
    let session = rig.take_over();
    let mut next = rig.resumed(ServerConfig::default(), session);
    next.feed(&alias(2, None));
    assert_eq!(next.told(), ["closed Violation(TopicAliasUnknown)"]);
    assert_eq!(next.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn an_alias_above_the_maximum_closes() {
    for maximum in [0, 2] {
        let limits = Limits::default().aliases_accepted(maximum);
        let mut rig = Rig::accepted(limited(limits), Version::V5);
        rig.feed(&alias(maximum + 1, Some("a")));
        assert_eq!(rig.told(), ["closed Violation(TopicAliasAboveMaximum)"]);
        assert_eq!(rig.sent(), ["DISCONNECT 0x94"]);
    }
}

#[test]
fn aliases_are_used_as_far_as_the_client_takes_them() {
    let mut client = connect(Version::V5);
    client.properties = asks(|client| client.topic_alias_maximum(1));
    let mut rig = Rig::accepted_as(ServerConfig::default(), client);
    let publish = |rig: &mut Rig, payload: &'static str| {
        let message = mqtt_session::Message::new("home/temperature", payload).unwrap();
        rig.server.publish(rig.now, message, 1).unwrap();
    };
    publish(&mut rig, "a");
    publish(&mut rig, "b");
    let sent = ["PUBLISH q0 home/temperature alias 1: a", "PUBLISH q0 alias 1: b"];
    assert_eq!(rig.sent(), sent);
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    publish(&mut rig, "a");
    assert_eq!(rig.sent(), ["PUBLISH q0 home/temperature: a"]);
}

#[test]
fn a_client_names_no_subscriptions_and_a_server_does() {
    let ids = |count: u32| {
        (1..=count).fold(PublishProperties::builder(), |builder, number| {
            builder.subscription_id(SubscriptionId::new(number).unwrap())
        })
    };
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    let named = message(1, "x").properties(ids(2).build().unwrap());
    rig.server.publish(rig.now, named, 1).unwrap();
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t for 1 for 2: x"]);
    // [MQTT-3.3.4-6]
    rig.feed(&publish(0, false, ids(1).build().unwrap()));
    assert_eq!(rig.told(), ["closed malformed 0x82"]);
}
