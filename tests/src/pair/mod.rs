//! Two real machines and a stream between them, in virtual time: a [`Client`](mqtt_session::Client), and a server that
//! serves it with one [`ServerConnection`](mqtt_session::ServerConnection) after the other over one
//! [`Session`](mqtt_session::Session).
//!
//! Each side has a driver, a host and a store. Everything that happens is an [`Action`]: who uses a pair says what happens
//! next, and the pair holds what leaves and what is told against the rules:
//!
//! - what each side sends, packet by packet (`watch`);
//! - what becomes of each message (`ledger`);
//! - what a restart finds, against what was durable (`end`).
//!
//! ```
//! use mqtt_session::{ClientConfig, QoS, ServerConfig};
//! use mqtt_tests::pair::{Action, Pair, PairConfig, Publish, Side};
//!
//! let client = ClientConfig::new("c")?;
//! let mut pair = Pair::new(PairConfig::new(client, ServerConfig::default()));
//! pair.step(Action::Publish(Side::Client, Publish::of(QoS::ExactlyOnce)));
//! pair.run_until_quiet();
//! pair.cut(3);
//! pair.step(Action::Publish(Side::Server, Publish::of(QoS::AtLeastOnce)));
//! pair.run_until_quiet();
//! assert_eq!(pair.verdict(), Ok(()));
//! assert_eq!(pair.counts().handed_over, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod commands;
mod config;
mod counts;
mod end;
mod host;
mod ledger;
mod link;
mod machine;
mod server;
mod store;
mod turn;
mod watch;

pub use action::{Action, Noise, Publish};
pub use config::{PairConfig, Side, Wrong};
pub use counts::{CLOSED, Counts, OUTCOMES};
pub use end::Crash;
pub use link::LinkConfig;

use core::time::Duration;

use mqtt_session::Instant;

use counts::Counts as Counted;
use end::{End, Trace, World};
use ledger::Ledger;
use link::Link;

/// How long everything may take once no more goes wrong.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How many rounds that may be.
const ROUNDS: usize = 20_000;

/// Two ends and the stream between them.
#[derive(Debug)]
pub struct Pair {
    config: PairConfig,
    world: World,
    link: Link,
    ends: [End; 2],
}

impl Pair {
    /// A client that has not connected, and a server that waits.
    #[must_use]
    pub fn new(config: PairConfig) -> Self {
        let now = Instant::from_secs(1_000_000);
        let version = config.client.version;
        Self {
            world: World {
                now,
                ledger: Ledger::new(config.client.loss == mqtt_session::Loss::RepeatAll),
                counts: Counted::default(),
                trace: Trace {
                    hash: 0xCBF2_9CE4_8422_2325,
                    lines: config.traces.then(Vec::new),
                },
                wrong: config.wrong,
                watches_store: config.watches_store,
            },
            link: Link::new(config.link),
            ends: [
                End::client(config.client.clone(), now),
                End::server(config.server.clone(), version, now),
            ],
            config,
        }
    }

    /// What happened so far, counted.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.world.counts
    }

    /// The first thing that went wrong.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.world.ledger.fault.as_deref()
    }

    /// A number that differs if anything differs that was sent or told.
    #[must_use]
    pub const fn trace_hash(&self) -> u64 {
        self.world.trace.hash
    }

    /// The steps in words, if they were to be written down.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        self.world.trace.lines.as_deref().unwrap_or_default()
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.world.now
    }

    /// The client, to be asked.
    #[must_use]
    pub fn client(&mut self) -> &mut mqtt_session::Client {
        match &mut self.ends[0].machine {
            machine::Machine::Client(client) => client,
            machine::Machine::Server(_) => unreachable!("the first end is the client"),
        }
    }

    /// The stream ends after so many more bytes from the client.
    pub fn cut(&mut self, after_bytes: u64) {
        self.step(Action::CutAfter(Side::Client, after_bytes));
    }

    /// The process of one side ends without notice, and begins again with what its store has.
    pub fn crash(&mut self, side: Side) {
        self.step(Action::Crash(side, Crash::default()));
    }

    /// Both sides do what they can until nothing is left to be done, with no more faults and as much time as it takes.
    /// What was to be said about messages is then due.
    pub fn run_until_quiet(&mut self) {
        self.stop_faults();
        let until = self.world.now + PATIENCE;
        for _ in 0..ROUNDS {
            if self.world.ledger.fault.is_some() {
                return;
            }
            let any = self.round();
            if any {
                continue;
            }
            if self.is_quiet() {
                return;
            }
            match self.next_moment() {
                Some(at) if at <= until => self.world.now = self.world.now.max(at),
                _ => break,
            }
        }
        let live = self.world.ledger.live();
        let states = self.ends.each_mut().map(End::state);
        self.world
            .ledger
            .fault(|| format!("it never comes to rest: {live} operations go on; {}", states.join("; ")));
    }

    /// Everything is at rest: holds each message against what was said of it.
    ///
    /// # Errors
    /// With what went wrong first.
    pub fn verdict(&mut self) -> Result<(), String> {
        self.world.ledger.close();
        match &self.world.ledger.fault {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    /// No more faults from here on: what is broken ends, so that it can begin again.
    fn stop_faults(&mut self) {
        for side in Side::BOTH {
            self.ends[side.index()].skew = Duration::ZERO;
            if self.ends[side.index()].store_failed || self.ends[side.index()].is_misconfigured {
                self.step(Action::Crash(side, Crash::default()));
            }
        }
        if self.link.is_damaged() {
            self.step(Action::Cut([usize::MAX; 2]));
        }
    }

    fn round(&mut self) -> bool {
        let mut any = false;
        for side in Side::BOTH {
            any |= self.turn(side);
            any |= self.host(side);
        }
        any | self.restart_what_stopped()
    }

    /// The whole run loop of the driver of one side, once. Its store takes its time.
    fn turn(&mut self, side: Side) -> bool {
        let Self { world, link, ends, .. } = self;
        let end = &mut ends[side.index()];
        let mut any = end.timers(world);
        any |= end.take_batches(world);
        any |= end.transmit(world);
        any |= end.write(world, link, usize::MAX);
        any |= end.read(world, link, usize::MAX, true);
        any |= end.events(world, usize::MAX) > 0;
        any | end.close_if_done(world, link)
    }

    /// All that the host and the store of one side have to do.
    fn host(&mut self, side: Side) -> bool {
        let Self { world, ends, .. } = self;
        let end = &mut ends[side.index()];
        let mut any = end.answer(world, None);
        while end.commit(world) {
            any = true;
        }
        while end.answer_request(world, true) || end.supply(world, usize::MAX) || end.acknowledge(world, 0, false) {
            any = true;
        }
        if end.wants_stream {
            self.open();
            any = true;
        }
        any
    }

    fn is_quiet(&self) -> bool {
        let rests = |end: &End| {
            let store = end.store.as_ref().map_or(0, store::Store::waiting);
            store == 0 && end.owed.is_empty() && end.watch.owes() == 0 && end.outbox.is_empty()
        };
        self.world.ledger.live() == 0 && self.ends.iter().all(rests)
    }

    /// When something can happen next.
    fn next_moment(&mut self) -> Option<Instant> {
        let arrivals = self.ends.iter().filter(|end| end.has_stream);
        let arrival = arrivals.filter_map(|end| self.link.next_arrival(end.side)).min();
        // What has arrived and is not read waits for something else.
        let arrival = arrival.filter(|at| *at > self.world.now);
        let deadlines = self.ends.iter_mut().filter_map(End::next_deadline);
        deadlines.chain(arrival).min()
    }

    /// A client that was told to stop, or has given up, is told to go on.
    fn restart_what_stopped(&mut self) -> bool {
        let now = self.world.now;
        let end = &mut self.ends[0];
        if end.has_stream || !core::mem::take(&mut end.is_stopped) {
            return false;
        }
        self.client().reconnect(now);
        true
    }
}
