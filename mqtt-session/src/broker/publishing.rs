//! The way of a message: to who is subscribed, and to what is retained.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use bytes::Bytes;
use mqtt_proto::{EncodeError, PublishProperties, QoS, SubscriptionId};

use super::config::Share;
use super::kept::Consent;
use super::party::Party;
use super::records::Origin;
use super::routes::{Delivery, Fitness, GroupId, Turn, Wanted};
use super::sessions::Place;
use super::{Broker, BrokerEvent, LocalId};
use crate::time::Instant;
use crate::{Message, PublishError};

impl Broker {
    /// Publishes a message of the host, which is asked nothing about it.
    ///
    /// A retained message below `$SYS` tells of this life of the broker, and stays in memory.
    ///
    /// What it says of the store holds for [`poll_store`](Self::poll_store): the message is durable with the next batch that
    /// is taken, if it has a place there.
    pub fn publish(&mut self, now: Instant, message: Message) {
        self.advance(now);
        self.route(message, None, None, false);
    }

    /// A message goes to all who get it. `from` is the session of its client, which does not send it again once its arrival
    /// is stored, if it `is_once`. `publisher` is that client, if the message is to be retained.
    pub(super) fn route(&mut self, mut message: Message, from: Option<u32>, publisher: Option<&Party>, is_once: bool) {
        self.figures.messages_published = self.figures.messages_published.saturating_add(1);
        let name = message.retain.then(|| self.name_retained());
        let origin = self.peers.origin(name);
        self.keep_if_ours(&mut message, publisher, Consent::Given(self.epoch), origin);
        self.deliver_matching(&message, from);
        let mut handed = Vec::new();
        let mut place = 0..;
        while let Some(group) = place.next().and_then(|place| self.matches.group(place)) {
            match self.elsewhere(group, &message.topic) {
                Some(place) => handed.push(place),
                None if self.hand_to_member(group, &message) => {}
                // The last member here had ended, and has left.
                None => handed.extend(self.elsewhere(group, &message.topic)),
            }
        }
        if !self.peers.is_alone() {
            let forward = match is_once {
                true => self.forward(&message, publisher, &handed, true, name),
                false => None,
            };
            self.publish_to_peers(&message, publisher, handed, true, None, forward);
        }
    }

    /// Keeps a message that is to be retained, if this shard is the one that keeps its topic.
    pub(super) fn keep_if_ours(
        &mut self,
        message: &mut Message,
        publisher: Option<&Party>,
        consent: Consent,
        origin: Origin,
    ) {
        if message.retain && self.peers.keeps(&message.topic) {
            self.retain(message, publisher.cloned(), consent, origin);
        }
    }

    /// A message goes to all who are subscribed here. The groups that match have got nothing yet.
    pub(super) fn deliver_matching(&mut self, message: &Message, from: Option<u32>) {
        self.routes
            .matches(&message.topic, from, self.config.overlap, &mut self.matches);
        self.copies
            .begin(message, self.config.client.session.limits.inline_bytes);
        let mut place = 0..;
        while let Some(delivery) = place.next().and_then(|place| self.matches.delivery(place)) {
            if !self.deliver_encoded(message, delivery) {
                self.deliver_copy(message, delivery);
            }
        }
    }

    fn deliver_copy(&mut self, message: &Message, delivery: Delivery) {
        let mut copy = reduced(message, delivery.qos, delivery.retain_as_published);
        name(&mut copy, self.matches.identifiers(delivery));
        self.deliver(delivery.session, copy, 0);
    }

    /// One member of a group gets it: the next that is connected, or else the next. Returns whether there is one.
    ///
    /// The copy is tagged with the name of the group: if the session ends before its client has it, another member gets it.
    pub(super) fn hand_to_member(&mut self, group: GroupId, message: &Message) -> bool {
        while let Some((session, wanted)) = self.pick(group, message) {
            if self.has_left(session, group) {
                continue;
            }
            let copy = reduced(message, wanted.options.qos, wanted.options.retain_as_published);
            let tag = self.routes.tag_of(group);
            self.deliver_named(session, copy, tag, wanted.identifier.into_iter());
            return true;
        }
        false
    }

    /// The member whose turn it is.
    fn pick(&mut self, group: GroupId, message: &Message) -> Option<(u32, Wanted)> {
        let (sessions, connections, now) = (&self.sessions, &self.connections, self.now);
        // A session that is over takes nothing more, although its end has not been dealt with.
        let takes = |slot| {
            connections
                .get(slot)
                .is_some_and(|known| known.machine.takes_messages())
        };
        let fitness = |slot| match sessions.get(slot).map(|entry| &entry.place) {
            Some(Place::Connected(slot)) if !takes(*slot) => Fitness::None,
            Some(Place::Parked(state)) if state.has_ended_by(now) => Fitness::None,
            Some(Place::Connected(_) | Place::Host) => Fitness::Best,
            Some(Place::Parked(_) | Place::Leaving) => Fitness::Last,
            Some(Place::Peer) | None => Fitness::None,
        };
        let looks = crate::flow::size(self.config.limits.steps_per_call).saturating_add(self.peers.others());
        let turn = match self.config.share {
            Share::InTurn => Turn::Next,
            Share::Same => Turn::Same,
            Share::Random => Turn::At(self.random.next_u64()),
            Share::ByTopic => Turn::At(self.sessions.hash(message.topic.as_bytes()).number()),
        };
        self.routes.pick(group, turn, looks, fitness)
    }

    /// The identifiers of the subscriptions go with it. [MQTT-3.3.4-3, MQTT-3.3.4-4]
    pub(super) fn deliver_named(
        &mut self,
        session: u32,
        mut copy: Message,
        tag: u64,
        identifiers: impl Iterator<Item = NonZeroU32>,
    ) {
        name(&mut copy, identifiers);
        self.deliver(session, copy, tag);
    }

    /// A session gets its copy of a message.
    fn deliver(&mut self, session: u32, copy: Message, tag: u64) {
        let bytes = copy.payload.len();
        let left = self.queued.left(self.config.limits.queued_bytes);
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let now = self.now;
        let result = match &mut entry.place {
            Place::Connected(slot) => {
                let slot = *slot;
                let Some(connection) = self.connections.get_mut(slot) else {
                    return;
                };
                let result = connection.machine.queue(now, copy, tag, left);
                let held = connection.machine.queued_bytes();
                self.queued.count(&mut connection.queued_bytes, held);
                // As touching it would, without another look for it.
                if !connection.is_ready {
                    connection.is_ready = true;
                    self.ready.push_back(connection.id);
                }
                if connection.machine.has_changes() {
                    self.mark_dirty(session);
                }
                result
            }
            // Nobody is there for a message of QoS 0. [U5-4.1-a]
            Place::Parked(_) if copy.qos == QoS::AtMostOnce => return,
            Place::Parked(_) => match self.with_parked(session, |state| state.publish_within(now, copy, tag, left)) {
                Some(result) => result,
                None => return,
            },
            Place::Host => {
                let local = LocalId {
                    session: entry.id,
                    slot: session,
                };
                self.inform(|| BrokerEvent::Delivered { local, message: copy });
                return;
            }
            Place::Peer | Place::Leaving => return,
        };
        match result {
            Ok(()) => self.figures.has_delivered(bytes),
            // A session that is ending gets nothing any more.
            Err(PublishError::Closed) => {}
            Err(PublishError::QueueFull(limit)) => self.count_drop_at(session, Some(limit)),
            Err(_) => self.count_drop(session),
        }
    }

    /// A copy for a session was given up.
    pub(super) fn count_drop(&mut self, session: u32) {
        self.figures.messages_dropped = self.figures.messages_dropped.saturating_add(1);
        if let Some(entry) = self.sessions.get_mut(session) {
            if entry.dropped == 0 {
                self.dropping.push_back(session);
            }
            entry.dropped = entry.dropped.saturating_add(1);
        }
    }
}

/// The copy of a message for a subscription. [MQTT-3.8.4-8, MQTT-3.3.1-12, MQTT-3.3.1-13]
fn reduced(message: &Message, granted: QoS, retain_as_published: bool) -> Message {
    let mut copy = message.clone();
    copy.qos = copy.qos.min(granted);
    copy.retain &= retain_as_published;
    copy
}

/// The identifiers of the subscriptions go with a copy. [MQTT-3.3.4-3, MQTT-3.3.4-4]
#[inline]
fn name(copy: &mut Message, identifiers: impl Iterator<Item = NonZeroU32>) {
    let mut identifiers = identifiers.peekable();
    if identifiers.peek().is_some() {
        if let Ok(properties) = named(&copy.properties, identifiers) {
            copy.properties = properties;
        }
    }
}

/// The properties of a message, and the identifiers of the subscriptions that it goes to.
fn named(
    properties: &PublishProperties<Bytes>,
    identifiers: impl Iterator<Item = NonZeroU32>,
) -> Result<PublishProperties<Bytes>, EncodeError> {
    let mut builder = PublishProperties::<Bytes>::builder().properties(properties);
    for identifier in identifiers {
        if let Some(identifier) = SubscriptionId::new(identifier.get()) {
            builder = builder.subscription_id(identifier);
        }
    }
    builder.build()
}
