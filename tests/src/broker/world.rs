//! A broker, its clients, what is between them, the store and the clock.

mod clients;
mod door;
mod farewells;
mod faults;
mod host;
mod quiet;
mod streams;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use mqtt_session::proto::{Binary, Properties, Text, TopicName, Version, Will, WillProperties};
use mqtt_session::{Authentication, BrokerEvent, Client, ClientConfig, ConnectionId, Instant, Limits, Outbox, QoS};

use super::admission::Doors;
use super::links::Link;
use super::plan::{Plan, Who};
use super::retained::Snapshot;
use super::shards::Cluster;
use super::watch::{FORBIDDEN, GROUP, OF_GROUP, Watch};
use super::wills::{UNNUMBERED, Wills};
use crate::simulation::Random;

const TOPICS: [&str; 7] = ["a/b", "a/c", "b/b", "$x/b", "c", FORBIDDEN, OF_GROUP];
pub(super) const FILTERS: [&str; 11] = [
    "a/b",
    "a/+",
    "+/b",
    "#",
    "$x/#",
    "c",
    "w/#",
    "$share/g/a/+",
    "$share/h/#",
    GROUP,
    GROUP,
];
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
/// What a client takes that takes no large packets; and what makes a message large.
const SMALL_PACKET_BYTES: u32 = 150;
const LARGE_PAYLOAD_BYTES: usize = 200;
/// How many messages a client takes at once that takes few, at most.
pub(super) const NARROW: u16 = 4;
/// After so many rounds in which nothing happened, nothing will: who was too fast has been read again by then.
const QUIET_ROUNDS: u32 = 6;
/// So many rounds may it take until everything has come to rest.
const ROUNDS_TO_REST: u32 = 20_000;

struct Peer {
    name: String,
    client: Client,
    outbox: Outbox,
    wants_stream: bool,
    /// There is no room for its session, and it stays away.
    is_out: bool,
    link: Option<Link>,
    /// What has arrived and was not taken.
    held: Vec<u8>,
}

pub(super) struct World {
    plan: Plan,
    random: Random,
    cluster: Cluster,
    lives: u64,
    now: Instant,
    peers: Vec<Peer>,
    /// Streams whose client is gone, without the broker's knowledge.
    left: Vec<(usize, Link, Vec<u8>)>,
    served: Vec<Vec<u8>>,
    /// What the host does not allow, by client and filter.
    denied: BTreeSet<(usize, &'static str)>,
    /// Connections on which a client has sent what no client may send.
    wrong: BTreeSet<(usize, ConnectionId)>,
    /// What the host is asked and has not answered, with the machine that asks.
    asked: VecDeque<(usize, BrokerEvent)>,
    /// How often the broker has said that a client is too fast.
    pauses_told: u64,
    number: u64,
    doors: Doors,
    /// Faults have stopped.
    is_resting: bool,
    /// Those that there was no room for since.
    without_room: Vec<(usize, ConnectionId)>,
    wills: Wills,
    /// How many wills this life of the broker has published.
    wills_told: u64,
    pub(super) watch: Watch,
}

fn client(index: usize, who: &Who, (seed, has_door): (u64, bool), now: Instant) -> Client {
    let mut config = ClientConfig::new(format!("c{index}"))
        .expect("a valid name")
        .version(who.version)
        .session_expiry_seconds(if who.is_lasting { who.expiry_seconds } else { 0 })
        .keep_alive_seconds(who.keep_alive_seconds)
        .seed(seed);
    if who.version == Version::V5 {
        let mut limits = Limits::default();
        if who.is_small {
            limits = limits.packet_bytes(SMALL_PACKET_BYTES);
        }
        if who.is_narrow {
            limits = limits.receive_maximum(NARROW);
        }
        config = config.limits(limits);
    }
    if let Some(will) = who.will {
        let delay = WillProperties::<Bytes>::builder().will_delay(will.delay_seconds);
        config = config.will(Some(Will {
            topic: TopicName::from_bytes(Bytes::from(will.topic)).expect("a valid topic"),
            payload: Binary::new(Bytes::from_static(UNNUMBERED)).expect("short"),
            qos: will.qos,
            retain: will.is_retained,
            properties: match who.version {
                Version::V5 => delay.build().expect("short"),
                _ => Properties::empty(),
            },
        }));
    }
    if has_door && who.version == Version::V5 && who.is_lasting {
        let method = Text::from_bytes(Bytes::from_static(b"steps")).expect("valid text");
        config = config.authentication(Some(Authentication { method, data: None }));
    }
    Client::new(config, now)
}

impl World {
    pub(super) fn new(plan: Plan, random: Random, traces: bool) -> Self {
        let now = Instant::from_secs(1_000_000);
        let peers = plan.clients.iter().enumerate().map(|(index, who)| Peer {
            name: format!("c{index}"),
            client: client(index, who, (plan.seed ^ index as u64, plan.has_door), now),
            outbox: Outbox::new(256),
            wants_stream: false,
            is_out: false,
            link: None,
            held: Vec::new(),
        });
        let peers: Vec<Peer> = peers.collect();
        let mut watch = Watch::new(peers.len(), plan.asks, traces);
        watch.copies_each = plan.copies_each;
        let small = plan
            .clients
            .iter()
            .enumerate()
            .filter(|(_, who)| who.is_small && who.version == Version::V5);
        small.for_each(|(index, _)| watch.is_small(index));
        Self {
            cluster: Cluster::new(&plan, now),
            lives: 0,
            now,
            left: Vec::new(),
            served: vec![Vec::new(); peers.len()],
            denied: BTreeSet::new(),
            wrong: BTreeSet::new(),
            asked: VecDeque::new(),
            pauses_told: 0,
            number: 1,
            doors: Doors::new(peers.len(), plan.has_door, !plan.asks),
            is_resting: false,
            without_room: Vec::new(),
            wills: Wills::new(peers.len(), plan.asks),
            wills_told: 0,
            watch,
            peers,
            random,
            plan,
        }
    }

    pub(super) fn play(&mut self) -> Result<(), String> {
        for step in 1..=self.plan.steps {
            self.watch.step = step;
            self.watch.counts.steps += 1;
            self.step()?;
        }
        self.watch.step += 1;
        self.rest()?;
        self.quiet_end()?;
        self.count_life()?;
        let kept: Snapshot = ["#", "$x/#", "$g/#"]
            .iter()
            .flat_map(|filter| self.cluster.retained(filter))
            .collect();
        self.watch.now = self.now;
        self.watch.finish(&kept)
    }

    fn step(&mut self) -> Result<(), String> {
        let chance = self.random.below(1000);
        let (cuts, crashes, skips) = (self.plan.cuts, self.plan.crashes, self.plan.skips);
        if chance < cuts {
            self.cut()?;
        } else if chance < cuts + crashes {
            if self.random.percent(25) {
                self.fail_store()?;
            }
            self.crash()?;
        } else if chance < cuts + crashes + skips {
            self.skip()?;
        } else {
            let index = self.random.place(self.peers.len());
            let kinds = if self.plan.shards > 1 { 25 } else { 22 };
            match self.random.below(kinds) {
                0 | 1 => self.publish(index),
                2 => self.subscribe(index),
                3 if self.random.percent(20) => self.unsubscribe(index),
                3..=5 => {
                    let all = self.random.percent(70);
                    self.up(index, all)?;
                }
                6..=8 => {
                    let all = self.random.percent(70);
                    self.down(index, all)?;
                }
                9 => self.open(index),
                10..=13 => self.store(),
                14 => self.host(false)?,
                15 => self.work(),
                16 => self.stale()?,
                17..=20 => self.exchange(index)?,
                21 => self.part(index)?,
                _ => {
                    self.carry();
                }
            }
        }
        self.look()
    }

    /// Faults stop, and everything comes to rest.
    fn rest(&mut self) -> Result<(), String> {
        self.is_resting = true;
        let mut idle = 0;
        for _ in 0..ROUNDS_TO_REST {
            let before = self.watch.hash;
            let mut moved = false;
            for index in 0..self.peers.len() {
                self.open(index);
                self.up(index, true)?;
                self.down(index, true)?;
                let link = self.peers[index].link.as_mut();
                if let Some(link) = link.filter(|link| !link.is_used && link.is_served && link.up.is_empty()) {
                    link.is_served = false;
                    let id = link.id;
                    let name = &self.peers[index].name;
                    self.cluster.of(name).broker.handle_eof(self.now, id);
                    moved = true;
                }
            }
            while !self.left.is_empty() {
                let (place, link, _) = self.left.remove(0);
                self.cluster.shards[place].broker.handle_eof(self.now, link.id);
            }
            for shard in &mut self.cluster.shards {
                while shard.poll_store().is_some() {
                    moved = true;
                }
                shard.stored(self.now, shard.disk.flying());
            }
            while self.carry() {
                moved = true;
            }
            self.host(true)?;
            self.stay_away();
            if self.cluster.next_deadline().is_some_and(|at| at <= self.now) {
                self.pass(self.now)?;
                moved = true;
            }
            if moved || self.watch.hash != before {
                idle = 0;
                continue;
            }
            idle += 1;
            let is_connected = |peer: &Peer| peer.is_out || peer.client.is_connected();
            let all_connected = self.peers.iter().all(is_connected);
            if all_connected && self.watch.open.is_empty() && idle > QUIET_ROUNDS && !self.cluster.has_messages() {
                return Ok(());
            }
            if let Some(at) = self.next_deadline() {
                self.pass(at)?;
            }
        }
        let connected: Vec<bool> = self.peers.iter().map(|peer| peer.client.is_connected()).collect();
        Err(format!(
            "it does not come to rest: open {:?}, connected {connected:?}, due {:?}",
            self.watch.open,
            self.cluster.timeouts()
        ))
    }
}
