//! The broker: one machine, or three that are one together, each with its store, and what is on its way between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use mqtt_session::proto::{QoS, RetainHandling, Subscription, SubscriptionOptions, TopicFilter};
use mqtt_session::{
    Broker, BrokerBatch, BrokerKey, BrokerReport, Cursor, Figures, Instant, Message, PeerMessage, RetainedCursor,
    SessionView, ShardId, Shards, Timeout,
};

use super::disk::Disk;
use super::links::{Link, drain};
use super::plan::Plan;
use super::rates::Rates;
use super::retained::Snapshot;
use super::traffic::{Passing, Traffic, Way};
use super::watch::number_in;
use super::world::FILTERS;
use crate::frame::Frame;
use crate::simulation::Random;

/// One machine and its store.
pub(super) struct Shard {
    pub(super) broker: Broker,
    pub(super) disk: Disk,
    rates: Option<Rates>,
    /// The filters of each SUBSCRIBE that was read and not looked at; of UNSUBSCRIBE without a choice.
    pub(super) subscribes: Vec<(String, Option<(RetainHandling, QoS)>)>,
    /// What is read counts at once. A message that waits for the host or for the store does when something is read after it.
    counts_at_once: bool,
    pub(super) traffic: Traffic,
    pub(super) windows_shrunk: u64,
}

impl Shard {
    /// Hands the next batch to the store. Returns its number.
    pub(super) fn poll_store(&mut self) -> Option<u64> {
        let mut batch = BrokerBatch::new();
        let has_changes = self.broker.poll_store(&mut batch);
        let number = batch.number();
        has_changes.then(|| {
            self.disk.take(batch);
            number
        })
    }

    /// The store has so many batches. Returns the number of the last one.
    pub(super) fn stored(&mut self, now: Instant, batches: usize) -> Option<u64> {
        let mut last = None;
        for _ in 0..batches {
            last = self.disk.flush().or(last);
        }
        if let Some(number) = last {
            self.broker.handle_stored(now, number);
        }
        last
    }

    /// The host of this machine hears of each will when it is published.
    fn listen(&mut self, now: Instant) {
        let mut options = SubscriptionOptions::new(QoS::ExactlyOnce);
        options.retain_handling = RetainHandling::DoNotSend;
        let filter = TopicFilter::from_bytes(Bytes::from_static(b"w/#")).expect("a valid filter");
        let local = self.broker.subscribe_local(now, &Subscription { filter, options });
        local.expect("there is room for one");
    }

    /// A flush fails: from here on nothing is acknowledged, and all connections end.
    pub(super) fn fail(&mut self, now: Instant) -> Result<(), String> {
        self.broker.handle_store_failed(now);
        let mut batch = BrokerBatch::new();
        if self.broker.poll_store(&mut batch) || self.broker.handle_open(now).is_some() {
            return Err("a broker goes on although its store has failed".to_owned());
        }
        Ok(())
    }

    /// Gives the broker what has arrived, as far as it takes it. Returns whether some of that waits since its client is too fast.
    pub(super) fn feed(&mut self, now: Instant, link: &mut Link, held: &mut Vec<u8>) -> Result<bool, String> {
        if !link.is_served {
            return Ok(false);
        }
        let before = self.broker.figures();
        let is_let_in = self.broker.client_id(link.id).is_some();
        let mut rest = &held[..];
        self.broker.handle_input(now, link.id, &mut rest);
        let taken = held.len() - rest.len();
        self.subscribes.extend(subscribes(&held[..taken]));
        self.traffic.read(link, &held[..taken], now);
        held.drain(..taken);
        let is_too_fast = match self.rates {
            Some(rates) => self.judge(now, link, rates, (&before, is_let_in))?,
            None => false,
        };
        self.pull(now, link);
        if !link.is_used && link.up.is_empty() && link.is_served && self.broker.input_room(link.id) > held.len() {
            link.is_served = false;
            self.broker.handle_eof(now, link.id);
        }
        Ok(is_too_fast && !held.is_empty())
    }

    /// A client that is too fast is not read until it has waited, no longer and no shorter, and that is counted.
    /// Steps of an authentication are read when they are asked for.
    fn judge(
        &self,
        now: Instant,
        link: &mut Link,
        rates: Rates,
        (before, is_let_in): (&Figures, bool),
    ) -> Result<bool, String> {
        let after = self.broker.figures();
        let messages = after.messages_received - before.messages_received;
        let bytes = after.bytes_received - before.bytes_received;
        let pauses = after.reads_paused - before.reads_paused;
        let due = link.read.until(rates).filter(|until| *until > now);
        if let Some(due) = due.filter(|_| bytes > 0 && is_let_in) {
            return Err(format!("{bytes} bytes were read at {now:?}, and not before {due:?}"));
        }
        if bytes > 0 {
            link.read.add(now, messages, bytes);
        }
        let until = link.read.until(rates).filter(|until| *until > now);
        if self.broker.client_id(link.id).is_none() {
            return Ok(false);
        }
        if self.counts_at_once {
            if until.is_some() && self.broker.input_room(link.id) > 0 {
                return Err(format!("there is room at {now:?}, and not before {until:?}"));
            }
            if pauses != u64::from(bytes > 0 && until.is_some()) {
                return Err(format!("{pauses} pauses after {bytes} bytes, until {until:?}"));
            }
            let wakes = self.broker.poll_timeout().map(|timeout| timeout.at);
            if until.is_some_and(|until| wakes.is_none_or(|at| at > until)) {
                return Err(format!("a pause until {until:?} ends at {wakes:?}"));
            }
        }
        Ok(until.is_some())
    }

    /// Takes what the broker has to send, and closes the stream when it is drained.
    pub(super) fn pull(&mut self, now: Instant, link: &mut Link) {
        if !link.is_served {
            return;
        }
        self.broker.poll_transmit(link.id, &mut link.outbox);
        let mut sent = Vec::new();
        drain(&mut link.outbox, &mut sent);
        // Steps of an authentication come before.
        let is_first = !link.is_answered && has_connack(&sent);
        link.is_answered |= is_first;
        if is_first {
            self.windows_shrunk += u64::from(self.has_shrunk(link));
        }
        self.traffic.wrote(link, &sent, now);
        link.down.extend_from_slice(&sent);
        if self.broker.is_drained(link.id) {
            link.is_served = false;
        }
    }
}

impl Shard {
    /// More is on its way in a session than its client takes at once by now.
    fn has_shrunk(&self, link: &Link) -> bool {
        let name = self.broker.client_id(link.id);
        let session = name.and_then(|name| self.broker.session(name));
        session.is_some_and(|session| session.in_flight() > usize::from(link.receive_maximum))
    }

    /// Takes all that the broker has to send.
    pub(super) fn pull_all(&mut self, now: Instant, link: &mut Link) {
        loop {
            let before = link.down.len();
            self.pull(now, link);
            if link.down.len() == before {
                break;
            }
        }
    }
}

/// All machines, and what they have said to each other and not heard.
pub(super) struct Cluster {
    pub(super) shards: Vec<Shard>,
    between: BTreeMap<(u16, u16), VecDeque<PeerMessage>>,
}

impl Cluster {
    pub(super) fn new(plan: &Plan, now: Instant) -> Self {
        let waits_for_store = plan.is_stored && plan.rates.is_some_and(Rates::count_messages);
        let mut shards: Vec<Shard> = (0..plan.shards)
            .map(|number| Shard {
                broker: Broker::new(plan.config(0, number), now),
                disk: Disk::default(),
                rates: plan.rates,
                subscribes: Vec::new(),
                counts_at_once: !plan.asks && !waits_for_store,
                traffic: Traffic::default(),
                windows_shrunk: 0,
            })
            .collect();
        shards.iter_mut().for_each(|shard| shard.listen(now));
        Self {
            shards,
            between: BTreeMap::new(),
        }
    }

    /// The machine that has the session of a client.
    pub(super) fn place_of(&self, name: &str) -> usize {
        let count = u16::try_from(self.shards.len()).unwrap_or(1);
        let shards = Shards::new(0, count).unwrap_or_default();
        usize::from(shards.of_client(name.as_bytes()).0)
    }

    pub(super) fn of(&mut self, name: &str) -> &mut Shard {
        let place = self.place_of(name);
        &mut self.shards[place]
    }

    /// What the machines wait for.
    pub(super) fn timeouts(&self) -> Vec<Option<Timeout>> {
        self.shards.iter().map(|shard| shard.broker.poll_timeout()).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let all = self.shards.iter().filter_map(|shard| shard.broker.poll_timeout());
        all.map(|timeout| timeout.at).min()
    }

    /// All end at once. Each store has what it said, and of the rest any beginning. Returns what came of the records, and how
    /// many were torn.
    pub(super) fn crash(
        &mut self,
        plan: &Plan,
        life: u64,
        now: Instant,
        random: &mut Random,
    ) -> Result<(Vec<BrokerReport>, u64), String> {
        self.between.clear();
        let (mut reports, mut torn) = (Vec::new(), 0);
        for (number, shard) in (0..).zip(&mut self.shards) {
            torn += u64::from(shard.disk.lose_power(random).is_some());
            let mut restore = Broker::restore(plan.config(life, number), now);
            shard.disk.restore(&mut restore);
            let (broker, report) = restore.finish();
            let quarantined: BTreeSet<BrokerKey> = report.quarantined.iter().cloned().collect();
            let unexplained = quarantined
                .difference(shard.disk.torn())
                .any(|key| !shard.disk.is_leftover(key));
            if unexplained || !shard.disk.torn().is_subset(&quarantined) || !report.ended.is_empty() {
                return Err(format!("torn were {:?}, and it says {report:?}", shard.disk.torn()));
            }
            shard.broker = broker;
            shard.listen(now);
            reports.push(report);
        }
        Ok((reports, torn))
    }

    /// Takes what the machines have to say to each other.
    fn collect(&mut self, now: Instant) {
        for (from, shard) in (0..).zip(&mut self.shards) {
            while let Some((to, message)) = shard.broker.poll_peer() {
                shard.traffic.passing.extend(passing(&message, now, Way::Across));
                self.between.entry((from, to.0)).or_default().push_back(message);
            }
        }
    }

    /// Something of what one machine has said arrives at another. Returns what, in words.
    pub(super) fn carry(&mut self, now: Instant, random: &mut Random) -> Vec<String> {
        self.collect(now);
        self.between.retain(|_, messages| !messages.is_empty());
        if self.between.is_empty() {
            return Vec::new();
        }
        let place = random.place(self.between.len());
        let Some(((from, to), messages)) = self.between.iter_mut().nth(place) else {
            return Vec::new();
        };
        let some = 1 + random.place(messages.len());
        let mut told = Vec::new();
        for message in messages.drain(..some) {
            told.push(format!("shard {from} says to {to}: {}", short(&message)));
            let shard = &mut self.shards[usize::from(*to)];
            shard.traffic.passing.extend(passing(&message, now, Way::In));
            shard.broker.handle_peer(now, ShardId(*from), message);
        }
        told
    }

    /// What is retained, for a filter.
    pub(super) fn retained(&self, filter: &str) -> Snapshot {
        let filter = TopicFilter::from_bytes(filter).expect("filters of the simulation are valid");
        let all = |shard: &Shard| {
            let page = shard
                .broker
                .retained(&filter, &mut RetainedCursor::default(), usize::MAX);
            let seen = page.into_iter().map(|kept| {
                let number = number_in(&String::from_utf8_lossy(&kept.message.payload)).unwrap_or_default();
                let topic = String::from_utf8_lossy(kept.message.topic.as_bytes()).into_owned();
                (topic, (number, kept.message.qos))
            });
            seen.collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(all).collect()
    }

    /// Whether any session has messages for its client.
    pub(super) fn has_messages(&self) -> bool {
        self.shards.iter().any(|shard| {
            let mut sessions = shard.broker.sessions(&mut Cursor::default(), u32::MAX);
            sessions.any(|session| session.messages() > 0)
        })
    }

    /// How many messages that end some time wait in sessions.
    pub(super) fn limited(&self) -> u64 {
        let of = |shard: &Shard| {
            let mut cursor = Cursor::default();
            let sessions = shard.broker.sessions(&mut cursor, u32::MAX);
            let ends = |session: SessionView<'_>| {
                session
                    .outgoing()
                    .filter(|message| message.expires_at.is_some())
                    .count()
            };
            sessions.map(ends).sum::<usize>() as u64
        };
        self.shards.iter().map(of).sum()
    }

    /// Whether any machine has changes for its store.
    pub(super) fn has_flying(&self) -> bool {
        self.shards.iter().any(|shard| shard.disk.flying() > 0)
    }
}

/// Whether CONNACK is in what is sent to a client. It is sent in one piece.
fn has_connack(mut bytes: &[u8]) -> bool {
    while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
        if frame.first >> 4 == 2 {
            return true;
        }
        bytes = &bytes[frame.len..];
    }
    false
}

/// The filters in what a client has sent, which are one in each SUBSCRIBE and UNSUBSCRIBE, and at its end but for the options.
fn subscribes(mut bytes: &[u8]) -> Vec<(String, Option<(RetainHandling, QoS)>)> {
    let mut filters = Vec::new();
    while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
        let (text, choice) = match (frame.first, frame.body) {
            (0x82, [text @ .., bits]) => (text, QoS::from_bits(*bits & 3).map(|qos| (handling(*bits), qos))),
            (0xA2, text) => (text, None),
            _ => (&[][..], None),
        };
        let known = FILTERS.iter().filter(|filter| text.ends_with(filter.as_bytes()));
        filters.extend(
            known
                .max_by_key(|filter| filter.len())
                .map(|filter| ((*filter).to_owned(), choice)),
        );
        bytes = &bytes[frame.len..];
    }
    filters
}

/// The messages in what one machine says to another.
fn passing(message: &PeerMessage, at: Instant, way: Way) -> Vec<Passing> {
    let messages = match message {
        PeerMessage::Publish(publish) => core::slice::from_ref(&publish.message),
        PeerMessage::Page { messages, .. } => &messages[..],
        _ => &[],
    };
    let of = |message: &Message| {
        number_in(&String::from_utf8_lossy(&message.payload)).map(|number| Passing {
            number,
            at,
            expiry: message.expiry_seconds,
            way,
        })
    };
    messages.iter().filter_map(of).collect()
}

const fn handling(bits: u8) -> RetainHandling {
    match bits >> 4 {
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => RetainHandling::Send,
    }
}

fn short(message: &PeerMessage) -> String {
    match message {
        PeerMessage::Publish(publish) => format!(
            "{} is published to {} q{}, groups {:?}, {:?}",
            publish.number,
            publish.message.topic,
            publish.message.qos.bits(),
            publish.groups,
            publish.forward,
        ),
        PeerMessage::Page { query, messages, upto } => {
            format!("page {query} of {} messages, up to {upto:?}", messages.len())
        }
        other => format!("{other:?}"),
    }
}
