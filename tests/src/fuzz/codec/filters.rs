//! Topic names and filters against an oracle that tries everything.

use mqtt_proto::{ShareName, TopicFilter, TopicName};

use crate::oracle;

/// Three texts, split at line breaks: two filters and a topic. Validity, matching and overlap are judged independently.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn filters(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (one, other, topic) = (parts.next(), parts.next(), parts.next());
    for bytes in [one, other, topic].into_iter().flatten() {
        validity_is_that_of_the_oracle(bytes);
    }
    let (one, other) = (valid_filter(one), valid_filter(other));
    let topic = topic.and_then(|bytes| TopicName::from_bytes(bytes).ok());
    for filter in [&one, &other].into_iter().flatten() {
        if let Some(topic) = &topic {
            matching_is_that_of_the_oracle(filter, topic);
        }
        assert!(filter.overlaps(filter), "{filter:?} does not overlap itself");
    }
    if let (Some(one), Some(other)) = (one, other) {
        overlap_is_a_topic_that_matches_both(&one, &other);
        if let Some(topic) = topic {
            let both = one.matches(&topic) && other.matches(&topic);
            assert!(
                !both || one.overlaps(&other),
                "{topic:?} belongs to {one:?} and {other:?}"
            );
        }
    }
}

fn valid_filter(bytes: Option<&[u8]>) -> Option<TopicFilter<&[u8]>> {
    TopicFilter::from_bytes(bytes?).ok()
}

fn validity_is_that_of_the_oracle(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).ok();
    let is = |judge: fn(&str) -> bool| text.is_some_and(judge);
    assert_eq!(
        TopicFilter::from_bytes(bytes).is_ok(),
        is(oracle::is_filter),
        "filter {text:?}"
    );
    assert_eq!(
        TopicName::from_bytes(bytes).is_ok(),
        is(oracle::is_topic_name),
        "topic {text:?}"
    );
    let is_share_name = |name: &str| oracle::is_topic_name(name) && !name.contains('/');
    assert_eq!(
        ShareName::from_bytes(bytes).is_ok(),
        is(is_share_name),
        "share name {text:?}"
    );
}

fn matching_is_that_of_the_oracle(filter: &TopicFilter<&[u8]>, topic: &TopicName<&[u8]>) {
    let matches = filter.matches(topic);
    assert_eq!(
        matches,
        oracle::matches(filter.as_str(), topic.as_str()),
        "{filter:?} and {topic:?}"
    );
    // Every topic name is a filter for itself alone, save where `$share/` gives it another meaning.
    if let Ok(as_filter) = TopicFilter::from_bytes(topic.as_bytes()) {
        if as_filter.shared().is_none() {
            assert!(as_filter.matches(topic), "{topic:?} does not match itself");
            assert_eq!(
                as_filter.overlaps(filter),
                matches,
                "{filter:?} and the filter {topic:?}"
            );
        }
    }
}

/// Filters with more levels than this are not tried out: the topics to try grow threefold with each level.
const LEVELS_TRIED: usize = 5;

fn overlap_is_a_topic_that_matches_both(one: &TopicFilter<&[u8]>, other: &TopicFilter<&[u8]>) {
    let overlaps = one.overlaps(other);
    assert_eq!(
        overlaps,
        other.overlaps(one),
        "{one:?} and {other:?} the other way round"
    );
    let levels = [levels_matched(one), levels_matched(other)];
    let depth = levels.iter().map(Vec::len).max().unwrap_or_default();
    if depth <= LEVELS_TRIED {
        let found = some_topic(&levels, depth, &mut Vec::new(), &|topic| {
            oracle::matches(one.as_str(), topic) && oracle::matches(other.as_str(), topic)
        });
        assert_eq!(overlaps, found, "{one:?} and {other:?}");
    }
}

/// The levels of what is matched: without the share name.
fn levels_matched(filter: &TopicFilter<&[u8]>) -> Vec<String> {
    let matched = filter
        .shared()
        .map_or_else(|| filter.to_string(), |shared| shared.filter.to_string());
    matched.split('/').map(str::to_owned).collect()
}

/// Whether some topic has a property that depends only on which of its levels equal those of the filters. So it is enough
/// to try the levels that the filters have in each place, and one that is different from all.
fn some_topic(
    filters: &[Vec<String>; 2],
    depth: usize,
    begun: &mut Vec<String>,
    wanted: &impl Fn(&str) -> bool,
) -> bool {
    let topic = begun.join("/");
    if oracle::is_topic_name(&topic) && wanted(&topic) {
        return true;
    }
    if begun.len() == depth {
        return false;
    }
    let here = filters.iter().filter_map(|levels| levels.get(begun.len()).cloned());
    let candidates: Vec<String> = here.filter(|level| level != "+" && level != "#").collect();
    let different = candidates.iter().map(String::len).max().unwrap_or_default() + 1;
    candidates.into_iter().chain(["x".repeat(different)]).any(|level| {
        begun.push(level);
        let found = some_topic(filters, depth, begun, wanted);
        begun.pop();
        found
    })
}
