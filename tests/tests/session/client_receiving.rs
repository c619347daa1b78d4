//! Messages from the server, and how a client answers them.

use mqtt_session::proto::{PubAckReason, PubRecReason, Version};
use mqtt_session::{DeliveryId, Event, HandOver};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config};
use crate::wire::{coded, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::receiving::{name}"), run);
    vec![
        trial("each QoS has its answer", each_qos_has_its_answer),
        trial("PUBACK waits for ownership", puback_waits_for_ownership),
        trial("PUBREC waits for ownership", pubrec_waits_for_ownership),
        trial(
            "after PUBACK the identifier means a new message",
            after_puback_it_is_new,
        ),
        trial(
            "before PUBREL a repetition is answered and not told",
            before_pubrel_it_is_repeated,
        ),
        trial("PUBREL is answered by PUBCOMP", pubrel_is_answered_by_pubcomp),
        trial(
            "after PUBCOMP the identifier means a new message",
            after_pubcomp_it_is_new,
        ),
        trial(
            "after a PUBREC that refuses it is a new message",
            after_refusal_it_is_new,
        ),
        trial(
            "an expired message is acknowledged to its end",
            expired_message_is_acknowledged,
        ),
        trial("what nobody uses is acknowledged", what_nobody_uses_is_acknowledged),
        trial("PUBACKs go in the order of the messages", pubacks_go_in_order),
        trial("PUBRECs go in the order of the messages", pubrecs_go_in_order),
        trial("a mapping is replaced by the next one", mapping_is_replaced),
        trial("all aliases up to the maximum are accepted", all_aliases_are_accepted),
        trial("the flows of QoS 1 and 2 in 3.1.1", flows_of_3_1_1),
    ]
}

fn given(rig: &mut Rig, qos: u8, id: u16, payload: &str) {
    let frame = rig.wire.publish(qos, id).payload(payload).bytes();
    rig.feed(&frame);
}

fn given_again(rig: &mut Rig, qos: u8, id: u16, payload: &str) {
    let frame = rig.wire.publish(qos, id).dup().payload(payload).bytes();
    rig.feed(&frame);
}

/// Deliveries in the order of their messages.
fn deliveries(rig: &mut Rig) -> Vec<DeliveryId> {
    let delivery = |event: Event| match event {
        Event::Message(received) => received.delivery,
        _ => None,
    };
    rig.told().into_iter().filter_map(delivery).collect()
}

fn manual(version: Version) -> Rig {
    Rig::connected(config().version(version).hand_over(HandOver::Manual), "")
}

fn each_qos_has_its_answer() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-3.3.4-1", "v311:MQTT-3.3.4-1"]) {
        let mut rig = Rig::connected(config().version(version), "");
        for (qos, answer) in [(0, vec![]), (1, vec![puback(9)]), (2, vec![pubrec(9)])] {
            given(&mut rig, qos, 9, "x");
            assert_eq!(rig.messages(), ["x"]);
            rig.sends(&answer);
        }
        covers(row);
    }
}

fn puback_waits_for_ownership() {
    let mut rig = manual(Version::V5);
    given(&mut rig, 1, 513, "x");
    let [delivery] = deliveries(&mut rig)[..] else {
        panic!("one message")
    };
    rig.sends_nothing();
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.sends(&[puback(513)]);
    covers("v5:MQTT-4.3.2-4");
}

fn pubrec_waits_for_ownership() {
    let mut rig = manual(Version::V5);
    given(&mut rig, 2, 513, "x");
    let [delivery] = deliveries(&mut rig)[..] else {
        panic!("one message")
    };
    rig.sends_nothing();
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.sends(&[pubrec(513)]);
    covers("v5:MQTT-4.3.3-8");
}

fn after_puback_it_is_new() {
    let mut rig = Rig::connected(config(), "");
    for dup in [false, true, false, true] {
        if dup {
            given_again(&mut rig, 1, 1, "x");
        } else {
            given(&mut rig, 1, 1, "x");
        }
        assert_eq!(rig.messages(), ["x"], "DUP {dup}");
        rig.sends(&[puback(1)]);
    }
    covers("v5:MQTT-4.3.2-5");
}

/// On the same connection and on a later one, before and after the hand-over.
fn before_pubrel_it_is_repeated() {
    let mut rig = manual(Version::V5);
    given(&mut rig, 2, 1, "x");
    given_again(&mut rig, 2, 1, "x");
    let [delivery] = deliveries(&mut rig)[..] else {
        panic!("one message")
    };
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.sends(&[pubrec(1)]);
    for _ in 0..3 {
        given_again(&mut rig, 2, 1, "x");
        assert_eq!(deliveries(&mut rig), []);
        rig.sends(&[pubrec(1)]);
    }
    rig.reconnect(true, "");
    given_again(&mut rig, 2, 1, "x");
    assert_eq!(deliveries(&mut rig), []);
    rig.sends(&[pubrec(1)]);
    covers("v5:MQTT-4.3.3-10");
    covers("BI-065");
    covers("BI-067");
    covers("RG-06");
}

/// A known identifier, the same a second time, and one that was never used.
fn pubrel_is_answered_by_pubcomp() {
    let mut rig = Rig::connected(config(), "");
    given(&mut rig, 2, 1, "x");
    rig.told();
    rig.sends(&[pubrec(1)]);
    rig.feed(&pubrel(1));
    rig.sends(&[pubcomp(1)]);
    rig.feed(&pubrel(1));
    rig.sends(&[coded(pubcomp(1), 0x92)]);
    rig.feed(&pubrel(99));
    rig.sends(&[coded(pubcomp(99), 0x92)]);
    rig.stays();
    covers("v5:MQTT-4.3.3-11");
}

fn after_pubcomp_it_is_new() {
    let mut rig = Rig::connected(config(), "");
    for payload in ["one", "two", "three"] {
        given(&mut rig, 2, 1, payload);
        assert_eq!(rig.messages(), [payload]);
        rig.sends(&[pubrec(1)]);
        rig.feed(&pubrel(1));
        rig.sends(&[pubcomp(1)]);
    }
    covers("v5:MQTT-4.3.3-12");
}

fn after_refusal_it_is_new() {
    let mut rig = manual(Version::V5);
    for payload in ["one", "two"] {
        given(&mut rig, 2, 1, payload);
        let [delivery] = deliveries(&mut rig)[..] else {
            panic!("one message: {payload}")
        };
        let refusal = PubRecReason::QuotaExceeded.into();
        rig.client.refuse(rig.now, delivery, refusal).expect("it is open");
        rig.sends(&[coded(pubrec(1), 0x97)]);
    }
    covers("v5:MQTT-4.3.3-9");
}

/// Its interval passes in every state of the exchange.
fn expired_message_is_acknowledged() {
    let mut rig = manual(Version::V5);
    let frame = rig.wire.publish(2, 1).properties("02 00000001").bytes();
    rig.feed(&frame);
    rig.advance(5);
    let [delivery] = deliveries(&mut rig)[..] else {
        panic!("one message")
    };
    rig.advance(5);
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.sends(&[pubrec(1)]);
    rig.advance(5);
    rig.feed(&pubrel(1));
    rig.sends(&[pubcomp(1)]);
    covers("v5:MQTT-4.3.3-13");
}

/// Nothing was subscribed to; the host refuses it, or polls the event and drops it.
fn what_nobody_uses_is_acknowledged() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.5.0-2", "v311:MQTT-4.5.0-2"]) {
        let mut rig = Rig::connected(config().version(version), "");
        given(&mut rig, 1, 1, "x");
        given(&mut rig, 2, 2, "x");
        drop(rig.told());
        rig.sends(&[puback(1), pubrec(2)]);
        let mut rig = manual(version);
        given(&mut rig, 1, 1, "x");
        given(&mut rig, 2, 2, "x");
        for delivery in deliveries(&mut rig) {
            let refusal = PubAckReason::NotAuthorized.into();
            rig.client.refuse(rig.now, delivery, refusal).expect("it is open");
        }
        if version == Version::V5 {
            rig.sends(&[coded(puback(1), 0x87), coded(pubrec(2), 0x87)]);
        } else {
            rig.sends(&[puback(1), pubrec(2)]);
        }
        covers(row);
    }
}

/// The host acknowledges from the last to the first.
fn answered_backwards(version: Version, qos: u8, answer: fn(u16) -> Vec<u8>) {
    let mut rig = manual(version);
    let ids = [7, 3, 5, 1];
    for id in ids {
        given(&mut rig, qos, id, "x");
    }
    let deliveries = deliveries(&mut rig);
    assert_eq!(deliveries.len(), 4);
    for delivery in deliveries.iter().skip(1).rev() {
        rig.client.acknowledge(rig.now, *delivery).expect("it is open");
        rig.sends_nothing();
    }
    rig.client.acknowledge(rig.now, deliveries[0]).expect("it is open");
    rig.sends(&ids.map(answer));
}

fn pubacks_go_in_order() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.6.0-2", "v311:MQTT-4.6.0-2"]) {
        answered_backwards(version, 1, puback);
        covers(row);
    }
}

fn pubrecs_go_in_order() {
    for (version, row) in VERSIONS.into_iter().zip(["v5:MQTT-4.6.0-3", "v311:MQTT-4.6.0-3"]) {
        answered_backwards(version, 2, pubrec);
        covers(row);
    }
}

fn topics(rig: &mut Rig) -> Vec<String> {
    let topic = |event: Event| match event {
        Event::Message(received) => Some(String::from_utf8_lossy(received.message.topic.as_bytes()).into_owned()),
        _ => None,
    };
    rig.told().into_iter().filter_map(topic).collect()
}

fn mapping_is_replaced() {
    let mut rig = Rig::connected(config(), "");
    let aliased = |topic: &str, alias: u16| {
        let frame = rig.wire.publish(0, 0).topic(topic);
        frame.properties(&format!("23 {alias:04X}")).bytes()
    };
    let frames = [
        aliased("a", 1),
        aliased("b", 2),
        aliased("", 1),
        aliased("c", 1),
        aliased("", 1),
        aliased("", 2),
    ];
    rig.feed(&frames.concat());
    assert_eq!(topics(&mut rig), ["a", "b", "a", "c", "c", "b"]);
    covers("u5:U5-3.3.2-f");
}

fn all_aliases_are_accepted() {
    for maximum in [1, 7, 16, 300] {
        let limits = mqtt_session::Limits::default().aliases_accepted(maximum).events(1000);
        let mut rig = Rig::new(config().limits(limits));
        let connect = rig.open();
        let announced = mqtt_tests::outline::Outline::read(&connect, 5)
            .and_then(|connect| connect.numbers("Topic Alias Maximum").next());
        assert_eq!(announced, Some(usize::from(maximum)));
        rig.accept(false, "");
        rig.told();
        for alias in 1..=maximum {
            let frame = rig.wire.publish(0, 0).topic(&format!("t{alias}"));
            rig.feed(&frame.properties(&format!("23 {alias:04X}")).bytes());
        }
        for alias in 1..=maximum {
            let frame = rig.wire.publish(0, 0).topic("");
            rig.feed(&frame.properties(&format!("23 {alias:04X}")).bytes());
        }
        let told = topics(&mut rig);
        assert_eq!(told[..usize::from(maximum)], told[usize::from(maximum)..]);
        assert_eq!(told.len(), usize::from(maximum) * 2);
    }
    covers("v5:MQTT-3.3.2-10");
}

fn flows_of_3_1_1() {
    let mut rig = Rig::connected(config().version(Version::V3_1_1), "");
    for again in [false, true] {
        let publish = rig.wire.publish(1, 4);
        rig.feed(&if again { publish.dup() } else { publish }.bytes());
        assert_eq!(rig.messages(), ["x"]);
        rig.sends(&[puback(4)]);
    }
    covers("v311:MQTT-4.3.2-2");
    for payload in ["one", "two"] {
        given(&mut rig, 2, 4, payload);
        assert_eq!(rig.messages(), [payload]);
        rig.sends(&[pubrec(4)]);
        given_again(&mut rig, 2, 4, payload);
        assert_eq!(rig.messages(), [""; 0]);
        rig.sends(&[pubrec(4)]);
        rig.feed(&pubrel(4));
        rig.sends(&[pubcomp(4)]);
    }
    covers("v311:MQTT-4.3.3-2");
}
