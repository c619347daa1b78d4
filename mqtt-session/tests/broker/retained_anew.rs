//! What is retained while a replay is on its way: it was delivered to who was subscribed, and is not sent again.

use bytes::Bytes;
use mqtt_session::proto::{Delivery, Packet, RetainHandling, SubscriptionOptions, Version};
use mqtt_session::{BrokerConfig, BrokerLimits, BrokerRecord, Origin};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, qos};

/// A subscriber gets one retained message at a time, and this one first of all.
const FIRST: &str = "a/0";

pub(crate) fn narrow(config: BrokerConfig) -> BrokerConfig {
    config.limits(BrokerLimits::default().replay_window(1))
}

fn granted(bits: u8) -> SubscriptionOptions {
    SubscriptionOptions::new(qos(bits))
}

/// A publisher, three retained messages of QoS 1, and a subscriber to all of them that has got the first, and owes its
/// acknowledgement.
fn standing(config: BrokerConfig, options: SubscriptionOptions) -> Rig {
    let mut rig = Rig::new(narrow(config));
    rig.connect(fleeting("p", Version::V5));
    rig.commit();
    for topic in [FIRST, "a/1", "a/2"] {
        publish(&mut rig, topic, 1, topic);
    }
    rig.connect(lasting("s", Version::V5));
    rig.commit();
    rig.sent("s");
    rig.subscribe_with("s", &[("a/#", options)], None);
    rig.commit();
    rig.run();
    rig
}

/// A message to be retained, which the broker takes.
fn publish(rig: &mut Rig, topic: &str, bits: u8, payload: &str) {
    rig.retain("p", topic, bits, payload);
    rig.commit();
    if bits == 2 {
        rig.pubrel("p", 5);
        rig.commit();
    }
    rig.sent("p");
}

fn come_back(rig: &mut Rig) {
    come(rig, "s");
}

/// A client comes, and has read nothing yet.
pub(crate) fn come(rig: &mut Rig, name: &str) {
    let connect = lasting(name, Version::V5);
    rig.open(name, connect.version);
    rig.feed(name, &Packet::Connect(connect));
    rig.commit();
}

/// All messages that a client gets, which it acknowledges, as "topic: payload", with a star if RETAIN is set.
pub(crate) fn drain(rig: &mut Rig, name: &str) -> Vec<String> {
    let (mut came, mut quiet) = (Vec::new(), 0);
    // What is taken from the machine may be a step of a replay, or wait for the store.
    while quiet < 3 {
        rig.run();
        rig.commit();
        let packets = rig.sent_packets(name);
        quiet = if packets.is_empty() { quiet + 1 } else { 0 };
        for packet in packets {
            match packet {
                Packet::Publish(publish) => {
                    match publish.delivery {
                        Delivery::AtMostOnce => {}
                        Delivery::AtLeastOnce { id, .. } => rig.puback(name, id.get()),
                        Delivery::ExactlyOnce { id, .. } => rig.pubrec(name, id.get()),
                    }
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let topic = publish.topic.map_or_else(String::new, |topic| text(topic.as_bytes()));
                    let star = if publish.retain { "*" } else { "" };
                    came.push(format!("{topic}: {}{star}", text(&publish.payload)));
                }
                Packet::PubRel(release) => rig.pubcomp(name, release.id.get()),
                _ => {}
            }
        }
    }
    came
}

/// What came of the topics that begin so.
fn of(came: &[String], prefix: &str) -> Vec<String> {
    came.iter().filter(|line| line.starts_with(prefix)).cloned().collect()
}

#[test]
fn what_is_retained_while_its_subscriber_is_away_comes_once_as_published() {
    for bits in [1, 2] {
        let mut rig = standing(config(), granted(2));
        rig.cut("s");
        publish(&mut rig, "a/z", bits, "m");
        come_back(&mut rig);
        let came = drain(&mut rig, "s");
        assert_eq!(of(&came, "a/z"), ["a/z: m"], "QoS {bits}: {came:?}");
        assert_eq!(of(&came, "a/1"), ["a/1: a/1*"]);
        assert_eq!(of(&came, "a/2"), ["a/2: a/2*"]);
    }
}

#[test]
fn what_is_retained_while_its_subscriber_is_slow_comes_once_as_published() {
    for bits in [0, 1, 2] {
        let mut rig = standing(config(), granted(2));
        publish(&mut rig, "a/z", bits, "m");
        rig.puback("s", 1);
        let came = drain(&mut rig, "s");
        assert_eq!(of(&came, "a/z"), ["a/z: m"], "QoS {bits}: {came:?}");
        assert_eq!(of(&came, "a/2"), ["a/2: a/2*"], "the replay went on to its end");
    }
}

#[test]
fn what_is_retained_with_qos_0_while_its_subscriber_is_away_was_sent_to_nobody() {
    let mut rig = standing(config(), granted(2));
    rig.cut("s");
    publish(&mut rig, "a/z", 0, "m");
    come_back(&mut rig);
    assert_eq!(of(&drain(&mut rig, "s"), "a/z"), NOTHING);
    // It is retained for who asks.
    let came = rig.subscribe_with("s", &[("a/#", granted(0))], None);
    assert_eq!(came.last().unwrap(), "PUBLISH q0 retain a/z: m");
}

#[test]
fn what_replaces_a_retained_message_that_was_not_sent_comes_once_as_published() {
    let mut rig = standing(config(), granted(2));
    rig.cut("s");
    publish(&mut rig, "a/1", 2, "later");
    publish(&mut rig, "a/2", 1, "");
    come_back(&mut rig);
    let came = drain(&mut rig, "s");
    assert_eq!(of(&came, "a/1"), ["a/1: later"]);
    assert_eq!(of(&came, "a/2"), ["a/2: "]);
}

#[test]
fn a_client_without_its_own_messages_does_not_get_them_as_retained_either() {
    let no_local = SubscriptionOptions {
        no_local: true,
        ..granted(2)
    };
    let mut rig = standing(config(), no_local);
    rig.retain("s", "a/y", 1, "own");
    publish(&mut rig, "a/z", 1, "m");
    let came = drain(&mut rig, "s");
    assert_eq!(
        (of(&came, "a/y"), of(&came, "a/z")),
        (vec![], vec!["a/z: m".to_owned()])
    );
    // What is there when it subscribes is no message of its own that is published.
    rig.subscribe_with("s", &[("a/y", no_local)], None);
    rig.cut("s");
    come_back(&mut rig);
    assert_eq!(of(&drain(&mut rig, "s"), "a/y"), ["a/y: own*"]);
}

#[test]
fn a_client_that_wants_retain_as_published_gets_what_is_retained_anew_once() {
    let as_published = SubscriptionOptions {
        retain_as_published: true,
        ..granted(2)
    };
    let mut rig = standing(config(), as_published);
    rig.cut("s");
    publish(&mut rig, "a/z", 2, "m");
    come_back(&mut rig);
    assert_eq!(of(&drain(&mut rig, "s"), "a/z"), ["a/z: m*"]);
}

#[test]
fn another_subscribe_replays_what_was_retained_up_to_it() {
    for (handling, expected) in [
        (RetainHandling::Send, &["a/z: m", "a/z: m*"][..]),
        (RetainHandling::SendIfNew, &["a/z: m"]),
        (RetainHandling::DoNotSend, &["a/z: m"]),
    ] {
        let mut rig = standing(config(), granted(2));
        publish(&mut rig, "a/z", 2, "m");
        let options = SubscriptionOptions {
            retain_handling: handling,
            ..granted(2)
        };
        rig.subscribe_with("s", &[("a/#", options)], None);
        publish(&mut rig, "a/zz", 2, "n");
        rig.cut("s");
        come_back(&mut rig);
        let mut came = of(&drain(&mut rig, "s"), "a/z");
        came.retain(|line| !line.starts_with("a/zz"));
        assert_eq!(came, expected, "{handling:?}");
    }
}

#[test]
fn many_that_were_retained_anew_are_passed_over_in_steps() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().replay_window(1).steps_per_call(2)));
    rig.join(fleeting("p", Version::V5));
    publish(&mut rig, "b/1", 1, "first");
    publish(&mut rig, "b/last", 1, "there");
    rig.join(lasting("s", Version::V5));
    rig.subscribe_with("s", &[("b/#", granted(1))], None);
    rig.cut("s");
    for number in 100..130 {
        publish(&mut rig, &format!("b/{number}"), 0, "m");
    }
    come_back(&mut rig);
    // The first was on its way and comes again.
    assert_eq!(drain(&mut rig, "s"), ["b/1: first*", "b/last: there*"]);
}

#[test]
fn a_replay_passes_over_what_came_later_in_the_next_life_too() {
    let stored = config().is_stored(true);
    let mut rig = standing(stored.clone(), granted(2));
    rig.cut("s");
    rig.commit();
    publish(&mut rig, "a/y", 2, "before");
    rig.restart(narrow(stored.clone()));
    rig.connect(fleeting("p", Version::V5));
    rig.commit();
    publish(&mut rig, "a/z", 2, "after");
    rig.restart(narrow(stored));
    rig.connect(fleeting("p", Version::V5));
    rig.connect(lasting("t", Version::V5));
    rig.commit();
    rig.sent("t");
    come_back(&mut rig);
    let came = drain(&mut rig, "s");
    let expected = ["a/1: a/1*", "a/2: a/2*", "a/y: before", "a/z: after"];
    let mut all = came.clone();
    all.retain(|line| !line.starts_with(FIRST));
    all.sort();
    assert_eq!(all, expected, "{came:?}");
    // Who subscribes in this life gets what all of them have left.
    rig.subscribe_with("t", &[("a/+", granted(1))], None);
    let expected = ["a/0: a/0*", "a/1: a/1*", "a/2: a/2*", "a/y: before*", "a/z: after*"];
    assert_eq!(drain(&mut rig, "t"), expected);
}

#[test]
fn records_that_know_no_names_of_messages_are_replayed_without_what_comes_now() {
    let stored = config().is_stored(true);
    let mut rig = standing(stored.clone(), granted(2));
    rig.cut("s");
    rig.commit();
    for record in rig.disk.values_mut() {
        match record {
            BrokerRecord::Retained { origin, .. } => *origin = Origin::default(),
            BrokerRecord::Subscription(subscription) => {
                let replay = subscription.replay.as_mut().unwrap();
                assert_eq!(replay.seen.len(), 1);
                replay.seen.clear();
            }
            BrokerRecord::Broker { forwards, .. } => *forwards = 0,
            _ => {}
        }
        let mut bytes = Vec::new();
        record.encode(&mut bytes).unwrap();
        assert!(bytes[0] < 4, "no record needs the version with names: {record:?}");
        assert_eq!(BrokerRecord::decode(&Bytes::from(bytes)).as_ref(), Ok(&*record));
    }
    rig.restart(narrow(stored));
    rig.connect(fleeting("p", Version::V5));
    rig.commit();
    publish(&mut rig, "a/z", 2, "m");
    come_back(&mut rig);
    let mut came = drain(&mut rig, "s");
    came.retain(|line| !line.starts_with(FIRST));
    came.sort();
    assert_eq!(came, ["a/1: a/1*", "a/2: a/2*", "a/z: m"]);
}
