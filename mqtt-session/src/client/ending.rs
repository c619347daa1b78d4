//! The end of a connection, and the deadlines that may bring it.

use core::time::Duration;

use bytes::Bytes;
use mqtt_proto::{Disconnect, DisconnectReason};

use super::{Client, Event, Phase, authentication, handshake};
use crate::Closed;
use crate::time::Instant;
use crate::timers::{Timer, Timers, waits_for_peer};

/// The shortest time that moves a deadline.
const MOMENT: Duration = Duration::from_micros(1);

impl Client {
    /// Time has passed. While the host owes something, deadlines that wait for the server stand still.
    #[inline]
    pub(super) fn advance(&mut self, now: Instant) {
        if now > self.flow.now() {
            self.pass(now);
        }
    }

    fn pass(&mut self, now: Instant) {
        let passed = now.saturating_since(self.flow.now());
        self.flow.advance(now);
        self.wire.passed(passed, self.stands_still());
    }

    /// Ends the connection: one last event, and a farewell if there is one.
    pub(super) fn end(&mut self, reason: Closed, farewell: Option<Disconnect<Bytes>>) {
        let was_connected = self.phase == Phase::Connected;
        // No other packet can begin in the middle of one.
        let may_say = was_connected && !self.flow.is_in_packet();
        self.flow.close();
        if was_connected && self.is_passing {
            self.flow.lose_session();
            self.flow.session.forget_damage();
            // The server has nothing of it either: the next life goes on with that, as the next connection of this one does.
            let resumes = !self.begins_anew();
            self.flow.session.write_down(resumes);
        }
        self.requests.disconnected();
        if !may_say {
            self.wire.urgent.clear();
        }
        self.ping_due = false;
        self.turn = authentication::Turn::Nobody;
        self.wire.timers = Timers::new();
        self.phase = Phase::Ending;
        let version = self.config.version;
        let farewell = farewell
            .filter(|_| may_say)
            .and_then(|farewell| farewell.for_version(version));
        if let Some(farewell) = farewell {
            self.write_farewell(farewell);
        }
        if self.wire.has_output() {
            let until = self.flow.now().saturating_add(self.config.limits.linger_timeout);
            self.wire.timers.set(Timer::Linger, until);
        }
        let retry_at = if self.leaving.is_some() || handshake::is_final(&reason) {
            None
        } else if was_connected {
            self.pacing.closed(self.flow.now(), &mut self.random)
        } else {
            self.pacing.failed(self.flow.now(), &mut self.random)
        };
        self.schedule(retry_at);
        self.flow.tell(Event::Closed { reason, retry_at });
    }

    pub(super) fn schedule(&mut self, retry_at: Option<Instant>) {
        match retry_at {
            Some(at) => self.wire.timers.set(Timer::Reconnect, at),
            None => self.wire.timers.clear(Timer::Reconnect),
        }
    }

    /// There is no stream any more.
    pub(super) fn gone(&mut self) {
        self.wire.urgent.clear();
        self.wire.timers.clear(Timer::Linger);
        if self.phase == Phase::Ending {
            self.phase = match self.wire.timers.get(Timer::Reconnect) {
                Some(_) => Phase::Idle,
                None => Phase::Stopped,
            };
        }
    }

    pub(super) fn stop(&mut self) {
        self.wire.timers.clear(Timer::Reconnect);
        if matches!(self.phase, Phase::Idle | Phase::Opening) {
            self.phase = Phase::Stopped;
        }
    }

    // ---- time

    pub(super) fn fire(&mut self, now: Instant) {
        self.advance(now);
        for _ in 0..self.config.limits.timers_per_call.max(1) {
            let Some(timer) = self.wire.timers.due(self.flow.now()) else {
                break;
            };
            self.wire.timers.clear(timer);
            self.on_timer(timer);
        }
        self.flow.expire();
        self.tell_late_requests();
    }

    pub(super) fn time_out(&mut self, timer: Timer) {
        let farewell = Disconnect::new(DisconnectReason::UnspecifiedError);
        self.end(Closed::TimedOut(timer), Some(farewell));
    }

    pub(super) fn on_timer(&mut self, timer: Timer) {
        if waits_for_peer(timer) && self.stands_still() {
            let again = match timer {
                Timer::PingResponse => self.config.limits.ping_timeout,
                _ => self.config.limits.handshake_timeout,
            };
            // Later than now, whatever the limit says: what stays due keeps the others from their turn.
            let again = again.max(MOMENT);
            self.wire.timers.set(timer, self.flow.now().saturating_add(again));
            return;
        }
        match timer {
            Timer::Reconnect => {
                self.phase = Phase::Opening;
                self.flow.tell(Event::Open);
            }
            Timer::Ping if self.phase == Phase::Connected => self.ping_due = true,
            Timer::Linger => {
                self.wire.give_up();
                self.gone();
            }
            Timer::Stall => {
                let again = self.flow.now().saturating_add(self.config.limits.stall_timeout);
                if self.wire.stall_due(again) {
                    self.time_out(timer);
                }
            }
            Timer::Handshake | Timer::PingResponse | Timer::Source => self.time_out(timer),
            _ => {}
        }
    }
}
