//! What a whole run left open.

use super::{Layer, Ledger, NOT_TESTABLE, ROWS_PER_TRIAL, Row, row, rows};

/// The faults of a run, and the sums to print when there are none.
#[derive(Debug, PartialEq, Eq)]
pub struct Audit {
    /// Rows of a layer that no trial of that layer covered.
    pub uncovered: Vec<(String, Layer)>,
    /// Trials that claim more rows than one test can show.
    pub crowded: Vec<String>,
    /// Entries of [`NOT_TESTABLE`] that have no row, that a trial covers all the same, or whose row could be tested.
    pub wrong_exemptions: Vec<String>,
    /// How many rows the layers of the run have.
    pub demanded: usize,
    /// The layers of the run.
    pub layers: Vec<Layer>,
}

impl Audit {
    /// Whether the run left nothing open.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.uncovered.is_empty() && self.crowded.is_empty() && self.wrong_exemptions.is_empty()
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (id, layer) in &self.uncovered {
            writeln!(f, "no test of layer {} covers {id}", layer.name())?;
        }
        for trial in &self.crowded {
            writeln!(f, "covers more than {ROWS_PER_TRIAL} rows: {trial}")?;
        }
        for id in &self.wrong_exemptions {
            writeln!(f, "wrongly listed as not testable: {id}")?;
        }
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.name()).collect();
        let covered = self.demanded - self.uncovered.len();
        write!(
            f,
            "ledger: {covered} of {} rows of layer {} are covered",
            self.demanded,
            layers.join(", ")
        )
    }
}

impl Ledger {
    /// Compares what the trials covered with what the tables demand of these layers. Meaningful only after a run of all
    /// trials of these layers.
    #[must_use]
    pub fn audit(&self, layers: &[Layer]) -> Audit {
        let demands: Vec<(&Row, Layer)> = rows()
            .iter()
            .filter(|row| reason_not_testable(row).is_none())
            .flat_map(|row| row.layers.iter().map(move |layer| (row, *layer)))
            .filter(|(_, layer)| layers.contains(layer))
            .collect();
        let uncovered = demands
            .iter()
            .filter(|(row, layer)| self.trials_covering(row, *layer).is_empty())
            .map(|(row, layer)| (row.id.clone(), *layer));
        Audit {
            uncovered: uncovered.collect(),
            crowded: self.trials_with_more_rows_than(ROWS_PER_TRIAL),
            wrong_exemptions: self.wrong_exemptions(),
            demanded: demands.len(),
            layers: layers.to_vec(),
        }
    }

    fn wrong_exemptions(&self) -> Vec<String> {
        let wrong = |id: &str| match row(id) {
            None => true,
            Some(row) => !may_be_exempt(row) || !self.trials_touching(row).is_empty(),
        };
        NOT_TESTABLE
            .iter()
            .filter(|(id, _)| wrong(id))
            .map(|(id, _)| (*id).to_owned())
            .collect()
    }
}

/// Why no test can show a row, if that is so.
pub(super) fn reason_not_testable(row: &Row) -> Option<&'static str> {
    NOT_TESTABLE
        .iter()
        .find(|(id, _)| *id == row.id)
        .map(|(_, reason)| *reason)
}

/// Only what the user of the library decides, and what a row merely permits, needs no test.
fn may_be_exempt(row: &Row) -> bool {
    row.layers == [Layer::Application] || row.summary.contains(" may ")
}
