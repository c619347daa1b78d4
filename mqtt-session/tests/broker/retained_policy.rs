//! A change of the policy: retained messages are asked about again, by the names of their publishers.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mqtt_session::proto::{SubscriptionOptions, Version};
use mqtt_session::{
    Ask, BrokerConfig, BrokerEvent, BrokerKey, BrokerLimits, BrokerRecord, Message, Party, Scope, Verdict,
};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, line, qos, will};

fn asking() -> BrokerConfig {
    config().ask(Ask {
        connect: false,
        publish: true,
        subscribe: false,
    })
}

/// What the host is asked, after as many calls as the broker wants.
fn questions(rig: &mut Rig) -> Vec<(mqtt_session::QuestionId, String)> {
    rig.run();
    let events = rig.events();
    let questions = events.iter().filter_map(|event| match event {
        BrokerEvent::MayPublish { question, .. } => Some((*question, line(event))),
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

/// A message of a client is retained, since the host allows it.
fn retain(rig: &mut Rig, name: &str, topic: &str) {
    rig.retain(name, topic, 1, name);
    answer(rig, &format!("may {name} publish q1 to {topic}?"), Verdict::ALLOW);
    rig.commit();
    assert_eq!(rig.sent(name), ["PUBACK #5"]);
}

/// A client `p` that has had messages retained for these topics.
fn retained(config: BrokerConfig, topics: &[&str]) -> Rig {
    let mut rig = Rig::new(config);
    rig.connect(lasting("p", Version::V5));
    rig.commit();
    rig.sent("p");
    for topic in topics {
        retain(&mut rig, "p", topic);
    }
    rig
}

fn subscribe(rig: &mut Rig, name: &str, filter: &str) -> Vec<String> {
    let sent = rig.subscribe_with(name, &[(filter, SubscriptionOptions::new(qos(0)))], None);
    assert_eq!(sent[0], "SUBACK #9 0x00");
    sent[1..].to_vec()
}

#[test]
fn what_a_client_had_retained_is_asked_about_by_its_name() {
    for is_away in [false, true] {
        for verdict in [Verdict::ALLOW, Verdict::DENY] {
            let mut rig = retained(asking().is_stored(true), &["t"]);
            if is_away {
                rig.cut("p");
            }
            rig.broker.policy_changed(rig.now);
            answer(&mut rig, "may p publish q1 to t, left behind?", verdict);
            assert_eq!(questions(&mut rig), [], "each is asked once");
            rig.commit();
            let kept = u64::from(verdict.is_allowed);
            let figures = rig.broker.figures();
            assert_eq!((figures.retained_messages, figures.retained_revoked), (kept, 1 - kept));
            let of_message = |key: &&BrokerKey| matches!(key, BrokerKey::Retained(_) | BrokerKey::Payload(_));
            assert_eq!(rig.disk.keys().filter(of_message).count() as u64, 2 * kept);
        }
    }
}

#[test]
fn the_host_hears_whose_message_was_dropped() {
    let mut rig = retained(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    answer(&mut rig, "may p publish q1 to t, left behind?", Verdict::DENY);
    let told = rig.events();
    assert!(
        matches!(&told[..], [BrokerEvent::RetainedRevoked { client_id, topic }] if client_id == "p" && *topic == *"t"),
        "{told:?}"
    );
}

#[test]
fn a_retained_message_waits_for_the_answer_before_a_new_subscriber_gets_it() {
    for verdict in [Verdict::ALLOW, Verdict::DENY] {
        let mut rig = retained(asking(), &["a", "b"]);
        rig.broker.policy_changed(rig.now);
        rig.join(fleeting("s", Version::V5));
        assert_eq!(subscribe(&mut rig, "s", "#"), NOTHING);
        let [(of_a, _), (of_b, _)] = questions(&mut rig).try_into().unwrap();
        // In the order of the topics, whatever the order of the answers.
        assert!(rig.broker.authorize(rig.now, of_b, Verdict::ALLOW));
        rig.run();
        assert_eq!(rig.sent("s"), NOTHING);
        assert!(rig.broker.authorize(rig.now, of_a, verdict));
        rig.run();
        let expected: &[&str] = if verdict.is_allowed {
            &["PUBLISH q0 retain a: p", "PUBLISH q0 retain b: p"]
        } else {
            &["PUBLISH q0 retain b: p"]
        };
        assert_eq!(rig.sent("s"), expected);
    }
}

#[test]
fn the_host_waits_for_its_own_answer_too() {
    let mut rig = retained(asking(), &["t"]);
    rig.broker.policy_changed(rig.now);
    let filter = mqtt_session::proto::TopicFilter::from_bytes(Bytes::from_static(b"#")).unwrap();
    let options = SubscriptionOptions::new(qos(0));
    let subscription = mqtt_session::proto::Subscription { filter, options };
    rig.broker.subscribe_local(rig.now, &subscription).unwrap();
    answer(&mut rig, "may p publish q1 to t, left behind?", Verdict::ALLOW);
    rig.run();
    assert_eq!(rig.told(), ["delivered q0 t: p"]);
}

#[test]
fn a_message_that_comes_meanwhile_was_allowed_by_itself() {
    let mut rig = retained(asking(), &["t"]);
    rig.join(fleeting("q", Version::V5));
    rig.broker.policy_changed(rig.now);
    rig.join(fleeting("s", Version::V5));
    assert_eq!(subscribe(&mut rig, "s", "+"), NOTHING);
    let [(early, _)] = questions(&mut rig).try_into().unwrap();
    retain(&mut rig, "q", "t");
    rig.run();
    // It is published, and the one that was there is gone.
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: q"]);
    assert!(rig.broker.authorize(rig.now, early, Verdict::DENY));
    assert_eq!(rig.broker.figures().retained_messages, 1);
    assert_eq!(questions(&mut rig), []);
}

#[test]
fn one_that_is_taken_away_meanwhile_holds_nothing_up() {
    let mut rig = retained(asking(), &["a", "b"]);
    rig.broker.policy_changed(rig.now);
    rig.join(fleeting("s", Version::V5));
    assert_eq!(subscribe(&mut rig, "s", "#"), NOTHING);
    let [(of_a, _), (of_b, _)] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, of_b, Verdict::ALLOW));
    let empty = Message::new("a", "").unwrap().retain(true);
    rig.broker.publish(rig.now, empty);
    rig.run();
    assert_eq!(rig.sent("s"), ["PUBLISH q0 a: ", "PUBLISH q0 retain b: p"]);
    assert!(rig.broker.authorize(rig.now, of_a, Verdict::DENY));
    assert_eq!(rig.broker.figures().retained_revoked, 0);
}

#[test]
fn a_will_that_is_retained_is_its_clients_and_what_the_host_published_is_the_hosts() {
    let mut rig = Rig::new(asking());
    let mut connect = fleeting("c", Version::V5);
    connect.will = will("gone", 0).map(|mut will| {
        will.retain = true;
        will
    });
    rig.join(connect);
    rig.cut("c");
    answer(&mut rig, "may c publish q1 to w, left behind?", Verdict::ALLOW);
    let own = Message::new("own", "m").unwrap().retain(true);
    rig.broker.publish(rig.now, own);
    rig.broker.policy_changed(rig.now);
    answer(&mut rig, "may c publish q1 to w, left behind?", Verdict::DENY);
    assert_eq!(questions(&mut rig), []);
    assert_eq!(rig.broker.figures().retained_messages, 1);
}

#[test]
fn one_call_asks_a_few_questions_and_so_many_wait_at_most() {
    let limits = BrokerLimits::default().reviews(5).steps_per_call(4);
    let topics: Vec<String> = (10..40).map(|number| number.to_string()).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut rig = retained(asking().limits(limits), &names);
    rig.broker.policy_changed(rig.now);
    assert_eq!(rig.events().len(), 0, "it takes no longer the more there are");
    let mut asked = Vec::new();
    let mut waiting = Vec::new();
    loop {
        waiting.extend(questions(&mut rig));
        assert!(waiting.len() <= 5, "{waiting:?}");
        let Some((question, text)) = waiting.pop() else { break };
        assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
        asked.push(text);
    }
    asked.sort();
    let expected = topics
        .iter()
        .map(|topic| format!("may p publish q1 to {topic}, left behind?"));
    assert_eq!(asked, expected.collect::<Vec<_>>());
}

#[test]
fn subscriptions_are_asked_about_first() {
    let mut rig = retained(
        asking().ask(Ask::EVERYTHING).ask(Ask {
            subscribe: true,
            ..asking().ask
        }),
        &["t"],
    );
    rig.subscribe_with("p", &[("x", SubscriptionOptions::new(qos(1)))], None);
    let question = |event: &BrokerEvent| match event {
        BrokerEvent::MaySubscribe { question, .. } | BrokerEvent::MayPublish { question, .. } => Some(*question),
        _ => None,
    };
    let asked = rig.events().iter().find_map(question).unwrap();
    assert!(rig.broker.authorize(rig.now, asked, Verdict::ALLOW));
    rig.broker.policy_changed(rig.now);
    rig.run();
    let events = rig.events();
    let lines: Vec<String> = events
        .iter()
        .filter(|event| question(event).is_some())
        .map(line)
        .collect();
    assert_eq!(
        lines,
        ["may p subscribe q1 to x?", "may p publish q1 to t, left behind?"]
    );
}

#[test]
fn an_answer_by_a_policy_that_is_over_decides_nothing() {
    for verdict in [Verdict::ALLOW, Verdict::DENY] {
        let mut rig = retained(asking(), &["t"]);
        rig.broker.policy_changed(rig.now);
        let [(early, _)] = questions(&mut rig).try_into().unwrap();
        rig.broker.policy_changed(rig.now);
        assert!(rig.broker.authorize(rig.now, early, verdict));
        assert_eq!(rig.broker.figures().retained_messages, 1);
        rig.join(fleeting("s", Version::V5));
        assert_eq!(subscribe(&mut rig, "s", "t"), NOTHING);
        answer(&mut rig, "may p publish q1 to t, left behind?", Verdict::ALLOW);
        rig.run();
        assert_eq!(rig.sent("s"), ["PUBLISH q0 retain t: p"]);
    }
}

#[test]
fn an_answer_for_the_connection_is_for_all_that_its_client_had_retained() {
    for (verdict, left) in [(Verdict::ALLOW, 3), (Verdict::DENY, 0)] {
        let mut rig = retained(asking().limits(BrokerLimits::default().reviews(1)), &["a", "b", "c"]);
        rig.broker.policy_changed(rig.now);
        let verdict = verdict.scope(Scope::Connection);
        answer(&mut rig, "may p publish q1 to a, left behind?", verdict);
        assert_eq!(questions(&mut rig), []);
        assert_eq!(rig.broker.figures().retained_messages, left);
    }
}

#[test]
fn a_broker_that_ends_during_the_review_asks_about_all_that_is_left() {
    let config = asking().is_stored(true);
    let mut rig = retained(config.clone(), &["a", "b", "c"]);
    rig.broker.policy_changed(rig.now);
    let [(of_a, _), (of_b, _), _] = questions(&mut rig).try_into().unwrap();
    assert!(rig.broker.authorize(rig.now, of_a, Verdict::DENY));
    rig.commit();
    // Not stored any more.
    assert!(rig.broker.authorize(rig.now, of_b, Verdict::DENY));
    assert_eq!(rig.restart(config).retained, 2);
    rig.join(fleeting("s", Version::V5));
    assert_eq!(subscribe(&mut rig, "s", "#"), NOTHING);
    let [(of_b, b), (of_c, c)] = questions(&mut rig).try_into().unwrap();
    assert_eq!(b, "may p publish q1 to b, left behind?");
    assert_eq!(c, "may p publish q1 to c, left behind?");
    assert!(rig.broker.authorize(rig.now, of_b, Verdict::DENY));
    assert!(rig.broker.authorize(rig.now, of_c, Verdict::ALLOW));
    rig.run();
    assert_eq!(rig.sent("s"), ["PUBLISH q0 retain c: p"]);
}

#[test]
fn a_record_without_a_publisher_is_kept_and_not_asked_about() {
    let config = asking().is_stored(true);
    let mut rig = retained(config.clone(), &["t"]);
    for record in rig.disk.values_mut() {
        if let BrokerRecord::Retained { publisher, .. } = record {
            assert_eq!(publisher.take(), Party::new(b"p", None));
        }
    }
    assert_eq!(rig.restart(config).retained, 1);
    rig.broker.policy_changed(rig.now);
    assert_eq!(questions(&mut rig), []);
    rig.join(fleeting("s", Version::V5));
    assert_eq!(subscribe(&mut rig, "s", "t"), ["PUBLISH q0 retain t: p"]);
}

#[test]
fn a_host_that_is_not_asked_changes_nothing() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "t", 0, "m");
    rig.broker.policy_changed(rig.now);
    assert_eq!(questions(&mut rig), []);
    rig.join(fleeting("s", Version::V5));
    assert_eq!(subscribe(&mut rig, "s", "t"), ["PUBLISH q0 retain t: m"]);
}

const PUBLISHERS: [&str; 3] = ["a", "b", "c"];

/// A host that changes its mind, answers late and in any order, and what it has told and was told.
struct Host {
    rig: Rig,
    random: u64,
    denied: BTreeSet<&'static str>,
    waiting: Vec<(mqtt_session::QuestionId, String)>,
    /// What is retained, by topic.
    kept: BTreeMap<String, String>,
    joined: u32,
    replayed: u32,
}

impl Host {
    fn place(&mut self, most: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.random >> 33).unwrap() % most
    }

    fn hear(&mut self) {
        for event in self.rig.events() {
            match event {
                BrokerEvent::MayPublish {
                    question, client_id, ..
                } => {
                    let name = String::from_utf8(client_id.to_vec()).unwrap();
                    self.waiting.push((question, name));
                }
                BrokerEvent::RetainedRevoked { client_id, topic } => {
                    let gone = self.kept.remove(&topic.to_string());
                    assert_eq!(gone.map(Bytes::from), Some(client_id), "{topic}");
                }
                _ => {}
            }
        }
    }

    fn answer_one(&mut self) {
        if !self.waiting.is_empty() {
            let place = self.place(self.waiting.len());
            let (question, name) = self.waiting.swap_remove(place);
            let is_allowed = !self.denied.contains(name.as_str());
            let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
            self.rig.broker.authorize(self.rig.now, question, verdict);
            self.hear();
        }
    }

    /// Publishes for a client whose question is answered at once.
    fn publish(&mut self) {
        let (name, topic) = (PUBLISHERS[self.place(3)], format!("t/{}", self.place(5)));
        self.rig.retain(name, &topic, 0, name);
        let before = self.waiting.len();
        self.hear();
        let own = self.waiting.pop().filter(|_| self.waiting.len() == before).unwrap();
        let is_allowed = !self.denied.contains(name);
        let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
        assert!(self.rig.broker.authorize(self.rig.now, own.0, verdict));
        if is_allowed {
            self.kept.insert(topic, name.to_owned());
        }
        self.hear();
    }

    fn change(&mut self) {
        // What was taken from where it is kept is on its way, as what was published is.
        if self.joined > 0 {
            for line in self.rig.sent("s") {
                self.check(&line);
            }
        }
        let name = PUBLISHERS[self.place(3)];
        if !self.denied.remove(name) {
            self.denied.insert(name);
        }
        self.rig.broker.policy_changed(self.rig.now);
    }

    /// What a subscriber gets of what is retained is what its publisher may have there at this moment.
    fn look(&mut self) {
        if self.joined == 0 || self.place(4) == 0 {
            self.joined += 1;
            self.rig.join(fleeting("s", Version::V5));
            subscribe(&mut self.rig, "s", "none");
            self.rig
                .subscribe_with("s", &[("t/+", SubscriptionOptions::new(qos(0)))], None)
                .into_iter()
                .for_each(|line| self.check(&line));
        }
        for line in self.rig.sent("s") {
            self.check(&line);
        }
    }

    fn check(&mut self, line: &str) {
        if let Some((_, publisher)) = line.split_once("retain ").and_then(|(_, rest)| rest.split_once(": ")) {
            self.replayed += 1;
            assert!(!self.denied.contains(publisher), "{line}, although it is denied");
        }
    }
}

#[test]
fn whatever_happens_nobody_gets_a_retained_message_that_is_denied() {
    let (mut replayed, mut revoked) = (0, 0);
    for seed in 0..300 {
        let limits = BrokerLimits::default().reviews(2).steps_per_call(2).replay_window(2);
        let mut rig = Rig::new(asking().limits(limits));
        for name in PUBLISHERS {
            rig.join(fleeting(name, Version::V5));
        }
        let mut host = Host {
            rig,
            random: seed,
            denied: BTreeSet::new(),
            waiting: Vec::new(),
            kept: BTreeMap::new(),
            joined: 0,
            replayed: 0,
        };
        for _ in 0..60 {
            match host.place(8) {
                0..=2 => host.publish(),
                3 => host.change(),
                4 => host.answer_one(),
                5 => host.rig.broker.handle_timeout(host.rig.now),
                _ => host.look(),
            }
            host.hear();
        }
        // The host answers all, and everything comes to rest.
        host.rig.run();
        host.hear();
        while !host.waiting.is_empty() {
            host.answer_one();
            host.rig.run();
            host.hear();
        }
        assert!(
            host.kept.values().all(|name| !host.denied.contains(name.as_str())),
            "seed {seed}"
        );
        let figures = host.rig.broker.figures();
        assert_eq!(figures.retained_messages, host.kept.len() as u64, "seed {seed}");
        // Nothing that is allowed is held back.
        host.rig.join(fleeting("last", Version::V5));
        assert_eq!(
            subscribe(&mut host.rig, "last", "t/+").len(),
            host.kept.len(),
            "seed {seed}"
        );
        replayed += host.replayed;
        revoked += figures.retained_revoked;
    }
    assert!(
        replayed > 300 && revoked > 100,
        "{replayed} replayed, {revoked} revoked"
    );
}
