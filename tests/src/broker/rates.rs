//! How fast clients may send, kept outside of the machines: no span of time has more than its share and a burst.

use core::time::Duration;

use mqtt_session::{BrokerLimits, Instant};

/// What a client may send a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    messages: u32,
    bytes: u32,
    burst: Duration,
}

impl Rates {
    /// None for most seeds. It follows from a number that other things follow from too, since a seed is to stay the run that
    /// it was.
    pub(super) fn new(seed: u64) -> Option<Self> {
        let (messages, bytes) = match seed / 4 % 8 {
            0 => (1, u32::MAX),
            1 => (u32::MAX, 8),
            2 => (3, 100),
            _ => return None,
        };
        let burst = Duration::from_millis([0, 400, 2000][usize::try_from(seed / 32 % 3).unwrap_or_default()]);
        Some(Self { messages, bytes, burst })
    }

    pub(super) const fn count_messages(self) -> bool {
        self.messages != u32::MAX
    }

    pub(super) fn limit(self, limits: BrokerLimits) -> BrokerLimits {
        limits
            .messages_per_second(self.messages)
            .bytes_per_second(self.bytes)
            .burst(self.burst)
    }
}

/// What the broker has read of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    /// When, how many messages and how many bytes, of what may still count.
    parts: Vec<(Instant, u64, u64)>,
}

impl Read {
    pub(super) fn add(&mut self, now: Instant, messages: u64, bytes: u64) {
        self.parts.push((now, messages, bytes));
    }

    /// When the stream may be read again: the first moment at which each span that ends there has no more than its share.
    pub(super) fn until(&self, rates: Rates) -> Option<Instant> {
        let (mut messages, mut bytes) = (0, 0);
        let spans = self.parts.iter().rev().map(|(at, some, more)| {
            messages += some;
            bytes += more;
            let takes = time_of(messages, rates.messages).max(time_of(bytes, rates.bytes));
            at.saturating_add(takes.saturating_sub(rates.burst))
        });
        let last = self.parts.last().map(|(at, ..)| *at)?;
        spans.max().filter(|until| *until > last)
    }
}

/// What so many take at a rate, in whole microseconds.
fn time_of(units: u64, rate: u32) -> Duration {
    match rate {
        u32::MAX => Duration::ZERO,
        rate => Duration::from_micros((units * 1_000_000).div_ceil(u64::from(rate))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_slowly_enough_counts_no_more() {
        let rates = Rates {
            messages: 1,
            bytes: u32::MAX,
            burst: Duration::from_secs(2),
        };
        let mut read = Read::default();
        read.add(Instant::from_secs(10), 2, 9);
        assert_eq!(read.until(rates), None, "a burst");
        read.add(Instant::from_secs(11), 3, 9);
        assert_eq!(
            read.until(rates),
            Some(Instant::from_secs(13)),
            "five take five seconds, two ahead"
        );
        read.add(Instant::from_secs(100), 3, 9);
        assert_eq!(read.until(rates), Some(Instant::from_secs(101)));
    }
}
