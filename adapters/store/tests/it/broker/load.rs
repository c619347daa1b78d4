//! A script: clients that publish, subscribe, leave wills and lose their streams, and a book of what they were promised.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{
    Binary, Filters, Properties, SubscribeProperties, SubscriptionOptions, TopicFilter, TopicName, Will,
};
use mqtt_session::{
    Broker, BrokerBatch, BrokerConfig, BrokerKey, BrokerReport, Client, ClientConfig, Event, Instant, Message, Outcome,
    QoS,
};
use mqtt_store::{Loaded, SessionName, Write};

use super::streams::Peer;
use crate::model::Random;

pub(crate) fn broker_name() -> SessionName {
    SessionName::new("broker").unwrap()
}

const PUBLISHERS: [usize; 2] = [0, 1];
/// Gets everything, and wills.
const ALL: usize = 2;
const SOME: usize = 3;
/// Subscribes later.
const LATE: usize = 4;
/// Loses its stream, and comes back when the script is over.
const AWAY: usize = 5;
/// Is connected until the broker ends, has a will, and does not come back.
const WILLED: usize = 6;
/// Comes when everything is over, for what is retained.
const FRESH: usize = 7;
const LATE_AT: usize = 8;
const AWAY_AT: usize = 12;
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

struct Sent {
    publisher: usize,
    topic: String,
    qos: QoS,
}

/// What clients know, and nobody else.
#[derive(Default)]
struct Book {
    sent: BTreeMap<u64, Sent>,
    acknowledged: BTreeSet<u64>,
    /// Filters that were granted, with the last message before that.
    granted: BTreeMap<(usize, &'static str), u64>,
    asked: BTreeMap<u64, &'static str>,
    got: BTreeMap<(usize, u64), u32>,
    wills: u32,
    is_willed: bool,
    lost: Vec<String>,
}

/// What the script has seen in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) owed: u64,
    pub(crate) owed_once: u64,
    pub(crate) retained: u64,
    pub(crate) wills: u64,
}

pub(crate) struct Script {
    now: Instant,
    random: Random,
    broker: Broker,
    peers: Vec<Peer>,
    number: u64,
    rounds: usize,
    last: Option<u64>,
    book: Book,
}

fn client(index: usize, now: Instant) -> Client {
    let mut config = ClientConfig::new(format!("c{index}")).unwrap();
    config = config.session_expiry_seconds(3_600).seed(index as u64);
    if index == WILLED {
        config = config.will(Some(Will {
            topic: TopicName::new("w").unwrap().to_owned(),
            payload: Binary::new(Bytes::from_static(b"w")).unwrap(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::empty(),
        }));
    }
    Client::new(config, now)
}

fn matches(filter: &str, topic: &str) -> bool {
    TopicFilter::new(filter)
        .unwrap()
        .matches(&TopicName::new(topic).unwrap())
}

impl Script {
    pub(crate) fn new() -> Self {
        let now = Instant::from_secs(1_000_000);
        let mut script = Self {
            now,
            random: Random::new(11),
            broker: Broker::new(BrokerConfig::new(0).is_stored(true), now),
            peers: (0..FRESH).map(|index| Peer::new(client(index, now))).collect(),
            number: 1,
            rounds: 0,
            last: None,
            book: Book::default(),
        };
        script.subscribe(ALL, "a/#");
        script.subscribe(ALL, "w");
        script.subscribe(SOME, "a/1");
        script.subscribe(AWAY, "a/+");
        script
    }

    /// After so many rounds that were confirmed, and, if there is one more, that one without its confirmation.
    pub(crate) fn after(confirmed: usize, rounds: usize) -> Self {
        let mut script = Self::new();
        for _ in 0..confirmed {
            script.round();
            script.confirm();
        }
        if confirmed < rounds {
            script.round();
        }
        script
    }

    fn subscribe(&mut self, index: usize, filter: &'static str) {
        let filters: Filters<Bytes> = Filters::builder()
            .filter(filter, SubscriptionOptions::new(QoS::ExactlyOnce))
            .build()
            .unwrap();
        let tag = self.number;
        self.number += 1;
        self.book.asked.insert(tag, filter);
        let client = &mut self.peers[index].client;
        client
            .subscribe(self.now, filters, SubscribeProperties::empty(), tag)
            .unwrap();
    }

    fn publish(&mut self, publisher: usize) {
        let is_retained = self.random.below(5) == 0;
        // One QoS for each retained topic: a repetition of QoS 1 counts as another message, and may come after one of QoS 2 that
        // is not taken again.
        let qos = match is_retained {
            true => QOS[publisher + 1],
            false => QOS[self.random.below(3) as usize],
        };
        let topic = if is_retained {
            format!("r/{publisher}")
        } else {
            format!("a/{}", self.random.below(3))
        };
        // The number, and as much as makes payloads of many sizes.
        let len = [0, 30, 500, 5_000][self.random.below(4) as usize];
        let payload = format!("{} {}", self.number, "x".repeat(len));
        let message = Message::new(topic.clone(), payload)
            .unwrap()
            .qos(qos)
            .retain(is_retained);
        let client = &mut self.peers[publisher].client;
        if client.publish(self.now, message, self.number).is_ok() {
            let sent = Sent { publisher, topic, qos };
            self.book.sent.insert(self.number, sent);
            self.number += 1;
        }
    }

    /// Everybody does something, and everything that needs no store happens. What is to be stored is returned.
    pub(crate) fn round(&mut self) -> Vec<Write> {
        self.now = self.now.saturating_add(Duration::from_millis(200));
        let round = self.rounds;
        self.rounds += 1;
        if round == LATE_AT {
            self.subscribe(LATE, "a/2");
        }
        if round == AWAY_AT {
            self.peers[AWAY].is_away = true;
            self.peers[AWAY].cut(self.now, &mut self.broker);
        }
        if round % 5 == 4 {
            let index = self.random.below(WILLED as u64) as usize;
            self.peers[index].cut(self.now, &mut self.broker);
        }
        let mut writes = Vec::new();
        // Two batches: what comes while the first one is on its way.
        for _ in 0..2 {
            for publisher in PUBLISHERS {
                for _ in 0..self.random.below(3) {
                    self.publish(publisher);
                }
            }
            self.due();
            self.pump();
            writes.extend(self.store());
        }
        writes
    }

    fn store(&mut self) -> Option<Write> {
        let mut batch = BrokerBatch::new();
        if !self.broker.poll_store(&mut batch) {
            return None;
        }
        self.last = Some(batch.number());
        Some(Write::apply_broker(broker_name(), batch.changes().to_vec()))
    }

    /// What the last round returned is durable.
    pub(crate) fn confirm(&mut self) {
        if let Some(number) = self.last.take() {
            self.broker.handle_stored(self.now, number);
        }
        self.pump();
    }

    fn due(&mut self) {
        while self.broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
            self.broker.handle_timeout(self.now);
        }
        for peer in &mut self.peers {
            peer.client.handle_timeout(self.now);
        }
    }

    fn pump(&mut self) -> bool {
        let mut has_moved = false;
        loop {
            let mut moves = false;
            for (index, peer) in self.peers.iter_mut().enumerate() {
                let (book, last) = (&mut self.book, self.number);
                moves |= peer.step(self.now, &mut self.broker, |event| book.note(index, event, last));
            }
            while self.broker.poll_event().is_some() {}
            if !moves {
                return has_moved;
            }
            has_moved = true;
        }
    }

    /// Power is lost, and a broker begins with what there is. Everybody comes back, and everything comes to rest. What was
    /// promised and not kept is returned, or what happened.
    pub(crate) fn go_on(mut self, loaded: Loaded<BrokerKey>) -> Result<Counts, String> {
        let report = self.restart(loaded)?;
        if !report.quarantined.is_empty() || !report.ended.is_empty() {
            return Err(format!("not everything could be used: {report:?}"));
        }
        self.rest()?;
        self.peers.push(Peer::new(client(FRESH, self.now)));
        self.subscribe(FRESH, "r/#");
        self.rest()?;
        self.book.settle()
    }

    fn restart(&mut self, loaded: Loaded<BrokerKey>) -> Result<BrokerReport, String> {
        let mut restore = Broker::restore(BrokerConfig::new(1), self.now);
        loaded.into_broker(&mut restore).map_err(|error| error.to_string())?;
        let (broker, report) = restore.finish();
        self.broker = broker;
        self.last = None;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            peer.lose_broker(self.now);
            peer.is_away = index == WILLED;
        }
        Ok(report)
    }

    fn rest(&mut self) -> Result<(), String> {
        // Long enough for wills after a restart, and for everybody to come back.
        let end = self.now.saturating_add(Duration::from_secs(120));
        for _ in 0..5_000 {
            self.due();
            let mut has_moved = self.pump();
            while self.store().is_some() {
                has_moved = true;
            }
            self.confirm();
            if has_moved {
                continue;
            }
            if self.now >= end {
                return Ok(());
            }
            self.now = self.now.saturating_add(Duration::from_secs(1));
        }
        Err("it does not come to rest".to_owned())
    }
}

impl Book {
    fn note(&mut self, index: usize, event: &Event, last: u64) {
        match event {
            Event::Connected { .. } => self.is_willed |= index == WILLED,
            Event::Message(received) if received.message.topic.as_str() == "w" => self.wills += 1,
            Event::Message(received) => {
                let text = std::str::from_utf8(&received.message.payload).unwrap();
                let number = text.split(' ').next().unwrap().parse().unwrap();
                *self.got.entry((index, number)).or_default() += 1;
            }
            Event::Completed { tag, outcome, .. } => match outcome {
                Outcome::Acknowledged(_) => {
                    self.acknowledged.insert(*tag);
                }
                Outcome::Subscribed(_) => {
                    self.granted.insert((index, self.asked[tag]), last);
                }
                Outcome::Sent => {}
                other => self.lost.push(format!("{tag} of {index} ended as {other:?}")),
            },
            _ => {}
        }
    }

    /// Holds what came against what had to come.
    fn settle(self) -> Result<Counts, String> {
        let mut counts = Counts::default();
        if let Some(lost) = self.lost.first() {
            return Err(lost.clone());
        }
        let mut retained = BTreeMap::new();
        for (number, sent) in &self.sent {
            if sent.qos == QoS::AtMostOnce {
                continue;
            }
            if !self.acknowledged.contains(number) {
                return Err(format!("{number} was never acknowledged"));
            }
            if sent.topic.starts_with("r/") {
                retained.insert(sent.publisher, *number);
            }
            for ((index, filter), since) in &self.granted {
                let got = self.got.get(&(*index, *number)).copied().unwrap_or(0);
                let is_owed = number >= since && *index != FRESH && matches(filter, &sent.topic);
                let is_once = sent.qos == QoS::ExactlyOnce;
                if is_owed && got == 0 {
                    return Err(format!("{number} of {:?} never came to {index}", sent.qos));
                }
                if is_once && got > 1 {
                    return Err(format!("{number} came {got} times to {index}"));
                }
                counts.owed += u64::from(is_owed);
                counts.owed_once += u64::from(is_owed && is_once);
            }
        }
        let fresh = self.got.keys().filter(|(index, _)| *index == FRESH);
        let fresh: BTreeSet<u64> = fresh.map(|(_, number)| *number).collect();
        if fresh != retained.values().copied().collect() {
            return Err(format!("retained are {fresh:?}, and should be {retained:?}"));
        }
        counts.retained = fresh.len() as u64;
        if self.is_willed && self.granted.contains_key(&(ALL, "w")) && self.wills != 1 {
            return Err(format!("the will came {} times", self.wills));
        }
        counts.wills = u64::from(self.wills);
        Ok(counts)
    }
}
