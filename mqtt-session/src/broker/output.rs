//! What a broker gives out: bytes for its clients, and events for its host.

use super::{Broker, BrokerEvent, ConnectionId};
use crate::outbox::Outbox;

impl Broker {
    /// The next connection that may have output: fill its outbox with [`poll_transmit`](Self::poll_transmit), and close its
    /// stream when it [is drained](Self::is_drained). Where what it has sent was left with the driver, and there is
    /// [room](Self::input_room) again, it comes to [`handle_input`](Self::handle_input) again.
    pub fn poll_ready(&mut self) -> Option<ConnectionId> {
        let id = self.ready.pop_front()?;
        // One that is gone has its stream closed all the same.
        if let Some(known) = self.connections.named_mut(id) {
            known.is_ready = false;
        }
        Some(id)
    }

    /// Fills the outbox of a connection with what is to be sent, as far as it has room.
    ///
    /// It is as late as the last call said that told a time, [`handle_timeout`](Self::handle_timeout) for one: what has expired by
    /// then is not sent, and what is left to a message is told as of then.
    pub fn poll_transmit(&mut self, connection: ConnectionId, outbox: &mut Outbox) {
        let Some(known) = self.connections.named_mut(connection) else {
            return;
        };
        if !self.journal.is_stored(known.gate) {
            return;
        }
        // It is looked at: what comes now is taken with the rest.
        known.is_ready = true;
        let (session, had_ended) = (known.session, known.has_ended);
        let is_held = self.is_held(session);
        let (waiting, begun) = (outbox.len(), outbox.begun());
        let mut is_served = false;
        loop {
            let before = outbox.len();
            let mut has_plain = false;
            if let Some(known) = self.connections.named_mut(connection) {
                // What is told of the time that is left to a message is of this moment.
                known.machine.tell_time(self.now);
                known.machine.hold(is_held);
                known.machine.poll_transmit(outbox);
                has_plain = known.machine.has_plain();
            }
            let has_sent = outbox.len() > before;
            if !outbox.has_room() {
                break;
            }
            // No more messages of QoS 0 are sent than there is room to tell of.
            let waits = has_plain && (has_sent || !is_served);
            if waits {
                self.serve(connection.slot);
            }
            is_served = waits && !has_sent;
            if !self.replay(session) && !waits {
                break;
            }
        }
        self.figures
            .has_sent(outbox.len().saturating_sub(waiting), begun, outbox.begun());
        if let Some(known) = self.connections.named_mut(connection) {
            // Nothing has happened but that bytes have gone.
            if known.machine.is_told() && known.is_settled() {
                known.is_ready = false;
                let held = known.machine.queued_bytes();
                self.queued.count(&mut known.queued_bytes, held);
                return;
            }
        }
        self.serve(connection.slot);
        if let Some(known) = self.connections.named_mut(connection) {
            known.is_ready = false;
            if known.has_ended != had_ended {
                self.touch(connection.slot);
            }
        }
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<BrokerEvent> {
        if let Some(event) = self.told.pop_front() {
            return Some(event);
        }
        while let Some(session) = self.dropping.pop_front() {
            // One that has ended since left its place to another one.
            let entry = self.sessions.get_mut(session);
            if let Some(entry) = entry.filter(|entry| entry.dropped > 0) {
                return Some(BrokerEvent::Dropped {
                    client_id: entry.who.shared_client_id(),
                    messages: core::mem::take(&mut entry.dropped),
                });
            }
        }
        if let Some(hit) = self.tell_hit() {
            return Some(hit);
        }
        let events = core::mem::take(&mut self.missed);
        (events > 0).then_some(BrokerEvent::Missed { events })
    }
}
