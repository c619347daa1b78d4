//! How long each message may be delivered (I-23): kept outside of the machines, from what came to them and left them, and when.

use core::time::Duration;
use std::collections::BTreeMap;

use mqtt_session::Instant;

use super::traffic::{Passing, Way};

/// What is left is told in whole seconds, rounded up: each time that a message changes hands it may gain a part of one. It does
/// when it waited for the host or the store, from one machine to another, as a retained one, and by way of a group.
const ROUNDING: Duration = Duration::from_secs(3);

/// The time of one message. One that came more than once began anew each time.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// The interval it was given at most.
    seconds: u32,
    came_at: Instant,
    first_end: Instant,
    last_end: Instant,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    /// Of those that end.
    of: BTreeMap<u64, Life>,
    last_crash: Option<Instant>,
}

/// What is known of a message with an interval that has left in time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aged {
    /// It had waited, and said so.
    pub(super) has_waited: bool,
    /// The broker had ended while it waited.
    pub(super) over_restart: bool,
}

impl Lives {
    pub(super) const fn crashed(&mut self, now: Instant) {
        self.last_crash = Some(now);
    }

    /// Whether a message may have ended by now.
    pub(super) fn may_have_ended(&self, number: u64, now: Instant) -> bool {
        self.of.get(&number).is_some_and(|life| life.first_end <= now)
    }

    /// Whether a message has surely ended by now.
    pub(super) fn has_ended(&self, number: u64, now: Instant) -> bool {
        self.of.get(&number).is_some_and(|life| life.last_end <= now)
    }

    /// A message has come or left.
    pub(super) fn pass(&mut self, passing: Passing) -> Result<Option<Aged>, String> {
        match passing.way {
            Way::In | Way::Across if passing.expiry == Some(0) => Ok(None),
            Way::Across => self.left(passing, true, false).map(|_| None),
            Way::In => {
                self.came(passing);
                Ok(None)
            }
            Way::Out { tells, again } => self.left(passing, tells, again),
        }
    }

    fn came(&mut self, passing: Passing) {
        let Some(seconds) = passing.expiry else { return };
        let end = passing.at.saturating_add(Duration::from_secs(seconds.into()));
        let life = self.of.entry(passing.number).or_insert(Life {
            seconds,
            came_at: passing.at,
            first_end: end,
            last_end: end,
        });
        life.seconds = life.seconds.max(seconds);
        life.first_end = life.first_end.min(end);
        life.last_end = life.last_end.max(end);
    }

    fn left(&self, passing: Passing, tells: bool, again: bool) -> Result<Option<Aged>, String> {
        let Some(life) = self.of.get(&passing.number) else {
            return match passing.expiry {
                Some(_) => Err(format!("{passing:?}, and it was given no interval")),
                None => Ok(None),
            };
        };
        // What is on its way is not stopped.
        if !again && passing.at >= life.last_end.saturating_add(ROUNDING) {
            return Err(format!("{passing:?}, and it had ended: {life:?}"));
        }
        if !tells {
            return Ok(None);
        }
        let Some(told) = passing.expiry else {
            return Err(format!("{passing:?}, without its interval: {life:?}"));
        };
        let most = left_of(life.last_end.saturating_add(ROUNDING), passing.at)
            .div_ceil(1_000_000)
            .max(1);
        let least = left_of(life.first_end, passing.at) / 1_000_000;
        if u64::from(told) > most || !again && u64::from(told) < least {
            return Err(format!("{passing:?}, and {least} to {most} s are left of it: {life:?}"));
        }
        Ok(Some(Aged {
            has_waited: told < life.seconds,
            over_restart: self.last_crash.is_some_and(|crash| life.came_at <= crash),
        }))
    }
}

/// How many microseconds are left until then.
const fn left_of(end: Instant, now: Instant) -> u64 {
    end.as_micros().saturating_sub(now.as_micros())
}
