//! Topic filters and names against the naive oracle: what is valid, what matches, what overlaps.

use mqtt_proto::{TopicFilter, TopicName};
use mqtt_tests::oracle;
use proptest::prelude::*;

/// Every text of one to `depth` levels out of these.
fn texts(levels: &[&str], depth: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for level in 0..depth {
        let separator = if level == 0 { "" } else { "/" };
        longest = longest
            .iter()
            .flat_map(|text| levels.iter().map(move |next| format!("{text}{separator}{next}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn valid_filters() -> Vec<String> {
    let mut filters = texts(&["", "a", "b", "$s", "+", "#"], 3);
    let shared: Vec<String> = filters.iter().map(|filter| format!("$share/g/{filter}")).collect();
    filters.extend(shared);
    filters.retain(|filter| oracle::is_filter(filter));
    filters
}

fn valid_topics() -> Vec<String> {
    let mut topics = texts(&["", "a", "b", "c", "$s"], 4);
    topics.retain(|topic| oracle::is_topic_name(topic));
    topics
}

#[test]
fn validity_is_that_of_the_specification_for_every_short_text() {
    for text in texts(&["", "a", "a+", "+", "#", "##", "$share", "\0"], 4) {
        assert_eq!(
            TopicFilter::new(&text).is_ok(),
            oracle::is_filter(&text),
            "filter {text:?}"
        );
        assert_eq!(
            TopicName::new(&text).is_ok(),
            oracle::is_topic_name(&text),
            "topic {text:?}"
        );
    }
}

#[test]
fn matching_is_that_of_the_specification_for_every_short_filter_and_topic() {
    let topics = valid_topics();
    for filter in valid_filters() {
        let checked = TopicFilter::new(&filter).expect("the oracle calls it valid");
        for topic in &topics {
            let name = TopicName::new(topic).expect("the oracle calls it valid");
            assert_eq!(
                checked.matches(&name),
                oracle::matches(&filter, topic),
                "{filter:?} and {topic:?}"
            );
        }
    }
}

#[test]
fn two_filters_overlap_exactly_if_some_topic_matches_both() {
    let topics = valid_topics();
    let filters = valid_filters();
    let matched: Vec<Vec<bool>> = filters
        .iter()
        .map(|filter| topics.iter().map(|topic| oracle::matches(filter, topic)).collect())
        .collect();
    for (one, of_one) in filters.iter().zip(&matched) {
        let checked = TopicFilter::new(one).expect("the oracle calls it valid");
        for (other, of_other) in filters.iter().zip(&matched) {
            let some_topic = of_one.iter().zip(of_other).any(|(a, b)| *a && *b);
            let overlaps = checked.overlaps(&TopicFilter::new(other).expect("the oracle calls it valid"));
            assert_eq!(overlaps, some_topic, "{one:?} and {other:?}");
        }
    }
}

fn long_text() -> impl Strategy<Value = String> {
    let level = prop_oneof![4 => "[a-c]{0,2}", 2 => Just("+".to_owned()), 1 => Just("#".to_owned()), 1 => "[$/+#é\u{FEFF}\u{0}]{0,3}"];
    proptest::collection::vec(level, 1..12).prop_map(|levels| levels.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn long_texts_are_judged_as_the_oracle_judges(filter in long_text(), topic in long_text()) {
        prop_assert_eq!(TopicFilter::new(&filter).is_ok(), oracle::is_filter(&filter));
        prop_assert_eq!(TopicName::new(&topic).is_ok(), oracle::is_topic_name(&topic));
        if let (Ok(checked), Ok(name)) = (TopicFilter::new(&filter), TopicName::new(&topic)) {
            prop_assert_eq!(checked.matches(&name), oracle::matches(&filter, &topic));
        }
    }

    #[test]
    fn a_filter_made_from_a_topic_matches_it(topic in "[a-c]{0,2}(/[a-c]{0,2}){0,8}", plus in any::<u16>(), cut in 0usize..9) {
        prop_assume!(!topic.is_empty());
        let levels: Vec<&str> = topic.split('/').collect();
        let mut made: Vec<&str> =
            levels.iter().enumerate().map(|(at, level)| if plus >> at & 1 == 1 { "+" } else { *level }).collect();
        if cut < made.len() {
            made.truncate(cut);
            made.push("#");
        }
        let made = made.join("/");
        prop_assume!(!made.is_empty());
        let filter = TopicFilter::new(&made).expect("wildcards stand for whole levels");
        prop_assert!(filter.matches(&TopicName::new(&topic).expect("no wildcards")));
    }
}
