//! When to connect again.

use core::time::Duration;

use crate::Instant;
use crate::fingerprint::Fingerprint;
use crate::random::Random;

/// No delay is shorter, so that a connection that fails at once does not become a busy loop.
const SHORTEST_DELAY: Duration = Duration::from_millis(1);

/// How a client connects again after a connection failed or ended.
///
/// The delay begins with [`first_delay`](Self::first_delay) and grows by [`factor`](Self::factor) with each try of a
/// series, up to [`max_delay`](Self::max_delay). A part of it is random, so that the clients of a server that was
/// restarted do not return all at once. A connection that lasted begins a new series; one that was accepted and then
/// ended early does not.
///
/// ```
/// use core::time::Duration;
/// use mqtt_session::Reconnect;
/// let reconnect = Reconnect::default().first_delay(Duration::from_secs(1)).attempts(Some(10));
/// assert_eq!(reconnect.max_delay, Duration::from_secs(60));
/// assert_eq!(Reconnect::never().attempts, Some(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Reconnect {
    /// How many tries a series has; after the last one the client stays closed. Default `None`: no end.
    pub attempts: Option<u32>,
    /// The delay before the first try of a series. Default 500 ms.
    pub first_delay: Duration,
    /// The longest delay, also if `first_delay` is longer. Default 60 s. No delay is shorter than 1 ms.
    pub max_delay: Duration,
    /// How much longer each delay is than the one before. Default 2; 0 counts as 1.
    pub factor: u32,
    /// How much of a delay is random, in percent: a delay of 10 s with 50 % lasts from 5 s to 10 s. Default 50; more than
    /// 100 counts as 100.
    pub jitter_percent: u8,
    /// A connection that was open for at least this long begins a new series when it ends. Default 30 s.
    pub reset_after: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            attempts: None,
            first_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60),
            factor: 2,
            jitter_percent: 50,
            reset_after: Duration::from_secs(30),
        }
    }
}

impl Reconnect {
    /// No connection after the first.
    #[must_use]
    pub fn never() -> Self {
        Self::default().attempts(Some(0))
    }

    /// Sets [`attempts`](Self::attempts).
    #[must_use]
    pub const fn attempts(mut self, attempts: Option<u32>) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets [`first_delay`](Self::first_delay).
    #[must_use]
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Sets [`max_delay`](Self::max_delay).
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets [`factor`](Self::factor).
    #[must_use]
    pub const fn factor(mut self, factor: u32) -> Self {
        self.factor = factor;
        self
    }

    /// Sets [`jitter_percent`](Self::jitter_percent).
    #[must_use]
    pub const fn jitter_percent(mut self, percent: u8) -> Self {
        self.jitter_percent = percent;
        self
    }

    /// Sets [`reset_after`](Self::reset_after).
    #[must_use]
    pub const fn reset_after(mut self, lifetime: Duration) -> Self {
        self.reset_after = lifetime;
        self
    }

    /// The longest delay before a try, without its random part.
    fn delay(&self, tries_before: u32) -> Duration {
        let factor = self.factor.max(1).saturating_pow(tries_before);
        let delay = self.first_delay.checked_mul(factor).unwrap_or(Duration::MAX);
        delay.min(self.max_delay)
    }

    /// Shortens a delay by its random part.
    fn shortened(&self, delay: Duration, random: &mut Random) -> Duration {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let percent = u64::from(self.jitter_percent.min(100));
        let part = (micros / 100).saturating_mul(percent);
        let cut = random.below(part.saturating_add(1));
        Duration::from_micros(micros.saturating_sub(cut)).max(SHORTEST_DELAY)
    }
}

/// Where a client stands in its series of tries.
#[derive(Clone, Debug)]
pub(crate) struct Pacing {
    config: Reconnect,
    /// Tries of this series.
    tries: u32,
    opened_at: Option<Instant>,
}

impl Pacing {
    pub(crate) const fn new(config: Reconnect) -> Self {
        Self {
            config,
            tries: 0,
            opened_at: None,
        }
    }

    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        // The delays of a series end somewhere.
        let is_longest = self.config.delay(self.tries) >= self.config.max_delay && self.config.attempts.is_none();
        mark.number(if is_longest { u32::MAX } else { self.tries });
    }

    /// A connection could not be opened. When to try again; `None` if the series is at its end.
    pub(crate) fn failed(&mut self, now: Instant, random: &mut Random) -> Option<Instant> {
        self.opened_at = None;
        if self.config.attempts.is_some_and(|attempts| self.tries >= attempts) {
            return None;
        }
        let delay = self.config.delay(self.tries);
        self.tries = self.tries.saturating_add(1);
        Some(now.saturating_add(self.config.shortened(delay, random)))
    }

    /// The server accepted the connection. That alone does not end the series.
    pub(crate) const fn opened(&mut self, now: Instant) {
        self.opened_at = Some(now);
    }

    /// A connection ended. When to try again; `None` if the series is at its end.
    pub(crate) fn closed(&mut self, now: Instant, random: &mut Random) -> Option<Instant> {
        let lasted = |opened| now.saturating_since(opened) >= self.config.reset_after;
        if self.opened_at.is_some_and(lasted) {
            self.tries = 0;
        }
        self.failed(now, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const NOW: Instant = Instant::from_secs(1_000);

    fn pacing(config: Reconnect) -> (Pacing, Random) {
        (Pacing::new(config), Random::new(5))
    }

    /// The delays in milliseconds of so many failures in a row.
    fn failures(config: Reconnect, count: usize) -> Vec<u128> {
        let (mut pacing, mut random) = pacing(config);
        let tries = core::iter::from_fn(|| pacing.failed(NOW, &mut random));
        tries
            .take(count)
            .map(|at| at.saturating_since(NOW).as_millis())
            .collect()
    }

    fn exact() -> Reconnect {
        Reconnect::default().jitter_percent(0)
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays = failures(exact(), 9);
        assert_eq!(
            delays,
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
    }

    #[test]
    fn growth_ends_without_overflow() {
        let config = exact()
            .factor(u32::MAX)
            .max_delay(Duration::MAX)
            .first_delay(Duration::MAX);
        let (mut pacing, mut random) = pacing(config);
        for _ in 0..5 {
            assert_eq!(pacing.failed(NOW, &mut random), Some(Instant::MAX));
        }
        assert_eq!(failures(exact(), 10_000).last(), Some(&60_000));
    }

    #[test]
    fn no_delay_is_shorter_than_a_millisecond() {
        let zero = Reconnect::default().first_delay(Duration::ZERO);
        assert_eq!(failures(zero, 3), [1, 1, 1]);
        assert_eq!(failures(zero.max_delay(Duration::ZERO), 3), [1, 1, 1]);
        let full = Reconnect::default()
            .first_delay(Duration::from_millis(2))
            .factor(0)
            .jitter_percent(100);
        assert!(failures(full, 200).into_iter().all(|delay| (1..=2).contains(&delay)));
    }

    #[test]
    fn the_random_part_takes_from_a_delay_what_was_configured() {
        let even = Reconnect::default().first_delay(Duration::from_secs(10)).factor(1);
        let half = failures(even, 500);
        assert!(half.iter().all(|delay| (5_000..=10_000).contains(delay)));
        assert!(half.iter().any(|delay| *delay < 5_500) && half.iter().any(|delay| *delay > 9_500));
        let full = failures(even.jitter_percent(255), 500);
        assert!(full.iter().any(|delay| *delay < 1_000) && full.iter().any(|delay| *delay > 9_000));
        let below_middle = full.iter().filter(|delay| **delay < 5_000).count();
        assert!((200..300).contains(&below_middle), "{below_middle}");
    }

    #[test]
    fn a_series_ends_after_its_tries() {
        assert_eq!(failures(exact().attempts(Some(2)), 9), [500, 1_000]);
        assert_eq!(failures(Reconnect::never(), 9), []);
        let (mut pacing, mut random) = pacing(Reconnect::never());
        pacing.opened(NOW);
        assert_eq!(pacing.closed(NOW + Duration::from_secs(99), &mut random), None);
    }

    #[test]
    fn a_connection_that_lasted_begins_a_new_series() {
        let (mut pacing, mut random) = pacing(exact().attempts(Some(3)));
        for _ in 0..3 {
            assert!(pacing.failed(NOW, &mut random).is_some());
        }
        pacing.opened(NOW);
        let closed = NOW + Duration::from_secs(30);
        assert_eq!(
            pacing.closed(closed, &mut random),
            Some(closed + Duration::from_millis(500))
        );
    }

    #[test]
    fn a_connection_that_ended_early_goes_on_with_the_series() {
        let (mut pacing, mut random) = pacing(exact());
        for delay in [500, 1_000, 2_000] {
            pacing.opened(NOW);
            let closed = NOW + Duration::from_micros(29_999_999);
            assert_eq!(
                pacing.closed(closed, &mut random),
                Some(closed + Duration::from_millis(delay))
            );
        }
    }

    #[test]
    fn an_old_connection_does_not_count_for_a_later_one() {
        let (mut pacing, mut random) = pacing(exact());
        pacing.opened(NOW);
        let (first, second) = (NOW + Duration::from_secs(1), NOW + Duration::from_secs(60));
        assert_eq!(
            pacing.closed(first, &mut random),
            Some(first + Duration::from_millis(500))
        );
        assert_eq!(
            pacing.closed(second, &mut random),
            Some(second + Duration::from_millis(1_000))
        );
    }
}
