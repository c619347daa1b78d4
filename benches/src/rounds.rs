//! Time and allocations of contenders that do the same work, in rounds.
//!
//! A machine that does other things as well moves by a factor of two between
//! minutes, so no two numbers of different moments are compared. In each round
//! every contender alternates with ours, a millisecond at a time, and the round
//! gives one ratio. The table shows the median ratio and how far the rounds
//! were apart.
//!
//! Of the passes of a round the lower quartile counts: what disturbs a pass
//! only ever makes it longer.

use std::time::{Duration, Instant};

use crate::allocation;

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

/// Something that is measured, pass for pass.
pub trait Contender {
    /// Brings it back to where a pass starts.
    fn prepare(&mut self);

    /// One pass.
    fn pass(&mut self);

    /// How many packets or flows a pass is: what a figure is about.
    fn items(&self) -> usize;
}

/// Median, lowest and highest of the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
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

/// What was measured of one contender, for one of its items.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Nanoseconds.
    pub time: Spread,
    /// How many times as long as its baseline it took, from the turns that the two took with each other. None for a
    /// baseline itself.
    pub ratio: Option<Spread>,
    /// Allocations.
    pub allocations: f64,
}

/// Measures all contenders. Each alternates with the one whose place `baselines` says for it; its own: it is one.
pub fn compare(contenders: &mut [impl Contender], baselines: &[usize], effort: Effort) -> Vec<Timing> {
    let mut samples: Vec<Samples> = contenders.iter().map(|_| Samples::default()).collect();
    for contender in contenders.iter_mut() {
        turn(contender, effort.slice);
    }
    for _ in 0..effort.rounds {
        for theirs in 0..contenders.len() {
            let ours = baselines[theirs];
            if ours == theirs {
                continue;
            }
            let (mut ours_passes, mut theirs_passes) = (Vec::new(), Vec::new());
            for _ in 0..effort.turns {
                ours_passes.extend(turn(&mut contenders[ours], effort.slice));
                theirs_passes.extend(turn(&mut contenders[theirs], effort.slice));
            }
            let (ours_time, theirs_time) = (lower_quartile(ours_passes), lower_quartile(theirs_passes));
            samples[ours].times.push(ours_time);
            samples[theirs].times.push(theirs_time);
            samples[theirs].ratios.push(theirs_time / ours_time);
        }
    }
    contenders
        .iter_mut()
        .zip(samples)
        .map(|(contender, samples)| Timing {
            time: Spread::of(samples.times),
            ratio: (!samples.ratios.is_empty()).then(|| Spread::of(samples.ratios)),
            allocations: allocations(contender) as f64 / contender.items() as f64,
        })
        .collect()
}

#[derive(Default)]
struct Samples {
    times: Vec<f64>,
    ratios: Vec<f64>,
}

/// Passes for as long as `slice`, at least three of them, after one that only
/// warms up. Returns the nanoseconds an item of each.
fn turn(contender: &mut impl Contender, slice: Duration) -> Vec<f64> {
    contender.prepare();
    contender.pass();
    let mut passes = Vec::new();
    let started = Instant::now();
    while passes.len() < 3 || started.elapsed() < slice {
        contender.prepare();
        let before = Instant::now();
        contender.pass();
        passes.push(before.elapsed().as_nanos() as f64 / contender.items() as f64);
    }
    passes
}

/// Allocations of one pass.
fn allocations(contender: &mut impl Contender) -> u64 {
    contender.prepare();
    let before = allocation::count();
    contender.pass();
    allocation::count() - before
}

fn lower_quartile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 4]
}
