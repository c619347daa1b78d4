//! `kill -9` of `mqtt broker` under load, and books that are kept outside of it.
//!
//! Clients publish QoS 1 and 2 and subscribe, all in this process, which lives on. The broker is killed after so many
//! acknowledgements as a seed says, or while it starts, and started again on the same store. In the end everything
//! that was acknowledged has come to each subscriber, QoS 2 once; no session is lost; and of each retained topic the last acknowledged
//! message is there, or a later one.
//!
//! `MQTT_KILLS` says how often it is killed, `MQTT_SEED` when.
#![cfg(all(unix, feature = "tokio"))]

mod books;
mod clients;
#[path = "../lives/mod.rs"]
mod lives;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::books::{Books, Verdict};
use self::clients::Load;
use self::lives::{PATIENCE, Serving, free_address};

/// How often the broker is killed, if nothing is said.
const KILLS: u64 = 6;
const SEED: u64 = 20_261_122;
/// Nobody waits longer for the acknowledgements after which the broker is to be killed.
const LONGEST_LIFE: Duration = Duration::from_secs(10);

fn number_of(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % bound
    }
}

/// What has happened beside what the books say.
#[derive(Debug, Default)]
struct Counts {
    kills: u64,
    /// Lives that ended before they served.
    early: u64,
    /// Lives that acknowledged something.
    busy: u64,
    /// Kills while messages were on their way.
    under_load: u64,
    open_at_kills: u64,
}

/// A broker, its store and its clients.
struct Rig {
    folder: TempDir,
    config: String,
    /// The broker is told by its environment to forget.
    forgets: bool,
    address: SocketAddr,
    books: Arc<Books>,
    random: Random,
    counts: Counts,
}

impl Rig {
    fn new(durability: &str, shards: u16, seed: u64) -> Self {
        let address = free_address();
        let config = format!(
            "shards = {shards}\nsys_interval = '0s'\n[[listener]]\naddress = '{address}'\n\
             [persistence]\npath = 'broker.store'\ndurability = '{durability}'\n\
             [limits.client]\nqueued_messages = 1_000_000\nqueued_bytes = '1 GiB'\n"
        );
        Self {
            folder: tempfile::tempdir().expect("there is room for a folder"),
            config,
            forgets: false,
            address,
            books: Arc::default(),
            random: Random(seed),
            counts: Counts::default(),
        }
    }

    /// How long something that is missing is waited for, as if it could still come.
    fn patience(&self) -> Duration {
        let loses = self.forgets || self.config.contains("durability = 'none'");
        Duration::from_secs(if loses { 3 } else { 30 })
    }

    fn command(&self) -> Command {
        let mut command = Serving::command(self.folder.path(), &self.config);
        if self.forgets {
            command.env("MQTT_BROKEN_STORE", "1");
        }
        command
    }

    /// One life of the broker, which ends as a seed says.
    fn live(&mut self) {
        let before = self.books.acknowledged();
        if self.random.below(8) == 0 {
            let broker = Serving::begin(self.command());
            std::thread::sleep(Duration::from_micros(self.random.below(60_000)));
            broker.kill();
            self.counts.early += 1;
        } else {
            let broker = Serving::run(self.command());
            let until = before + self.random.below(150);
            let latest = Instant::now() + LONGEST_LIFE;
            while self.books.acknowledged() <= until && Instant::now() < latest {
                std::thread::sleep(Duration::from_micros(200));
            }
            // Anywhere between two acknowledgements.
            std::thread::sleep(Duration::from_micros(self.random.below(4_000)));
            let open = self.books.open();
            broker.kill();
            self.counts.open_at_kills += open;
            self.counts.under_load += u64::from(open > 0);
        }
        self.counts.kills += 1;
        self.counts.busy += u64::from(self.books.acknowledged() > before);
    }

    /// Kills so often, and returns what became of everything.
    fn run(mut self, kills: u64) -> (Verdict, Counts) {
        let runtime = Runtime::new().expect("threads");
        // All sessions are there before anything is published.
        let first = Serving::run(self.command());
        let mut load = runtime.block_on(Load::start(self.address, &self.books));
        first.kill();
        for life in 0..kills {
            match life % 4 {
                1 => runtime.block_on(load.sleeper_leaves()),
                3 => runtime.block_on(load.sleeper_comes()),
                _ => {}
            }
            self.live();
        }
        let last = Serving::run(self.command());
        let retained = runtime.block_on(async {
            load.sleeper_comes().await;
            load.end(PATIENCE).await;
            self.books.settled(self.patience()).await;
            clients::retained(self.address, self.patience()).await
        });
        let dropped: Vec<_> = last
            .log()
            .into_iter()
            .filter(|line| line.contains("were dropped"))
            .collect();
        assert_eq!(dropped, Vec::<String>::new());
        assert_eq!(last.end(), Some(0));
        (self.books.verdict(&retained), self.counts)
    }
}

fn kill(durability: &str, shards: u16, kills: u64) -> (Verdict, Counts) {
    let seed = number_of("MQTT_SEED", SEED);
    let begun = Instant::now();
    let (verdict, counts) = Rig::new(durability, shards, seed).run(kills);
    let each = begun.elapsed().as_secs_f64() / kills as f64;
    println!("{durability}, {shards} shards, seed {seed}: {counts:?}, {verdict:?}, {each:.2} s a kill");
    (verdict, counts)
}

fn keeps_everything(durability: &str, shards: u16, kills: u64) {
    let (verdict, counts) = kill(durability, shards, kills);
    assert!(verdict.is_clean(), "{verdict:?}");
    // Enough has happened for that to mean something.
    assert!(counts.busy * 2 > kills && counts.under_load * 2 > kills, "{counts:?}");
    assert!(
        verdict.acknowledged > 30 * kills && verdict.exactly_once > 8 * kills,
        "{verdict:?}"
    );
    assert!(verdict.connections > kills, "{verdict:?}");
    assert!(verdict.retained_topics > 0, "{verdict:?}");
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_after_kill_9() {
    keeps_everything("sync", 1, number_of("MQTT_KILLS", KILLS));
}

#[test]
fn several_shards_lose_and_double_nothing_either() {
    keeps_everything("sync", 2, number_of("MQTT_KILLS", KILLS).div_ceil(2));
}

#[test]
fn the_operating_system_keeps_what_it_was_given() {
    keeps_everything("os", 1, number_of("MQTT_KILLS", KILLS).div_ceil(2));
}

/// The rig notices a broker that keeps nothing.
#[test]
fn without_durability_it_is_noticed_that_messages_are_lost() {
    let (verdict, counts) = kill("none", 1, 4);
    assert!(counts.busy > 0, "{counts:?}");
    assert!(verdict.missing > 0 && verdict.sessions_lost > 0, "{verdict:?}");
}

/// And one whose store confirms everything, and keeps its clients but no message.
#[cfg(feature = "broken-store")]
#[test]
fn it_is_noticed_that_a_store_forgets() {
    let mut rig = Rig::new("sync", 1, SEED);
    rig.forgets = true;
    let (verdict, counts) = rig.run(6);
    println!("a store that forgets: {counts:?}, {verdict:?}");
    assert!(counts.busy > 0 && verdict.missing > 0, "{counts:?} {verdict:?}");
}
