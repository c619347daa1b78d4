//! What a connection sends outside of its flow, and whether anybody takes what it sends.

use alloc::vec::Vec;

use crate::fingerprint::Fingerprint;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::timers::{Timer, Timers};

/// The output of one connection beside its messages, and its timers.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) timers: Timers,
    /// Encoded packets that leave before everything else, or last of all.
    pub(crate) urgent: Vec<u8>,
    /// What was in the outbox when it was last filled.
    outbox_len: usize,
    /// The deadline for output has passed, and the outbox was not seen since.
    may_stall: bool,
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self {
            timers: Timers::new(),
            urgent: Vec::new(),
            outbox_len: 0,
            may_stall: false,
        }
    }

    /// A stream begins: nothing of the one before is sent on it.
    pub(crate) fn reset(&mut self) {
        self.urgent.clear();
        self.outbox_len = 0;
        self.may_stall = false;
    }

    /// The outbox is about to be filled. Whether nothing has been taken from it for too long.
    pub(crate) fn is_stalled(&mut self, outbox: &Outbox) -> bool {
        let is_moving = outbox.len() < self.outbox_len || outbox.is_empty();
        if is_moving {
            self.timers.clear(Timer::Stall);
        }
        core::mem::take(&mut self.may_stall) && !is_moving
    }

    /// The deadline for output has passed. The driver may have written everything since: its next fill of the outbox tells.
    /// Whether it had that chance.
    pub(crate) fn stall_due(&mut self, again: Instant) -> bool {
        let had_its_chance = self.may_stall;
        if !had_its_chance {
            self.may_stall = true;
            self.timers.set(Timer::Stall, again);
        }
        had_its_chance
    }

    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.timers(&self.timers);
        mark.bytes(&self.urgent);
        mark.number(self.may_stall);
    }

    pub(crate) fn flush(&mut self, outbox: &mut Outbox) {
        outbox.buffer().extend_from_slice(&self.urgent);
        self.urgent.clear();
    }

    /// The outbox has been filled; `until` it has to be taken.
    pub(crate) fn filled(&mut self, outbox: &Outbox, until: Option<Instant>) {
        self.outbox_len = outbox.len();
        if let Some(until) = until {
            if !outbox.is_empty() && self.timers.get(Timer::Stall).is_none() {
                self.timers.set(Timer::Stall, until);
            }
        }
    }
}
