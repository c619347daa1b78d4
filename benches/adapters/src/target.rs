//! What is to be reached, and whether it is.

use crate::load::Pace;
use crate::peers::Client;
use crate::table::{Row, Spread};

/// "No worse" means within this.
pub const NO_WORSE: f64 = 1.10;

/// A verdict: what, where, measured, and whether it is met.
pub struct Verdict {
    /// What is to be reached.
    pub what: String,
    /// For which client and load.
    pub place: String,
    /// The ratios.
    pub measured: Spread,
    /// Whether the median reaches it.
    pub is_met: bool,
}

/// All targets that this row says something about.
pub fn verdicts(row: &Row, ours: &Client, theirs: &Client) -> Vec<Verdict> {
    let place = format!("{}, {}", ours.name(), row.title());
    let of = |what: &str, measured: Option<Spread>, reached: fn(f64) -> bool| {
        measured.map(|measured| Verdict {
            what: what.to_owned(),
            place: place.clone(),
            is_met: reached(measured.median),
            measured,
        })
    };
    let load = row.load();
    match load.pace {
        Pace::Saturated | Pace::Offered(_) if load.qos == 1 && row.server() == "null" => {
            let ratio = row.ratio(theirs, ours, |used| {
                Some((used.user_micros + used.system_micros) / used.messages)
            });
            let what = "rumqttc takes at least twice the CPU a message";
            of(what, ratio, |ratio| ratio >= 2.0).into_iter().collect()
        }
        Pace::OneByOne => {
            let p50 = row.ratio(ours, theirs, |used| used.latency.map(|(p50, _)| p50));
            let p99 = row.ratio(ours, theirs, |used| used.latency.map(|(_, p99)| p99));
            let p50 = of("p50 no worse than rumqttc's", p50, |ratio| ratio <= NO_WORSE);
            let p99 = of("p99 no worse than rumqttc's", p99, |ratio| ratio <= NO_WORSE);
            p50.into_iter().chain(p99).collect()
        }
        _ => Vec::new(),
    }
}
