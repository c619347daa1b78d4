//! What all shards have counted, together.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use mqtt_adapter::host::{ShardHandle, Traffic};
pub(super) use mqtt_session::FigureKind as Kind;
use mqtt_session::Figures;

/// A shard that does not answer by then is busy with more important things.
const PATIENCE: Duration = Duration::from_secs(2);

/// Something that is counted: its name, what it is, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    value: Value,
}

#[derive(Clone, Copy)]
enum Value {
    OfBroker(mqtt_session::Figure),
    OfTraffic(fn(&Traffic) -> u64),
}

/// What was counted by all shards.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    figures: Figures,
    traffic: Traffic,
}

/// What a shard counts of its streams, in the order of its fields.
macro_rules! traffic {
    ($($name:ident $kind:ident $help:literal,)*) => {
        const TRAFFIC: &[Figure] = &[$(Figure {
            name: stringify!($name),
            help: $help,
            kind: Kind::$kind,
            value: Value::OfTraffic(|traffic| traffic.$name),
        }),*];

        fn add(sum: &mut Traffic, other: &Traffic) {
            $(sum.$name = sum.$name.saturating_add(other.$name);)*
        }
    };
}

traffic! {
    accepted Counter "Streams that were accepted",
    accept_pauses Counter "How often a listener paused, at its bound or for want of files",
    addresses_full Counter "Streams that were closed at once, since their address had as many as it may have",
    streams_failed Counter "Streams that broke, or whose layers refused to go on",
    sent_to_peers Counter "Streams that were handed to the shard of their client",
    reads Counter "How often a stream gave bytes",
    bytes_read Counter "Bytes that streams gave, with what their layers need",
    writes Counter "How often a stream took bytes",
    bytes_written Counter "Bytes that streams took, with what their layers need",
    streams Gauge "Streams that are open",
}

const COUNT: usize = Figures::ALL.len() + TRAFFIC.len();

/// All that is counted: by the brokers, and of their streams.
pub(super) const ALL: &[Figure] = &all();

const fn all() -> [Figure; COUNT] {
    let mut all = [TRAFFIC[0]; COUNT];
    let mut index = 0;
    while index < COUNT {
        all[index] = if index < Figures::ALL.len() {
            let figure = Figures::ALL[index];
            Figure {
                name: figure.name,
                help: figure.help,
                kind: figure.kind,
                value: Value::OfBroker(figure),
            }
        } else {
            TRAFFIC[index - Figures::ALL.len()]
        };
        index += 1;
    }
    all
}

impl Figure {
    pub(super) fn of(&self, sums: &Sums) -> u64 {
        match self.value {
            Value::OfBroker(figure) => figure.of(&sums.figures),
            Value::OfTraffic(value) => value(&sums.traffic),
        }
    }
}

impl Sums {
    /// The topics below `$SYS/broker` with their values.
    pub(super) fn topics(&self) -> Vec<(&'static str, u64)> {
        self.figures.topics().collect()
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
        let (figures, traffic) = receiver.recv_timeout(left).ok()?;
        sums.figures = sums.figures.with(figures);
        add(&mut sums.traffic, &traffic);
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_counted_of_streams_is_told_by_its_name() {
        let names: Vec<_> = TRAFFIC.iter().map(|figure| format!("{}: 0", figure.name)).collect();
        let fields = format!("Traffic {{ {} }}", names.join(", "));
        assert_eq!(fields, format!("{:?}", Traffic::default()));
    }

    #[test]
    fn each_name_stands_once_and_says_what_it_is() {
        for figure in ALL {
            assert_eq!(
                ALL.iter().filter(|other| other.name == figure.name).count(),
                1,
                "{}",
                figure.name
            );
            assert!(
                !figure.help.is_empty() && !figure.help.ends_with('.'),
                "{}",
                figure.name
            );
        }
    }
}
