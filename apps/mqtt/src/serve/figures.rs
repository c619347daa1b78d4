//! What all shards have counted, together.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use mqtt_adapter::host::{ShardHandle, Traffic};
use mqtt_session::Figures;

/// A shard that does not answer by then is busy with more important things.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// Something that is counted: its name, what it is, and where it stands.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    value: fn(&Sums) -> u64,
}

/// What was counted by all shards.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    shards: Vec<(Figures, Traffic)>,
}

macro_rules! figures {
    ($($part:tt . $name:ident $kind:ident $help:literal,)*) => {
        /// All that is counted.
        pub(super) const ALL: &[Figure] = &[$(Figure {
            name: stringify!($name),
            help: $help,
            kind: Kind::$kind,
            value: |sums| sums.shards.iter().map(|shard| shard.$part.$name).sum(),
        }),*];
    };
}

figures! {
    0.connections Gauge "Connections that are open, admitted or not",
    0.connections_opened Counter "Connections that were opened",
    0.connections_refused Counter "Connections that were not opened for want of room",
    0.sessions Gauge "Sessions, with and without a connection",
    0.clients_connected Gauge "Sessions whose client is connected",
    0.takeovers Counter "Clients that came while an earlier connection of theirs was there",
    0.subscriptions Gauge "Subscriptions",
    0.retained_messages Gauge "Retained messages",
    0.retained_bytes Gauge "What retained messages take in memory",
    0.bytes_received Counter "Bytes that were read from clients",
    0.bytes_sent Counter "Bytes that were handed to be sent to clients",
    0.reads_paused Counter "How often a stream was not read for a while, at a rate",
    0.messages_received Counter "Messages that came from clients",
    0.messages_published Counter "Messages that were published and allowed",
    0.messages_delivered Counter "Copies that were handed to a connection or a session",
    0.messages_dropped Counter "Copies that were dropped since a queue was full",
    0.messages_handed_on Counter "Copies of shared subscriptions that went on to another member",
    0.messages_refused Counter "Messages that the rights did not allow",
    0.retained_refused Counter "Messages that were to be retained and had no room",
    0.wills_published Counter "Wills that were published",
    0.wills_dropped Counter "Wills that were given up for want of room",
    0.sessions_ended Counter "Sessions that ended",
    0.sessions_refused Counter "Clients that were refused for want of room for their sessions",
    0.subscriptions_revoked Counter "Subscriptions that ended since the rights do not allow them any more",
    0.subscriptions_refused Counter "Filters that were refused at a limit",
    1.accepted Counter "Streams that were accepted",
    1.accept_pauses Counter "How often a listener paused for want of files",
    1.streams_failed Counter "Streams that broke, or whose layers refused to go on",
    1.reads Counter "How often a stream gave bytes",
    1.writes Counter "How often a stream took bytes",
    1.streams Gauge "Streams that are open",
}

impl Figure {
    pub(super) fn of(&self, sums: &Sums) -> u64 {
        (self.value)(sums)
    }
}

impl Sums {
    /// The topics below `$SYS/broker` with their values. What every shard has for itself, as the time since its start, counts
    /// once.
    pub(super) fn topics(&self) -> Vec<(&'static str, u64)> {
        let mut shards = self.shards.iter().map(|(figures, _)| figures.topics());
        let mut sums: Vec<_> = shards.next().into_iter().flatten().collect();
        for shard in shards {
            for ((topic, sum), (_, value)) in sums.iter_mut().zip(shard) {
                if !topic.ends_with("/uptime") {
                    *sum += value;
                }
            }
        }
        sums
    }
}

/// Asks all shards. `None`: one of them does not answer.
pub(super) fn ask(shards: &[ShardHandle]) -> Option<Sums> {
    let (sender, receiver) = mpsc::channel();
    for shard in shards {
        let sender = sender.clone();
        let is_there = shard.run(move |desk| {
            // Whoever asked may have given up.
            let _ = sender.send((desk.broker.figures(), desk.traffic()));
        });
        if !is_there {
            return None;
        }
    }
    let until = Instant::now() + PATIENCE;
    let mut sums = Sums::default();
    for _ in shards {
        let left = until.saturating_duration_since(Instant::now());
        sums.shards.push(receiver.recv_timeout(left).ok()?);
    }
    Some(sums)
}
