//! What a run has come across, so that green cannot mean that nothing happened.

use std::collections::BTreeMap;

use mqtt_session::{Closed, Outcome};

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps of the run.
    pub steps: u64,
    /// Those of them that changed anything.
    pub effective: u64,
    /// Messages that a machine took to send.
    pub messages: u64,
    /// Messages that were handed over to a host.
    pub handed_over: u64,
    /// Connections that the server accepted.
    pub connections: u64,
    /// Cuts that left one end with a part of a packet.
    pub cuts_in_packets: u64,
    /// Crashes while an answer was owed and a batch with what answers wait for was with the store.
    pub crashes_before_ack: u64,
    /// Sessions that went on with something in flight.
    pub resumes: u64,
    /// Connections on which the peer takes fewer messages than are in flight.
    pub window_shrinks: u64,
    /// Identifiers that began again from below.
    pub id_wraps: u64,
    /// Records that could not be used.
    pub quarantined: u64,
    /// Connections that took over the session of another one.
    pub takeovers: u64,
    /// Sessions that one end lost.
    pub sessions_lost: u64,
    /// Runs in which MQTT could not notice that two sessions do not belong together.
    pub mixed: u64,
    /// How connections ended.
    pub closed: BTreeMap<&'static str, u64>,
    /// How operations ended.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.steps, other.steps),
            (&mut self.effective, other.effective),
            (&mut self.messages, other.messages),
            (&mut self.handed_over, other.handed_over),
            (&mut self.connections, other.connections),
            (&mut self.cuts_in_packets, other.cuts_in_packets),
            (&mut self.crashes_before_ack, other.crashes_before_ack),
            (&mut self.resumes, other.resumes),
            (&mut self.window_shrinks, other.window_shrinks),
            (&mut self.id_wraps, other.id_wraps),
            (&mut self.quarantined, other.quarantined),
            (&mut self.takeovers, other.takeovers),
            (&mut self.sessions_lost, other.sessions_lost),
            (&mut self.mixed, other.mixed),
        ];
        for (sum, more) in sums {
            *sum += more;
        }
        for (name, count) in &other.closed {
            *self.closed.entry(name).or_default() += count;
        }
        for (name, count) in &other.outcomes {
            *self.outcomes.entry(name).or_default() += count;
        }
    }

    pub(super) fn count_closed(&mut self, closed: &Closed) {
        *self.closed.entry(closed_name(closed)).or_default() += 1;
    }

    pub(super) fn count_outcome(&mut self, outcome: &Outcome) {
        *self.outcomes.entry(outcome_name(outcome)).or_default() += 1;
    }
}

/// Every way in which a connection can end. A run of two parties reaches all of them.
pub const CLOSED: [&str; 12] = [
    "Malformed",
    "Violation",
    "Refused",
    "Disconnected",
    "StreamEnded",
    "NotOpened",
    "TimedOut",
    "ByHost",
    "StoreFailed",
    "SourceFailed",
    "RefusedByHost",
    "NotEncodable",
];

fn closed_name(closed: &Closed) -> &'static str {
    match closed {
        Closed::Malformed(_) => "Malformed",
        Closed::Violation(..) => "Violation",
        Closed::Refused { .. } => "Refused",
        Closed::Disconnected { .. } => "Disconnected",
        Closed::StreamEnded => "StreamEnded",
        Closed::NotOpened => "NotOpened",
        Closed::TimedOut(_) => "TimedOut",
        Closed::ByHost(_) => "ByHost",
        Closed::StoreFailed => "StoreFailed",
        Closed::SourceFailed => "SourceFailed",
        Closed::RefusedByHost(_) => "RefusedByHost",
        Closed::NotEncodable(_) => "NotEncodable",
        other => panic!("the table of ways to end lacks {other:?}"),
    }
}

/// Every outcome of an operation. A run of two parties reaches all of them.
pub const OUTCOMES: [&str; 13] = [
    "Sent",
    "Acknowledged",
    "Refused",
    "Subscribed",
    "Unsubscribed",
    "Expired",
    "Dropped",
    "TooLarge",
    "NotSupported",
    "SessionLost",
    "Cancelled",
    "Interrupted",
    "SourceFailed",
];

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent => "Sent",
        Outcome::Acknowledged(_) => "Acknowledged",
        Outcome::Refused(_) => "Refused",
        Outcome::Subscribed(_) => "Subscribed",
        Outcome::Unsubscribed(_) => "Unsubscribed",
        Outcome::Expired => "Expired",
        Outcome::Dropped(_) => "Dropped",
        Outcome::TooLarge { .. } => "TooLarge",
        Outcome::NotSupported(_) => "NotSupported",
        Outcome::SessionLost => "SessionLost",
        Outcome::Cancelled => "Cancelled",
        Outcome::Interrupted => "Interrupted",
        Outcome::SourceFailed => "SourceFailed",
        other => panic!("the table of outcomes lacks {other:?}"),
    }
}
