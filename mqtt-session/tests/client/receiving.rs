//! Messages from the server.

use mqtt_session::proto::{Delivery, Packet, PubAckReason, PubRecReason, PublishProperties, QoS, Version};
use mqtt_session::{AcknowledgeError, CleanStart, ClientConfig, DeliveryId, Event, HandOver, Limits};

use crate::rig::{Rig, VERSIONS, config, id, incoming, stored};

fn manual() -> ClientConfig {
    config().hand_over(HandOver::Manual)
}

fn acknowledge(rig: &mut Rig, number: u64) {
    let delivery = DeliveryId::from_number(number);
    rig.client.acknowledge(rig.now, delivery).unwrap();
}

/// MQTT-3.3.2-6
#[test]
fn what_is_left_of_an_interval_grows_less_until_the_message_is_polled() {
    let expiring = |number: u16, seconds: u32| {
        let mut publish = incoming(Delivery::first(QoS::AtLeastOnce, id(number)), "m");
        if let Packet::Publish(publish) = &mut publish {
            publish.properties = PublishProperties::builder().message_expiry(seconds).build().unwrap();
        }
        publish
    };
    let left = |rig: &mut Rig| -> Vec<Option<u32>> {
        let events = rig.events().into_iter();
        let messages = events.filter_map(|event| match event {
            Event::Message(received) => Some(received.message.expiry_seconds),
            _ => None,
        });
        messages.collect()
    };
    let inbox = stored().hand_over(HandOver::Inbox);
    for config in [
        config(),
        manual(),
        inbox.clone(),
        inbox.limits(Limits::default().inbox_messages(1)),
    ] {
        let mut rig = Rig::connected(config);
        rig.commit();
        rig.feed(&expiring(1, 10));
        rig.advance(2);
        rig.feed(&expiring(2, 10));
        rig.feed(&expiring(3, 3));
        rig.advance(4);
        let mut told = Vec::new();
        for number in 1..=3 {
            rig.commit();
            told.append(&mut left(&mut rig));
            // Those that the inbox had no room for come when it has.
            let _ = rig.client.acknowledge(rig.now, DeliveryId::from_number(number));
        }
        assert_eq!(told, [Some(4), Some(6), Some(0)]);
    }
}

#[test]
fn a_polled_message_is_acknowledged() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        rig.deliver(0, 1, "a");
        rig.deliver(1, 4, "b");
        rig.deliver(2, 5, "c");
        assert_eq!(rig.sent(), [""; 0], "nothing was handed over yet");
        assert_eq!(rig.told(), ["message q0 s: a", "message q1 s: b", "message q2 s: c"]);
        assert_eq!(rig.sent(), ["PUBACK #4", "PUBREC #5"]);
        rig.pubrel(5);
        assert_eq!(rig.sent(), ["PUBCOMP #5"]);
        assert_eq!(rig.told(), [""; 0]);
    }
}

#[test]
fn a_message_is_acknowledged_when_the_host_says_so() {
    let mut rig = Rig::connected(manual());
    rig.deliver(1, 4, "b");
    rig.deliver(2, 5, "c");
    assert_eq!(rig.told(), ["message q1 @1 s: b", "message q2 @2 s: c"]);
    assert_eq!(rig.sent(), [""; 0]);
    acknowledge(&mut rig, 1);
    assert_eq!(rig.sent(), ["PUBACK #4"]);
    acknowledge(&mut rig, 2);
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    let again = rig.client.acknowledge(rig.now, DeliveryId::from_number(2));
    assert_eq!(again, Err(AcknowledgeError::Unknown));
}

#[test]
fn pubacks_leave_in_the_order_of_their_messages() {
    let mut rig = Rig::connected(manual());
    for number in 1..=3 {
        rig.deliver(1, number, "x");
    }
    rig.told();
    acknowledge(&mut rig, 3);
    acknowledge(&mut rig, 2);
    assert_eq!(rig.sent(), [""; 0]);
    acknowledge(&mut rig, 1);
    assert_eq!(rig.sent(), ["PUBACK #1", "PUBACK #2", "PUBACK #3"]);
}

#[test]
fn pubrecs_leave_in_the_order_of_their_messages() {
    let mut rig = Rig::connected(manual());
    for number in 1..=3 {
        rig.deliver(2, number, "x");
    }
    rig.told();
    acknowledge(&mut rig, 2);
    acknowledge(&mut rig, 3);
    assert_eq!(rig.sent(), [""; 0]);
    acknowledge(&mut rig, 1);
    assert_eq!(rig.sent(), ["PUBREC #1", "PUBREC #2", "PUBREC #3"]);
}

#[test]
fn messages_of_both_qos_are_acknowledged_by_their_own_numbers_in_any_order() {
    let mut rig = Rig::connected(manual());
    for (qos, id) in [(1, 11), (2, 12), (1, 13), (1, 14), (2, 15), (1, 16), (2, 17)] {
        rig.deliver(qos, id, "x");
    }
    rig.told();
    for (number, sent) in [(6, ""), (5, ""), (4, ""), (3, ""), (7, "")] {
        acknowledge(&mut rig, number);
        assert_eq!(rig.sent().join(", "), sent, "{number}");
    }
    acknowledge(&mut rig, 1);
    assert_eq!(rig.sent(), ["PUBACK #11", "PUBACK #13", "PUBACK #14", "PUBACK #16"]);
    acknowledge(&mut rig, 2);
    assert_eq!(rig.sent(), ["PUBREC #12", "PUBREC #15", "PUBREC #17"]);
    for number in 1..=8 {
        let again = rig.client.acknowledge(rig.now, DeliveryId::from_number(number));
        assert_eq!(again, Err(AcknowledgeError::Unknown), "{number}");
    }
}

#[test]
fn hundreds_of_messages_are_acknowledged_whichever_is_last() {
    const MESSAGES: u16 = 300;
    let limits = Limits::default().receive_maximum(MESSAGES).events(1000);
    for last in [1, 150, MESSAGES] {
        let mut rig = Rig::connected(manual().limits(limits));
        for number in 1..=MESSAGES {
            rig.deliver(2, number, "x");
        }
        assert_eq!(rig.told().len(), usize::from(MESSAGES));
        for number in (1..=MESSAGES).filter(|number| *number != last) {
            acknowledge(&mut rig, u64::from(number));
        }
        assert_eq!(
            rig.sent().len(),
            usize::from(last - 1),
            "each waits for those before it"
        );
        acknowledge(&mut rig, u64::from(last));
        let rest = (last..=MESSAGES).map(|number| format!("PUBREC #{number}"));
        assert_eq!(rig.sent(), rest.collect::<Vec<_>>());
    }
}

#[test]
fn a_repeated_qos_2_message_is_delivered_once_and_answered_each_time() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).clean_start(CleanStart::Never));
        rig.deliver(2, 5, "c");
        assert_eq!(rig.told(), ["message q2 s: c"]);
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        for _ in 0..5 {
            rig.deliver_again(2, 5, "c");
            assert_eq!(rig.sent(), ["PUBREC #5"]);
        }
        rig.reconnect(true);
        rig.told();
        assert_eq!(rig.sent(), [""; 0]);
        for _ in 0..2 {
            rig.deliver_again(2, 5, "c");
            assert_eq!(rig.sent(), ["PUBREC #5"]);
        }
        rig.pubrel(5);
        assert_eq!(rig.sent(), ["PUBCOMP #5"]);
        assert_eq!(rig.told(), [""; 0]);
        rig.deliver(2, 5, "another");
        assert_eq!(rig.told(), ["message q2 s: another"]);
    }
}

#[test]
fn a_qos_2_message_that_the_host_holds_over_a_reconnect_is_delivered_once() {
    let mut rig = Rig::connected(manual());
    rig.deliver(2, 5, "c");
    assert_eq!(rig.told(), ["message q2 @1 s: c"]);
    rig.reconnect(true);
    rig.told();
    rig.deliver_again(2, 5, "c");
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.sent(), [""; 0]);
    acknowledge(&mut rig, 1);
    assert_eq!(rig.sent(), ["PUBREC #5"]);
}

#[test]
fn a_qos_1_acknowledgement_dies_with_its_connection() {
    let mut rig = Rig::connected(manual());
    rig.deliver(1, 5, "c");
    assert_eq!(rig.told(), ["message q1 @1 s: c"]);
    rig.reconnect(true);
    rig.told();
    let late = rig.client.acknowledge(rig.now, DeliveryId::from_number(1));
    assert_eq!(late, Err(AcknowledgeError::Unknown));
    rig.deliver_again(1, 5, "c");
    assert_eq!(rig.told(), ["message q1 @2 s: c"]);
    acknowledge(&mut rig, 2);
    assert_eq!(rig.sent(), ["PUBACK #5"]);
}

#[test]
fn a_pubrel_for_an_unknown_identifier_is_answered() {
    let expected = ["PUBCOMP #9 0x92", "PUBCOMP #9", "PUBCOMP #9"];
    for (version, expected) in VERSIONS.into_iter().zip(expected) {
        let mut rig = Rig::connected(config().version(version));
        rig.pubrel(9);
        assert_eq!(rig.sent(), [expected]);
        assert_eq!(rig.told(), [""; 0]);
    }
}

#[test]
fn a_refused_message_is_answered_with_the_reason() {
    let mut rig = Rig::connected(manual());
    rig.deliver(1, 4, "b");
    rig.deliver(2, 5, "c");
    rig.told();
    let (first, second) = (DeliveryId::from_number(1), DeliveryId::from_number(2));
    let reason = PubAckReason::NotAuthorized.into();
    rig.client.refuse(rig.now, first, reason).unwrap();
    let reason = PubRecReason::QuotaExceeded.into();
    rig.client.refuse(rig.now, second, reason).unwrap();
    assert_eq!(rig.sent(), ["PUBACK #4 0x87", "PUBREC #5 0x97"]);
    rig.deliver(2, 5, "d");
    assert_eq!(rig.told(), ["message q2 @3 s: d"], "the identifier is free");
}

#[test]
fn a_refused_message_is_acknowledged_where_no_reason_can_be_said() {
    let mut rig = Rig::connected(manual().version(Version::V3_1_1));
    rig.deliver(2, 5, "c");
    rig.told();
    let reason = PubRecReason::QuotaExceeded.into();
    rig.client.refuse(rig.now, DeliveryId::from_number(1), reason).unwrap();
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    rig.pubrel(5);
    assert_eq!(rig.sent(), ["PUBCOMP #5"]);
}

#[test]
fn a_farewell_of_the_server_is_told() {
    use mqtt_session::proto::{Disconnect, DisconnectReason, Packet};
    let mut rig = Rig::connected(config());
    rig.feed(&Packet::Disconnect(Disconnect::new(
        DisconnectReason::ServerShuttingDown,
    )));
    assert_eq!(rig.told(), ["closed disconnected 0x8b"]);
    let mut rig = Rig::connected(config());
    rig.feed(&Packet::Disconnect(Disconnect::new(DisconnectReason::SessionTakenOver)));
    assert_eq!(rig.told(), ["closed disconnected 0x8e, for good"]);
    assert_eq!(rig.sent(), [""; 0]);
}
