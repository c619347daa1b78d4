//! Time and allocations of the runs of one stream, in rounds.
//!
//! A machine that does other things as well moves by a factor of two between
//! minutes, so no two numbers of different moments are compared. In each round
//! every codec alternates with ours, a millisecond at a time, and the round
//! gives one ratio. The table shows the median ratio and how far the rounds
//! were apart.
//!
//! Of the passes of a round the lower quartile counts: what disturbs a pass
//! only ever makes it longer.

use std::time::{Duration, Instant};

use crate::allocation;
use crate::peers::{self, Maker};
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::verify::Form;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, each of which gives one ratio.
    pub rounds: usize,
    /// How often ours and theirs take turns in a round.
    pub turns: usize,
    /// How long one turn is.
    pub slice: Duration,
}

impl Effort {
    /// For a table that is to be kept.
    pub const FULL: Self = Self {
        rounds: 11,
        turns: 10,
        slice: Duration::from_millis(1),
    };
    /// For a look in passing.
    pub const QUICK: Self = Self {
        rounds: 3,
        turns: 2,
        slice: Duration::from_micros(500),
    };
}

/// What is measured on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Bytes to packets.
    Decode,
    /// Packets to bytes.
    Encode,
}

impl Direction {
    /// Its name on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
        }
    }

    /// What makes the runs of `stream` in this direction, ours first.
    pub fn makers(self, stream: &Stream) -> Vec<(Row, Maker)> {
        match self {
            Self::Decode => peers::decoders(stream.protocol),
            Self::Encode => peers::encoders(stream),
        }
    }
}

/// Median, lowest and highest of the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// The spread of `values`, which are not empty.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            low: values[0],
            high: values[values.len() - 1],
        }
    }
}

/// What was measured for one codec on one stream.
#[derive(Clone, Debug)]
pub struct Cell {
    pub row: Row,
    /// Nanoseconds a packet.
    pub time: Spread,
    /// How many times as long as [`Cell::baseline`] it took, from the turns
    /// that the two took with each other. None for the baseline itself.
    pub ratio: Option<Spread>,
    /// How many packets a pass is.
    pub packets: usize,
    /// What the ratio is against.
    pub baseline: Row,
    /// Allocations a packet.
    pub allocations: f64,
    /// Instructions a packet, where callgrind ran.
    pub instructions: Option<f64>,
    /// How an encoder's bytes compare with the stream.
    pub form: Option<Form>,
}

/// Measures all `runs`, the first of which the others alternate with.
pub fn measure(runs: &mut [Run], effort: Effort) -> Vec<Cell> {
    let mut samples: Vec<Samples> = runs.iter().map(|_| Samples::default()).collect();
    let baselines: Vec<usize> = runs.iter().map(|run| baseline(runs, run.row)).collect();
    for run in runs.iter_mut() {
        turn(run, effort.slice);
    }
    for _ in 0..effort.rounds {
        for theirs in 0..runs.len() {
            let ours = baselines[theirs];
            if ours == theirs {
                continue;
            }
            let (mut ours_passes, mut theirs_passes) = (Vec::new(), Vec::new());
            for _ in 0..effort.turns {
                ours_passes.extend(turn(&mut runs[ours], effort.slice));
                theirs_passes.extend(turn(&mut runs[theirs], effort.slice));
            }
            let (ours_time, theirs_time) = (lower_quartile(ours_passes), lower_quartile(theirs_passes));
            samples[ours].times.push(ours_time);
            samples[theirs].times.push(theirs_time);
            samples[theirs].ratios.push(theirs_time / ours_time);
        }
    }
    let rows: Vec<Row> = runs.iter().map(|run| run.row).collect();
    runs.iter_mut()
        .zip(samples)
        .zip(baselines)
        .map(|((run, samples), baseline)| Cell {
            row: run.row,
            packets: run.packets,
            time: Spread::of(samples.times),
            ratio: (!samples.ratios.is_empty()).then(|| Spread::of(samples.ratios)),
            baseline: rows[baseline],
            allocations: allocations(run) as f64 / run.packets as f64,
            instructions: None,
            form: None,
        })
        .collect()
}

#[derive(Default)]
struct Samples {
    times: Vec<f64>,
    ratios: Vec<f64>,
}

/// Slices are held against our slices where we have them, all else against our
/// first row.
fn baseline(runs: &[Run], row: Row) -> usize {
    let parts = runs.iter().position(|run| run.row == Row::OursParts);
    match parts {
        Some(parts) if row == Row::ProtocolCoreSlices => parts,
        _ => 0,
    }
}

/// Passes for as long as `slice`, at least three of them, after one that only
/// warms up. Returns the nanoseconds a packet of each.
fn turn(run: &mut Run, slice: Duration) -> Vec<f64> {
    run.prepare();
    run.pass();
    let mut passes = Vec::new();
    let started = Instant::now();
    while passes.len() < 3 || started.elapsed() < slice {
        run.prepare();
        let before = Instant::now();
        run.pass();
        passes.push(before.elapsed().as_nanos() as f64 / run.packets as f64);
    }
    passes
}

/// Allocations of one pass.
fn allocations(run: &mut Run) -> u64 {
    run.prepare();
    let before = allocation::count();
    run.pass();
    allocation::count() - before
}

fn lower_quartile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 4]
}
