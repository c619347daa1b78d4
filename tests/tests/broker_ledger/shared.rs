//! Shared subscriptions.

use mqtt_session::proto::{Connect, Packet, Properties, PubAck, PubAckReason, PubRec, PubRecReason, Version};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, expiring, fleeting, id, lasting};
use crate::scene::{deliver, options};

crate::trials_of_module![
    the_qos_is_that_of_the_member_that_is_picked,
    a_message_of_qos_2_is_completed_by_the_member_that_began_it,
    a_message_of_qos_2_ends_with_the_session_of_its_member,
    a_message_that_a_member_refuses_goes_to_nobody_else,
    each_message_goes_to_one_member_of_a_group,
    a_member_is_one_however_often_it_subscribes,
    a_message_of_qos_1_goes_on_when_the_session_of_its_member_ends,
];

/// A publisher `p`, and members `a` and `b` of the group `g`.
fn group(bits: [u8; 2]) -> Rig {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    for (name, bits) in ["a", "b"].into_iter().zip(bits) {
        rig.join(expiring(name, Version::V5, 100));
        rig.subscribe(name, "$share/g/t/#", bits);
    }
    rig
}

/// Sends a message, and returns the member that got it, the other one, and what it got.
fn given(rig: &mut Rig, bits: u8, payload: &str) -> (&'static str, &'static str, String) {
    deliver(rig, "p", "t/x", bits, payload);
    let [mut a, mut b] = [rig.sent("a"), rig.sent("b")];
    assert_eq!(a.len() + b.len(), 1, "{a:?} {b:?}");
    match a.pop() {
        Some(line) => ("a", "b", line),
        None => ("b", "a", b.remove(0)),
    }
}

fn the_qos_is_that_of_the_member_that_is_picked() {
    let mut rig = group([0, 2]);
    let mut picked = [0; 2];
    for _ in 0..6 {
        let (member, _, line) = given(&mut rig, 2, "m");
        let expected = if member == "a" {
            "PUBLISH q0 t/x: m"
        } else {
            "PUBLISH q2 #"
        };
        assert!(line.starts_with(expected), "{member}: {line}");
        picked[usize::from(member == "b")] += 1;
    }
    assert_eq!(picked, [3, 3]);
    covers("v5:MQTT-4.8.2-3");
}

fn a_message_of_qos_2_is_completed_by_the_member_that_began_it() {
    let mut rig = group([2, 2]);
    let (member, other, line) = given(&mut rig, 2, "m");
    assert_eq!(line, "PUBLISH q2 #1 t/x: m");
    rig.cut(member);
    rig.advance(50);
    assert_eq!(rig.sent(other), NOTHING);
    assert_eq!(
        rig.connect(expiring(member, Version::V5, 100)),
        ["CONNACK present", "PUBLISH q2 #1 dup t/x: m"]
    );
    rig.pubrec(member, 1);
    rig.cut(member);
    assert_eq!(
        rig.connect(expiring(member, Version::V5, 100)),
        ["CONNACK present", "PUBREL #1"]
    );
    rig.pubcomp(member, 1);
    assert_eq!([rig.sent(member), rig.sent(other)], [NOTHING; 2]);
    covers("v5:MQTT-4.8.2-4");
}

fn a_message_of_qos_2_ends_with_the_session_of_its_member() {
    for is_received in [false, true] {
        let mut rig = group([2, 2]);
        let (member, other, _) = given(&mut rig, 2, "m");
        if is_received {
            rig.pubrec(member, 1);
        }
        rig.cut(member);
        rig.advance(100);
        assert!(!rig.broker.has_session(member.as_bytes()));
        rig.advance(1000);
        assert_eq!(rig.sent(other), NOTHING);
        rig.join(lasting(member, Version::V5));
        assert_eq!(rig.sent(member), NOTHING);
    }
    covers("v5:MQTT-4.8.2-5");
}

fn a_message_that_a_member_refuses_goes_to_nobody_else() {
    for bits in [1, 2] {
        let mut rig = group([2, 2]);
        let (member, other, _) = given(&mut rig, bits, "m");
        let refusal = match bits {
            1 => Packet::PubAck(PubAck {
                id: id(1),
                reason: PubAckReason::UnspecifiedError,
                properties: Properties::empty(),
            }),
            _ => Packet::PubRec(PubRec {
                id: id(1),
                reason: PubRecReason::QuotaExceeded,
                properties: Properties::empty(),
            }),
        };
        rig.feed(member, &refusal);
        rig.advance(10);
        assert_eq!([rig.sent(member), rig.sent(other)], [NOTHING; 2]);
        rig.cut(member);
        assert_eq!(rig.connect(expiring(member, Version::V5, 100)), ["CONNACK present"]);
        rig.cut(member);
        rig.advance(1000);
        assert_eq!(
            rig.sent(other),
            NOTHING,
            "the end of the session does not bring it back"
        );
    }
    covers("v5:MQTT-4.8.2-6");
}

fn each_message_goes_to_one_member_of_a_group() {
    let mut rig = group([1, 1]);
    // Another group, and one that has a name and a filter of its own.
    rig.join(fleeting("c", Version::V5));
    rig.subscribe("c", "$share/h/t/#", 1);
    rig.join(fleeting("d", Version::V5));
    rig.subscribe("d", "$share/g/t/+", 1);
    for number in 1..=4 {
        given(&mut rig, 0, "m");
        for name in ["c", "d"] {
            assert_eq!(rig.sent(name), ["PUBLISH q0 t/x: m"], "{name} {number}");
        }
    }
    // The name of a group and $share are no levels of a topic.
    for topic in ["$share/g/t/x", "g/t/x", "g"] {
        rig.publish("p", topic, 0, "m");
    }
    for name in ["a", "b", "c", "d"] {
        assert_eq!(rig.sent(name), NOTHING, "{name}");
    }
    covers("u5:U5-4.8.2-a");
}

fn a_member_is_one_however_often_it_subscribes() {
    let mut rig = group([0, 0]);
    for _ in 0..3 {
        rig.subscribe_with("a", &[("$share/g/t/#", options(0))], None);
    }
    assert_eq!(rig.broker.figures().subscriptions, 2);
    let mut picked = [0; 2];
    for _ in 0..8 {
        let (member, ..) = given(&mut rig, 0, "m");
        picked[usize::from(member == "b")] += 1;
    }
    assert_eq!(picked, [4, 4], "its turns are those of one member");
    assert_eq!(rig.unsubscribe("a", "$share/g/t/#"), ["UNSUBACK #8 0x00"]);
    for _ in 0..3 {
        assert_eq!(given(&mut rig, 0, "m").0, "b");
    }
    covers("u5:U5-4.8.2-b");
}

/// Ends the session of a member, by time or by a clean start.
fn ends(rig: &mut Rig, member: &str, is_replaced: bool) {
    if is_replaced {
        let connect = Connect {
            clean_start: true,
            ..expiring(member, Version::V5, 100)
        };
        rig.join(connect);
    } else {
        rig.cut(member);
        rig.advance(100);
    }
    assert_eq!(rig.broker.has_session(member.as_bytes()), is_replaced);
}

fn a_message_of_qos_1_goes_on_when_the_session_of_its_member_ends() {
    for is_replaced in [false, true] {
        for (bits, is_acknowledged, goes_on) in [(1, false, true), (1, true, false), (2, false, false)] {
            let mut rig = group([2, 2]);
            let (member, other, _) = given(&mut rig, bits, "m");
            if is_acknowledged {
                rig.puback(member, 1);
            }
            ends(&mut rig, member, is_replaced);
            let expected: &[&str] = if goes_on { &["PUBLISH q1 #1 t/x: m"] } else { &[] };
            assert_eq!(rig.sent(other), expected, "{bits} {is_acknowledged} {is_replaced}");
            assert_eq!(rig.sent(member).len(), 0);
        }
    }
    covers("BI-089");
}
