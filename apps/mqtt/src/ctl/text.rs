//! Text of others, and times, as a terminal may show them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Text in which nothing does anything to a terminal, and nothing looks like something else: control characters, and what has
/// no shape or turns the direction, are escaped.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}

/// Unix time.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A time in the past, as the time since.
pub(super) fn ago(at: Option<u64>, now: u64) -> String {
    at.map_or_else(|| "-".to_owned(), |at| span(now.saturating_sub(at)))
}

/// A time to come, as the time until.
pub(super) fn until(at: Option<u64>, now: u64) -> String {
    at.map_or_else(|| "-".to_owned(), |at| span(at.saturating_sub(now)))
}

/// Seconds in the two largest units that they fill.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if left >= unit && parts.len() < 2 {
            parts.push(format!("{}{name}", left / unit));
            left %= unit;
        } else if !parts.is_empty() {
            break;
        }
    }
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_something_to_a_terminal_is_escaped() {
        assert_eq!(shown("lamp/1 'x' \u{e9}\u{4e2d}"), "lamp/1 'x' \u{e9}\u{4e2d}");
        assert_eq!(shown("a\u{1b}[2J\n\r\u{7}"), "a\\u{1b}[2J\\n\\r\\u{7}");
        assert_eq!(shown("\u{9b}31m\u{202e}x\u{200b}"), "\\u{9b}31m\\u{202e}x\\u{200b}");
        assert_eq!(shown("\\u{1b}"), "\\\\u{1b}", "it looks like nothing else");
    }

    #[test]
    fn a_span_says_its_two_largest_units() {
        let spans = [0, 59, 60, 3600, 3661, 86_400 * 3 + 59, 86_400 + 7200].map(span);
        assert_eq!(spans, ["0s", "59s", "1m", "1h", "1h 1m", "3d", "1d 2h"]);
    }
}
