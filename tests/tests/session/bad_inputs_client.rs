//! Known faults of MQTT software on bad input, as far as a client can have them.

use core::time::Duration;

use mqtt_session::proto::{DisconnectReason, PropertyId, PublishProperties, Version};
use mqtt_session::{Closed, Event, HandOver, Limit, Limits, Outcome, PublishError, Reconnect, Timer, Violation};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::refusal::statement;
use crate::rig::{Rig, VERSIONS, config, message};
use crate::wire::{coded, disconnect, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Session, format!("bad_input::{id}::client: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-036",
            "SUBACK with wrong codes closes",
            suback_with_wrong_codes_closes,
        ),
        trial(
            "BI-045",
            "aliases have a bound and an end",
            aliases_have_a_bound_and_an_end,
        ),
        trial("BI-046", "the host cannot set an alias", host_cannot_set_an_alias),
        trial("BI-047", "a resend has its topic", resend_has_its_topic),
        trial("BI-050", "the deepest topic is a topic", deepest_topic_is_a_topic),
        trial(
            "BI-066",
            "a repetition gets PUBREC without an error",
            repetition_gets_pubrec_without_error,
        ),
        trial(
            "BI-068",
            "known identifiers survive a reconnect",
            known_identifiers_survive,
        ),
        trial(
            "BI-069",
            "known identifiers have no end in time",
            known_identifiers_have_no_end_in_time,
        ),
        trial(
            "BI-071",
            "PUBREL for nothing is answered",
            pubrel_for_nothing_is_answered,
        ),
        trial(
            "BI-072",
            "PUBREC for nothing is answered",
            pubrec_for_nothing_is_answered,
        ),
        trial(
            "BI-073",
            "a release is stored before it is sent",
            release_is_stored_before_it_is_sent,
        ),
        trial(
            "BI-074",
            "a message is told once over restarts",
            message_is_told_once_over_restarts,
        ),
        trial(
            "BI-075",
            "what was sent is resent with all its attributes",
            resent_with_all_attributes,
        ),
        trial(
            "BI-079",
            "more open messages than announced close",
            more_open_messages_close,
        ),
        trial(
            "BI-081",
            "a lost session holds nothing back",
            lost_session_holds_nothing_back,
        ),
        trial(
            "BI-082",
            "a message that is too large uses nothing up",
            too_large_uses_nothing_up,
        ),
        trial(
            "BI-085",
            "a message that the server cannot take ends, or each failure is told",
            failure_is_told_each_time,
        ),
        trial(
            "BI-093",
            "a client that is thrown out waits",
            client_that_is_thrown_out_waits,
        ),
        trial("BI-116", "the queue has a bound", queue_has_a_bound),
    ]
}

fn suback_with_wrong_codes_closes() {
    for (bad, code) in [
        ("90 03 0001 00", 0x81),
        ("90 04 0001 00 03", 0x81),
        ("90 04 0001 00 7F", 0x81),
        ("90 05 0001 00 01 01", 0x82),
    ] {
        let mut rig = Rig::connected(config(), "");
        rig.subscribe("s", 1);
        rig.sent();
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
        let sent = rig.sent();
        let accepted = [disconnect(code), disconnect(0x82)];
        assert!(sent.len() == 1 && accepted.contains(&sent[0]), "{bad}: {sent:02X?}");
    }
    for bad in ["90 02 0001", "90 03 0001 03", "90 04 0001 00 00"] {
        let mut rig = Rig::connected(config().version(Version::V3_1_1), "");
        rig.subscribe("s", 1);
        rig.sent();
        rig.feed(&hex::bytes(bad));
        assert!(rig.closed().is_some(), "{bad}");
    }
}

/// With the maximum 0, 1 and 16: 0, one above, and on the next connection one that was defined before.
fn aliases_have_a_bound_and_an_end() {
    for maximum in [0, 1, 16] {
        let limits = Limits::default().aliases_accepted(maximum);
        for bad in [0, maximum + 1, 0xFFFF] {
            let mut rig = Rig::connected(config().limits(limits), "");
            let frame = rig.wire.publish(0, 0).properties(&format!("23 {bad:04X}")).bytes();
            rig.feed(&frame);
            assert!(rig.closed().is_some());
            rig.sends(&[disconnect(0x94)]);
        }
    }
}

fn host_cannot_set_an_alias() {
    let mut rig = Rig::connected(config(), "22 000A");
    let properties = PublishProperties::builder().topic_alias(1).build().expect("an alias");
    let refused = rig.client.publish(rig.now, message(0, "x").properties(properties), 1);
    assert_eq!(refused, Err(PublishError::PropertyNotAllowed(PropertyId::TopicAlias)));
    rig.sends_nothing();
    rig.stays();
}

/// On a connection with aliases and on one without; a received alias goes nowhere.
fn resend_has_its_topic() {
    let mut rig = Rig::connected(config(), "22 0001 21 0001");
    let mut about = message(1, "x");
    about.topic = mqtt_session::proto::TopicName::from_bytes("home/a".into()).expect("a topic");
    rig.client.publish(rig.now, about.clone(), 1).expect("there is room");
    let first = rig.wire.publish(1, 1).topic("home/a");
    rig.sends(&[first.clone().properties("23 0001").bytes()]);
    rig.reconnect(true, "");
    rig.sends(&[first.clone().dup().bytes()]);
    rig.reconnect(true, "22 0001");
    let again = rig.sent();
    let is_whole = |with: &str| again[0] == first.clone().dup().properties(with).bytes();
    assert!(is_whole("23 0001") || is_whole(""), "{again:02X?}");
    rig.feed(&puback(1));
    let given = rig.wire.publish(0, 0).properties("23 0003").bytes();
    rig.feed(&given);
    let told = rig.told();
    let has_alias = |event: &Event| match event {
        Event::Message(received) => received.message.properties.has(PropertyId::TopicAlias),
        _ => false,
    };
    assert!(!told.is_empty() && !told.iter().any(has_alias));
}

fn deepest_topic_is_a_topic() {
    let deepest = "/".repeat(65_535);
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        let given = rig.wire.publish(0, 0).topic(&deepest).bytes();
        rig.feed(&given);
        assert_eq!(rig.messages(), ["x"]);
        rig.subscribe(&deepest, 1);
        rig.sends(&[rig.wire.subscribe(1, &deepest, 1)]);
        rig.stays();
    }
}

fn given(rig: &mut Rig, qos: u8, id: u16, payload: &str) {
    let frame = rig.wire.publish(qos, id).payload(payload).bytes();
    rig.feed(&frame);
}

fn given_again(rig: &mut Rig, qos: u8, id: u16, payload: &str) {
    let frame = rig.wire.publish(qos, id).dup().payload(payload).bytes();
    rig.feed(&frame);
}

fn repetition_gets_pubrec_without_error() {
    let mut rig = Rig::connected(config(), "");
    given(&mut rig, 2, 1, "x");
    rig.told();
    rig.sends(&[pubrec(1)]);
    for _ in 0..3 {
        rig.reconnect(true, "");
        given_again(&mut rig, 2, 1, "x");
        rig.sends(&[pubrec(1)]);
        assert_eq!(rig.messages(), [""; 0]);
    }
}

fn known_identifiers_survive() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        for id in [1, 2, 3] {
            given(&mut rig, 2, id, "x");
        }
        assert_eq!(rig.messages().len(), 3);
        rig.sends(&[1, 2, 3].map(pubrec));
        rig.reconnect(true, "");
        for id in [1, 2, 3] {
            given_again(&mut rig, 2, id, "x");
        }
        given(&mut rig, 2, 4, "new");
        assert_eq!(rig.messages(), ["new"]);
        rig.sends(&[1, 2, 3, 4].map(pubrec));
    }
}

fn known_identifiers_have_no_end_in_time() {
    let mut rig = Rig::connected(config().keep_alive_seconds(0), "");
    given(&mut rig, 2, 1, "x");
    rig.told();
    rig.sends(&[pubrec(1)]);
    for _ in 0..100 {
        rig.advance(24 * 3600);
    }
    given_again(&mut rig, 2, 1, "x");
    assert_eq!(rig.messages(), [""; 0]);
    rig.sends(&[pubrec(1)]);
}

fn answer(version: Version, frame: Vec<u8>) -> Vec<u8> {
    if version == Version::V5 {
        coded(frame, 0x92)
    } else {
        frame
    }
}

fn pubrel_for_nothing_is_answered() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        for id in [1, 65_535] {
            rig.feed(&pubrel(id));
            rig.sends(&[answer(version, pubcomp(id))]);
        }
        rig.stays();
    }
}

fn pubrec_for_nothing_is_answered() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        for id in [1, 65_535] {
            rig.feed(&pubrec(id));
            rig.sends(&[answer(version, pubrel(id))]);
        }
        rig.stays();
    }
}

fn release_is_stored_before_it_is_sent() {
    let stored = || config().is_stored(true);
    let mut rig = Rig::connected(stored(), "");
    rig.publish(2, "x", 1);
    rig.sends_nothing();
    rig.commit();
    rig.sends(&[rig.wire.publish(2, 1).bytes()]);
    rig.feed(&pubrec(1));
    rig.sends_nothing();
    rig.commit();
    rig.sends(&[pubrel(1)]);
    let mut rig = rig.restart(stored());
    rig.open();
    rig.accept(true, "");
    rig.sends(&[pubrel(1)]);
    rig.feed(&pubcomp(1));
    rig.commit();
    rig.reconnect(true, "");
    rig.sends_nothing();
}

/// By the inbox: under one number, again until it is acknowledged, and never after that.
fn message_is_told_once_over_restarts() {
    let stored = || config().is_stored(true).hand_over(HandOver::Inbox);
    let mut rig = Rig::connected(stored(), "");
    given(&mut rig, 2, 1, "x");
    assert_eq!(rig.told(), [], "it is not stored yet");
    rig.sends_nothing();
    rig.commit();
    let first = rig.told();
    let Some(Event::Message(received)) = first.first() else {
        panic!("a message: {first:?}")
    };
    let delivery = received.delivery.expect("to be acknowledged");
    rig.sends(&[pubrec(1)]);
    let mut rig = rig.restart(stored());
    let again = rig.told();
    assert!(
        matches!(&again[..], [Event::Message(received)] if received.delivery == Some(delivery) && received.redelivered),
        "{again:?}"
    );
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.commit();
    let mut rig = rig.restart(stored());
    rig.open();
    rig.accept(true, "");
    given_again(&mut rig, 2, 1, "x");
    rig.commit();
    assert_eq!(rig.messages(), [""; 0]);
    rig.sends(&[pubrec(1)]);
    rig.feed(&pubrel(1));
    rig.commit();
    rig.sends(&[pubcomp(1)]);
}

/// QoS, identifier, RETAIN, topic, properties and payload; after a reconnect and after a restart.
fn resent_with_all_attributes() {
    for version in VERSIONS {
        let stored = || config().version(version).is_stored(true);
        let mut rig = Rig::connected(stored(), "");
        let mut message = message(2, "payload").retain(true);
        let mut properties = "";
        if version == Version::V5 {
            message.properties = PublishProperties::builder().content_type("c").build().expect("short");
            properties = "03 0001 63";
        }
        rig.client.publish(rig.now, message, 1).expect("there is room");
        rig.commit();
        let publish = || rig_publish(version, properties);
        let mut expected = publish().bytes();
        expected[0] |= 1;
        rig.sends(&[expected.clone()]);
        expected[0] |= 8;
        rig.reconnect(true, "");
        rig.sends(&[expected.clone()]);
        let mut rig = rig.restart(stored());
        rig.open();
        rig.accept(true, "");
        rig.sends(&[expected]);
    }
}

fn rig_publish(version: Version, properties: &str) -> crate::wire::Publish {
    let publish = crate::wire::Wire(version).publish(2, 1).payload("payload");
    publish.properties(properties)
}

/// The window was full and the identifiers used up when the session was lost.
fn lost_session_holds_nothing_back() {
    for version in VERSIONS {
        let limits = Limits::default().packet_ids(2).send_maximum(2);
        let mut rig = Rig::connected(config().version(version).limits(limits), "");
        for tag in 1..=4 {
            rig.publish(2, "x", tag);
        }
        assert_eq!(rig.sent().len(), 2);
        for _ in 0..3 {
            rig.reconnect(false, "");
            let tags: Vec<u64> = rig.outcomes().iter().map(|(tag, _)| *tag).collect();
            assert!(tags.len() <= 2);
            rig.sent();
        }
        rig.publish(1, "alive", 9);
        let sent = rig.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].ends_with(b"alive"));
    }
}

/// Refused at once, ended in the queue, and no longer too large where the server says nothing.
fn too_large_uses_nothing_up() {
    let long = "x".repeat(40);
    let mut rig = Rig::connected(config(), "27 00000014");
    let refused = rig.client.publish(rig.now, message(1, &long), 1);
    assert!(matches!(refused, Err(PublishError::TooLarge { limit: 20, .. })));
    rig.publish(1, "x", 2);
    rig.sends(&[rig.wire.publish(1, 1).bytes()]);
    rig.feed(&puback(1));
    rig.cut();
    rig.publish(1, &long, 3);
    rig.told();
    rig.reconnect(true, "");
    let sent = rig.sent();
    assert_eq!(sent.len(), 1, "the limit is that of the connection");
    rig.stays();
}

/// At the Receive Maximum the connection goes on, and ends with one more, unless the configuration tolerates it.
fn more_open_messages_close() {
    for (maximum, tolerance) in [(1, 0), (2, 0), (20, 0), (2, 3)] {
        let limits = Limits::default().receive_maximum(maximum).receive_tolerance(tolerance);
        let mut rig = Rig::connected(config().limits(limits).hand_over(HandOver::Manual), "");
        let all = maximum + tolerance;
        for id in 1..=all {
            given(&mut rig, 1 + u8::from(id % 2 == 0), id, "x");
        }
        assert_eq!(rig.messages().len(), usize::from(all));
        rig.stays();
        given(&mut rig, 2, all + 1, "x");
        assert!(matches!(
            rig.closed(),
            Some(Closed::Violation(Violation::ReceiveMaximumExceeded, _))
        ));
        rig.sends(&[disconnect(0x93)]);
    }
}

/// A server that says that it lacks QoS 2 is sent none, not even what was under way. One that only ends the connection is
/// sent the message again, as it has to be, but each end of a connection is told with its reason, and the next comes later.
fn failure_is_told_each_time() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    assert_eq!(rig.sent().len(), 1);
    rig.publish(2, "x", 2);
    rig.told();
    rig.reconnect(true, "24 01");
    // The identifier of what was sent before is given back, so that it can be used again.
    rig.sends(&[pubrel(1)]);
    let outcomes = rig.outcomes();
    rig.feed(&coded(pubcomp(1), 0x92));
    for _ in 0..3 {
        rig.reconnect(true, "24 01");
        rig.sends_nothing();
    }
    let is_not_supported = |outcome: &Outcome| matches!(outcome, Outcome::NotSupported(_));
    assert!(
        outcomes.len() == 2 && outcomes.iter().all(|(_, outcome)| is_not_supported(outcome)),
        "{outcomes:?}"
    );

    for version in VERSIONS {
        let reconnect = Reconnect::default().jitter_percent(0);
        let mut rig = Rig::connected(config().version(version).reconnect(reconnect), "");
        rig.publish(2, "x", 1);
        let mut delays = Vec::new();
        for round in 0..5 {
            let publish = rig.wire.publish(2, 1);
            rig.sends(&[if round == 0 { publish } else { publish.dup() }.bytes()]);
            if version.has_properties() {
                rig.feed(&disconnect(0x9B));
            }
            rig.client.handle_eof(rig.now);
            let told = rig.told();
            let [
                Event::Closed {
                    reason,
                    retry_at: Some(at),
                },
            ] = &told[..]
            else {
                panic!("{told:?}")
            };
            assert!(match reason {
                Closed::Disconnected { reason, .. } => *reason == DisconnectReason::QoSNotSupported,
                reason => *reason == Closed::StreamEnded && !version.has_properties(),
            });
            delays.push(at.saturating_since(rig.now));
            rig.cut();
            assert_eq!(rig.fire_next(), Timer::Reconnect);
            rig.open();
            rig.accept(true, "");
            rig.told();
        }
        assert!(delays.windows(2).all(|pair| pair[0] < pair[1]), "{delays:?}");
    }
}

/// Accepted and then closed, again and again: the delays grow. A client that was displaced by another of its name stays
/// away.
fn client_that_is_thrown_out_waits() {
    let reconnect = Reconnect::default().jitter_percent(0);
    let mut rig = Rig::connected(config().reconnect(reconnect), "");
    let mut delays = Vec::new();
    for _ in 0..5 {
        rig.cut();
        let before = rig.now;
        assert_eq!(rig.fire_next(), Timer::Reconnect);
        delays.push(rig.now.saturating_since(before));
        rig.open();
        rig.accept(true, "");
    }
    let millis = [500, 1000, 2000, 4000, 8000].map(Duration::from_millis);
    assert_eq!(delays, millis);
    rig.told();
    rig.feed(&hex::bytes("E0 01 8E"));
    let told = rig.told();
    assert!(
        matches!(
            &told[..],
            [Event::Closed {
                reason: Closed::Disconnected { .. },
                retry_at: None
            }]
        ),
        "{told:?}"
    );
    rig.client.handle_eof(rig.now);
    assert_eq!(rig.client.poll_timeout(), None);
}

fn queue_has_a_bound() {
    let limits = Limits::default().queued_messages(3);
    let mut rig = Rig::new(config().limits(limits));
    for tag in 1..=3 {
        rig.publish(1, "x", tag);
    }
    let refused = rig.client.publish(rig.now, message(1, "x"), 4);
    assert_eq!(refused, Err(PublishError::QueueFull(Limit::QueuedMessages)));
    let limits = Limits::default().queued_bytes(100);
    let mut rig = Rig::new(config().limits(limits));
    rig.publish(2, &"x".repeat(90), 1);
    let refused = rig.client.publish(rig.now, message(1, &"x".repeat(20)), 2);
    assert_eq!(refused, Err(PublishError::QueueFull(Limit::QueuedBytes)));
    assert_eq!(statement(rig.closed().as_ref()), None);
}
