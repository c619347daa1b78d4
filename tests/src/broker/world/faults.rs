//! What goes wrong in a simulation: streams that end, bytes that come late, and a broker that ends.

use mqtt_session::Figures;

use super::World;
use crate::frame::Frame;

impl World {
    pub(super) fn cut(&mut self) -> Result<(), String> {
        let index = self.random.place(self.peers.len());
        self.cut_of(index)
    }

    /// The stream of one client ends, at its end or the broker's or both.
    pub(super) fn cut_of(&mut self, index: usize) -> Result<(), String> {
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
            self.cluster.of(&peer.name).broker.handle_eof(self.now, link.id);
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
        let (place, link, held) = &mut self.left[index];
        let place = *place;
        let shard = &mut self.cluster.shards[place];
        shard.pull(self.now, link);
        link.down.clear();
        held.append(&mut link.up);
        let before = shard.broker.client_id(link.id).map(<[u8]>::to_vec);
        let waits = shard.feed(self.now, link, held)?;
        self.watch.counts.held_back += u64::from(waits);
        let client_id = before.or_else(|| shard.broker.client_id(link.id).map(<[u8]>::to_vec));
        if ends && link.is_served {
            link.is_served = false;
            shard.broker.handle_eof(self.now, link.id);
        }
        if !link.is_served {
            self.left.remove(index);
        }
        if let Some(client) = client_id.and_then(|client_id| self.client_named(&client_id)) {
            self.note_subscribes(client);
        }
        self.cluster.shards[place].subscribes.clear();
        Ok(())
    }

    /// What a broker has counted in its life.
    pub(super) fn count_life(&mut self) -> Result<(), String> {
        self.hear()?;
        let (mut paused, mut wills) = (0, 0);
        let mut all = Figures::default();
        for shard in &self.cluster.shards {
            let figures = shard.broker.figures();
            all = all.with(figures);
            self.watch.counts.parks_full += figures.parks_full;
            self.watch.counts.takeovers += figures.takeovers;
            self.watch.counts.handed_on += figures.messages_handed_on;
            self.watch.counts.late_handshakes += figures.handshake_timeouts;
            self.watch.counts.revoked += figures.subscriptions_revoked;
            self.watch.counts.retained_revoked += figures.retained_revoked;
            paused += figures.reads_paused;
            wills += figures.wills_published;
        }
        self.watch.lost.agree(&all)?;
        let wills_told = core::mem::take(&mut self.wills_told);
        if wills != wills_told {
            return Err(format!("{wills} wills were counted, and {wills_told} were told"));
        }
        self.watch.counts.paused += paused;
        let told = core::mem::take(&mut self.pauses_told);
        if paused == told {
            Ok(())
        } else {
            Err(format!("{paused} pauses were counted, and {told} were told"))
        }
    }

    /// A flush of one machine fails. What it says from then on acknowledges nothing.
    pub(super) fn fail_store(&mut self) -> Result<(), String> {
        let failing = self.random.place(self.cluster.shards.len());
        self.watch.note(|| format!("a flush of {failing} fails"));
        for peer in &mut self.peers {
            let place = self.cluster.place_of(&peer.name);
            if let Some(link) = peer.link.as_mut().filter(|_| place == failing) {
                self.cluster.shards[failing].pull_all(self.now, link);
                link.said = link.down.len();
            }
        }
        let before = self.watch.counts.stores_failed;
        self.cluster.shards[failing].fail(self.now)?;
        self.hear()?;
        if self.watch.counts.stores_failed != before + 1 {
            return Err("nobody was told that the store has failed".to_owned());
        }
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            let place = self.cluster.place_of(&peer.name);
            let Some(link) = peer.link.as_mut().filter(|_| place == failing) else {
                continue;
            };
            self.cluster.shards[failing].pull_all(self.now, link);
            if let Some(first) = acknowledgement(&link.down[link.said..]) {
                return Err(format!("{index} is sent {first:#04x} although the store has failed"));
            }
            self.down(index, true)?;
        }
        Ok(())
    }

    /// The broker ends. Each store has what it said, and of the rest any beginning.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.watch.counts.crashes += 1;
        if self.cluster.has_flying() {
            self.watch.counts.crashes_with_batches += 1;
        }
        self.count_life()?;
        self.asked.clear();
        self.wrong.clear();
        self.watch.crashed();
        self.watch.lives.crashed(self.now);
        self.lives += 1;
        let told = self.told();
        let (reports, torn) = self.cluster.crash(&self.plan, self.lives, self.now, &mut self.random)?;
        self.watch.counts.torn += torn;
        for report in reports {
            self.watch.counts.quarantined += report.quarantined.len() as u64;
            self.watch.note(|| format!("the broker comes back: {report:?}"));
        }
        self.watch.counts.limited_restored += self.cluster.limited();
        self.restart_wills(&told)?;
        self.left.clear();
        for (index, peer) in self.peers.iter_mut().enumerate() {
            self.served[index].clear();
            let place = self.cluster.place_of(&peer.name);
            if let Some(link) = &mut peer.link {
                link.is_served = false;
                link.refusal = link.refusal.or(self.doors.refusal((place, link.id)));
            }
            let session = self.cluster.of(&peer.name).broker.session(peer.name.as_bytes());
            let session = session.map(|session| session.ends_at());
            self.doors.restarted(index, session);
            if session.is_none() {
                self.watch.session_ended(index);
            }
        }
        self.doors.forget_connections();
        Ok(())
    }
}

/// The first byte of the first packet that promises something.
fn acknowledgement(mut bytes: &[u8]) -> Option<u8> {
    while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
        // One that refuses a client promises nothing.
        let is_refusal = frame.first >> 4 == 2 && frame.body.get(1).is_some_and(|code| *code != 0);
        if matches!(frame.first >> 4, 2 | 4..=7 | 9 | 11) && !is_refusal {
            return Some(frame.first);
        }
        bytes = &bytes[frame.len..];
    }
    None
}
