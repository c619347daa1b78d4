//! The end of a shard.

use mqtt_session::Instant;
use mqtt_session::proto::{Disconnect, DisconnectReason};

use super::entrance::Network;
use super::mailbox::Mail;
use super::policy::Policy;
use super::shard::{Ended, Shard};

impl<N: Network, P: Policy> Shard<N, P> {
    /// Nothing is accepted any more, and all clients are told.
    pub(super) fn begin_end(&mut self, now: Instant, reason: DisconnectReason, until: Instant) {
        self.ending = Some(self.ending.map_or(until, |before| before.min(until)));
        self.doors.clear();
        for number in self.lines.numbers() {
            if let Some(line) = self.lines.get_mut(number) {
                self.broker.disconnect(now, line.id, Disconnect::new(reason));
            }
        }
    }

    /// Whether it has ended. One of several waits for the others, which may still have something for its store.
    pub(super) fn ended(&mut self, now: Instant) -> Option<Ended> {
        let until = self.ending?;
        let mut is_complete = self.lines.len() == 0 && self.is_stored();
        if is_complete && !std::mem::replace(&mut self.is_quiet, true) {
            let own = self.shards.own();
            for peer in self.peers.iter().filter(|peer| peer.shard() != own) {
                peer.send(Mail::Quiet);
            }
        }
        is_complete &= self.quiet_peers + 1 >= self.peers.len();
        (is_complete || until <= now).then_some(Ended {
            traffic: self.traffic,
            is_complete,
        })
    }
}
