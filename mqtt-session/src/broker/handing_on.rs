//! Messages that a group has to give to another of its members.

use alloc::vec;
use alloc::vec::Vec;

use mqtt_proto::PropertyId;

use super::Broker;
use super::routes::GroupId;
use super::sessions::Place;
use crate::Message;
use crate::qos::Withdrawn;

impl Broker {
    /// These messages came to a session by way of groups, and it has them no more: another member of each group gets them, as
    /// if they had come for it. [MQTT-4.8.2-5]
    ///
    /// A group that has no other member has nobody who waits for the message: it ends with the session, as those of the
    /// session's own subscriptions do.
    pub(super) fn hand_on(&mut self, left: Vec<Withdrawn>) {
        for Withdrawn { mut message, tag } in left {
            let Some(group) = self.routes.tagged(tag, &message.topic) else {
                continue;
            };
            // The identifier was for the member that is gone.
            message.properties = message.properties.without(PropertyId::SubscriptionIdentifier);
            if self.hand_to_another(group, &message) {
                self.figures.messages_handed_on = self.figures.messages_handed_on.saturating_add(1);
            }
        }
    }

    /// A member of a group gets a message, here or on another shard. Returns whether there is one.
    fn hand_to_another(&mut self, group: GroupId, message: &Message) -> bool {
        let elsewhere = self.elsewhere(group, &message.topic);
        if elsewhere.is_none() && self.hand_to_member(group, message) {
            return true;
        }
        // Who seemed to be the last member here has left with this message.
        let Some(place) = elsewhere.or_else(|| self.elsewhere(group, &message.topic)) else {
            return false;
        };
        let places = vec![place];
        let forward = self.forward(message, None, &places, false, None);
        self.publish_to_peers(message, None, places, false, None, forward);
        true
    }

    /// A session that has ended and not yet left its groups leaves this one. Whether that is so.
    pub(super) fn has_left(&mut self, session: u32, group: GroupId) -> bool {
        let Some(entry) = self.sessions.get(session) else {
            return false;
        };
        if !matches!(entry.place, Place::Leaving) {
            return false;
        }
        let Some(filter) = self.routes.group_filter(group) else {
            return false;
        };
        let is_member = self.routes.is_subscribed(session, &filter);
        if is_member {
            self.member_goes(session, &filter);
            self.routes.unsubscribe(session, &filter);
            self.forget_subscription(session, &filter);
        }
        is_member
    }
}
