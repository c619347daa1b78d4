//! All sequences of actions up to a length.
#![allow(
    clippy::disallowed_types,
    reason = "nothing depends on the order of what the search knows"
)]

use std::collections::HashSet;
use std::fmt;

use super::model::{Hello, Seen, WillKind};
use super::world::{Action, Sabotage, World};

/// What is searched.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What clients connect with.
    pub hellos: Vec<Hello>,
    /// How many actions a sequence has at most.
    pub depth: usize,
    /// Batches are stored by an action of their own.
    pub is_late: bool,
    /// A wrong policy.
    pub sabotage: Option<Sabotage>,
}

impl Setup {
    /// Every client: going on or anew, without a will, with one, with one that is delayed, with a session that ends with its
    /// connection and one that does not.
    #[must_use]
    pub fn all(depth: usize) -> Self {
        let mut hellos = Vec::new();
        for clean in [false, true] {
            for will in [WillKind::Absent, WillKind::Prompt, WillKind::Delayed] {
                hellos.extend([0, 10].map(|expiry| Hello { clean, will, expiry }));
            }
        }
        Self {
            hellos,
            depth,
            is_late: false,
            sabotage: None,
        }
    }

    /// Two clients alone, so that sequences can be longer: with a will that is delayed, going on, and with one that is not,
    /// anew.
    #[must_use]
    pub fn few(depth: usize) -> Self {
        let goes_on = Hello {
            clean: false,
            will: WillKind::Delayed,
            expiry: 10,
        };
        let anew = Hello {
            clean: true,
            will: WillKind::Prompt,
            expiry: 3,
        };
        Self {
            hellos: vec![goes_on, anew],
            ..Self::all(depth)
        }
    }

    /// With a store that takes its time.
    #[must_use]
    pub fn late(mut self) -> Self {
        self.is_late = true;
        self
    }

    /// With a wrong policy.
    #[must_use]
    pub fn sabotage(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// How many sequences there are, of any length.
    pub sequences: usize,
    /// How many states the model tells apart.
    pub states: usize,
    /// What happened, in all sequences that go on no longer.
    pub seen: Seen,
    /// The sequence that went wrong.
    pub found: Option<Found>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sequences, {} states, {:?}",
            self.sequences, self.states, self.seen
        )
    }
}

/// A counter-example.
#[derive(Debug)]
pub struct Found {
    /// What is wrong.
    pub fault: String,
    /// What led there.
    pub steps: Vec<Action>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>3} {step}")?;
        }
        write!(f, "    {}", self.fault)
    }
}

/// Plays all sequences, the shorter ones first, up to the first that goes wrong.
#[must_use]
pub fn search(setup: &Setup) -> Report {
    let mut report = Report::default();
    let mut known = HashSet::new();
    let mut sequences: Vec<Vec<Action>> = vec![Vec::new()];
    for length in 0..=setup.depth {
        let mut longer = Vec::new();
        for steps in sequences {
            let mut world = World::new(setup.is_late, setup.sabotage);
            for step in &steps {
                world.act(*step);
            }
            report.sequences += 1;
            known.insert(world.fingerprint());
            if let Some(fault) = world.fault() {
                let fault = fault.to_owned();
                report.found = Some(Found { fault, steps });
                report.states = known.len();
                return report;
            }
            if length == setup.depth {
                report.seen.add(&world.model.seen);
                continue;
            }
            for action in world.actions(&setup.hellos) {
                let mut next = steps.clone();
                next.push(action);
                longer.push(next);
            }
        }
        sequences = longer;
    }
    report.states = known.len();
    report
}
