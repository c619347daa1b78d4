//! What is counted and measured.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::process::{Memory, Used, Watched};
use crate::Ending;

/// What has happened up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Messages that publishers have sent.
    pub(super) sent: u64,
    /// Those that were acknowledged.
    pub(super) acknowledged: u64,
    /// Those that the server did not take.
    pub(super) refused: u64,
    /// How often the messages are to arrive: once at each subscriber.
    pub(super) owed: u64,
    /// How often they have arrived.
    pub(super) received: u64,
    /// The bytes of these.
    pub(super) bytes: u64,
}

impl Counts {
    fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            acknowledged: self.acknowledged - earlier.acknowledged,
            refused: self.refused - earlier.refused,
            owed: self.owed - earlier.owed,
            received: self.received - earlier.received,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// What the processes have used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) generator: Option<Used>,
    pub(super) broker: Option<Used>,
}

impl Moment {
    pub(super) fn of(generator: Option<&Watched>, broker: Option<&Watched>) -> Result<Self, Ending> {
        Ok(Self {
            generator: generator.map(Watched::used).transpose()?,
            broker: broker.map(Watched::used).transpose()?,
        })
    }

    fn since(self, earlier: Self) -> Self {
        let both = |late: Option<Used>, early: Option<Used>| Some(late?.since(early?));
        Self {
            generator: both(self.generator, earlier.generator),
            broker: both(self.broker, earlier.broker),
        }
    }
}

/// A load that is over.
#[derive(Debug)]
pub(super) struct Measured {
    begin: (u64, Counts, Moment),
    is_ended: bool,
    /// Nanoseconds.
    pub(super) time: u64,
    /// In that time.
    pub(super) counts: Counts,
    /// In that time.
    pub(super) used: Moment,
    /// From the first message to the last, warm-up and what came in at the end included.
    pub(super) total: Counts,
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) unacknowledged: u64,
    /// Whether payloads carried times.
    pub(super) is_timed: bool,
    pub(super) latencies: Histogram<u64>,
    pub(super) acknowledgements: Histogram<u64>,
    /// Nanoseconds since the start, and how many messages had arrived (or been sent, if nobody subscribes).
    pub(super) samples: Vec<(u64, u64)>,
}

impl Measured {
    pub(super) fn new(moment: Moment) -> Result<Self, Ending> {
        let none = || Histogram::new(3).map_err(Ending::failed);
        Ok(Self {
            begin: (0, Counts::default(), moment),
            is_ended: false,
            time: 0,
            counts: Counts::default(),
            used: Moment::default(),
            total: Counts::default(),
            lost: 0,
            repeated: 0,
            unacknowledged: 0,
            is_timed: false,
            latencies: none()?,
            acknowledgements: none()?,
            samples: Vec::new(),
        })
    }

    pub(super) fn begin(&mut self, now: u64, counts: Counts, moment: Moment) {
        self.begin = (now, counts, moment);
    }

    pub(super) fn end(&mut self, now: u64, counts: Counts, moment: Moment) {
        let (began, counted, used) = self.begin;
        self.is_ended = true;
        self.time = now.saturating_sub(began);
        self.counts = counts.since(counted);
        self.used = moment.since(used);
    }

    pub(super) fn end_unless_ended(&mut self, now: u64, counts: Counts, moment: Moment) {
        if !self.is_ended {
            self.end(now, counts, moment);
        }
    }

    pub(super) fn sample(&mut self, now: u64, counts: Counts) {
        let what = if counts.owed > 0 || counts.received > 0 {
            counts.received
        } else {
            counts.sent
        };
        self.samples.push((now, what));
    }

    /// How many a second.
    pub(super) fn per_second(&self, count: u64) -> f64 {
        count as f64 / (self.time.max(1) as f64 / 1e9)
    }
}

/// Times, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Times {
    /// `None` if nothing was timed.
    pub(super) fn of(times: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        (!times.is_empty()).then(|| Self {
            count: times.len(),
            mean: times.mean() / 1000.0,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: times.max() as f64 / 1000.0,
        })
    }
}

/// What a process had in memory, before connections and subscriptions and after the load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Growth {
    pub(super) before: Memory,
    /// With all connections and subscriptions, before the first message.
    pub(super) ready: Memory,
    pub(super) after: Memory,
}
