//! Matching: a walk over the levels of a filter and a topic, or of two filters, side by side. No recursion, no memory.

/// Takes the next level off the front. `None` when there is no further one.
fn next_level<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let bytes = (*rest)?;
    match bytes.iter().position(|byte| *byte == b'/') {
        Some(slash) => {
            let (level, tail) = bytes.split_at_checked(slash)?;
            *rest = tail.get(1..);
            Some(level)
        }
        None => {
            *rest = None;
            Some(bytes)
        }
    }
}

/// Whether a filter begins with a wildcard, which keeps it from everything that begins with `$`.
fn begins_with_wildcard(filter: &[u8]) -> bool {
    matches!(filter.first(), Some(b'+' | b'#'))
}

pub(super) fn matches(filter: &[u8], topic: &[u8]) -> bool {
    // [MQTT-4.7.2-1]
    if topic.first() == Some(&b'$') && begins_with_wildcard(filter) {
        return false;
    }
    let (mut filter, mut topic) = (Some(filter), Some(topic));
    loop {
        match (next_level(&mut filter), next_level(&mut topic)) {
            // `#` stands for its parent too: `a/#` matches `a`.
            (Some(b"#"), _) | (None, None) => return true,
            (Some(wanted), Some(level)) if wanted == b"+" || wanted == level => {}
            _ => return false,
        }
    }
}

pub(super) fn overlap(one: &[u8], other: &[u8]) -> bool {
    let reserved = |filter: &[u8]| filter.first() == Some(&b'$');
    if reserved(one) && begins_with_wildcard(other) || reserved(other) && begins_with_wildcard(one) {
        return false;
    }
    // All that `/#` and `+` have in common is the empty topic, which is no topic.
    if matches!((one, other), (b"/#", b"+") | (b"+", b"/#")) {
        return false;
    }
    let (mut one, mut other) = (Some(one), Some(other));
    loop {
        match (next_level(&mut one), next_level(&mut other)) {
            (Some(b"#"), _) | (_, Some(b"#")) | (None, None) => return true,
            (Some(left), Some(right)) if left == b"+" || right == b"+" || left == right => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{TextError, TopicFilter, TopicName};

    fn matches(filter: &str, topic: &str) -> bool {
        TopicFilter::new(filter)
            .unwrap()
            .matches(&TopicName::new(topic).unwrap())
    }

    #[test]
    fn the_examples_of_the_specification_hold() {
        for topic in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(matches("sport/tennis/player1/#", topic));
        }
        assert!(matches("sport/#", "sport"));
        assert!(matches("#", "a/b"));
        assert!(matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("sport/+", "sport/"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
        assert!(!matches("ACCOUNTS", "Accounts"));
    }

    #[test]
    fn topics_that_begin_with_a_dollar_are_hidden_from_leading_wildcards() {
        assert!(!matches("#", "$SYS/load"));
        assert!(!matches("+/load", "$SYS/load"));
        assert!(matches("$SYS/#", "$SYS/load"));
        assert!(matches("$SYS/+", "$SYS/load"));
        assert!(matches("$share/g/$SYS/#", "$SYS/load"));
        assert!(!matches("$share/g/#", "$SYS/load"));
        assert!(matches("$share/g//x", "/x"));
    }

    #[test]
    fn ill_placed_wildcards_and_share_names_are_named() {
        for (filter, error) in [
            ("", TextError::Empty),
            ("a#", TextError::MisplacedMultiLevelWildcard),
            ("a/#/b", TextError::MisplacedMultiLevelWildcard),
            ("#/", TextError::MisplacedMultiLevelWildcard),
            ("a/b#", TextError::MisplacedMultiLevelWildcard),
            ("a+", TextError::MisplacedSingleLevelWildcard),
            ("a/+b/c", TextError::MisplacedSingleLevelWildcard),
            ("++", TextError::MisplacedSingleLevelWildcard),
            ("$share/", TextError::EmptyShareName),
            ("$share//x", TextError::EmptyShareName),
            ("$share/g", TextError::InvalidShare),
            ("$share/g/", TextError::InvalidShare),
            ("$share/g+/x", TextError::InvalidShare),
            ("$share/#/x", TextError::InvalidShare),
            ("$share/g/a#", TextError::MisplacedMultiLevelWildcard),
        ] {
            assert_eq!(TopicFilter::new(filter).unwrap_err(), error, "{filter}");
        }
        for filter in ["$share", "$share/g//", "$shared/x", "+/+/#", "/", "//", "$share/g/+"] {
            assert!(TopicFilter::new(filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn overlap_is_symmetric_and_respects_the_dollar() {
        let overlap = |a: &str, b: &str| {
            let (a, b) = (TopicFilter::new(a).unwrap(), TopicFilter::new(b).unwrap());
            assert_eq!(a.overlaps(&b), b.overlaps(&a));
            a.overlaps(&b)
        };
        assert!(overlap("a/#", "a"));
        assert!(overlap("+/b", "a/+"));
        assert!(overlap("$share/g/a/b", "a/+"));
        assert!(!overlap("a/b", "a/c"));
        assert!(!overlap("a/+", "a"));
        assert!(!overlap("+/b", "$SYS/b"));
        assert!(!overlap("/#", "+"));
        assert!(overlap("/#", "+/"));
        assert!(overlap("$SYS/#", "$SYS/+"));
    }
}
