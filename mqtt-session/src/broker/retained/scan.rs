//! What a filter says of a topic, and of those behind it in the order of levels.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// What follows from a topic for a filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It matches.
    Match,
    /// It does not; the next one may.
    Next,
    /// Nothing matches before this place, which lies behind the topic.
    Jump(Vec<u8>),
    /// Nothing matches behind it.
    End,
}

/// The lowest text that stands behind all that begins with `$`.
const BEHIND_RESERVED: &[u8] = b"%";

/// The lowest text that a level can go on with: a level and this stand behind all that lies below the level.
const LOWEST: &[u8] = b"\x01";

pub(super) fn judge(filter: &[u8], topic: &[u8]) -> Verdict {
    // [MQTT-4.7.2-1]
    if topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return Verdict::Jump(BEHIND_RESERVED.to_vec());
    }
    let (mut levels, mut ahead) = (Levels::new(topic), Levels::new(filter));
    // Where the last level ends that another one could take the place of.
    let mut replaceable = None;
    loop {
        let (place, wanted_place) = (levels.at, ahead.at);
        match (ahead.next(), levels.next()) {
            (Some(b"#"), _) | (None, None) => return Verdict::Match,
            (Some(b"+"), None) => return Verdict::Next,
            (Some(b"+"), Some(level)) => replaceable = Some(place.saturating_add(level.len())),
            (Some(_), None) => return jump(&[topic, b"/", text(filter, wanted_place)]),
            (None, Some(_)) => return behind(topic, replaceable),
            (Some(wanted), Some(level)) => match level.cmp(wanted) {
                Ordering::Equal => {}
                Ordering::Less => return jump(&[start(topic, place), text(filter, wanted_place)]),
                Ordering::Greater => return behind(topic, replaceable),
            },
        }
    }
}

/// Behind all that lies below the level that ends here.
fn behind(topic: &[u8], replaceable: Option<usize>) -> Verdict {
    replaceable.map_or(Verdict::End, |end| jump(&[start(topic, end), LOWEST]))
}

fn jump(parts: &[&[u8]]) -> Verdict {
    Verdict::Jump(parts.concat())
}

fn start(text: &[u8], end: usize) -> &[u8] {
    text.get(..end).unwrap_or(text)
}

/// The levels of a filter from one that is text to the last one before a wildcard.
fn text(filter: &[u8], place: usize) -> &[u8] {
    let rest = filter.get(place..).unwrap_or_default();
    let wildcard = rest.iter().position(|byte| matches!(byte, b'+' | b'#'));
    start(rest, wildcard.map_or(rest.len(), |wildcard| wildcard.saturating_sub(1)))
}

/// The parts of a text between the slashes.
struct Levels<'t> {
    text: &'t [u8],
    /// Where the next level begins; beyond the text when there is none.
    at: usize,
}

impl<'t> Levels<'t> {
    const fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn next(&mut self) -> Option<&'t [u8]> {
        let rest = self.text.get(self.at..)?;
        let level = rest.split(|byte| *byte == b'/').next()?;
        self.at = self.at.saturating_add(level.len()).saturating_add(1);
        Some(level)
    }
}
