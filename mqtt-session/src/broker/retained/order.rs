//! The order of topics by their levels.

use core::cmp::Ordering;

use bytes::Bytes;
use mqtt_proto::TopicName;

/// A topic among others: a level comes before what lies below it, and both before all levels that begin with the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByLevels(pub(super) TopicName<Bytes>);

impl Ord for ByLevels {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other) = (self.0.as_bytes(), other.0.as_bytes());
        let differing = one.iter().zip(other).find(|(one, other)| one != other);
        match differing {
            Some((one, other)) => rank(*one).cmp(&rank(*other)),
            None => one.len().cmp(&other.len()),
        }
    }
}

impl PartialOrd for ByLevels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A slash comes before all other bytes: no text holds U+0000, whose place it takes.
const fn rank(byte: u8) -> u8 {
    match byte {
        b'/' => 0,
        other => other,
    }
}
