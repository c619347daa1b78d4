//! Shared subscriptions.

use bytes::Bytes;
use mqtt_session::proto::{DisconnectReason, Publish, SubscriptionId, Version};
use mqtt_session::{Ask, BrokerConfig, Message, Share};

use super::rig::{Rig, config, fleeting, lasting, qos};

fn group() -> Rig {
    group_of(config())
}

fn group_of(config: BrokerConfig) -> Rig {
    let mut rig = Rig::new(config);
    rig.join(fleeting("p", Version::V5));
    for name in ["a", "b", "c"] {
        rig.join(lasting(name, Version::V5));
        rig.subscribe(name, "$share/g/t/#", 1);
    }
    rig
}

fn counts(rig: &mut Rig) -> [usize; 3] {
    ["a", "b", "c"].map(|name| rig.sent(name).len())
}

/// The identifiers of the subscriptions that a message comes by.
fn identifiers(publish: &Publish<Bytes>) -> Vec<u32> {
    publish.properties.subscription_ids().map(SubscriptionId::get).collect()
}

#[test]
fn each_message_goes_to_one_member_in_turn() {
    let mut rig = group();
    for _ in 0..9 {
        rig.publish("p", "t/x", 0, "m");
    }
    assert_eq!(counts(&mut rig), [3, 3, 3]);
}

#[test]
fn a_topic_has_one_member_and_topics_are_spread() {
    let mut rig = group_of(config().share(Share::ByTopic));
    for topic in 0..30 {
        for _ in 0..2 {
            rig.publish("p", &format!("t/{topic}"), 0, "m");
        }
        let got = counts(&mut rig);
        assert!(got.contains(&2), "{got:?}");
    }
    let mut got = [0; 3];
    for topic in 0..30 {
        rig.publish("p", &format!("t/{topic}"), 0, "m");
        let one = counts(&mut rig);
        got = [got[0] + one[0], got[1] + one[1], got[2] + one[2]];
    }
    assert!(got.iter().all(|count| *count > 0), "{got:?}");
}

#[test]
fn one_member_has_all_messages_as_long_as_it_is_there() {
    let mut rig = group_of(config().share(Share::Same));
    for _ in 0..9 {
        rig.publish("p", "t/x", 0, "m");
    }
    let mut got = counts(&mut rig);
    got.sort_unstable();
    assert_eq!(got, [0, 0, 9]);
}

#[test]
fn any_member_has_any_message() {
    let mut rig = group_of(config().share(Share::Random));
    for _ in 0..60 {
        rig.publish("p", "t/x", 0, "m");
    }
    let got = counts(&mut rig);
    assert!(got.iter().all(|count| *count > 0), "{got:?}");
}

#[test]
fn members_that_are_away_are_passed_over_as_long_as_one_is_there() {
    let mut rig = group();
    rig.cut("b");
    for _ in 0..4 {
        rig.publish("p", "t/x", 1, "m");
    }
    assert_eq!([rig.sent("a").len(), rig.sent("c").len()], [2, 2]);
    rig.cut("a");
    rig.cut("c");
    rig.publish("p", "t/x", 1, "for later");
    let came: usize = ["a", "b", "c"]
        .map(|name| {
            let sent = rig.connect(lasting(name, Version::V5));
            sent.iter().filter(|line| line.contains("for later")).count()
        })
        .iter()
        .sum();
    assert_eq!(came, 1);
}

#[test]
fn a_group_and_a_subscription_of_ones_own_are_apart() {
    let mut rig = group();
    rig.subscribe("a", "t/#", 0);
    rig.publish("p", "t/x", 0, "m");
    rig.publish("p", "t/x", 0, "m");
    rig.publish("p", "t/x", 0, "m");
    assert_eq!(counts(&mut rig), [4, 1, 1]);
}

/// What the members get of one message after another, when the first one has had these and is gone for good.
fn left_by(end: impl Fn(&mut Rig), bits: u8, took: impl Fn(&mut Rig)) -> Vec<String> {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    for name in ["a", "b"] {
        rig.join(lasting(name, Version::V5));
        rig.subscribe(name, "$share/g/t/#", 2);
    }
    rig.publish("p", "t/x", bits, "m");
    assert_eq!(rig.sent("a"), [format!("PUBLISH q{bits} #1 t/x: m")]);
    took(&mut rig);
    end(&mut rig);
    rig.sent("b")
}

fn expires(rig: &mut Rig) {
    rig.cut("a");
    rig.advance(u64::from(super::rig::LASTING_SECONDS));
}

fn begins_anew(rig: &mut Rig) {
    let sent = rig.connect(mqtt_session::proto::Connect {
        clean_start: true,
        ..lasting("a", Version::V5)
    });
    assert_eq!(sent, ["CONNACK"]);
}

#[test]
fn what_a_member_did_not_acknowledge_goes_to_another_when_its_session_ends() {
    for end in [expires, begins_anew] {
        assert_eq!(left_by(end, 1, |_| ()), ["PUBLISH q1 #1 t/x: m"]);
        let acknowledged = |rig: &mut Rig| {
            rig.puback("a", 1);
        };
        assert_eq!(left_by(end, 1, acknowledged), super::rig::NOTHING);
    }
}

#[test]
fn a_message_of_qos_2_that_was_sent_goes_to_nobody_else() {
    for end in [expires, begins_anew] {
        assert_eq!(left_by(end, 2, |_| ()), super::rig::NOTHING);
    }
}

#[test]
fn as_long_as_the_session_lives_its_messages_wait_for_it() {
    let cut = |rig: &mut Rig| {
        rig.cut("a");
        rig.advance(u64::from(super::rig::LASTING_SECONDS) - 1);
    };
    assert_eq!(left_by(cut, 1, |_| ()), super::rig::NOTHING);
}

#[test]
fn a_message_that_was_never_sent_goes_to_another_member_whatever_its_qos() {
    let mut rig = Rig::new(config());
    for name in ["a", "b"] {
        rig.join(lasting(name, Version::V5));
        rig.subscribe(name, "$share/g/t", 2);
    }
    rig.subscribe("a", "own", 2);
    rig.cut("a");
    rig.cut("b");
    rig.join(fleeting("p", Version::V5));
    // The first member in turn gets both, each by another way.
    rig.publish("p", "t", 2, "shared");
    rig.pubrel("p", 5);
    rig.publish("p", "own", 2, "its own");
    assert_eq!(rig.connect(lasting("b", Version::V5)), ["CONNACK present"]);
    rig.advance(u64::from(super::rig::LASTING_SECONDS));
    assert_eq!(rig.sent("b"), ["PUBLISH q2 #1 t: shared"]);
    assert_eq!(rig.broker.figures().messages_handed_on, 1);
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_its_messages_to_the_group() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("a", Version::V3_1_1));
    rig.join(lasting("b", Version::V5));
    rig.subscribe("a", "$share/g/t", 1);
    let identified = [("$share/g/t", mqtt_session::proto::SubscriptionOptions::new(qos(1)))];
    rig.subscribe_with("b", &identified, Some(7));
    let properties = mqtt_session::proto::PublishProperties::builder()
        .content_type("text")
        .build()
        .unwrap();
    rig.publish_with("p", "t", 1, "m", false, properties);
    assert_eq!(rig.sent("a"), ["PUBLISH q1 #1 t: m"]);
    rig.cut("a");
    let sent = rig.sent_packets("b");
    let [mqtt_session::proto::Packet::Publish(publish)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert!(!publish.delivery.dup());
    assert_eq!(
        publish.properties.content_type().map(|text| text.as_str().to_owned()),
        Some("text".to_owned())
    );
    assert_eq!(identifiers(publish), [7]);
}

#[test]
fn the_group_of_a_message_is_known_after_a_restart() {
    let stored = config().is_stored(true);
    let mut rig = Rig::new(stored.clone());
    for name in ["a", "b"] {
        rig.connect(lasting(name, Version::V5));
        rig.commit();
        rig.sent(name);
        let options = mqtt_session::proto::SubscriptionOptions::new(qos(1));
        rig.subscribe_with(name, &[("$share/g/t", options)], None);
        rig.commit();
    }
    rig.join(fleeting("p", Version::V5));
    rig.publish("p", "t", 1, "m");
    rig.commit();
    // The other seed puts everything into another place of its tables.
    rig.restart(BrokerConfig::new(8).is_stored(true));
    assert_eq!(rig.connect(lasting("b", Version::V5)), super::rig::NOTHING);
    rig.commit();
    assert_eq!(rig.sent("b"), ["CONNACK present"]);
    rig.advance(u64::from(super::rig::LASTING_SECONDS));
    rig.commit();
    assert_eq!(rig.sent("b"), ["PUBLISH q1 #1 t: m"]);
    rig.puback("b", 1);
    rig.commit();
    let is_payload = |key: &&mqtt_session::BrokerKey| matches!(key, mqtt_session::BrokerKey::Payload(_));
    assert_eq!(rig.disk.keys().filter(is_payload).count(), 0);
}

#[test]
fn a_member_whose_session_has_ended_gets_nothing_while_it_leaves() {
    let limits = mqtt_session::BrokerLimits::default().steps_per_call(1);
    let mut rig = Rig::new(config().limits(limits));
    for name in ["b", "a"] {
        rig.join(lasting(name, Version::V5));
        for filter in ["1", "2", "3", "4", "$share/g/t"] {
            rig.subscribe(name, filter, 1);
        }
    }
    rig.join(fleeting("p", Version::V5));
    rig.leave("b", DisconnectReason::NormalDisconnection);
    rig.cut("a");
    // Its filters go one by one.
    begins_anew(&mut rig);
    rig.rename("a", "anew");
    assert!(rig.broker.figures().subscriptions > 5);
    for _ in 0..2 {
        rig.publish("p", "t", 1, "m");
        assert_eq!(rig.sent("p"), ["PUBACK #5"]);
    }
    assert_eq!(
        rig.connect(lasting("b", Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 t: m", "PUBLISH q1 #2 t: m"]
    );
}

#[test]
fn a_message_that_goes_to_another_member_carries_its_identifier_alone() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    for (name, identifier) in [("a", 3), ("b", 7)] {
        rig.join(fleeting(name, Version::V5));
        let options = mqtt_session::proto::SubscriptionOptions::new(qos(1));
        rig.subscribe_with(name, &[("$share/g/t", options)], Some(identifier));
    }
    rig.publish("p", "t", 1, "m");
    rig.cut("a");
    let sent = rig.sent_packets("b");
    let [mqtt_session::proto::Packet::Publish(publish)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(identifiers(publish), [7]);
}

#[test]
fn a_member_whose_session_is_over_with_its_connection_is_passed_over_while_its_end_waits_for_the_host() {
    let ask = Ask {
        connect: false,
        publish: true,
        subscribe: false,
    };
    let mut rig = Rig::new(config().ask(ask));
    for name in ["leaving", "staying"] {
        rig.join(fleeting(name, Version::V5));
        rig.subscribe(name, "$share/g/t", 1);
    }
    // Its end waits behind a message that the host has not allowed yet.
    rig.publish("leaving", "x", 0, "m");
    rig.leave("leaving", DisconnectReason::NormalDisconnection);
    for payload in ["m", "n"] {
        rig.broker
            .publish(rig.now, Message::new("t", payload).unwrap().qos(qos(1)));
    }
    assert_eq!(rig.sent("staying"), ["PUBLISH q1 #1 t: m", "PUBLISH q1 #2 t: n"]);
}
