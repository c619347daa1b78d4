//! What filters add to a message, when its topic is one of them at random.

use std::collections::BTreeMap;

use crate::brokers::{ALL, Kind};
use crate::cell::Cell;
use crate::data::{Measured, Spread};
use crate::rows::{FEW_TOPICS, MANY_TOPICS, Row};
use crate::target::{Reached, Verdict};

/// What one broker needs more CPU time for, in microseconds a message.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// Which it is.
    pub kind: Kind,
    /// With few filters, the median.
    pub few: f64,
    /// With many.
    pub many: f64,
    /// The differences of the rounds.
    pub added: Spread,
    /// These, less those of mosquitto in the same rounds.
    pub beside: Option<Spread>,
    /// How many rounds have both.
    pub rounds: usize,
}

/// Of all brokers that have gone through both loads.
pub fn of(there: &[(Row, &Measured)]) -> Vec<Added> {
    let named = |name: &str| {
        there
            .iter()
            .find(|(row, _)| row.name == name)
            .map(|(_, measured)| *measured)
    };
    let (Some(few), Some(many)) = (named(FEW_TOPICS), named(MANY_TOPICS)) else {
        return Vec::new();
    };
    let theirs = differences(few, many, Kind::Mosquitto);
    let of = |kind: Kind| {
        let own = differences(few, many, kind);
        let beside = own.iter().filter_map(|(round, added)| Some(added - theirs.get(round)?));
        Some(Added {
            kind,
            few: few.spread(kind, used)?.median,
            many: many.spread(kind, used)?.median,
            beside: Spread::of(beside.collect()).filter(|_| kind != Kind::Mosquitto),
            rounds: own.len(),
            added: Spread::of(own.into_values().collect())?,
        })
    };
    ALL.into_iter().filter_map(of).collect()
}

fn used(cell: &Cell) -> Option<f64> {
    cell.cpu_message
}

/// Of the rounds that have both.
fn differences(few: &Measured, many: &Measured, kind: Kind) -> BTreeMap<usize, f64> {
    let few = few.of_rounds(kind, used);
    let many = many.of_rounds(kind, used).into_iter();
    many.filter_map(|(round, many)| Some((round, many - few.get(&round)?)))
        .collect()
}

/// Whether ours adds no more than mosquitto, which is where the median of the differences says so.
pub fn verdict(there: &[(Row, &Measured)]) -> Option<Verdict> {
    let all = of(there);
    let of_kind = |kind: Kind| all.iter().find(|one| one.kind == kind);
    let (ours, theirs) = (of_kind(Kind::Ours)?, of_kind(Kind::Mosquitto)?);
    let beside = ours.beside?;
    Some(Verdict {
        what: "filters add no more CPU µs a message than to mosquitto's".to_owned(),
        place: "1→1, QoS 0, random topics, from 10 to 100,000 filters".to_owned(),
        measured: format!("{} beside {}: {}", told(ours.added), told(theirs.added), told(beside)),
        reached: Reached::met(beside.median <= 0.0),
        bound_by: None,
    })
}

/// With its sign.
pub fn told(Spread { median, low, high }: Spread) -> String {
    format!("{median:+.3} ({low:+.3} to {high:+.3})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    fn measured(rounds: &[(Kind, usize, f64)]) -> Measured {
        let mut measured = Measured::new(1.0);
        for (kind, round, used) in rounds {
            let cell = Cell {
                cpu_message: Some(*used),
                ..Cell::default()
            };
            measured.add(*kind, *round, cell);
        }
        measured
    }

    fn judged(few: &[(Kind, usize, f64)], many: &[(Kind, usize, f64)]) -> (Vec<Added>, Option<Verdict>) {
        let row = |name| {
            rows::all()
                .into_iter()
                .find(|row| row.name == name)
                .expect("it is a row")
        };
        let (few, many) = (measured(few), measured(many));
        let there = [(row(FEW_TOPICS), &few), (row(MANY_TOPICS), &many)];
        (of(&there), verdict(&there))
    }

    #[test]
    fn differences_are_those_of_the_same_rounds_and_the_median_decides() {
        use Kind::{Mosquitto, Ours};
        // A slow round is slow for all that is measured in it.
        let few = [
            (Ours, 0, 1.0),
            (Ours, 1, 5.0),
            (Ours, 2, 1.0),
            (Mosquitto, 0, 6.0),
            (Mosquitto, 1, 9.0),
            (Mosquitto, 2, 6.0),
        ];
        let many = [
            (Ours, 0, 1.5),
            (Ours, 1, 5.5),
            (Ours, 2, 4.0),
            (Mosquitto, 0, 7.0),
            (Mosquitto, 1, 10.0),
            (Mosquitto, 2, 7.0),
        ];
        let (all, verdict) = judged(&few, &many);
        let median = |place: usize| all[place].added.median;
        assert_eq!((all.len(), median(0), median(1)), (2, 0.5, 1.0));
        assert_eq!(all[1].beside, None);
        let verdict = verdict.expect("both are there");
        assert_eq!(verdict.reached, Reached::Met);
        assert_eq!(
            verdict.measured,
            "+0.500 (+0.500 to +3.000) beside +1.000 (+1.000 to +1.000): -0.500 (-0.500 to +2.000)"
        );
        // The other way round it is missed, and what one of the two has not is no round.
        let (all, verdict) = judged(&many, &few[..5]);
        assert_eq!((all[0].rounds, all[1].rounds), (3, 2));
        assert_eq!(verdict.expect("both are there").reached, Reached::Missed);
    }

    #[test]
    fn without_mosquitto_nothing_is_judged() {
        let (all, verdict) = judged(&[(Kind::Ours, 0, 1.0)], &[(Kind::Ours, 0, 2.0)]);
        assert_eq!((all.len(), all[0].added.median), (1, 1.0));
        assert!(all[0].beside.is_none() && verdict.is_none());
    }
}
