//! Messages in both directions.

use mqtt_session::proto::{PubAckReason, PublishProperties, Version};
use mqtt_session::{
    AcknowledgeError, DeliveryId, HandOver, Message, Outcome, ServerConfig, ServerEvent, SessionConfig,
};

use crate::rig::{NOTHING, Rig, VERSIONS, handing_over, message};

fn manual() -> ServerConfig {
    handing_over(HandOver::Manual)
}

fn acknowledge(rig: &mut Rig, number: u64) -> Result<(), AcknowledgeError> {
    rig.server.acknowledge(rig.now, DeliveryId::from_number(number))
}

#[test]
fn a_polled_message_is_acknowledged() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.deliver(0, 1, "a");
        rig.deliver(1, 4, "b");
        rig.deliver(2, 5, "c");
        assert_eq!(rig.sent(), NOTHING, "nothing was handed over yet");
        assert_eq!(rig.told(), ["message q0 s: a", "message q1 s: b", "message q2 s: c"]);
        assert_eq!(rig.sent(), ["PUBACK #4", "PUBREC #5"]);
        rig.deliver_again(2, 5, "c");
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        rig.pubrel(5);
        rig.pubrel(5);
        assert_eq!(rig.sent()[0], "PUBCOMP #5");
        assert_eq!(rig.told(), NOTHING);
    }
}

#[test]
fn a_message_is_acknowledged_when_the_host_says_so() {
    let mut rig = Rig::accepted(manual(), Version::V5);
    for number in 1..=3 {
        rig.deliver(1, number, "x");
    }
    rig.deliver(2, 4, "y");
    assert_eq!(rig.told()[3], "message q2 @4 s: y");
    acknowledge(&mut rig, 4).unwrap();
    acknowledge(&mut rig, 3).unwrap();
    acknowledge(&mut rig, 1).unwrap();
    assert_eq!(rig.sent(), ["PUBACK #1", "PUBREC #4"], "PUBACKs in their order");
    acknowledge(&mut rig, 2).unwrap();
    assert_eq!(rig.sent(), ["PUBACK #2", "PUBACK #3"]);
    assert_eq!(acknowledge(&mut rig, 2), Err(AcknowledgeError::Unknown));
    assert_eq!(acknowledge(&mut rig, 99), Err(AcknowledgeError::Unknown));
}

#[test]
fn a_message_can_be_refused() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(manual(), version);
        rig.deliver(1, 4, "x");
        rig.deliver(2, 5, "y");
        rig.told();
        for number in [1, 2] {
            let reason = PubAckReason::NotAuthorized.into();
            rig.server
                .refuse(rig.now, DeliveryId::from_number(number), reason)
                .unwrap();
        }
        let expected = match version {
            Version::V5 => ["PUBACK #4 0x87", "PUBREC #5 0x87"],
            _ => ["PUBACK #4", "PUBREC #5"],
        };
        assert_eq!(rig.sent(), expected);
    }
}

#[test]
fn an_inbox_in_memory_waits_for_the_host() {
    let mut rig = Rig::accepted(handing_over(HandOver::Inbox), Version::V5);
    rig.deliver(1, 4, "x");
    rig.deliver(2, 5, "y");
    assert_eq!(rig.told(), ["message q1 @1 s: x", "message q2 @2 s: y"]);
    assert_eq!(rig.sent(), NOTHING);
    acknowledge(&mut rig, 1).unwrap();
    acknowledge(&mut rig, 2).unwrap();
    assert_eq!(rig.sent(), ["PUBACK #4", "PUBREC #5"]);
}

#[test]
fn a_message_to_the_client_ends_once() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        for qos in 0..=2 {
            rig.publish(qos, u64::from(qos));
        }
        let sent = ["PUBLISH q0 t: m0", "PUBLISH q1 #1 t: m1", "PUBLISH q2 #2 t: m2"];
        assert_eq!(rig.sent(), sent);
        rig.puback(1);
        rig.pubrec(2);
        assert_eq!(rig.sent(), ["PUBREL #2"]);
        rig.pubcomp(2);
        rig.pubcomp(2);
        rig.puback(1);
        let told = [
            "completed 0: Sent",
            "completed 1: acknowledged",
            "completed 2: acknowledged",
        ];
        assert_eq!(rig.told(), told);
        assert_eq!(rig.sent(), NOTHING);
    }
}

#[test]
fn what_is_unknown_is_completed_all_the_same() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.pubrel(8);
        rig.pubrec(9);
        let expected = match version {
            Version::V5 => ["PUBCOMP #8 0x92", "PUBREL #9 0x92"],
            _ => ["PUBCOMP #8", "PUBREL #9"],
        };
        assert_eq!(rig.sent(), expected);
        assert!(rig.server.is_connected());
    }
}

#[test]
fn a_message_of_mqtt_5_reaches_mqtt_3_without_its_properties() {
    let properties = PublishProperties::builder()
        .content_type("text/plain")
        .user_property("a", "b")
        .build()
        .unwrap();
    let rich = message(1, "x").properties(properties.clone()).expiry_seconds(60);
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.server.publish(rig.now, rich.clone(), 1).unwrap();
        let sent = rig.sent_packets();
        let [mqtt_session::proto::Packet::Publish(publish)] = &sent[..] else {
            panic!()
        };
        assert_eq!(publish.payload, "x");
        match version {
            Version::V5 => {
                assert_eq!(publish.properties.content_type().unwrap(), "text/plain");
                assert_eq!(publish.properties.message_expiry(), Some(60));
            }
            _ => assert!(publish.properties.is_empty()),
        }
    }
    // The same when it waited.
    let now = mqtt_session::Instant::from_secs(1000);
    let mut session = mqtt_session::Session::new(&SessionConfig::default(), now);
    session.publish(now, rich, 1).unwrap();
    let rig = Rig::accepted(ServerConfig::default(), Version::V3_1_1);
    let mut next = rig.resumed(ServerConfig::default(), session);
    assert_eq!(next.sent(), ["PUBLISH q1 #1 t: x"]);
}

#[test]
fn a_message_expires_while_it_waits_and_says_what_is_left() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    let mut session = rig.take_over();
    for (tag, seconds) in [(1, 10), (2, 30)] {
        let message = message(1, "x").expiry_seconds(seconds);
        session.publish(rig.now, message, tag).unwrap();
    }
    rig.now = rig.now + core::time::Duration::from_secs(20);
    let mut next = rig.resumed(ServerConfig::default(), session);
    assert_eq!(next.sent(), ["PUBLISH q1 #1 t expiry 10: x"]);
    assert_eq!(next.told(), ["completed 1: Expired"]);
}

#[test]
fn what_was_not_sent_can_be_cancelled() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    let op = rig.publish(1, 1);
    assert!(rig.server.cancel(rig.now, op));
    assert!(!rig.server.cancel(rig.now, op));
    let op = rig.publish(1, 2);
    assert_eq!(rig.sent(), ["PUBLISH q1 #2 t: m2"]);
    assert!(!rig.server.cancel(rig.now, op));
    let [ServerEvent::Completed { tag: 1, outcome, .. }] = &rig.events()[..] else {
        panic!()
    };
    assert_eq!(*outcome, Outcome::Cancelled);
}

#[test]
fn a_request_is_answered_at_its_response_topic() {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    let request = Message::request("lamp", "state?", "answers/7", Some(b"n1")).unwrap();
    rig.server.publish(rig.now, request.clone(), 1).unwrap();
    let sent = rig.sent_packets();
    let [mqtt_session::proto::Packet::Publish(publish)] = &sent[..] else {
        panic!()
    };
    assert_eq!(publish.properties.response_topic().unwrap(), "answers/7");
    assert_eq!(publish.properties.correlation_data().unwrap().as_bytes(), b"n1");
    assert!(Message::request("lamp", "", "answers/#", None).is_err());
    assert!(Message::request("lamp", "", "answers", Some(&[0; 65_536])).is_err());
    let plain = Message::request("lamp", "", "answers", None)
        .unwrap()
        .reply("on")
        .unwrap();
    assert!(plain.properties.is_empty());
}

#[test]
fn a_log_shows_the_beginning_of_a_payload() {
    let long = format!("{:?}", message(0, &"x".repeat(100_000)));
    assert!(long.len() < 400, "{long}");
    assert!(long.contains("(100000 bytes)"), "{long}");
    assert!(format!("{:?}", message(0, "short")).contains("\"short\""));
}
