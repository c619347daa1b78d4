//! Copies of QoS 0: a message is encoded once for all who get it as it stands.

use mqtt_proto::QoS;

use super::Broker;
use super::routes::Delivery;
use super::sessions::Place;
use crate::flow::Pressed;
use crate::{Message, PublishError};

impl Broker {
    /// Delivers a copy of QoS 0 as bytes, if the connection has nothing of its own to add to them. Returns whether it did:
    /// otherwise the copy is to be queued as a message.
    #[inline]
    pub(super) fn deliver_encoded(&mut self, message: &Message, delivery: Delivery) -> bool {
        if message.qos.min(delivery.qos) != QoS::AtMostOnce || !self.copies.is_encoded() {
            return false;
        }
        let slot = match self.sessions.get(delivery.session).map(|entry| &entry.place) {
            Some(Place::Connected(slot)) => *slot,
            // Nobody is there for it. [U5-4.1-a]
            Some(Place::Parked(_) | Place::Leaving) | None => return true,
            Some(Place::Host | Place::Peer) => return false,
        };
        let Some(connection) = self.connections.get_mut(slot) else {
            return false;
        };
        let Some(version) = connection.machine.takes_frames() else {
            return false;
        };
        let identifiers = self.matches.identifiers(delivery);
        let Some(frame) = self.copies.encoded(message, version, identifiers) else {
            return false;
        };
        let retain = message.retain && delivery.retain_as_published;
        let left = self.queued.left(self.config.limits.queued_bytes);
        let result = connection.machine.queue_frame(frame, retain, left);
        if let Ok(()) = result {
            self.queued.count_more(&mut connection.queued_bytes, frame.len());
        } else {
            let held = connection.machine.queued_bytes();
            self.queued.count(&mut connection.queued_bytes, held);
        }
        if !connection.is_ready {
            connection.is_ready = true;
            self.ready.push_back(connection.id);
        }
        match result {
            Ok(()) | Err(Pressed::GaveWay) => self.figures.has_delivered(message.payload.len()),
            Err(Pressed::Refused(PublishError::QueueFull(limit))) => {
                self.count_drop_at(delivery.session, Some(limit));
            }
            Err(Pressed::Refused(_)) => self.count_drop(delivery.session),
        }
        true
    }
}
