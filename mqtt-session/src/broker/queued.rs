//! How many bytes wait in the queues of all sessions together.
//!
//! Each connection says how much of the sum is its own, as it was counted last, and each session that is with no connection. So
//! what is counted again is right whatever happened to it in between, and what ends gives back what it was counted for.

use super::Broker;
use super::bounds::BrokerBound;
use crate::Limit;

/// The bytes of all sessions.
#[derive(Debug, Default)]
pub(super) struct Queued {
    bytes: u64,
}

impl Queued {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many more there may be. What was restored may be beyond the bound.
    #[inline]
    pub(super) const fn left(&self, most: u64) -> u64 {
        most.saturating_sub(self.bytes)
    }

    /// What was counted with `known` holds so many now.
    #[inline]
    pub(super) const fn count(&mut self, known: &mut u64, held: u64) {
        self.bytes = self.bytes.wrapping_sub(*known).wrapping_add(held);
        *known = held;
    }

    /// The same of what holds so many more.
    #[inline]
    pub(super) const fn count_more(&mut self, known: &mut u64, more: usize) {
        self.bytes = self.bytes.wrapping_add(more as u64);
        *known = known.wrapping_add(more as u64);
    }
}

impl Broker {
    /// A copy for a session was given up, at this limit if it is one.
    pub(super) fn count_drop_at(&mut self, session: u32, limit: Option<Limit>) {
        if limit == Some(Limit::QueuedBytesOfAll) {
            self.hit(BrokerBound::QueuedBytes, self.name_of(session));
        }
        self.count_drop(session);
    }
}
