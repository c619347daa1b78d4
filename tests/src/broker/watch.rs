//! What has to hold, whatever happens: kept outside of the machines, from what clients say and are told.

mod ending;
mod flag;
mod host;

use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::proto::{SubscriptionOptions, TopicFilter, TopicName};
use mqtt_session::{Closed, Event, Instant, Outcome, QoS, Received};

use flag::Sight;

use super::bounds::Told;
use super::counts::Counts;
use super::expiry::Lives;
use super::options::Options;
use super::retained::Books;

/// A message that a client published.
#[derive(Clone, Debug)]
struct Sent {
    publisher: usize,
    topic: &'static str,
    qos: QoS,
    at: u64,
    is_acknowledged: bool,
    /// The broker has ended the session that it was sent in. If a CONNECT whose answer was lost has begun another one, its
    /// client is told that a session is present, and sends it again: the broker cannot know it.
    is_orphan: bool,
    /// It is a will that a restart found although it had been published, in a life that is forgotten.
    is_repeated: bool,
    is_large: bool,
    is_retained: bool,
}

/// What a client is known to have.
#[derive(Clone, Debug, Default)]
struct Subscriber {
    /// Counts its sessions.
    epoch: u64,
    since: u64,
    /// The broker has ended its session, and the client does not know.
    is_stale: bool,
    /// It has gone on with a session that the broker had ended: of what it had of QoS 2, the broker knows nothing.
    is_mistaken: bool,
    /// Filters that were granted and not given up, with the step of that.
    granted: BTreeMap<&'static str, (u64, QoS)>,
    /// By which request it has given up a filter.
    given_up: BTreeMap<&'static str, u64>,
    /// From which request on the host has ended a filter.
    revoked: BTreeMap<String, u64>,
    /// Since when the host denies a filter.
    denied: BTreeMap<&'static str, u64>,
    options: Options,
    /// The broker may drop what is large, since it takes no large packets.
    is_small: bool,
    /// All that it has ever asked for.
    asked: BTreeSet<&'static str>,
    /// How often a message came, by session, and how often of these as one that comes once.
    got: BTreeMap<(u64, u64), (u32, u32)>,
    /// The last message, by publisher, topic and both QoS: later ones have higher numbers.
    order: BTreeMap<(usize, &'static str, u8, u8), u64>,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) counts: Counts,
    pub(super) hash: u64,
    pub(super) trace: Vec<String>,
    pub(super) traces: bool,
    /// The host is asked.
    asks: bool,
    /// A client gets a copy for each of its subscriptions.
    pub(super) copies_each: bool,
    pub(super) step: u64,
    sent: BTreeMap<u64, Sent>,
    /// What has reached anybody, and whom first.
    reached: BTreeMap<u64, usize>,
    /// How long each message may be delivered.
    pub(super) lives: Lives,
    pub(super) now: Instant,
    /// When the broker ended last.
    last_crash: u64,
    subscribers: Vec<Subscriber>,
    pub(super) retained: Books,
    /// What is lost at bounds.
    pub(super) lost: Told,
    /// Wills that were published and whose sessions a restart would not have found.
    passing_wills: Vec<u64>,
    /// SUBSCRIBE and UNSUBSCRIBE by their tags.
    requests: BTreeMap<u64, (usize, &'static str, Option<QoS>)>,
    /// Operations that have not ended.
    pub(super) open: BTreeSet<u64>,
}

/// What the host never allows, when it is asked.
pub(super) const FORBIDDEN: &str = "deny";

/// A topic that is only in reach of one group.
pub(super) const OF_GROUP: &str = "$g/x";

/// That group.
pub(super) const GROUP: &str = "$share/k/$g/#";

pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let filter = TopicFilter::from_bytes(filter).expect("filters of the simulation are valid");
    let topic = TopicName::from_bytes(topic).expect("topics of the simulation are valid");
    match filter.shared() {
        Some(shared) => shared.filter.matches(&topic),
        None => filter.matches(&topic),
    }
}

impl Watch {
    pub(super) fn new(clients: usize, asks: bool, traces: bool) -> Self {
        Self {
            traces,
            asks,
            subscribers: vec![Subscriber::default(); clients],
            ..Self::default()
        }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let text = text();
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if self.traces {
            self.trace.push(format!("{:>5}  {text}", self.step));
        }
    }

    pub(super) fn published(
        &mut self,
        number: u64,
        publisher: usize,
        (topic, qos): (&'static str, QoS),
        is_retained: bool,
        is_large: bool,
    ) {
        self.counts.published += 1;
        self.open.insert(number);
        let sent = Sent {
            publisher,
            topic,
            qos,
            at: self.step,
            is_acknowledged: false,
            is_orphan: false,
            is_repeated: false,
            is_large,
            is_retained,
        };
        self.sent.insert(number, sent);
    }

    pub(super) fn asked(&mut self, tag: u64, client: usize, filter: &'static str, qos: Option<QoS>) {
        self.open.insert(tag);
        self.requests.insert(tag, (client, filter, qos));
        match qos {
            Some(qos) => {
                let subscriber = &mut self.subscribers[client];
                subscriber.asked.insert(filter);
                // From here on it may be the lower of both.
                if let Some((_, granted)) = subscriber.granted.get_mut(filter) {
                    *granted = qos.min(*granted);
                }
            }
            None => {
                self.retained.ended(client, Some(filter));
                let subscriber = &mut self.subscribers[client];
                subscriber.granted.remove(filter);
                subscriber.given_up.insert(filter, tag);
            }
        }
    }

    /// How a client has asked.
    pub(super) fn asked_how(
        &mut self,
        client: usize,
        filter: &'static str,
        options: SubscriptionOptions,
        has_identifier: bool,
    ) {
        self.subscribers[client].options.asked(filter, options, has_identifier);
    }

    /// A client takes no large packets.
    pub(super) fn is_small(&mut self, client: usize) {
        self.subscribers[client].is_small = true;
    }

    /// A client has ended, and begins anew without anything. What it had asked for ends with it.
    pub(super) fn client_restarted(&mut self, client: usize) {
        self.counts.clients_restarted += 1;
        self.note(|| format!("{client} ends, and begins anew"));
        let (sent, requests) = (&self.sent, &self.requests);
        let is_its = |tag: &u64| {
            let publisher = sent.get(tag).map(|sent| sent.publisher);
            publisher.or_else(|| requests.get(tag).map(|(client, ..)| *client)) == Some(client)
        };
        self.open.retain(|tag| !is_its(tag));
        self.requests.retain(|_, (owner, ..)| *owner != client);
    }

    /// What a client is told.
    pub(super) fn told(&mut self, client: usize, event: &Event) -> Result<(), String> {
        self.note(|| format!("{client} is told {}", short(event)));
        match event {
            Event::Connected { session_present, .. } => self.connected(client, *session_present),
            Event::Message(received) => self.got(client, received)?,
            Event::Completed { tag, outcome, .. } => {
                self.judge_room(outcome)?;
                self.completed(*tag, outcome);
            }
            Event::Closed { reason, .. } => match reason {
                Closed::Malformed(_) | Closed::Violation(..) => {
                    return Err(format!("client {client} says of the broker: {reason}"));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, client: usize, session_present: bool) {
        let subscriber = &mut self.subscribers[client];
        subscriber.is_mistaken = session_present && (subscriber.is_mistaken || subscriber.is_stale);
        subscriber.is_stale = false;
        if session_present {
            self.counts.resumes += 1;
        } else {
            self.counts.new_sessions += 1;
            self.retained.began(client);
            subscriber.epoch += 1;
            subscriber.since = self.step;
            subscriber.granted.clear();
            // MQTT 3.1 cannot say that the session goes on, and with it what was in flight.
            subscriber.order.clear();
        }
    }

    /// The same of a client by its name.
    pub(super) fn session_of_ended(&mut self, client_id: &[u8]) {
        let name = |index: &usize| format!("c{index}").into_bytes() == client_id;
        if let Some(index) = (0..self.subscribers.len()).find(name) {
            self.session_ended(index);
        }
    }

    /// The broker says that a session has ended.
    pub(super) fn session_ended(&mut self, client: usize) {
        self.counts.sessions_ended += 1;
        self.retained.ended(client, None);
        self.note(|| format!("the session of {client} has ended"));
        for sent in self.sent.values_mut().filter(|sent| sent.publisher == client) {
            sent.is_orphan |= !sent.is_acknowledged;
        }
        let subscriber = &mut self.subscribers[client];
        subscriber.since = self.step;
        subscriber.granted.clear();
        // What was on its way to the client may still arrive.
        subscriber.is_stale = true;
    }

    /// The broker has ended.
    pub(super) fn crashed(&mut self) {
        // Nobody was told that they are durable, and nothing brings them back.
        self.retained.crashed(self.step);
        let passing = core::mem::take(&mut self.passing_wills);
        self.wills_forgotten(&passing);
        self.last_crash = self.step;
    }

    fn completed(&mut self, tag: u64, outcome: &Outcome) {
        self.open.remove(&tag);
        let is_good = matches!(outcome, Outcome::Acknowledged(_));
        self.retained.completed(tag, is_good, self.step);
        if matches!(outcome, Outcome::Refused(_)) {
            self.counts.refused += 1;
        }
        if let Some(sent) = self.sent.get_mut(&tag) {
            sent.is_acknowledged = is_good;
        }
        let Some((client, filter, qos)) = self.requests.remove(&tag) else {
            return;
        };
        let subscriber = &mut self.subscribers[client];
        match (qos, outcome) {
            _ if subscriber.is_stale => {}
            (Some(qos), Outcome::Subscribed(answer)) if answer.codes.iter().all(|code| !code.is_error()) => {
                let ended = [subscriber.given_up.get(filter), subscriber.revoked.get(filter)];
                if ended.into_iter().flatten().any(|ended| *ended > tag) {
                    return;
                }
                // What was asked later may have been granted by now.
                let outstanding = self.requests.values();
                let later = outstanding.filter(|(other, same, _)| *other == client && *same == filter);
                let qos = later.filter_map(|(_, _, qos)| *qos).fold(qos, QoS::min);
                let granted = subscriber.granted.entry(filter).or_insert((self.step, qos));
                if granted.1 < qos {
                    *granted = (self.step, qos);
                }
            }
            (Some(_), Outcome::Subscribed(_)) => {
                self.retained.ended(client, Some(filter));
                self.counts.refused += 1;
            }
            _ => {}
        }
    }

    fn got(&mut self, client: usize, received: &Received) -> Result<(), String> {
        self.counts.delivered += 1;
        let message = &received.message;
        let topic = String::from_utf8_lossy(message.topic.as_bytes()).into_owned();
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        let sight = self.judge_flag(client, &topic, &text, message.retain)?;
        let subscriber = &mut self.subscribers[client];
        if !subscriber.asked.iter().any(|filter| matches(filter, &topic)) {
            return Err(format!("client {client} got {topic}, which it never asked for"));
        }
        if topic == FORBIDDEN && self.asks {
            return Err(format!("client {client} got what the host never allowed"));
        }
        let identifiers: Vec<u32> = message
            .properties
            .subscription_ids()
            .map(mqtt_session::proto::SubscriptionId::get)
            .collect();
        self.counts.identified += u64::from(!identifiers.is_empty());
        subscriber.options.judge(&topic, &identifiers)?;
        // From the change of the policy on everything waits for the answer, which is no.
        if let Some(sent) = number_in(&text).and_then(|number| self.sent.get(&number)) {
            let mut ways = subscriber.asked.iter().filter(|filter| matches(filter, &topic));
            let is_denied = |filter: &&str| subscriber.denied.get(filter).is_some_and(|since| *since < sent.at);
            self.counts.held += u64::from(subscriber.denied.values().any(|since| *since < sent.at));
            // What had its identifier when the broker ended may have been sent, and is sent again.
            if self.asks && sent.at > self.last_crash && ways.all(is_denied) {
                return Err(format!("client {client} got {text}, although it was denied it before"));
            }
        }
        let who = (client, subscriber.epoch);
        let matching = subscriber.asked.iter().filter(|filter| matches(filter, &topic));
        let (shared, own): (Vec<&str>, Vec<&str>) = matching.copied().partition(|filter| filter.starts_with("$share"));
        let by_groups = shared.len() as u64;
        if sight == Sight::Retained {
            self.counts.retained_copies += 1;
            let number = number_in(&text).ok_or_else(|| format!("{text} is retained"))?;
            let what = (number, message.qos);
            // What the host is asked about takes effect when it answers.
            self.counts.retained_cuts += self.retained.got(who, &topic, what, by_groups, !self.asks)?;
            return Ok(());
        }
        // It takes away what was retained, and is for subscribers too.
        if text.is_empty() {
            return Ok(());
        }
        let is_will = text.starts_with('w');
        self.counts.wills += u64::from(is_will);
        let number = number_in(&text).ok_or_else(|| format!("client {client} got {text}"))?;
        self.retained.got_live(client, &topic, number);
        let sent = self
            .sent
            .get(&number)
            .ok_or_else(|| format!("client {client} got {number}, which nobody sent"))?;
        if sent.topic != topic || message.qos > sent.qos {
            return Err(format!(
                "client {client} got {number} with another topic or a higher QoS"
            ));
        }
        // A copy of QoS 0 does not wait for the store: a broker that ends before it has the message sends another one, and
        // so does one whose publisher's session has ended.
        let is_once = match message.qos {
            QoS::AtMostOnce => sent.qos == QoS::AtMostOnce && !sent.is_repeated,
            QoS::AtLeastOnce => false,
            QoS::ExactlyOnce => !sent.is_orphan,
        };
        if is_once {
            self.counts.delivered_once += 1;
        }
        if sight == Sight::Either {
            self.reached.entry(number).or_insert(client);
            subscriber.got.entry((subscriber.epoch, number)).or_insert((0, 0)).0 += 1;
            return Ok(());
        }
        let is_own = sent.publisher == client && !is_will;
        if is_own && !subscriber.options.may_get_own(&topic) {
            return Err(format!("client {client} got {number}, its own, and never wanted that"));
        }
        let first = *self.reached.entry(number).or_insert(client);
        self.counts.redelivered += u64::from(topic == OF_GROUP && first != client);
        let (times, once) = subscriber.got.entry((subscriber.epoch, number)).or_insert((0, 0));
        *times += 1;
        *once += u32::from(is_once);
        // One for its own subscriptions together, and one for each group.
        let own_most = if self.copies_each { own.len() } else { own.len().min(1) };
        let most = u32::try_from(own_most).unwrap_or(0) + u32::try_from(shared.len()).unwrap_or(0);
        if *once > most {
            return Err(format!("client {client} got {number} {once} times"));
        }
        if is_once && message.qos == QoS::ExactlyOnce {
            self.retained.got_live_once(who, &topic, number, by_groups)?;
        }
        let key = (sent.publisher, sent.topic, sent.qos.bits(), message.qos.bits());
        let last = subscriber.order.entry(key).or_insert(0);
        // Who subscribed later may get what was sent before once more, when its publisher sends it again.
        let was_there = |(filter, (since, qos)): (&&'static str, &(u64, QoS))| {
            let is_plain = !filter.starts_with("$share");
            let may_miss = is_own && subscriber.options.may_miss_own(filter);
            is_plain && !may_miss && *since < sent.at && *qos >= message.qos && matches(filter, &topic)
        };
        // Copies by way of a group come when the group has chosen; one of QoS 0 may be lost, and come when its publisher sends
        // the message again.
        let is_sure = message.qos > QoS::AtMostOnce || sent.qos == QoS::AtMostOnce;
        // Wills wait for different times, and each for what the host says.
        let is_ordered = is_sure && shared.is_empty() && !is_will && !self.lost.has_lost(client);
        if *times == 1 && *last > number && is_ordered && subscriber.granted.iter().any(was_there) {
            return Err(format!("client {client} got {number} after {last}"));
        }
        *last = (*last).max(number);
        Ok(())
    }
}

/// The number of a message or a will.
pub(super) fn number_in(text: &str) -> Option<u64> {
    text.strip_prefix('w').unwrap_or(text).trim_end().parse().ok()
}

fn short(event: &Event) -> String {
    match event {
        Event::Message(received) => format!(
            "{} q{}{} {:?}",
            received.message.topic,
            received.message.qos.bits(),
            if received.message.retain { " retained" } else { "" },
            received.message.payload
        ),
        other => format!("{other:?}"),
    }
}
