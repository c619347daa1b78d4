//! Targets and whether they were reached.

use std::fmt::Write;

use crate::rounds::Spread;

/// One target in one place.
pub struct Verdict {
    /// What is wanted.
    pub wanted: String,
    /// On which stream, or of which flow.
    pub place: String,
    /// What was measured.
    pub measured: String,
    /// What settled it.
    pub decided: &'static str,
    /// Whether it was reached.
    pub outcome: Outcome,
}

/// Whether a target was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So was the stretch behind it.
    MetWithStretch,
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// The rounds lie on both sides, and instructions were not counted.
    Open,
}

impl Outcome {
    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::MetWithStretch => "met, and the stretch",
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Open => "**open**",
        }
    }
}

/// All targets as a table in Markdown, and how many were met.
pub fn table(mut verdicts: Vec<Verdict>) -> String {
    verdicts.sort_by(|a, b| a.wanted.cmp(&b.wanted));
    let count = |wanted: fn(Outcome) -> bool| verdicts.iter().filter(|verdict| wanted(verdict.outcome)).count();
    let met = count(|outcome| matches!(outcome, Outcome::Met | Outcome::MetWithStretch));
    let missed = count(|outcome| outcome == Outcome::Missed);
    let mut out = String::from("| target | where | measured | decided by | verdict |\n|---|---|---|---|---|\n");
    for verdict in &verdicts {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            verdict.wanted,
            verdict.place,
            verdict.measured,
            verdict.decided,
            verdict.outcome.word()
        );
    }
    let _ = write!(out, "\n{met} of {} met, {missed} missed.\n\n", verdicts.len());
    out
}

/// Time decides if all rounds lie on one side of the target, else instructions.
pub fn settle(ratio: Spread, instructions: Option<f64>, target: f64) -> (Outcome, &'static str) {
    let side = |reached: bool| if reached { Outcome::Met } else { Outcome::Missed };
    if ratio.low >= target || ratio.high < target {
        return (side(ratio.median >= target), "time");
    }
    match instructions {
        Some(instructions) => (side(instructions >= target), "instructions"),
        None => (Outcome::Open, "nothing"),
    }
}

/// The same for a target that is not to be exceeded.
pub fn settle_at_most(ratio: Spread, instructions: Option<f64>, target: f64) -> (Outcome, &'static str) {
    let side = |reached: bool| if reached { Outcome::Met } else { Outcome::Missed };
    if ratio.high <= target || ratio.low > target {
        return (side(ratio.median <= target), "time");
    }
    match instructions {
        Some(instructions) => (side(instructions <= target), "instructions"),
        None => (Outcome::Open, "nothing"),
    }
}

/// The measured ratio as the table shows it.
pub fn in_words(ratio: Spread, instructions: Option<f64>) -> String {
    let instructions = instructions.map_or(String::new(), |times| format!("; instructions {times:.2}"));
    format!(
        "{:.2} times ({:.2}–{:.2}){instructions}",
        ratio.median, ratio.low, ratio.high
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(low: f64, median: f64, high: f64) -> Spread {
        Spread { median, low, high }
    }

    #[test]
    fn time_decides_where_all_rounds_agree() {
        assert_eq!(settle(spread(3.1, 3.2, 3.4), Some(2.0), 3.0), (Outcome::Met, "time"));
        assert_eq!(settle(spread(2.1, 2.2, 2.9), Some(4.0), 3.0), (Outcome::Missed, "time"));
    }

    #[test]
    fn instructions_decide_where_the_rounds_differ() {
        assert_eq!(
            settle(spread(2.9, 3.2, 3.4), Some(2.8), 3.0),
            (Outcome::Missed, "instructions")
        );
        assert_eq!(
            settle(spread(2.9, 2.95, 3.4), Some(3.1), 3.0),
            (Outcome::Met, "instructions")
        );
        assert_eq!(settle(spread(2.9, 2.95, 3.4), None, 3.0), (Outcome::Open, "nothing"));
    }

    #[test]
    fn a_bound_from_above_is_kept_by_less() {
        assert_eq!(
            settle_at_most(spread(1.1, 1.2, 1.4), Some(2.0), 1.5),
            (Outcome::Met, "time")
        );
        assert_eq!(
            settle_at_most(spread(1.6, 1.7, 1.8), Some(1.0), 1.5),
            (Outcome::Missed, "time")
        );
        assert_eq!(
            settle_at_most(spread(1.4, 1.5, 1.6), Some(1.6), 1.5),
            (Outcome::Missed, "instructions")
        );
        assert_eq!(
            settle_at_most(spread(1.4, 1.5, 1.6), None, 1.5),
            (Outcome::Open, "nothing")
        );
    }
}
