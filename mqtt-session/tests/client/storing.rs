//! What waits for the store.

use std::time::Duration;

use bytes::Buf;
use mqtt_session::proto::PubAckReason;
use mqtt_session::{AcknowledgeError, Batch, ClientConfig, DeliveryId, HandOver, Outbox, Record};

use crate::rig::{Rig, message, said, stored};

const NOTHING: [&str; 0] = [];

fn inbox() -> ClientConfig {
    stored().hand_over(HandOver::Inbox)
}

#[test]
fn a_publish_leaves_when_it_is_stored_with_its_identifier() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(stored());
        rig.publish(qos, 7);
        assert_eq!(rig.sent(), NOTHING);
        let number = rig.write();
        assert_eq!(rig.sent(), NOTHING, "taken is not stored");
        rig.client.handle_stored(rig.now, number);
        assert_eq!(rig.sent(), [format!("PUBLISH q{qos} #1 t: m7")]);
    }
}

#[test]
fn a_message_of_qos_0_waits_for_no_store() {
    let mut rig = Rig::connected(stored());
    rig.publish(0, 7);
    assert_eq!(rig.sent(), ["PUBLISH q0 t: m7"]);
    rig.write();
    assert!(rig.disk_is_idle(), "{:?}", rig.disk);
}

#[test]
fn a_stored_number_names_all_batches_up_to_it_and_no_other() {
    let mut rig = Rig::connected(stored());
    let mut numbers = Vec::new();
    for tag in 1..=3 {
        rig.publish(1, tag);
        numbers.push(rig.write());
    }
    rig.client.handle_stored(rig.now, numbers[1]);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m1", "PUBLISH q1 #2 t: m2"]);
    rig.client.handle_stored(rig.now, numbers[0]);
    assert_eq!(rig.sent(), NOTHING);
    rig.client.handle_stored(rig.now, numbers[2]);
    assert_eq!(rig.sent(), ["PUBLISH q1 #3 t: m3"]);
}

#[test]
fn a_number_that_was_not_handed_out_stores_nothing() {
    let mut rig = Rig::connected(stored());
    rig.publish(1, 7);
    rig.client.handle_stored(rig.now, u64::MAX);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m7"]);
}

#[test]
fn a_message_that_waits_for_the_window_is_stored_again_with_its_identifier() {
    let one = said(|server| server.receive_maximum(1));
    let mut rig = Rig::connected_with(stored(), one);
    rig.publish(1, 1);
    rig.publish(1, 2);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m1"]);
    rig.puback(1);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBLISH q1 #2 t: m2"]);
}

#[test]
fn a_pubrel_leaves_when_the_release_is_stored() {
    let mut rig = Rig::connected(stored());
    rig.publish(2, 7);
    rig.commit();
    rig.sent();
    rig.pubrec(1);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    rig.pubcomp(1);
    assert_eq!(rig.told(), ["completed 7: acknowledged"]);
    rig.write();
    assert!(rig.disk_is_idle(), "{:?}", rig.disk);
}

#[test]
fn a_release_that_is_stored_after_a_reconnect_leaves_once() {
    let mut rig = Rig::connected(stored());
    rig.publish(2, 7);
    rig.commit();
    rig.sent();
    rig.pubrec(1);
    let number = rig.write();
    rig.reconnect(true);
    assert_eq!(rig.sent(), NOTHING);
    rig.client.handle_stored(rig.now, number);
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    assert_eq!(rig.sent(), NOTHING);
}

#[test]
fn a_pubrec_and_a_pubcomp_leave_when_they_are_stored() {
    let mut rig = Rig::connected(stored());
    rig.deliver(2, 5, "c");
    assert_eq!(rig.told(), ["message q2 s: c"]);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    rig.pubrel(5);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBCOMP #5"]);
    assert!(rig.disk_is_idle(), "{:?}", rig.disk);
}

#[test]
fn a_message_is_told_from_the_inbox_when_it_stands_there() {
    for (qos, ack) in [(1, "PUBACK #5"), (2, "PUBREC #5")] {
        let mut rig = Rig::connected(inbox());
        rig.deliver(qos, 5, "c");
        assert_eq!(rig.told(), NOTHING);
        assert_eq!(rig.sent(), NOTHING);
        rig.commit();
        assert_eq!(rig.told(), [format!("message q{qos} @1 s: c")]);
        assert_eq!(rig.sent(), [ack]);
    }
}

#[test]
fn a_pubrec_that_is_stored_after_a_reconnect_is_not_sent_until_asked_for() {
    for config in [stored(), inbox()] {
        let mut rig = Rig::connected(config);
        rig.deliver(2, 5, "c");
        rig.told();
        let number = rig.write();
        rig.reconnect(true);
        rig.client.handle_stored(rig.now, number);
        assert_eq!(rig.sent(), NOTHING);
        rig.told();
        rig.deliver_again(2, 5, "c");
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        assert_eq!(rig.told(), NOTHING);
    }
}

#[test]
fn a_puback_that_is_stored_after_a_reconnect_is_never_sent() {
    let mut rig = Rig::connected(inbox());
    rig.deliver(1, 5, "c");
    let number = rig.write();
    rig.reconnect(true);
    rig.client.handle_stored(rig.now, number);
    assert_eq!(rig.sent(), NOTHING);
}

#[test]
fn a_repeat_while_the_batch_is_pending_is_answered_once() {
    let mut rig = Rig::connected(stored());
    rig.deliver(2, 5, "c");
    rig.told();
    let number = rig.write();
    rig.deliver_again(2, 5, "c");
    rig.deliver_again(2, 5, "c");
    assert_eq!(rig.sent(), NOTHING);
    rig.client.handle_stored(rig.now, number);
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    assert_eq!(rig.told(), NOTHING);
}

#[test]
fn a_pubcomp_that_is_stored_after_a_reconnect_answers_the_repeated_pubrel_alone() {
    for is_asked_before_stored in [false, true] {
        let mut rig = Rig::connected(stored());
        rig.deliver(2, 5, "c");
        rig.told();
        rig.commit();
        rig.sent();
        rig.pubrel(5);
        let number = rig.write();
        rig.reconnect(true);
        if is_asked_before_stored {
            rig.pubrel(5);
            assert_eq!(rig.sent(), NOTHING);
            rig.client.handle_stored(rig.now, number);
        } else {
            rig.client.handle_stored(rig.now, number);
            assert_eq!(rig.sent(), NOTHING);
            rig.pubrel(5);
        }
        assert_eq!(rig.sent(), ["PUBCOMP #5"]);
        assert_eq!(rig.sent(), NOTHING);
    }
}

#[test]
fn a_failed_store_ends_everything() {
    let mut rig = Rig::connected(stored());
    rig.publish(1, 7);
    rig.write();
    rig.client.handle_store_failed(rig.now);
    assert_eq!(rig.told(), ["closed StoreFailed, for good"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x83"]);
    rig.cut();
    assert_eq!(rig.client.poll_timeout(), None);
    assert!(rig.client.publish(rig.now, message(1, "x"), 8).is_err());
}

#[test]
fn nothing_is_read_while_too_many_batches_are_pending() {
    let limits = mqtt_session::Limits::default().batches(2);
    let mut rig = Rig::connected(stored().limits(limits));
    for tag in 1..=2 {
        rig.publish(1, tag);
        rig.write();
    }
    assert_eq!(rig.client.input_room(), 0);
    rig.client.handle_stored(rig.now, 1);
    assert!(rig.client.input_room() > 0);
}

#[test]
fn an_acknowledged_message_leaves_the_inbox() {
    let mut rig = Rig::connected(inbox());
    rig.deliver(1, 5, "c");
    rig.commit();
    rig.told();
    rig.client.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
    rig.commit();
    let left: Vec<_> = rig.disk.keys().copied().collect();
    assert_eq!(left, [mqtt_session::Key::Session]);
}

#[test]
fn a_message_of_qos_0_leaves_nothing_for_the_store() {
    let mut rig = Rig::connected(stored());
    rig.commit();
    rig.publish(0, 7);
    assert_eq!(rig.sent(), ["PUBLISH q0 t: m7"]);
    assert!(!rig.client.poll_store(&mut Batch::new()));
}

#[test]
fn a_message_of_qos_0_that_is_not_sent_leaves_nothing_for_the_store_either() {
    let mut rig = Rig::new(stored());
    let op = rig.publish(0, 7);
    assert!(rig.client.cancel(rig.now, op));
    let expiring = message(0, "x").expiry_seconds(10);
    rig.client.publish(rig.now, expiring, 8).unwrap();
    rig.advance(20);
    assert_eq!(rig.told(), ["completed 7: Cancelled", "completed 8: Expired"]);
    assert!(
        !rig.client.poll_store(&mut Batch::new()),
        "nobody has to wait for a flush"
    );
}

#[test]
fn a_release_of_something_unknown_waits_for_those_that_were_earned_before() {
    let mut rig = Rig::connected(stored());
    rig.publish(2, 7);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m7"]);
    rig.pubrec(1);
    rig.pubrec(9);
    assert_eq!(rig.sent(), NOTHING, "the first release is not stored");
    rig.commit();
    let sent = rig.sent();
    assert!(
        sent.len() == 2 && sent[0] == "PUBREL #1" && sent[1].starts_with("PUBREL #9"),
        "{sent:?}"
    );
}

#[test]
fn a_release_of_something_unknown_waits_for_nothing_that_came_later() {
    let mut rig = Rig::connected(stored());
    rig.publish(2, 7);
    rig.commit();
    rig.sent();
    rig.pubrec(1);
    rig.pubrec(9);
    rig.commit();
    // The stream takes one packet.
    let mut outbox = Outbox::new(0);
    rig.client.poll_transmit(&mut outbox);
    assert_eq!(outbox.chunk(), b"\x62\x02\x00\x01", "PUBREL #1");
    rig.pubcomp(1);
    // The exchange is over, and this one may have its place.
    rig.publish(2, 8);
    let sent = rig.sent();
    assert!(sent.len() == 1 && sent[0].starts_with("PUBREL #9"), "{sent:?}");
}

#[test]
fn what_was_told_has_no_deadline_any_more() {
    let mut rig = Rig::connected(stored());
    let op = rig.publish(2, 7);
    rig.commit();
    rig.sent();
    let late = rig.now.saturating_add(Duration::from_secs(60));
    assert!(rig.client.set_deadline(rig.now, op, late), "it is on its way");
    // It does not fit this connection, and may have arrived on the one before.
    rig.reconnect_with(true, said(|server| server.maximum_packet_size(8)));
    rig.sent();
    assert!(rig.told().iter().any(|told| told.starts_with("completed 7: too large")));
    assert!(!rig.client.set_deadline(rig.now, op, late));
}

#[test]
fn a_message_in_the_inbox_cannot_be_refused() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(inbox());
        rig.deliver(qos, 5, "c");
        rig.commit();
        rig.told();
        let delivery = DeliveryId::from_number(1);
        let refused = rig.client.refuse(rig.now, delivery, PubAckReason::QuotaExceeded.into());
        assert_eq!(refused, Err(AcknowledgeError::CannotRefuse));
        assert_eq!(rig.client.acknowledge(rig.now, delivery), Ok(()), "it is still there");
    }
}

#[test]
fn an_identifier_whose_release_is_stored_is_free_before_its_pubcomp_has_left() {
    let mut rig = Rig::connected(stored());
    rig.deliver(2, 5, "one");
    rig.told();
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    rig.pubrel(5);
    rig.commit();
    // Nobody has asked for output since.
    rig.deliver(2, 5, "other");
    assert_eq!(rig.told(), ["message q2 s: other"]);
}

#[test]
fn a_message_behind_one_that_had_no_identifier_is_stored_too() {
    let mut rig = Rig::new(stored());
    rig.publish(2, 1);
    rig.open();
    rig.accept(false);
    // The window has room, and the first message takes the identifier.
    rig.publish(2, 2);
    rig.commit();
    let tags = rig.disk.values().filter_map(|record| match record {
        Record::Outgoing(outgoing) => Some(outgoing.tag),
        _ => None,
    });
    assert_eq!(tags.collect::<Vec<_>>(), [1, 2]);
}
