//! What a connection sends outside of its flow, and whether anybody takes what it sends.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use mqtt_proto::{Disconnect, DisconnectReason, PropertyId, Role};

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
    /// Nothing was read at some time since the last call that said the time.
    stood_still: bool,
    /// The last bytes had their time.
    is_given_up: bool,
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self {
            timers: Timers::new(),
            urgent: Vec::new(),
            outbox_len: 0,
            may_stall: false,
            stood_still: false,
            is_given_up: false,
        }
    }

    /// A stream begins: nothing of the one before is sent on it.
    pub(crate) fn reset(&mut self) {
        self.urgent.clear();
        self.outbox_len = 0;
        self.may_stall = false;
        self.stood_still = false;
        self.is_given_up = false;
    }

    /// What has not left yet does not have to leave any more, wherever it is.
    pub(crate) fn give_up(&mut self) {
        self.urgent.clear();
        self.is_given_up = true;
    }

    /// So much time has passed since the last call, and nothing is read now, or is.
    pub(crate) fn passed(&mut self, time: Duration, stands_still: bool) {
        if core::mem::take(&mut self.stood_still) || stands_still {
            self.timers.delay_waiting(time);
        }
    }

    /// An event was polled, and with that reading goes on: from a time on that nobody has said.
    pub(crate) fn goes_on(&mut self) {
        self.stood_still = true;
    }

    /// Whether there are bytes that have not been taken.
    pub(crate) fn has_output(&self) -> bool {
        self.outbox_len > 0 || !self.urgent.is_empty()
    }

    /// The outbox is about to be filled. Whether nothing has been taken from it for too long.
    #[inline]
    pub(crate) fn is_stalled(&mut self, outbox: &Outbox) -> bool {
        let len = outbox.len();
        let is_moving = len == 0 || len < self.outbox_len;
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

    /// Moves what is urgent to the outbox, in whole packets, as far as it has room. Whether that was all.
    #[inline(always)]
    pub(crate) fn flush(&mut self, outbox: &mut Outbox) -> bool {
        if self.is_given_up {
            outbox.clear();
        }
        self.urgent.is_empty() || self.flush_urgent(outbox)
    }

    fn flush_urgent(&mut self, outbox: &mut Outbox) -> bool {
        let (bytes, packets) = outbox.fitting(&self.urgent);
        outbox.buffer().extend(self.urgent.drain(..bytes));
        outbox.count(packets);
        // Answers beside messages are few, and connections without messages many.
        crate::rest::buffer(&mut self.urgent);
        self.urgent.is_empty()
    }

    /// The outbox has been filled; `until` it has to be taken.
    #[inline]
    pub(crate) fn filled(&mut self, outbox: &Outbox, until: impl FnOnce() -> Option<Instant>) {
        self.outbox_len = outbox.len();
        if self.outbox_len > 0 && self.timers.get(Timer::Stall).is_none() {
            if let Some(until) = until() {
                self.timers.set(Timer::Stall, until);
            }
        }
    }
}

/// A farewell of the host without what this end may not say. [MQTT-3.14.2-2, U5-3.14.2-a]
pub(crate) fn sayable(farewell: Disconnect<Bytes>, sender: Role) -> Disconnect<Bytes> {
    let foreign = match sender {
        Role::Client => PropertyId::ServerReference,
        Role::Server => PropertyId::SessionExpiryInterval,
    };
    let reason = if farewell.reason.may_be_sent_by(sender) {
        farewell.reason
    } else {
        DisconnectReason::UnspecifiedError
    };
    Disconnect {
        reason,
        properties: farewell.properties.without(foreign).to_owned(),
    }
}
