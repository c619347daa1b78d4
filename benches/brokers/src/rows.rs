//! What is measured: one row, one load.

use crate::brokers::Kind;
use crate::configuration::Keeping;
use crate::foreign::Foreign;

/// What of a load is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// As many as are taken: CPU time a message, and how many.
    Throughput,
    /// The same offered rate for all: CPU time a message, and latencies.
    Offered,
    /// Memory of connections that only stand.
    Memory,
    /// Retained messages for a new subscriber.
    Replay,
    /// As many as are taken and stored: how many, and when they are acknowledged.
    Durable,
    /// As many as are taken, by a generator that is not ours.
    Foreign,
}

/// One load for all brokers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// On the command line.
    pub name: &'static str,
    /// In the table.
    pub title: &'static str,
    /// What is looked at.
    pub measure: Measure,
    /// Arguments of `mqtt bench`, where it loads.
    pub load: &'static str,
    /// Whether it goes over TLS.
    pub has_tls: bool,
    /// The name of those rows that are measured in the same rounds, as their figures are compared.
    pub together: Option<&'static str>,
    /// How many messages may be unacknowledged at a time, where they are stored: the groups that the bare store gets.
    pub group: Option<u16>,
    /// The load, if it is not `mqtt bench` that loads.
    pub foreign: Option<Foreign>,
    /// What does not take part, and why.
    pub without: &'static [(Kind, &'static str)],
}

/// The rows that say what filters add to a message.
pub const FEW_TOPICS: &str = "random-10";
pub const MANY_TOPICS: &str = "random-100000";

const NO_QOS_2: (Kind, &str) = (Kind::Nats, "it knows no QoS 2");
const ONE_TOPIC: (Kind, &str) = (Kind::Null, "it knows no wildcards and no retained messages");
const REPLAY_STALLS: (Kind, &str) = (Kind::Rumqttd, "it stops after 200 retained messages");
const MANY_STALL: (Kind, &str) = (
    Kind::Rumqttd,
    "it delivers nothing within ten seconds to a client with 100,000 filters",
);
const NO_TLS: (Kind, &str) = (Kind::Null, "it speaks no TLS");
const NO_FILE: [(Kind, &str); 3] = [
    (Kind::Null, "it stores nothing"),
    (Kind::Rumqttd, "it stores nothing in files by default"),
    (Kind::Nats, "its store flushes at times of its own"),
];

const fn row(name: &'static str, title: &'static str, measure: Measure, load: &'static str) -> Row {
    Row {
        name,
        title,
        measure,
        load,
        has_tls: false,
        together: None,
        group: None,
        foreign: None,
        without: &[],
    }
}

impl Row {
    const fn without(mut self, without: &'static [(Kind, &'static str)]) -> Self {
        self.without = without;
        self
    }

    const fn together(mut self, name: &'static str) -> Self {
        self.together = Some(name);
        self
    }

    const fn stored_in_groups_of(mut self, messages: u16) -> Self {
        self.group = Some(messages);
        self.without(&NO_FILE)
    }

    const fn by_another(mut self, qos: u8, subscribers: u32, own: &'static [&'static str]) -> Self {
        self.foreign = Some(Foreign { qos, subscribers, own });
        self
    }

    const fn over_tls(mut self) -> Self {
        self.has_tls = true;
        self.without(&[NO_TLS])
    }

    /// Whether each message goes to many.
    pub fn is_fanout(&self) -> bool {
        self.name.contains("fanout")
    }

    /// Whether a broker takes part.
    pub fn has(&self, kind: Kind) -> bool {
        let is_left_out = self.without.iter().any(|(other, _)| *other == kind);
        !is_left_out && (kind != Kind::Store || self.group.is_some())
    }

    /// What the brokers keep.
    pub fn keeping(&self) -> Keeping {
        match self.measure {
            Measure::Durable => Keeping::File,
            _ => Keeping::Memory,
        }
    }

    /// Whether the load has a time; the others have a number of messages or connections.
    pub fn is_timed(&self) -> bool {
        matches!(self.measure, Measure::Throughput | Measure::Offered | Measure::Durable)
    }

    /// How many rounds of those that are asked for: memory does not move.
    pub fn rounds(&self, asked: usize) -> usize {
        match self.measure {
            Measure::Memory => asked.min(3),
            _ => asked,
        }
    }
}

/// All rows, in the order of the table.
pub fn all() -> Vec<Row> {
    use Measure::{Durable, Foreign, Memory, Offered, Replay, Throughput};
    vec![
        row("qos0", "1→1, QoS 0, 64 B", Throughput, "-q 0 --ahead 2000"),
        row("qos1", "1→1, QoS 1, window 20, 64 B", Throughput, "-q 1 --window 20"),
        row("qos2", "1→1, QoS 2, window 20, 64 B", Throughput, "-q 2 --window 20").without(&[NO_QOS_2]),
        row(
            "fanout",
            "1→100, QoS 0, 64 B",
            Throughput,
            "-q 0 --subscribers 100 --ahead 2000",
        ),
        row("fanin", "100→1, QoS 0, 64 B", Throughput, "-q 0 --publishers 100"),
        row("large", "1→1, QoS 0, 4 KiB", Throughput, "-q 0 --payload 4096"),
        row(
            "qos0-1000",
            "1→1, QoS 0, 64 B, 1000 a second",
            Offered,
            "-q 0 --rate 1000",
        ),
        row(
            "qos1-1000",
            "1→1, QoS 1, 64 B, 1000 a second",
            Offered,
            "-q 1 --rate 1000",
        ),
        row(
            "qos2-1000",
            "1→1, QoS 2, 64 B, 1000 a second",
            Offered,
            "-q 2 --rate 1000",
        )
        .without(&[NO_QOS_2]),
        row(
            "qos0-20000",
            "1→1, QoS 0, 64 B, 20,000 a second",
            Offered,
            "-q 0 --rate 20000",
        ),
        row(
            "fanout-200",
            "1→100, QoS 0, 64 B, 200 a second",
            Offered,
            "-q 0 --subscribers 100 --rate 200",
        ),
        row(
            "fanin-1000",
            "100→1, QoS 0, 64 B, 1000 a second",
            Offered,
            "-q 0 --publishers 100 --rate 1000",
        ),
        row(
            "large-1000",
            "1→1, QoS 0, 4 KiB, 1000 a second",
            Offered,
            "-q 0 --payload 4096 --rate 1000",
        ),
        row(
            "filters-10",
            "1→1, QoS 0, among 10 other filters",
            Throughput,
            "-q 0 --filters 10 --ahead 2000",
        ),
        row(
            "filters-100000",
            "1→1, QoS 0, among 100,000 other filters",
            Throughput,
            "-q 0 --filters 100000 --ahead 2000",
        ),
        row(
            FEW_TOPICS,
            "1→1, QoS 0, random topics, 10 filters",
            Throughput,
            "-q 0 --random-topics 10 --ahead 2000",
        )
        .together("random"),
        row(
            MANY_TOPICS,
            "1→1, QoS 0, random topics, 100,000 filters",
            Throughput,
            "-q 0 --random-topics 100000 --ahead 2000",
        )
        .without(&[MANY_STALL])
        .together("random"),
        row("tls0", "1→1, QoS 0, 64 B, TLS", Throughput, "-q 0").over_tls(),
        row(
            "tls-rate",
            "1→1, QoS 1, 64 B, TLS, 1000 a second",
            Offered,
            "-q 1 --rate 1000",
        )
        .over_tls(),
        row(
            "idle",
            "5000 idle connections with a subscription each",
            Memory,
            "--publishers 0 --subscribers 0 --idle 5000",
        ),
        row(
            "idle-tls",
            "2000 idle connections with a subscription each, TLS",
            Memory,
            "--publishers 0 --subscribers 0 --idle 2000",
        )
        .over_tls(),
        row(
            "retained",
            "100,000 retained messages for a new subscriber",
            Replay,
            "-q 0 --retained 100000",
        )
        .without(&[ONE_TOPIC, REPLAY_STALLS]),
        row(
            "sync-1",
            "1 publisher, QoS 1, kept for a session, in a file",
            Durable,
            "-q 1 --window 20 --keep-sessions",
        )
        .stored_in_groups_of(20),
        row(
            "sync-10",
            "10 publishers, QoS 1, kept for a session, in a file",
            Durable,
            "-q 1 --window 20 --keep-sessions --publishers 10",
        )
        .stored_in_groups_of(200),
        // Window 20 lets 2,000 be under way, and 500 ahead of the subscriber are the most.
        row(
            "sync-100",
            "100 publishers, QoS 1, kept for a session, in a file",
            Durable,
            "-q 1 --window 20 --keep-sessions --publishers 100",
        )
        .stored_in_groups_of(500),
        row("foreign-qos0", "1→1, QoS 0, 64 B, by Paho C", Foreign, "").by_another(0, 1, &["qos0", "qos0-20000"]),
        row("foreign-qos1", "1→1, QoS 1, window 20, 64 B, by Paho C", Foreign, "").by_another(
            1,
            1,
            &["qos1", "qos1-1000"],
        ),
        row("foreign-fanout", "1→100, QoS 0, 64 B, by Paho C", Foreign, "").by_another(
            0,
            100,
            &["fanout", "fanout-200"],
        ),
    ]
}
