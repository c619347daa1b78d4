//! What waits for the store, over connections and restarts.

use mqtt_session::proto::Version;
use mqtt_session::{
    Accept, Batch, DeliveryId, HandOver, Instant, Key, Limits, RestoreReport, ServerConfig, Session, SessionConfig,
};

use crate::rig::{NOTHING, Rig, connect, message, stored, write_down};
use crate::show;

fn inbox() -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().is_stored(true).hand_over(HandOver::Inbox))
}

/// The next life of the server, which knows what the store has.
fn restored(rig: &Rig, config: &ServerConfig) -> (Session, RestoreReport) {
    let mut restore = Session::restore(&config.session, Instant::ZERO);
    for record in rig.disk.values() {
        restore.record(record.clone());
    }
    restore.finish()
}

#[test]
fn connack_waits_until_the_session_is_stored() {
    let mut rig = Rig::asked(stored(), connect(Version::V5));
    rig.server.accept(rig.now, Accept::new()).unwrap();
    rig.ping();
    rig.publish(0, 1);
    assert_eq!(rig.sent(), NOTHING);
    let number = rig.write();
    assert_eq!(rig.sent(), NOTHING);
    rig.server.handle_stored(rig.now, number);
    assert_eq!(rig.sent(), ["CONNACK", "PINGRESP", "PUBLISH q0 t: m1"]);
    assert!(rig.disk.contains_key(&Key::Session));
}

#[test]
fn a_session_that_is_handed_in_needs_no_new_record() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    let session = rig.take_over();
    let mut next = rig.resumed(stored(), session);
    assert!(!next.server.poll_store(&mut Batch::new()));
}

#[test]
fn each_step_waits_for_its_batch() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    rig.publish(2, 1);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m1"]);
    rig.pubrec(1);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    rig.pubcomp(1);
    rig.deliver(2, 5, "in");
    assert_eq!(rig.told(), ["completed 1: acknowledged", "message q2 s: in"]);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREC #5"]);
    rig.pubrel(5);
    assert_eq!(rig.sent(), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBCOMP #5"]);
    assert_eq!(rig.disk.len(), 1, "{:?}", rig.disk.keys());
}

#[test]
fn batches_have_one_order_over_the_connections_of_a_session() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    let mut batch = Batch::new();
    rig.publish(1, 1);
    assert!(rig.server.poll_store(&mut batch));
    let first = batch.number();
    write_down(&mut rig.disk, &batch);
    rig.publish(1, 2);
    let mut session = rig.take_over();
    assert!(session.poll_store(&mut batch));
    assert_eq!(batch.number(), first + 1);
    session.publish(rig.now, message(1, "m3"), 3).unwrap();
    let mut next = rig.resumed(stored(), session);
    assert_eq!(next.sent(), NOTHING, "no batch is stored");
    assert!(next.server.poll_store(&mut batch));
    assert_eq!(batch.number(), first + 2);
    next.server.handle_stored(next.now, first + 1);
    assert_eq!(next.sent(), ["PUBLISH q1 #1 t: m1", "PUBLISH q1 #2 t: m2"]);
    next.server.handle_stored(next.now, first + 2);
    assert_eq!(next.sent(), ["PUBLISH q1 #3 t: m3"]);
}

#[test]
fn a_batch_that_ends_on_a_later_connection_answers_nothing_there() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    rig.deliver(2, 5, "in");
    rig.told();
    let number = rig.write();
    let session = rig.take_over();
    let mut next = rig.resumed(stored(), session);
    next.server.handle_stored(next.now, number);
    assert_eq!(next.sent(), NOTHING);
    next.deliver_again(2, 5, "in");
    assert_eq!(next.sent(), ["PUBREC #5"]);
}

#[test]
fn a_batch_can_be_stored_while_nobody_is_connected() {
    let mut rig = Rig::accepted(inbox(), Version::V5);
    rig.deliver(1, 5, "in");
    let number = rig.write();
    rig.server.handle_eof(rig.now);
    rig.server.handle_stored(rig.now, number);
    assert_eq!(rig.told(), ["closed StreamEnded"], "the last event is the last");
    let mut session = rig.server.take_session().unwrap();
    let event = session.poll_event().unwrap();
    assert_eq!(show::session_event(&event), "message q1 @1 s: in");
    session.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
    let mut batch = Batch::new();
    assert!(session.poll_store(&mut batch));
    write_down(&mut rig.disk, &batch);
    assert_eq!(rig.disk.keys().copied().collect::<Vec<_>>(), [Key::Session]);
}

#[test]
fn a_session_is_restored_with_what_it_had() {
    let mut rig = Rig::accepted(inbox(), Version::V5);
    rig.publish(1, 1);
    rig.publish(2, 2);
    rig.publish(0, 3);
    rig.deliver(2, 5, "in");
    rig.commit();
    rig.sent();
    rig.pubrec(2);
    rig.write();
    let (session, report) = restored(&rig, &inbox());
    let tags: Vec<_> = report.live.iter().map(|live| live.tag).collect();
    assert_eq!(tags, [1, 2]);
    assert!(report.quarantined.is_empty() && !report.session_ended);
    let mut next = rig.resumed(inbox(), session);
    assert_eq!(next.sent(), ["PUBREL #2", "PUBLISH q1 #1 dup t: m1"]);
    assert_eq!(next.told(), ["message q2 @1 again s: in"]);
    next.deliver_again(2, 5, "in");
    assert_eq!(next.told(), NOTHING);
    assert_eq!(next.sent(), ["PUBREC #5"]);
}

#[test]
fn a_restored_session_never_uses_a_delivery_number_again() {
    let mut rig = Rig::accepted(inbox(), Version::V5);
    rig.deliver(1, 5, "a");
    rig.commit();
    assert_eq!(rig.told(), ["message q1 @1 s: a"]);
    rig.server.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
    rig.write();
    let (session, _) = restored(&rig, &inbox());
    let mut next = rig.resumed(inbox(), session);
    next.deliver(1, 6, "b");
    next.commit();
    let told = next.told();
    assert!(!told[0].contains("@1 "), "{told:?}");
}

#[test]
fn damage_ends_a_message_or_the_session_and_is_reported() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    rig.publish(1, 1);
    rig.commit();
    let lost: Vec<_> = rig
        .disk
        .keys()
        .copied()
        .filter(|key| matches!(key, Key::Payload(_)))
        .collect();
    for key in lost {
        rig.disk.remove(&key);
    }
    let (session, report) = restored(&rig, &stored());
    assert_eq!(report.quarantined.len(), 1);
    assert!(!report.session_ended);
    assert_eq!(session.outgoing_len(), 0);
    let mut restore = Session::restore(&stored().session, Instant::ZERO);
    restore.damaged(Key::Session);
    assert!(restore.finish().1.session_ended);
}

#[test]
fn a_failed_store_ends_the_connection_and_promises_nothing() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    rig.deliver(2, 5, "in");
    rig.told();
    rig.write();
    rig.server.handle_store_failed(rig.now);
    assert_eq!(rig.told(), ["closed StoreFailed"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x83"]);
    let mut rig = Rig::asked(stored(), connect(Version::V5));
    rig.server.accept(rig.now, Accept::new()).unwrap();
    rig.server.handle_store_failed(rig.now);
    assert_eq!(rig.sent_bytes(), b"", "CONNACK promised the session");
}

#[test]
fn a_store_that_is_behind_stops_the_reading() {
    let session = SessionConfig::default()
        .is_stored(true)
        .limits(Limits::default().batches(2));
    let mut rig = Rig::accepted(ServerConfig::default().session(session), Version::V5);
    for tag in 1..=2 {
        rig.publish(1, tag);
        rig.write();
    }
    assert_eq!(rig.server.input_room(), 0);
    rig.server.handle_stored(rig.now, 2);
    assert!(rig.server.input_room() > 0);
}

#[test]
fn a_message_beyond_the_bound_of_the_inbox_waits_for_the_host() {
    let session = SessionConfig::default()
        .is_stored(true)
        .hand_over(HandOver::Inbox)
        .limits(Limits::default().inbox_messages(1));
    let config = ServerConfig::default().session(session);
    let mut rig = Rig::accepted(config.clone(), Version::V5);
    rig.deliver(1, 5, "a");
    rig.commit();
    assert_eq!(
        (rig.told(), rig.sent()),
        (vec!["message q1 @1 s: a".into()], vec!["PUBACK #5".into()])
    );
    // One of QoS 1 that is overtaken by the record of one of QoS 2.
    rig.deliver(1, 6, "b");
    rig.deliver(2, 7, "c");
    assert!(!rig.server.poll_store(&mut Batch::new()));
    assert_eq!((rig.told().len(), rig.sent()), (0, vec![]));
    // What else comes is read and answered.
    assert!(rig.server.input_room() > 0);
    rig.ping();
    assert_eq!(rig.sent(), ["PINGRESP"]);

    for (number, told, sent) in [
        (1, "message q1 @2 s: b", "PUBACK #6"),
        (2, "message q2 @3 s: c", "PUBREC #7"),
    ] {
        rig.server
            .acknowledge(rig.now, DeliveryId::from_number(number))
            .unwrap();
        rig.commit();
        assert_eq!((rig.told(), rig.sent()), (vec![told.into()], vec![sent.into()]));
    }
    rig.server.acknowledge(rig.now, DeliveryId::from_number(3)).unwrap();

    // What waited when the connection ended was never received.
    rig.deliver(1, 8, "d");
    rig.deliver(2, 9, "e");
    rig.commit();
    assert_eq!((rig.told().len(), rig.sent()), (1, vec!["PUBACK #8".to_owned()]));
    let session = rig.take_over();
    let mut next = rig.resumed(config, session);
    next.server.acknowledge(next.now, DeliveryId::from_number(4)).unwrap();
    next.deliver(2, 9, "e");
    next.commit();
    assert_eq!(next.told(), ["message q2 @6 s: e"]);
    assert!(next.sent().contains(&"PUBREC #9".to_owned()));
}
