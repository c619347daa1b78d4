//! Whom a message goes to.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use mqtt_proto::QoS;

use super::groups::GroupId;
use super::subscription::{Subscription, Wanted};
use super::walk::Walk;
use crate::slab::NONE;

/// How many copies a client gets of a message that several of its subscriptions match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// One: with the highest of their QoS, all of their identifiers, and RETAIN as published if one of them asks for that.
    /// [MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4]
    #[default]
    OneCopy,
    /// One for each subscription, with its QoS and its identifier. [MQTT-3.3.4-5]
    CopyEach,
}

/// What a message matched, in memory that is used again for every message.
///
/// It holds at most four bytes for each session, and otherwise as much as the message that matched most.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    pub(super) walk: Walk,
    pub(super) groups: Vec<GroupId>,
    deliveries: Vec<Found>,
    /// The identifiers of all deliveries. Those of one of them are linked.
    identifiers: Vec<Identifier>,
    /// By session, when there are more than a few deliveries: where its own stands, if that one names the session. Otherwise
    /// it is from an earlier message.
    by_session: Vec<u32>,
}

/// So many deliveries do without the table.
const FEW: usize = 8;

#[derive(Debug)]
struct Found {
    session: u32,
    qos: QoS,
    retain_as_published: bool,
    first_identifier: u32,
    last_identifier: u32,
}

impl Found {
    #[inline]
    const fn delivery(&self) -> Delivery {
        Delivery {
            session: self.session,
            qos: self.qos,
            retain_as_published: self.retain_as_published,
            first_identifier: self.first_identifier,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Identifier {
    number: NonZeroU32,
    next: u32,
}

/// What one session gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) session: u32,
    /// The highest QoS that is asked for.
    pub(crate) qos: QoS,
    /// Whether the message keeps the RETAIN flag that it was published with.
    pub(crate) retain_as_published: bool,
    first_identifier: u32,
}

impl Matches {
    /// Memory for matches, with nothing in it.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// What sessions get that did not share their subscription, by its place in the order in which they were found.
    #[inline]
    pub(crate) fn delivery(&self, place: usize) -> Option<Delivery> {
        self.deliveries.get(place).map(Found::delivery)
    }

    /// The identifiers of all subscriptions that brought the message to a session, one for each that has one.
    #[inline]
    pub(crate) fn identifiers(&self, delivery: Delivery) -> impl Iterator<Item = NonZeroU32> {
        let first = self.identifiers.get(delivery.first_identifier as usize);
        let linked = core::iter::successors(first, |found| self.identifiers.get(found.next as usize));
        linked.map(|found| found.number)
    }

    /// The groups of which one member each gets the message, by place in the order in which they were found.
    #[inline]
    pub(crate) fn group(&self, place: usize) -> Option<GroupId> {
        self.groups.get(place).copied()
    }

    #[cfg(test)]
    pub(crate) fn deliveries(&self) -> impl ExactSizeIterator<Item = Delivery> {
        self.deliveries.iter().map(Found::delivery)
    }

    #[cfg(test)]
    pub(crate) fn groups(&self) -> &[GroupId] {
        &self.groups
    }

    #[cfg(test)]
    /// Whether nobody gets the message.
    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.groups.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.deliveries.clear();
        self.identifiers.clear();
        self.groups.clear();
    }

    #[inline]
    pub(super) fn add(&mut self, subscription: &Subscription, overlap: Overlap) {
        let (session, wanted) = (subscription.session, subscription.wanted);
        let found = match overlap {
            Overlap::OneCopy => self.found(session),
            Overlap::CopyEach => None,
        };
        match found {
            Some(place) => self.merge(place, wanted),
            None => self.append(session, wanted),
        }
    }

    /// Where the delivery to a session stands. Few are compared one by one: where a session stands in the table is memory
    /// that no cache holds.
    #[inline]
    fn found(&self, session: u32) -> Option<usize> {
        if self.deliveries.len() <= FEW {
            return self.deliveries.iter().position(|found| found.session == session);
        }
        let place = *self.by_session.get(session as usize)? as usize;
        let delivery = self.deliveries.get(place)?;
        (delivery.session == session).then_some(place)
    }

    #[inline]
    fn append(&mut self, session: u32, wanted: Wanted) {
        let identifier = self.identify(wanted);
        self.deliveries.push(Found {
            session,
            qos: wanted.options.qos,
            retain_as_published: wanted.options.retain_as_published,
            first_identifier: identifier,
            last_identifier: identifier,
        });
        match self.deliveries.len().checked_sub(FEW) {
            None | Some(0) => {}
            Some(1) => (0..=FEW).for_each(|place| self.note(place)),
            Some(_) => self.note(self.deliveries.len().saturating_sub(1)),
        }
    }

    /// Notes by its session where a delivery stands.
    fn note(&mut self, place: usize) {
        let Some(found) = self.deliveries.get(place) else {
            return;
        };
        let slot = found.session as usize;
        if self.by_session.len() <= slot {
            self.by_session.resize(slot.saturating_add(1), NONE);
        }
        if let Some(by_session) = self.by_session.get_mut(slot) {
            *by_session = u32::try_from(place).unwrap_or(NONE);
        }
    }

    fn merge(&mut self, place: usize, wanted: Wanted) {
        let identifier = self.identify(wanted);
        let Some(delivery) = self.deliveries.get_mut(place) else {
            return;
        };
        delivery.qos = delivery.qos.max(wanted.options.qos);
        delivery.retain_as_published |= wanted.options.retain_as_published;
        if identifier == NONE {
            return;
        }
        match self.identifiers.get_mut(delivery.last_identifier as usize) {
            Some(last) => last.next = identifier,
            None => delivery.first_identifier = identifier,
        }
        delivery.last_identifier = identifier;
    }

    /// Keeps the identifier of a subscription. Returns where, or `NONE`.
    #[inline]
    fn identify(&mut self, wanted: Wanted) -> u32 {
        let Some(number) = wanted.identifier else {
            return NONE;
        };
        let place = u32::try_from(self.identifiers.len()).unwrap_or(NONE);
        self.identifiers.push(Identifier { number, next: NONE });
        place
    }
}
