//! Several machines that are one broker.

use std::collections::VecDeque;

use bytes::Bytes;
use mqtt_session::proto::{Connect, SubscriptionOptions, Version, Will};
use mqtt_session::{
    Ask, BrokerConfig, BrokerEvent, BrokerKey, BrokerLimits, BrokerRecord, PeerMessage, ShardId, Shards, Verdict,
};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, line, qos, will};

pub(crate) const COUNT: u16 = 3;

/// The machines, and what is on its way between each two of them.
pub(crate) struct Cluster {
    pub(crate) rigs: Vec<Rig>,
    pub(crate) between: [[VecDeque<PeerMessage>; COUNT as usize]; COUNT as usize],
}

impl Cluster {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        let rig = |own| Rig::new(config.clone().shards(Shards::new(own, COUNT).unwrap()));
        let mut cluster = Self {
            rigs: (0..COUNT).map(rig).collect(),
            between: Default::default(),
        };
        cluster.settle();
        cluster
    }

    /// The machine that has the session of a client.
    pub(crate) fn of(&mut self, name: &str) -> &mut Rig {
        &mut self.rigs[place(name)]
    }

    pub(crate) fn join(&mut self, connect: Connect<Bytes>) {
        let name = String::from_utf8(connect.client_id.as_bytes().to_vec()).unwrap();
        self.of(&name).join(connect);
    }

    /// Takes what the machines have to say.
    pub(crate) fn collect(&mut self) {
        for (from, rig) in self.rigs.iter_mut().enumerate() {
            while let Some((to, message)) = rig.broker.poll_peer() {
                self.between[from][usize::from(to.0)].push_back(message);
            }
        }
    }

    /// All that one machine has said to another arrives. Whether there was something.
    pub(crate) fn carry(&mut self, from: usize, to: usize) -> bool {
        self.collect();
        let mut any = false;
        while let Some(message) = self.between[from][to].pop_front() {
            let (rig, from) = (&mut self.rigs[to], ShardId(u16::try_from(from).unwrap()));
            rig.broker.handle_peer(rig.now, from, message);
            any = true;
        }
        any
    }

    /// Everything arrives, and the stores have everything.
    pub(crate) fn settle(&mut self) {
        let mut moves = true;
        while moves {
            moves = false;
            for from in 0..usize::from(COUNT) {
                self.rigs[from].commit();
                for to in 0..usize::from(COUNT) {
                    moves |= self.carry(from, to);
                }
            }
        }
    }
}

/// The machines are asked about messages, and this publisher on the first one has had one retained on the second one.
fn retained_elsewhere(config: &BrokerConfig) -> (Cluster, String, String) {
    let ask = Ask {
        publish: true,
        ..Ask::default()
    };
    let mut cluster = Cluster::new(&config.clone().ask(ask));
    let (publisher, topic) = (named(0, "p"), named(1, "t/"));
    cluster.of(&publisher).connect(lasting(&publisher, Version::V5));
    cluster.settle();
    cluster.of(&publisher).sent(&publisher);
    cluster.of(&publisher).retain(&publisher, &topic, 2, "m");
    answer(&mut cluster.rigs[0], &["may publish"], Verdict::ALLOW);
    (cluster, publisher, topic)
}

/// Answers what a machine asks, which is so much.
fn answer(rig: &mut Rig, expected: &[&str], verdict: Verdict) {
    rig.run();
    let mut lines = Vec::new();
    for event in rig.events() {
        if let BrokerEvent::MayPublish { question, .. } = event {
            let line = line(&event);
            let is_left = line.ends_with(", left behind?");
            lines.push(if is_left { "may it stay" } else { "may publish" });
            assert!(rig.broker.authorize(rig.now, question, verdict));
        }
    }
    assert_eq!(lines, expected);
}

#[test]
fn a_message_that_was_allowed_before_a_change_is_asked_about_where_it_arrives_after_it() {
    for (changes_first, expected) in [(false, &["may it stay"][..]), (true, &[])] {
        let (mut cluster, _, _) = retained_elsewhere(&config());
        if changes_first {
            cluster.settle();
            cluster
                .rigs
                .iter_mut()
                .for_each(|rig| rig.broker.policy_changed(rig.now));
            cluster.settle();
            answer(&mut cluster.rigs[1], &["may it stay"], Verdict::ALLOW);
        } else {
            // It is on its way.
            cluster.collect();
            cluster
                .rigs
                .iter_mut()
                .for_each(|rig| rig.broker.policy_changed(rig.now));
            cluster.rigs[1].run();
            cluster.settle();
        }
        answer(&mut cluster.rigs[1], expected, Verdict::DENY);
        answer(&mut cluster.rigs[0], &[], Verdict::DENY);
        let figures = cluster.rigs[1].broker.figures();
        assert_eq!(figures.retained_revoked, u64::from(!changes_first));
    }
}

#[test]
fn a_replay_waits_for_what_the_host_says_where_the_message_is_kept() {
    for verdict in [Verdict::ALLOW, Verdict::DENY] {
        let (mut cluster, _, topic) = retained_elsewhere(&config());
        cluster.settle();
        cluster
            .rigs
            .iter_mut()
            .for_each(|rig| rig.broker.policy_changed(rig.now));
        cluster.settle();
        let subscriber = named(2, "s");
        cluster.join(fleeting(&subscriber, Version::V5));
        cluster.of(&subscriber).subscribe(&subscriber, "t/+", 0);
        cluster.settle();
        assert_eq!(cluster.of(&subscriber).sent(&subscriber), NOTHING);
        cluster.settle();
        answer(&mut cluster.rigs[1], &["may it stay"], verdict);
        cluster.settle();
        cluster.of(&subscriber).run();
        let expected = format!("PUBLISH q0 retain {topic}: m");
        let sent = cluster.of(&subscriber).sent(&subscriber);
        assert_eq!(sent, if verdict.is_allowed { vec![expected] } else { vec![] });
    }
}

#[test]
fn a_message_of_an_earlier_life_still_has_its_publisher_when_it_arrives() {
    let config = config().is_stored(true);
    let (mut cluster, publisher, _) = retained_elsewhere(&config);
    cluster.rigs[0].commit();
    let config = config.ask(Ask {
        publish: true,
        ..Ask::default()
    });
    for (own, rig) in (0..).zip(&mut cluster.rigs) {
        rig.restart(config.clone().shards(Shards::new(own, COUNT).unwrap()));
    }
    cluster.between = Default::default();
    cluster.settle();
    let rig = &mut cluster.rigs[1];
    rig.run();
    let asked: Vec<String> = rig.events().iter().map(line).collect();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert!(
        asked.starts_with(&format!("may {publisher} publish q2 to t/")),
        "{asked}"
    );
}

#[test]
fn a_retained_page_that_was_asked_for_before_a_change_is_asked_for_again_after_it() {
    for verdict in [Verdict::ALLOW, Verdict::DENY] {
        let (mut cluster, _, topic) = retained_elsewhere(&config());
        cluster.settle();
        let subscriber = named(2, "s");
        cluster.join(fleeting(&subscriber, Version::V5));
        cluster.of(&subscriber).subscribe(&subscriber, "t/+", 0);
        // Both machines before it have answered nothing, and then the one that keeps the message answers too early.
        for (from, to) in [(2, 0), (0, 2)] {
            cluster.carry(from, to);
        }
        cluster.of(&subscriber).run();
        cluster.of(&subscriber).sent(&subscriber);
        cluster.carry(2, 1);
        cluster.collect();
        cluster
            .rigs
            .iter_mut()
            .for_each(|rig| rig.broker.policy_changed(rig.now));
        cluster.settle();
        assert_eq!(cluster.of(&subscriber).sent(&subscriber), NOTHING);
        cluster.of(&subscriber).run();
        cluster.settle();
        answer(&mut cluster.rigs[1], &["may it stay"], verdict);
        cluster.settle();
        cluster.of(&subscriber).run();
        let expected = format!("PUBLISH q0 retain {topic}: m");
        let sent = cluster.of(&subscriber).sent(&subscriber);
        assert_eq!(sent, if verdict.is_allowed { vec![expected] } else { vec![] });
    }
}

/// A message of QoS 2 goes from the first machine to a subscriber on the second one, and another after a restart in which
/// the records of one kind could not be read on one machine.
fn forwarded_after_damage(machine: usize, is_damaged: impl Fn(&BrokerKey) -> bool) -> Vec<String> {
    let config = config().is_stored(true);
    let mut cluster = Cluster::new(&config);
    let (publisher, subscriber) = (named(0, "p"), named(1, "s"));
    for name in [&publisher, &subscriber] {
        cluster.of(name).connect(lasting(name, Version::V5));
    }
    cluster.settle();
    cluster.of(&subscriber).sent(&subscriber);
    let options = SubscriptionOptions::new(qos(2));
    cluster
        .of(&subscriber)
        .subscribe_with(&subscriber, &[("t", options)], None);
    cluster.settle();
    cluster.of(&publisher).publish(&publisher, "t", 2, "m");
    cluster.settle();
    cluster.of(&publisher).pubrel(&publisher, 5);
    cluster.settle();
    for (own, rig) in (0..).zip(&mut cluster.rigs) {
        let keys = rig
            .disk
            .keys()
            .filter(|key| usize::from(own) == machine && is_damaged(key));
        let damaged: Vec<BrokerKey> = keys.cloned().collect();
        assert_eq!(damaged.is_empty(), usize::from(own) != machine);
        rig.restart_damaged(config.clone().shards(Shards::new(own, COUNT).unwrap()), &damaged);
    }
    cluster.between = Default::default();
    cluster.settle();
    for name in [&publisher, &subscriber] {
        cluster.of(name).connect(lasting(name, Version::V5));
    }
    cluster.settle();
    cluster.of(&publisher).publish(&publisher, "t", 2, "n");
    cluster.settle();
    cluster.of(&subscriber).sent(&subscriber)
}

#[test]
fn a_machine_that_lost_its_numbers_is_told_by_the_others_which_are_taken() {
    let expected = ["CONNACK present", "PUBLISH q2 #1 t: m", "PUBLISH q2 #2 t: n"];
    let sent = forwarded_after_damage(0, |key| *key == BrokerKey::Broker);
    assert_eq!(
        sent.iter().map(|line| line.replace(" dup", "")).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_machine_that_lost_how_far_it_is_with_another_takes_what_comes() {
    let sent = forwarded_after_damage(1, |key| matches!(key, BrokerKey::Shard(_)));
    assert!(sent.last().is_some_and(|line| line.ends_with("t: n")), "{sent:?}");
}

#[test]
fn a_message_on_its_way_comes_although_a_session_that_is_damaged_leaves_a_will() {
    let config = config().is_stored(true);
    let mut cluster = Cluster::new(&config);
    let (publisher, leaver, subscriber) = (named(0, "p"), named(0, "l"), named(1, "s"));
    let connects = [
        lasting(&publisher, Version::V5),
        Connect {
            will: will("gone", 20),
            ..lasting(&leaver, Version::V5)
        },
        lasting(&subscriber, Version::V5),
    ];
    for (name, connect) in [&publisher, &leaver, &subscriber].into_iter().zip(connects) {
        cluster.of(name).connect(connect);
        cluster.settle();
        cluster.of(name).sent(name);
    }
    let options = SubscriptionOptions::new(qos(2));
    cluster
        .of(&subscriber)
        .subscribe_with(&subscriber, &[("+", options)], None);
    cluster.of(&leaver).cut(&leaver);
    cluster.settle();
    cluster.of(&publisher).publish(&publisher, "t", 2, "m");
    // It is stored, and the others have heard nothing of it when all end.
    cluster.rigs[0].commit();
    cluster.between = Default::default();
    for (own, rig) in (0..).zip(&mut cluster.rigs) {
        let is_leaver = |record: &BrokerRecord| match record {
            BrokerRecord::Client(client) => (client.who.client_id() == leaver.as_bytes()).then_some(client.session),
            _ => None,
        };
        let session = rig.disk.values().find_map(is_leaver);
        let key = session.map(|session| BrokerKey::Session(session, mqtt_session::Key::Session));
        let damaged: Vec<BrokerKey> = key.into_iter().collect();
        assert_eq!(damaged.len(), usize::from(own == 0));
        rig.restart_damaged(config.clone().shards(Shards::new(own, COUNT).unwrap()), &damaged);
    }
    cluster.settle();
    cluster.of(&subscriber).connect(lasting(&subscriber, Version::V5));
    cluster.settle();
    let sent = cluster.of(&subscriber).sent(&subscriber);
    let has = |end: &str| sent.iter().any(|line| line.ends_with(end));
    assert!(has("t: m") && has("w: gone"), "{sent:?}");
}

pub(crate) fn place(name: &str) -> usize {
    usize::from(Shards::new(0, COUNT).unwrap().of_client(name.as_bytes()).0)
}

/// A name that belongs to a machine.
pub(crate) fn named(shard: usize, prefix: &str) -> String {
    let mut names = (0..).map(|number| format!("{prefix}{number}"));
    names.find(|name| place(name) == shard).unwrap()
}

#[test]
fn a_message_reaches_the_clients_of_all_machines_once() {
    let mut cluster = Cluster::new(&config());
    let names: Vec<String> = (0..3).map(|shard| named(shard, "s")).collect();
    for name in &names {
        cluster.join(fleeting(name, Version::V5));
        cluster.of(name).subscribe(name, "t/+", 0);
    }
    let publisher = named(1, "p");
    cluster.join(fleeting(&publisher, Version::V5));
    cluster.of(&publisher).publish(&publisher, "t/x", 0, "m");
    cluster.settle();
    for name in &names {
        assert_eq!(cluster.of(name).sent(name), ["PUBLISH q0 t/x: m"]);
    }
}

#[test]
fn an_acknowledgement_waits_until_the_stores_of_all_machines_have_the_copies() {
    let mut cluster = Cluster::new(&config().is_stored(true));
    let (publisher, subscriber) = (named(0, "p"), named(1, "s"));
    cluster.of(&subscriber).connect(lasting(&subscriber, Version::V5));
    cluster.settle();
    cluster.of(&subscriber).sent(&subscriber);
    cluster
        .of(&subscriber)
        .subscribe_with(&subscriber, &[("t", SubscriptionOptions::new(qos(1)))], None);
    cluster.settle();
    cluster.of(&subscriber).sent(&subscriber);
    cluster.join(fleeting(&publisher, Version::V5));
    cluster.of(&publisher).publish(&publisher, "t", 1, "m");
    cluster.carry(0, 1);
    cluster.carry(0, 2);
    cluster.carry(1, 0);
    cluster.carry(2, 0);
    assert_eq!(
        cluster.of(&publisher).sent(&publisher),
        NOTHING,
        "the copy is not stored"
    );
    cluster.rigs[1].commit();
    cluster.carry(1, 0);
    assert_eq!(cluster.of(&publisher).sent(&publisher), ["PUBACK #5"]);
}

/// What may be lost is not written down for the other machines.
#[test]
fn a_will_is_stored_for_the_other_machines_if_it_has_to_arrive() {
    for level in [0, 1, 2] {
        let mut cluster = Cluster::new(&config().is_stored(true));
        let (gone, subscriber) = (named(0, "p"), named(1, "s"));
        cluster.of(&subscriber).connect(lasting(&subscriber, Version::V5));
        cluster.settle();
        let options = SubscriptionOptions::new(qos(2));
        cluster
            .of(&subscriber)
            .subscribe_with(&subscriber, &[("w", options)], None);
        cluster.settle();
        cluster.of(&subscriber).sent(&subscriber);
        let will = will("gone", 0).map(|will| Will {
            qos: qos(level),
            ..will
        });
        cluster.join(Connect {
            will,
            ..fleeting(&gone, Version::V5)
        });
        cluster.of(&gone).cut(&gone);
        cluster.of(&gone).commit();
        let is_stored = cluster
            .of(&gone)
            .disk
            .keys()
            .any(|key| matches!(key, BrokerKey::Forward(_)));
        assert_eq!(is_stored, level > 0, "QoS {level}");
        cluster.settle();
        let came = cluster.of(&subscriber).sent(&subscriber);
        assert!(came.len() == 1 && came[0].ends_with(" w: gone"), "{came:?}");
    }
}

#[test]
fn retained_messages_of_all_machines_are_replayed() {
    let limits = BrokerLimits::default().replay_window(2);
    let mut cluster = Cluster::new(&config().limits(limits));
    let (publisher, subscriber) = (named(0, "p"), named(2, "s"));
    cluster.join(fleeting(&publisher, Version::V5));
    cluster.join(fleeting(&subscriber, Version::V5));
    let topics: Vec<String> = (0..20).map(|number| format!("r/{number}")).collect();
    for topic in &topics {
        cluster.of(&publisher).retain(&publisher, topic, 0, topic);
    }
    cluster.settle();
    let kept = |rig: &Rig| rig.broker.figures().retained_messages;
    assert_eq!(cluster.rigs.iter().map(kept).sum::<u64>(), 20, "each is kept by one");
    assert!(cluster.rigs.iter().all(|rig| kept(rig) > 0));
    cluster.of(&subscriber).subscribe(&subscriber, "r/#", 0);
    let mut got = Vec::new();
    for _ in 0..40 {
        got.append(&mut cluster.of(&subscriber).sent(&subscriber));
        cluster.settle();
    }
    got.sort();
    let mut wanted: Vec<String> = topics
        .iter()
        .map(|topic| format!("PUBLISH q0 retain {topic}: {topic}"))
        .collect();
    wanted.sort();
    assert_eq!(got, wanted);
}

#[test]
fn a_retained_message_that_came_before_a_subscription_is_in_its_replay_however_late_it_is_elsewhere() {
    // The topic is kept by the third machine, which hears of the message last.
    let (publisher, subscriber) = (named(0, "p"), named(1, "s"));
    let topic = (0..)
        .map(|number| format!("r/{number}"))
        .find(|topic| place(topic) == 2)
        .unwrap();
    let mut cluster = Cluster::new(&config());
    cluster.join(fleeting(&publisher, Version::V5));
    cluster.join(fleeting(&subscriber, Version::V5));
    cluster.of(&publisher).retain(&publisher, &topic, 0, "m");
    cluster.carry(0, 1);
    cluster.of(&subscriber).subscribe(&subscriber, "r/#", 0);
    for _ in 0..3 {
        assert_eq!(cluster.of(&subscriber).sent(&subscriber), NOTHING);
        cluster.rigs[1].run();
        for (from, to) in [(1, 0), (0, 1), (1, 2), (2, 1)] {
            if (from, to) != (0, 2) {
                cluster.carry(from, to);
            }
        }
    }
    cluster.carry(0, 2);
    cluster.settle();
    assert_eq!(
        cluster.of(&subscriber).sent(&subscriber),
        [format!("PUBLISH q0 retain {topic}: m")]
    );
}

#[test]
fn each_member_of_a_group_on_several_machines_has_its_turn() {
    let mut cluster = Cluster::new(&config());
    let members = [named(0, "a"), named(0, "b"), named(1, "c")];
    for name in &members {
        cluster.join(fleeting(name, Version::V5));
        cluster
            .of(name)
            .subscribe_with(name, &[("$share/g/t", SubscriptionOptions::new(qos(0)))], None);
        cluster.settle();
        assert_eq!(
            cluster.of(name).sent(name),
            ["SUBACK #9 0x00"],
            "said when all know of it"
        );
    }
    let publisher = named(2, "p");
    cluster.join(fleeting(&publisher, Version::V5));
    for _ in 0..9 {
        cluster.of(&publisher).publish(&publisher, "t", 0, "m");
    }
    cluster.settle();
    for name in &members {
        assert_eq!(cluster.of(name).sent(name).len(), 3);
    }
    assert_eq!(
        cluster.rigs[2].broker.figures().subscriptions,
        0,
        "they are others' subscriptions"
    );
}

#[test]
fn a_member_that_asks_again_on_another_connection_is_answered_when_all_machines_know_of_it() {
    let mut cluster = Cluster::new(&config());
    let name = named(0, "s");
    let options = SubscriptionOptions::new(qos(1));
    for _ in 0..2 {
        cluster.of(&name).connect(lasting(&name, Version::V5));
        let sent = cluster
            .of(&name)
            .subscribe_with(&name, &[("$share/g/t", options)], None);
        assert!(sent.iter().all(|line| !line.contains("SUBACK")), "{sent:?}");
        cluster.of(&name).cut(&name);
    }
    cluster.of(&name).connect(lasting(&name, Version::V5));
    cluster
        .of(&name)
        .subscribe_with(&name, &[("$share/g/t", options)], None);
    cluster.settle();
    assert_eq!(cluster.of(&name).sent(&name), ["SUBACK #9 0x01"]);
}

/// Nobody of the group is connected: only the machine that has a session for it is asked to give it the message.
#[test]
fn all_machines_know_that_the_session_of_a_member_has_ended() {
    let mut cluster = Cluster::new(&config());
    let (leaving, staying, publisher) = (named(0, "a"), named(1, "b"), named(2, "p"));
    cluster.join(fleeting(&leaving, Version::V5));
    cluster.join(lasting(&staying, Version::V5));
    cluster.join(fleeting(&publisher, Version::V5));
    for name in [&leaving, &staying] {
        cluster
            .of(name)
            .subscribe_with(name, &[("$share/g/t", SubscriptionOptions::new(qos(1)))], None);
        cluster.settle();
        cluster.of(name).cut(name);
        cluster.settle();
    }
    for _ in 0..6 {
        cluster.of(&publisher).publish(&publisher, "t", 1, "m");
    }
    cluster.collect();
    let asked = cluster.between[2].each_ref().map(|messages| {
        let asks = messages
            .iter()
            .filter(|message| format!("{message:?}").contains("$share/g/t"));
        asks.count()
    });
    assert_eq!(asked, [0, 6, 0]);
}

#[test]
fn a_message_for_a_group_whose_members_have_left_its_machine_goes_to_another_one() {
    let mut cluster = Cluster::new(&config());
    let (leaving, staying, publisher) = (named(0, "a"), named(1, "b"), named(2, "p"));
    for name in [&leaving, &staying, &publisher] {
        cluster.join(fleeting(name, Version::V5));
    }
    for name in [&leaving, &staying] {
        cluster
            .of(name)
            .subscribe_with(name, &[("$share/g/t", SubscriptionOptions::new(qos(1)))], None);
        cluster.settle();
        cluster.of(name).sent(name);
    }
    // Two messages: one for each machine. One of the members leaves before its message arrives.
    for payload in ["m", "n"] {
        cluster.of(&publisher).publish(&publisher, "t", 1, payload);
    }
    cluster.collect();
    cluster.of(&leaving).unsubscribe(&leaving, "$share/g/t");
    cluster.settle();
    let mut got = cluster.of(&staying).sent(&staying);
    got.sort();
    assert_eq!(got, ["PUBLISH q1 #1 t: m", "PUBLISH q1 #2 t: n"]);
    assert_eq!(cluster.of(&publisher).sent(&publisher), ["PUBACK #5", "PUBACK #5"]);
}

#[test]
fn a_message_that_a_session_hands_on_before_a_restart_comes_once() {
    let config = config().is_stored(true);
    let mut cluster = Cluster::new(&config);
    let (publisher, leaving, staying) = (named(0, "p"), named(1, "a"), named(1, "b"));
    for connect in [lasting(&staying, Version::V5), fleeting(&leaving, Version::V5)] {
        let name = String::from_utf8(connect.client_id.as_bytes().to_vec()).unwrap();
        cluster.of(&name).connect(connect);
        cluster.settle();
        let options = SubscriptionOptions::new(qos(2));
        cluster
            .of(&name)
            .subscribe_with(&name, &[("$share/g/t", options)], None);
        cluster.settle();
        cluster.of(&name).sent(&name);
    }
    cluster.of(&publisher).connect(lasting(&publisher, Version::V5));
    cluster.of(&staying).cut(&staying);
    cluster.settle();
    // The member that is not stored gets the message, and its session ends. The machine of the publisher does not hear of it.
    cluster.of(&publisher).publish(&publisher, "t", 2, "m");
    cluster.rigs[0].commit();
    assert!(cluster.carry(0, 1));
    cluster.of(&leaving).cut(&leaving);
    cluster.rigs[1].run();
    cluster.rigs[1].commit();
    assert_eq!(cluster.rigs[1].broker.figures().messages_handed_on, 1);
    for (own, rig) in (0..).zip(&mut cluster.rigs) {
        rig.restart(config.clone().shards(Shards::new(own, COUNT).unwrap()));
    }
    cluster.between = Default::default();
    cluster.settle();
    cluster.of(&staying).connect(lasting(&staying, Version::V5));
    cluster.settle();
    let got = cluster.of(&staying).sent(&staying);
    assert_eq!(got, ["CONNACK present", "PUBLISH q2 #1 t: m"]);
}

#[test]
fn a_client_of_another_machine_is_refused_and_counted() {
    let mut cluster = Cluster::new(&config());
    let name = named(1, "c");
    let told = cluster.rigs[0].connect(fleeting(&name, Version::V5));
    assert_eq!(told, ["CONNACK 0x83"]);
    assert_eq!(cluster.rigs[0].broker.figures().clients_misdirected, 1);
}

#[test]
fn nothing_is_read_while_too_much_waits_for_other_machines() {
    let limits = BrokerLimits::default().peer_messages(4);
    let mut cluster = Cluster::new(&config().limits(limits));
    let publisher = named(0, "p");
    cluster.join(fleeting(&publisher, Version::V5));
    let rig = &mut cluster.rigs[0];
    rig.publish(&publisher, "t", 0, "m");
    assert!(rig.broker.input_room(rig.id(&publisher)) > 0);
    rig.publish(&publisher, "t", 0, "m");
    assert_eq!(rig.broker.input_room(rig.id(&publisher)), 0);
    assert!(rig.broker.figures().peer_messages_waiting >= 4);
    cluster.settle();
    let rig = &cluster.rigs[0];
    assert!(rig.broker.input_room(rig.id(&publisher)) > 0);
    assert_eq!(rig.broker.figures().peer_messages_waiting, 0);
}

#[test]
fn nothing_is_taken_from_clients_before_all_machines_are_there() {
    let shards = |own| config().shards(Shards::new(own, 2).unwrap());
    let (mut rig, mut other) = (Rig::new(shards(0)), Rig::new(shards(1)));
    let name = (0..).map(|number| format!("c{number}"));
    let mut name = name.filter(|name| Shards::new(0, 2).unwrap().of_client(name.as_bytes()).0 == 0);
    let name = name.next().unwrap();
    let id = rig.open(&name, Version::V3_1_1);
    let connect = [&b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x02"[..], name.as_bytes()].concat();
    assert_eq!(rig.feed_bytes(&name, &connect), connect.len());
    assert_eq!(rig.broker.input_room(id), 0);
    while rig.broker.poll_ready().is_some() {}
    let (to, message) = other.broker.poll_peer().unwrap();
    assert_eq!(to, ShardId(0));
    rig.broker.handle_peer(rig.now, ShardId(1), message);
    assert_eq!(rig.broker.poll_ready(), Some(id), "the driver hears that there is room");
    assert!(rig.broker.input_room(id) > 0);
    assert_eq!(rig.feed_bytes(&name, &connect), 0);
}

#[test]
fn a_machine_that_is_alone_says_nothing() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "t", 1, "m");
    assert!(rig.broker.poll_peer().is_none());
    let publish = PeerMessage::Done { upto: 7 };
    rig.broker.handle_peer(rig.now, ShardId(1), publish);
    assert!(rig.broker.poll_peer().is_none());
}
