//! Retained messages: which one is kept, who gets it and when.

use mqtt_session::BrokerLimits;
use mqtt_session::proto::{DisconnectReason, PublishProperties, RetainHandling, Version};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, expiring, fleeting, lasting};
use crate::scene::{BOTH, as_published, deliver, handling, options, pair};

crate::trials_of_module![
    the_last_retained_message_of_a_topic_is_kept,
    a_message_of_qos_0_replaces_the_retained_one,
    an_empty_message_is_routed_and_takes_the_retained_one_away,
    an_empty_message_is_never_stored,
    a_message_without_retain_leaves_the_retained_one_alone,
    each_subscribe_brings_the_retained_messages,
    only_a_new_subscription_brings_them_if_it_asks_for_that,
    none_are_sent_if_none_are_wanted,
    a_live_message_has_no_retain_for_who_does_not_ask_for_it,
    a_live_message_keeps_its_retain_for_who_asks_for_it,
    what_is_sent_for_a_new_subscription_has_retain,
    a_message_that_expires_is_no_longer_retained,
    a_group_is_sent_none,
    retained_messages_outlive_the_session_of_their_publisher,
];

/// What a client gets for a new subscription to everything, behind SUBACK.
fn kept(rig: &mut Rig, version: Version) -> Vec<String> {
    rig.join(fleeting("late", version));
    let sent = rig.subscribe_with("late", &[("#", options(2))], None);
    assert_eq!(sent[0], "SUBACK #9 0x02");
    rig.leave("late", DisconnectReason::NormalDisconnection);
    sent[1..].to_vec()
}

fn the_last_retained_message_of_a_topic_is_kept() {
    for version in BOTH {
        for bits in 0..3 {
            let mut rig = pair(version);
            rig.retain("p", "t", 0, "first");
            rig.retain("p", "other", 0, "other");
            rig.retain("p", "t", bits, "last");
            let number = if bits > 0 { " #1" } else { "" };
            let mut came = kept(&mut rig, version);
            came.sort();
            let mut expected = [
                "PUBLISH q0 retain other: other".into(),
                format!("PUBLISH q{bits}{number} retain t: last"),
            ];
            expected.sort();
            assert_eq!(came, expected, "with the QoS that it was published with");
        }
    }
    covers("v5:MQTT-3.3.1-5");
    covers("v311:MQTT-3.3.1-5");
    covers("v311:MQTT-3.3.1-6");
}

fn a_message_of_qos_0_replaces_the_retained_one() {
    let mut rig = pair(Version::V3_1_1);
    rig.retain("p", "t", 1, "first");
    rig.retain("p", "t", 0, "last");
    assert_eq!(kept(&mut rig, Version::V3_1_1), ["PUBLISH q0 retain t: last"]);
    covers("v311:MQTT-3.3.1-7");
}

fn an_empty_message_is_routed_and_takes_the_retained_one_away() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        rig.retain("p", "t", 0, "m");
        rig.retain("p", "u", 0, "stays");
        assert_eq!(rig.sent("s"), ["PUBLISH q0 t: m"]);
        rig.retain("p", "t", 0, "");
        assert_eq!(rig.sent("s"), ["PUBLISH q0 t: "]);
        assert_eq!(kept(&mut rig, version), ["PUBLISH q0 retain u: stays"]);
    }
    covers("v5:MQTT-3.3.1-6");
    covers("v311:MQTT-3.3.1-10");
}

fn an_empty_message_is_never_stored() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.retain("p", "t", 1, "");
        assert_eq!(rig.broker.figures().retained_messages, 0);
        assert_eq!(kept(&mut rig, version), NOTHING);
    }
    covers("v5:MQTT-3.3.1-7");
    covers("v311:MQTT-3.3.1-11");
}

fn a_message_without_retain_leaves_the_retained_one_alone() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.retain("p", "t", 0, "kept");
        for payload in ["passing", ""] {
            deliver(&mut rig, "p", "t", 0, payload);
            deliver(&mut rig, "p", "u", 0, payload);
        }
        assert_eq!(kept(&mut rig, version), ["PUBLISH q0 retain t: kept"]);
    }
    covers("v5:MQTT-3.3.1-8");
    covers("v311:MQTT-3.3.1-12");
}

/// A subscriber `s`, and messages that are retained for `t/a`, `t/b` and `u`.
fn three() -> Rig {
    let mut rig = pair(Version::V5);
    for topic in ["t/a", "t/b", "u"] {
        rig.retain("p", topic, 0, "m");
    }
    rig
}

const TWO: [&str; 3] = ["SUBACK #9 0x00", "PUBLISH q0 retain t/a: m", "PUBLISH q0 retain t/b: m"];

fn each_subscribe_brings_the_retained_messages() {
    let mut rig = three();
    let wanted = [("t/+", handling(0, RetainHandling::Send))];
    for _ in 0..3 {
        assert_eq!(rig.subscribe_with("s", &wanted, None), TWO);
    }
    covers("v5:MQTT-3.3.1-9");
}

fn only_a_new_subscription_brings_them_if_it_asks_for_that() {
    let mut rig = three();
    let wanted = [("t/+", handling(0, RetainHandling::SendIfNew))];
    assert_eq!(rig.subscribe_with("s", &wanted, None), TWO);
    assert_eq!(rig.subscribe_with("s", &wanted, None), TWO[..1]);
    rig.cut("s");
    assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK present"]);
    assert_eq!(rig.subscribe_with("s", &wanted, None), TWO[..1], "the session knows it");
    rig.unsubscribe("s", "t/+");
    assert_eq!(rig.subscribe_with("s", &wanted, None), TWO);
    covers("v5:MQTT-3.3.1-10");
}

fn none_are_sent_if_none_are_wanted() {
    let mut rig = three();
    let wanted = [("t/+", handling(0, RetainHandling::DoNotSend))];
    for _ in 0..2 {
        assert_eq!(rig.subscribe_with("s", &wanted, None), TWO[..1]);
    }
    rig.publish("p", "t/a", 0, "live");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t/a: live"]);
    covers("v5:MQTT-3.3.1-11");
}

fn a_live_message_has_no_retain_for_who_does_not_ask_for_it() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        rig.retain("p", "t", 0, "kept");
        deliver(&mut rig, "p", "t", 0, "passing");
        assert_eq!(rig.sent("s"), ["PUBLISH q0 t: kept", "PUBLISH q0 t: passing"]);
    }
    covers("v5:MQTT-3.3.1-12");
    covers("v311:MQTT-3.3.1-9");
}

fn a_live_message_keeps_its_retain_for_who_asks_for_it() {
    let mut rig = pair(Version::V5);
    rig.subscribe_with("s", &[("t", as_published(1))], None);
    rig.retain("p", "t", 0, "kept");
    deliver(&mut rig, "p", "t", 0, "passing");
    rig.retain("p", "t", 0, "");
    assert_eq!(
        rig.sent("s"),
        [
            "PUBLISH q0 retain t: kept",
            "PUBLISH q0 t: passing",
            "PUBLISH q0 retain t: "
        ]
    );
    covers("v5:MQTT-3.3.1-13");
}

fn what_is_sent_for_a_new_subscription_has_retain() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.retain("p", "t", 1, "kept");
        rig.subscribe("s", "u", 0);
        assert_eq!(
            rig.subscribe_with("s", &[("t", options(1))], None),
            ["SUBACK #9 0x01", "PUBLISH q1 #1 retain t: kept"]
        );
        // A repetition is the same packet.
        rig.cut("s");
        assert_eq!(
            rig.connect(lasting("s", version))[1..],
            ["PUBLISH q1 #1 dup retain t: kept"]
        );
    }
    covers("u5:U5-3.3.1-a");
    covers("v311:MQTT-3.3.1-8");
}

fn a_message_that_expires_is_no_longer_retained() {
    let mut rig = pair(Version::V5);
    let properties = PublishProperties::builder()
        .message_expiry(10)
        .build()
        .expect("an expiry");
    rig.publish_with("p", "t", 0, "short", true, properties);
    rig.retain("p", "u", 0, "long");
    rig.advance(9);
    let mut came = kept(&mut rig, Version::V5);
    came.sort();
    assert_eq!(
        came,
        ["PUBLISH q0 retain t expiry 1: short", "PUBLISH q0 retain u: long"]
    );
    rig.advance(1);
    assert_eq!(kept(&mut rig, Version::V5), ["PUBLISH q0 retain u: long"]);
    assert_eq!(rig.broker.figures().retained_messages, 1);
    covers("u5:U5-3.3.1-b");
}

fn a_group_is_sent_none() {
    let mut rig = three();
    for _ in 0..2 {
        let wanted = [("$share/g/t/+", handling(0, RetainHandling::Send))];
        assert_eq!(rig.subscribe_with("s", &wanted, None), TWO[..1]);
    }
    assert_eq!(rig.subscribe_with("s", &[("t/+", options(0))], None), TWO);
    covers("u5:U5-3.8.4-a");
}

fn retained_messages_outlive_the_session_of_their_publisher() {
    for version in BOTH {
        let mut rig = Rig::new(config().limits(BrokerLimits::default()));
        rig.join(fleeting("p", version));
        rig.retain("p", "t", 1, "from a short session");
        rig.leave("p", DisconnectReason::NormalDisconnection);
        rig.join(expiring("q", Version::V5, 10));
        rig.retain("q", "u", 1, "from a session that expired");
        rig.cut("q");
        rig.advance(10);
        assert_eq!(rig.broker.figures().sessions, 0);
        assert_eq!(
            kept(&mut rig, version),
            [
                "PUBLISH q1 #1 retain t: from a short session",
                "PUBLISH q1 #2 retain u: from a session that expired"
            ]
        );
    }
    covers("u5:U5-4.1-a");
    covers("v311:MQTT-3.1.2-7");
}
