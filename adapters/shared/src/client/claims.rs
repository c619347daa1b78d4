//! Which messages belong to which subscription, and the messages that wait to be taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use bytes::Bytes;
use mqtt_session::proto::{Filters, PropertyId, PublishProperties, SubscribeProperties, TopicFilter};
use mqtt_session::{DeliveryId, Message, QoS, Received};

use super::names::{Names, Told};
use super::wakers::Wakers;

/// The claim on what belongs to no other.
pub(super) const UNCLAIMED: u64 = 0;

/// A message that waits to be taken.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) redelivered: bool,
    /// What is to be acknowledged, if anything.
    pub(super) token: Option<Token>,
}

/// What is acknowledged when it has been dealt with.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) delivery: DeliveryId,
    /// How many streams have to deal with it, if there are several.
    pub(super) parts: Option<Arc<AtomicUsize>>,
}

impl Token {
    /// One of those who have to deal with it has. Whether that was the last one.
    pub(super) fn is_last(&self) -> bool {
        let parts = self.parts.as_ref();
        parts.is_none_or(|parts| parts.fetch_sub(1, Ordering::AcqRel) == 1)
    }
}

impl Held {
    fn new(received: Received) -> Self {
        Self {
            message: received.message,
            redelivered: received.redelivered,
            token: received.delivery.map(|delivery| Token { delivery, parts: None }),
        }
    }

    fn share(&self) -> Self {
        Self {
            message: self.message.clone(),
            redelivered: self.redelivered,
            token: self.token.clone(),
        }
    }

    fn bytes(&self) -> usize {
        self.message.topic.len() + self.message.payload.len()
    }
}

/// What one subscription wants, and what has come for it.
#[derive(Debug)]
pub(super) struct Claim {
    filters: Vec<TopicFilter<Bytes>>,
    /// What was asked for, to be asked for again. Nothing for what belongs to no subscription.
    pub(super) request: Option<(Filters<Bytes>, SubscribeProperties<Bytes>)>,
    queue: VecDeque<Held>,
    pub(super) waker: Option<Waker>,
    /// The server has granted it: it is asked for again when the session is lost.
    pub(super) is_granted: bool,
    /// Nothing more will come.
    pub(super) is_ended: bool,
    pub(super) dropped: u64,
}

impl Claim {
    pub(super) fn new(request: Option<(Filters<Bytes>, SubscribeProperties<Bytes>)>) -> Self {
        let filters = request.iter().flat_map(|(filters, _)| filters.iter());
        Self {
            filters: filters.map(|subscription| subscription.filter.to_owned()).collect(),
            request,
            queue: VecDeque::new(),
            waker: None,
            is_granted: false,
            is_ended: false,
            dropped: 0,
        }
    }

    fn wants(&self, message: &Message) -> bool {
        !self.is_ended && self.filters.iter().any(|filter| filter.matches(&message.topic))
    }

    /// Whether a message that came like this is for it.
    fn is_meant(&self, message: &Message, told: &Told<'_>) -> bool {
        let is_meant = |filter: &TopicFilter<Bytes>| filter.matches(&message.topic) && told.means(filter);
        !self.is_ended && self.filters.iter().any(is_meant)
    }

    /// Whether the application knows what an identifier means: it has chosen one, or takes what belongs to nobody.
    fn reads_names(&self) -> bool {
        let properties = self.request.as_ref().map(|(_, properties)| properties);
        properties.is_none_or(|properties| properties.subscription_id().is_some())
    }

    pub(super) fn filters(&self) -> &[TopicFilter<Bytes>] {
        &self.filters
    }
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Routed {
    /// It waits to be taken.
    Held,
    /// It belongs to nobody, and is to be acknowledged.
    Unclaimed(Option<DeliveryId>),
    /// It was dropped.
    Dropped,
    /// It waits to be taken, beyond the bound: the machine tells a message of QoS 2 once, so it must not be dropped.
    TooMuch,
}

/// All subscriptions of a client.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) all: BTreeMap<u64, Claim>,
    pub(super) names: Names,
    next: u64,
    /// What belongs to nobody waits, instead of being dropped.
    holds_unclaimed: bool,
    stream_messages: usize,
    most_messages: usize,
    most_bytes: usize,
    pub(super) held_messages: usize,
    pub(super) held_bytes: usize,
}

impl Claims {
    pub(super) fn new(holds_unclaimed: bool, stream_messages: usize, most_messages: usize, most_bytes: usize) -> Self {
        Self {
            all: BTreeMap::from([(UNCLAIMED, Claim::new(None))]),
            names: Names::new(),
            next: UNCLAIMED + 1,
            holds_unclaimed,
            stream_messages,
            most_messages,
            most_bytes,
            held_messages: 0,
            held_bytes: 0,
        }
    }

    /// Adds a claim, and gives it what has waited for one.
    pub(super) fn add(&mut self, mut claim: Claim) -> u64 {
        if let Some(unclaimed) = self.all.get_mut(&UNCLAIMED) {
            let (wanted, rest) = unclaimed.queue.drain(..).partition(|held| claim.wants(&held.message));
            claim.queue = wanted;
            unclaimed.queue = rest;
        }
        let id = self.next;
        self.next += 1;
        self.all.insert(id, claim);
        id
    }

    /// Takes a claim away. What it held is the caller's to acknowledge.
    pub(super) fn remove(&mut self, id: u64, wakers: &mut Wakers) -> Vec<Held> {
        let Some(claim) = self.all.remove(&id) else {
            return Vec::new();
        };
        wakers.discard(claim.waker);
        let queue = claim.queue;
        for held in &queue {
            self.release(held);
        }
        queue.into()
    }

    /// What a claim has left behind waits for another one, as far as it is to be acknowledged by this one alone. Returns the
    /// rest.
    pub(super) fn hold_unclaimed(&mut self, left: Vec<Held>, wakers: &mut Wakers) -> Vec<Held> {
        if !self.holds_unclaimed {
            return left;
        }
        let is_alone = |held: &Held| held.token.as_ref().is_some_and(|token| token.parts.is_none());
        let (held, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_alone);
        for held in held {
            self.put(UNCLAIMED, held, false, wakers);
        }
        rest
    }

    /// Takes the next message of a claim.
    pub(super) fn take(&mut self, id: u64) -> Option<Held> {
        let claim = self.all.get_mut(&id)?;
        let mut held = claim.queue.pop_front()?;
        if !claim.reads_names() {
            // A message with one could not be passed on.
            let properties = std::mem::replace(&mut held.message.properties, PublishProperties::empty());
            held.message.properties = properties.without(PropertyId::SubscriptionIdentifier);
        }
        self.release(&held);
        Some(held)
    }

    fn release(&mut self, held: &Held) {
        self.held_messages = self.held_messages.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(held.bytes());
    }

    /// Gives a message to all who want it.
    pub(super) fn route(&mut self, received: Received, wakers: &mut Wakers) -> Routed {
        let told = self.names.told(&received.message);
        let is_meant = |claim: &Claim| claim.is_meant(&received.message, &told);
        let mut ids = self.all.iter().filter(|(_, claim)| is_meant(claim)).map(|(id, _)| *id);
        let (first, others) = (ids.next(), ids.collect::<Vec<_>>());
        let Some(first) = first.or(self.holds_unclaimed.then_some(UNCLAIMED)) else {
            return Routed::Unclaimed(received.delivery);
        };
        let may_drop = received.message.qos == QoS::AtMostOnce;
        let mut held = Held::new(received);
        let copies = others.len() + 1;
        let is_full = self.held_messages + copies > self.most_messages
            || self.held_bytes + copies * held.bytes() > self.most_bytes.max(held.bytes());
        if let Some(token) = held.token.as_mut().filter(|_| copies > 1) {
            token.parts = Some(Arc::new(AtomicUsize::new(copies)));
        }
        let mut dropped = 0;
        for id in others {
            dropped += usize::from(!self.put(id, held.share(), is_full, wakers));
        }
        dropped += usize::from(!self.put(first, held, is_full, wakers));
        match is_full && !may_drop {
            true => Routed::TooMuch,
            false if dropped == copies => Routed::Dropped,
            false => Routed::Held,
        }
    }

    /// Returns whether it is held.
    fn put(&mut self, id: u64, held: Held, is_full: bool, wakers: &mut Wakers) -> bool {
        let Some(claim) = self.all.get_mut(&id) else {
            return false;
        };
        let has_room = !is_full && claim.queue.len() < self.stream_messages.max(1);
        if held.message.qos == QoS::AtMostOnce && !has_room {
            claim.dropped += 1;
            return false;
        }
        self.held_messages += 1;
        self.held_bytes += held.bytes();
        claim.queue.push_back(held);
        wakers.wake(claim.waker.take());
        true
    }

    /// The server goes on with the session, and sends again what was not acknowledged on the connection before. What came
    /// then and was not taken would be taken twice. QoS 2 is told once by itself.
    pub(super) fn forget_repeated(&mut self) {
        let (mut messages, mut bytes) = (0, 0);
        for claim in self.all.values_mut() {
            claim.queue.retain(|held| {
                let is_alone = held.token.as_ref().is_none_or(|token| token.parts.is_none());
                let comes_again = held.message.qos == QoS::AtLeastOnce && is_alone;
                if comes_again {
                    messages += 1;
                    bytes += held.bytes();
                }
                !comes_again
            });
        }
        self.held_messages = self.held_messages.saturating_sub(messages);
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }

    /// The server has lost the session. Which claims it no longer knows of.
    pub(super) fn forgotten(&mut self) -> Vec<u64> {
        let all = &self.all;
        self.names
            .retain(|filter| all.values().any(|claim| claim.filters.contains(filter)));
        let granted = self.all.iter().filter(|(_, claim)| claim.is_granted && !claim.is_ended);
        granted.map(|(id, _)| *id).collect()
    }

    /// Whether another claim wants what this filter stands for.
    pub(super) fn is_shared(&self, filter: &TopicFilter<Bytes>, except: u64) -> bool {
        let mut others = self.all.iter().filter(|(id, claim)| **id != except && !claim.is_ended);
        others.any(|(_, claim)| claim.filters.contains(filter))
    }

    /// Nothing more will come for this claim.
    pub(super) fn end(&mut self, id: u64, wakers: &mut Wakers) {
        if let Some(claim) = self.all.get_mut(&id) {
            claim.is_ended = true;
            wakers.wake(claim.waker.take());
        }
    }

    pub(super) fn end_all(&mut self, wakers: &mut Wakers) {
        for claim in self.all.values_mut() {
            claim.is_ended = true;
            wakers.wake(claim.waker.take());
        }
    }
}
