//! When a message on its way out expires, and when its host wants to hear of it.

use super::{Ended, Outgoing};
use crate::deadlines::Deadlines;
use crate::journal::Journal;
use crate::time::Instant;

/// What happens when to which exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) expiries: Deadlines,
    /// When the host wants to hear that an exchange goes on.
    pub(super) deadlines: Deadlines,
}

impl Times {
    fn are_none(&self) -> bool {
        self.expiries.is_empty() && self.deadlines.is_empty()
    }
}

impl Outgoing {
    /// Whether anything happens to a message when time passes.
    #[inline]
    pub(crate) fn has_deadlines(&self) -> bool {
        self.times.as_ref().is_some_and(|times| !times.are_none())
    }

    /// The message does not expire any more.
    #[inline]
    pub(super) fn forget_expiry(&mut self, key: u32) {
        if let Some(times) = &mut self.times {
            times.expiries.remove(key);
        }
    }

    /// Nobody is told that the exchange goes on.
    #[inline]
    pub(super) fn forget_deadline(&mut self, key: u32) {
        if let Some(times) = &mut self.times {
            times.deadlines.remove(key);
        }
    }

    /// The first deadline of a message that was never sent.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.times.as_ref()?.expiries.first().map(|(at, _)| at)
    }

    /// Ends one message that expired before it was sent.
    pub(crate) fn expire(&mut self, now: Instant, journal: &mut Journal) -> Option<(u32, Ended)> {
        let (at, key) = self.times.as_ref()?.expiries.first()?;
        if at > now {
            return None;
        }
        self.forget_expiry(key);
        self.remove(key, journal).map(|ended| (key, ended))
    }

    /// From `at` on the exchange is late, unless it ends before. Whether there is such an exchange.
    pub(crate) fn set_deadline(&mut self, key: u32, serial: u64, at: Instant) -> bool {
        let found = self
            .get(key)
            .is_some_and(|exchange| exchange.serial == serial && exchange.has_op());
        if found {
            self.times.get_or_insert_default().deadlines.insert(key, at);
        }
        found
    }

    /// The first exchange that is late. It goes on.
    pub(crate) fn late(&mut self, now: Instant) -> Option<(u32, u64, u64)> {
        let (_, key) = self.times.as_ref()?.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.forget_deadline(key);
        self.get(key).map(|exchange| (key, exchange.serial, exchange.tag))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.times.as_ref()?.deadlines.first().map(|(at, _)| at)
    }
}
