//! What a server supports.

use mqtt_proto::{Filters, QoS, SubscribeProperties, TopicFilter};

use crate::{Capability, Message, PublishError};

/// What a server supports: what it announces in CONNACK, and what is held to it from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The highest QoS of a PUBLISH.
    pub maximum_qos: QoS,
    /// Retained messages.
    pub retain: bool,
    /// Wildcards in filters.
    pub wildcards: bool,
    /// Shared subscriptions.
    pub shared: bool,
    /// Subscription identifiers.
    pub subscription_ids: bool,
}

impl Default for Capabilities {
    /// All of them.
    fn default() -> Self {
        Self {
            maximum_qos: QoS::ExactlyOnce,
            retain: true,
            wildcards: true,
            shared: true,
            subscription_ids: true,
        }
    }
}

impl Capabilities {
    /// [MQTT-3.2.2-11, MQTT-3.2.2-14]
    pub(crate) fn allow(&self, message: &Message) -> Result<(), PublishError> {
        self.allow_publish(message.qos, message.retain)
            .map_err(PublishError::NotSupported)
    }

    pub(crate) const fn allow_publish(&self, qos: QoS, retain: bool) -> Result<(), Capability> {
        if qos.bits() > self.maximum_qos.bits() {
            return Err(Capability::QoS);
        }
        if retain && !self.retain {
            return Err(Capability::Retain);
        }
        Ok(())
    }

    pub(crate) fn allow_subscribe<B: AsRef<[u8]>>(
        &self,
        filters: &Filters<B>,
        properties: &SubscribeProperties<B>,
    ) -> Result<(), Capability> {
        if properties.subscription_id().is_some() && !self.subscription_ids {
            return Err(Capability::SubscriptionIdentifiers);
        }
        for subscription in filters.iter() {
            let filter: TopicFilter<&[u8]> = subscription.filter;
            if filter.shared().is_some() && !self.shared {
                return Err(Capability::SharedSubscriptions);
            }
            if filter.has_wildcard() && !self.wildcards {
                return Err(Capability::WildcardSubscriptions);
            }
        }
        Ok(())
    }
}
