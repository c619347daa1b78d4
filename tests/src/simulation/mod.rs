//! The seeded simulation of a pair: everything is random, and follows from one number.
//!
//! A run is a few hundred steps in which anything may go wrong. In most runs faults stop then, and everything has to come to
//! rest: each operation ends, each acknowledged message was handed over, and one of QoS 2 once.

mod chance;
mod plan;
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};

use mqtt_session::{ClientConfig, ServerConfig};

use crate::pair::{CLOSED, Counts, OUTCOMES, Pair, Wrong};
use plan::Plan;
pub use random::Random;

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
}

/// The run that follows from a seed.
#[must_use]
pub fn run(seed: u64, traces: bool) -> Run {
    let mut random = Random::new(seed);
    let plan = Plan::new(&mut random, traces);
    go(&plan, &mut random)
}

/// The same with a wrong policy, and without a look at the store: only what becomes of the messages tells.
#[must_use]
pub fn run_wrong(seed: u64, wrong: Wrong, traces: bool) -> Run {
    let mut random = Random::new(seed);
    let plan = Plan::of_wrong(&mut random, wrong, traces);
    go(&plan, &mut random)
}

/// The same plan as that of a wrong policy, played right.
#[must_use]
pub fn run_right(seed: u64, traces: bool) -> Run {
    let mut random = Random::new(seed);
    let mut plan = Plan::of_wrong(&mut random, Wrong::StoredTooEarly, traces);
    plan.config.wrong = None;
    go(&plan, &mut random)
}

/// Also a panic is a fault of its seed.
fn go(plan: &Plan, random: &mut Random) -> Run {
    let mut pair = Pair::new(plan.config.clone());
    let played = catch_unwind(AssertUnwindSafe(|| play(&mut pair, plan, random)));
    Run {
        counts: pair.counts().clone(),
        fault: played.unwrap_or_else(|_| Some("a panic".to_owned())),
        hash: pair.trace_hash(),
        trace: pair.trace().to_vec(),
    }
}

fn play(pair: &mut Pair, plan: &Plan, random: &mut Random) -> Option<String> {
    for _ in 0..plan.steps {
        if pair.fault().is_some() {
            break;
        }
        if random.below(60) == 0 && plan.config.wrong.is_none() {
            change(pair, plan, random);
        }
        let action = chance::next(random, plan, pair);
        pair.step(action);
    }
    if plan.has_to_rest {
        pair.run_until_quiet();
        return pair.verdict().err();
    }
    pair.fault().map(str::to_owned)
}

/// Either end begins to take more or less than before.
fn change(pair: &mut Pair, plan: &Plan, random: &mut Random) {
    if random.percent(50) {
        let mut config: ServerConfig = plan.config.server.clone();
        config.session.limits = plan.change_limits(random, config.session.limits);
        pair.set_server_config(config);
    } else {
        let config: ClientConfig = plan.config.client.clone();
        let limits = plan.change_limits(random, config.limits);
        pair.set_client_config(config.limits(limits));
    }
}

/// What many runs have come across together.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// How many runs there were.
    pub seeds: u64,
    /// Everything in them.
    pub counts: Counts,
}

impl Total {
    /// Adds a run.
    pub fn add(&mut self, run: &Run) {
        self.seeds += 1;
        self.counts.add(&run.counts);
    }

    /// Adds other runs.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.counts.add(&other.counts);
    }

    /// States that too few runs have reached, each with what was wanted: green must not mean that nothing happened.
    #[must_use]
    pub fn lacks(&self) -> Vec<String> {
        let counts = &self.counts;
        // By a hundred seeds.
        let floors = [
            ("steps that changed something", counts.effective, 20_000),
            ("messages", counts.messages, 1000),
            ("messages handed over", counts.handed_over, 500),
            ("connections", counts.connections, 200),
            ("cuts inside a packet", counts.cuts_in_packets, 20),
            (
                "crashes between store and acknowledgement",
                counts.crashes_before_ack,
                2,
            ),
            ("resumes with something in flight", counts.resumes, 8),
            ("window shrinks", counts.window_shrinks, 1),
            ("id wraps", counts.id_wraps, 50),
            ("quarantined records", counts.quarantined, 2),
            ("takeovers", counts.takeovers, 3),
            ("sessions lost", counts.sessions_lost, 5),
        ];
        let too_few = floors.into_iter().filter_map(|(name, count, floor)| {
            let wanted = floor * self.seeds / 100;
            (count < wanted).then(|| format!("{name}: {count}, wanted {wanted}"))
        });
        let unmet_closed = CLOSED.iter().filter(|name| !counts.closed.contains_key(*name));
        let unmet_outcomes = OUTCOMES.iter().filter(|name| !counts.outcomes.contains_key(*name));
        let mut lacks: Vec<String> = too_few.collect();
        lacks.extend(unmet_closed.map(|name| format!("Closed::{name}: never")));
        lacks.extend(unmet_outcomes.map(|name| format!("Outcome::{name}: never")));
        // Where MQTT itself leaves a hole, less can be held against the machines.
        if counts.mixed * 20 > self.seeds {
            lacks.push(format!(
                "runs without a hole: {} of {} have one",
                counts.mixed, self.seeds
            ));
        }
        lacks
    }
}

impl core::fmt::Display for Total {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let counts = &self.counts;
        let seeds = self.seeds.max(1);
        writeln!(f, "seeds                            {}", self.seeds)?;
        writeln!(f, "steps a seed                     {}", counts.steps / seeds)?;
        writeln!(f, "of these changed something       {}", counts.effective / seeds)?;
        writeln!(
            f,
            "messages a seed                  {:.1}",
            counts.messages as f64 / seeds as f64
        )?;
        let rows = [
            ("messages", counts.messages),
            ("handed over", counts.handed_over),
            ("connections", counts.connections),
            ("cuts inside a packet", counts.cuts_in_packets),
            ("crashes between store and ack", counts.crashes_before_ack),
            ("resumes", counts.resumes),
            ("window shrinks", counts.window_shrinks),
            ("id wraps", counts.id_wraps),
            ("quarantined records", counts.quarantined),
            ("takeovers", counts.takeovers),
            ("sessions lost", counts.sessions_lost),
            ("runs with mixed sessions", counts.mixed),
        ];
        for (name, count) in rows {
            writeln!(f, "{name:<32} {count}")?;
        }
        for (kind, names) in [("Closed", &counts.closed), ("Outcome", &counts.outcomes)] {
            for (name, count) in names {
                writeln!(f, "{:<32} {count}", format!("{kind}::{name}"))?;
            }
        }
        Ok(())
    }
}
