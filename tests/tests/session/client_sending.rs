//! Messages and requests of a client, to their end.

use mqtt_session::proto::{PubAckReason, PubCompReason, PubRecReason, Version};
use mqtt_session::{Limits, Outcome};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config, message};
use crate::wire::{coded, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::sending::{name}"), run);
    vec![
        trial("QoS 0 is done when it is sent", plain_is_done_when_sent),
        trial("QoS 1 waits for its PUBACK", at_least_once_waits),
        trial("QoS 2 waits for its PUBREC", exactly_once_waits_for_pubrec),
        trial("PUBREC is answered by PUBREL", pubrec_is_answered_by_pubrel),
        trial("PUBREL waits for its PUBCOMP", pubrel_waits_for_pubcomp),
        trial(
            "after PUBREC the message is not sent again",
            released_message_is_not_sent_again,
        ),
        trial("a refused message is not sent again", refused_message_is_not_sent_again),
        trial("what was sent does not expire", what_was_sent_does_not_expire),
        trial(
            "identifiers are free after the last answer",
            identifiers_are_free_after_the_last_answer,
        ),
        trial(
            "messages and requests share identifiers",
            messages_and_requests_share_identifiers,
        ),
        trial(
            "the identifiers of both sides are apart",
            identifiers_of_both_sides_are_apart,
        ),
        trial("resends go in the order of sending", resends_go_in_order),
        trial(
            "resends happen on the next connection only",
            resends_happen_on_the_next_connection_only,
        ),
        trial("PUBRELs go in the order of PUBRECs", pubrels_go_in_order),
        trial("the flow of QoS 1 in 3.1.1", flow_of_qos_1),
        trial("the flow of QoS 2 in 3.1.1", flow_of_qos_2),
    ]
}

fn acknowledged() -> Outcome {
    Outcome::Acknowledged(PubAckReason::Success.into())
}

fn plain_is_done_when_sent() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.3.1-1", "v311:MQTT-4.3.1-1"]) {
        let mut rig = Rig::connected(config().version(version), "");
        rig.publish(0, "x", 1);
        rig.sends(&[rig.wire.publish(0, 0).bytes()]);
        assert_eq!(rig.outcomes(), [(1, Outcome::Sent)]);
        rig.reconnect(true, "");
        rig.sends_nothing();
        covers(row);
    }
}

/// Neither time, nor other packets, nor a PUBACK for another message end it; a new connection repeats it.
fn at_least_once_waits() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(1, "one", 1);
    rig.publish(1, "two", 2);
    let (one, two) = (
        rig.wire.publish(1, 1).payload("one"),
        rig.wire.publish(1, 2).payload("two"),
    );
    rig.sends(&[one.clone().bytes(), two.clone().bytes()]);
    rig.feed(&puback(2));
    assert_eq!(rig.outcomes(), [(2, acknowledged())]);
    for _ in 0..3 {
        rig.reconnect(true, "");
        rig.sends(&[one.clone().dup().bytes()]);
        assert_eq!(rig.outcomes(), []);
    }
    rig.feed(&puback(1));
    assert_eq!(rig.outcomes(), [(1, acknowledged())]);
    rig.reconnect(true, "");
    rig.sends_nothing();
    covers("v5:MQTT-4.3.2-3");
    covers("v5:MQTT-4.4.0-2");
}

fn exactly_once_waits_for_pubrec() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    rig.sends(&[rig.wire.publish(2, 1).bytes()]);
    for _ in 0..3 {
        rig.reconnect(true, "");
        rig.sends(&[rig.wire.publish(2, 1).dup().bytes()]);
        assert_eq!(rig.outcomes(), []);
    }
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.reconnect(true, "");
    rig.sends(&[pubrel(1)]);
    covers("v5:MQTT-4.3.3-3");
}

/// Each code below 0x80, known identifiers and unknown ones.
fn pubrec_is_answered_by_pubrel() {
    let mut rig = Rig::connected(config(), "");
    for tag in 1..=2 {
        rig.publish(2, "x", tag);
    }
    rig.sent();
    rig.feed(&pubrec(2));
    rig.sends(&[pubrel(2)]);
    rig.feed(&coded(pubrec(1), 0x10));
    rig.sends(&[pubrel(1)]);
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.feed(&pubrec(77));
    rig.sends(&[coded(pubrel(77), 0x92)]);
    covers("v5:MQTT-4.3.3-4");
}

fn pubrel_waits_for_pubcomp() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    rig.sent();
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    for _ in 0..3 {
        rig.reconnect(true, "");
        rig.sends(&[pubrel(1)]);
        assert_eq!(rig.outcomes(), []);
    }
    rig.feed(&pubcomp(1));
    assert_eq!(
        rig.outcomes(),
        [(1, Outcome::Acknowledged(PubCompReason::Success.into()))]
    );
    rig.reconnect(true, "");
    rig.sends_nothing();
    covers("v5:MQTT-4.3.3-5");
}

/// Also if the PUBREL itself was lost, and on any number of connections.
fn released_message_is_not_sent_again() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    rig.sent();
    rig.feed(&pubrec(1));
    for _ in 0..3 {
        rig.reconnect(true, "");
        rig.sends(&[pubrel(1)]);
    }
    covers("v5:MQTT-4.3.3-6");
}

fn refused_message_is_not_sent_again() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(1, "one", 1);
    rig.publish(2, "two", 2);
    rig.sent();
    rig.feed(&coded(puback(1), 0x97));
    rig.feed(&coded(pubrec(2), 0x87));
    rig.sends_nothing();
    let refused = [
        (1, Outcome::Refused(PubAckReason::QuotaExceeded.into())),
        (2, Outcome::Refused(PubRecReason::NotAuthorized.into())),
    ];
    assert_eq!(rig.outcomes(), refused);
    rig.reconnect(true, "");
    rig.sends_nothing();
    covers("v5:MQTT-4.4.0-2");
}

/// QoS 2 with an expiry of a second, in each state; its neighbour, which was never sent, expires.
fn what_was_sent_does_not_expire() {
    let mut rig = Rig::connected(config().keep_alive_seconds(0), "21 0001");
    let short = |payload: &str| message(2, payload).expiry_seconds(1);
    rig.client.publish(rig.now, short("sent"), 1).expect("there is room");
    rig.client.publish(rig.now, short("waits"), 2).expect("there is room");
    assert_eq!(rig.sent().len(), 1);
    rig.advance(100);
    assert_eq!(rig.outcomes(), [(2, Outcome::Expired)]);
    rig.reconnect(true, "21 0001");
    let again = rig.wire.publish(2, 1).dup().properties("02 00000001").payload("sent");
    rig.sends(&[again.bytes()]);
    rig.advance(100);
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.advance(100);
    rig.feed(&pubcomp(1));
    assert_eq!(rig.outcomes(), [(1, acknowledged())]);
    covers("v5:MQTT-4.3.3-7");
}

/// With two identifiers, the third message waits for one of them.
fn identifiers_are_free_after_the_last_answer() {
    let limits = Limits::default().packet_ids(1);
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).limits(limits), "");
        rig.publish(1, "one", 1);
        rig.publish(2, "two", 2);
        rig.publish(2, "three", 3);
        rig.subscribe("s", 4);
        rig.unsubscribe("u", 5);
        rig.publish(1, "six", 6);
        let wire = rig.wire;
        // SUBSCRIBE goes before what waits; both wait for the only identifier.
        let mut held = Vec::new();
        for _ in 0..10 {
            let sent = rig.sent();
            assert!(sent.len() <= 1, "one identifier, one packet: {sent:02X?}");
            let Some(frame) = sent.into_iter().next() else { break };
            let answer = match frame[0] >> 4 {
                8 => wire.suback(1, &[0]),
                10 => wire.unsuback(1, &[0]),
                6 => pubcomp(1),
                _ if frame[0] & 6 == 2 => puback(1),
                _ if frame.ends_with(b"three") && version == Version::V5 => coded(pubrec(1), 0x97),
                _ => pubrec(1),
            };
            held.push(frame);
            rig.sends_nothing();
            rig.feed(&answer);
        }
        let count = |first: u8| held.iter().filter(|frame| frame[0] >> 4 == first).count();
        assert_eq!([count(3), count(8), count(10)], [4, 1, 1], "{held:02X?}");
        let mut tags: Vec<u64> = rig.outcomes().iter().map(|(tag, _)| *tag).collect();
        tags.sort_unstable();
        assert_eq!(tags, [1, 2, 3, 4, 5, 6]);
    }
    covers("u5:U5-2.2.1-b");
    covers("BI-080");
    covers("v311:MQTT-2.3.1-3");
}

fn messages_and_requests_share_identifiers() {
    let limits = Limits::default().packet_ids(3);
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).limits(limits), "");
        rig.publish(2, "x", 1);
        rig.sends(&[rig.wire.publish(2, 1).bytes()]);
        rig.subscribe("s", 2);
        rig.unsubscribe("u", 3);
        rig.sends(&[rig.wire.subscribe(2, "s", 1), rig.wire.unsubscribe(3, "u")]);
        rig.publish(1, "waits", 4);
        rig.sends_nothing();
        rig.feed(&pubrec(1));
        rig.sends(&[pubrel(1)]);
        let suback = rig.wire.suback(2, &[1]);
        rig.feed(&suback);
        rig.sends(&[rig.wire.publish(1, 2).payload("waits").bytes()]);
    }
    covers("u5:U5-2.2.1-a");
}

/// The server uses 1 for a message of each QoS while the client does.
fn identifiers_of_both_sides_are_apart() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        rig.publish(2, "mine", 1);
        rig.sends(&[rig.wire.publish(2, 1).payload("mine").bytes()]);
        let theirs = rig.wire.publish(2, 1).payload("theirs").bytes();
        rig.feed(&theirs);
        assert_eq!(rig.messages(), ["theirs"]);
        rig.sends(&[pubrec(1)]);
        rig.feed(&pubrec(1));
        rig.sends(&[pubrel(1)]);
        rig.feed(&pubrel(1));
        rig.sends(&[pubcomp(1)]);
        rig.feed(&pubcomp(1));
        assert_eq!(rig.outcomes(), [(1, acknowledged())]);
        rig.stays();
    }
    covers("u5:U5-2.2.1-a");
    covers("RG-09");
}

fn resends_go_in_order() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.6.0-1", "v311:MQTT-4.6.0-1"]) {
        let mut rig = Rig::connected(config().version(version), "");
        for (tag, qos) in [(1, 2), (2, 1), (3, 1), (4, 2), (5, 1)] {
            rig.publish(qos, &format!("m{tag}"), tag);
        }
        rig.sent();
        rig.feed(&puback(3));
        // Identifier 3 is used again: the order is not that of the identifiers.
        for tag in 6..=8 {
            rig.publish(1, &format!("m{tag}"), tag);
        }
        assert_eq!(rig.sent().len(), 3);
        rig.cut();
        rig.publish(1, "new", 9);
        rig.told();
        rig.reconnect(true, "");
        let sent = rig.sent();
        let payloads: Vec<_> = sent
            .iter()
            .map(|frame| String::from_utf8_lossy(&frame[frame.len() - 2..]).into_owned())
            .collect();
        assert_eq!(payloads, ["m1", "m2", "m4", "m5", "m6", "m7", "m8", "ew"]);
        assert!(sent[..7].iter().all(|frame| frame[0] & 8 == 8), "{sent:02X?}");
        assert_eq!(sent[7][0] & 8, 0, "what is new comes last");
        covers(row);
    }
    covers("BI-086");
}

fn resends_happen_on_the_next_connection_only() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.4.0-1", "v311:MQTT-4.4.0-1"]) {
        let mut rig = Rig::connected(config().version(version).keep_alive_seconds(0), "");
        rig.publish(1, "one", 1);
        rig.publish(2, "two", 2);
        rig.publish(2, "three", 3);
        rig.sent();
        rig.feed(&pubrec(3));
        rig.sends(&[pubrel(3)]);
        for _ in 0..100 {
            rig.advance(3600);
            rig.sends_nothing();
        }
        rig.reconnect(true, "");
        let wire = rig.wire;
        let again = [
            pubrel(3),
            wire.publish(1, 1).dup().payload("one").bytes(),
            wire.publish(2, 2).dup().payload("two").bytes(),
        ];
        rig.sends(&again);
        rig.advance(3600);
        rig.sends_nothing();
        covers(row);
    }
}

fn pubrels_go_in_order() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        for tag in 1..=4 {
            rig.publish(2, "x", tag);
        }
        rig.sent();
        let order = [3, 1, 4, 2];
        rig.feed(&order.map(pubrec).concat());
        rig.sends(&order.map(pubrel));
        rig.reconnect(true, "");
        rig.sends(&order.map(pubrel));
    }
}

fn flow_of_qos_1() {
    let mut rig = Rig::connected(config().version(Version::V3_1_1), "");
    rig.publish(1, "one", 1);
    rig.publish(1, "two", 2);
    let (one, two) = (
        rig.wire.publish(1, 1).payload("one"),
        rig.wire.publish(1, 2).payload("two"),
    );
    rig.sends(&[one.clone().bytes(), two.bytes()]);
    rig.feed(&puback(2));
    assert_eq!(rig.outcomes(), [(2, acknowledged())]);
    rig.reconnect(true, "");
    rig.sends(&[one.dup().bytes()]);
    rig.feed(&puback(1));
    assert_eq!(rig.outcomes(), [(1, acknowledged())]);
    covers("v311:MQTT-4.3.2-1");
}

fn flow_of_qos_2() {
    let mut rig = Rig::connected(config().version(Version::V3_1_1), "");
    rig.publish(2, "x", 1);
    let publish = rig.wire.publish(2, 1);
    rig.sends(&[publish.clone().bytes()]);
    rig.reconnect(true, "");
    rig.sends(&[publish.dup().bytes()]);
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.reconnect(true, "");
    rig.sends(&[pubrel(1)]);
    rig.publish(2, "other", 2);
    rig.sends(&[rig.wire.publish(2, 2).payload("other").bytes()]);
    rig.feed(&pubcomp(1));
    assert_eq!(rig.outcomes(), [(1, acknowledged())]);
    covers("v311:MQTT-4.3.3-1");
}
