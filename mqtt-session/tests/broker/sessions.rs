//! Sessions over connections: how long they last and what they keep.

use mqtt_session::proto::{Connect, DisconnectReason, Version};

use super::rig::{NOTHING, Rig, VERSIONS, config, expiring, fleeting, lasting};

fn present(version: Version) -> &'static str {
    match version {
        Version::V3_1 => "CONNACK",
        _ => "CONNACK present",
    }
}

#[test]
fn a_session_goes_on_with_its_subscriptions_and_messages() {
    for version in VERSIONS {
        let mut rig = Rig::new(config());
        rig.join(fleeting("p", version));
        rig.join(lasting("s", version));
        rig.subscribe("s", "t", 2);
        rig.cut("s");
        for bits in 0..3 {
            rig.publish("p", "t", bits, "while away");
        }
        rig.pubrel("p", 5);
        assert_eq!(
            rig.connect(lasting("s", version)),
            [
                present(version),
                "PUBLISH q1 #1 t: while away",
                "PUBLISH q2 #2 t: while away"
            ],
            "a message of QoS 0 is for those who are there"
        );
    }
}

#[test]
fn a_clean_start_begins_anew() {
    for version in VERSIONS {
        let mut rig = Rig::new(config());
        rig.join(fleeting("p", version));
        rig.join(lasting("s", version));
        rig.subscribe("s", "t", 1);
        rig.cut("s");
        rig.publish("p", "t", 1, "for nobody");
        let clean = Connect {
            clean_start: true,
            ..lasting("s", version)
        };
        rig.join(clean);
        rig.run();
        rig.publish("p", "t", 1, "for nobody");
        assert_eq!(rig.sent("s"), NOTHING);
        assert_eq!(rig.broker.figures().subscriptions, 0);
        assert_eq!(rig.broker.figures().sessions, 2);
    }
}

#[test]
fn a_session_of_mqtt_3_is_of_mqtt_5_too() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(lasting("s", Version::V3_1_1));
    rig.subscribe("s", "t", 1);
    rig.cut("s");
    rig.publish("p", "t", 1, "m");
    assert_eq!(
        rig.connect(lasting("s", Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 t: m"]
    );
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut rig = Rig::new(config());
    rig.join(expiring("s", Version::V5, 10));
    rig.subscribe("s", "t", 1);
    rig.cut("s");
    rig.advance(9);
    assert_eq!(rig.broker.figures().sessions, 1);
    rig.advance(1);
    assert_eq!(rig.broker.figures().sessions, 0);
    assert_eq!(rig.broker.figures().subscriptions, 0);
    assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK"]);
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_nothing() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("s", Version::V3_1_1));
    rig.subscribe("s", "t", 1);
    rig.leave("s", DisconnectReason::NormalDisconnection);
    assert_eq!(rig.broker.figures().sessions, 0);
    assert_eq!(rig.broker.figures().connections, 0);
    assert_eq!(rig.broker.figures().subscriptions, 0);
    assert_eq!(rig.broker.figures().clients_connected, 0);
    assert_eq!(rig.broker.poll_timeout(), None);
}

#[test]
fn a_client_without_a_name_is_given_one() {
    let mut rig = Rig::new(config());
    assert_eq!(rig.connect(fleeting("", Version::V5)), ["CONNACK"]);
    let first = rig.broker.client_id(rig.id("")).unwrap().to_vec();
    assert!(first.starts_with(b"auto-"));
    assert_eq!(rig.connect(fleeting("", Version::V3_1_1)), ["CONNACK"]);
    assert_ne!(rig.broker.client_id(rig.id("")), Some(&*first));
    assert_eq!(rig.broker.figures().sessions, 2);
}

#[test]
fn a_message_in_flight_comes_again_on_the_next_connection() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(lasting("s", Version::V5));
    rig.subscribe("s", "t", 2);
    rig.publish("p", "t", 1, "one");
    rig.publish("p", "t", 2, "two");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: one", "PUBLISH q2 #2 t: two"]);
    rig.pubrec("s", 2);
    rig.cut("s");
    assert_eq!(
        rig.connect(lasting("s", Version::V5)),
        ["CONNACK present", "PUBREL #2", "PUBLISH q1 #1 dup t: one"]
    );
}
