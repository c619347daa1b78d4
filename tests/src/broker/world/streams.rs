//! Bytes between the clients of a simulation and the broker.

use mqtt_session::{Broker, Instant};

use super::World;
use crate::broker::links::{Link, drain};

impl World {
    pub(super) fn open(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if !peer.wants_stream {
            return;
        }
        let Some(id) = self.broker.handle_open(self.now) else {
            return;
        };
        peer.wants_stream = false;
        peer.held.clear();
        peer.outbox.clear();
        if let Some(old) = peer.link.replace(Link::new(id)) {
            let held = core::mem::take(&mut self.served[index]);
            if !old.is_gone() {
                self.left.push((old, held));
            }
        }
        self.served[index].clear();
        peer.client.handle_open(self.now);
        self.watch.note(|| format!("{index} opens a stream"));
    }

    /// Bytes from a client to the broker: some of them, or all.
    pub(super) fn up(&mut self, index: usize, all: bool) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        if link.is_used {
            peer.client.poll_transmit(&mut peer.outbox);
            drain(&mut peer.outbox, &mut link.up);
        }
        let some = if all {
            link.up.len()
        } else {
            self.random.place(link.up.len() + 1)
        };
        let held = &mut self.served[index];
        held.extend(link.up.drain(..some));
        feed(&mut self.broker, self.now, link, held);
        if peer.client.is_drained() && link.is_used && peer.outbox.is_empty() {
            link.is_used = false;
            peer.client.handle_eof(self.now);
        }
        self.look()
    }

    /// Bytes from the broker to a client.
    pub(super) fn down(&mut self, index: usize, all: bool) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        pull(&mut self.broker, link);
        let some = if all {
            link.down.len()
        } else {
            self.random.place(link.down.len() + 1)
        };
        if link.is_used {
            peer.held.extend(link.down.drain(..some));
            let mut rest = &peer.held[..];
            peer.client.handle_input(self.now, &mut rest);
            let taken = peer.held.len() - rest.len();
            peer.held.drain(..taken);
            if !link.is_served && link.down.is_empty() {
                link.is_used = false;
                peer.client.handle_eof(self.now);
            }
        } else {
            link.down.clear();
        }
        self.look()
    }
}

/// Gives the broker what has arrived, as far as it takes it.
pub(super) fn feed(broker: &mut Broker, now: Instant, link: &mut Link, held: &mut Vec<u8>) {
    if link.is_served {
        let mut rest = &held[..];
        broker.handle_input(now, link.id, &mut rest);
        let taken = held.len() - rest.len();
        held.drain(..taken);
        pull(broker, link);
        if !link.is_used && link.up.is_empty() && link.is_served && broker.input_room(link.id) > held.len() {
            link.is_served = false;
            broker.handle_eof(now, link.id);
        }
    }
}

/// Takes what the broker has to send, and closes the stream when it is drained.
pub(super) fn pull(broker: &mut Broker, link: &mut Link) {
    if !link.is_served {
        return;
    }
    broker.poll_transmit(link.id, &mut link.outbox);
    drain(&mut link.outbox, &mut link.down);
    if broker.is_drained(link.id) {
        link.is_served = false;
    }
}
