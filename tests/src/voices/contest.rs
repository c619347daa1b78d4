//! Many scripts at two servers, and at a third one where they differ.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::compare::compare;
use super::judge::{Verdict, judge};
use super::play::{Transcript, Unplayed, play};
use super::script::Script;
use super::{Running, draw};

/// How often a script is played again that the machine was too busy for, or that has an unclassified difference.
const ATTEMPTS: u32 = 6;
/// By how much the pauses are longer where a difference is looked at twice.
const PATIENT: u32 = 15;

/// The servers.
#[derive(Debug)]
pub struct Contest {
    ours: Running,
    theirs: Running,
    third: Option<Running>,
    without: Option<String>,
    plays: AtomicU64,
}

/// What came of one script.
#[derive(Debug)]
pub struct Outcome {
    /// What was heard at the program of this workspace.
    pub ours: Transcript,
    /// What was heard at mosquitto.
    pub theirs: Transcript,
    /// How they differ.
    pub verdict: Verdict,
}

/// With whom the third voice agrees, where two differ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Votes {
    /// With the program of this workspace.
    pub ours: u64,
    /// With mosquitto.
    pub theirs: u64,
    /// With neither.
    pub neither: u64,
}

/// What came of many scripts.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were compared.
    pub scripts: u64,
    /// How many of these had no difference.
    pub equal: u64,
    /// How many of these were compared to their end.
    pub whole: u64,
    /// Their steps, and those that were compared.
    pub steps: (usize, usize),
    /// Seeds of those that could not be played in time.
    pub unplayed: Vec<u64>,
    /// Seeds with a difference that has no class, and the difference.
    pub unclassified: Vec<(u64, String)>,
    /// In how many scripts each class was met, the first of them, and the votes.
    pub classes: BTreeMap<&'static str, (u64, u64, Votes)>,
}

impl Contest {
    /// Starts the servers: this program with these settings, mosquitto, and aedes if it is there.
    ///
    /// # Errors
    /// If one of the first two does not start. `NotFound` if there is no mosquitto.
    pub fn start(program: &Path, settings: &str) -> io::Result<Self> {
        let theirs = Running::mosquitto()?;
        let third = match Running::aedes() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            aedes => Some(aedes?),
        };
        Ok(Self {
            ours: Running::ours(program, settings)?,
            theirs,
            third,
            without: None,
            plays: AtomicU64::new(0),
        })
    }

    /// The same, where the class with this id is none: this program is configured to do as mosquitto does.
    #[must_use]
    pub fn without(mut self, class: &str) -> Self {
        self.without = Some(class.to_owned());
        self
    }

    /// Whether there is a third voice.
    #[must_use]
    pub const fn has_third(&self) -> bool {
        self.third.is_some()
    }

    /// Plays a script at both servers. What differs is played again with more patience, unless it has a class.
    ///
    /// # Errors
    /// If it cannot be played.
    pub fn outcome(&self, script: &Script) -> Result<Outcome, Unplayed> {
        let mut patience = 1;
        loop {
            let ours = self.play(script, self.ours.address, patience)?;
            let theirs = self.play(script, self.theirs.address, patience)?;
            let verdict = judge(script, &ours, &theirs, self.without.as_deref());
            if verdict.unclassified.is_none() || patience == PATIENT {
                return Ok(Outcome { ours, theirs, verdict });
            }
            patience = PATIENT;
        }
    }

    fn play(&self, script: &Script, address: SocketAddr, patience: u32) -> Result<Transcript, Unplayed> {
        let mut attempt = 1;
        loop {
            let number = self.plays.fetch_add(1, Ordering::Relaxed);
            match play(script, address, &format!("v{number}/"), patience) {
                Err(Unplayed::TooSlow) if attempt < ATTEMPTS => attempt += 1,
                played => return played,
            }
        }
    }

    /// Plays the scripts of some seeds, so many at once.
    #[must_use]
    pub fn scripts(&self, seeds: core::ops::Range<u64>, jobs: usize, told: impl Fn(u64) + Sync) -> Tally {
        let (next, tally) = (AtomicU64::new(seeds.start), Mutex::new(Tally::default()));
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                let script = draw(seed);
                let outcome = self.outcome(&script);
                let third = outcome.as_ref().ok().and_then(|outcome| self.third(&script, outcome));
                let mut tally = tally.lock().expect("nobody panics");
                tally.add(&script, outcome, third.as_ref());
                told(tally.scripts);
            }
        };
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        tally.into_inner().expect("nobody panics")
    }

    /// What the third voice says to a script over which the others differ.
    fn third(&self, script: &Script, outcome: &Outcome) -> Option<Transcript> {
        let third = self.third.as_ref()?;
        if outcome.verdict.met.is_empty() || !script.is_of_3_1_1() {
            return None;
        }
        self.play(script, third.address, 1).ok()
    }
}

impl Tally {
    fn add(&mut self, script: &Script, outcome: Result<Outcome, Unplayed>, third: Option<&Transcript>) {
        let Ok(outcome) = outcome else {
            self.unplayed.push(script.seed);
            return;
        };
        let verdict = &outcome.verdict;
        self.scripts += 1;
        self.steps.0 += script.steps.len();
        self.steps.1 += verdict.steps;
        self.equal += u64::from(verdict.met.is_empty() && verdict.unclassified.is_none());
        self.whole += u64::from(verdict.steps == script.steps.len() && verdict.unclassified.is_none());
        if let Some(odd) = &verdict.unclassified {
            self.unclassified
                .push((script.seed, format!("after \"{}\": {odd}", script.steps[odd.step])));
        }
        let mut counted = Vec::new();
        for (class, step) in &verdict.met {
            if counted.contains(&class.id) {
                continue;
            }
            counted.push(class.id);
            let (count, first, votes) = self
                .classes
                .entry(class.id)
                .or_insert((0, script.seed, Votes::default()));
            *count += 1;
            *first = (*first).min(script.seed);
            if let Some(third) = third {
                let agrees = |with: &Transcript| {
                    let (items, orders) = compare(third, with, *step);
                    items.is_empty() && orders.is_empty()
                };
                match (agrees(&outcome.ours), agrees(&outcome.theirs)) {
                    (true, _) => votes.ours += 1,
                    (false, true) => votes.theirs += 1,
                    (false, false) => votes.neither += 1,
                }
            }
        }
    }
}
