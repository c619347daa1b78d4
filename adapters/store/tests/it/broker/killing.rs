//! A process with a broker and a client that publishes is killed, again and again. What its client was told stands in a
//! ledger outside of it; what its broker has is asked by another client, that was never connected in between.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{Filters, SubscribeProperties, SubscriptionOptions};
use mqtt_session::{
    Broker, BrokerBatch, BrokerConfig, BrokerLimits, Client, ClientConfig, Event, Instant, Message, Outcome, QoS,
};
use mqtt_store::{BrokerWriter, Durability, FileOptions, FileStore, Writer};

use super::load::broker_name;
use super::streams::Peer;
use crate::killing::Life;
use crate::model::Random;

const FOLDER: &str = "MQTT_STORE_KILLED_BROKER_FOLDER";
const DURABILITY: &str = "MQTT_STORE_KILLED_BROKER_DURABILITY";
const FIRST: &str = "MQTT_STORE_KILLED_BROKER_FIRST";
const KILLS: &str = "MQTT_STORE_KILLS";
/// The word behind which the process says what was acknowledged.
const ACKNOWLEDGED: &str = "acknowledged";
const WINDOW: usize = 20;

/// A broker on a file, and one client of it.
struct Host {
    now: Instant,
    broker: Broker,
    store: BrokerWriter,
    writer: Writer,
    peer: Peer,
    /// The last batch that the store was given, and the last one that it has.
    given: u64,
    stored: u64,
}

impl Host {
    fn open(folder: &Path, durability: Durability, client: &str, seed: u64) -> Self {
        let now = Instant::from_secs(1_000_000);
        let options = FileOptions::default().durability(durability);
        let store = FileStore::open_with(folder.join("b.redb"), options).unwrap();
        assert_eq!(store.salvaged(), None);
        let writer = Writer::start(store).unwrap();
        let store = writer.broker(broker_name()).unwrap();
        let mut config = BrokerConfig::new(seed).limits(BrokerLimits::default());
        config.client.session.limits.queued_messages = u32::MAX;
        let mut restore = Broker::restore(config, now);
        store.load().unwrap().into_broker(&mut restore).unwrap();
        let (broker, report) = restore.finish();
        assert_eq!((report.quarantined.len(), report.ended.len()), (0, 0), "{report:?}");
        let config = ClientConfig::new(client.to_owned())
            .unwrap()
            .session_expiry_seconds(3_600);
        Self {
            now,
            broker,
            store,
            writer,
            peer: Peer::new(Client::new(config.seed(seed), now)),
            given: 0,
            stored: 0,
        }
    }

    /// Whether something happened, without waiting for it.
    fn step(&mut self, tell: impl FnMut(&Event)) -> bool {
        let mut has_moved = self.peer.step(self.now, &mut self.broker, tell);
        while self.broker.poll_event().is_some() {}
        let mut batch = BrokerBatch::new();
        while self.broker.poll_store(&mut batch) {
            self.store.write(&batch);
            self.given = batch.number();
            has_moved = true;
        }
        if let Some(number) = self.store.wait_stored(Duration::from_micros(200)).unwrap() {
            self.broker.handle_stored(self.now, number);
            self.stored = number;
            has_moved = true;
        }
        has_moved
    }

    /// Steps until nothing happens any more, and the store has everything, however long that takes it.
    fn rest(&mut self, mut tell: impl FnMut(&Event)) {
        while self.step(&mut tell) || self.stored < self.given {}
    }

    fn close(self) {
        drop(self.store);
        self.writer.close().unwrap();
    }
}

/// Not a test of its own: what the others start and kill.
#[test]
#[ignore = "is started and killed by the tests beside it"]
fn the_broker_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let durability = match std::env::var(DURABILITY).as_deref() {
        Ok("sync") => Durability::Sync,
        Ok("os") => Durability::Os,
        _ => Durability::None,
    };
    let mut next: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    // Each life has another client that publishes: the one of the life before is dead with all it knew.
    let mut host = Host::open(Path::new(&folder), durability, &format!("publisher-{next}"), next);
    let mut out = std::io::stdout();
    let mut open = 0;
    loop {
        while open < WINDOW {
            let qos = if next.is_multiple_of(2) {
                QoS::AtLeastOnce
            } else {
                QoS::ExactlyOnce
            };
            let message = Message::new("t", next.to_string()).unwrap().qos(qos);
            host.peer.client.publish(host.now, message, next).unwrap();
            next += 1;
            open += 1;
        }
        host.step(|event| {
            if let Event::Completed { tag, outcome, .. } = event {
                assert!(matches!(outcome, Outcome::Acknowledged(_)), "{outcome:?}");
                writeln!(out, "{ACKNOWLEDGED} {tag}").unwrap();
                out.flush().unwrap();
                open -= 1;
            }
        });
    }
}

fn start(folder: &Path, durability: &str, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "broker::killing::the_broker_that_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(DURABILITY, durability)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The subscriber begins its session, and is gone.
fn subscribe(folder: &Path) {
    let mut host = Host::open(folder, Durability::Sync, "subscriber", 1);
    let filters: Filters<Bytes> = Filters::builder()
        .filter("t", SubscriptionOptions::new(QoS::ExactlyOnce))
        .build()
        .unwrap();
    let none = SubscribeProperties::empty();
    host.peer.client.subscribe(host.now, filters, none, 0).unwrap();
    let mut is_granted = false;
    host.rest(|event| {
        is_granted |= matches!(
            event,
            Event::Completed {
                outcome: Outcome::Subscribed(_),
                ..
            }
        );
    });
    assert!(is_granted);
    host.close();
}

/// The subscriber comes back, as a client that has kept nothing but its name, and takes everything there is for it.
fn collect(folder: &Path, got: &mut BTreeMap<u64, u32>) -> bool {
    let mut host = Host::open(folder, Durability::Sync, "subscriber", 2);
    let config = ClientConfig::new("subscriber").unwrap().session_expiry_seconds(3_600);
    let config = config.clean_start(mqtt_session::CleanStart::Never);
    host.peer = Peer::new(Client::new(config, host.now));
    let mut is_present = false;
    host.rest(|event| match event {
        Event::Connected { session_present, .. } => is_present = *session_present,
        Event::Message(received) => {
            let text = std::str::from_utf8(&received.message.payload).unwrap();
            *got.entry(text.parse().unwrap()).or_default() += 1;
        }
        _ => {}
    });
    host.close();
    is_present
}

#[derive(Debug, Default)]
struct Seen {
    busy: u64,
    acknowledged: usize,
    lost: usize,
    doubled: usize,
    sessions_lost: u64,
}

fn kill(durability: &str, rounds: u64) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(rounds);
    let mut seen = Seen::default();
    let mut got = BTreeMap::new();
    subscribe(folder.path());
    for round in 0..rounds {
        let life = Life::of_round(round, &mut random);
        let acknowledged = life.lead(start(folder.path(), durability, 1 + round * 1_000_000), ACKNOWLEDGED);
        seen.busy += u64::from(!acknowledged.is_empty());
        seen.acknowledged += acknowledged.len();
        seen.sessions_lost += u64::from(!collect(folder.path(), &mut got));
        seen.lost += acknowledged.iter().filter(|number| !got.contains_key(number)).count();
    }
    // Those of QoS 2 have odd numbers.
    seen.doubled = got
        .iter()
        .filter(|(number, times)| *number % 2 == 1 && **times > 1)
        .count();
    println!("{durability}: {seen:?} in {rounds} rounds");
    seen
}

fn rounds() -> u64 {
    std::env::var(KILLS).map_or(20, |kills| kills.parse().unwrap())
}

#[test]
fn nothing_a_broker_acknowledged_is_missing_or_doubled_after_kill_9() {
    let seen = kill("sync", rounds());
    assert_eq!((seen.lost, seen.doubled, seen.sessions_lost), (0, 0, 0), "{seen:?}");
    assert!(seen.busy * 2 >= rounds() && seen.acknowledged > 20, "{seen:?}");
}

#[test]
fn the_operating_system_keeps_what_a_broker_gave_it() {
    let seen = kill("os", rounds().div_ceil(4));
    assert_eq!((seen.lost, seen.doubled, seen.sessions_lost), (0, 0, 0), "{seen:?}");
    assert!(seen.busy > 0, "{seen:?}");
}

/// The rig notices a store that confirms what it does not have.
#[test]
fn without_durability_a_broker_loses_what_it_acknowledged() {
    let seen = kill("none", 3);
    assert!(seen.busy > 0 && seen.lost > 0, "{seen:?}");
}
