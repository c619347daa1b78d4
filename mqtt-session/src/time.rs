//! Points in time, as the driver counts them.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// A point in time: microseconds since an epoch that the driver chose.
///
/// The machines read no clock. Every input carries the time, and a deadline is an `Instant` on the same scale. A driver
/// without a store may count from its start; one with a store takes Unix time, so that stored deadlines keep their
/// meaning after a restart.
///
/// Arithmetic saturates: what would lie beyond [`MAX`](Self::MAX) is `MAX`, which never comes.
///
/// ```
/// use core::time::Duration;
/// use mqtt_session::Instant;
///
/// let opened = Instant::from_secs(10);
/// let deadline = opened + Duration::from_millis(1500);
/// assert_eq!(deadline.as_micros(), 11_500_000);
/// assert_eq!(deadline.saturating_since(opened), Duration::from_millis(1500));
/// assert_eq!(opened.checked_since(deadline), None);
/// assert_eq!(Instant::MAX + Duration::from_secs(1), Instant::MAX);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(0);
    /// Never.
    pub const MAX: Self = Self(u64::MAX);

    /// So many microseconds after the epoch.
    #[must_use]
    #[inline]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// So many seconds after the epoch; [`MAX`](Self::MAX) if that is beyond it.
    #[must_use]
    #[inline]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(MICROS_PER_SECOND))
    }

    /// The microseconds since the epoch.
    #[must_use]
    #[inline]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The point this much later, or [`MAX`](Self::MAX). Parts of a microsecond do not count.
    #[must_use]
    #[inline]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let whole = duration.as_secs().saturating_mul(MICROS_PER_SECOND);
        Self(
            self.0
                .saturating_add(whole)
                .saturating_add(duration.subsec_micros() as u64),
        )
    }

    /// The time since an earlier point; `None` if that point is later than this one.
    #[must_use]
    #[inline]
    pub const fn checked_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(micros) => Some(Duration::from_micros(micros)),
            None => None,
        }
    }

    /// The point so many microseconds later, or [`MAX`](Self::MAX).
    #[inline]
    pub(crate) const fn after_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The point so many seconds later, or [`MAX`](Self::MAX).
    pub(crate) const fn after_seconds(self, seconds: u32) -> Self {
        self.saturating_add(Duration::from_secs(seconds as u64))
    }

    /// What is left until a later point, in seconds: rounded up, and never nothing. [MQTT-3.3.2-6]
    pub(crate) fn seconds_until(self, later: Self) -> u32 {
        let left = later
            .saturating_since(self)
            .as_micros()
            .div_ceil(u128::from(MICROS_PER_SECOND));
        u32::try_from(left).unwrap_or(u32::MAX).max(1)
    }

    /// The time since an earlier point; nothing if that point is later than this one.
    #[must_use]
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// As seconds since the epoch.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::MAX {
            return f.write_str("never");
        }
        let (seconds, micros) = (self.0 / MICROS_PER_SECOND, self.0 % MICROS_PER_SECOND);
        write!(f, "{seconds}.{micros:06} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn addition_ends_at_never() {
        let last = Instant::from_micros(u64::MAX - 1);
        assert_eq!(last + Duration::from_micros(1), Instant::MAX);
        assert_eq!(last + Duration::from_micros(2), Instant::MAX);
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::from_secs(u64::MAX), Instant::MAX);
    }

    #[test]
    fn seconds_and_fractions_are_both_added() {
        let later = Instant::from_micros(5) + Duration::new(3, 7_999);
        assert_eq!(later.as_micros(), 3_000_012);
    }

    #[test]
    fn time_since_a_later_point_is_refused_or_nothing() {
        let (earlier, later) = (Instant::from_micros(5), Instant::from_micros(8));
        assert_eq!(later.checked_since(earlier), Some(Duration::from_micros(3)));
        assert_eq!(later.checked_since(later), Some(Duration::ZERO));
        assert_eq!(earlier.checked_since(later), None);
        assert_eq!(later.saturating_since(earlier), Duration::from_micros(3));
        assert_eq!(earlier.saturating_since(later), Duration::ZERO);
    }

    #[test]
    fn display_is_in_seconds() {
        assert_eq!(Instant::from_micros(12_000_034).to_string(), "12.000034 s");
        assert_eq!(Instant::MAX.to_string(), "never");
    }
}
