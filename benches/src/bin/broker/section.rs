//! Rows that are measured with each other.

use std::io;

use mqtt_benches::instructions;
use mqtt_benches::progress::Progress;
use mqtt_benches::rounds::{self, Contender, Effort, Timing};
use mqtt_session::proto::Version;

use crate::bare::Bare;
use crate::run::{Row, Run};
use crate::{coming, filters, traffic};

/// Rows of which the first is what the others are held against.
pub struct Section {
    pub slug: &'static str,
    pub title: &'static str,
    pub rows: Vec<Row>,
}

/// What was measured, for one item of each row.
pub struct Group {
    pub section: Section,
    pub cells: Vec<Cell>,
}

pub struct Cell {
    pub timing: Timing,
    /// How many a pass is.
    pub items: usize,
    pub instructions: Option<f64>,
}

/// The section of the numbers of filters.
pub const FILTERS: &str = "filters";

pub fn all() -> Vec<Section> {
    let with_bare = |version, rows: Vec<Row>| {
        let bare = Row::new("bare", "decode and encode alone, QoS 0", move || {
            Box::new(Bare::new(version))
        });
        [bare].into_iter().chain(rows).collect()
    };
    vec![
        Section {
            slug: "publish-3.1.1",
            title: "Messages, 3.1.1",
            rows: with_bare(Version::V3_1_1, traffic::rows(Version::V3_1_1)),
        },
        Section {
            slug: "publish-5.0",
            title: "Messages, 5.0",
            rows: with_bare(Version::V5, traffic::rows(Version::V5)),
        },
        Section {
            slug: FILTERS,
            title: "Messages among many filters",
            rows: filters::rows(),
        },
        Section {
            slug: "coming",
            title: "Subscribing and what is retained",
            rows: with_bare(Version::V3_1_1, coming::rows()),
        },
    ]
}

impl Group {
    /// Times all rows in turns with the first.
    pub fn measure(section: Section, effort: Effort, progress: &mut Progress) -> Self {
        progress.step(&format!("{}, {} rows", section.slug, section.rows.len()));
        let mut runs: Vec<Run> = section.rows.iter().map(Row::run).collect();
        let baselines = vec![0; runs.len()];
        let timings = rounds::compare(&mut runs, &baselines, effort);
        let cells = timings.into_iter().zip(&runs).map(|(timing, run)| Cell {
            timing,
            items: run.items(),
            instructions: None,
        });
        let cells = cells.collect();
        Self { section, cells }
    }

    /// Has callgrind count.
    pub fn count(&mut self, progress: &mut Progress) -> io::Result<()> {
        for (row, cell) in self.section.rows.iter().zip(&mut self.cells) {
            progress.step(&format!("{}, {}", self.section.slug, row.slug));
            let pass = instructions::of_one_pass(&["cell", self.section.slug, &row.slug])?;
            cell.instructions = Some(pass / cell.items as f64);
        }
        Ok(())
    }

    pub fn rows(&self) -> impl Iterator<Item = (&Row, &Cell)> {
        self.section.rows.iter().zip(&self.cells)
    }

    pub fn row(&self, slug: &str) -> Option<&Cell> {
        self.rows().find(|(row, _)| row.slug == slug).map(|(_, cell)| cell)
    }
}
