//! The end of a connection, and the deadlines that may bring it.

use mqtt_proto::{ConnAckReason, Disconnect, DisconnectReason};

use super::{Phase, ServerConnection, ServerEvent};
use crate::Closed;
use crate::time::Instant;
use crate::timers::{Timer, Timers, waits_for_peer};

impl ServerConnection {
    /// Time has passed. While the host of a client that it has accepted owes something, deadlines that wait for the client
    /// stand still.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) {
        if now > self.flow.now() {
            self.pass(now);
        }
    }

    fn pass(&mut self, now: Instant) {
        let passed = now.saturating_since(self.flow.now());
        self.flow.advance(now);
        self.wire.passed(passed, self.waits_for_host());
    }

    /// Ends the connection, and says why if the version can.
    pub(super) fn end_with(&mut self, closed: Closed, reason: DisconnectReason) {
        if self.phase == Phase::Connected && !self.flow.is_in_packet() {
            self.write_farewell(Disconnect::new(reason));
        }
        self.end(closed);
    }

    /// Ends the connection with its last event.
    pub(super) fn end(&mut self, reason: Closed) {
        if self.phase == Phase::Ended {
            return;
        }
        let was_connected = self.phase == Phase::Connected;
        self.flush_connack();
        self.phase = Phase::Ended;
        if self.flow.is_in_packet() {
            // No other packet can begin in the middle of one.
            self.wire.urgent.clear();
        }
        self.flow.close();
        self.wire.timers = Timers::new();
        self.requests.clear();
        self.connect = None;
        if self.wire.has_output() {
            let until = self
                .flow
                .now()
                .saturating_add(self.config.session.limits.linger_timeout);
            self.wire.timers.set(Timer::Linger, until);
        }
        self.has_session = was_connected;
        self.since = self.flow.now();
        let will = self.will.take().filter(|_| was_connected);
        self.flow.tell(ServerEvent::Closed {
            reason,
            will,
            session_expiry_seconds: if was_connected { self.session_expiry_seconds } else { 0 },
        });
    }

    // ---- time

    pub(super) fn on_timer(&mut self, timer: Timer) {
        let limits = self.config.session.limits;
        if waits_for_peer(timer) && self.waits_for_host() {
            // Of these there is only the keep-alive once a client is accepted.
            return self.arm_keep_alive();
        }
        match timer {
            Timer::Linger => self.wire.give_up(),
            Timer::Stall => {
                let again = self.flow.now().saturating_add(limits.stall_timeout);
                if self.wire.stall_due(again) {
                    self.time_out(timer);
                }
            }
            _ => self.time_out(timer),
        }
    }

    pub(super) fn time_out(&mut self, timer: Timer) {
        let reason = match timer {
            Timer::KeepAlive => DisconnectReason::KeepAliveTimeout,
            _ => DisconnectReason::UnspecifiedError,
        };
        if self.phase == Phase::Deciding {
            // The client has done its part. [MQTT-3.1.4-2]
            self.write_refusal(ConnAckReason::ServerUnavailable, self.version);
        }
        self.end_with(Closed::TimedOut(timer), reason);
    }

    /// One and a half times what was agreed. [MQTT-3.1.2-22]
    const fn keep_alive_micros(&self) -> u64 {
        (self.keep_alive_seconds as u64).wrapping_mul(1_500_000)
    }

    #[inline]
    pub(super) fn arm_keep_alive(&mut self) {
        if self.keep_alive_seconds == 0 {
            self.wire.timers.clear(Timer::KeepAlive);
        } else {
            let until = self.flow.now().after_micros(self.keep_alive_micros());
            self.wire.timers.set(Timer::KeepAlive, until);
        }
    }
}
