//! What the host is asked, and what waits for its answers.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Connect, DisconnectReason, SubscriptionOptions, Version};
use mqtt_session::{AcceptErrorKind, Ask, BrokerConfig, BrokerEvent, BrokerLimits, QuestionId, Scope, Verdict};

use super::rig::{NOTHING, Rig, VERSIONS, config, fleeting, lasting, line, qos, will};

fn asking() -> BrokerConfig {
    config().ask(Ask {
        connect: false,
        publish: true,
        subscribe: true,
    })
}

/// The questions that were asked since the last call.
fn questions(rig: &mut Rig) -> Vec<(QuestionId, String)> {
    let events = rig.events();
    let questions = events.iter().filter_map(|event| match event {
        BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } => {
            Some((*question, line(event)))
        }
        _ => None,
    });
    questions.collect()
}

fn question(rig: &mut Rig, text: &str) -> QuestionId {
    let [(question, asked)] = questions(rig).try_into().unwrap();
    assert_eq!(asked, text);
    question
}

fn answer(rig: &mut Rig, text: &str, verdict: Verdict) {
    let question = question(rig, text);
    assert!(rig.broker.authorize(rig.now, question, verdict));
    assert!(!rig.broker.authorize(rig.now, question, verdict), "it is answered once");
}

#[test]
fn a_client_waits_until_the_host_lets_it_in() {
    let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
    assert_eq!(rig.connect(lasting("c", Version::V5)), NOTHING);
    assert_eq!(rig.told(), ["connect c"]);
    let id = rig.id("c");
    rig.broker.admit(rig.now, id, ConnAckProperties::empty()).unwrap();
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    let again = rig.broker.admit(rig.now, id, ConnAckProperties::empty());
    assert_eq!(again, Err(AcceptErrorKind::NotAsked));
}

#[test]
fn a_client_that_is_refused_takes_nothing_over() {
    let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
    rig.connect(lasting("c", Version::V5));
    let first = rig.id("c");
    rig.broker.admit(rig.now, first, ConnAckProperties::empty()).unwrap();
    assert_eq!(rig.sent("c"), ["CONNACK"]);
    rig.rename("c", "good");
    assert_eq!(rig.connect(lasting("c", Version::V5)), NOTHING);
    let second = rig.id("c");
    let reason = ConnAckReason::NotAuthorized;
    rig.broker
        .refuse(rig.now, second, reason, ConnAckProperties::empty())
        .unwrap();
    assert_eq!(rig.sent("c"), ["CONNACK 0x87"]);
    assert!(rig.broker.is_drained(second));
    assert_eq!(rig.sent("good"), NOTHING);
    assert_eq!(rig.broker.connection_of(b"c"), Some(first));
}

#[test]
fn a_message_that_may_not_be_is_refused_as_the_version_can() {
    for version in VERSIONS {
        for bits in 0..3 {
            let mut rig = Rig::new(asking());
            rig.join(fleeting("c", version));
            rig.publish("c", "t", bits, "m");
            assert_eq!(rig.sent("c"), NOTHING);
            answer(&mut rig, &format!("may c publish q{bits} to t?"), Verdict::DENY);
            let code = if version == Version::V5 { " 0x87" } else { "" };
            let expected = match bits {
                0 => vec![],
                1 => vec![format!("PUBACK #5{code}")],
                _ => vec![format!("PUBREC #5{code}")],
            };
            assert_eq!(rig.sent("c"), expected);
            assert_eq!(rig.broker.figures().messages_refused, 1);
            assert_eq!(rig.broker.figures().messages_published, 0);
        }
    }
}

#[test]
fn filters_are_asked_about_one_by_one() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("c", Version::V5));
    let options = SubscriptionOptions::new(qos(1));
    let sent = rig.subscribe_with("c", &[("a", options), ("b", options)], None);
    assert_eq!(sent, NOTHING);
    let [(a, _), (b, _)] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, b, Verdict::ALLOW));
    assert_eq!(rig.sent("c"), NOTHING);
    assert!(rig.broker.authorize(rig.now, a, Verdict::DENY));
    assert_eq!(rig.sent("c"), ["SUBACK #9 0x87 0x01"]);
    assert_eq!(rig.broker.figures().subscriptions, 1);
}

#[test]
fn what_is_answered_early_waits_for_its_turn() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("c", Version::V5));
    rig.subscribe_with("c", &[("#", SubscriptionOptions::new(qos(0)))], None);
    answer(&mut rig, "may c subscribe q0 to #?", Verdict::ALLOW);
    assert_eq!(rig.sent("c"), ["SUBACK #9 0x00"]);
    rig.publish("c", "first", 0, "m");
    rig.publish("c", "second", 0, "m");
    let [(first, _), (second, _)] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, second, Verdict::ALLOW));
    assert_eq!(rig.sent("c"), NOTHING);
    assert!(rig.broker.authorize(rig.now, first, Verdict::ALLOW));
    assert_eq!(rig.sent("c"), ["PUBLISH q0 first: m", "PUBLISH q0 second: m"]);
}

#[test]
fn an_answer_can_be_for_more_than_one_message_until_the_policy_changes() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("c", Version::V5));
    rig.publish("c", "t", 0, "m");
    answer(&mut rig, "may c publish q0 to t?", Verdict::ALLOW.scope(Scope::Topic));
    rig.publish("c", "t", 0, "m");
    assert_eq!(questions(&mut rig), []);
    rig.publish("c", "other", 0, "m");
    answer(
        &mut rig,
        "may c publish q0 to other?",
        Verdict::ALLOW.scope(Scope::Connection),
    );
    rig.publish("c", "third", 0, "m");
    assert_eq!(questions(&mut rig), []);
    rig.broker.policy_changed(rig.now);
    rig.publish("c", "t", 0, "m");
    answer(
        &mut rig,
        "may c publish q0 to t?",
        Verdict::DENY.scope(Scope::Connection),
    );
    rig.publish("c", "t", 0, "m");
    assert_eq!(questions(&mut rig), []);
    assert_eq!(rig.broker.figures().messages_published, 4);
    assert_eq!(rig.broker.figures().messages_refused, 2);
}

#[test]
fn an_answer_of_an_earlier_policy_does_not_count() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("c", Version::V5));
    rig.publish("c", "t", 1, "m");
    let early = question(&mut rig, "may c publish q1 to t?");
    rig.broker.policy_changed(rig.now);
    assert!(
        rig.broker
            .authorize(rig.now, early, Verdict::ALLOW.scope(Scope::Connection))
    );
    assert_eq!(rig.sent("c"), NOTHING);
    answer(&mut rig, "may c publish q1 to t?", Verdict::DENY);
    assert_eq!(rig.sent("c"), ["PUBACK #5 0x87"]);
}

#[test]
fn nothing_more_is_read_while_too_much_waits() {
    let limits = BrokerLimits::default().parked_per_connection(2);
    let mut rig = Rig::new(asking().limits(limits));
    rig.join(fleeting("c", Version::V5));
    for _ in 0..1000 {
        rig.publish("c", "t", 0, "m");
        if rig.broker.input_room(rig.id("c")) == 0 {
            break;
        }
    }
    assert_eq!(rig.broker.input_room(rig.id("c")), 0);
    let mut asked = questions(&mut rig);
    assert_eq!(asked.len(), 2);
    while let Some((question, _)) = asked.pop() {
        rig.broker.authorize(rig.now, question, Verdict::ALLOW);
        asked.extend(questions(&mut rig));
    }
    assert!(rig.broker.input_room(rig.id("c")) > 0);
}

#[test]
fn what_was_sent_before_an_orderly_end_takes_effect_and_then_the_end() {
    let mut rig = Rig::new(asking());
    rig.join(Connect {
        will: will("gone", 0),
        ..fleeting("c", Version::V5)
    });
    rig.publish("c", "t", 0, "last words");
    rig.leave("c", DisconnectReason::NormalDisconnection);
    assert_eq!(rig.broker.figures().sessions, 1);
    answer(&mut rig, "may c publish q0 to t?", Verdict::ALLOW);
    assert_eq!(rig.broker.figures().messages_published, 1);
    assert_eq!(rig.broker.figures().wills_published, 0);
    assert_eq!(rig.broker.figures().sessions, 0);
    assert_eq!(rig.broker.figures().connections, 0);
}

#[test]
fn a_message_of_qos_2_waits_over_a_cut_and_goes_on_once() {
    let mut rig = Rig::new(asking());
    rig.join(lasting("c", Version::V5));
    rig.publish("c", "t", 2, "m");
    let early = question(&mut rig, "may c publish q2 to t?");
    rig.cut("c");
    assert!(!rig.broker.authorize(rig.now, early, Verdict::ALLOW));
    assert_eq!(rig.connect(lasting("c", Version::V5)), ["CONNACK present"]);
    rig.publish("c", "t", 2, "m");
    answer(&mut rig, "may c publish q2 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("c"), ["PUBREC #5"]);
    assert_eq!(rig.broker.figures().messages_published, 1);
}

#[test]
fn a_will_is_asked_about_when_it_is_due() {
    for (verdict, published) in [(Verdict::ALLOW, 1), (Verdict::DENY, 0)] {
        let mut rig = Rig::new(asking());
        rig.join(Connect {
            will: will("gone", 0),
            ..fleeting("c", Version::V5)
        });
        rig.cut("c");
        answer(&mut rig, "may c publish q1 to w, left behind?", verdict);
        assert_eq!(rig.broker.figures().wills_published, published);
    }
}

#[test]
fn a_message_for_a_session_whose_connection_has_ended_unnoticed_waits_for_the_next() {
    let limits = BrokerLimits::default().parked_per_connection(1);
    let mut rig = Rig::new(asking().limits(limits));
    rig.join(lasting("s", Version::V5));
    rig.subscribe_with("s", &[("t", SubscriptionOptions::new(qos(1)))], None);
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["SUBACK #9 0x01"]);
    // Its own packet waits for the host while its stream ends.
    rig.publish("s", "elsewhere", 0, "m");
    let waits = question(&mut rig, "may s publish q0 to elsewhere?");
    rig.cut("s");
    rig.join(fleeting("p", Version::V5));
    rig.publish("p", "t", 1, "for later");
    answer(&mut rig, "may p publish q1 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("p"), ["PUBACK #5"]);
    rig.broker.authorize(rig.now, waits, Verdict::ALLOW);
    assert_eq!(
        rig.connect(lasting("s", Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 t: for later"]
    );
}
