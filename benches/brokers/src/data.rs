//! What has been measured, kept between runs: a row is measured again without the others.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Failed;
use crate::brokers::Kind;
use crate::cell::Cell;
use crate::environment;

/// All rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Data {
    /// What each broker says of itself.
    pub versions: BTreeMap<String, String>,
    /// By name.
    pub rows: BTreeMap<String, Measured>,
}

/// One row.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    /// When.
    pub date: String,
    /// On what.
    pub machine: String,
    /// How long each load was.
    pub seconds: f64,
    /// By broker, then by round.
    cells: BTreeMap<String, BTreeMap<usize, Cell>>,
    failures: BTreeMap<String, Vec<String>>,
}

impl Data {
    /// What is there.
    pub fn read(file: &Path) -> Result<Self, Failed> {
        match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|error| format!("{}: {error}: remove it, or name another by --data", file.display()).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", file.display()).into()),
        }
    }

    /// Keeps it.
    pub fn write(&self, file: &Path) -> Result<(), Failed> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, serde_json::to_string(self)?)?)
    }
}

impl Measured {
    /// Without any round.
    pub fn new(seconds: f64) -> Self {
        Self {
            date: environment::date(),
            machine: environment::machine(),
            seconds,
            cells: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// A broker has gone through a round.
    pub fn add(&mut self, kind: Kind, round: usize, cell: Cell) {
        self.cells
            .entry(kind.name().to_owned())
            .or_default()
            .insert(round, cell);
    }

    /// A broker has not.
    pub fn fail(&mut self, kind: Kind, why: String) {
        self.failures.entry(kind.name().to_owned()).or_default().push(why);
    }

    /// How often.
    pub fn failures(&self, kind: Kind) -> usize {
        self.failures.get(kind.name()).map_or(0, Vec::len)
    }

    /// Why it first has not.
    pub fn failure(&self, kind: Kind) -> Option<&str> {
        self.failures.get(kind.name())?.first().map(String::as_str)
    }

    /// How many rounds a broker has gone through.
    pub fn rounds(&self, kind: Kind) -> usize {
        self.cells.get(kind.name()).map_or(0, BTreeMap::len)
    }

    /// How many rounds the broker with the most has gone through.
    pub fn most_rounds(&self) -> usize {
        self.cells.values().map(BTreeMap::len).max().unwrap_or(0)
    }

    /// How many deliveries did not come, in all rounds.
    pub fn lost(&self, kind: Kind) -> u64 {
        let cells = self.cells.get(kind.name()).into_iter().flat_map(BTreeMap::values);
        cells.map(|cell| cell.lost).sum()
    }

    /// A figure of a broker, over its rounds.
    pub fn spread(&self, kind: Kind, figure: impl Fn(&Cell) -> Option<f64>) -> Option<Spread> {
        let cells = self.cells.get(kind.name())?.values();
        Spread::of(cells.filter_map(figure).collect())
    }

    /// A figure of a broker in each of its rounds.
    pub fn of_rounds(&self, kind: Kind, figure: impl Fn(&Cell) -> Option<f64>) -> BTreeMap<usize, f64> {
        let cells = self.cells.get(kind.name()).into_iter().flatten();
        cells
            .filter_map(|(round, cell)| Some((*round, figure(cell)?)))
            .collect()
    }

    /// The ratios of the rounds that both have gone through.
    pub fn ratio(&self, over: Kind, under: Kind, figure: impl Fn(&Cell) -> Option<f64>) -> Option<Spread> {
        let under = self.cells.get(under.name())?;
        let rounds = self.cells.get(over.name())?.iter();
        let ratio = |(round, cell): (&usize, &Cell)| {
            let below = figure(under.get(round)?).filter(|below| *below > 0.0)?;
            Some(figure(cell)? / below)
        };
        Spread::of(rounds.filter_map(ratio).collect())
    }
}

/// Median, lowest and highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        write!(f, "{median:.2} ({low:.2}–{high:.2})")
    }
}

impl Spread {
    /// Of these; `None` if there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            low: *values.first()?,
            high: *values.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(rate: f64) -> Cell {
        Cell {
            rate,
            ..Cell::default()
        }
    }

    #[test]
    fn a_ratio_is_of_rounds_that_both_have() {
        let mut measured = Measured::new(1.0);
        for (round, ours, theirs) in [(0, 6.0, 2.0), (1, 8.0, 2.0), (2, 2.0, 2.0)] {
            measured.add(Kind::Ours, round, cell(ours));
            measured.add(Kind::Nats, round, cell(theirs));
        }
        measured.add(Kind::Ours, 3, cell(1000.0));
        let ratio = measured.ratio(Kind::Ours, Kind::Nats, |cell| Some(cell.rate));
        assert_eq!(
            ratio,
            Some(Spread {
                median: 3.0,
                low: 1.0,
                high: 4.0
            })
        );
        assert_eq!(measured.ratio(Kind::Ours, Kind::Null, |cell| Some(cell.rate)), None);
    }
}
