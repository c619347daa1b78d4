//! When a message on its way out expires, and when its host wants to hear of it.

use super::{Ended, Outgoing};
use crate::journal::Journal;
use crate::time::Instant;

impl Outgoing {
    /// Whether anything happens to a message when time passes.
    #[inline]
    pub(crate) fn has_deadlines(&self) -> bool {
        !self.expiries.is_empty() || !self.deadlines.is_empty()
    }

    /// The first deadline of a message that was never sent.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, _)| at)
    }

    /// Ends one message that expired before it was sent.
    pub(crate) fn expire(&mut self, now: Instant, journal: &mut Journal) -> Option<(u32, Ended)> {
        let (at, key) = self.expiries.first()?;
        if at > now {
            return None;
        }
        self.expiries.remove(key);
        self.remove(key, journal).map(|ended| (key, ended))
    }

    /// From `at` on the exchange is late, unless it ends before. Whether there is such an exchange.
    pub(crate) fn set_deadline(&mut self, key: u32, serial: u64, at: Instant) -> bool {
        let found = self
            .get(key)
            .is_some_and(|exchange| exchange.serial == serial && exchange.has_op());
        if found {
            self.deadlines.insert(key, at);
        }
        found
    }

    /// The first exchange that is late. It goes on.
    pub(crate) fn late(&mut self, now: Instant) -> Option<(u32, u64, u64)> {
        let (_, key) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.deadlines.remove(key);
        self.get(key).map(|exchange| (key, exchange.serial, exchange.tag))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| at)
    }
}
