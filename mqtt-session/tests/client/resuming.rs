//! What a new connection goes on with.

use mqtt_session::{CleanStart, Loss};

use crate::rig::{Rig, VERSIONS, config, said};

#[test]
fn what_was_in_flight_goes_again_in_order_within_the_smaller_window() {
    let mut rig = Rig::connected_with(config(), said(|server| server.receive_maximum(3)));
    for (tag, qos) in [(1, 1), (2, 2), (3, 1), (4, 2)] {
        rig.publish(qos, tag);
    }
    assert_eq!(
        rig.sent(),
        ["PUBLISH q1 #1 t: m1", "PUBLISH q2 #2 t: m2", "PUBLISH q1 #3 t: m3"]
    );
    rig.pubrec(2);
    assert_eq!(rig.sent(), ["PUBREL #2"]);
    rig.reconnect_with(true, said(|server| server.receive_maximum(1)));
    assert_eq!(rig.sent(), ["PUBREL #2", "PUBLISH q1 #1 dup t: m1"]);
    rig.puback(1);
    assert_eq!(rig.sent(), ["PUBLISH q1 #3 dup t: m3"]);
    rig.puback(3);
    assert_eq!(rig.sent(), ["PUBLISH q2 #4 t: m4"], "this one was never sent");
    rig.pubcomp(2);
    rig.pubrec(4);
    assert_eq!(rig.sent(), ["PUBREL #4"]);
    rig.pubcomp(4);
    let told = rig.told();
    let ends: Vec<_> = told.iter().filter(|line| line.starts_with("completed")).collect();
    let expected = [1, 3, 2, 4].map(|tag| format!("completed {tag}: acknowledged"));
    assert!(ends.into_iter().eq(&expected), "{told:?}");
}

#[test]
fn nothing_goes_again_on_the_same_connection() {
    let mut rig = Rig::connected(config());
    rig.publish(1, 1);
    rig.publish(2, 2);
    rig.sent();
    for _ in 0..20 {
        rig.fire_next();
        assert!(!rig.sent().iter().any(|line| line.starts_with("PUBLISH")));
        rig.feed(&mqtt_session::proto::Packet::PingResp);
    }
    assert!(rig.client.is_connected());
}

#[test]
fn a_release_goes_again_as_pubrel_each_time() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).clean_start(CleanStart::Never));
        rig.publish(2, 1);
        rig.sent();
        rig.pubrec(1);
        rig.sent();
        for _ in 0..3 {
            rig.reconnect(true);
            assert_eq!(rig.sent(), ["PUBREL #1"]);
        }
        rig.pubcomp(1);
        assert_eq!(rig.told().last().unwrap(), "completed 1: acknowledged");
    }
}

#[test]
fn releases_go_again_in_the_order_of_their_pubrecs() {
    let mut rig = Rig::connected(config());
    for tag in 1..=3 {
        rig.publish(2, tag);
    }
    rig.sent();
    for number in [3, 1, 2] {
        rig.pubrec(number);
    }
    assert_eq!(rig.sent(), ["PUBREL #3", "PUBREL #1", "PUBREL #2"]);
    rig.reconnect(true);
    assert_eq!(rig.sent(), ["PUBREL #3", "PUBREL #1", "PUBREL #2"]);
}

#[test]
fn a_pubcomp_that_comes_before_its_release_goes_again_ends_nothing() {
    let mut rig = Rig::connected(config());
    rig.publish(2, 1);
    rig.sent();
    rig.pubrec(1);
    rig.sent();
    rig.reconnect(true);
    rig.told();
    rig.pubcomp(1);
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    rig.pubcomp(1);
    assert_eq!(rig.told(), ["completed 1: acknowledged"]);
}

/// One message of each kind in flight, one that was never sent, and then a server without the session.
fn lose(loss: Loss) -> Rig {
    let mut rig = Rig::connected_with(config().loss(loss), said(|server| server.receive_maximum(3)));
    for (tag, qos) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        rig.publish(qos, tag);
    }
    rig.sent();
    rig.pubrec(3);
    rig.sent();
    rig.reconnect(false);
    rig
}

fn lost(rig: &mut Rig) -> Vec<String> {
    let mut told = rig.told();
    assert_eq!(told.pop().unwrap(), "connected");
    told.retain(|line| line.starts_with("completed"));
    told
}

#[test]
fn a_lost_session_repeats_qos_1_as_new_and_ends_qos_2() {
    let mut rig = lose(Loss::default());
    assert_eq!(lost(&mut rig), ["completed 3: SessionLost", "completed 2: SessionLost"]);
    let sent = rig.sent();
    assert_eq!(sent.len(), 2);
    assert!(
        sent[0].starts_with("PUBLISH q1 #") && sent[0].ends_with(" t: m1"),
        "{sent:?}"
    );
    assert!(!sent[0].contains("dup"), "{sent:?}");
    assert!(sent[1].ends_with(" t: m4"), "{sent:?}");
}

#[test]
fn a_lost_session_can_repeat_all_messages() {
    let mut rig = lose(Loss::RepeatAll);
    assert_eq!(
        lost(&mut rig),
        ["completed 3: SessionLost"],
        "its message is with the server"
    );
    let sent = rig.sent();
    let messages: Vec<_> = sent.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(messages, ["m1", "m2", "m4"]);
    assert!(!sent.concat().contains("dup"));
}

#[test]
fn a_lost_session_can_end_all_messages_that_were_sent() {
    let mut rig = lose(Loss::EndAll);
    let ends = [3, 1, 2].map(|tag| format!("completed {tag}: SessionLost"));
    assert_eq!(lost(&mut rig), ends);
    let sent = rig.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].ends_with(" t: m4") && !sent[0].contains("dup"), "{sent:?}");
}

#[test]
fn a_lost_session_forgets_the_identifiers_of_the_server() {
    let mut rig = Rig::connected(config());
    rig.deliver(2, 5, "c");
    assert_eq!(rig.told(), ["message q2 s: c"]);
    rig.sent();
    rig.reconnect(false);
    rig.told();
    rig.deliver(2, 5, "d");
    assert_eq!(rig.told(), ["message q2 s: d"]);
}

#[test]
fn a_pubrec_that_comes_before_its_message_goes_again_releases_nothing() {
    for version in VERSIONS {
        let mut rig = {
            let limits = mqtt_session::Limits::default().send_maximum(1);
            Rig::connected(config().version(version).limits(limits).clean_start(CleanStart::Never))
        };
        rig.publish(2, 1);
        rig.publish(2, 2);
        assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m1"]);
        rig.pubrec(1);
        assert_eq!(rig.sent(), ["PUBREL #1"]);
        rig.pubcomp(1);
        assert_eq!(rig.sent(), ["PUBLISH q2 #2 t: m2"]);
        rig.cut();
        rig.fire_next();
        rig.open();
        rig.accept(true);
        // A server that repeats its answers by itself. Were they taken for unknown, PUBREL would make the server forget the
        // identifier, and the message that goes again would arrive twice.
        rig.pubrec(2);
        assert_eq!(rig.sent(), ["PUBLISH q2 #2 dup t: m2"]);
        rig.pubrec(2);
        assert_eq!(rig.sent(), ["PUBREL #2"]);
        rig.pubcomp(2);
        assert_eq!(rig.told().last().unwrap(), "completed 2: acknowledged");
    }
}
