//! Which topics clients may publish to, and which wills they may leave.

use bytes::Bytes;
use mqtt_proto::{ConnAckReason, TopicName, Will};

use super::{Broker, BrokerBound};

impl Broker {
    /// Whether a client may publish to a topic, whatever the host says of it.
    pub(super) fn takes_topic(&self, topic: &TopicName<Bytes>) -> bool {
        let is_the_hosts = topic.as_bytes().first() == Some(&b'$') && !self.config.dollar_topics;
        !is_the_hosts && !self.is_too_deep(topic)
    }

    fn is_too_deep(&self, topic: &TopicName<Bytes>) -> bool {
        let topic = topic.as_bytes();
        let most = usize::from(self.config.limits.topic_levels);
        // Few are so long that their levels are to be counted.
        topic.len() >= most && topic.split(|byte| *byte == b'/').count() > most
    }

    /// A client has sent a message, or left a will, to a topic that it may not publish to.
    pub(super) fn count_topic(&mut self, session: u32, topic: &TopicName<Bytes>) {
        self.figures.topics_refused = self.figures.topics_refused.saturating_add(1);
        if self.is_too_deep(topic) {
            self.hit(BrokerBound::TopicLevels, self.name_of(session));
        }
    }

    /// Why a client cannot connect with this will. [MQTT-3.2.2-12, MQTT-3.2.2-13]
    pub(super) fn refuses_will(&self, will: &Will<Bytes>) -> Option<ConnAckReason> {
        let capabilities = &self.config.client.capabilities;
        if will.qos > capabilities.maximum_qos {
            return Some(ConnAckReason::QoSNotSupported);
        }
        if will.retain && !capabilities.retain {
            return Some(ConnAckReason::RetainNotSupported);
        }
        (!self.takes_topic(&will.topic)).then_some(ConnAckReason::TopicNameInvalid)
    }
}
