//! What goes wrong in a simulation: streams that end, bytes that come late, and a broker that ends.

use mqtt_session::Broker;

use super::World;
use super::host::write;
use super::streams::{feed, pull};

impl World {
    pub(super) fn cut(&mut self) -> Result<(), String> {
        let index = self.random.place(self.peers.len());
        let way = self.random.below(3);
        let peer = &mut self.peers[index];
        let Some(link) = &mut peer.link else {
            return Ok(());
        };
        self.watch.counts.cuts += 1;
        if !self.served[index].is_empty() || !peer.held.is_empty() {
            self.watch.counts.cuts_inside_a_packet += 1;
        }
        self.watch.note(|| format!("the stream of {index} is cut, {way}"));
        if way != 1 && link.is_served {
            link.is_served = false;
            self.broker.handle_eof(self.now, link.id);
        }
        if way != 2 && link.is_used {
            link.is_used = false;
            link.down.clear();
            peer.client.handle_eof(self.now);
        }
        self.look()
    }

    /// Bytes of streams whose clients have gone on to another one still arrive, or their end does.
    pub(super) fn stale(&mut self) -> Result<(), String> {
        if self.left.is_empty() {
            return Ok(());
        }
        let index = self.random.place(self.left.len());
        let ends = self.random.percent(30);
        let (link, held) = &mut self.left[index];
        pull(&mut self.broker, link);
        link.down.clear();
        held.append(&mut link.up);
        feed(&mut self.broker, self.now, link, held);
        if ends && link.is_served {
            link.is_served = false;
            self.broker.handle_eof(self.now, link.id);
        }
        if !link.is_served {
            self.left.remove(index);
        }
        Ok(())
    }

    /// What a broker has counted in its life.
    pub(super) fn count_life(&mut self) {
        let figures = self.broker.figures();
        self.watch.counts.takeovers += figures.takeovers;
        self.watch.counts.handed_on += figures.messages_handed_on;
        self.watch.counts.revoked += figures.subscriptions_revoked;
    }

    /// The broker ends. The store has what it said, and of the rest any beginning.
    pub(super) fn crash(&mut self) {
        self.watch.counts.crashes += 1;
        if !self.flying.is_empty() {
            self.watch.counts.crashes_with_batches += 1;
        }
        let kept = self.random.place(self.flying.len() + 1);
        for batch in self.flying.drain(..).take(kept) {
            write(&mut self.disk, &batch);
        }
        self.count_life();
        self.watch.crashed();
        self.lives += 1;
        let mut restore = Broker::restore(self.plan.config(self.lives), self.now);
        for record in self.disk.values() {
            restore.record(record.clone());
        }
        let (broker, report) = restore.finish();
        self.broker = broker;
        self.watch.note(|| format!("the broker comes back: {report:?}"));
        self.left.clear();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            self.served[index].clear();
            if let Some(link) = &mut peer.link {
                link.is_served = false;
            }
            if !self.broker.has_session(peer.name.as_bytes()) {
                self.watch.session_ended(index);
            }
        }
    }
}
