//! A broker, its clients, what is between them, the store and the clock.

use bytes::Bytes;
use core::time::Duration;
use mqtt_session::proto::{
    Binary, Filters, Properties, SubscribeProperties, SubscriptionOptions, TopicFilters, TopicName, Will,
};
use mqtt_session::{
    BrokerEvent, Client, ClientConfig, Closed, Event, Instant, Message, Outbox, QoS, QuestionId, Scope, Verdict,
};

use super::links::{Link, drain};
use super::plan::{Plan, Who};
use super::shards::Cluster;
use super::watch::{FORBIDDEN, Watch};
use crate::simulation::Random;

const TOPICS: [&str; 6] = ["a/b", "a/c", "b/b", "$x/b", "c", FORBIDDEN];
const FILTERS: [&str; 9] = [
    "a/b",
    "a/+",
    "+/b",
    "#",
    "$x/#",
    "c",
    "w/#",
    "$share/g/a/+",
    "$share/h/#",
];
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
/// So many rounds may it take until everything has come to rest.
const ROUNDS_TO_REST: u32 = 20_000;

struct Peer {
    name: String,
    client: Client,
    outbox: Outbox,
    wants_stream: bool,
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
    number: u64,
    pub(super) watch: Watch,
}

fn client(index: usize, who: &Who, seed: u64, now: Instant) -> Client {
    let mut config = ClientConfig::new(format!("c{index}"))
        .expect("a valid name")
        .version(who.version)
        .session_expiry_seconds(if who.is_lasting { 3600 } else { 0 })
        .keep_alive_seconds(who.keep_alive_seconds)
        .seed(seed);
    if who.has_will {
        config = config.will(Some(Will {
            topic: TopicName::from_bytes(Bytes::from(format!("w/{index}"))).expect("a valid topic"),
            payload: Binary::new(Bytes::from_static(b"w")).expect("short"),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::empty(),
        }));
    }
    Client::new(config, now)
}

impl World {
    pub(super) fn new(plan: Plan, random: Random, traces: bool) -> Self {
        let now = Instant::from_secs(1_000_000);
        let peers = plan.clients.iter().enumerate().map(|(index, who)| Peer {
            name: format!("c{index}"),
            client: client(index, who, plan.seed ^ index as u64, now),
            outbox: Outbox::new(256),
            wants_stream: false,
            link: None,
            held: Vec::new(),
        });
        let peers: Vec<Peer> = peers.collect();
        Self {
            cluster: Cluster::new(&plan, now),
            lives: 0,
            now,
            left: Vec::new(),
            served: vec![Vec::new(); peers.len()],
            number: 1,
            watch: Watch::new(peers.len(), plan.asks, traces),
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
        self.watch.counts.takeovers += self.cluster.takeovers();
        self.watch.finish()
    }

    fn step(&mut self) -> Result<(), String> {
        let chance = self.random.below(1000);
        let (cuts, crashes, skips) = (self.plan.cuts, self.plan.crashes, self.plan.skips);
        if chance < cuts {
            self.cut()?;
        } else if chance < cuts + crashes {
            self.crash();
        } else if chance < cuts + crashes + skips {
            self.skip()?;
        } else {
            let index = self.random.place(self.peers.len());
            let kinds = if self.plan.shards > 1 { 23 } else { 20 };
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
                15 => self.stale()?,
                16..=19 => self.exchange(index)?,
                _ => {
                    self.carry();
                }
            }
        }
        self.look()
    }

    // ---- clients

    fn publish(&mut self, index: usize) {
        let (topic, qos) = (self.random.one_of(&TOPICS), self.random.one_of(&QOS));
        let retain = self.random.percent(15);
        let number = self.number;
        let payload = if retain && self.random.percent(20) {
            String::new()
        } else {
            number.to_string()
        };
        let message = Message::new(topic, payload.clone())
            .expect("a valid topic")
            .qos(qos)
            .retain(retain);
        if self.peers[index].client.publish(self.now, message, number).is_ok() {
            self.number += 1;
            if !payload.is_empty() {
                self.watch.published(number, index, topic, qos);
            }
            self.watch
                .note(|| format!("{index} publishes {number} to {topic} q{}", qos.bits()));
        }
    }

    fn subscribe(&mut self, index: usize) {
        let (filter, qos) = (self.random.one_of(&FILTERS), self.random.one_of(&QOS));
        let filters: Filters<Bytes> = Filters::builder()
            .filter(filter, SubscriptionOptions::new(qos))
            .build()
            .expect("a valid filter");
        let none = SubscribeProperties::empty();
        let tag = self.number;
        let peer = &mut self.peers[index];
        if peer.client.subscribe(self.now, filters, none, tag).is_ok() {
            self.number += 1;
            self.watch.asked(tag, index, filter, Some(qos));
            self.watch
                .note(|| format!("{index} subscribes to {filter} q{}", qos.bits()));
            if filter.starts_with("$share") {
                self.watch.counts.shared += 1;
            }
        }
    }

    fn unsubscribe(&mut self, index: usize) {
        let filter = self.random.one_of(&FILTERS);
        let filters: TopicFilters<Bytes> = TopicFilters::builder().filter(filter).build().expect("a valid filter");
        let tag = self.number;
        if self.peers[index].client.unsubscribe(self.now, filters, tag).is_ok() {
            self.number += 1;
            self.watch.asked(tag, index, filter, None);
            self.watch.note(|| format!("{index} unsubscribes from {filter}"));
        }
    }

    fn open(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if !peer.wants_stream {
            return;
        }
        let Some(id) = self.cluster.of(&peer.name).broker.handle_open(self.now) else {
            return;
        };
        peer.wants_stream = false;
        peer.held.clear();
        peer.outbox.clear();
        if let Some(old) = peer.link.replace(Link::new(id)) {
            let held = core::mem::take(&mut self.served[index]);
            if !old.is_gone() {
                let place = self.cluster.place_of(&peer.name);
                self.left.push((place, old, held));
            }
        }
        self.served[index].clear();
        peer.client.handle_open(self.now);
        self.watch.note(|| format!("{index} opens a stream"));
    }

    /// A client gets on: it has a stream, and what is under way arrives at both ends and in the store.
    fn exchange(&mut self, index: usize) -> Result<(), String> {
        self.open(index);
        self.up(index, true)?;
        if self.random.percent(60) {
            let shard = self.cluster.of(&self.peers[index].name);
            shard.poll_store();
            let flying = shard.flying.len();
            shard.stored(self.now, flying);
        }
        self.down(index, true)
    }

    /// Bytes from a client to the broker: some of them, or all.
    fn up(&mut self, index: usize, all: bool) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        if link.is_used {
            peer.client.poll_transmit(&mut peer.outbox);
            drain(&mut peer.outbox, &mut link.up);
        }
        let some = if all {
            link.up.len()
        } else {
            self.random.place(link.up.len() + 1)
        };
        let held = &mut self.served[index];
        held.extend(link.up.drain(..some));
        self.cluster.of(&peer.name).feed(self.now, link, held);
        if peer.client.is_drained() && link.is_used && peer.outbox.is_empty() {
            link.is_used = false;
            peer.client.handle_eof(self.now);
        }
        self.look()
    }

    /// Bytes from the broker to a client.
    fn down(&mut self, index: usize, all: bool) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        self.cluster.of(&peer.name).pull(link);
        let some = if all {
            link.down.len()
        } else {
            self.random.place(link.down.len() + 1)
        };
        if link.is_used {
            peer.held.extend(link.down.drain(..some));
            let mut rest = &peer.held[..];
            peer.client.handle_input(self.now, &mut rest);
            let taken = peer.held.len() - rest.len();
            peer.held.drain(..taken);
            if !link.is_served && link.down.is_empty() {
                link.is_used = false;
                peer.client.handle_eof(self.now);
            }
        } else {
            link.down.clear();
        }
        self.look()
    }

    /// What clients have to tell.
    fn look(&mut self) -> Result<(), String> {
        for index in 0..self.peers.len() {
            while let Some(event) = self.peers[index].client.poll_event() {
                if matches!(event, Event::Open) {
                    self.peers[index].wants_stream = true;
                }
                self.watch.told(index, &event)?;
                // An old CONNECT that arrives late takes the session over; the application wants its client back.
                if matches!(event, Event::Closed { retry_at: None, .. }) {
                    self.peers[index].client.reconnect(self.now);
                }
            }
        }
        Ok(())
    }

    // ---- streams

    fn cut(&mut self) -> Result<(), String> {
        let index = self.random.place(self.peers.len());
        let way = self.random.below(3);
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        self.watch.counts.cuts += 1;
        if !self.served[index].is_empty() || !peer.held.is_empty() {
            self.watch.counts.cuts_inside_a_packet += 1;
        }
        self.watch.note(|| format!("the stream of {index} is cut, {way}"));
        if way != 1 && link.is_served {
            link.is_served = false;
            self.cluster.of(&peer.name).broker.handle_eof(self.now, link.id);
        }
        if way != 2 && link.is_used {
            link.is_used = false;
            link.down.clear();
            peer.client.handle_eof(self.now);
        }
        self.look()
    }

    /// Bytes of streams whose clients have gone on to another one still arrive, or their end does.
    fn stale(&mut self) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let index = self.random.place(self.left.len());
        let ends = self.random.percent(30);
        let (place, link, held) = &mut self.left[index];
        let shard = &mut self.cluster.shards[*place];
        shard.pull(link);
        link.down.clear();
        held.append(&mut link.up);
        shard.feed(self.now, link, held);
        if ends && link.is_served {
            link.is_served = false;
            shard.broker.handle_eof(self.now, link.id);
        }
        if !link.is_served {
            self.left.remove(index);
        }
        Ok(())
    }

    // ---- the store

    fn store(&mut self) {
        let place = self.random.place(self.cluster.shards.len());
        let shard = &mut self.cluster.shards[place];
        let polled = if self.random.percent(60) {
            shard.poll_store()
        } else {
            None
        };
        match polled {
            Some(number) => {
                self.watch.counts.batches += 1;
                if self.plan.lies {
                    shard.broker.handle_stored(self.now, number);
                }
            }
            None => {
                let some = self.random.place(shard.flying.len() + 1);
                if let Some(number) = shard.stored(self.now, some) {
                    self.watch
                        .note(|| format!("batches of {place} up to {number} are stored"));
                }
            }
        }
    }

    /// The broker ends. Each store has what it said, and of the rest any beginning.
    fn crash(&mut self) {
        self.watch.counts.crashes += 1;
        if self.cluster.has_flying() {
            self.watch.counts.crashes_with_batches += 1;
        }
        self.watch.counts.takeovers += self.cluster.takeovers();
        // The books know of sessions that ended, whoever else does.
        for shard in &mut self.cluster.shards {
            while let Some(event) = shard.broker.poll_event() {
                if let BrokerEvent::SessionEnded { client_id } = event {
                    self.watch.session_of_ended(&client_id);
                }
            }
        }
        self.lives += 1;
        for report in self.cluster.crash(&self.plan, self.lives, self.now, &mut self.random) {
            self.watch.note(|| format!("the broker comes back: {report}"));
        }
        self.left.clear();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            self.served[index].clear();
            if let Some(link) = &mut peer.link {
                link.is_served = false;
            }
            if !self.cluster.of(&peer.name).broker.has_session(peer.name.as_bytes()) {
                self.watch.session_ended(index);
            }
        }
    }

    /// Something arrives from one shard at another.
    fn carry(&mut self) -> bool {
        let told = self.cluster.carry(self.now, &mut self.random);
        self.watch.counts.between_shards += told.len() as u64;
        for text in &told {
            self.watch.note(|| text.clone());
        }
        !told.is_empty()
    }

    // ---- time

    fn skip(&mut self) -> Result<(), String> {
        let next = self.next_deadline();
        let far = Duration::from_millis(
            self.random
                .one_of(&[1, 20, 300, 1000, 2000, 10_000, 100_000, 4_000_000]),
        );
        let at = match next {
            Some(at) if self.random.percent(30) => at,
            _ => self.now.saturating_add(far),
        };
        self.pass(at)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let clients = self.peers.iter().filter_map(|peer| peer.client.poll_timeout());
        let clients = clients.map(|timeout| timeout.at);
        clients.chain(self.cluster.next_deadline()).min()
    }

    fn pass(&mut self, at: Instant) -> Result<(), String> {
        self.now = self.now.max(at);
        self.watch.note(|| format!("it is {at:?}"));
        for shard in &mut self.cluster.shards {
            let broker = &mut shard.broker;
            for _ in 0..10_000 {
                match broker.poll_timeout() {
                    Some(next) if next.at <= self.now => broker.handle_timeout(self.now),
                    _ => break,
                }
            }
            if broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
                return Err(format!("the broker stays due: {:?}", broker.poll_timeout()));
            }
        }
        for peer in &mut self.peers {
            peer.client.handle_timeout(self.now);
        }
        self.look()
    }

    // ---- the host

    fn host(&mut self, is_calm: bool) -> Result<(), String> {
        if !is_calm && self.random.percent(5) {
            for shard in &mut self.cluster.shards {
                shard.broker.policy_changed(self.now);
            }
        }
        for place in 0..self.cluster.shards.len() {
            while let Some(event) = self.cluster.shards[place].broker.poll_event() {
                self.hear(place, event)?;
            }
        }
        Ok(())
    }

    /// What a machine tells its host.
    fn hear(&mut self, place: usize, event: BrokerEvent) -> Result<(), String> {
        match event {
            BrokerEvent::MayPublish { question, topic, .. } => self.answer(place, question, topic != FORBIDDEN),
            BrokerEvent::MaySubscribe { question, .. } => self.answer(place, question, true),
            BrokerEvent::Disconnected {
                reason: reason @ (Closed::Malformed(_) | Closed::Violation(_)),
                client_id,
                ..
            } => return Err(format!("the broker says of {client_id:?}: {reason}")),
            BrokerEvent::SessionEnded { client_id } => {
                self.watch.session_of_ended(&client_id);
            }
            BrokerEvent::Dropped { .. } | BrokerEvent::Missed { .. } => {
                return Err(format!("there was room for all: {event:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, place: usize, question: QuestionId, is_allowed: bool) {
        self.watch.counts.questions += 1;
        let scope = if is_allowed { Scope::Once } else { Scope::Topic };
        let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
        let broker = &mut self.cluster.shards[place].broker;
        broker.authorize(self.now, question, verdict.scope(scope));
    }

    // ---- the end

    /// Faults stop, and everything comes to rest.
    fn rest(&mut self) -> Result<(), String> {
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
                shard.stored(self.now, shard.flying.len());
            }
            while self.carry() {
                moved = true;
            }
            self.host(true)?;
            if self.cluster.next_deadline().is_some_and(|at| at <= self.now) {
                self.pass(self.now)?;
                moved = true;
            }
            if moved || self.watch.hash != before {
                idle = 0;
                continue;
            }
            idle += 1;
            let all_connected = self.peers.iter().all(|peer| peer.client.is_connected());
            if all_connected && self.watch.open.is_empty() && idle > 2 {
                return Ok(());
            }
            if let Some(at) = self.next_deadline() {
                self.pass(at)?;
            }
        }
        let connected: Vec<bool> = self.peers.iter().map(|peer| peer.client.is_connected()).collect();
        Err(format!(
            "it does not come to rest: open {:?}, connected {connected:?}",
            self.watch.open
        ))
    }
}
