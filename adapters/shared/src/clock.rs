//! The time, as the machines count it.

use std::time::{Duration, Instant as Clocked, SystemTime};

use mqtt_session::Instant;

/// No wait is longer: a point in time that the system's clock cannot express is waited for in parts.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Unix time, read once, and from then on the time that has passed: it never goes back, and deadlines that a store has kept
/// mean the same after a restart.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Clocked,
    epoch: Instant,
}

impl Clock {
    /// A clock that begins with the system's time.
    #[must_use]
    pub fn new() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            start: Clocked::now(),
            epoch: Instant::ZERO.saturating_add(unix.unwrap_or_default()),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.epoch.saturating_add(self.start.elapsed())
    }

    /// When the system's clock shows `at`. What is further away than a day is given as a day: whoever waits asks again.
    #[must_use]
    pub fn system(&self, at: Instant) -> Clocked {
        let now = Clocked::now();
        let since_start = at.saturating_since(self.epoch);
        // A microsecond more, so that whoever wakes then finds the deadline passed.
        let at = self
            .start
            .checked_add(since_start.saturating_add(Duration::from_micros(1)));
        let latest = now + LONGEST_WAIT;
        at.map_or(latest, |at| at.min(latest))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_passed_when_the_system_shows_it() {
        let clock = Clock::new();
        let at = clock.now() + Duration::from_millis(3);
        std::thread::sleep(clock.system(at).saturating_duration_since(Clocked::now()));
        assert!(clock.now() >= at);
    }

    #[test]
    fn what_never_comes_is_waited_for_a_day_at_a_time() {
        let wait = Clock::new()
            .system(Instant::MAX)
            .saturating_duration_since(Clocked::now());
        assert!(wait <= LONGEST_WAIT && wait > LONGEST_WAIT / 2);
    }
}
