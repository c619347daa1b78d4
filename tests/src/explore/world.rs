//! Two machines, what lies between them, and what can happen next.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::{
    CleanStart, Client, ClientConfig, DeliveryId, HandOver, Instant, Limits, QoS, Reconnect, ServerConnection, Session,
    SessionConfig, Timer,
};

use super::{Disk, Setup};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end with the client.
    Client,
    /// The end with the server.
    Server,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What the rig does wrong on purpose, to see that the search notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    Nothing,
    /// The receiver hears that a message is stored when it hands out the batch.
    StoredTooEarly,
    /// The receiver hears that an identifier is free in its store when it hands out the batch.
    FreedTooEarly,
    /// The sender hears that everything is stored when it hands out the batch.
    SenderStoredTooEarly,
    /// The record of a release never reaches the store of the sender.
    ReleaseNotStored,
    /// The receiver loses the identifiers that it holds when a connection ends.
    IncomingForgotten,
    /// The sender starts again with an empty store, and goes on with the session of its peer.
    EmptySender,
    /// A PUBCOMP that says that its identifier is not known gets lost.
    PubCompSwallowed,
    /// The receiver stores batches in two writes, the first half first.
    BatchSplit,
    /// The receiver stores batches in two writes, the second half first.
    BatchSplitBackwards,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The application at this end publishes its next message.
    Publish(Side),
    /// The first packet under way to this end arrives.
    Arrive(Side),
    /// The first write of this end becomes durable.
    Commit(Side),
    /// The client opens the next connection, its delay being over.
    Reconnect,
    /// The link is cut: what is under way is lost.
    Cut,
    /// A deadline of this end passes.
    TimeOut(Side),
    /// The application at this end acknowledges the first delivery that it was told.
    Acknowledge(Side),
    /// This end crashes, and starts again with what is durable.
    Crash(Side),
}

/// An application: what it has sent and what it was told.
#[derive(Clone, Debug, Default)]
pub(super) struct App {
    /// How many messages it has published.
    pub(super) published: usize,
    /// How many of these the store has: they may not get lost any more.
    pub(super) accepted: usize,
    /// Which of its messages ended well.
    pub(super) ended: Vec<bool>,
    /// How many of its messages its own store has lost, by sabotage.
    pub(super) excused: usize,
    /// Deliveries that it has not acknowledged.
    pub(super) told: VecDeque<DeliveryId>,
    /// What it did for which delivery, in one transaction with the number of the delivery.
    pub(super) effects: BTreeMap<u64, u64>,
}

/// Two machines and everything between them.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) setup: std::rc::Rc<Setup>,
    pub(super) now: Instant,
    pub(super) client: Client,
    pub(super) connection: Option<ServerConnection>,
    pub(super) session: Option<Session>,
    /// Packets under way, by the end that they go to.
    pub(super) wires: [VecDeque<Bytes>; 2],
    pub(super) disks: [Disk; 2],
    pub(super) apps: [App; 2],
    pub(super) cuts: u8,
    pub(super) crashes: [u8; 2],
    pub(super) fault: Option<String>,
}

/// Tags of messages from the server start here.
const DOWN: u64 = 100;
const IDS: u16 = 2;

fn limits() -> Limits {
    Limits::default().packet_ids(IDS)
}

pub(super) fn client_config(setup: &Setup) -> ClientConfig {
    let delay = Duration::from_millis(1);
    ClientConfig::new("c")
        .expect("the name is valid")
        .version(setup.version)
        .keep_alive_seconds(0)
        .is_stored(true)
        // The application knows its store, and never asks the server to forget. No session ends by time.
        .clean_start(CleanStart::Never)
        .session_expiry_seconds(u32::MAX)
        .hand_over(HandOver::Inbox)
        .limits(limits())
        .reconnect(
            Reconnect::default()
                .first_delay(delay)
                .max_delay(delay)
                .jitter_percent(0),
        )
}

pub(super) fn session_config() -> SessionConfig {
    SessionConfig::default()
        .is_stored(true)
        .hand_over(HandOver::Inbox)
        .limits(limits())
}

impl World {
    /// The beginning: nothing is stored, and the client opens its first connection.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let now = Instant::from_secs(1);
        let app = |messages: &[QoS]| App {
            ended: vec![false; messages.len()],
            ..App::default()
        };
        let mut world = Self {
            now,
            client: Client::new(client_config(&setup), now),
            connection: None,
            session: None,
            wires: [VecDeque::new(), VecDeque::new()],
            disks: [Disk::default(), Disk::default()],
            apps: [app(&setup.up), app(&setup.down)],
            cuts: setup.cuts,
            crashes: setup.crashes,
            fault: None,
            setup: std::rc::Rc::new(setup),
        };
        world.settle();
        world
    }

    /// What went wrong, if something has.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(super) fn messages(&self, side: Side) -> &[QoS] {
        match side {
            Side::Client => &self.setup.up,
            Side::Server => &self.setup.down,
        }
    }

    /// Everything that can happen next.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = self.peaceful_actions();
        if self.cuts > 0 {
            if self.connection.is_some() {
                actions.push(Action::Cut);
            }
            let times_out = [
                self.client.poll_timeout(),
                self.connection.as_ref().and_then(ServerConnection::poll_timeout),
            ];
            for (side, next) in Side::BOTH.into_iter().zip(times_out) {
                if next.is_some_and(|next| !matches!(next.timer, Timer::Reconnect)) {
                    actions.push(Action::TimeOut(side));
                }
            }
        }
        for side in Side::BOTH {
            if self.crashes[side as usize] > 0 {
                actions.push(Action::Crash(side));
            }
        }
        actions
    }

    /// What can happen next although nothing fails.
    fn peaceful_actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for side in Side::BOTH {
            let app = &self.apps[side as usize];
            let has_session = side == Side::Client || self.session.is_some() || self.is_served();
            if app.published < self.messages(side).len() && has_session {
                actions.push(Action::Publish(side));
            }
            if !self.wires[side as usize].is_empty() {
                actions.push(Action::Arrive(side));
            }
            if !app.told.is_empty() {
                actions.push(Action::Acknowledge(side));
            }
            if !self.disks[side as usize].pending.is_empty() {
                actions.push(Action::Commit(side));
            }
        }
        let next = self.client.poll_timeout();
        if next.is_some_and(|next| next.timer == Timer::Reconnect) {
            actions.push(Action::Reconnect);
        }
        actions
    }

    fn is_served(&self) -> bool {
        self.connection.as_ref().is_some_and(ServerConnection::is_connected)
    }

    /// Whether everything has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.peaceful_actions().is_empty()
    }

    /// Takes a step.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Publish(side) => self.publish(side),
            Action::Arrive(side) => self.arrive(side),
            Action::Commit(side) => self.commit(side),
            Action::Reconnect => self.pass(Side::Client),
            Action::Acknowledge(side) => {
                if let Some(delivery) = self.apps[side as usize].told.pop_front() {
                    self.acknowledge(side, delivery);
                }
            }
            Action::TimeOut(side) => {
                self.cuts -= 1;
                self.pass(side);
            }
            Action::Cut => {
                self.cuts -= 1;
                self.cut();
            }
            Action::Crash(side) => self.crash(side),
        }
        self.settle();
        if self.fault.is_none() {
            self.fault = self.judge();
        }
    }

    /// A number that is the same for states that go on in the same way.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.client.fingerprint().hash(&mut hasher);
        let served = self.connection.as_ref().map(ServerConnection::fingerprint);
        let parked = self.session.as_ref().map(Session::fingerprint);
        (served, parked, self.cuts, self.crashes).hash(&mut hasher);
        self.wires.hash(&mut hasher);
        for side in Side::BOTH {
            let app = &self.apps[side as usize];
            (app.published, app.accepted, app.excused, &app.ended).hash(&mut hasher);
            app.told.len().hash(&mut hasher);
            let mut times = BTreeMap::<u64, usize>::new();
            for tag in app.effects.values() {
                // More than twice is as often as twice.
                let times = times.entry(*tag).or_default();
                *times = (*times + 1).min(2);
            }
            times.hash(&mut hasher);
            let is_done = |delivery| app.effects.contains_key(&delivery);
            self.disks[side as usize].fingerprint(&mut hasher, is_done);
        }
        hasher.finish()
    }
}

pub(super) const fn tag(side: Side, index: usize) -> u64 {
    match side {
        Side::Client => index as u64,
        Side::Server => DOWN + index as u64,
    }
}

pub(super) const fn index(tag: u64) -> usize {
    (tag % DOWN) as usize
}
