//! The deadlines of a connection, one for each reason.

use core::fmt;
use core::time::Duration;

use crate::Instant;

macro_rules! timers {
    (
        $($(#[$doc:meta])* $variant:ident => $name:literal,)*
        ---
        $($(#[$other_doc:meta])* $other_variant:ident => $other_name:literal,)*
    ) => {
        /// Why a machine asks to be woken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Timer {
            $($(#[$doc])* $variant,)*
            $($(#[$other_doc])* $other_variant,)*
        }

        impl Timer {
            /// Those of a connection itself, and not of its session or of a broker.
            pub(crate) const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Its place in a set of those of a connection.
            #[inline]
            const fn bit(self) -> u8 {
                1_u8.wrapping_shl(self as u32)
            }

            /// A name for logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    $(Self::$other_variant => $other_name,)*
                }
            }
        }
    };
}

timers! {
    /// The peer has to finish connecting.
    Handshake => "handshake",
    /// A PINGREQ is due, since nothing else was sent for that long.
    Ping => "ping",
    /// The peer has to answer a PINGREQ.
    PingResponse => "ping response",
    /// The client has to send a packet, or it is gone.
    KeepAlive => "keep-alive",
    /// The host has to go on with a payload that is being sent.
    Source => "source",
    /// Output waits, and the driver has to pull it.
    Stall => "stall",
    /// The connection is over; what is left of its output is dropped.
    Linger => "linger",
    /// It is time to connect again.
    Reconnect => "reconnect",
    ---
    /// A message expires.
    Expiry => "expiry",
    /// A session has outlived its connection for as long as it may.
    SessionExpiry => "session expiry",
    /// The host is told that an operation is late.
    Late => "late",
    /// A broker publishes a will.
    Will => "will",
    /// A broker has work that it does in pieces.
    Work => "work",
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a machine has to be woken at the latest, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Timeout {
    /// When.
    pub at: Instant,
    /// Why; for logs.
    pub timer: Timer,
}

/// Each of them has a bit.
const _: () = assert!(Timer::ALL.len() <= 8);

/// At most one deadline for each reason.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    /// By [`Timer`]; [`Instant::MAX`] if it is not set.
    at: [Instant; Timer::ALL.len()],
    /// A bit for each one that is set.
    are_set: u8,
    /// No timer is earlier.
    #[cfg(feature = "broker")]
    bound: Instant,
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self {
            at: [Instant::MAX; Timer::ALL.len()],
            are_set: 0,
            #[cfg(feature = "broker")]
            bound: Instant::MAX,
        }
    }

    /// A time before which nothing is due, known without looking. It may be too early.
    #[cfg(feature = "broker")]
    #[inline]
    pub(crate) const fn bound(&self) -> Instant {
        self.bound
    }

    /// Looks where the bound is.
    #[cfg(feature = "broker")]
    pub(crate) fn find_bound(&mut self) {
        self.bound = self.next().map_or(Instant::MAX, |timeout| timeout.at);
    }

    /// Sets a timer, in place of the deadline it has. [`Instant::MAX`] clears it.
    #[inline]
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.at.get_mut(timer as usize) {
            *slot = at;
            if at == Instant::MAX {
                self.are_set &= !timer.bit();
            } else {
                self.are_set |= timer.bit();
            }
        }
        #[cfg(feature = "broker")]
        {
            self.bound = self.bound.min(at);
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self, timer: Timer) {
        if self.are_set & timer.bit() != 0 {
            self.set(timer, Instant::MAX);
        }
    }

    #[inline]
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.at.get(timer as usize).copied().filter(|at| *at != Instant::MAX)
    }

    /// Moves the deadlines that wait for the peer.
    pub(crate) fn delay_waiting(&mut self, by: Duration) {
        for timer in Timer::ALL.into_iter().filter(|timer| waits_for_peer(*timer)) {
            if let Some(at) = self.get(timer) {
                self.set(timer, at.saturating_add(by));
            }
        }
    }

    /// The earliest deadline. Of several at the same time it is the one that [`Timer`] lists first.
    #[inline]
    pub(crate) fn next(&self) -> Option<Timeout> {
        let (mut at, mut first) = (Instant::MAX, 0);
        // Few are set at once.
        let mut left = self.are_set;
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            match self.at.get(index) {
                Some(&other) if other < at => (at, first) = (other, index),
                _ => {}
            }
        }
        let timer = *Timer::ALL.get(first)?;
        (at != Instant::MAX).then_some(Timeout { at, timer })
    }

    /// The earliest deadline, but for those that wait for the peer if nothing is read.
    #[inline]
    pub(crate) fn next_unless(&self, stands_still: impl FnOnce() -> bool) -> Option<Timeout> {
        let next = self.next()?;
        if waits_for_peer(next.timer) && stands_still() {
            return self.next_at_rest();
        }
        Some(next)
    }

    #[cold]
    fn next_at_rest(&self) -> Option<Timeout> {
        let mut timers = self.clone();
        for timer in Timer::ALL.into_iter().filter(|timer| waits_for_peer(*timer)) {
            timers.clear(timer);
        }
        timers.next()
    }

    /// The timer of the earliest deadline, if that has come. It stays set: whoever acts on it moves or clears it.
    #[inline]
    pub(crate) fn due(&self, now: Instant) -> Option<Timer> {
        self.next()
            .filter(|timeout| timeout.at <= now)
            .map(|timeout| timeout.timer)
    }
}

/// The earlier of two deadlines; of two at the same time the one that [`Timer`] lists first.
#[inline]
pub(crate) fn earlier(one: Option<Timeout>, other: Option<Timeout>) -> Option<Timeout> {
    match (one, other) {
        (Some(one), Some(other)) if (other.at, other.timer) < (one.at, one.timer) => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

/// Whether this deadline is about the peer's silence. It says nothing while this end does not read.
#[inline]
pub(crate) const fn waits_for_peer(timer: Timer) -> bool {
    matches!(timer, Timer::Handshake | Timer::PingResponse | Timer::KeepAlive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(seconds)
    }

    fn next(timers: &Timers) -> Option<(Instant, Timer)> {
        timers.next().map(|timeout| (timeout.at, timeout.timer))
    }

    #[test]
    fn the_earliest_of_all_timers_is_next() {
        let mut timers = Timers::new();
        assert_eq!(next(&timers), None);
        let mut order = Vec::new();
        for (distance, timer) in (1..).zip(Timer::ALL) {
            timers.set(timer, at(100 - distance));
            order.push((at(100 - distance), timer));
            assert_eq!(next(&timers), order.last().copied());
        }
        while let Some((at, timer)) = order.pop() {
            assert_eq!(next(&timers), Some((at, timer)));
            timers.clear(timer);
        }
        assert_eq!(next(&timers), None);
    }

    #[test]
    fn timers_at_the_same_time_fire_in_their_order() {
        let mut timers = Timers::new();
        for timer in Timer::ALL.into_iter().rev() {
            timers.set(timer, at(1));
        }
        for timer in Timer::ALL {
            assert_eq!(timers.due(at(1)), Some(timer));
            timers.clear(timer);
        }
    }

    #[test]
    fn a_timer_is_due_from_its_time_on_until_it_is_moved() {
        let mut timers = Timers::new();
        timers.set(Timer::Ping, at(5));
        assert_eq!(timers.due(Instant::from_micros(4_999_999)), None);
        assert_eq!(timers.due(at(5)), Some(Timer::Ping));
        assert_eq!(timers.due(at(6)), Some(Timer::Ping));
        timers.set(Timer::Ping, at(7));
        assert_eq!(timers.due(at(6)), None);
    }

    #[test]
    fn each_timer_keeps_its_own_deadline() {
        let mut timers = Timers::new();
        timers.set(Timer::Ping, at(5));
        timers.set(Timer::Linger, at(6));
        timers.set(Timer::Ping, at(9));
        assert_eq!(timers.get(Timer::Ping), Some(at(9)));
        assert_eq!(timers.get(Timer::Linger), Some(at(6)));
        assert_eq!(timers.get(Timer::Expiry), None);
        timers.clear(Timer::Linger);
        assert_eq!(timers.get(Timer::Linger), None);
    }

    #[test]
    fn a_timer_set_to_never_is_not_set() {
        let mut timers = Timers::new();
        timers.set(Timer::Stall, Instant::MAX);
        assert_eq!(timers.get(Timer::Stall), None);
        assert_eq!(next(&timers), None);
        assert_eq!(timers.due(Instant::MAX), None);
    }

    #[test]
    fn names_tell_timers_apart() {
        let names: BTreeSet<&str> = Timer::ALL.iter().map(|timer| timer.name()).collect();
        assert_eq!(names.len(), Timer::ALL.len());
    }

    #[test]
    fn three_timers_wait_for_the_peer() {
        let waiting = Timer::ALL.into_iter().filter(|timer| waits_for_peer(*timer));
        assert!(waiting.eq([Timer::Handshake, Timer::PingResponse, Timer::KeepAlive]));
    }
}
