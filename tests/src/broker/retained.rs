//! What is retained, and who gets it: kept outside of the machines, from what clients said and what is retained when it matters.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::QoS;

use super::bounds::Told;
use super::watch::matches;

/// What is retained at one moment, by topic: the number and the QoS of each.
pub(super) type Snapshot = BTreeMap<String, (u64, QoS)>;

/// A message that was published to be retained.
#[derive(Clone, Debug)]
struct Put {
    topic: &'static str,
    /// By way of which machine: what two have acknowledged may be on its way to the one that keeps it, in any order.
    lane: usize,
    /// It takes away what is there.
    is_empty: bool,
    at: u64,
    /// When its publisher was told that the broker has it.
    acknowledged: Option<u64>,
}

/// A SUBSCRIBE that has arrived.
#[derive(Clone, Debug)]
struct Arrival {
    client: usize,
    filter: String,
    /// The lowest that was asked for from here on.
    qos: QoS,
    at: u64,
    /// It asks for what is retained, too.
    is_replayed: bool,
    expected: Snapshot,
    got: BTreeSet<String>,
    /// Its client lost the connection when it had some of it.
    was_cut: bool,
    is_counted: bool,
    /// Its session has ended.
    is_over: bool,
}

/// How often a message has come to a client.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    live: u64,
    retained: u64,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    puts: BTreeMap<u64, Put>,
    /// When something was last on its way to a topic.
    touched: BTreeMap<String, u64>,
    arrivals: Vec<Arrival>,
    /// Those that have ended, of which something may be on its way.
    earlier: Vec<Arrival>,
    /// Copies of QoS 2, retained and as published ones, by client, its session and number.
    copies: BTreeMap<(usize, u64, u64), Copies>,
    last_crash: u64,
}

impl Books {
    pub(super) fn published(&mut self, number: u64, (topic, lane): (&'static str, usize), is_empty: bool, at: u64) {
        self.touched.insert(topic.to_owned(), at);
        let put = Put {
            topic,
            lane,
            is_empty,
            at,
            acknowledged: None,
        };
        self.puts.insert(number, put);
    }

    pub(super) fn completed(&mut self, number: u64, is_good: bool, at: u64) {
        if let Some(put) = self.puts.get_mut(&number) {
            put.acknowledged = is_good.then_some(at);
            self.touched.insert(put.topic.to_owned(), at);
        }
    }

    pub(super) const fn crashed(&mut self, at: u64) {
        self.last_crash = at;
    }

    /// The broker reads SUBSCRIBE. `expected`: what is retained, if it asks for that.
    pub(super) fn subscribes(&mut self, client: usize, asked: (&str, QoS), at: u64, expected: Option<Snapshot>) {
        let (filter, qos) = asked;
        let is_it = |arrival: &&mut Arrival| arrival.client == client && arrival.filter == filter;
        for arrival in self.arrivals.iter_mut().filter(is_it) {
            arrival.qos = arrival.qos.min(qos);
        }
        self.arrivals.push(Arrival {
            client,
            filter: filter.to_owned(),
            qos,
            at,
            is_replayed: expected.is_some(),
            expected: expected.unwrap_or_default(),
            got: BTreeSet::new(),
            was_cut: false,
            is_counted: false,
            is_over: false,
        });
    }

    /// A subscription, or a whole session, is given up.
    pub(super) fn ended(&mut self, client: usize, filter: Option<&str>) {
        let is_it =
            |arrival: &Arrival| arrival.client == client && filter.is_none_or(|filter| arrival.filter == filter);
        let (ended, others): (Vec<_>, Vec<_>) = core::mem::take(&mut self.arrivals).into_iter().partition(is_it);
        self.arrivals = others;
        self.earlier.extend(ended);
        let of_client = self.earlier.iter_mut().filter(|arrival| arrival.client == client);
        of_client.for_each(|arrival| arrival.is_over |= filter.is_none());
    }

    /// A client is told that its session is another one, which MQTT 3.1 says also if it is not.
    pub(super) fn began(&mut self, client: usize) {
        self.earlier
            .retain(|arrival| arrival.client != client || !arrival.is_over);
    }

    /// A client has lost its connection.
    pub(super) fn cut(&mut self, client: usize) {
        for arrival in self.arrivals.iter_mut().filter(|arrival| arrival.client == client) {
            arrival.was_cut |= !arrival.got.is_empty() && arrival.got.len() < arrival.expected.len();
        }
    }

    /// A client gets a message as one that is published: one that is on its way between machines is not sent a second time.
    pub(super) fn got_live(&mut self, client: usize, topic: &str, number: u64) {
        self.note(client, topic, number);
    }

    /// The same of one that comes once, with QoS 2. `shared`: by way of how many groups it may come.
    pub(super) fn got_live_once(
        &mut self,
        who: (usize, u64),
        topic: &str,
        number: u64,
        shared: u64,
    ) -> Result<(), String> {
        if !self.puts.contains_key(&number) {
            return Ok(());
        }
        self.copies.entry((who.0, who.1, number)).or_default().live += 1;
        self.is_no_more_often(who, topic, number, shared)
    }

    /// A client gets a retained message, in its session of this number. Returns how many replays went on after a cut.
    ///
    /// `shared`: by way of how many groups it may come, as a published one. `is_prompt`: what the client asks for takes effect
    /// when it is read.
    pub(super) fn got(
        &mut self,
        who: (usize, u64),
        topic: &str,
        (number, qos): (u64, QoS),
        shared: u64,
        is_prompt: bool,
    ) -> Result<u64, String> {
        let resumed = self.note(who.0, topic, number);
        // Whoever had subscribed by then gets it as published.
        let asked = self.asked(who.0, topic).filter(|arrival| arrival.is_replayed);
        let asked = asked.map(|arrival| arrival.at).max();
        let later = self
            .puts
            .get(&number)
            .filter(|put| asked.is_none_or(|asked| asked < put.at));
        if let Some(put) = later.filter(|_| is_prompt) {
            return Err(format!(
                "client {} got {number} as retained, which was published at {}, and has asked last at {asked:?}",
                who.0, put.at
            ));
        }
        if qos == QoS::ExactlyOnce {
            self.copies.entry((who.0, who.1, number)).or_default().retained += 1;
            self.is_no_more_often(who, topic, number, shared)?;
        }
        Ok(resumed)
    }

    /// What a client asked for has come, in one way or the other. Returns how many replays went on after a cut.
    fn note(&mut self, client: usize, topic: &str, number: u64) -> u64 {
        let mut resumed = 0;
        for arrival in self.arrivals.iter_mut().filter(|arrival| arrival.client == client) {
            let expected = arrival.expected.get(topic);
            if expected.is_some_and(|(expected, _)| *expected == number) {
                let is_new = arrival.got.insert(topic.to_owned());
                if is_new && arrival.was_cut && !core::mem::replace(&mut arrival.is_counted, true) {
                    resumed += 1;
                }
            }
        }
        resumed
    }

    /// Each SUBSCRIBE asks for one copy of QoS 2: for the retained message, if that was published before, or for the
    /// published one.
    fn is_no_more_often(&self, who: (usize, u64), topic: &str, number: u64, shared: u64) -> Result<(), String> {
        let asked = self.asked(who.0, topic).count() as u64;
        let replayed = self.asked(who.0, topic).filter(|arrival| arrival.is_replayed).count() as u64;
        let Copies { live, retained } = self.copies.get(&(who.0, who.1, number)).copied().unwrap_or_default();
        if retained > replayed || live + retained > asked + shared {
            return Err(format!(
                "client {} got {number} {live} times as published and {retained} times as retained, and asked {asked} times, {replayed} of these for both",
                who.0
            ));
        }
        Ok(())
    }

    /// What a client has asked for that matches a topic.
    fn asked<'b>(&'b self, client: usize, topic: &'b str) -> impl Iterator<Item = &'b Arrival> {
        let all = self.arrivals.iter().chain(&self.earlier);
        all.filter(move |arrival| arrival.client == client && matches(&arrival.filter, topic))
    }

    /// All has come to rest. Returns how many copies had to arrive.
    ///
    /// `granted` says whether a client has kept a filter since a step, and by which QoS.
    pub(super) fn finish(
        &self,
        now: &Snapshot,
        may_vanish: bool,
        granted: impl Fn(usize, &str, u64) -> Option<QoS>,
        may_have_ended: impl Fn(u64) -> bool,
        told: &mut Told,
    ) -> Result<u64, String> {
        self.last_wins(now, may_vanish, may_have_ended, told.not_retained)?;
        let mut required = 0;
        for arrival in &self.arrivals {
            let Some(qos) = granted(arrival.client, &arrival.filter, arrival.at) else {
                continue;
            };
            for (topic, (number, of)) in &arrival.expected {
                let is_same = now.get(topic).is_some_and(|(last, _)| last == number);
                let touched = self.touched.get(topic).is_some_and(|at| *at >= arrival.at);
                // What was not stored may have been there in between, and have been taken for it.
                if !is_same
                    || touched
                    || self.last_crash >= arrival.at
                    || qos.min(arrival.qos).min(*of) == QoS::AtMostOnce
                {
                    continue;
                }
                if !arrival.got.contains(topic) && told.excuses(arrival.client, *number) {
                    continue;
                }
                required += 1;
                if !arrival.got.contains(topic) {
                    return Err(format!(
                        "client {} subscribed to {} at {} and never got {number}, which is retained for {topic}",
                        arrival.client, arrival.filter, arrival.at
                    ));
                }
            }
        }
        Ok(required)
    }

    /// Of what was published to a topic, the last is retained, as far as anybody can say which that is.
    /// For each topic of which that is not so, one of its messages was not retained.
    fn last_wins(
        &self,
        now: &Snapshot,
        may_vanish: bool,
        may_have_ended: impl Fn(u64) -> bool,
        not_retained: u64,
    ) -> Result<(), String> {
        let mut odd = BTreeMap::new();
        for (topic, (number, _)) in now {
            let Some(put) = self.puts.get(number) else {
                return Err(format!("{number} is retained for {topic}, and nobody wanted it"));
            };
            if put.topic != topic || put.is_empty {
                return Err(format!("{number} is retained for {topic}: {put:?}"));
            }
            if self.is_surpassed(put) {
                odd.insert(put.topic, format!("{number} is retained for {topic}: {put:?}"));
            }
        }
        let there = |put: &&Put| !put.is_empty && put.acknowledged.is_some() && !now.contains_key(put.topic);
        for put in self.puts.values().filter(there).filter(|_| !may_vanish) {
            let takes_away = |(number, other): (&u64, &Put)| {
                let is_gone = other.is_empty || may_have_ended(*number);
                other.topic == put.topic && is_gone && !self.is_surpassed(other)
            };
            if !self.puts.iter().any(takes_away) {
                odd.insert(
                    put.topic,
                    format!("nothing is retained for {}, in spite of {put:?}", put.topic),
                );
            }
        }
        match odd.pop_first() {
            Some((_, fault)) if odd.len() as u64 + 1 > not_retained => Err(fault),
            _ => Ok(()),
        }
    }

    /// How many were retained until their time was over.
    pub(super) fn expired(&self, now: &Snapshot, has_ended: impl Fn(u64) -> bool) -> u64 {
        let last = |(number, put): &(&u64, &Put)| {
            put.acknowledged.is_some() && !now.contains_key(put.topic) && has_ended(**number) && !self.is_surpassed(put)
        };
        self.puts.iter().filter(last).count() as u64
    }

    /// Whether another one came surely later.
    fn is_surpassed(&self, put: &Put) -> bool {
        let is_alike = |other: &Put| other.topic == put.topic && other.lane == put.lane;
        let is_later = |other: &Put, end: u64| is_alike(other) && other.acknowledged.is_some() && other.at > end;
        put.acknowledged
            .is_some_and(|end| self.puts.values().any(|other| is_later(other, end)))
    }
}
