//! Which topics clients may publish to, and which wills they may leave.

use bytes::Bytes;
use mqtt_proto::{ConnAckReason, TopicName, Will};

use super::Broker;

impl Broker {
    /// Whether a client may publish to a topic, whatever the host says of it.
    pub(super) fn takes_topic(&self, topic: &TopicName<Bytes>) -> bool {
        let topic = topic.as_bytes();
        if topic.first() == Some(&b'$') && !self.config.dollar_topics {
            return false;
        }
        let most = usize::from(self.config.limits.topic_levels);
        // Few are so long that their levels are to be counted.
        topic.len() < most || topic.split(|byte| *byte == b'/').count() <= most
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
