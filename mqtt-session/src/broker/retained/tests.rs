//! Retained messages against a map that is searched whole.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{assert_eq, format};

use super::*;
use crate::random::Random;

const NO_LIMITS: RetainedLimits = RetainedLimits {
    messages: usize::MAX,
    bytes: u64::MAX,
};

const NOW: Instant = Instant::ZERO;

fn topic(text: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn filter(text: &str) -> TopicFilter<&str> {
    TopicFilter::from_bytes(text).unwrap()
}

fn retained(topics: &[&str]) -> Retained<u64> {
    let mut retained = Retained::new(NO_LIMITS);
    for text in topics {
        assert_eq!(retained.set(topic(text), 0, 0, None), Ok(None));
    }
    retained
}

/// All topics that a replay without changes finds, and how many calls it took.
fn replay<M>(retained: &Retained<M>, text: &str, budget: usize) -> (Vec<String>, usize) {
    let (mut found, mut after, mut calls) = (Vec::new(), None, 0);
    loop {
        calls += 1;
        match retained.next(&filter(text), after, NOW, budget, |_| true) {
            Step::Found(topic, _) => {
                found.push(topic.as_str().to_string());
                after = Some(topic);
            }
            Step::Budget(topic) => after = Some(topic),
            Step::End => return (found, calls),
        }
    }
}

fn choose<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

/// Levels that lie on both sides of the slash, and begin alike.
const TEXTS: [&str; 9] = ["", "a", "a ", "a\u{1}", "ab", "b", "$x", "%", "\u{ff}"];

fn any_topic(random: &mut Random) -> String {
    let levels: Vec<&str> = (0..=random.below(4)).map(|_| choose(random, &TEXTS)).collect();
    let text = levels.join("/");
    if text.is_empty() { "/".to_string() } else { text }
}

fn any_filter(random: &mut Random) -> String {
    let mut levels = Vec::new();
    for _ in 0..=random.below(3) {
        levels.push(if random.below(3) == 0 {
            "+"
        } else {
            choose(random, &TEXTS)
        });
    }
    if random.below(3) == 0 {
        levels.push("#");
    }
    let text = levels.join("/");
    if text.is_empty() { "#".to_string() } else { text }
}

/// A replay while others set, replace and remove messages. Returns how many it found.
fn replay_among_changes(random: &mut Random, retained: &mut Retained<u64>, all: &mut BTreeMap<String, u64>) -> usize {
    let text = any_filter(random);
    let filter = filter(&text);
    let matching = |all: &BTreeMap<String, u64>| -> Vec<String> {
        let topics = all.keys().filter(|text| filter.matches(&topic(text)));
        topics.cloned().collect()
    };
    // What was there all the time, and what was there at any time.
    let (mut always, mut ever) = (matching(all), matching(all));
    let (mut found, mut after): (Vec<String>, Option<TopicName<Bytes>>) = (Vec::new(), None);
    loop {
        let budget = 1 + random.below(4) as usize;
        after = match retained.next(&filter, after.as_ref(), NOW, budget, |_| true) {
            Step::Found(topic, message) => {
                assert_eq!(all.get(topic.as_str()), Some(message), "{text}");
                found.push(topic.as_str().to_string());
                Some(topic.clone())
            }
            Step::Budget(topic) => Some(topic.clone()),
            Step::End => break,
        };
        for _ in 0..random.below(3) {
            change(random, retained, all);
        }
        always.retain(|text| all.contains_key(text));
        ever.extend(matching(all));
    }
    for text in &always {
        assert!(found.contains(text), "{text} is missing");
    }
    for (place, text) in found.iter().enumerate() {
        assert!(ever.contains(text), "{text} does not match");
        assert!(!found[place + 1..].contains(text), "{text} is found twice");
    }
    found.len()
}

fn change(random: &mut Random, retained: &mut Retained<u64>, all: &mut BTreeMap<String, u64>) {
    let text = any_topic(random);
    if random.below(5) < 2 {
        assert_eq!(retained.remove(&topic(&text)), all.remove(&text));
    } else {
        let message = random.next_u64();
        let before = retained.set(topic(&text), message, 0, None);
        assert_eq!(before, Ok(all.insert(text, message)));
    }
    assert_eq!(retained.len(), all.len());
}

#[test]
fn a_replay_finds_what_stays_exactly_once_among_changes() {
    let mut total = 0;
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let (mut retained, mut all) = (Retained::new(NO_LIMITS), BTreeMap::new());
        for _ in 0..300 {
            change(&mut random, &mut retained, &mut all);
        }
        for _ in 0..40 {
            total += replay_among_changes(&mut random, &mut retained, &mut all);
        }
        assert_eq!(retained.bytes(), all.keys().map(|text| text.len() as u64).sum::<u64>());
    }
    assert!(total > 1_500, "{total}");
}

#[test]
fn wildcards_at_the_front_find_nothing_that_begins_with_a_dollar() {
    let retained =
        retained(&["#x", "$SYS", "$SYS/load", "$", "!", "%", "a/$x", "/"].map(|text| text.trim_matches('#')));
    assert_eq!(replay(&retained, "#", 9).0, ["/", "!", "%", "a/$x", "x"]);
    assert_eq!(replay(&retained, "+/+", 9).0, ["/", "a/$x"]);
    assert_eq!(replay(&retained, "$SYS/#", 9).0, ["$SYS", "$SYS/load"]);
    assert_eq!(replay(&retained, "$SYS/+", 9).0, ["$SYS/load"]);
}

#[test]
fn a_replay_looks_at_little_more_than_it_finds() {
    let mut retained = Retained::new(NO_LIMITS);
    for device in 0..200 {
        for sensor in 0..50 {
            for root in ["a", "b", "c", "$x"] {
                retained
                    .set(topic(&format!("{root}/{device}/{sensor:02}")), (), 0, None)
                    .unwrap();
            }
        }
    }
    // Each call has a budget that only jumps keep within, so no call but the last ends without a message.
    for (text, budget, messages) in [
        ("b/17/03", 2, 1),
        ("b/17/99", 2, 0),
        ("b/17/#", 2, 50),
        ("b/#", 2, 10_000),
        ("b/+/07", 4, 200),
        ("+/17/07", 6, 3),
        ("+/+/07", 8, 600),
        ("b/+/07/x", 402, 0),
        ("nowhere/#", 3, 0),
        ("+/nowhere", 8, 0),
    ] {
        let (found, calls) = replay(&retained, text, budget);
        assert_eq!((found.len(), calls), (messages, messages + 1), "{text}");
    }
}

#[test]
fn a_call_looks_at_no_more_topics_than_its_budget() {
    let mut retained = Retained::new(NO_LIMITS);
    for device in 0..1_000 {
        retained.set(topic(&format!("a/{device}")), (), 0, None).unwrap();
    }
    for (budget, calls) in [(1, 1_000), (10, 100), (999, 2), (1_000, 1)] {
        let (found, taken) = replay(&retained, "+/+/x", budget);
        assert_eq!(found.len(), 0);
        assert!((calls..=calls + 1).contains(&taken), "{budget}: {taken}");
    }
}

#[test]
fn topics_of_the_greatest_length_are_found() {
    let longest = "a/".repeat(32_767) + "b";
    let mut retained = retained(&["a", "a/b", &longest]);
    assert_eq!(replay(&retained, "a/#", 9).0.len(), 3);
    assert_eq!(replay(&retained, "+/b", 9).0, ["a/b"]);
    let deep = "+/".repeat(32_766);
    assert_eq!(replay(&retained, &(deep.clone() + "+/b"), 9).0, [longest.as_str()]);
    // The place behind the longest one is longer than any topic.
    assert_eq!(replay(&retained, &(deep + "+/+"), 9).0, [longest.as_str()]);
    let wide = "a".repeat(65_535);
    retained.set(topic(&wide), 0, 0, None).unwrap();
    retained.set(topic("b/b"), 0, 0, None).unwrap();
    assert_eq!(replay(&retained, "+/b", 9).0, ["a/b", "b/b"]);
    let cut = "a/".repeat(32_765) + "+";
    assert_eq!(replay(&retained, &cut, 9).0.len(), 0);
}

#[test]
fn limits_are_named_and_leave_everything_as_it_was() {
    let mut retained = Retained::new(RetainedLimits {
        messages: 2,
        bytes: 100,
    });
    assert_eq!(retained.set(topic("abc"), 1, 47, None), Ok(None));
    assert_eq!(retained.set(topic("x"), 2, 50, None), Err(RetainError::Bytes));
    assert_eq!(retained.set(topic("x"), 2, 49, None), Ok(None));
    assert_eq!(retained.bytes(), 100);
    assert_eq!(retained.set(topic("y"), 3, 0, None), Err(RetainError::Messages));
    assert_eq!(retained.set(topic("abc"), 4, 48, None), Err(RetainError::Bytes));
    assert_eq!(
        retained.set(topic("abc"), 4, 30, None),
        Ok(Some(1)),
        "a replacement is no further message"
    );
    assert_eq!((retained.len(), retained.bytes()), (2, 83));
    assert_eq!(retained.remove(&topic("x")), Some(2));
    assert_eq!(retained.remove(&topic("abc")), Some(4));
    assert_eq!((retained.len(), retained.bytes()), (0, 0));
}

#[test]
fn messages_expire_one_by_one_in_their_order_and_are_not_found_before() {
    let at = Instant::from_secs;
    let mut retained = Retained::new(NO_LIMITS);
    for (text, expires_at) in [
        ("a", Some(30)),
        ("b", Some(10)),
        ("c", None),
        ("d", Some(20)),
        ("e", Some(5)),
    ] {
        retained.set(topic(text), (), 9, expires_at.map(at)).unwrap();
    }
    // Who is removed or replaced does not expire any more.
    retained.remove(&topic("e"));
    retained.set(topic("b"), (), 9, Some(at(20))).unwrap();
    assert_eq!(retained.next_expiry(), Some(at(20)));
    assert_eq!(retained.expire(Instant::from_micros(19_999_999)), None);
    let found = |retained: &Retained<()>, after: &str, now| match retained.next(
        &filter("#"),
        Some(&topic(after)),
        now,
        9,
        |()| true,
    ) {
        Step::Found(topic, ()) => topic.as_str().to_string(),
        step => format!("{step:?}"),
    };
    assert_eq!(found(&retained, "a", at(19)), "b");
    assert_eq!(found(&retained, "a", at(20)), "c");
    assert_eq!(found(&retained, "c", at(20)), "End");
    assert_eq!(retained.expire(at(99)), Some((topic("b"), ())));
    assert_eq!(retained.expire(at(99)), Some((topic("d"), ())));
    assert_eq!(retained.next_expiry(), Some(at(30)));
    assert_eq!(retained.expire(at(30)), Some((topic("a"), ())));
    assert_eq!((retained.expire(at(99)), retained.next_expiry()), (None, None));
    assert_eq!((retained.len(), retained.bytes()), (1, 10));
}

#[test]
fn a_level_stands_before_what_lies_below_it_and_that_before_its_like() {
    let order = ["/", "/a", "a", "a/", "a/b", "a/b/c", "a\u{1}", "a ", "ab", "b"];
    let mut retained = Retained::new(NO_LIMITS);
    for text in order.iter().rev() {
        retained.set(topic(text), (), 0, None).unwrap();
    }
    assert_eq!(replay(&retained, "#", 1).0, order);
}
