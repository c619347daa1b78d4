//! Topics that clients may not publish to, and wills that they may not leave.

use bytes::Bytes;
use mqtt_session::proto::{Connect, QoS, Version, Will};
use mqtt_session::{Ask, BrokerLimits, Capabilities, Message, ServerConfig};

use super::rig::{NOTHING, Rig, VERSIONS, config, fleeting, topic, will};

fn refusal(version: Version, bits: u8) -> Vec<String> {
    let code = if version == Version::V5 { " 0x90" } else { "" };
    match bits {
        0 => vec![],
        1 => vec![format!("PUBACK #5{code}")],
        _ => vec![format!("PUBREC #5{code}")],
    }
}

#[test]
fn topics_that_begin_with_a_dollar_are_the_hosts() {
    for version in VERSIONS {
        for bits in 0..3 {
            let mut rig = Rig::new(config());
            rig.join(fleeting("c", version));
            rig.subscribe("c", "$x/#", 0);
            rig.publish("c", "$x/y", bits, "m");
            assert_eq!(rig.sent("c"), refusal(version, bits));
            rig.retain("c", "$x/z", 0, "m");
            assert_eq!(rig.sent("c"), NOTHING);
            assert_eq!(rig.broker.figures().retained_messages, 0);
            assert_eq!(rig.broker.figures().topics_refused, 2);
            rig.broker
                .publish(rig.now, Message::new("$x/y", "from the host").unwrap());
            assert_eq!(rig.sent("c"), ["PUBLISH q0 $x/y: from the host"]);
        }
    }
    let mut rig = Rig::new(config().dollar_topics(true));
    rig.join(fleeting("c", Version::V5));
    rig.subscribe("c", "$x/#", 0);
    rig.publish("c", "$x/y", 0, "m");
    assert_eq!(rig.sent("c"), ["PUBLISH q0 $x/y: m"]);
}

#[test]
fn a_topic_has_so_many_levels_and_no_more() {
    let mut rig = Rig::new(config().limits(BrokerLimits::default().topic_levels(3)));
    rig.join(fleeting("c", Version::V5));
    rig.subscribe("c", "#", 0);
    rig.publish("c", "a/b/c", 0, "m");
    rig.publish("c", "a/b/c/d", 0, "m");
    rig.publish("c", "///", 1, "m");
    assert_eq!(rig.sent("c"), ["PUBACK #5 0x90", "PUBLISH q0 a/b/c: m"]);
    assert_eq!(rig.broker.figures().topics_refused, 2);
}

#[test]
fn the_host_is_not_asked_about_what_is_refused_anyway() {
    let mut rig = Rig::new(config().ask(Ask {
        publish: true,
        ..Ask::default()
    }));
    rig.join(fleeting("c", Version::V5));
    rig.publish("c", "$x", 1, "m");
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.sent("c"), ["PUBACK #5 0x90"]);
}

fn connect(rig: &mut Rig, version: Version, change: impl FnOnce(&mut Will<Bytes>)) -> Vec<String> {
    let mut will = will("gone", 0).unwrap();
    change(&mut will);
    let sent = rig.connect(Connect {
        will: Some(will),
        ..fleeting("c", version)
    });
    let was_refused = sent != ["CONNACK"];
    assert_eq!(rig.broker.is_drained(rig.id("c")), was_refused);
    rig.cut("c");
    assert_eq!(rig.broker.figures().wills_published, u64::from(!was_refused));
    sent
}

#[test]
fn a_will_is_refused_where_a_message_would_be() {
    let fresh = || Rig::new(config());
    let reserved = |will: &mut Will<Bytes>| will.topic = topic("$x");
    assert_eq!(connect(&mut fresh(), Version::V5, |_| ()), ["CONNACK"]);
    assert_eq!(connect(&mut fresh(), Version::V5, reserved), ["CONNACK 0x90"]);
    for version in [Version::V3_1_1, Version::V3_1] {
        assert_ne!(connect(&mut fresh(), version, reserved), ["CONNACK"]);
    }
    let mut rig = Rig::new(config().dollar_topics(true));
    assert_eq!(connect(&mut rig, Version::V5, reserved), ["CONNACK"]);
}

#[test]
fn a_will_that_asks_for_more_than_there_is_is_refused() {
    let mut lesser = Capabilities::default();
    lesser.maximum_qos = QoS::AtLeastOnce;
    lesser.retain = false;
    let fresh = || Rig::new(config().client(ServerConfig::default().capabilities(lesser)));
    let most = |will: &mut Will<Bytes>| will.qos = QoS::ExactlyOnce;
    let kept = |will: &mut Will<Bytes>| will.retain = true;
    assert_eq!(connect(&mut fresh(), Version::V5, |_| ()), ["CONNACK"]);
    assert_eq!(connect(&mut fresh(), Version::V5, most), ["CONNACK 0x9b"]);
    assert_eq!(connect(&mut fresh(), Version::V5, kept), ["CONNACK 0x9a"]);
    assert_eq!(connect(&mut fresh(), Version::V3_1_1, |_| ()), ["CONNACK"]);
    assert_eq!(connect(&mut fresh(), Version::V3_1_1, most).len(), 0);
}
