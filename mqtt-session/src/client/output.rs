//! Bytes to the server.

use mqtt_proto::{Disconnect, DisconnectReason, Packet};

use super::{Client, Phase};
use crate::Closed;
use crate::flow::write;
use crate::outbox::Outbox;
use crate::timers::Timer;

impl Client {
    /// Fills the outbox with what is to be sent, as far as it has room.
    pub fn poll_transmit(&mut self, outbox: &mut Outbox) {
        let before = outbox.len();
        if before < self.outbox_len || before == 0 {
            self.timers.clear(Timer::Stall);
        } else if self.may_stall && self.phase == Phase::Connected {
            let farewell = Disconnect::new(DisconnectReason::UnspecifiedError);
            self.end(Closed::TimedOut(Timer::Stall), Some(farewell));
        }
        self.may_stall = false;
        if !self.urgent.is_empty() {
            outbox.buffer().extend_from_slice(&self.urgent);
            self.urgent.clear();
        }
        if self.phase == Phase::Connected {
            self.transmit(outbox);
        }
        self.outbox_len = outbox.len();
        if outbox.len() > before {
            self.arm_ping();
        }
        if self.phase == Phase::Connected && !outbox.is_empty() && self.timers.get(Timer::Stall).is_none() {
            self.timers.set(
                Timer::Stall,
                self.flow.now.saturating_add(self.config.limits.stall_timeout),
            );
        }
    }

    fn transmit(&mut self, outbox: &mut Outbox) {
        self.flow.transmit_answers(outbox);
        if self.ping_due && outbox.has_room() {
            self.ping_due = false;
            write(&Packet::PingReq, self.config.version, outbox);
            if self.timers.get(Timer::PingResponse).is_none() {
                let until = self.flow.now.saturating_add(self.config.limits.ping_timeout);
                self.timers.set(Timer::PingResponse, until);
            }
        }
        self.transmit_requests(outbox);
        self.flow.transmit_messages(outbox);
        self.leave(outbox);
    }

    /// Everything is done, and the host wants to go. [MQTT-3.14.4-1]
    fn leave(&mut self, outbox: &mut Outbox) {
        if self.flow.outgoing.len() > 0 || self.requests.len() > 0 || self.flow.journal.has_open() {
            return;
        }
        let Some(farewell) = self.leaving.clone() else { return };
        if self.flow.journal.pending() > 0 {
            return;
        }
        let reason = farewell.reason;
        self.end(Closed::ByHost(reason), Some(farewell));
        outbox.buffer().extend_from_slice(&self.urgent);
        self.urgent.clear();
    }

    /// PINGREQ is due when nothing was sent for as long as the keep-alive says. [MQTT-3.1.2-20]
    pub(super) fn arm_ping(&mut self) {
        if self.keep_alive.is_zero() || self.phase != Phase::Connected {
            self.timers.clear(Timer::Ping);
        } else {
            self.timers
                .set(Timer::Ping, self.flow.now.saturating_add(self.keep_alive));
        }
    }
}
