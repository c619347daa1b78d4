//! Retained messages.

use bytes::{Buf, Bytes};
use mqtt_session::proto::{PublishProperties, RetainHandling, Subscription, SubscriptionOptions, TopicFilter, Version};
use mqtt_session::{BrokerLimits, Outbox};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, qos};

pub(crate) fn subscription(filter: &str, bits: u8) -> Subscription<Bytes> {
    Subscription {
        filter: TopicFilter::from_bytes(Bytes::copy_from_slice(filter.as_bytes())).unwrap(),
        options: SubscriptionOptions::new(qos(bits)),
    }
}

fn kept(topics: &[&str]) -> Rig {
    let mut rig = Rig::new(config().dollar_topics(true));
    rig.join(fleeting("p", Version::V5));
    for topic in topics {
        rig.retain("p", topic, 0, topic);
    }
    rig.join(lasting("s", Version::V5));
    rig
}

fn options(bits: u8) -> SubscriptionOptions {
    SubscriptionOptions::new(qos(bits))
}

#[test]
fn a_retained_message_is_sent_to_who_subscribes_later() {
    let mut rig = kept(&["a/b", "a/c", "$x/b"]);
    assert_eq!(
        rig.subscribe_with("s", &[("+/b", options(1))], Some(4)),
        ["SUBACK #9 0x01", "PUBLISH q0 retain a/b for 4: a/b"]
    );
}

#[test]
fn the_last_message_is_retained_and_an_empty_one_takes_it_away() {
    let mut rig = kept(&["a"]);
    rig.retain("p", "a", 0, "later");
    assert_eq!(
        rig.subscribe_with("s", &[("a", options(0))], None),
        ["SUBACK #9 0x00", "PUBLISH q0 retain a: later"]
    );
    rig.retain("p", "a", 0, "");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 a: "]);
    assert_eq!(rig.subscribe_with("s", &[("a", options(0))], None), ["SUBACK #9 0x00"]);
    assert_eq!(rig.broker.figures().retained_messages, 0);
}

#[test]
fn retain_handling_says_when_they_are_sent() {
    let mut rig = kept(&["a"]);
    for (handling, first, second) in [
        (RetainHandling::Send, 2, 2),
        (RetainHandling::SendIfNew, 2, 1),
        (RetainHandling::DoNotSend, 1, 1),
    ] {
        let mut options = options(0);
        options.retain_handling = handling;
        for expected in [first, second] {
            let sent = rig.subscribe_with("s", &[("a", options)], None);
            assert_eq!(sent.len(), expected, "{handling:?}: {sent:?}");
        }
        rig.unsubscribe("s", "a");
    }
}

#[test]
fn what_is_still_to_be_sent_is_sent_although_the_filter_is_subscribed_again() {
    for handling in [
        RetainHandling::Send,
        RetainHandling::SendIfNew,
        RetainHandling::DoNotSend,
    ] {
        let mut rig = kept(&["a", "b"]);
        let again = SubscriptionOptions {
            retain_handling: handling,
            ..options(1)
        };
        // Nothing is sent before both have been handled.
        let sent = rig.subscribe_with("s", &[("+", options(0)), ("+", again)], Some(3));
        let expected = [
            "SUBACK #9 0x00 0x01",
            "PUBLISH q0 retain a for 3: a",
            "PUBLISH q0 retain b for 3: b",
        ];
        assert_eq!(sent, expected, "{handling:?}");
    }
}

#[test]
fn a_replay_goes_on_under_flow_control_and_over_cuts_until_all_were_sent() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().replay_window(3).steps_per_call(5)));
    rig.join(fleeting("p", Version::V5));
    for number in 0..50 {
        rig.retain("p", &format!("many/{number:02}"), 1, "m");
        assert_eq!(rig.sent("p"), ["PUBACK #5"]);
    }
    rig.join(lasting("s", Version::V5));
    let mut came = rig.subscribe_with("s", &[("many/#", options(1))], None);
    assert_eq!(came.remove(0), "SUBACK #9 0x01");
    let mut topics = Vec::new();
    for round in 0.. {
        if came.is_empty() {
            break;
        }
        assert!(came.len() <= 3, "{came:?}");
        for line in &came {
            let number: u16 = line.split(['#', ' ']).nth(3).unwrap().parse().unwrap();
            rig.puback("s", number);
            topics.push(line.split_once("retain ").unwrap().1.to_owned());
        }
        if round % 4 == 3 {
            rig.cut("s");
            // What changes meanwhile does not make it begin anew.
            rig.retain("p", "many/00", 0, "changed");
            rig.retain("p", "many/000", 0, "behind");
            let sent = rig.connect(lasting("s", Version::V5));
            assert_eq!(sent[0], "CONNACK present");
            came = sent[1..].to_vec();
        } else {
            came = Vec::new();
        }
        rig.run();
        came.extend(rig.sent("s"));
        came.retain(|line| !line.contains("changed") && !line.contains("behind"));
    }
    let expected: Vec<String> = (0..50).map(|number| format!("many/{number:02}: m")).collect();
    assert_eq!(topics, expected);
}

#[test]
fn a_long_replay_of_qos_0_goes_out_to_a_driver_that_serves_only_who_is_ready() {
    let mut rig = kept(&[]);
    for number in 0..1000 {
        rig.retain("p", &format!("many/{number}"), 0, "m");
    }
    while rig.broker.poll_ready().is_some() {}
    assert_eq!(rig.feed_bytes("s", b"\x82\x0c\0\x09\0\0\x06many/#\0"), 0);
    let (mut outbox, mut bytes) = (Outbox::new(1 << 20), 0);
    while let Some(ready) = rig.broker.poll_ready() {
        rig.broker.poll_transmit(ready, &mut outbox);
        bytes += outbox.len();
        outbox.advance(outbox.len());
    }
    // SUBACK; PUBLISH with a topic of 6 to 8 bytes, no properties and a byte of payload.
    let publishes = 10 * (2 + 2 + 6 + 2) + 90 * (2 + 2 + 7 + 2) + 900 * (2 + 2 + 8 + 2);
    assert_eq!(bytes, 6 + publishes);
}

#[test]
fn a_replay_goes_on_with_each_answer_for_a_driver_that_serves_only_who_is_ready() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().replay_window(1)));
    rig.join(fleeting("p", Version::V5));
    for number in 0..10 {
        rig.retain("p", &format!("many/{number}"), 1, "m");
        rig.sent("p");
    }
    rig.join(lasting("s", Version::V5));
    assert_eq!(rig.feed_bytes("s", b"\x82\x0c\0\x09\0\0\x06many/#\x01"), 0);
    let mut came = 0;
    while let Some(ready) = rig.broker.poll_ready() {
        if ready != rig.id("s") {
            continue;
        }
        for line in rig.sent("s") {
            if let Some((_, number)) = line.split_once("PUBLISH q1 #") {
                came += 1;
                rig.puback("s", number.split(' ').next().unwrap().parse().unwrap());
            }
        }
    }
    assert_eq!(came, 10);
}

#[test]
fn a_group_is_sent_what_comes_and_not_what_is_there() {
    let mut rig = kept(&["a"]);
    assert_eq!(
        rig.subscribe_with("s", &[("$share/g/a", options(0))], None),
        ["SUBACK #9 0x00"]
    );
}

#[test]
fn a_retained_message_expires_and_says_how_long_it_has() {
    let mut rig = kept(&[]);
    let properties = PublishProperties::builder().message_expiry(100).build().unwrap();
    rig.publish_with("p", "a", 0, "m", true, properties);
    rig.advance(40);
    assert_eq!(
        rig.subscribe_with("s", &[("a", options(0))], None),
        ["SUBACK #9 0x00", "PUBLISH q0 retain a expiry 60: m"]
    );
    rig.advance(60);
    assert_eq!(rig.broker.figures().retained_messages, 0);
    assert_eq!(rig.subscribe_with("s", &[("a", options(0))], None), ["SUBACK #9 0x00"]);
}

#[test]
fn one_too_many_is_delivered_and_not_retained() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().retained_messages(1)));
    rig.join(fleeting("p", Version::V5));
    rig.subscribe("p", "#", 0);
    rig.retain("p", "a", 0, "m");
    rig.retain("p", "b", 0, "m");
    assert_eq!(rig.sent("p"), ["PUBLISH q0 a: m", "PUBLISH q0 b: m"]);
    assert_eq!(rig.broker.figures().retained_messages, 1);
    assert_eq!(rig.broker.figures().retained_refused, 1);
    assert_eq!(rig.told(), NOTHING);
}

#[test]
fn the_host_gets_retained_messages_too() {
    let mut rig = kept(&["a", "b"]);
    rig.broker.subscribe_local(rig.now, &subscription("#", 0)).unwrap();
    rig.run();
    assert_eq!(rig.told(), ["delivered q0 a: a", "delivered q0 b: b"]);
}
