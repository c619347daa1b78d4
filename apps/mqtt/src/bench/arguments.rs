//! What the command line says, and what cannot be.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_tokio::Endpoint;
use mqtt_tokio::session::proto::{QoS, Version};

use super::server::Server;
use crate::Ending;
use crate::client::{Password, TlsArguments, qos, seconds, version};

/// The least payload that has room for a number and a time.
pub(super) const STAMP_BYTES: usize = 16;
/// Publishers times subscribers where topics are drawn: for each of these pairs 2 KiB say which messages have come.
const PAIRS_MAX: u64 = 65_536;
/// The keep-alive of the connections, which nothing renews, is 18 hours.
const DURATION_MAX: Duration = Duration::from_secs(12 * 3600);
/// How long a message may be.
const PAYLOAD_MAX_BYTES: usize = 16 << 20;

/// Load a broker, and measure it
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Without --rate the next message goes out as soon as --window and --ahead allow: that
measures how many the broker can take. With --rate messages go out at their times whatever the
broker does, and each is timed from when it was due: that measures how long they take.
CPU a message means little between machines and minutes; compare brokers in turns.

Examples:
  mqtt bench                                        one publisher, one subscriber, QoS 0
  mqtt bench -q 1 --window 20 --duration 5
  mqtt bench --subscribers 100                      each message to a hundred
  mqtt bench --publishers 100                       a hundred to one
  mqtt bench --publishers 10 --subscribers 10 --topics 10    ten pairs
  mqtt bench --random-topics 10000                  each message to one of 10,000 topics
  mqtt bench --random-topics 100000 --subscribers 10 --seed 7    whose filters ten clients share
  mqtt bench --rate 1000 --pid $(pidof mosquitto) --json
  mqtt bench --rate 20000 --svg latency.svg
  mqtt bench --idle 10000 --pid 4711                memory of connections that only stand
  mqtt bench --connect mqtts://localhost --cafile authority.pem    all of it over TLS
  mqtt bench --filters 10000                        the same among other people's filters
  mqtt bench --rate 1000 --stalled 100              the same beside subscribers that never read
  mqtt bench --retained 100000                      what a new subscriber is sent

What a run makes at the broker it takes away in the end, also after an error, Ctrl-C or SIGTERM; a second
signal ends it at once. After that, or after kill -9, retained messages below TOPIC/retained may stay
(mqtt ctl retained delete --filter 'bench/retained/#'), and of --keep-sessions the sessions bench-*: for an
hour with MQTT 5, else until they are ended (mqtt ctl kick --end-session).

Exit codes:
  0    done
  1    failed: no connection, a connection that ended, ...
  2    called with what cannot be
  3    the server refused: a connection, a subscription or a message
  4    messages were lost, or not acknowledged
  130  interrupted by SIGINT, as by Ctrl-C; by SIGTERM: 143"
)]
pub struct BenchArguments {
    /// The broker: HOST:PORT, mqtt://HOST:PORT or mqtts://HOST:PORT
    #[arg(short, long, value_name = "URL", default_value = "127.0.0.1:1883")]
    pub connect: Server,
    /// Version of MQTT: 5, 3.1.1 or 3.1
    #[arg(short = 'V', long, value_name = "VERSION", default_value = "5", value_parser = version)]
    pub protocol_version: Version,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    pub username: Option<String>,
    /// Password; others on this machine can see it
    #[arg(short = 'P', long, requires = "username")]
    pub password: Option<Password>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the help of the command")]
    pub tls: TlsArguments,

    /// How many clients publish
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=60_000), help_heading = "Shape")]
    pub publishers: u32,
    /// How many clients subscribe
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=60_000), help_heading = "Shape")]
    pub subscribers: u32,
    /// Over how many topics they are spread, in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60_000), help_heading = "Shape")]
    pub topics: u32,
    /// Each message goes to one of so many topics, drawn with equal chances. All of them are subscribed to, each once: the subscribers share them, in turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), conflicts_with = "topics", help_heading = "Shape")]
    pub random_topics: Option<u32>,
    /// Of --random-topics: with the same one the same topics are drawn
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "random_topics",
        help_heading = "Shape"
    )]
    pub seed: u64,
    /// QoS of messages and subscriptions: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = qos, help_heading = "Shape")]
    pub qos: QoS,
    /// Bytes of each payload; from 16 on it carries a number and a time, by which losses and latencies are seen, from 24 on also its run
    #[arg(long, value_name = "BYTES", default_value_t = 64, help_heading = "Shape")]
    pub payload: usize,
    /// Subscribers have sessions that outlive their connections: what they are to get is stored, if the broker stores
    #[arg(long, conflicts_with = "retained", help_heading = "Shape")]
    pub keep_sessions: bool,
    /// What all topics begin with
    #[arg(long, value_name = "TOPIC", default_value = "bench", help_heading = "Shape")]
    pub topic: String,

    /// How many messages a second are offered, by all publishers together [default: as many as are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub rate: Option<u32>,
    /// How many messages of QoS 1 and 2 each publisher has unacknowledged at a time, unless the server takes fewer
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Load")]
    pub window: u16,
    /// Without --rate: how many messages of a topic are sent ahead of its slowest subscriber, so that no queue drops any
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub ahead: u32,
    /// Seconds to measure [default: 10, with --count until all have come]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// Messages to publish, by all publishers together
    #[arg(long, value_name = "N", conflicts_with = "duration", help_heading = "Load")]
    pub count: Option<u64>,
    /// Seconds before the measurement, under the same load
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = "Load")]
    pub warm_up: Duration,
    /// Seconds without any progress after which what is missing is lost
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = "Load")]
    pub patience: Duration,

    /// So many more connections, which only stand, with one subscription each
    #[arg(
        long,
        visible_alias = "connections-idle",
        value_name = "N",
        default_value_t = 0,
        help_heading = "Beside it"
    )]
    pub idle: u32,
    /// So many more connections, which subscribe to all messages and never read, every other one with QoS 0: the broker has to drop what they do not take
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Beside it")]
    pub stalled: u32,
    /// So many subscriptions of one more client, beside the topics of the messages, which match none of them; `mqtt broker` takes 10,000 from a client, unless limits.broker.subscriptions_per_session says otherwise
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Beside it")]
    pub filters: u32,
    /// Instead of publishing: keep so many retained messages, and measure how they are sent to new subscribers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["rate", "count", "duration", "warm_up", "topics", "random_topics"], help_heading = "Beside it")]
    pub retained: Option<u32>,

    /// Process of the broker: its CPU time, memory and context switches are measured (Linux)
    #[arg(long, value_name = "ID", help_heading = "Results")]
    pub pid: Option<u32>,
    /// Print the results as JSON
    #[arg(long, help_heading = "Results")]
    pub json: bool,
    /// Draw rate and latencies into this file
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub svg: Option<PathBuf>,
    /// Show no progress
    #[arg(long, help_heading = "Results")]
    pub quiet: bool,
}

impl BenchArguments {
    /// Where the broker is, with TLS or without.
    pub(super) fn endpoint(&self) -> &Endpoint {
        self.connect.endpoint(self.tls.ask_for_it())
    }

    /// What no single option can see.
    pub(super) fn check(&self) -> Result<(), Ending> {
        let refused = |what: &str, advice: &str| Err(Ending::misused(what).advice(advice));
        if self.payload > PAYLOAD_MAX_BYTES {
            return refused("--payload: it is too large", "16777216 bytes are the most");
        }
        if self.duration.is_some_and(|time| time > DURATION_MAX) || self.warm_up > DURATION_MAX {
            return refused("--duration, --warm-up: it is too long", "43200 seconds are the most");
        }
        if self.patience.is_zero() {
            return refused("--patience: no message comes in no time", "5 is the default");
        }
        if self.topic.contains(['+', '#', '\0']) || self.topic.is_empty() || self.topic.len() > 1024 {
            return refused(
                "--topic: no message has such a topic",
                "leave out + and #, and take at most 1024 bytes",
            );
        }
        if self.retained.is_some() {
            return match self.subscribers {
                0 => refused("--retained: nobody subscribes", "--subscribers is 1 or more"),
                _ => Ok(()),
            };
        }
        if self.publishers == 0 && self.idle == 0 && self.stalled == 0 && self.filters == 0 {
            return refused(
                "--publishers 0: nothing is done",
                "--idle, --stalled or --filters stand without publishers",
            );
        }
        if self.random_topics.is_some_and(|topics| topics < self.subscribers) {
            return refused(
                "--random-topics: some subscribers have none of the topics",
                "take as many as there are subscribers, or more",
            );
        }
        let pairs = u64::from(self.publishers) * u64::from(self.subscribers);
        if self.random_topics.is_some() && pairs > PAIRS_MAX {
            return refused(
                "--random-topics: too many publishers and subscribers to tell what is lost between them",
                "--publishers times --subscribers is at most 65536 then",
            );
        }
        if self.publishers > 0 && self.topics > self.publishers.max(self.subscribers) {
            return refused(
                "--topics: some have neither a publisher nor a subscriber",
                "take as many as there are publishers or subscribers",
            );
        }
        Ok(())
    }

    /// How long is measured; `None`: until all have come.
    pub(super) fn measured(&self) -> Option<Duration> {
        match self.count {
            Some(_) => None,
            None => Some(self.duration.unwrap_or(Duration::from_secs(10))),
        }
    }

    /// Whether payloads carry a number and a time.
    pub(super) const fn is_stamped(&self) -> bool {
        self.payload >= STAMP_BYTES
    }
}
