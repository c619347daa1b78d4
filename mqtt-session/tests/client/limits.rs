//! What either end allows: quota, sizes, aliases, the age of messages and the length of queues.

use bytes::Bytes;
use mqtt_session::proto::{
    Delivery, Filters, Packet, Publish, PublishProperties, QoS, SubscribeProperties, SubscriptionOptions, TopicName,
    Version,
};
use mqtt_session::{CleanStart, HandOver, Limit, Limits, Message, PublishError, RequestError, Timer, WhenFull};

use crate::rig::{Rig, config, message, said};

#[test]
fn no_more_than_the_receive_maximum_of_the_server_is_in_flight() {
    let mut rig = Rig::connected_with(config(), said(|server| server.receive_maximum(2)));
    for tag in 1..=4 {
        rig.publish(2, tag);
    }
    rig.publish(0, 5);
    let sent = ["PUBLISH q2 #1 t: m1", "PUBLISH q2 #2 t: m2", "PUBLISH q0 t: m5"];
    assert_eq!(rig.sent(), sent);
    rig.pubrec(1);
    assert_eq!(rig.sent(), ["PUBREL #1"], "PUBREC gives back nothing");
    rig.pubcomp(1);
    assert_eq!(rig.sent(), ["PUBLISH q2 #3 t: m3"]);
}

#[test]
fn identifiers_stay_within_their_limit() {
    let limits = Limits::default().packet_ids(2);
    let mut rig = Rig::connected(config().limits(limits));
    for tag in 1..=3 {
        rig.publish(1, tag);
    }
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m1", "PUBLISH q1 #2 t: m2"]);
    rig.puback(2);
    assert_eq!(rig.sent(), ["PUBLISH q1 #2 t: m3"]);
}

#[test]
fn a_server_that_exceeds_the_receive_maximum_is_left() {
    let limits = Limits::default().receive_maximum(2);
    let mut rig = Rig::connected(config().limits(limits).hand_over(HandOver::Manual));
    for (qos, number) in [(1, 1), (2, 2)] {
        rig.deliver(qos, number, "x");
    }
    rig.deliver(0, 1, "qos 0 does not count");
    assert!(rig.client.is_connected());
    rig.deliver(1, 3, "x");
    assert_eq!(rig.told().last().unwrap(), "closed Violation(ReceiveMaximumExceeded)");
    assert_eq!(rig.sent(), ["DISCONNECT 0x93"]);
}

#[test]
fn acknowledged_messages_do_not_count_against_the_receive_maximum() {
    let limits = Limits::default().receive_maximum(1);
    let mut rig = Rig::connected(config().limits(limits));
    for number in 1..=5 {
        rig.deliver(1, number, "x");
        rig.told();
        rig.sent();
        rig.deliver(2, number, "x");
        rig.told();
        rig.sent();
        rig.pubrel(number);
        rig.sent();
    }
    assert!(rig.client.is_connected());
}

#[test]
fn what_an_earlier_connection_left_open_gives_back_no_quota_of_this_one() {
    let limits = Limits::default().receive_maximum(2);
    let mut rig = Rig::connected(config().limits(limits));
    rig.deliver(2, 1, "x");
    rig.told();
    assert_eq!(rig.sent(), ["PUBREC #1"]);
    rig.reconnect(true);
    for number in [2, 3] {
        rig.deliver(2, number, "x");
    }
    rig.told();
    rig.pubrel(1);
    assert_eq!(rig.sent(), ["PUBREC #2", "PUBREC #3", "PUBCOMP #1"]);
    assert!(rig.client.is_connected());
    rig.deliver(2, 4, "x");
    assert_eq!(
        rig.told(),
        ["closed Violation(ReceiveMaximumExceeded)"],
        "three are open of two that may be"
    );
}

#[test]
fn a_message_larger_than_the_server_takes_is_refused() {
    let mut rig = Rig::connected_with(config(), said(|server| server.maximum_packet_size(20)));
    // Type and length 2, topic 3, no properties 1.
    let (fits, too_large) = ("x".repeat(14), "x".repeat(15));
    let result = rig.client.publish(rig.now, message(0, &too_large), 1);
    assert_eq!(result, Err(PublishError::TooLarge { bytes: 21, limit: 20 }));
    rig.client.publish(rig.now, message(0, &fits), 2).unwrap();
    assert_eq!(rig.sent_bytes().len(), 20);
    assert_eq!(rig.told(), ["completed 2: Sent"]);
}

#[test]
fn a_queued_message_larger_than_the_server_takes_ends() {
    let mut rig = Rig::new(config());
    rig.client.publish(rig.now, message(1, &"x".repeat(15)), 1).unwrap();
    rig.publish(1, 2);
    rig.open();
    rig.accept_with(false, said(|server| server.maximum_packet_size(20)));
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].ends_with(" t: m2"), "{sent:?}");
    assert_eq!(rig.told(), ["connected", "completed 1: too large: 23 above 20"]);
}

#[test]
fn a_packet_larger_than_announced_is_refused_by_its_header() {
    let limits = Limits::default().packet_bytes(32);
    let mut rig = Rig::connected(config().limits(limits));
    rig.deliver(0, 1, &"x".repeat(26));
    assert_eq!(rig.told(), [format!("message q0 s: {}", "x".repeat(26))]);
    rig.feed_bytes(&[0x30, 31]);
    assert_eq!(rig.told(), ["closed malformed 0x95"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x95"]);
}

#[test]
fn a_message_above_the_maximum_qos_of_the_client_closes_at_its_head() {
    let lesser = || config().maximum_qos(QoS::AtLeastOnce);
    let in_chunks = Limits::default().whole_packet_bytes(30);
    for config in [
        lesser(),
        lesser().limits(in_chunks),
        lesser().version(Version::V3_1_1).clean_start(CleanStart::Never),
    ] {
        let has_words = config.version.has_properties();
        let mut rig = Rig::connected(config);
        rig.deliver(1, 1, "fine");
        rig.told();
        assert_eq!(rig.sent(), ["PUBACK #1"]);
        rig.deliver(2, 2, &"x".repeat(50));
        assert_eq!(
            rig.told().last().map(String::as_str),
            Some("closed Violation(QoSNotSupported)")
        );
        // MQTT 3 has no words for it.
        let farewell: &[&str] = if has_words { &["DISCONNECT 0x9b"] } else { &[] };
        assert_eq!(rig.sent(), farewell);
    }
}

#[test]
fn no_more_than_the_maximum_qos_of_the_client_is_asked_for() {
    let mut rig = Rig::new(config().maximum_qos(QoS::AtLeastOnce));
    let filters = |last: QoS| {
        let options = SubscriptionOptions::new;
        Filters::builder()
            .filter("a", options(QoS::AtMostOnce))
            .filter("b", options(last))
            .build()
            .unwrap()
    };
    let none = SubscribeProperties::empty;
    let refused = rig.client.subscribe(rig.now, filters(QoS::ExactlyOnce), none(), 1);
    assert_eq!(refused, Err(RequestError::AboveMaximumQoS));
    rig.client
        .subscribe(rig.now, filters(QoS::AtLeastOnce), none(), 2)
        .unwrap();
}

fn about(topic: &str) -> Message {
    Message::new(topic.to_owned(), "x").unwrap()
}

#[test]
fn a_topic_is_sent_once_and_then_its_alias() {
    let mut rig = Rig::connected_with(config(), said(|server| server.topic_alias_maximum(1)));
    for topic in ["home/a", "home/a", "home/b", "home/a"] {
        rig.client.publish(rig.now, about(topic), 0).unwrap();
    }
    let sent = [
        "PUBLISH q0 home/a alias 1: x",
        "PUBLISH q0 alias 1: x",
        "PUBLISH q0 home/b alias 1: x",
        "PUBLISH q0 home/a alias 1: x",
    ];
    assert_eq!(rig.sent(), sent);
}

#[test]
fn an_alias_that_makes_a_message_too_large_is_left_out() {
    // Type and length 2, topic 8, no properties 1, payload 1; and an alias 3.
    for (limit, sent) in [
        (15, ["PUBLISH q0 home/a alias 1: x", "PUBLISH q0 alias 1: x"]),
        (14, ["PUBLISH q0 home/a: x"; 2]),
        (12, ["PUBLISH q0 home/a: x"; 2]),
    ] {
        let mut rig = Rig::connected_with(
            config(),
            said(|server| server.topic_alias_maximum(4).maximum_packet_size(limit)),
        );
        for tag in 0..2 {
            rig.client.publish(rig.now, about("home/a"), tag).unwrap();
        }
        assert_eq!(rig.sent(), sent, "{limit}");
        assert_eq!(rig.told(), ["completed 0: Sent", "completed 1: Sent"], "{limit}");
    }
}

#[test]
fn aliases_end_with_their_connection() {
    let mut rig = Rig::connected_with(config(), said(|server| server.topic_alias_maximum(4)));
    rig.client
        .publish(rig.now, about("home/a").qos(QoS::AtLeastOnce), 0)
        .unwrap();
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 home/a alias 1: x"]);
    rig.reconnect(true);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 dup home/a: x"]);
}

fn aliased(topic: Option<&'static str>, alias: u16) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: topic.map(|topic| TopicName::from_bytes(Bytes::from(topic)).unwrap()),
        properties: PublishProperties::builder().topic_alias(alias).build().unwrap(),
        payload: Bytes::from_static(b"x"),
    })
}

#[test]
fn an_alias_of_the_server_stands_for_its_topic() {
    let mut rig = Rig::connected(config());
    rig.feed(&aliased(Some("a"), 1));
    rig.feed(&aliased(Some("b"), 16));
    rig.feed(&aliased(None, 1));
    rig.feed(&aliased(Some("c"), 1));
    rig.feed(&aliased(None, 1));
    let topics = ["a", "b", "a", "c", "c"].map(|topic| format!("message q0 {topic}: x"));
    assert_eq!(rig.told(), topics);
}

#[test]
fn an_alias_that_stands_for_nothing_closes() {
    let mut rig = Rig::connected(config());
    rig.feed(&aliased(Some("a"), 1));
    rig.reconnect(true);
    rig.told();
    rig.feed(&aliased(None, 1));
    assert_eq!(rig.told(), ["closed Violation(TopicAliasUnknown)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
}

#[test]
fn an_alias_above_the_maximum_closes() {
    let mut rig = Rig::connected(config());
    rig.feed(&aliased(Some("a"), 17));
    assert_eq!(rig.told(), ["closed Violation(TopicAliasAboveMaximum)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x94"]);
}

#[test]
fn a_message_that_waited_says_how_long_it_has_left() {
    let mut rig = Rig::new(config());
    let message = message(1, "x").expiry_seconds(10);
    rig.client.publish(rig.now, message, 1).unwrap();
    rig.advance(4);
    rig.open();
    rig.accept(false);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t expiry 6: x"]);
    assert_eq!(rig.told(), ["connected"]);
    rig.advance(7);
    assert_eq!(rig.told(), [""; 0], "what was sent does not expire here");
}

#[test]
fn a_message_that_expires_in_the_queue_is_told_and_not_sent() {
    for qos in 0..=2 {
        let mut rig = Rig::new(config());
        let begun = rig.now;
        let message = message(qos, "x").expiry_seconds(5);
        rig.client.publish(rig.now, message, 1).unwrap();
        assert_eq!(rig.fire_next(), Timer::Expiry);
        assert_eq!(rig.now.saturating_since(begun).as_secs(), 5);
        assert_eq!(rig.told(), ["completed 1: Expired"]);
        rig.open();
        rig.accept(false);
        assert_eq!(rig.sent(), [""; 0]);
    }
}

#[test]
fn a_full_queue_refuses() {
    let limits = Limits::default().queued_messages(2);
    let mut rig = Rig::new(config().limits(limits));
    rig.publish(0, 1);
    rig.publish(1, 2);
    let result = rig.client.publish(rig.now, message(1, "x"), 3);
    assert_eq!(result, Err(PublishError::QueueFull(Limit::QueuedMessages)));
    assert_eq!(rig.told(), [""; 0]);
}

#[test]
fn a_full_queue_drops_the_oldest_that_was_never_sent() {
    let limits = Limits::default().queued_messages(2);
    let mut rig = Rig::new(config().limits(limits).when_full(WhenFull::DropOldest));
    for (tag, qos) in [(1, 0), (2, 1), (3, 1), (4, 0)] {
        rig.publish(qos, tag);
    }
    let dropped = [1, 2].map(|tag| format!("completed {tag}: Dropped(QueuedMessages)"));
    assert_eq!(rig.told(), dropped);
    rig.open();
    rig.accept(false);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m3", "PUBLISH q0 t: m4"]);
    rig.publish(1, 5);
    rig.sent();
    let result = rig.client.publish(rig.now, message(1, "x"), 6);
    assert_eq!(
        result,
        Err(PublishError::QueueFull(Limit::QueuedMessages)),
        "both were sent"
    );
}

#[test]
fn a_queue_is_bounded_in_bytes_too() {
    let limits = Limits::default().queued_bytes(100);
    let mut rig = Rig::new(config().limits(limits).when_full(WhenFull::DropOldest));
    rig.client.publish(rig.now, message(1, &"x".repeat(60)), 1).unwrap();
    rig.client.publish(rig.now, message(1, &"x".repeat(60)), 2).unwrap();
    assert_eq!(rig.told(), ["completed 1: Dropped(QueuedBytes)"]);
    let result = rig.client.publish(rig.now, message(1, &"x".repeat(100)), 3);
    assert_eq!(result, Err(PublishError::QueueFull(Limit::QueuedBytes)));
    assert_eq!(rig.told(), [""; 0], "what can never fit displaces nothing");
}

#[test]
fn a_queue_takes_exactly_as_many_bytes_as_it_may() {
    // The topic of each has one byte.
    for (payload_bytes, fits) in [(49, true), (50, false)] {
        let mut rig = Rig::new(config().limits(Limits::default().queued_bytes(100)));
        rig.client.publish(rig.now, message(1, &"x".repeat(49)), 1).unwrap();
        let second = rig.client.publish(rig.now, message(1, &"x".repeat(payload_bytes)), 2);
        assert_eq!(second.is_ok(), fits, "{payload_bytes}: {second:?}");
    }
}

#[test]
fn messages_of_qos_0_that_nobody_polls_are_dropped_and_counted() {
    let limits = Limits::default().events(2);
    let mut rig = Rig::connected(config().limits(limits));
    for payload in ["a", "b", "c", "d"] {
        rig.deliver(0, 1, payload);
    }
    rig.deliver(1, 1, "e");
    assert_eq!(
        rig.told(),
        ["message q0 s: a", "message q0 s: b", "dropped 2", "message q1 s: e"]
    );
}

#[test]
fn nothing_is_read_while_the_host_does_not_poll() {
    let limits = Limits::default().events(1);
    let mut rig = Rig::connected(config().limits(limits));
    for number in 1..=2 {
        rig.deliver(1, number, "x");
    }
    assert_eq!(rig.client.input_room(), 0);
    let ping = rig.encoded(&Packet::PingResp);
    assert_eq!(rig.feed_bytes(&ping), ping.len());
    rig.told();
    assert!(rig.client.input_room() > 0);
    assert_eq!(rig.feed_bytes(&ping), 0);
}

#[test]
fn no_more_messages_of_qos_0_are_sent_than_events_of_it_are_heard() {
    let mut rig = Rig::connected(config().limits(Limits::default().events(8)));
    for tag in 0..100 {
        rig.publish(0, tag);
        rig.sent_bytes();
    }
    let told = rig.told().len();
    assert_eq!(told, 8);
    // What is heard makes room for more.
    assert_eq!(rig.sent().len(), 8);
    assert_eq!(rig.told().len(), 8);
}
