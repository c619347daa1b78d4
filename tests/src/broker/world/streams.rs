//! Bytes between the clients of a simulation and the broker.

use super::World;
use crate::broker::links::{Link, drain};
use crate::broker::options::replays;
use crate::broker::retained::Snapshot;

impl World {
    pub(super) fn open(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if !peer.wants_stream || peer.is_out {
            return;
        }
        let Some(id) = self.cluster.of(&peer.name).broker.handle_open(self.now) else {
            return;
        };
        peer.wants_stream = false;
        peer.held.clear();
        peer.outbox.clear();
        if let Some(old) = peer.link.replace(Link::new(id, self.plan.clients[index].version)) {
            let held = core::mem::take(&mut self.served[index]);
            if !old.is_gone() {
                let place = self.cluster.place_of(&peer.name);
                self.left.push((place, old, held));
            }
        }
        self.served[index].clear();
        peer.client.handle_open(self.now);
        self.watch.note(|| format!("{index} opens a stream"));
    }

    /// A client gets on: it has a stream, and what is under way arrives at both ends and in the store.
    pub(super) fn exchange(&mut self, index: usize) -> Result<(), String> {
        self.open(index);
        self.up(index, true)?;
        if self.plan.has_door && self.random.percent(50) {
            self.answer_the_door(false)?;
        }
        if self.random.percent(60) {
            let shard = self.cluster.of(&self.peers[index].name);
            shard.poll_store();
            let flying = shard.disk.flying();
            shard.stored(self.now, flying);
        }
        self.down(index, true)
    }

    /// Something arrives from one shard at another.
    pub(super) fn carry(&mut self) -> bool {
        let told = self.cluster.carry(self.now, &mut self.random);
        self.watch.counts.between_shards += told.len() as u64;
        for text in &told {
            self.watch.note(|| text.clone());
        }
        !told.is_empty()
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
        self.announce(index);
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        let some = if all {
            link.up.len()
        } else {
            self.random.place(link.up.len() + 1)
        };
        let held = &mut self.served[index];
        held.extend(link.up.drain(..some));
        let waits = self.cluster.of(&peer.name).feed(self.now, link, held)?;
        self.watch.counts.held_back += u64::from(waits);
        self.note_subscribes(index);
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        if peer.client.is_drained() && link.is_used && peer.outbox.is_empty() {
            link.is_used = false;
            peer.client.handle_eof(self.now);
        }
        self.look()
    }

    /// What is retained when the broker reads SUBSCRIBE of a client.
    pub(super) fn note_subscribes(&mut self, index: usize) {
        let filters = core::mem::take(&mut self.cluster.of(&self.peers[index].name).subscribes);
        for (filter, choice) in filters.iter().filter(|(filter, _)| !filter.starts_with("$share")) {
            let Some((handling, qos)) = choice else {
                self.watch.retained.ended(index, Some(filter));
                continue;
            };
            let (may, has_to) = replays(*handling);
            let snapshot = || match has_to {
                true => self.cluster.retained(filter),
                false => Snapshot::new(),
            };
            let expected = may.then(snapshot);
            let asked = (filter.as_str(), *qos);
            self.watch.retained.subscribes(index, asked, self.watch.step, expected);
        }
    }

    /// Bytes from the broker to a client.
    pub(super) fn down(&mut self, index: usize, all: bool) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        self.cluster.of(&peer.name).pull(self.now, link);
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
