//! A change of the policy: subscriptions that are there are asked about again.

use mqtt_session::proto::{Connect, SubscriptionOptions, Version};
use mqtt_session::{Ask, BrokerConfig, BrokerEvent, BrokerKey, BrokerLimits, QuestionId, Scope, Verdict};

use super::rig::{LASTING_SECONDS, NOTHING, Rig, config, fleeting, lasting, line, qos};

fn asking() -> BrokerConfig {
    config().ask(Ask {
        connect: false,
        publish: false,
        subscribe: true,
    })
}

/// What the host is asked, after as many calls as the broker wants.
fn questions(rig: &mut Rig) -> Vec<(QuestionId, String)> {
    rig.run();
    questions_so_far(rig)
}

fn questions_so_far(rig: &mut Rig) -> Vec<(QuestionId, String)> {
    let events = rig.events();
    let questions = events.iter().filter_map(|event| match event {
        BrokerEvent::MaySubscribe {
            question, connection, ..
        } => {
            let whose = if connection.is_some() { "" } else { "away: " };
            Some((*question, format!("{whose}{}", line(event))))
        }
        _ => None,
    });
    questions.collect()
}

/// Answers one question that is asked, and no other is.
fn answer(rig: &mut Rig, text: &str, verdict: Verdict) {
    let [(question, asked)] = questions(rig).try_into().unwrap();
    assert_eq!(asked, text);
    assert!(rig.broker.authorize(rig.now, question, verdict));
    assert!(!rig.broker.authorize(rig.now, question, verdict), "it is answered once");
}

fn subscribe(rig: &mut Rig, name: &str, filter: &str) {
    rig.subscribe_with(name, &[(filter, SubscriptionOptions::new(qos(1)))], None);
    answer(rig, &format!("may {name} subscribe q1 to {filter}?"), Verdict::ALLOW);
    rig.commit();
    assert_eq!(rig.sent(name), ["SUBACK #9 0x01"]);
}

/// A publisher and a client with these filters.
fn subscribed(config: BrokerConfig, filters: &[&str]) -> Rig {
    let mut rig = Rig::new(config);
    rig.join(fleeting("p", Version::V5));
    rig.connect(lasting("s", Version::V5));
    rig.commit();
    rig.sent("s");
    for filter in filters {
        subscribe(&mut rig, "s", filter);
    }
    rig
}

#[test]
fn deliveries_wait_until_the_host_has_allowed_their_subscription_again() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    for bits in 0..2 {
        rig.publish("p", "t", bits, "m");
    }
    assert_eq!(rig.sent("s"), NOTHING);
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: m", "PUBLISH q1 #1 t: m"]);
    rig.publish("p", "t", 0, "again");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: again"]);
    assert_eq!(questions(&mut rig), [], "each is asked once");
}

#[test]
fn messages_of_qos_0_for_a_subscription_that_is_refused_are_dropped_alone() {
    let mut rig = subscribed(asking(), &["a", "b"]);
    rig.broker.policy_changed(rig.now);
    for topic in ["a", "b", "a"] {
        rig.publish("p", topic, 0, topic);
    }
    for ((question, _), verdict) in questions(&mut rig).iter().zip([Verdict::DENY, Verdict::ALLOW]) {
        assert!(rig.broker.authorize(rig.now, *question, verdict));
    }
    assert_eq!(rig.sent("s"), ["PUBLISH q0 b: b"]);
    assert_eq!(rig.broker.figures().messages_dropped, 2);
}

#[test]
fn a_subscription_that_is_refused_ends_and_what_was_not_sent_is_dropped_and_counted() {
    let mut rig = subscribed(asking().is_stored(true), &["a", "b", "+"]);
    rig.broker.policy_changed(rig.now);
    for topic in ["a", "b", "a/x"] {
        rig.publish("p", topic, 1, topic);
    }
    rig.commit();
    let asked = questions(&mut rig);
    let texts: Vec<&str> = asked.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "may s subscribe q1 to a?",
            "may s subscribe q1 to b?",
            "may s subscribe q1 to +?"
        ]
    );
    for ((question, _), verdict) in asked.iter().zip([Verdict::DENY, Verdict::ALLOW, Verdict::DENY]) {
        assert_eq!(rig.sent("s"), NOTHING);
        assert!(rig.broker.authorize(rig.now, *question, verdict));
    }
    rig.commit();
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #2 b: b"]);
    let figures = rig.broker.figures();
    assert_eq!(
        (
            figures.subscriptions,
            figures.subscriptions_revoked,
            figures.messages_dropped
        ),
        (1, 2, 1)
    );
    let filters = rig.disk.keys().filter_map(|key| match key {
        BrokerKey::Subscription(_, filter) => Some(filter.to_string()),
        _ => None,
    });
    assert_eq!(filters.collect::<Vec<_>>(), ["b"]);
    let payloads = rig.disk.keys().filter(|key| matches!(key, BrokerKey::Payload(_)));
    assert_eq!(payloads.count(), 1);
    rig.publish("p", "a", 1, "later");
    rig.commit();
    assert_eq!(rig.sent("s"), NOTHING);
}

#[test]
fn the_host_hears_what_ended_and_whose_messages_were_dropped() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    rig.publish("p", "t", 1, "m");
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::DENY);
    let told = rig.events();
    assert!(
        matches!(&told[..], [
            BrokerEvent::Revoked { client_id, filter },
            BrokerEvent::Dropped { messages: 1, .. },
        ] if client_id == "s" && *filter == *"t"),
        "{told:?}"
    );
}

#[test]
fn subscriptions_of_clients_that_are_away_are_asked_about_too() {
    for (verdict, expected) in [
        (Verdict::ALLOW, vec!["CONNACK present", "PUBLISH q1 #1 t: m"]),
        (Verdict::DENY, vec!["CONNACK present"]),
    ] {
        let mut rig = subscribed(asking(), &["t"]);
        rig.cut("s");
        rig.publish("p", "t", 1, "m");
        rig.broker.policy_changed(rig.now);
        answer(&mut rig, "away: may s subscribe q1 to t?", verdict);
        assert_eq!(rig.connect(lasting("s", Version::V5)), expected);
    }
}

#[test]
fn a_question_is_about_the_session_and_outlives_the_connection() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    let [(question, _)] = questions(&mut rig).try_into().unwrap();
    rig.cut("s");
    rig.publish("p", "t", 1, "m");
    assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK present"]);
    assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
}

#[test]
fn what_was_sent_before_is_sent_again_while_the_rest_waits() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.publish("p", "t", 1, "before");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: before"]);
    rig.broker.policy_changed(rig.now);
    rig.publish("p", "t", 1, "after");
    rig.cut("s");
    assert_eq!(
        rig.connect(lasting("s", Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 dup t: before"]
    );
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::DENY);
    assert_eq!(rig.sent("s"), NOTHING);
    assert_eq!(rig.broker.figures().messages_dropped, 1);
}

#[test]
fn retained_messages_wait_too() {
    let limits = BrokerLimits::default().replay_window(1);
    let mut rig = Rig::new(asking().limits(limits));
    rig.join(fleeting("p", Version::V5));
    for topic in ["r/1", "r/2", "r/3"] {
        rig.retain("p", topic, 1, "kept");
    }
    rig.join(lasting("s", Version::V5));
    rig.subscribe_with("s", &[("r/#", SubscriptionOptions::new(qos(1)))], None);
    answer(&mut rig, "may s subscribe q1 to r/#?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["SUBACK #9 0x01", "PUBLISH q1 #1 retain r/1: kept"]);
    rig.broker.policy_changed(rig.now);
    rig.puback("s", 1);
    rig.run();
    assert_eq!(rig.sent("s"), NOTHING);
    answer(&mut rig, "may s subscribe q1 to r/#?", Verdict::ALLOW);
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #2 retain r/2: kept"]);
    rig.broker.policy_changed(rig.now);
    rig.puback("s", 2);
    assert_eq!(rig.sent("s"), NOTHING);
    answer(&mut rig, "may s subscribe q1 to r/#?", Verdict::DENY);
    assert_eq!(rig.sent("s"), NOTHING);
    assert_eq!(
        rig.broker.figures().messages_dropped,
        0,
        "they wait where they are kept"
    );
}

#[test]
fn one_call_asks_a_few_questions_and_so_many_wait_at_most() {
    let limits = BrokerLimits::default().reviews(5).steps_per_call(4);
    let mut rig = Rig::new(asking().limits(limits));
    for name in ["a", "b", "c"] {
        rig.join(lasting(name, Version::V5));
        for filter in ["1", "2", "3"] {
            subscribe(&mut rig, name, filter);
        }
        rig.cut(name);
    }
    rig.broker.policy_changed(rig.now);
    assert_eq!(questions_so_far(&mut rig), [], "it takes no longer the more there are");
    rig.broker.handle_timeout(rig.now);
    let mut waiting = questions_so_far(&mut rig);
    assert!(waiting.len() <= 4, "{waiting:?}");
    let mut asked = Vec::new();
    loop {
        waiting.extend(questions(&mut rig));
        assert!(waiting.len() <= 5, "{waiting:?}");
        let Some((question, text)) = waiting.pop() else { break };
        assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
        asked.push(text);
    }
    asked.sort();
    let expected = ["a", "b", "c"]
        .iter()
        .flat_map(|name| ["1", "2", "3"].map(|filter| format!("away: may {name} subscribe q1 to {filter}?")));
    assert_eq!(asked, expected.collect::<Vec<_>>());
}

#[test]
fn clients_that_are_connected_are_asked_about_first() {
    let mut rig = Rig::new(asking());
    for name in ["away", "here"] {
        rig.join(lasting(name, Version::V5));
        subscribe(&mut rig, name, "t");
    }
    rig.cut("away");
    rig.broker.policy_changed(rig.now);
    let texts: Vec<String> = questions(&mut rig).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        ["may here subscribe q1 to t?", "away: may away subscribe q1 to t?"]
    );
}

#[test]
fn an_answer_by_a_policy_that_is_over_allows_nothing() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    let [(early, _)] = questions(&mut rig).try_into().unwrap();
    rig.broker.policy_changed(rig.now);
    rig.publish("p", "t", 1, "m");
    let [(late, _)] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, early, Verdict::ALLOW));
    assert_eq!(rig.sent("s"), NOTHING);
    assert!(rig.broker.authorize(rig.now, late, Verdict::DENY));
    assert_eq!(rig.sent("s"), NOTHING);
    assert_eq!(rig.broker.figures().subscriptions, 0);
}

#[test]
fn what_a_client_subscribes_to_meanwhile_counts_as_it_was_answered_then() {
    let mut rig = subscribed(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    let [(early, _)] = questions(&mut rig).try_into().unwrap();
    subscribe(&mut rig, "s", "t");
    rig.publish("p", "t", 1, "m");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
    assert!(rig.broker.authorize(rig.now, early, Verdict::DENY));
    assert_eq!(rig.broker.figures().subscriptions, 1);
}

#[test]
fn one_that_is_given_up_meanwhile_holds_nothing_up() {
    let mut rig = subscribed(asking(), &["a", "b"]);
    rig.broker.policy_changed(rig.now);
    let [_, (b, _)] = questions(&mut rig).try_into().unwrap();
    rig.publish("p", "b", 1, "m");
    assert!(rig.broker.authorize(rig.now, b, Verdict::ALLOW));
    assert_eq!(rig.unsubscribe("s", "a"), ["UNSUBACK #8 0x00", "PUBLISH q1 #1 b: m"]);
}

#[test]
fn an_answer_for_the_connection_is_for_all_of_its_filters() {
    for (verdict, left) in [(Verdict::ALLOW, 3), (Verdict::DENY, 0)] {
        let limits = BrokerLimits::default().reviews(1);
        let mut rig = subscribed(asking().limits(limits), &["a", "b", "c"]);
        rig.broker.policy_changed(rig.now);
        answer(&mut rig, "may s subscribe q1 to a?", verdict.scope(Scope::Connection));
        assert_eq!(questions(&mut rig), []);
        assert_eq!(rig.broker.figures().subscriptions, left);
    }
}

#[test]
fn a_session_that_ends_meanwhile_takes_its_questions_along() {
    let mut rig = subscribed(asking(), &["a", "b"]);
    rig.broker.policy_changed(rig.now);
    let asked = questions(&mut rig);
    rig.cut("s");
    rig.advance(u64::from(LASTING_SECONDS));
    rig.join(lasting("s", Version::V5));
    subscribe(&mut rig, "s", "a");
    for (question, _) in asked {
        assert!(rig.broker.authorize(rig.now, question, Verdict::DENY));
    }
    rig.publish("p", "a", 1, "m");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 a: m"]);
}

#[test]
fn a_restart_asks_about_everything_since_nobody_knows_what_was_said() {
    let config = asking().is_stored(true);
    let mut rig = subscribed(config.clone(), &["t"]);
    rig.publish("p", "t", 1, "m");
    rig.commit();
    rig.restart(config);
    rig.connect(lasting("s", Version::V5));
    rig.commit();
    assert_eq!(rig.sent("s"), ["CONNACK present", "PUBLISH q1 #1 dup t: m"]);
    rig.join(fleeting("p", Version::V5));
    rig.publish("p", "t", 1, "held");
    rig.commit();
    assert_eq!(rig.sent("s"), NOTHING);
    answer(&mut rig, "may s subscribe q1 to t?", Verdict::ALLOW);
    rig.commit();
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #2 t: held"]);
}

#[test]
fn what_a_member_may_not_have_any_more_goes_to_another_one() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("p", Version::V5));
    for name in ["a", "b"] {
        rig.join(lasting(name, Version::V5));
        subscribe(&mut rig, name, "$share/g/t");
    }
    rig.broker.policy_changed(rig.now);
    rig.publish("p", "t", 1, "m");
    let [(of_a, _), (of_b, _)] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, of_a, Verdict::DENY));
    assert_eq!(rig.sent("b"), NOTHING);
    assert!(rig.broker.authorize(rig.now, of_b, Verdict::ALLOW));
    assert_eq!(rig.sent("b"), ["PUBLISH q1 #1 t: m"]);
    assert_eq!(rig.broker.figures().messages_handed_on, 1);
    assert_eq!(rig.broker.figures().messages_dropped, 0);
}

#[test]
fn a_host_that_is_not_asked_changes_nothing() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(Connect {
        ..lasting("s", Version::V5)
    });
    rig.subscribe("s", "t", 1);
    rig.broker.policy_changed(rig.now);
    rig.publish("p", "t", 1, "m");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
    assert_eq!(questions(&mut rig), []);
}

#[test]
fn subscriptions_of_the_host_are_its_own() {
    let mut rig = Rig::new(asking());
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "t", 1, "kept");
    rig.broker.policy_changed(rig.now);
    let subscription = mqtt_session::proto::Subscription {
        filter: mqtt_session::proto::TopicFilter::from_bytes(bytes::Bytes::from_static(b"t")).unwrap(),
        options: SubscriptionOptions::new(qos(1)),
    };
    rig.broker.subscribe_local(rig.now, &subscription).unwrap();
    rig.run();
    rig.publish("p", "t", 0, "m");
    assert_eq!(rig.told(), ["delivered q1 t: kept", "delivered q0 t: m"]);
}
