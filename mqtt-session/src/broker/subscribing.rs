//! SUBSCRIBE and UNSUBSCRIBE.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use bytes::Bytes;
use mqtt_proto::{
    Filters, QoS, RetainHandling, SubAckReason, SubscribeProperties, Subscription, SubscriptionId, TopicFilter,
    TopicFilters, UnsubAckReason,
};

use super::parked::Parked;
use super::party::Party;
use super::peers::ShardId;
use super::records::{BrokerKey, BrokerRecord, SubscriptionRecord};
use super::replay::Replay;
use super::routes::{SubscribeError, Wanted};
use super::sessions::Place;
use super::{Broker, BrokerBound, LocalId};
use crate::time::Instant;

/// Why the host could not subscribe. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalError {
    /// There are as many subscriptions as [`BrokerLimits`](super::BrokerLimits) allows, or the filter has too many levels.
    Limit,
}

impl core::fmt::Display for LocalError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a limit of subscriptions or of the levels of a filter is reached")
    }
}

impl core::error::Error for LocalError {}

impl Broker {
    /// Subscribes the host itself, until [`unsubscribe_local`](Self::unsubscribe_local). Its messages come as
    /// [`BrokerEvent::Delivered`](super::BrokerEvent).
    ///
    /// # Errors
    /// If there is no room.
    pub fn subscribe_local(&mut self, now: Instant, subscription: &Subscription<Bytes>) -> Result<LocalId, LocalError> {
        self.advance(now);
        let slot = self.sessions.insert(Party::default(), Place::Host, false);
        let session = self.sessions.get(slot).ok_or(LocalError::Limit)?.id;
        match self.subscribe_to(slot, &subscription.filter, subscription, None) {
            Ok(_) => Ok(LocalId { session, slot }),
            Err(_) => {
                self.sessions.remove(slot);
                Err(LocalError::Limit)
            }
        }
    }

    /// Ends a subscription of the host. Returns whether there was one.
    pub fn unsubscribe_local(&mut self, now: Instant, local: LocalId) -> bool {
        self.advance(now);
        let entry = self.sessions.get(local.slot).filter(|entry| entry.id == local.session);
        let is_there = entry.is_some_and(|entry| matches!(entry.place, Place::Host));
        if is_there {
            self.leave(local.slot);
        }
        is_there
    }

    /// Subscribes the client of a connection, as far as the host allows. Returns what SUBACK says of each filter.
    pub(super) fn subscribe(
        &mut self,
        slot: u32,
        filters: &Filters<Bytes>,
        properties: &SubscribeProperties<Bytes>,
        parked: &Parked,
    ) -> Vec<SubAckReason> {
        let Some(session) = self.connections.get(slot).map(|connection| connection.session) else {
            return Vec::new();
        };
        let identifier = properties.subscription_id();
        let mut codes = Vec::new();
        for (index, subscription) in filters.iter().enumerate() {
            codes.push(if parked.is_allowed(index) {
                let filter = subscription.filter.to_owned();
                match self.subscribe_to(session, &filter, &subscription, identifier) {
                    Ok(qos) => granted(qos),
                    Err(reason) => reason,
                }
            } else {
                self.figures.subscriptions_not_allowed = self.figures.subscriptions_not_allowed.saturating_add(1);
                SubAckReason::NotAuthorized
            });
        }
        codes
    }

    fn subscribe_to<B: AsRef<[u8]>>(
        &mut self,
        session: u32,
        filter: &TopicFilter<Bytes>,
        subscription: &Subscription<B>,
        identifier: Option<SubscriptionId>,
    ) -> Result<QoS, SubAckReason> {
        self.is_supported(filter)?;
        let mut options = subscription.options;
        options.qos = options.qos.min(self.config.client.capabilities.maximum_qos);
        let wanted = Wanted {
            options,
            identifier: identifier.and_then(|identifier| NonZeroU32::new(identifier.get())),
        };
        let earlier = self.routes.subscribe(session, filter, wanted).map_err(|error| {
            self.figures.subscriptions_refused = self.figures.subscriptions_refused.saturating_add(1);
            let (bound, reason) = match error {
                SubscribeError::FilterLevels => (BrokerBound::FilterLevels, SubAckReason::TopicFilterInvalid),
                SubscribeError::SubscriptionsPerSession => {
                    (BrokerBound::SubscriptionsPerSession, SubAckReason::QuotaExceeded)
                }
                SubscribeError::Subscriptions => (BrokerBound::Subscriptions, SubAckReason::QuotaExceeded),
            };
            self.hit(bound, self.name_of(session));
            reason
        })?;
        match earlier {
            None => self.member_came(session, filter),
            Some(_) => self.member_stays(session, filter),
        }
        // [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11]
        let sends_retained = match options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => earlier.is_none(),
            RetainHandling::DoNotSend => false,
        };
        self.begin_replay(session, filter, wanted, sends_retained);
        self.forget_review(session, filter);
        Ok(options.qos)
    }

    /// A client of MQTT 3 was told nothing of what is not supported. One of MQTT 5.0 does not come so far.
    fn is_supported(&self, filter: &TopicFilter<Bytes>) -> Result<(), SubAckReason> {
        let capabilities = &self.config.client.capabilities;
        if filter.shared().is_some() && !capabilities.shared {
            return Err(SubAckReason::SharedSubscriptionsNotSupported);
        }
        if filter.has_wildcard() && !capabilities.wildcards {
            return Err(SubAckReason::WildcardSubscriptionsNotSupported);
        }
        Ok(())
    }

    fn begin_replay(&mut self, session: u32, filter: &TopicFilter<Bytes>, wanted: Wanted, sends_retained: bool) {
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let is_host = matches!(entry.place, Place::Host);
        // [MQTT-4.8.2-1] A group shares what comes, not what is there.
        if sends_retained && filter.shared().is_none() {
            entry.replays.retain(|replay| replay.filter != *filter);
            entry.replays.push_back(Replay {
                filter: filter.clone(),
                wanted,
                shard: ShardId(0),
                after: None,
                seen: self.peers.seen(),
                asked: None,
            });
        } else if let Some(replay) = entry.replays.iter_mut().find(|replay| replay.filter == *filter) {
            // [MQTT-3.8.4-4] What the replaced one had still to send is not lost.
            replay.wanted = wanted;
        }
        self.write_subscription(session, filter, wanted);
        // A client gets them when its output is taken.
        if is_host {
            self.go_on_replaying(session);
        }
    }

    /// Writes down a subscription, and how far its retained messages have been sent.
    pub(super) fn write_subscription(&mut self, session: u32, filter: &TopicFilter<Bytes>, wanted: Wanted) {
        let Some(entry) = self.sessions.get(session).filter(|entry| entry.is_stored) else {
            return;
        };
        let replay = entry.replays.iter().find(|replay| replay.filter == *filter);
        let record = SubscriptionRecord {
            session: entry.id,
            filter: filter.clone(),
            options: wanted.options,
            identifier: wanted
                .identifier
                .and_then(|identifier| SubscriptionId::new(identifier.get())),
            replay: replay.map(Replay::record),
        };
        self.journal.put(|| BrokerRecord::Subscription(record));
    }

    /// Ends subscriptions of the client of a connection. Returns what UNSUBACK says of each filter.
    pub(super) fn unsubscribe(&mut self, slot: u32, filters: &TopicFilters<Bytes>) -> Vec<UnsubAckReason> {
        let Some(session) = self.connections.get(slot).map(|connection| connection.session) else {
            return Vec::new();
        };
        let mut codes = Vec::new();
        for filter in filters.iter() {
            codes.push(if self.routes.is_subscribed(session, &filter) {
                let filter = filter.to_owned();
                self.member_goes(session, &filter);
                self.routes.unsubscribe(session, &filter);
                self.forget_subscription(session, &filter);
                self.forget_review(session, &filter);
                UnsubAckReason::Success
            } else {
                UnsubAckReason::NoSubscriptionExisted
            });
        }
        codes
    }

    pub(super) fn forget_subscription(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.replays.retain(|replay| replay.filter != *filter);
            if entry.is_stored {
                let id = entry.id;
                self.journal.delete(|| BrokerKey::Subscription(id, filter.clone()));
            }
        }
    }
}

const fn granted(qos: QoS) -> SubAckReason {
    match qos {
        QoS::AtMostOnce => SubAckReason::GrantedQoS0,
        QoS::AtLeastOnce => SubAckReason::GrantedQoS1,
        QoS::ExactlyOnce => SubAckReason::GrantedQoS2,
    }
}
