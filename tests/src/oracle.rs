//! Topic matching in the simplest form that can be right: levels as lists, and recursion. Slow, and independent of the codec.

/// Whether a topic name belongs to a topic filter, by sections 4.7 and 4.8.2 of MQTT 5.0.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    let filter = behind_share_name(filter);
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    levels_match(&filter, &topic)
}

/// Whether text is a topic filter, by section 4.7 and, for what begins with `$share/`, section 4.8.2 of MQTT 5.0.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    if text.is_empty() || text.contains('\0') || text.len() > 65_535 {
        return false;
    }
    let Some(shared) = text.strip_prefix("$share/") else {
        return is_plain_filter(text);
    };
    match shared.split_once('/') {
        Some((name, filter)) => {
            !name.is_empty() && !name.contains(['+', '#']) && !filter.is_empty() && is_plain_filter(filter)
        }
        None => false,
    }
}

/// Whether text is a topic name, by section 4.7 of MQTT 5.0.
#[must_use]
pub fn is_topic_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 65_535 && !text.contains(['\0', '+', '#'])
}

fn is_plain_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    levels.iter().enumerate().all(|(index, level)| match *level {
        "+" => true,
        "#" => index + 1 == levels.len(),
        other => !other.contains(['+', '#']),
    })
}

/// What is matched of a shared filter; of any other filter, all of it.
fn behind_share_name(filter: &str) -> &str {
    match filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/')) {
        Some((_, inner)) => inner,
        None => filter,
    }
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) => wanted == level && levels_match(filter, topic),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_hold() {
        let filter = "sport/tennis/player1/#";
        for topic in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(matches(filter, topic), "{topic}");
        }
        assert!(matches("sport/#", "sport"));
        assert!(matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport") && matches("sport/+", "sport/"));
        assert!(matches("+/+", "/finance") && matches("/+", "/finance") && !matches("+", "/finance"));
        assert!(!matches("#", "$SYS/uptime") && !matches("+/monitor/Clients", "$SYS/monitor/Clients"));
        assert!(matches("$SYS/#", "$SYS/uptime") && matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
        for text in ["#", "sport/tennis/#", "+", "+/tennis/#", "sport/+/player1"] {
            assert!(is_filter(text), "{text}");
        }
        for text in ["sport/tennis#", "sport/tennis/#/ranking", "sport+", ""] {
            assert!(!is_filter(text), "{text}");
        }
    }
}
