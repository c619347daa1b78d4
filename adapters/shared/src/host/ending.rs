//! The end of a shard.

use mqtt_session::Instant;
use mqtt_session::proto::{Disconnect, DisconnectReason};

use super::entrance::Network;
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

    /// Whether it has ended.
    pub(super) fn ended(&self, now: Instant) -> Option<Ended> {
        let until = self.ending?;
        let is_complete = self.lines.len() == 0 && self.is_stored();
        (is_complete || until <= now).then_some(Ended {
            traffic: self.traffic,
            is_complete,
        })
    }
}
