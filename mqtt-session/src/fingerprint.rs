//! Which states are the same: a number that leaves out what only counts.
//!
//! Two machines with the same fingerprint go on in the same way. Serial and delivery numbers, generations and the numbers of
//! connections and batches are left out or taken relative to what is current, and so are deadlines; else no state would ever
//! come again, and no search through them would end.
//!
//! Taken at rest: what was told and not polled, or is to be stored and not taken, counts by its number alone.

use crate::journal::{Journal, Ticket};
use crate::time::Instant;
use crate::timers::{Timer, Timers};

/// Collects what distinguishes a state.
#[derive(Debug)]
pub(crate) struct Fingerprint<'s> {
    state: u64,
    now: Instant,
    journal: &'s Journal,
}

impl<'s> Fingerprint<'s> {
    pub(crate) const fn new(now: Instant, journal: &'s Journal) -> Self {
        Self {
            state: 0x9E37_79B9_7F4A_7C15,
            now,
            journal,
        }
    }

    pub(crate) fn number(&mut self, number: impl Into<u64>) {
        let mixed = (self.state ^ number.into()).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        self.state = mixed ^ (mixed >> 32);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            for (place, byte) in word.iter_mut().zip(part) {
                *place = *byte;
            }
            self.number(u64::from_le_bytes(word));
        }
    }

    /// How far away a point in time is.
    pub(crate) fn time(&mut self, at: Option<Instant>) {
        let left = at.map_or(u64::MAX, |at| {
            u64::try_from(at.saturating_since(self.now).as_micros()).unwrap_or(u64::MAX)
        });
        self.number(left);
    }

    pub(crate) fn timers(&mut self, timers: &Timers) {
        for timer in Timer::ALL {
            self.time(timers.get(timer));
        }
    }

    /// How many batches have to be stored before this one is.
    pub(crate) fn ticket(&mut self, ticket: Ticket) {
        self.number(self.journal.distance(ticket));
    }

    pub(crate) fn journal(&mut self) {
        self.number(self.journal.pending());
        self.number(self.journal.has_open());
    }

    pub(crate) const fn finish(self) -> u64 {
        self.state
    }
}
