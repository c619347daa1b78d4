//! Messages that a group has to give to another of its members.

use alloc::vec::Vec;

use mqtt_proto::PropertyId;

use super::Broker;
use super::routes::GroupId;
use super::sessions::Place;
use crate::qos::Withdrawn;

impl Broker {
    /// These messages came to a session by way of groups, and it has them no more: another member of each group gets them, as
    /// if they had come for it. [MQTT-4.8.2-5]
    ///
    /// A group that has no other member has nobody who waits for the message: it ends with the session, as those of the
    /// session's own subscriptions do.
    pub(super) fn hand_on(&mut self, left: Vec<Withdrawn>) {
        for Withdrawn { mut message, tag } in left {
            let Some(group) = self.routes.group_of(tag, &message.topic) else {
                continue;
            };
            // The identifier was for the member that is gone.
            message.properties = message.properties.without(PropertyId::SubscriptionIdentifier);
            if self.hand_to_group(group, &message) {
                self.figures.messages_handed_on = self.figures.messages_handed_on.saturating_add(1);
            }
        }
    }

    /// A session that has ended and not yet left its groups leaves this one. Whether that is so.
    pub(super) fn has_left(&mut self, session: u32, group: GroupId) -> bool {
        let Some(entry) = self.sessions.get(session) else {
            return false;
        };
        if !matches!(entry.place, Place::Leaving) {
            return false;
        }
        let Some(filter) = self.routes.filter_of(group) else {
            return false;
        };
        let was_member = self.routes.unsubscribe(session, &filter);
        if was_member {
            self.forget_subscription(session, &filter);
        }
        was_member
    }
}
