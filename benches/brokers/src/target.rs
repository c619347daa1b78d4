//! What is to be reached, and whether it is.

use crate::agreement::Agreement;
use crate::brokers::{ALL, Kind};
use crate::cell::Cell;
use crate::data::{Measured, Spread};
use crate::rows::{Measure, Row};

/// "No worse" means within this.
const NO_WORSE: f64 = 1.10;
/// How many times the rate of the best broker the generator has to reach by itself.
const GENERATOR: f64 = 3.0;

/// A verdict: what, where, measured, and whether it is met.
#[derive(Debug)]
pub struct Verdict {
    /// What is to be reached.
    pub what: String,
    /// The row.
    pub place: String,
    /// The ratios, or what else was measured.
    pub measured: String,
    /// Whether it is reached.
    pub reached: Reached,
    /// How many times the fastest broker's rate the generator reaches, where that is too little for the row to count.
    pub bound_by: Option<f64>,
}

/// What the figures say of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The median reaches it.
    Met,
    /// The median does not.
    Missed,
    /// The rounds of a time do not agree, and CPU time says something else than their median.
    Open,
}

impl Reached {
    /// By what is true of the median.
    pub const fn met(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::Missed }
    }

    /// In the words of the table.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Open => "*open*",
        }
    }
}

/// CPU time a delivery where there are several a message, else a message.
pub fn cpu(row: &Row) -> fn(&Cell) -> Option<f64> {
    if row.is_fanout() {
        |cell| cell.cpu_delivery
    } else {
        |cell| cell.cpu_message
    }
}

/// How many times the rate of the fastest broker the generator reaches at `null`, and whether that is enough.
pub fn generator(measured: &Measured) -> Option<(Spread, bool)> {
    let rate = |kind| measured.spread(kind, |cell| Some(cell.rate)).map(|rate| rate.median);
    let brokers = ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Null && rate(*kind).is_some());
    let best = brokers.max_by(|one, other| rate(*one).unwrap_or(0.0).total_cmp(&rate(*other).unwrap_or(0.0)))?;
    let ratio = measured.ratio(Kind::Null, best, |cell| Some(cell.rate))?;
    Some((ratio, ratio.median >= GENERATOR))
}

/// All targets that this row says something about.
pub fn verdicts(row: &Row, measured: &Measured) -> Vec<Verdict> {
    // These rows are there for the order of brokers.
    if row.foreign.is_some() {
        return Vec::new();
    }
    let bound_by = match (row.measure, generator(measured)) {
        (Measure::Throughput, Some((ratio, false))) => Some(ratio.median),
        _ => None,
    };
    let place = || row.title.to_owned();
    let of = |what: String, ratio: Option<Spread>, limit: f64, instead: Option<Spread>| {
        ratio.map(|ratio| {
            // The ratios of CPU time a message are asked too where those of a time lie on both sides of the limit.
            let asked = instead.filter(|_| ratio.low <= limit && ratio.high > limit);
            let used = asked.map_or(String::new(), |used| format!("; CPU {used}"));
            let by_median = Reached::met(ratio.median <= limit);
            let by_asked = asked.map_or(by_median, |used| Reached::met(used.median <= limit));
            Verdict {
                what,
                place: place(),
                reached: if by_asked == by_median {
                    by_median
                } else {
                    Reached::Open
                },
                measured: format!("{ratio}{used}"),
                bound_by,
            }
        })
    };
    let mut all = Vec::new();
    match row.measure {
        Measure::Throughput => {
            if let Some(best) = best_peer(row, measured) {
                let what = format!("at most half the CPU time of {}, the best peer", best.name());
                all.extend(of(what, measured.ratio(Kind::Ours, best, cpu(row)), 0.5, None));
            }
            if row.is_fanout() {
                let what = "at most a third of rumqttd's CPU time a delivery".to_owned();
                let ratio = measured.ratio(Kind::Ours, Kind::Rumqttd, cpu(row));
                all.extend(of(what, ratio, 1.0 / 3.0, None));
            }
        }
        Measure::Offered if row.load.ends_with("--rate 1000") => {
            let p50 = measured.ratio(Kind::Ours, Kind::Mosquitto, |cell| cell.p50);
            let p99 = measured.ratio(Kind::Ours, Kind::Mosquitto, |cell| cell.p99);
            let used = measured.ratio(Kind::Ours, Kind::Mosquitto, cpu(row));
            all.extend(of("p50 no worse than mosquitto's".to_owned(), p50, NO_WORSE, used));
            all.extend(of("p99 no worse than mosquitto's".to_owned(), p99, NO_WORSE, used));
        }
        // What TLS takes is shown beside it.
        Measure::Memory if !row.has_tls => {
            let bytes = |cell: &Cell| cell.memory.map(|[all, ..]| all);
            let what = "at most 3,000 bytes a connection".to_owned();
            all.extend(of(what, measured.spread(Kind::Ours, bytes), 3000.0, None));
            let what = "less memory than mosquitto (the stretch)".to_owned();
            all.extend(of(what, measured.ratio(Kind::Ours, Kind::Mosquitto, bytes), 1.0, None));
        }
        Measure::Replay if measured.rounds(Kind::Ours) > 0 => all.push(Verdict {
            what: "none is missing".to_owned(),
            place: place(),
            measured: format!(
                "{} missing in {} rounds",
                measured.lost(Kind::Ours),
                measured.rounds(Kind::Ours)
            ),
            reached: Reached::met(measured.lost(Kind::Ours) == 0),
            bound_by: None,
        }),
        _ => {}
    }
    all
}

/// Whether brokers stand in the same order under a generator that is not ours.
pub fn of_order(own: &Row, foreign: &Row, agreement: &Agreement) -> Verdict {
    let clear = agreement.reversed.iter().filter(|reversed| reversed.is_clear()).count();
    let close = agreement.reversed.len() - clear;
    Verdict {
        what: "the same order of brokers, but for those that are too close to tell".to_owned(),
        place: format!("{}, beside {}", foreign.title, own.title),
        measured: format!(
            "of {} pairs {clear} in another order, {close} too close",
            agreement.pairs.0
        ),
        reached: Reached::met(clear == 0),
        bound_by: None,
    }
}

/// The peer that uses the least CPU time.
fn best_peer(row: &Row, measured: &Measured) -> Option<Kind> {
    let used = |kind: Kind| measured.spread(kind, cpu(row)).map(|used| used.median);
    let peers = ALL
        .into_iter()
        .filter(|kind| kind.is_peer() && used(*kind).is_some() && measured.lost(*kind) == 0);
    peers.min_by(|one, other| {
        used(*one)
            .unwrap_or(f64::MAX)
            .total_cmp(&used(*other).unwrap_or(f64::MAX))
    })
}
