//! How clients come and go in a simulation: what they say in CONNECT and DISCONNECT, and what their wills come to.

use bytes::Bytes;
use mqtt_session::proto::{Decoded, Disconnect, DisconnectProperties, DisconnectReason, Packet, Role, Rules, decode};

use super::{NARROW, Peer, World};
use crate::broker::links::drain;
use crate::broker::wills::{Asked, UNNUMBERED};

impl World {
    /// A client has written CONNECT: its will gets a number of its own.
    pub(super) fn announce(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        let Some(link) = peer
            .link
            .as_mut()
            .filter(|link| link.is_served && !link.has_asked && !link.up.is_empty())
        else {
            return;
        };
        link.has_asked = true;
        let number = self.number;
        let will = link.up.windows(UNNUMBERED.len()).position(|part| part == UNNUMBERED);
        if let Some(at) = will {
            self.number += 1;
            let text = format!("w{number:08}");
            link.up.splice(at..at + UNNUMBERED.len(), text.into_bytes());
        }
        let narrow = [0x21, 0, u8::try_from(NARROW).unwrap_or_default()];
        let maximum = link.up.windows(narrow.len()).position(|part| part == narrow);
        if let Some(at) = maximum.filter(|_| self.plan.clients[index].is_narrow) {
            // It takes more than it says.
            link.up[at + 2] = self.random.one_of(&[1, 2, 4]);
        }
        let rules = Rules::new(self.plan.clients[index].version).sent_by(Role::Client);
        let Ok(Decoded::Packet {
            packet: Packet::Connect(connect),
            ..
        }) = decode(&link.up, &rules)
        else {
            return;
        };
        let asked = Asked::new(&connect, number);
        let place = self.cluster.place_of(&peer.name);
        self.wills.asked(index, place, link.id, asked);
        self.watch.note(|| format!("{index} asks to connect, with {asked:?}"));
    }

    /// A client says farewell, the host sends one away, or one comes again and again.
    pub(super) fn part(&mut self, index: usize) -> Result<(), String> {
        match self.random.below(6) {
            5 => self.go_wrong(index),
            4 => self.restart_client(index),
            0 | 1 => self.farewell(index),
            2 => self.expel(index),
            _ => self.storm(index)?,
        }
        Ok(())
    }

    /// A client sends what no client may send.
    fn go_wrong(&mut self, index: usize) {
        let bytes: &[u8] = match self.random.below(2) {
            0 => &[0x00, 0x00],
            _ => &[0x10, 0x00],
        };
        let peer = &mut self.peers[index];
        let place = self.cluster.place_of(&peer.name);
        let Some(link) = peer
            .link
            .as_mut()
            .filter(|link| link.is_used && link.is_served && link.is_answered)
        else {
            return;
        };
        peer.client.poll_transmit(&mut peer.outbox);
        drain(&mut peer.outbox, &mut link.up);
        link.up.extend_from_slice(bytes);
        self.wrong.insert((place, link.id));
        self.watch.note(|| format!("{index} sends {bytes:02x?}"));
    }

    /// A client says that it wants its will to be published, or not, and for how long its session is to go on.
    fn farewell(&mut self, index: usize) {
        if !self.peers[index].client.is_connected() {
            return;
        }
        let who = &self.plan.clients[index];
        let reason = self.random.one_of(&[
            DisconnectReason::NormalDisconnection,
            DisconnectReason::DisconnectWithWill,
            DisconnectReason::DisconnectWithWill,
        ]);
        let mut farewell = Disconnect::new(reason);
        let peer = &mut self.peers[index];
        if who.version.has_properties() && who.is_lasting && self.random.percent(40) {
            let expiry = self.random.one_of(&[0, 1, 30, 10_000]);
            let properties = DisconnectProperties::<Bytes>::builder().session_expiry(expiry).build();
            farewell.properties = properties.expect("short");
        }
        if let Some(link) = &peer.link {
            let place = self.cluster.place_of(&peer.name);
            self.wills.says_farewell(place, link.id, &farewell);
        }
        self.watch.note(|| format!("{index} says farewell: {reason:?}"));
        peer.client.disconnect_with(self.now, farewell);
    }

    /// The host of the broker ends the connection of a client.
    fn expel(&mut self, index: usize) {
        let peer = &self.peers[index];
        let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
        if let Some(link) = peer.link.as_ref().filter(|link| link.is_served) {
            let id = link.id;
            self.watch.note(|| format!("the host ends the connection of {index}"));
            self.cluster.of(&peer.name).broker.disconnect(self.now, id, farewell);
        }
    }

    /// A client comes again and again, and the broker does not notice that its streams have ended.
    fn storm(&mut self, index: usize) -> Result<(), String> {
        self.watch.counts.storms += 1;
        self.watch.note(|| format!("{index} comes again and again"));
        for _ in 0..self.random.within(3..8) {
            let peer = &mut self.peers[index];
            if let Some(link) = peer.link.as_mut().filter(|link| link.is_used) {
                link.is_used = false;
                link.down.clear();
                peer.client.handle_eof(self.now);
            }
            self.look()?;
            self.peers[index].client.reconnect(self.now);
            self.look()?;
            let at = self.peers[index].client.poll_timeout().map(|timeout| timeout.at);
            if at.is_some_and(|at| at <= self.now) {
                self.peers[index].client.handle_timeout(self.now);
                self.look()?;
            }
            self.exchange(index)?;
        }
        Ok(())
    }

    /// Which clients have an answer to the CONNECT of the connection that the broker knows.
    pub(super) fn told(&self) -> Vec<bool> {
        let is_told = |peer: &Peer| {
            let broker = &self.cluster.shards[self.cluster.place_of(&peer.name)].broker;
            let link = peer.link.as_ref().filter(|link| link.is_answered);
            link.is_some_and(|link| broker.connection_of(peer.name.as_bytes()) == Some(link.id))
        };
        self.peers.iter().map(is_told).collect()
    }

    /// The broker has come back, with the wills that its stores have.
    pub(super) fn restart_wills(&mut self, told: &[bool]) -> Result<(), String> {
        self.watch.counts.wills_unanswered += self.wills.forget_connections() as u64;
        let grace = self.plan.config(0, 0).restart_grace;
        for (index, peer) in self.peers.iter().enumerate() {
            let place = self.cluster.place_of(&peer.name);
            let shard = &self.cluster.shards[place];
            let stored = shard.disk.will_of(peer.name.as_bytes());
            let times = (self.now, grace);
            let forgotten = self
                .wills
                .restarted(index, stored, told[index], shard.disk.batches, times)?;
            self.watch.wills_forgotten(&forgotten);
        }
        Ok(())
    }
}
