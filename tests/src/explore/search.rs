//! Breadth first through all states.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the search is timed, and nothing depends on the order of what it knows"
)]

use std::collections::{HashSet, VecDeque};
use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use super::{Action, Setup, World};

/// What a search has seen.
#[derive(Debug)]
pub struct Report {
    /// How many different states there are.
    pub states: usize,
    /// How many steps were taken between them.
    pub steps: usize,
    /// In how many of them everything has come to its end.
    pub ends: usize,
    /// The most states that were waiting at once.
    pub widest: usize,
    /// The longest of all shortest ways to a state.
    pub depth: u32,
    /// How long it took.
    pub time: Duration,
    /// The shortest way to a state that breaks an invariant.
    pub found: Option<Found>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} steps, {} ends, at most {} waiting, depth {}, {:.1} s",
            self.states,
            self.steps,
            self.ends,
            self.widest,
            self.depth,
            self.time.as_secs_f64()
        )
    }
}

/// The most memory in MiB that this process has used, where the system tells.
#[must_use]
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// A counter-example.
#[derive(Debug)]
pub struct Found {
    /// What is wrong.
    pub fault: String,
    /// The steps that lead there.
    pub steps: Vec<Action>,
    /// The same, to be read.
    pub trace: String,
}

/// How a state was first reached.
struct Came {
    from: u32,
    by: Action,
    depth: u32,
}

/// Goes through all states that `setup` can reach, or to the first fault.
///
/// # Panics
/// If there are more states than fit into memory.
#[must_use]
pub fn search(setup: &Setup) -> Report {
    let begin = Instant::now();
    let start = World::new(setup.clone());
    let mut report = Report {
        states: 1,
        steps: 0,
        ends: 0,
        widest: 1,
        depth: 0,
        time: Duration::ZERO,
        found: None,
    };
    let mut known = HashSet::from([start.fingerprint()]);
    let mut came: Vec<Option<Came>> = vec![None];
    let mut waiting = VecDeque::from([(start, 0_u32)]);
    'search: while let Some((world, number)) = waiting.pop_front() {
        let depth = came[number as usize].as_ref().map_or(0, |came| came.depth) + 1;
        report.ends += usize::from(world.is_over());
        for by in world.actions() {
            report.steps += 1;
            let mut next = world.clone();
            next.act(by);
            if let Some(fault) = next.fault() {
                let fault = fault.to_owned();
                came.push(Some(Came {
                    from: number,
                    by,
                    depth,
                }));
                report.found = Some(found(setup, fault, &came));
                break 'search;
            }
            if known.insert(next.fingerprint()) {
                report.depth = depth;
                came.push(Some(Came {
                    from: number,
                    by,
                    depth,
                }));
                let number = u32::try_from(came.len() - 1).expect("so many states do not fit into memory");
                waiting.push_back((next, number));
                report.widest = report.widest.max(waiting.len());
            }
        }
    }
    report.states = known.len();
    report.time = begin.elapsed();
    report
}

/// The way to the last state.
fn found(setup: &Setup, fault: String, came: &[Option<Came>]) -> Found {
    let mut steps = Vec::new();
    let mut at = came.len() - 1;
    while let Some(Came { from, by, .. }) = &came[at] {
        steps.push(*by);
        at = *from as usize;
    }
    steps.reverse();
    let mut world = World::new(setup.clone());
    let mut trace = String::new();
    let _ = writeln!(trace, "{:>3} {:<34} {}", 0, "begin", world.describe());
    for (index, step) in steps.iter().enumerate() {
        world.act(*step);
        let _ = writeln!(trace, "{:>3} {:<34} {}", index + 1, step.to_string(), world.describe());
    }
    let _ = writeln!(trace, "    {fault}");
    Found { fault, steps, trace }
}
