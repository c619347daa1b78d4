//! How fast a client may send, and take over from itself.
//!
//! A bucket for messages and one for bytes: what is read goes in, and runs out again at the rate that is allowed. One that
//! holds more than a burst keeps the stream from being read until it does not. A third one, for takeovers, refuses what it has no
//! room for, and goes to the connection that takes over.

use alloc::boxed::Box;

use super::{Broker, BrokerBound, BrokerLimits, ConnectionId};
use crate::time::Instant;

/// A unit of what is counted, as it stands in a bucket: so much runs out in a microsecond for each unit a second.
const UNIT: u64 = 1_000_000;

/// What one connection has sent of late, if it may not send as fast as it likes.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Box<Buckets>>);

#[derive(Debug, Default)]
struct Buckets {
    /// Messages that were read and not yet put into the bucket.
    came: u32,
    /// Nothing is read before.
    until: Option<Instant>,
    at: Instant,
    messages: u64,
    bytes: u64,
    takeovers: u64,
    taken_over_at: Instant,
}

impl Pace {
    /// That of a new connection.
    pub(super) fn new(limits: &BrokerLimits) -> Self {
        Self(limits.has_rates().then(Box::default))
    }

    /// A message was read.
    #[inline]
    pub(super) fn has_come(&mut self) {
        if let Some(buckets) = &mut self.0 {
            buckets.came = buckets.came.saturating_add(1);
        }
    }

    /// Whether another connection may take over now, which counts then.
    fn may_be_taken_over(&mut self, now: Instant, limits: &BrokerLimits) -> bool {
        self.0
            .as_mut()
            .is_none_or(|buckets| buckets.charge_takeover(now, limits))
    }

    /// Takeovers of the connection before count, too.
    fn follow(&mut self, before: Self) {
        if let (Some(buckets), Some(before)) = (&mut self.0, before.0) {
            buckets.takeovers = before.takeovers;
            buckets.taken_over_at = before.taken_over_at;
        }
    }

    /// When reading goes on, if it pauses.
    #[inline]
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.as_ref()?.until
    }
}

impl Buckets {
    /// So much was read. Returns when reading goes on, if it pauses, and for the sake of what.
    fn charge(&mut self, now: Instant, limits: &BrokerLimits, bytes: usize) -> Option<(Instant, BrokerBound)> {
        let passed = micros(now.saturating_since(self.at));
        self.at = now;
        let messages = u64::from(core::mem::take(&mut self.came));
        let wait = |level: &mut u64, rate: u32, units: u64| {
            if rate == u32::MAX {
                return 0;
            }
            *level = after(*level, passed, rate).saturating_add(units.saturating_mul(UNIT));
            level.saturating_sub(limits.room(rate)).div_ceil(a_microsecond(rate))
        };
        let messages = wait(&mut self.messages, limits.messages_per_second, messages);
        let bytes = wait(&mut self.bytes, limits.bytes_per_second, bytes as u64);
        let (wait, bound) = if messages >= bytes {
            (messages, BrokerBound::MessagesPerSecond)
        } else {
            (bytes, BrokerBound::BytesPerSecond)
        };
        let until = now.saturating_add(core::time::Duration::from_micros(wait));
        (wait > 0).then_some((until, bound))
    }

    /// Whether there is room for a takeover. One that has none does not count, so that somebody comes in as often as is allowed.
    fn charge_takeover(&mut self, now: Instant, limits: &BrokerLimits) -> bool {
        let rate = limits.takeovers_per_second;
        if rate == u32::MAX {
            return true;
        }
        let passed = micros(now.saturating_since(self.taken_over_at));
        let level = after(self.takeovers, passed, rate).saturating_add(UNIT);
        // One is always as much as may come at once.
        let has_room = level <= limits.room(rate).max(UNIT);
        if has_room {
            self.takeovers = level;
            self.taken_over_at = now;
        }
        has_room
    }
}

/// What is left in a bucket after so many microseconds.
fn after(level: u64, passed: u64, rate: u32) -> u64 {
    level.saturating_sub(passed.saturating_mul(a_microsecond(rate)))
}

/// What runs out of a bucket in a microsecond.
fn a_microsecond(rate: u32) -> u64 {
    rate.max(1).into()
}

fn micros(time: core::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl BrokerLimits {
    const fn has_rates(&self) -> bool {
        self.messages_per_second != u32::MAX
            || self.bytes_per_second != u32::MAX
            || self.takeovers_per_second != u32::MAX
    }

    /// So much of what has this rate may come at once.
    fn room(&self, rate: u32) -> u64 {
        micros(self.burst).saturating_mul(a_microsecond(rate))
    }
}

impl Broker {
    /// So many bytes of a client were read. One that is too fast is not read for a while.
    pub(super) fn has_read(&mut self, connection: ConnectionId, bytes: usize) {
        self.figures.bytes_received = self.figures.bytes_received.saturating_add(bytes as u64);
        let limits = &self.config.limits;
        if bytes == 0 || !limits.has_rates() {
            return;
        }
        let Some(known) = self.connections.named_mut(connection) else {
            return;
        };
        let Some(buckets) = &mut known.pace.0 else {
            return;
        };
        let Some((until, bound)) = buckets.charge(self.now, limits, bytes) else {
            return;
        };
        buckets.until = Some(until);
        known.machine.pause(true);
        let session = known.session;
        self.figures.reads_paused = self.figures.reads_paused.saturating_add(1);
        self.hit(bound, self.name_of(session));
        self.settle(connection.slot);
    }

    /// Whether a client may take over from its earlier connection now, which counts then.
    pub(super) fn may_take_over(&mut self, earlier: u32) -> bool {
        let (now, limits) = (self.now, &self.config.limits);
        let Some(known) = self.connections.get_mut(earlier) else {
            return true;
        };
        if known.pace.may_be_taken_over(now, limits) {
            return true;
        }
        let session = known.session;
        self.figures.takeovers_refused = self.figures.takeovers_refused.saturating_add(1);
        self.hit(BrokerBound::TakeoversPerSecond, self.name_of(session));
        false
    }

    /// A connection takes over from an earlier one.
    pub(super) fn hand_on_pace(&mut self, earlier: u32, later: u32) {
        let before = self
            .connections
            .get_mut(earlier)
            .map(|known| core::mem::take(&mut known.pace));
        if let (Some(before), Some(known)) = (before, self.connections.get_mut(later)) {
            known.pace.follow(before);
        }
    }

    /// Reading goes on, if the time for that has come.
    pub(super) fn goes_on_reading(&mut self, slot: u32) {
        let now = self.now;
        if let Some(known) = self.connections.get_mut(slot) {
            let buckets = known.pace.0.as_mut();
            if let Some(buckets) = buckets.filter(|buckets| buckets.until.is_some_and(|until| until <= now)) {
                buckets.until = None;
                known.machine.pause(false);
            }
        }
    }
}
