//! Retained messages and replays between several machines: what a subscriber has got as published is not sent again.

use mqtt_session::proto::SubscriptionOptions;
use mqtt_session::{BrokerConfig, BrokerKey, Shards};

use super::retained_anew::{self, narrow};
use super::rig::{config, qos};
use super::shards::{COUNT, Cluster, named, place};

const OPTIONS: fn() -> SubscriptionOptions = || SubscriptionOptions::new(qos(2));

/// A topic that a machine keeps.
fn kept_by(shard: usize, prefix: &str) -> String {
    let mut topics = (0..).map(|number| format!("r/{prefix}{number}"));
    topics.find(|topic| place(topic) == shard).unwrap()
}

/// One after the other is published on one machine and is where it has to be.
fn publish(cluster: &mut Cluster, publisher: &str, topic: &str, payload: &str) {
    cluster.of(publisher).retain(publisher, topic, 2, payload);
    cluster.settle();
    cluster.of(publisher).pubrel(publisher, 5);
    cluster.settle();
    cluster.of(publisher).sent(publisher);
}

fn come(cluster: &mut Cluster, name: &str) {
    retained_anew::come(cluster.of(name), name);
    cluster.settle();
}

/// All that a client gets, while everything arrives.
fn drain(cluster: &mut Cluster, name: &str) -> Vec<String> {
    let mut came = Vec::new();
    for _ in 0..20 {
        came.append(&mut retained_anew::drain(cluster.of(name), name));
        cluster.settle();
    }
    came.sort();
    came
}

fn restart(cluster: &mut Cluster, config: &BrokerConfig, is_damaged: impl Fn(usize, &BrokerKey) -> bool) {
    for (own, rig) in (0..).zip(&mut cluster.rigs) {
        let keys = rig.disk.keys().filter(|key| is_damaged(usize::from(own), key));
        let damaged: Vec<BrokerKey> = keys.cloned().collect();
        rig.restart_damaged(config.clone().shards(Shards::new(own, COUNT).unwrap()), &damaged);
    }
    cluster.between = Default::default();
    cluster.settle();
}

/// A publisher on the first machine, a message that each machine retains, and a subscriber on the second one that
/// has subscribed and gone before it got any.
fn standing(config: &BrokerConfig) -> (Cluster, String, String) {
    let mut cluster = Cluster::new(config);
    let (publisher, subscriber) = (named(0, "p"), named(1, "s"));
    come(&mut cluster, &publisher);
    for shard in 0..usize::from(COUNT) {
        publish(&mut cluster, &publisher, &kept_by(shard, "old"), "old");
    }
    come(&mut cluster, &subscriber);
    cluster.of(&subscriber).sent(&subscriber);
    cluster
        .of(&subscriber)
        .subscribe_with(&subscriber, &[("r/#", OPTIONS())], None);
    cluster.of(&subscriber).cut(&subscriber);
    cluster.settle();
    (cluster, publisher, subscriber)
}

/// What was there is sent as retained, and what came later as published.
fn expected(payload: &str) -> Vec<String> {
    let shards = || 0..usize::from(COUNT);
    let old = shards().map(|shard| format!("{}: old*", kept_by(shard, "old")));
    let new = shards().map(|shard| format!("{}: {payload}", kept_by(shard, "new")));
    let mut all: Vec<String> = old.chain(new).collect();
    all.sort();
    all
}

#[test]
fn what_is_retained_on_any_machine_while_its_subscriber_is_away_comes_once_as_published() {
    for is_stored in [false, true] {
        let config = narrow(config().is_stored(is_stored));
        let (mut cluster, publisher, subscriber) = standing(&config);
        for shard in 0..usize::from(COUNT) {
            publish(&mut cluster, &publisher, &kept_by(shard, "new"), "new");
        }
        come(&mut cluster, &subscriber);
        assert_eq!(drain(&mut cluster, &subscriber), expected("new"), "stored: {is_stored}");
    }
}

#[test]
fn it_holds_over_a_restart_of_all_machines() {
    for lost in [None, Some(0), Some(1), Some(2)] {
        let config = narrow(config().is_stored(true));
        let (mut cluster, publisher, subscriber) = standing(&config);
        for shard in 0..2 {
            publish(&mut cluster, &publisher, &kept_by(shard, "new"), "new");
        }
        // One may have lost its numbers, of which the others know.
        restart(&mut cluster, &config, |own, key| {
            Some(own) == lost && *key == BrokerKey::Broker
        });
        come(&mut cluster, &publisher);
        publish(&mut cluster, &publisher, &kept_by(2, "new"), "new");
        let other = named(2, "t");
        come(&mut cluster, &other);
        cluster.of(&other).sent(&other);
        cluster.of(&other).subscribe_with(&other, &[("r/#", OPTIONS())], None);
        cluster.settle();
        let all = expected("new*");
        assert_eq!(drain(&mut cluster, &other), all, "in this life, without {lost:?}");
        come(&mut cluster, &subscriber);
        assert_eq!(drain(&mut cluster, &subscriber), expected("new"), "without {lost:?}");
    }
}

#[test]
fn a_message_that_is_later_where_it_is_kept_than_at_the_subscriber_is_told_by_its_name() {
    // It is kept on the third machine, and comes there after or before the subscriber has it.
    let topic = kept_by(2, "new");
    for (first, last) in [(1, 2), (2, 1)] {
        let (mut cluster, publisher, subscriber) = standing(&narrow(config()));
        come(&mut cluster, &subscriber);
        cluster.of(&publisher).retain(&publisher, &topic, 2, "new");
        cluster.carry(0, first);
        cluster.rigs[1].run();
        cluster.carry(1, 2);
        cluster.carry(2, 1);
        cluster.carry(0, last);
        cluster.settle();
        let came = drain(&mut cluster, &subscriber);
        let of_topic: Vec<&String> = came.iter().filter(|line| line.starts_with(&topic)).collect();
        assert_eq!(of_topic, [&format!("{topic}: new")], "{came:?}");
    }
}

/// A machine that has taken a message for nobody, and ends before the one where it was published knows of it, is told it
/// again: who has subscribed in between gets it as retained, and not as published too.
#[test]
fn a_message_that_is_told_again_after_a_restart_is_no_published_one_for_who_subscribed_since() {
    let config = config().is_stored(true);
    let mut cluster = Cluster::new(&config);
    let (publisher, subscriber) = (named(0, "p"), named(1, "s"));
    let topic = kept_by(2, "new");
    for name in [&publisher, &subscriber] {
        come(&mut cluster, name);
        cluster.of(name).sent(name);
    }
    cluster.of(&publisher).retain(&publisher, &topic, 2, "new");
    cluster.rigs[0].commit();
    cluster.carry(0, 1);
    cluster
        .of(&subscriber)
        .subscribe_with(&subscriber, &[("r/#", OPTIONS())], None);
    cluster.rigs[1].commit();
    restart(&mut cluster, &config, |_, _| false);
    come(&mut cluster, &subscriber);
    assert_eq!(drain(&mut cluster, &subscriber), [format!("{topic}: new*")]);
}

#[test]
fn another_machine_hears_of_no_name_that_the_next_life_could_give_to_another_message() {
    let mut cluster = Cluster::new(&config().is_stored(true));
    let publisher = named(0, "p");
    come(&mut cluster, &publisher);
    let topic = kept_by(2, "new");
    let mut is_said = Vec::new();
    for _ in 0..2 {
        cluster.of(&publisher).retain(&publisher, &topic, 0, "new");
        cluster.collect();
        is_said.push(!cluster.between[0][2].is_empty());
        // The first name is stored together with many that follow.
        cluster.rigs[0].commit();
        cluster.collect();
        assert!(!cluster.between[0][2].is_empty());
        cluster.settle();
    }
    assert_eq!(is_said, [false, true]);
}
