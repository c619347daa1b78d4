//! Messages to the server.

use mqtt_session::proto::{Packet, PubAck, PubAckReason, PubComp, PubCompReason, PubRecReason};

use crate::rig::{Rig, VERSIONS, config, id, said};

#[test]
fn a_message_of_qos_0_is_done_when_it_is_sent() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        rig.publish(0, 7);
        assert_eq!(rig.told(), [""; 0]);
        assert_eq!(rig.sent(), ["PUBLISH q0 t: m7"]);
        assert_eq!(rig.told(), ["completed 7: Sent"]);
    }
}

#[test]
fn a_message_of_qos_1_is_done_with_its_puback() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        rig.publish(1, 7);
        assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m7"]);
        assert_eq!(rig.told(), [""; 0]);
        rig.puback(1);
        assert_eq!(rig.told(), ["completed 7: acknowledged"]);
        rig.puback(1);
        assert_eq!(rig.told(), [""; 0], "a second PUBACK means nothing");
    }
}

#[test]
fn a_message_of_qos_2_is_done_with_its_pubcomp() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        rig.publish(2, 7);
        assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m7"]);
        rig.pubrec(1);
        assert_eq!(rig.sent(), ["PUBREL #1"]);
        assert_eq!(rig.told(), [""; 0]);
        rig.pubcomp(1);
        assert_eq!(rig.told(), ["completed 7: acknowledged"]);
        assert_eq!(rig.sent(), [""; 0]);
    }
}

#[test]
fn the_reason_of_an_acknowledgement_is_told() {
    let mut rig = Rig::connected(config());
    for tag in 1..=2 {
        rig.publish(1, tag);
    }
    rig.sent();
    rig.feed(&Packet::PubAck(PubAck::new(id(1), PubAckReason::NoMatchingSubscribers)));
    rig.feed(&Packet::PubAck(PubAck::new(id(2), PubAckReason::NotAuthorized)));
    assert_eq!(
        rig.told(),
        ["completed 1: acknowledged 0x10", "completed 2: refused 0x87"]
    );
}

#[test]
fn messages_leave_in_the_order_of_publish_whatever_their_qos() {
    let mut rig = Rig::connected(config());
    for (tag, qos) in [(1, 1), (2, 0), (3, 2), (4, 0)] {
        rig.publish(qos, tag);
    }
    let sent = [
        "PUBLISH q1 #1 t: m1",
        "PUBLISH q0 t: m2",
        "PUBLISH q2 #2 t: m3",
        "PUBLISH q0 t: m4",
    ];
    assert_eq!(rig.sent(), sent);
}

#[test]
fn a_pubrec_with_an_error_ends_the_message_and_frees_quota_and_identifier() {
    let one = said(|server| server.receive_maximum(1));
    let mut rig = Rig::connected_with(config(), one);
    rig.publish(2, 1);
    rig.publish(2, 2);
    assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m1"]);
    rig.pubrec_with(1, PubRecReason::QuotaExceeded);
    assert_eq!(rig.told(), ["completed 1: refused 0x97"]);
    assert_eq!(rig.sent(), ["PUBLISH q2 #2 t: m2"]);
    rig.pubrec(1);
    assert_eq!(rig.sent(), ["PUBREL #1 0x92"], "the first identifier is free");
}

#[test]
fn a_pubrec_for_an_unknown_identifier_is_answered() {
    let expected = ["PUBREL #9 0x92", "PUBREL #9", "PUBREL #9"];
    for (version, expected) in VERSIONS.into_iter().zip(expected) {
        let mut rig = Rig::connected(config().version(version));
        rig.pubrec(9);
        assert_eq!(rig.sent(), [expected]);
        assert_eq!(rig.told(), [""; 0]);
    }
}

#[test]
fn a_pubrec_with_an_error_for_an_unknown_identifier_is_not_answered() {
    let mut rig = Rig::connected(config());
    rig.pubrec_with(9, PubRecReason::UnspecifiedError);
    assert_eq!(rig.sent(), [""; 0]);
    assert!(rig.client.is_connected());
}

#[test]
fn a_repeated_pubrec_is_answered_again() {
    let mut rig = Rig::connected(config());
    rig.publish(2, 1);
    rig.sent();
    rig.pubrec(1);
    rig.sent();
    rig.pubrec(1);
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    rig.pubcomp(1);
    assert_eq!(rig.told(), ["completed 1: acknowledged"]);
}

#[test]
fn a_pubcomp_ends_the_message_whatever_it_says() {
    let mut rig = Rig::connected(config());
    rig.publish(2, 1);
    rig.sent();
    rig.pubrec(1);
    rig.sent();
    let reason = PubCompReason::PacketIdentifierNotFound;
    rig.feed(&Packet::PubComp(PubComp::new(id(1), reason)));
    assert_eq!(rig.told(), ["completed 1: acknowledged 0x92"]);
}

#[test]
fn an_acknowledgement_of_another_qos_closes() {
    type Answer = fn(&mut Rig);
    let answers: [(u8, Answer); 3] = [
        (2, |rig| rig.puback(1)),
        (1, |rig| rig.pubrec(1)),
        (1, |rig| rig.pubcomp(1)),
    ];
    for (qos, answer) in answers {
        let mut rig = Rig::connected(config());
        rig.publish(qos, 1);
        rig.sent();
        answer(&mut rig);
        assert_eq!(rig.told(), ["closed Violation(AcknowledgementOfOtherQoS)"]);
        assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
    }
}

#[test]
fn a_message_that_was_not_sent_can_be_cancelled() {
    let mut rig = Rig::connected(config());
    let op = rig.publish(1, 7);
    assert!(rig.client.cancel(rig.now, op));
    assert_eq!(rig.told(), ["completed 7: Cancelled"]);
    assert_eq!(rig.sent(), [""; 0]);
    assert!(!rig.client.cancel(rig.now, op));
    assert_eq!(rig.told(), [""; 0]);
}

#[test]
fn a_message_that_was_sent_cannot_be_cancelled() {
    let mut rig = Rig::connected(config());
    let op = rig.publish(1, 7);
    rig.sent();
    assert!(!rig.client.cancel(rig.now, op));
    rig.reconnect(true);
    assert!(!rig.client.cancel(rig.now, op));
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 dup t: m7"]);
}
