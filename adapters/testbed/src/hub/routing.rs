//! Which copies of a message a client gets, and by which subscription identifiers.

use bytes::Bytes;
use mqtt_session::Message;
use mqtt_session::proto::{PropertyId, PublishProperties, SubscriptionId, SubscriptionOptions, TopicFilter};

/// How a hub sends messages that belong to several subscriptions of one client. Those of a shared subscription are sent apart
/// in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// One copy, with the identifiers of all of them.
    #[default]
    Together,
    /// A copy for each of them, with its identifier.
    Apart,
    /// One copy, and subscription identifiers are announced as not available.
    Refused,
}

/// A subscription.
pub(super) struct Interest {
    pub(super) filter: TopicFilter<Bytes>,
    pub(super) options: SubscriptionOptions,
    pub(super) id: Option<SubscriptionId>,
}

impl Naming {
    /// The copies of a message for a client with these subscriptions.
    pub(super) fn copies(self, interests: &[Interest], message: &Message) -> Vec<Message> {
        let wants = |interest: &&Interest| interest.filter.matches(&message.topic);
        let goes_alone = |interest: &&Interest| self == Self::Apart || interest.filter.shared().is_some();
        let (alone, together): (Vec<_>, Vec<_>) = interests.iter().filter(wants).partition(goes_alone);
        let mut copies: Vec<Message> = alone.into_iter().map(|interest| named(message, [interest])).collect();
        if !together.is_empty() {
            copies.push(named(message, together));
        }
        copies
    }
}

/// A copy for these subscriptions: with the highest QoS that one of them has, and their identifiers.
pub(super) fn named<'i, I: IntoIterator<Item = &'i Interest>>(message: &Message, interests: I) -> Message {
    let mut properties = PublishProperties::builder();
    for property in &message.properties {
        properties = properties.property(&property);
    }
    let mut qos = mqtt_session::QoS::AtMostOnce;
    for interest in interests {
        qos = qos.max(interest.options.qos);
        if let Some(id) = interest.id {
            properties = properties.subscription_id(id);
        }
    }
    let properties = properties.build().expect("it fits");
    debug_assert!(
        !message.properties.has(PropertyId::SubscriptionIdentifier),
        "clients send none"
    );
    let copy = message.clone().qos(message.qos.min(qos)).retain(false);
    copy.properties(properties)
}
