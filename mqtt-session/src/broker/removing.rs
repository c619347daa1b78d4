//! What the host takes away: a session, a retained message.

use bytes::Bytes;
use mqtt_proto::{Disconnect, TopicName};

use super::Broker;
use crate::time::Instant;

impl Broker {
    /// Ends the session of a client: nothing of it is left, and what is stored of it goes with the next batch. A client that is
    /// connected is told why, since MQTT 5.0, and its connection ends before. Its will is published, unless the client has taken
    /// it back. Returns whether there was a session.
    pub fn remove_session(&mut self, now: Instant, client_id: &[u8], farewell: Disconnect<Bytes>) -> bool {
        self.advance(now);
        let Some(session) = self.sessions.of_client(client_id) else {
            return false;
        };
        if let Some(slot) = self.sessions.connection_of(session) {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.machine.disconnect(self.now, farewell);
            }
            self.end_at_once(slot);
        }
        // The session may have ended with the connection.
        if let Some(session) = self.sessions.of_client(client_id) {
            self.end_session(session);
        }
        true
    }

    /// Retains nothing for a topic any more, as a message without payload would have it; but nobody gets one. What is stored of
    /// it goes with the next batch. Returns whether something was retained: of several machines, one has it.
    pub fn remove_retained(&mut self, now: Instant, topic: &TopicName<Bytes>) -> bool {
        self.advance(now);
        let Some(kept) = self.retained.remove(topic) else {
            return false;
        };
        self.forget_retained(kept.payload_id, topic);
        true
    }
}
