//! The seeded simulation of a broker with its clients: everything is random, and follows from one number.
//!
//! The broker and the clients are the real machines. What is between them, the store and the clock belong to the simulation:
//! streams that end at either side or at both, at any byte; a store that has what it said, and of the rest any beginning; a
//! broker that ends and comes back with what the store has; time that jumps to the next deadline of anybody. In the end faults
//! stop, and everything has to come to rest: each operation has ended, and each message that was acknowledged to its publisher
//! is with every subscriber that was there for it, once if it was of QoS 2 all the way.

mod admission;
mod bounds;
mod counts;
mod diagram;
mod disk;
mod expiry;
mod links;
mod options;
mod plan;
mod rates;
mod retained;
mod shards;
mod traffic;
mod watch;
mod wills;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use counts::Counts;
pub use diagram::draw;
use world::World;

use crate::simulation::Random;

/// So many messages a seed had to arrive and did, on the average, if runs are what they are meant to be.
pub const REQUIRED_A_SEED: u64 = 20;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened in it.
    pub counts: Counts,
    /// What went wrong.
    pub fault: Option<String>,
    /// A number that differs if anything differs that was sent or told.
    pub hash: u64,
    /// The steps in words, if they were to be written down.
    pub trace: Vec<String>,
    /// How many clients there were.
    pub clients: usize,
}

/// The run that follows from a seed.
#[must_use]
pub fn run(seed: u64, traces: bool) -> Run {
    go(seed, traces, false)
}

/// The same, with a host that says that a batch is stored when it takes it.
#[must_use]
pub fn run_lying(seed: u64, traces: bool) -> Run {
    go(seed, traces, true)
}

fn go(seed: u64, traces: bool, lies: bool) -> Run {
    let mut random = Random::new(seed);
    let mut plan = plan::Plan::new(&mut random);
    plan.lies = lies;
    let clients = plan.clients.len();
    let mut world = World::new(plan, random, traces);
    // A panic is a fault of its seed too.
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    let fault = match played {
        Ok(result) => result.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(format!("panic: {}", text.unwrap_or_default()))
        }
    };
    Run {
        counts: world.watch.counts,
        fault,
        hash: world.watch.hash,
        trace: world.watch.trace,
        clients,
    }
}
