//! What is wrong with a topic filter, by sections 4.7 and 4.8.2, in the plainest form that can be right.

/// A fault of a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A `#` that is not the whole last level.
    MultiLevelWildcard,
    /// A `+` that is not a whole level.
    SingleLevelWildcard,
    /// `$share/` and no name behind it.
    EmptyShareName,
    /// A share name with a wildcard, or no filter behind it.
    InvalidShare,
}

/// All faults of a filter. `shared` tells that `$share/` has a meaning, as it does since MQTT 5.0.
pub(crate) fn faults(filter: &[u8], shared: bool) -> Vec<Fault> {
    let levels: Vec<&[u8]> = filter.split(|byte| *byte == b'/').collect();
    if shared && levels.len() > 1 && levels[0] == b"$share" {
        let mut faults = Vec::new();
        if levels[1].is_empty() {
            faults.push(Fault::EmptyShareName);
        }
        let behind = &levels[2..];
        if levels[1].iter().any(|byte| b"+#".contains(byte)) || matches!(behind, [] | [b""]) {
            faults.push(Fault::InvalidShare);
        }
        faults.extend(wildcard_faults(behind));
        return faults;
    }
    wildcard_faults(&levels)
}

fn wildcard_faults(levels: &[&[u8]]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, level) in levels.iter().enumerate() {
        let last = index + 1 == levels.len();
        if level.contains(&b'#') && !(last && *level == b"#") {
            faults.push(Fault::MultiLevelWildcard);
        }
        if level.contains(&b'+') && *level != b"+" {
            faults.push(Fault::SingleLevelWildcard);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_are_judged_as_it_says() {
        for valid in [
            "sport/tennis/player1/#",
            "sport/#",
            "#",
            "+",
            "+/tennis/#",
            "sport/+/player1",
            "/+",
            "/",
        ] {
            assert_eq!(faults(valid.as_bytes(), true), [], "{valid}");
        }
        assert_eq!(faults(b"sport/tennis#", true), [Fault::MultiLevelWildcard]);
        assert_eq!(faults(b"sport/tennis/#/ranking", true), [Fault::MultiLevelWildcard]);
        assert_eq!(faults(b"sport+", true), [Fault::SingleLevelWildcard]);
    }

    #[test]
    fn shared_filters_are_judged_since_mqtt_5() {
        assert_eq!(faults(b"$share/consumer/sport/#", true), []);
        assert_eq!(faults(b"$share/g//", true), []);
        assert_eq!(faults(b"$share//x", true), [Fault::EmptyShareName]);
        assert_eq!(faults(b"$share/g", true), [Fault::InvalidShare]);
        assert_eq!(faults(b"$share/g/", true), [Fault::InvalidShare]);
        assert_eq!(faults(b"$share/+/x", true), [Fault::InvalidShare]);
        assert_eq!(faults(b"$share/g/x#", true), [Fault::MultiLevelWildcard]);
        assert_eq!(faults(b"$share/+/x", false), []);
    }
}
