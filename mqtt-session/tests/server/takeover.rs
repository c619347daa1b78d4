//! One session over several connections.

use mqtt_session::proto::{Disconnect, DisconnectReason, PubAckReason, Version};
use mqtt_session::{Accept, DeliveryId, HandOver, ServerConfig, Session};

use crate::rig::{NOTHING, Rig, VERSIONS, connect, handing_over};
use crate::show;

fn told(session: &mut Session) -> Vec<String> {
    core::iter::from_fn(|| session.poll_event())
        .map(|event| show::session_event(&event))
        .collect()
}

#[test]
fn the_earlier_connection_is_told_and_ends_without_help_of_its_peer() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        let session = rig.take_over();
        let sent = rig.sent();
        match version {
            Version::V5 => assert_eq!(sent, ["DISCONNECT 0x8e"]),
            _ => assert_eq!(sent, NOTHING),
        }
        assert!(rig.server.is_drained());
        assert!(rig.told()[0].starts_with("closed by host 0x8e"));
        rig.resumed(ServerConfig::default(), session);
    }
}

#[test]
fn what_was_in_flight_goes_on_and_what_waited_follows() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.publish(1, 1);
        rig.publish(2, 2);
        rig.publish(2, 3);
        rig.sent();
        rig.pubrec(3);
        rig.publish(1, 4);
        let mut session = rig.take_over();
        session.publish(rig.now, crate::rig::message(1, "m5"), 5).unwrap();
        let mut next = rig.resumed(ServerConfig::default(), session);
        let sent = [
            "PUBREL #3",
            "PUBLISH q1 #1 dup t: m1",
            "PUBLISH q2 #2 dup t: m2",
            "PUBLISH q1 #4 t: m4",
            "PUBLISH q1 #5 t: m5",
        ];
        assert_eq!(next.sent(), sent, "{version:?}");
        for number in [1, 4, 5] {
            next.puback(number);
        }
        next.pubcomp(3);
        next.pubrec(2);
        assert_eq!(next.sent(), ["PUBREL #2"]);
        next.pubcomp(2);
        let told = [1, 4, 5, 3, 2].map(|tag| format!("completed {tag}: acknowledged"));
        assert_eq!(next.told(), told);
    }
}

#[test]
fn an_operation_keeps_its_handle() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    let op = rig.publish(1, 1);
    let mut session = rig.take_over();
    assert!(session.set_deadline(rig.now, op, rig.now));
    session.handle_timeout(rig.now);
    assert_eq!(told(&mut session), ["late 1"]);
    let mut next = rig.resumed(ServerConfig::default(), session);
    assert!(next.server.cancel(next.now, op));
    assert_eq!(next.told(), ["completed 1: Cancelled"]);
}

#[test]
fn an_identifier_of_qos_2_is_known_on_the_next_connection() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.deliver(2, 5, "once");
        assert_eq!(rig.told(), ["message q2 s: once"]);
        // PUBREC was never taken by the driver.
        let session = rig.take_over();
        let mut next = rig.resumed(ServerConfig::default(), session);
        assert_eq!(next.sent(), NOTHING, "an answer belongs to a packet of its connection");
        next.deliver_again(2, 5, "once");
        assert_eq!(next.told(), NOTHING);
        assert_eq!(next.sent(), ["PUBREC #5"]);
        next.pubrel(5);
        assert_eq!(next.sent(), ["PUBCOMP #5"]);
    }
}

#[test]
fn a_release_is_answered_on_the_next_connection() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.deliver(2, 5, "once");
    rig.told();
    rig.sent();
    rig.pubrel(5);
    // PUBCOMP was never taken by the driver.
    let session = rig.take_over();
    let mut next = rig.resumed(ServerConfig::default(), session);
    next.pubrel(5);
    assert_eq!(next.sent(), ["PUBCOMP #5"], "not: unknown");
    next.deliver(2, 5, "another");
    assert_eq!(next.told(), ["message q2 s: another"]);
}

#[test]
fn events_that_were_not_polled_move_with_the_session() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.publish(1, 1);
    rig.sent();
    rig.puback(1);
    rig.deliver(2, 5, "in");
    rig.subscribe(7, &["a"]);
    let session = rig.take_over();
    assert_eq!(rig.told(), ["subscribe a", "closed by host 0x8e"]);
    let mut next = rig.resumed_quietly(session);
    assert_eq!(next.told(), ["completed 1: acknowledged", "message q2 s: in"]);
    // The hand-over counts on the connection on which the message comes again.
    assert_eq!(next.sent(), ["CONNACK present"]);
    next.deliver_again(2, 5, "in");
    assert_eq!(next.sent(), ["PUBREC #5"]);
    assert_eq!(next.told(), NOTHING);
}

#[test]
fn events_can_be_polled_from_the_session_too() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.deliver(2, 5, "in");
    let mut session = rig.take_over();
    assert_eq!(told(&mut session), ["message q2 s: in"]);
    let mut next = rig.resumed(ServerConfig::default(), session);
    next.deliver_again(2, 5, "in");
    assert_eq!(next.sent(), ["PUBREC #5"]);
    assert_eq!(next.told(), NOTHING);
}

#[test]
fn a_delivery_of_qos_2_can_be_acknowledged_wherever_its_session_is() {
    for place in 0..3 {
        let mut rig = Rig::accepted(handing_over(HandOver::Manual), Version::V5);
        rig.deliver(2, 5, "in");
        assert_eq!(rig.told(), ["message q2 @1 s: in"]);
        let delivery = DeliveryId::from_number(1);
        if place == 0 {
            rig.server.handle_eof(rig.now);
            rig.server.acknowledge(rig.now, delivery).unwrap();
        }
        rig.server.handle_eof(rig.now);
        let mut session = rig.server.take_session().unwrap();
        if place == 1 {
            session.acknowledge(rig.now, delivery).unwrap();
        }
        let mut next = rig.resumed(handing_over(HandOver::Manual), session);
        next.deliver_again(2, 5, "in");
        if place == 2 {
            assert_eq!(next.sent(), NOTHING, "it is not handed over");
            next.server.acknowledge(next.now, delivery).unwrap();
        }
        assert_eq!(next.sent(), ["PUBREC #5"]);
        assert_eq!(next.told(), NOTHING);
    }
}

#[test]
fn a_delivery_of_qos_1_dies_with_its_connection() {
    let mut rig = Rig::accepted(handing_over(HandOver::Manual), Version::V5);
    rig.deliver(1, 5, "in");
    rig.told();
    let mut session = rig.take_over();
    let reason = PubAckReason::Success.into();
    assert!(session.refuse(rig.now, DeliveryId::from_number(1), reason).is_err());
    let mut next = rig.resumed(handing_over(HandOver::Manual), session);
    next.deliver_again(1, 5, "in");
    assert_eq!(next.told(), ["message q1 @2 s: in"]);
    assert_eq!(next.sent(), NOTHING);
}

#[test]
fn a_client_of_another_version_goes_on_with_the_session() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.publish(2, 1);
    rig.sent();
    rig.deliver(2, 9, "in");
    rig.told();
    let session = rig.take_over();
    rig.version = Version::V3_1_1;
    let mut next = rig.resumed(ServerConfig::default(), session);
    assert_eq!(next.sent(), ["PUBLISH q2 #1 dup t: m1"]);
    next.deliver_again(2, 9, "in");
    next.pubrec(1);
    assert_eq!(next.sent(), ["PUBREC #9", "PUBREL #1"]);
    assert_eq!(next.told(), NOTHING);
}

#[test]
fn a_storm_of_takeovers_loses_nothing() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    for tag in 1..=5 {
        rig.publish(2, tag);
    }
    for _ in 0..20 {
        rig.server.poll_transmit(&mut rig.outbox);
        let session = rig.take_over();
        assert_eq!(session.outgoing_len(), 5);
        let now = rig.now;
        let mut next = Rig::asked(ServerConfig::default(), connect(Version::V5));
        next.now = now;
        next.server.accept(now, Accept::from(session)).unwrap();
        rig = next;
    }
    let sent = rig.sent();
    assert_eq!(sent.len(), 6);
    let expected: Vec<_> = (1..=5).map(|tag| format!("PUBLISH q2 #{tag} dup t: m{tag}")).collect();
    assert_eq!(sent[1..], expected);
}

#[test]
fn a_refused_takeover_leaves_the_session_with_its_host() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.publish(1, 1);
    let session = rig.take_over();
    let mut next = Rig::new(ServerConfig::default());
    let error = next.server.accept(next.now, Accept::from(session)).unwrap_err();
    let session = error.accept.session.unwrap();
    assert_eq!(session.outgoing_len(), 1);
}

#[test]
fn farewell_of_an_ended_connection_is_no_second_end() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.take_over();
    rig.server
        .disconnect(rig.now, Disconnect::new(DisconnectReason::ServerBusy));
    rig.server.handle_eof(rig.now);
    assert_eq!(rig.told(), ["closed by host 0x8e"]);
}
