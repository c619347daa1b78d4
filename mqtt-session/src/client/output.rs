//! Bytes to the server.

use mqtt_proto::PINGREQ;

use super::{Client, Phase};
use crate::Closed;
use crate::outbox::Outbox;
use crate::timers::Timer;

impl Client {
    /// Fills the outbox with what is to be sent, as far as it has room.
    pub fn poll_transmit(&mut self, outbox: &mut Outbox) {
        let before = outbox.len();
        if self.wire.is_stalled(outbox) && self.phase == Phase::Connected {
            self.time_out(Timer::Stall);
        }
        let may_begin = self.flow.transmit_source(outbox) && self.wire.flush(outbox);
        if may_begin && self.phase == Phase::Connected {
            self.transmit(outbox);
        }
        self.arm_source();
        if outbox.len() > before {
            self.arm_ping();
        }
        let (phase, flow) = (self.phase, &self.flow);
        let timeout = self.config.limits.stall_timeout;
        self.wire.filled(outbox, || {
            (phase == Phase::Connected).then(|| flow.now().saturating_add(timeout))
        });
    }

    /// The host has so long for the next part of a payload.
    #[inline]
    fn arm_source(&mut self) {
        if !self.flow.wants_payload() {
            self.wire.timers.clear(Timer::Source);
        } else if self.wire.timers.get(Timer::Source).is_none() {
            let until = self.flow.now().saturating_add(self.config.limits.source_timeout);
            self.wire.timers.set(Timer::Source, until);
        }
    }

    fn transmit(&mut self, outbox: &mut Outbox) {
        let mut asks = true;
        loop {
            self.flow.transmit_answers(outbox);
            // Once: an identifier is not used again before its operation has been told to have ended.
            if core::mem::take(&mut asks) {
                self.transmit_ping(outbox);
                self.transmit_requests(outbox);
            }
            if !self.flow.transmit_messages(outbox) {
                break;
            }
        }
        if !self.flow.is_in_packet() {
            self.leave(outbox);
        }
    }

    fn transmit_ping(&mut self, outbox: &mut Outbox) {
        if self.ping_due && outbox.has_room() {
            self.ping_due = false;
            outbox.buffer().extend_from_slice(&PINGREQ);
            outbox.count(1);
            if self.wire.timers.get(Timer::PingResponse).is_none() {
                let until = self.flow.now().saturating_add(self.config.limits.ping_timeout);
                self.wire.timers.set(Timer::PingResponse, until);
            }
        }
    }

    /// Everything is done, and the host wants to go. [MQTT-3.14.4-1]
    fn leave(&mut self, outbox: &mut Outbox) {
        let Some(farewell) = &self.leaving else { return };
        let journal = &self.flow.session.journal;
        let is_done = self.flow.session.outgoing.len() == 0 && self.requests.len() == 0;
        if !is_done || journal.has_open() || journal.pending() > 0 {
            return;
        }
        let farewell = farewell.clone();
        let reason = farewell.reason;
        self.end(Closed::ByHost(reason), Some(farewell));
        self.wire.flush(outbox);
    }

    /// PINGREQ is due when nothing was sent for as long as the keep-alive says. [MQTT-3.1.2-20]
    pub(super) fn arm_ping(&mut self) {
        if self.keep_alive_seconds == 0 || self.phase != Phase::Connected {
            self.wire.timers.clear(Timer::Ping);
        } else {
            let until = self.flow.now().after_seconds(u32::from(self.keep_alive_seconds));
            self.wire.timers.set(Timer::Ping, until);
        }
    }
}
