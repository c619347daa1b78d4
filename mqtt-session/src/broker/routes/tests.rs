//! Routes against a list of filters that are matched one by one.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{assert_eq, format};

use core::num::NonZeroU32;

use mqtt_proto::{QoS, RetainHandling, SubscriptionOptions, TopicFilter, TopicName};

use super::*;
use crate::random::Random;

const LIMITS: RouteLimits = RouteLimits {
    filter_levels: 6,
    subscriptions_per_session: u32::MAX,
    subscriptions: u32::MAX,
};

const SESSIONS: u32 = 12;

fn filter(text: &str) -> TopicFilter<&str> {
    TopicFilter::from_bytes_for(Version::V3_1_1, text).unwrap()
}

fn qos(qos: QoS) -> Wanted {
    Wanted {
        options: SubscriptionOptions::new(qos),
        identifier: None,
    }
}

fn choose<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

const LONG: &str = "a level that is longer than a node";

fn any_filter(random: &mut Random) -> String {
    let mut levels = Vec::new();
    for _ in 0..=random.below(4) {
        levels.push(choose(random, &["a", "b", "", "+", "+", "$x", LONG]));
    }
    if random.below(4) == 0 {
        levels.push("#");
    }
    let text = levels.join("/");
    let text = if text.is_empty() { "/" } else { &text };
    match random.below(5) {
        0 => format!("$share/{}/{text}", choose(random, &["g", "h"])),
        _ => text.to_string(),
    }
}

fn any_topic(random: &mut Random) -> String {
    let mut levels = Vec::new();
    for _ in 0..=random.below(5) {
        levels.push(choose(random, &["a", "b", "", "$x", LONG]));
    }
    let text = levels.join("/");
    if text.is_empty() { "/".to_string() } else { text }
}

fn any_wanted(random: &mut Random) -> Wanted {
    Wanted {
        options: SubscriptionOptions {
            qos: QoS::from_bits(random.below(3) as u8).unwrap(),
            no_local: random.below(4) == 0,
            retain_as_published: random.below(3) == 0,
            retain_handling: RetainHandling::SendIfNew,
        },
        identifier: NonZeroU32::new(random.below(4) as u32),
    }
}

/// What a session gets, with its identifiers sorted.
type Got = (u32, QoS, bool, Vec<u32>);

fn got(matches: &Matches) -> Vec<Got> {
    let deliveries = matches.deliveries().map(|delivery| {
        let mut identifiers: Vec<u32> = matches.identifiers(delivery).map(NonZeroU32::get).collect();
        identifiers.sort_unstable();
        (
            delivery.session,
            delivery.qos,
            delivery.retain_as_published,
            identifiers,
        )
    });
    deliveries.collect()
}

/// The subscriptions of all sessions, as a list.
#[derive(Default)]
struct Oracle(Vec<(u32, String, Wanted)>);

impl Oracle {
    fn place(&self, session: u32, text: &str) -> Option<usize> {
        self.0.iter().position(|found| found.0 == session && found.1 == text)
    }

    fn subscribe(&mut self, session: u32, text: &str, wanted: Wanted) -> Option<Wanted> {
        match self.place(session, text) {
            Some(place) => Some(core::mem::replace(&mut self.0[place].2, wanted)),
            None => {
                self.0.push((session, text.to_string(), wanted));
                None
            }
        }
    }

    fn unsubscribe(&mut self, session: u32, text: &str) -> bool {
        self.place(session, text).map(|place| self.0.remove(place)).is_some()
    }

    fn of(&self, session: u32) -> Vec<(String, Wanted)> {
        let own = self.0.iter().filter(|found| found.0 == session);
        own.map(|found| (found.1.clone(), found.2)).collect()
    }

    /// One delivery for each subscription that matches and is not shared.
    fn each(&self, topic: &TopicName<&str>, publisher: Option<u32>) -> Vec<Got> {
        let mut deliveries = Vec::new();
        for (session, text, wanted) in &self.0 {
            let own = wanted.options.no_local && publisher == Some(*session);
            if filter(text).shared().is_none() && filter(text).matches(topic) && !own {
                let identifiers = wanted.identifier.into_iter().map(NonZeroU32::get).collect();
                let options = wanted.options;
                deliveries.push((*session, options.qos, options.retain_as_published, identifiers));
            }
        }
        deliveries.sort();
        deliveries
    }

    fn merged(&self, topic: &TopicName<&str>, publisher: Option<u32>) -> Vec<Got> {
        let mut sessions: BTreeMap<u32, Got> = BTreeMap::new();
        for (session, qos, retain, identifiers) in self.each(topic, publisher) {
            let merged = sessions.entry(session).or_insert((session, qos, retain, Vec::new()));
            merged.1 = merged.1.max(qos);
            merged.2 |= retain;
            merged.3.extend(identifiers);
            merged.3.sort_unstable();
        }
        sessions.into_values().collect()
    }

    /// The members of each group that matches, by the text of its subscription.
    fn groups(&self, topic: &TopicName<&str>) -> BTreeMap<&str, Vec<u32>> {
        let mut groups: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (session, text, _) in &self.0 {
            if filter(text).shared().is_some() && filter(text).matches(topic) {
                groups.entry(text).or_default().push(*session);
            }
        }
        groups
    }
}

/// Random calls to routes and oracle alike.
struct Pair {
    routes: Routes,
    oracle: Oracle,
    matches: Matches,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self {
            routes: Routes::new(LIMITS, seed),
            oracle: Oracle::default(),
            matches: Matches::new(),
        }
    }

    fn change(&mut self, random: &mut Random, session: u32) {
        let (text, wanted) = (any_filter(random), any_wanted(random));
        if random.below(5) < 3 {
            let before = self.routes.subscribe(session, &filter(&text), wanted);
            assert_eq!(before, Ok(self.oracle.subscribe(session, &text, wanted)), "{text}");
            assert_eq!(self.routes.wanted(session, &filter(&text)), Some(wanted));
        } else {
            let ended = self.routes.unsubscribe(session, &filter(&text));
            assert_eq!(ended, self.oracle.unsubscribe(session, &text), "{text}");
            assert_eq!(self.routes.wanted(session, &filter(&text)), None);
        }
    }

    fn end_session(&mut self, session: u32) {
        let had = self.routes.subscriptions_of(session);
        let mut calls = 1;
        while !self.routes.remove_session(session, 3) {
            assert_eq!(self.routes.subscriptions_of(session), had - 3 * calls);
            calls += 1;
        }
        self.oracle.0.retain(|found| found.0 != session);
    }

    fn check_session(&self, session: u32) {
        let held = self.routes.subscriptions(session);
        let held: Vec<_> = held
            .map(|(filter, wanted)| (filter.as_str().to_string(), wanted))
            .collect();
        assert_eq!(held, self.oracle.of(session));
        assert_eq!(self.routes.subscriptions_of(session), held.len());
        assert_eq!(self.routes.len(), self.oracle.0.len());
    }

    fn check_topic(&mut self, random: &mut Random) {
        let text = any_topic(random);
        let topic = TopicName::from_bytes(&*text).unwrap();
        let publisher = (random.below(2) == 0).then(|| random.below(SESSIONS.into()) as u32);
        self.routes
            .matches(&topic, publisher, Overlap::CopyEach, &mut self.matches);
        let mut each = got(&self.matches);
        each.sort();
        assert_eq!(each, self.oracle.each(&topic, publisher), "{text}");
        self.routes
            .matches(&topic, publisher, Overlap::OneCopy, &mut self.matches);
        let mut merged = got(&self.matches);
        merged.sort();
        assert_eq!(merged, self.oracle.merged(&topic, publisher), "{text}");
        self.check_groups(&topic);
        self.check_covers(&topic);
    }

    /// A message stands on a session's own subscription that matches, or on its place in the group of a tag.
    fn check_covers(&mut self, topic: &TopicName<&str>) {
        let owned = TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).unwrap();
        let own = self.oracle.each(topic, None);
        let groups = self.oracle.groups(topic);
        for session in 0..SESSIONS {
            let is_covered = self.routes.covers(session, &owned, 0, &mut self.matches);
            assert_eq!(is_covered, own.iter().any(|found| found.0 == session), "{session}");
            for (text, members) in &groups {
                let filter = filter(text);
                let shared = filter.shared().unwrap();
                let tag = groups::tag(shared.name.as_bytes(), shared.filter.as_bytes());
                let is_covered = self.routes.covers(session, &owned, tag, &mut self.matches);
                assert_eq!(is_covered, members.contains(&session), "{session} in {text}");
            }
        }
    }

    /// Each member of each group has one turn in a round.
    fn check_groups(&mut self, topic: &TopicName<&str>) {
        let mut expected: Vec<Vec<u32>> = self.oracle.groups(topic).into_values().collect();
        let mut rounds = Vec::new();
        for group in self.matches.groups() {
            let mut round = Vec::new();
            let members = self.routes.groups.get(group.0).unwrap().len();
            for _ in 0..members {
                round.push(self.routes.pick(*group, Turn::Next, 1, |_| Fitness::Best).unwrap().0);
            }
            rounds.push(round);
        }
        for round in rounds.iter_mut().chain(&mut expected) {
            round.sort_unstable();
        }
        rounds.sort();
        expected.sort();
        assert_eq!(rounds, expected);
    }

    fn assert_nothing_is_left(&self) {
        let routes = &self.routes;
        assert!(routes.trie.is_empty() && routes.lists.is_empty() && routes.groups.is_empty());
        assert_eq!((routes.subscriptions.len(), routes.index.len()), (0, 0));
    }
}

#[test]
fn routes_behave_as_a_list_of_filters_and_leave_nothing_behind() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mut pair = Pair::new(seed);
        for _ in 0..800 {
            let session = random.below(SESSIONS.into()) as u32;
            match random.below(60) {
                0 => pair.end_session(session),
                _ => pair.change(&mut random, session),
            }
            pair.check_session(session);
            pair.check_topic(&mut random);
        }
        assert!(pair.routes.len() > 100);
        (0..SESSIONS).for_each(|session| pair.end_session(session));
        pair.assert_nothing_is_left();
    }
}

#[test]
fn unsubscribing_one_by_one_leaves_nothing_behind() {
    let mut random = Random::new(3);
    let mut pair = Pair::new(3);
    for _ in 0..800 {
        let session = random.below(SESSIONS.into()) as u32;
        pair.change(&mut random, session);
    }
    while !pair.oracle.0.is_empty() {
        let place = random.below(pair.oracle.0.len() as u64) as usize;
        let (session, text, _) = pair.oracle.0.remove(place);
        assert!(pair.routes.unsubscribe(session, &filter(&text)));
        pair.check_topic(&mut random);
    }
    pair.assert_nothing_is_left();
}

#[test]
fn the_order_of_matches_does_not_depend_on_the_seed() {
    let orders: Vec<_> = [1, 2, 99]
        .map(|seed| {
            let mut random = Random::new(5);
            let mut pair = Pair::new(seed);
            let mut orders = Vec::new();
            for _ in 0..600 {
                let session = random.below(SESSIONS.into()) as u32;
                pair.change(&mut random, session);
                let text = any_topic(&mut random);
                let topic = TopicName::from_bytes(&*text).unwrap();
                pair.routes.matches(&topic, None, Overlap::CopyEach, &mut pair.matches);
                orders.push((got(&pair.matches), pair.matches.groups().to_vec()));
            }
            orders
        })
        .into();
    assert!(
        orders[0]
            .iter()
            .any(|(deliveries, groups)| deliveries.len() > 8 && groups.len() > 1)
    );
    assert!(orders.iter().all(|order| *order == orders[0]));
}

fn routes(limits: RouteLimits) -> Routes {
    Routes::new(limits, 0)
}

#[test]
fn each_limit_is_named_and_leaves_everything_as_it_was() {
    let mut routes = routes(RouteLimits {
        filter_levels: 3,
        subscriptions_per_session: 2,
        subscriptions: 3,
    });
    let wanted = qos(QoS::AtMostOnce);
    let mut subscribe = |session, text| routes.subscribe(session, &filter(text), wanted);
    assert_eq!(subscribe(0, "a/b/c/d"), Err(SubscribeError::FilterLevels));
    assert_eq!(subscribe(0, "a/b/c/#"), Err(SubscribeError::FilterLevels));
    assert_eq!(subscribe(0, "$share/g/a/b/c"), Ok(None));
    assert_eq!(subscribe(0, "a/b/#"), Ok(None));
    assert_eq!(subscribe(0, "x"), Err(SubscribeError::SubscriptionsPerSession));
    assert_eq!(subscribe(1, "x"), Ok(None));
    assert_eq!(subscribe(2, "y"), Err(SubscribeError::Subscriptions));
    assert_eq!(subscribe(0, "a/b/#"), Ok(Some(wanted)), "a replacement takes no room");
    assert_eq!(routes.len(), 3);
    for (session, text) in [(0, "a/b/#"), (0, "$share/g/a/b/c"), (1, "x")] {
        assert!(routes.unsubscribe(session, &filter(text)));
    }
    assert!(routes.trie.is_empty());
}

/// [MQTT-4.7.2-1]
#[test]
fn filters_that_begin_with_a_wildcard_match_no_topic_that_begins_with_a_dollar() {
    let mut routes = routes(LIMITS);
    let mut matches = Matches::new();
    for (session, text) in [(0, "#"), (1, "+/x"), (2, "+/#"), (3, "$share/g/#"), (4, "$y/#")] {
        routes.subscribe(session, &filter(text), qos(QoS::AtMostOnce)).unwrap();
    }
    for (topic, sessions) in [("y/x", 3), ("$y/x", 1), ("$x", 0)] {
        routes.matches(
            &TopicName::from_bytes(topic).unwrap(),
            None,
            Overlap::OneCopy,
            &mut matches,
        );
        assert_eq!(matches.deliveries().len(), sessions, "{topic}");
        assert_eq!(matches.groups().len(), usize::from(!topic.starts_with('$')), "{topic}");
    }
}

/// What is stored names groups by it.
#[test]
fn the_tag_of_a_group_is_the_hash_of_its_text_in_every_version() {
    assert_eq!(groups::tag(b"g", b"jobs/#"), 0xAA01_68BB_D597_0CA5);
}

#[test]
fn a_shared_filter_that_is_not_well_formed_is_an_ordinary_one() {
    let mut routes = routes(LIMITS);
    let mut matches = Matches::new();
    for text in ["$share/g", "$share//x", "$share/+/x"] {
        routes.subscribe(0, &filter(text), qos(QoS::AtMostOnce)).unwrap();
    }
    for topic in ["$share/g", "$share//x", "$share/g/x"] {
        let topic = TopicName::from_bytes(topic).unwrap();
        routes.matches(&topic, None, Overlap::OneCopy, &mut matches);
        assert!(!matches.is_empty() && matches.groups().is_empty());
    }
    assert_eq!(routes.subscriptions(0).count(), 3);
}

#[test]
fn a_group_takes_turns_and_prefers_whom_the_caller_prefers() {
    let mut routes = routes(LIMITS);
    let shared = filter("$share/g/jobs/#");
    for session in 0..5 {
        routes.subscribe(session, &shared, qos(QoS::AtLeastOnce)).unwrap();
    }
    let mut matches = Matches::new();
    routes.matches(
        &TopicName::from_bytes("jobs").unwrap(),
        None,
        Overlap::OneCopy,
        &mut matches,
    );
    let &[group] = matches.groups() else {
        panic!("{matches:?}");
    };
    let mut pick = |turn, looks, prefers: fn(u32) -> bool| {
        let fitness = |session| if prefers(session) { Fitness::Best } else { Fitness::Last };
        routes.pick(group, turn, looks, fitness).unwrap().0
    };
    let all = |_| true;
    let next: Vec<u32> = (0..6).map(|_| pick(Turn::Next, 5, all)).collect();
    assert_eq!(next, [0, 1, 2, 3, 4, 0]);
    assert_eq!(pick(Turn::Next, 5, |session| session == 4), 4);
    assert_eq!(pick(Turn::Next, 5, |session| session == 3), 3);
    assert_eq!(pick(Turn::Same, 5, all), 3);
    assert_eq!(pick(Turn::Same, 5, |session| session == 2), 2);
    assert_eq!(pick(Turn::Next, 5, |_| false), 3, "nobody is preferred");
    assert_eq!(pick(Turn::Next, 2, |session| session == 1), 4, "beyond the looks");
    assert_eq!(pick(Turn::Next, 0, all), 0);
    let looks = core::cell::Cell::new(0);
    routes.pick(group, Turn::Next, 2, |_| {
        looks.set(looks.get() + 1);
        Fitness::Last
    });
    assert_eq!(looks.get(), 2);
    let mut pick = |turn, looks, prefers: fn(u32) -> bool| {
        let fitness = |session| if prefers(session) { Fitness::Best } else { Fitness::Last };
        routes.pick(group, turn, looks, fitness).unwrap().0
    };
    assert_eq!(pick(Turn::At(13), 5, all), 3);
    assert_eq!(pick(Turn::At(13), 5, |session| session == 1), 1);
}

#[test]
fn nobody_is_left_out_when_the_member_leaves_that_had_the_last_message() {
    for leaving in 0..4 {
        let mut routes = routes(LIMITS);
        let shared = filter("$share/g/a");
        for session in 0..4 {
            routes.subscribe(session, &shared, qos(QoS::AtLeastOnce)).unwrap();
        }
        for _ in 0..=leaving {
            routes.pick(GroupId(0), Turn::Next, 1, |_| Fitness::Best);
        }
        routes.unsubscribe(leaving, &shared);
        let mut round: Vec<u32> = (0..3)
            .map(|_| routes.pick(GroupId(0), Turn::Next, 1, |_| Fitness::Best).unwrap().0)
            .collect();
        assert_eq!(round[0], if leaving == 3 { 0 } else { 3 });
        round.sort_unstable();
        assert!(!round.contains(&leaving));
        round.dedup();
        assert_eq!(round.len(), 3);
    }
}

#[test]
fn a_group_that_has_ended_picks_nobody() {
    let mut routes = routes(LIMITS);
    let shared = filter("$share/g/a");
    routes.subscribe(0, &shared, qos(QoS::AtMostOnce)).unwrap();
    assert!(routes.unsubscribe(0, &shared));
    assert_eq!(routes.pick(GroupId(0), Turn::Next, 1, |_| Fitness::Best), None);
}

#[test]
fn many_deliveries_are_merged_by_session_too() {
    let mut routes = routes(LIMITS);
    for session in 0..40 {
        routes.subscribe(session, &filter("a/+"), qos(QoS::AtMostOnce)).unwrap();
        routes
            .subscribe(session, &filter("a/b"), qos(QoS::AtLeastOnce))
            .unwrap();
        routes.subscribe(session, &filter("#"), qos(QoS::AtMostOnce)).unwrap();
    }
    let mut matches = Matches::new();
    for _ in 0..2 {
        routes.matches(
            &TopicName::from_bytes("a/b").unwrap(),
            None,
            Overlap::OneCopy,
            &mut matches,
        );
        assert_eq!(matches.deliveries().len(), 40);
        assert!(matches.deliveries().all(|delivery| delivery.qos == QoS::AtLeastOnce));
        // Another message leaves other places behind.
        routes.matches(
            &TopicName::from_bytes("x").unwrap(),
            None,
            Overlap::OneCopy,
            &mut matches,
        );
        assert_eq!(matches.deliveries().len(), 40);
    }
}

#[test]
fn a_walk_is_as_deep_as_the_filters_and_not_as_the_topic() {
    let mut routes = routes(LIMITS);
    for text in ["+/+/+/+/+/#", "a/a/a/a/a/a", "a/+/a/+/a/+"] {
        routes.subscribe(0, &filter(text), qos(QoS::AtMostOnce)).unwrap();
    }
    let topic = "a/".repeat(30_000);
    let mut matches = Matches::new();
    routes.matches(
        &TopicName::from_bytes(topic).unwrap(),
        None,
        Overlap::CopyEach,
        &mut matches,
    );
    assert_eq!(matches.deliveries().len(), 1);
    assert_eq!(matches.walk.text.len(), 3);
    assert!(matches.walk.waiting.capacity() <= 16);
}

#[test]
fn the_debug_form_of_routes_shows_who_is_subscribed_and_no_seed() {
    let mut routes = Routes::new(LIMITS, 0x5EED_5EED);
    routes.subscribe(7, &filter("a"), qos(QoS::AtMostOnce)).unwrap();
    let shown = format!("{routes:?}");
    assert!(
        shown.contains("Hashing") && shown.contains("Subscription(0)"),
        "{shown}"
    );
    assert!(!shown.contains(&0x5EED_5EED_u64.to_string()), "{shown}");
}
