//! Deadlines, and work that goes on from call to call.

use alloc::vec::Vec;

use super::Broker;
use super::agenda::Who;
use super::records::BrokerKey;
use crate::time::Instant;
use crate::timers::{Timeout, Timer};

impl Broker {
    pub(super) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// A deadline may have passed: see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        for _ in 0..self.config.limits.timers_per_call.max(1) {
            match self.agenda.due(self.now) {
                Some(Who::Connection(slot)) => self.connection_is_due(slot),
                Some(Who::Session(slot)) => self.session_is_due(slot),
                Some(Who::Retained) => self.retained_is_due(),
                None => break,
            }
        }
        self.review();
        self.work();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens before. It may turn out then that
    /// the deadline has moved.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timeout> {
        if !self.leaving.is_empty() || !self.replaying.is_empty() || self.has_to_review() {
            return Some(Timeout {
                at: self.now,
                timer: Timer::Work,
            });
        }
        let (at, who) = self.agenda.next()?;
        let timer = match who {
            Who::Connection(slot) => match self.connections.get(slot) {
                Some(connection) if connection.pace.until().is_some_and(|until| until <= at) => Timer::Work,
                Some(connection) => {
                    let timeout = connection.machine.poll_timeout();
                    timeout.map_or(Timer::KeepAlive, |timeout| timeout.timer)
                }
                None => Timer::KeepAlive,
            },
            Who::Session(slot) => match self.sessions.get(slot) {
                Some(entry) if entry.will.as_ref().is_some_and(|will| will.at <= at) => Timer::Will,
                _ => Timer::SessionExpiry,
            },
            Who::Retained => Timer::Expiry,
        };
        Some(Timeout { at, timer })
    }

    fn connection_is_due(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.armed = None;
            connection.machine.handle_timeout(self.now);
            self.goes_on_reading(slot);
            self.serve(slot);
            self.rest(slot);
        }
    }

    /// A connection comes due every now and then, also one that idles: what it does not use is given back.
    fn rest(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.rest();
        }
    }

    fn session_is_due(&mut self, slot: u32) {
        let now = self.now;
        let Some(entry) = self.sessions.get_mut(slot) else {
            return;
        };
        entry.armed = None;
        let will_at = entry.will.as_ref().map(|will| will.at);
        if will_at.is_some_and(|at| at <= now) {
            self.publish_pending_will(slot);
        } else if let Some(entry) = self.sessions.get_mut(slot) {
            self.agenda.arm(Who::Session(slot), &mut entry.armed, will_at);
        }
        let has_ended = self.with_parked(slot, |state| {
            state.handle_timeout(now);
            state.has_ended()
        });
        if has_ended == Some(true) {
            self.end_session(slot);
        }
    }

    fn retained_is_due(&mut self) {
        self.retained_armed = None;
        for _ in 0..self.config.limits.steps_per_call.max(1) {
            let Some((topic, kept)) = self.retained.expire(self.now) else {
                break;
            };
            self.forget_retained(kept.payload_id, &topic);
        }
        self.arm_retained();
    }

    /// Goes on with what has no end of its own.
    pub(super) fn work(&mut self) {
        if let Some(session) = self.leaving.pop_front() {
            if !self.drop_subscriptions(session) {
                self.leaving.push_back(session);
            }
        }
        if let Some(session) = self.replaying.pop_front() {
            if let Some(entry) = self.sessions.get_mut(session) {
                entry.is_replaying = false;
            }
            self.replay(session);
            if let Some(slot) = self.sessions.connection_of(session) {
                self.touch(slot);
            }
        }
    }

    /// Drops some of the subscriptions of a session that has ended. Whether it is gone.
    fn drop_subscriptions(&mut self, session: u32) -> bool {
        let budget = crate::flow::size(self.config.limits.steps_per_call.max(1));
        let stored = self.sessions.get(session).filter(|entry| entry.is_stored);
        if let Some(id) = stored.map(|entry| entry.id) {
            for (filter, _) in self.routes.subscriptions(session).take(budget) {
                self.journal.delete(|| BrokerKey::Subscription(id, filter));
            }
        }
        if !self.peers.is_alone() {
            let going: Vec<_> = self.routes.subscriptions(session).take(budget).collect();
            for (filter, _) in going {
                self.member_goes(session, &filter);
            }
        }
        let is_gone = self.routes.remove_session(session, budget);
        if is_gone {
            self.sessions.remove(session);
        }
        is_gone
    }
}
