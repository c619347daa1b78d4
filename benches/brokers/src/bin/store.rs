//! The store of a broker without the broker: what a broker has stored for messages to a client with a session, a group and a flush at a time.
//!
//! A broker in memory says what is to be stored, and each group goes to the store as its host gives it. Only the store is timed.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use clap::Parser;
use mqtt_session::proto::{
    Connect, Decoded, Delivery, Filters, Packet, PacketId, Publish, QoS, Role, Rules, Subscribe, SubscriptionOptions,
    Text, TopicName, Version, decode,
};
use mqtt_session::{Broker, BrokerBatch, BrokerConfig, ConnectionId, Limits, Outbox, ServerConfig, SessionConfig};
use mqtt_store::{Durability, FileOptions, FileStore, SessionName, Store, Write};
use rustix::time::{ClockId, clock_gettime};

type Failed = Box<dyn Error>;

const VERSION: Version = Version::V3_1_1;
const TOPIC: &str = "bench/0";
/// As `mqtt bench` sends.
const PAYLOAD_BYTES: usize = 64;
/// For the broker, no time passes.
const NOW: mqtt_session::Instant = mqtt_session::Instant::from_secs(1_700_000_000);

/// The store of a broker without the broker.
#[derive(Debug, Parser)]
struct Options {
    /// How many messages a group has, all of which come before the next group
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    group: u16,
    /// How long the store works while it is measured
    seconds: f64,
    /// How long it works before
    warm_up: f64,
}

fn main() -> Result<(), Failed> {
    let options = Options::parse();
    // Where the file lies decides what a flush costs: TMPDIR says where.
    let folder = tempfile::tempdir()?;
    let durability = FileOptions::default().durability(Durability::Sync);
    let mut store = FileStore::open_with(folder.path().join("store"), durability)?;
    let mut load = Load::new(options.group)?;
    let warm_up = Duration::try_from_secs_f64(options.warm_up)?;
    let time = Duration::try_from_secs_f64(options.seconds)?;
    work(&mut load, &mut store, warm_up)?;
    let mut work = work(&mut load, &mut store, time)?;
    work.times.sort_unstable();
    let messages = work.times.len() as f64 * f64::from(options.group);
    let at = |quantile: f64| {
        let place = ((work.times.len() - 1) as f64 * quantile).round() as usize;
        work.times[place].as_secs_f64() * 1e6
    };
    let figures = serde_json::json!({
        "received_per_second": messages / work.spent.as_secs_f64(),
        "broker": { "cpu_micros_per_message": work.used.as_secs_f64() * 1e6 / messages },
        "acknowledgement_micros": { "p50": at(0.5), "p99": at(0.99) },
        "lost": 0,
    });
    println!("{figures}");
    Ok(())
}

/// What the store has done: groups, and what they took.
#[derive(Default)]
struct Work {
    spent: Duration,
    used: Duration,
    times: Vec<Duration>,
}

/// Gives groups to the store, until it has worked for so long; at least one.
fn work(load: &mut Load, store: &mut FileStore, time: Duration) -> Result<Work, Failed> {
    let mut work = Work::default();
    while work.times.is_empty() || work.spent < time {
        let group = load.next()?;
        let (began, used) = (Instant::now(), cpu_time()?);
        store.commit(&group)?;
        let taken = began.elapsed();
        work.used += cpu_time()?.saturating_sub(used);
        work.spent += taken;
        work.times.push(taken);
        load.stored()?;
    }
    Ok(work)
}

/// Of this thread, which is all that a store has.
fn cpu_time() -> Result<Duration, Failed> {
    Ok(Duration::try_from(clock_gettime(ClockId::ThreadCPUTime))?)
}

/// A broker, one that publishes a group of messages at a time, and a subscriber with a session that acknowledges them.
struct Load {
    broker: Broker,
    publisher: ConnectionId,
    subscriber: ConnectionId,
    outbox: Outbox,
    name: SessionName,
    batch: BrokerBatch,
    /// The last batch that the store has been given.
    given: u64,
    /// The messages of a group, as they come from the wire.
    messages: BytesMut,
    group: u16,
    /// How many messages of the last group have been acknowledged to their publisher.
    acknowledged: u16,
    /// What the subscriber answers to what it has got.
    answers: BytesMut,
}

impl Load {
    fn new(group: u16) -> Result<Self, Failed> {
        let limits = Limits::default().receive_maximum(u16::MAX);
        let client = ServerConfig::default().session(SessionConfig::default().limits(limits));
        let config = BrokerConfig::new(7).client(client).is_stored(true);
        let mut broker = Broker::new(config, NOW);
        let mut open = || broker.handle_open(NOW).ok_or("the broker takes no connection");
        let (publisher, subscriber) = (open()?, open()?);
        let mut load = Self {
            broker,
            publisher,
            subscriber,
            outbox: Outbox::default(),
            name: SessionName::new("broker")?,
            batch: BrokerBatch::new(),
            given: 0,
            messages: messages(group)?,
            group,
            acknowledged: group,
            answers: BytesMut::new(),
        };
        load.comes(publisher, &connect("publisher", true)?)?;
        load.comes(subscriber, &connect("subscriber", false)?)?;
        let filters = Filters::builder().filter(TOPIC, SubscriptionOptions::new(QoS::AtLeastOnce));
        let mut subscribe = BytesMut::new();
        Subscribe::new(PacketId::MIN, filters.build()?).encode_to(VERSION, &mut subscribe)?;
        load.comes(subscriber, &subscribe)?;
        Ok(load)
    }

    /// What is to be stored for the next group, and for the acknowledgements of those before.
    fn next(&mut self) -> Result<Vec<Write>, Failed> {
        if self.acknowledged != self.group {
            let (acknowledged, group) = (self.acknowledged, self.group);
            return Err(format!("of {group} messages {acknowledged} are acknowledged").into());
        }
        self.acknowledged = 0;
        let (answers, messages) = (self.answers.split(), self.messages.clone());
        self.comes(self.subscriber, &answers)?;
        self.comes(self.publisher, &messages)?;
        let mut writes = Vec::new();
        while self.broker.poll_store(&mut self.batch) {
            self.given = self.batch.number();
            writes.push(Write::apply_broker(self.name.clone(), self.batch.changes().to_vec()));
        }
        // What does not wait for the store goes out meanwhile.
        self.goes()?;
        Ok(writes)
    }

    fn stored(&mut self) -> Result<(), Failed> {
        self.broker.handle_stored(NOW, self.given);
        self.goes()
    }

    fn comes(&mut self, connection: ConnectionId, mut bytes: &[u8]) -> Result<(), Failed> {
        self.broker.handle_input(NOW, connection, &mut bytes);
        while self.broker.poll_event().is_some() {}
        match bytes.is_empty() {
            true => Ok(()),
            false => Err("the broker does not take all that comes".into()),
        }
    }

    /// What the broker sends: acknowledgements, which are counted, and messages, which are answered.
    fn goes(&mut self) -> Result<(), Failed> {
        let rules = Rules::new(VERSION).sent_by(Role::Server);
        while let Some(connection) = self.broker.poll_ready() {
            let mut bytes = Vec::new();
            loop {
                self.broker.poll_transmit(connection, &mut self.outbox);
                if self.outbox.is_empty() {
                    break;
                }
                while self.outbox.has_remaining() {
                    let chunk = self.outbox.chunk();
                    bytes.extend_from_slice(chunk);
                    let len = chunk.len();
                    self.outbox.advance(len);
                }
            }
            let mut rest = bytes.as_slice();
            while let Decoded::Packet { packet, len } = decode(rest, &rules)? {
                match packet {
                    Packet::PubAck(_) => self.acknowledged += 1,
                    Packet::Publish(publish) => {
                        let id = publish.delivery.id().ok_or("a message has no identifier")?;
                        self.answers.extend_from_slice(&[0x40, 2]);
                        self.answers.extend_from_slice(&id.get().to_be_bytes());
                    }
                    _ => {}
                }
                rest = &rest[len..];
            }
        }
        Ok(())
    }
}

fn connect(name: &str, is_clean: bool) -> Result<BytesMut, Failed> {
    let mut connect = Connect::new(VERSION, Text::from_bytes(name.as_bytes())?);
    connect.clean_start = is_clean;
    let mut out = BytesMut::new();
    connect.encode_to(VERSION, &mut out)?;
    Ok(out)
}

/// One for each identifier.
fn messages(group: u16) -> Result<BytesMut, Failed> {
    let mut out = BytesMut::new();
    let payload = Bytes::from(vec![b'.'; PAYLOAD_BYTES]);
    for id in 1..=group {
        let topic = TopicName::from_bytes(TOPIC.as_bytes())?;
        let mut publish = Publish::new(topic, &payload[..]);
        let id = PacketId::new(id).ok_or("an identifier is not 0")?;
        publish.delivery = Delivery::first(QoS::AtLeastOnce, id);
        publish.encode_to(VERSION, &mut out)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use mqtt_session::BrokerChange;
    use mqtt_store::Action;

    use super::*;

    fn changes(group: &[Write]) -> Vec<&BrokerChange> {
        let of = |write| match write {
            &Write {
                action: Action::ApplyBroker(ref changes),
                ..
            } => changes.iter(),
            _ => panic!("a broker stores"),
        };
        group.iter().flat_map(of).collect()
    }

    #[test]
    fn each_message_comes_and_goes_with_the_group_after_it() {
        for group in [1, 20, 500] {
            let mut load = Load::new(group).unwrap();
            let mut counts = Vec::new();
            for _ in 0..5 {
                let writes = load.next().unwrap();
                let all = changes(&writes);
                let puts = all
                    .iter()
                    .filter(|change| matches!(change, BrokerChange::Put(_)))
                    .count();
                counts.push((puts, all.len() - puts));
                load.stored().unwrap();
            }
            // The same for each group, once there are some before it, and at least a record of each message.
            assert!(counts[3..].iter().all(|count| *count == counts[2]), "{counts:?}");
            let (puts, deletes) = counts[2];
            assert!(
                puts >= usize::from(group) && deletes >= usize::from(group),
                "{counts:?}"
            );
        }
    }
}
