//! Batches for the store, and what happens when they are stored.

use alloc::vec::Vec;

use super::journal::Part;
use super::records::BrokerBatch;
use super::sessions::Place;
use super::{Broker, BrokerEvent};
use crate::time::Instant;

impl Broker {
    /// Takes what is to be stored together: of all sessions what has changed since the last call. Returns whether there is
    /// something.
    ///
    /// Everything that depends on it waits until [`handle_stored`](Self::handle_stored) names its number or a later one.
    pub fn poll_store(&mut self, batch: &mut BrokerBatch) -> bool {
        if self.has_failed {
            return false;
        }
        let mut parts = Vec::new();
        let dirty = self.journal.take_dirty();
        for slot in &dirty {
            if let Some(part) = self.collect(*slot) {
                parts.push(part);
            }
        }
        self.journal.give_back(dirty);
        let has_changes = self.journal.take(batch, parts);
        self.stored(0);
        has_changes
    }

    /// Takes the changes of one session.
    fn collect(&mut self, slot: u32) -> Option<Part> {
        let entry = self.sessions.get_mut(slot)?;
        entry.is_dirty = false;
        let session = entry.id;
        let number = match &mut entry.place {
            Place::Connected(connection) => {
                let machine = &mut self.connections.get_mut(*connection)?.machine;
                self.journal.collect(session, |batch| machine.poll_store(batch))
            }
            Place::Parked(state) => self.journal.collect(session, |batch| state.poll_store(batch)),
            Place::Host | Place::Peer | Place::Leaving => None,
        }?;
        Some(Part { slot, session, number })
    }

    /// The batches up to this one are stored.
    pub fn handle_stored(&mut self, now: Instant, upto: u64) {
        self.advance(now);
        self.stored(upto);
    }

    fn stored(&mut self, upto: u64) {
        while let Some(parts) = self.journal.next_stored(upto) {
            for part in parts {
                self.part_is_stored(part);
            }
        }
        while let Some((ticket, id)) = self.owing.front().copied() {
            if !self.journal.is_stored(ticket) {
                break;
            }
            self.owing.pop_front();
            if self.connections.named(id).is_some() {
                self.say_owed(id.slot);
                self.settle(id.slot);
            }
        }
        self.peers_moved();
        self.answer_peers();
    }

    fn part_is_stored(&mut self, part: Part) {
        let now = self.now;
        let entry = self.sessions.get(part.slot).filter(|entry| entry.id == part.session);
        match entry.map(|entry| &entry.place) {
            Some(Place::Connected(slot)) => {
                let slot = *slot;
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.machine.handle_stored(now, part.number);
                    self.serve(slot);
                }
            }
            Some(Place::Parked(_)) => {
                self.with_parked(part.slot, |state| state.handle_stored(now, part.number));
            }
            _ => {}
        }
    }

    /// The store has failed: nothing can be promised any more. All connections end, and no other is opened.
    pub fn handle_store_failed(&mut self, now: Instant) {
        self.advance(now);
        if core::mem::replace(&mut self.has_failed, true) {
            return;
        }
        for slot in self.connections.slots() {
            let journal = &self.journal;
            if let Some(connection) = self.connections.get_mut(slot) {
                // One that has ended before its CONNACK could go has promised nothing, and says nothing any more.
                if connection.machine.has_ended() && !journal.is_stored(connection.gate) {
                    connection.machine.fall_silent();
                }
                connection.gate = 0;
                connection.machine.handle_store_failed(self.now);
                self.serve(slot);
            }
        }
        self.told.push_back(BrokerEvent::StoreFailed);
    }
}
