//! Whether brokers stand in the same order under a generator that is not ours.

use crate::brokers::{ALL, Kind};
use crate::cell::Cell;
use crate::data::{Measured, Spread};
use crate::rows::{Measure, Row};
use crate::target;

/// By what brokers are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// What they use.
    Cpu,
    /// How long a delivery takes, as many as are taken.
    Rate,
}

impl Figure {
    /// As a table has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU µs",
            Self::Rate => "µs between deliveries",
        }
    }

    fn of(self, row: &Row) -> fn(&Cell) -> Option<f64> {
        match self {
            Self::Cpu => target::cpu(row),
            Self::Rate => |cell| (cell.rate > 0.0).then(|| 1e6 / cell.rate),
        }
    }
}

/// What can be compared of these: rates only where neither generator bounds them.
pub fn figures((own, ours): (&Row, &Measured), (_, theirs): (&Row, &Measured)) -> Vec<Figure> {
    let is_free = |measured: &Measured| matches!(target::generator(measured), Some((_, true)));
    match own.measure == Measure::Throughput && is_free(ours) && is_free(theirs) {
        true => vec![Figure::Cpu, Figure::Rate],
        false => vec![Figure::Cpu],
    }
}

/// What two rows with the same shape say about the order of the brokers, by a figure of which less is better.
#[derive(Debug)]
pub struct Agreement {
    /// From the one that uses the least, under our generator.
    pub ours: String,
    /// The same under the other.
    pub theirs: String,
    /// How many pairs of brokers there are, and how many stand in the same order.
    pub pairs: (usize, usize),
    /// Pairs that stand in the other order, with the ratios under both.
    pub reversed: Vec<Reversed>,
}

/// A pair of brokers that stand in another order.
#[derive(Debug)]
pub struct Reversed {
    /// The one over the other.
    pub pair: (Kind, Kind),
    /// Under our generator.
    pub ours: Spread,
    /// Under the other.
    pub theirs: Spread,
}

impl Reversed {
    /// Whether every round under both says so. If not, they are too close to each other.
    pub fn is_clear(&self) -> bool {
        [self.ours, self.theirs]
            .iter()
            .all(|ratio| ratio.low > 1.0 || ratio.high < 1.0)
    }
}

/// Compares, if both have been measured for at least two brokers.
pub fn of((own, ours): (&Row, &Measured), (foreign, theirs): (&Row, &Measured), figure: Figure) -> Option<Agreement> {
    let (by, other_by) = (figure.of(own), figure.of(foreign));
    let kinds: Vec<Kind> = ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Null)
        .filter(|kind| ours.spread(*kind, by).is_some() && theirs.spread(*kind, other_by).is_some())
        .collect();
    let mut agreement = Agreement {
        ours: order(&kinds, ours, by),
        theirs: order(&kinds, theirs, other_by),
        pairs: (0, 0),
        reversed: Vec::new(),
    };
    for (place, one) in kinds.iter().enumerate() {
        for other in &kinds[place + 1..] {
            let (ours, theirs) = (ours.ratio(*one, *other, by)?, theirs.ratio(*one, *other, other_by)?);
            agreement.pairs.0 += 1;
            if (ours.median < 1.0) == (theirs.median < 1.0) {
                agreement.pairs.1 += 1;
            } else {
                let pair = (*one, *other);
                agreement.reversed.push(Reversed { pair, ours, theirs });
            }
        }
    }
    (agreement.pairs.0 > 0).then_some(agreement)
}

fn order(kinds: &[Kind], measured: &Measured, by: fn(&Cell) -> Option<f64>) -> String {
    let median = |kind: Kind| measured.spread(kind, by).map_or(f64::MAX, |used| used.median);
    let mut sorted = kinds.to_vec();
    sorted.sort_by(|one, other| median(*one).total_cmp(&median(*other)));
    let words: Vec<String> = sorted
        .iter()
        .map(|kind| format!("{} {:.2}", kind.name(), median(*kind)))
        .collect();
    words.join(" < ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    fn measured(rounds: &[[(Kind, f64); 3]]) -> Measured {
        let mut measured = Measured::new(1.0);
        for (round, cells) in rounds.iter().enumerate() {
            for (kind, used) in cells {
                let cell = Cell {
                    cpu_message: Some(*used),
                    ..Cell::default()
                };
                measured.add(*kind, round, cell);
            }
        }
        measured
    }

    #[test]
    fn a_pair_in_another_order_is_told_and_only_clear_if_all_rounds_say_so() {
        use Kind::{Mosquitto, Nats, Ours};
        let row = rows::all().into_iter().find(|row| row.name == "qos0").unwrap();
        let ours = measured(&[[(Ours, 1.0), (Nats, 2.0), (Mosquitto, 9.0)]; 2]);
        let same = of((&row, &ours), (&row, &ours), Figure::Cpu).unwrap();
        assert_eq!((same.pairs, same.reversed.len()), ((3, 3), 0));
        assert_eq!(same.ours, "mqtt-1 1.00 < nats 2.00 < mosquitto 9.00");
        let other = measured(&[[(Ours, 3.0), (Nats, 2.0), (Mosquitto, 9.0)]; 2]);
        let reversed = of((&row, &ours), (&row, &other), Figure::Cpu).unwrap();
        assert_eq!((reversed.pairs, reversed.reversed.len()), ((3, 2), 1));
        assert!(reversed.reversed[0].is_clear());
        let close = [
            [(Ours, 3.0), (Nats, 2.0), (Mosquitto, 9.0)],
            [(Ours, 1.9), (Nats, 2.0), (Mosquitto, 9.0)],
        ];
        let close = measured(&[close[0], close[1], close[0]]);
        assert!(!of((&row, &ours), (&row, &close), Figure::Cpu).unwrap().reversed[0].is_clear());
    }
}
