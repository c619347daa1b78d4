//! What a broker takes out of a session again.

use alloc::vec::Vec;

use mqtt_proto::QoS;

use super::SessionState;
use crate::qos::{Withdrawable, Withdrawn};

impl SessionState {
    /// Sets aside what the other members of groups get when the session ends: messages of QoS 1, which may come twice, and
    /// those that were never sent. [MQTT-4.8.2-5]
    pub(super) fn leave_to_groups(&mut self) {
        if !self.manner.shares {
            return;
        }
        let mut left = self.outgoing.withdraw(self.now, &mut self.journal, |found| {
            let may_come_twice = match found.message.qos {
                QoS::AtMostOnce => false,
                QoS::AtLeastOnce => true,
                QoS::ExactlyOnce => !found.was_sent,
            };
            found.tag != 0 && may_come_twice
        });
        if !left.is_empty() {
            self.aside.get_or_insert_default().left_to_groups.append(&mut left);
        }
    }

    /// Takes messages out that were never sent and are not wanted any more.
    pub(crate) fn withdraw_unsent(&mut self, mut is_wanted: impl FnMut(Withdrawable<'_>) -> bool) -> Vec<Withdrawn> {
        self.outgoing.withdraw(self.now, &mut self.journal, |found| {
            !found.was_sent && !is_wanted(found)
        })
    }

    /// Queues a message for whichever connection comes next, or is there: of MQTT 3 too, which gets it without its
    /// properties.
    pub(crate) fn queue_for_any<E: From<crate::SessionEvent>>(
        &mut self,
        message: crate::Message,
        tag: u64,
        left: u64,
        told: &mut crate::queue::Queue<E>,
    ) -> Result<(), crate::PublishError> {
        let bytes = message.size();
        self.admit(&message, bytes, left, told)?;
        self.queue(message, bytes, None, tag);
        Ok(())
    }
}
