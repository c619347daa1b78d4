//! One side: a machine, its driver and its host, and what they hold.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;
use mqtt_session::proto::Version;
use mqtt_session::{
    Client, ClientConfig, DeliveryId, HandOver, Instant, Key, Op, Outbox, PayloadOf, QoS, Record, RequestId,
    RestoreReport, ServerConfig, Session,
};

use super::counts::Counts;
use super::ledger::{Effect, Ledger, tag_of};
use super::machine::Machine;
use super::server::Server;
use super::store::Store;
use super::watch::{View, Watch};
use super::{Side, Wrong};

/// What both sides write into.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) ledger: Ledger,
    pub(super) counts: Counts,
    pub(super) trace: Trace,
    pub(super) wrong: Option<Wrong>,
    pub(super) watches_store: bool,
}

/// What happened, as a number that differs if anything differs, and in words if they are wanted.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) hash: u64,
    pub(super) lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    pub(super) fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }
}

/// A message that was told and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    pub(super) delivery: DeliveryId,
    pub(super) tag: u64,
    pub(super) qos: QoS,
    pub(super) in_chunks: bool,
}

/// A payload that the machine asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) op: Op,
    pub(super) tag: u64,
    pub(super) offset: u32,
    pub(super) bytes: u32,
}

/// A SUBSCRIBE or UNSUBSCRIBE that waits for the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) filters: usize,
    pub(super) subscribes: bool,
}

/// A message that comes in chunks.
#[derive(Clone, Debug)]
pub(super) struct Receiving {
    pub(super) payload_bytes: u32,
    pub(super) qos: QoS,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Side,
    pub(super) machine: Machine,
    pub(super) hand_over: HandOver,
    pub(super) version: Version,
    pub(super) store: Option<Store>,
    pub(super) outbox: Outbox,
    pub(super) input: BytesMut,
    pub(super) watch: Watch,
    pub(super) owed: VecDeque<Owed>,
    /// What the next batch makes durable beside its records.
    pub(super) effects: Vec<Effect>,
    pub(super) receiving: Option<Receiving>,
    pub(super) wanted: Option<Wanted>,
    pub(super) requests: VecDeque<Asked>,
    pub(super) ops: Vec<(u64, Op)>,
    /// Which message each delivery number was told for.
    pub(super) deliveries: BTreeMap<u64, u64>,
    /// How far the clock of this side is behind.
    pub(super) skew: Duration,
    pub(super) latest: Instant,
    pub(super) wants_stream: bool,
    /// The last event of the connection was polled, and this is when the host stops waiting for its last bytes.
    pub(super) over_at: Option<Instant>,
    pub(super) has_stream: bool,
    pub(super) store_failed: bool,
    /// How often the server had lost the session when the stream was opened.
    pub(super) losses_at_open: u64,
    /// The client has stopped, and waits to be told to go on.
    pub(super) is_stopped: bool,
    /// Its settings are such that it can never connect.
    pub(super) is_misconfigured: bool,
    /// Packets that a wrong link holds back, to deliver them again.
    pub(super) echo: Vec<u8>,
    pub(super) raw: Vec<u8>,
}

/// How a machine comes to its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crash {
    /// Damages a durable record: the one at this place, counted round.
    pub damage: Option<usize>,
    /// How many changes of the batch that is being written are there, where a wrong policy splits it.
    pub torn: usize,
    /// The store is gone too.
    pub wipe: bool,
}

impl End {
    pub(super) fn client(config: ClientConfig, now: Instant) -> Self {
        let store = config.is_stored.then(Store::default);
        let (version, hand_over) = (config.version, config.hand_over);
        let machine = Machine::Client(Box::new(Client::new(config, now)));
        Self::new(Side::Client, machine, version, hand_over, store, now)
    }

    pub(super) fn server(config: ServerConfig, version: Version, now: Instant) -> Self {
        let store = config.session.is_stored.then(Store::default);
        let hand_over = config.session.hand_over;
        let machine = Machine::Server(Box::new(Server::new(config, 0)));
        Self::new(Side::Server, machine, version, hand_over, store, now)
    }

    fn new(
        side: Side,
        machine: Machine,
        version: Version,
        hand_over: HandOver,
        store: Option<Store>,
        now: Instant,
    ) -> Self {
        Self {
            side,
            machine,
            hand_over,
            version,
            store,
            outbox: Outbox::new(512),
            input: BytesMut::new(),
            watch: Watch::new(side, version),
            owed: VecDeque::new(),
            effects: Vec::new(),
            receiving: None,
            wanted: None,
            requests: VecDeque::new(),
            ops: Vec::new(),
            deliveries: BTreeMap::new(),
            skew: Duration::ZERO,
            latest: now,
            wants_stream: false,
            over_at: None,
            has_stream: false,
            store_failed: false,
            losses_at_open: 0,
            is_stopped: false,
            is_misconfigured: false,
            echo: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// The time as this side reads it, which may be earlier than it was.
    pub(super) fn reading(&self, world: &World) -> Instant {
        let skew = u64::try_from(self.skew.as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(world.now.as_micros().saturating_sub(skew))
    }

    /// The same, to be told to the machine.
    pub(super) fn clock(&mut self, world: &World) -> Instant {
        let reading = self.reading(world);
        self.latest = self.latest.max(reading);
        reading
    }

    pub(super) fn view<'a>(&'a mut self, world: &'a mut World) -> (&'a mut Watch, View<'a>) {
        let view = View {
            ledger: &mut world.ledger,
            counts: &mut world.counts,
            store: self.store.as_ref().filter(|_| world.watches_store),
            session: self.machine.session(),
            now: self.latest,
        };
        (&mut self.watch, view)
    }

    pub(super) fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.machine {
            Machine::Server(server) => Some(server),
            Machine::Client(_) => None,
        }
    }

    pub(super) fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.machine {
            Machine::Client(client) => Some(client),
            Machine::Server(_) => None,
        }
    }

    /// Where it stands, in words.
    pub(super) fn state(&mut self) -> String {
        let next = self.machine.poll_timeout().map(|timeout| timeout.timer);
        format!(
            "{:?}: owes {} and {}, holds {} bytes, room for {}, {} to write, stream: {}, over: {}, waits for {next:?}",
            self.side,
            self.owed.len(),
            self.watch.owes(),
            self.input.len(),
            self.machine.input_room(),
            self.outbox.len(),
            self.has_stream,
            self.over_at.is_some(),
        )
    }

    // ---- the stream

    /// A stream begins: nothing of the one before is left in this process.
    pub(super) fn opened(&mut self) {
        self.outbox.clear();
        self.input.clear();
        self.echo.clear();
        self.raw.clear();
        self.requests.clear();
        self.watch.opened();
        self.has_stream = true;
        self.over_at = None;
        self.wants_stream = false;
    }

    // ---- a crash, and what follows

    /// The process is gone, and with it all that was not durable.
    fn forget(&mut self, world: &mut World, crash: Crash) {
        let torn = match world.wrong {
            Some(Wrong::BatchSplitFirst) => Some((crash.torn, false)),
            Some(Wrong::BatchSplitLast) => Some((crash.torn, true)),
            _ => None,
        };
        if let Some(store) = &mut self.store {
            world.counts.crashes_before_ack += u64::from(store.holds_answers() && self.watch.owes() > 0);
            store.crash(torn);
        }
        world.ledger.forget_pending(self.side);
        if let (Some(place), Some(store)) = (crash.damage, &mut self.store) {
            damage(store, place, &mut world.ledger);
        }
        if crash.wipe {
            self.deliveries.clear();
            if let Some(store) = &mut self.store {
                // What had been accepted is lost with the medium.
                inbox_tags(store).for_each(|tag| world.ledger.may_be_lost(tag));
                store.wipe();
            }
        }
        self.opened();
        self.skew = Duration::ZERO;
        self.has_stream = false;
        self.store_failed = false;
        self.is_stopped = false;
        self.is_misconfigured = false;
        self.owed.clear();
        self.effects.clear();
        self.receiving = None;
        self.wanted = None;
        self.ops.clear();
    }

    pub(super) fn restart_client(&mut self, world: &mut World, config: ClientConfig, crash: Crash) {
        self.forget(world, crash);
        let now = self.clock(world);
        self.hand_over = config.hand_over;
        let Some(store) = self.store.as_ref().filter(|_| !crash.wipe) else {
            self.machine = Machine::Client(Box::new(Client::new(config, now)));
            self.restarted(world, None);
            return;
        };
        let restore = || {
            let mut restore = Client::restore(config.clone(), now);
            for (key, bytes) in store.records().filter(|(key, _)| is_kept(*key, world.wrong)) {
                restore.encoded(key, bytes);
            }
            restore.finish()
        };
        let (client, report) = restore();
        let again = restore().1;
        self.machine = Machine::Client(Box::new(client));
        self.restarted(world, Some(&(report, again)));
    }

    pub(super) fn restart_server(&mut self, world: &mut World, config: &ServerConfig, crash: Crash) {
        let (last, had_session) = self
            .server_mut()
            .map_or((0, false), |server| (server.last_number(), server.has_session()));
        let expiry_seconds = self.server_mut().map_or(u32::MAX, |server| server.expiry_seconds);
        let had_ended = self.server_mut().is_some_and(|server| server.has_ended());
        let is_passing = expiry_seconds == 0;
        self.forget(world, crash);
        self.hand_over = config.session.hand_over;
        let now = self.clock(world);
        let store = self.store.as_ref().filter(|store| !store.is_empty());
        let restored = store.map(|store| {
            let restore = || {
                let mut restore = Session::restore(&config.session, now);
                for (key, bytes) in store.records().filter(|(key, _)| is_kept(*key, world.wrong)) {
                    restore.encoded(key, bytes);
                }
                restore.finish()
            };
            let (session, report) = restore();
            (session, report, restore().1, store.session())
        });
        let mut server = Server::new(config.clone(), last);
        server.expiry_seconds = expiry_seconds;
        match restored {
            Some((session, report, again, number)) => {
                server.park(session, number, now);
                self.machine = Machine::Server(Box::new(server));
                let has_ended = report.session_ended;
                self.restarted(world, Some(&(report, again)));
                if has_ended || is_passing {
                    // What was to end with its connection is over, and the client knows.
                    self.lose_parked(world, !is_passing);
                }
            }
            None => {
                self.deliveries.clear();
                self.machine = Machine::Server(Box::new(server));
                self.restarted(world, None);
                // A stored session that never became durable was never told of; one whose time was over was.
                if had_session && !is_passing && (self.store.is_none() || crash.wipe || had_ended) {
                    world.counts.sessions_lost += 1;
                    world.ledger.split();
                }
            }
        }
    }

    /// The host of a server gives up the session of a client that is not there.
    pub(super) fn lose_parked(&mut self, world: &mut World, is_loss: bool) -> bool {
        let Some(session) = self.server_mut().and_then(Server::lose_parked) else {
            return false;
        };
        self.give_up_session(world, session, is_loss);
        true
    }

    /// I-27: what the next life has is what the durable records say, and a second look at them says the same.
    fn restarted(&mut self, world: &mut World, reports: Option<&(RestoreReport, RestoreReport)>) {
        let side = self.side;
        let mut live = BTreeMap::new();
        if let (Some((report, again)), Some(store)) = (&reports, &self.store) {
            world.counts.quarantined += report.quarantined.len() as u64;
            let mut expected = expected(store, report.session_ended);
            let found: BTreeSet<u64> = report.live.iter().map(|live| live.tag).collect();
            let has_damage = store.was_damaged;
            if world.wrong.is_some() {
                // What a wrong policy has done to the records is to show in the end.
                expected.retain(|tag, _| found.contains(tag));
            } else if found != expected.keys().copied().collect() {
                world
                    .ledger
                    .fault(|| format!("{side:?} restores {found:?}, and its store has {expected:?}"));
            }
            if world.wrong.is_none() && (report != again || !report.quarantined.is_empty() && !has_damage) {
                world
                    .ledger
                    .fault(|| format!("{side:?} restores {report:?} and then {again:?}, damaged: {has_damage}"));
            }
            self.ops = report.live.iter().map(|live| (live.tag, live.op)).collect();
            live = expected;
        }
        world.ledger.restarted(side, &live);
        world.ledger.session_restored(side);
        let ended = reports.as_ref().is_some_and(|(report, _)| report.session_ended);
        let store = self.store.as_ref().filter(|_| reports.is_some() && !ended);
        self.watch.restored(store);
        world.trace.line(|| format!("{side:?} restarts with {live:?}"));
    }
}

/// The messages that a restart has to find in the store, and whether each may have been sent.
fn expected(store: &Store, session_ended: bool) -> BTreeMap<u64, bool> {
    let damaged = store.damaged();
    let is_whole = |serial: u64, is_release: bool, has_source: bool| {
        let payload = Key::Payload(PayloadOf::Outgoing(serial));
        !damaged.contains(&Key::Outgoing(serial))
            && (is_release || has_source || store.has(payload) && !damaged.contains(&payload))
    };
    store
        .outgoing()
        .filter(|(serial, outgoing)| is_whole(*serial, outgoing.is_release, outgoing.has_source))
        .filter(|(_, outgoing)| !outgoing.is_given_up && (!session_ended || outgoing.id.is_none()))
        .map(|(_, outgoing)| (outgoing.tag, outgoing.id.is_some()))
        .collect()
}

/// Damages a record. What it makes impossible to hand over is not missed.
fn damage(store: &mut Store, place: usize, ledger: &mut Ledger) {
    let before: BTreeMap<u64, u64> = inbox(store).collect();
    if let Some(Key::Inbox(delivery) | Key::Payload(PayloadOf::Inbox(delivery))) = store.damage(place) {
        if let Some(tag) = before.get(&delivery) {
            ledger.may_be_lost(*tag);
        }
    }
}

fn inbox_tags(store: &Store) -> impl Iterator<Item = u64> {
    inbox(store).map(|(_, tag)| tag)
}

/// The deliveries that stand in a store, and their messages.
fn inbox(store: &Store) -> impl Iterator<Item = (u64, u64)> {
    store
        .records()
        .filter_map(|(key, bytes)| match (key, Record::decode(bytes)) {
            (Key::Payload(PayloadOf::Inbox(delivery)), Ok(Record::Payload { bytes, .. })) => {
                tag_of(&bytes).map(|tag| (delivery, tag))
            }
            _ => None,
        })
}

/// What a wrong policy leaves out when a session is restored.
fn is_kept(key: Key, wrong: Option<Wrong>) -> bool {
    match wrong {
        Some(Wrong::IncomingForgotten) => !matches!(key, Key::Incoming(_)),
        Some(Wrong::SenderEmptied) => !matches!(key, Key::Outgoing(_) | Key::Payload(PayloadOf::Outgoing(_))),
        _ => true,
    }
}
