//! One comparison from end to end: all peers and versions, on two threads at most.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use mqtt_proto::Rules;
use mqtt_proto::Version as OurVersion;

use crate::classes::Case;
use crate::control::Flip;
use crate::generate::{self, Pool};
use crate::mutate;
use crate::ours;
use crate::peers::{Peer, Version};
use crate::random::Random;
use crate::tally::{Source, Tally};
use crate::verdict::{OurVerdict, Verdict};

const VERSIONS: [OurVersion; 3] = OurVersion::ALL;

/// How much is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) packets: usize,
    pub(crate) mutations: usize,
    pub(crate) seed: u64,
}

/// One peer in one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) peer: Peer,
    pub(crate) version: Version,
}

impl Pair {
    pub(crate) fn all() -> Vec<Self> {
        Peer::ALL
            .into_iter()
            .flat_map(|peer| Version::ALL.map(|version| Self { peer, version }))
            .collect()
    }

    pub(crate) fn name(self) -> String {
        let version = match self.version {
            Version::V3_1_1 => "MQTT 3.1.1",
            Version::V5 => "MQTT 5.0",
        };
        format!("{}, {version}", self.peer.name())
    }

    /// The seed of a pair depends on nothing but the seed of the run, whichever thread gets it.
    fn random(self, seed: u64) -> Random {
        let index = Self::all().iter().position(|pair| *pair == self).unwrap_or_default();
        let mut random = Random::new(seed);
        for _ in 0..=index {
            random = Random::new(random.next());
        }
        random
    }
}

/// Compares every pair.
pub(crate) fn all(pairs: &[Pair], size: Size, flip: Option<Flip>) -> Vec<(Pair, Tally)> {
    const THREADS: usize = 2;
    let waiting: Mutex<VecDeque<usize>> = Mutex::new((0..pairs.len()).collect());
    let done: Mutex<Vec<Option<Tally>>> = Mutex::new(vec![None; pairs.len()]);
    let next = || waiting.lock().expect("no thread panics with the lock").pop_front();
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(pairs.len()) {
            scope.spawn(|| {
                while let Some(index) = next() {
                    let tally = Comparison::new(pairs[index], flip).run(size);
                    done.lock().expect("no thread panics with the lock")[index] = Some(tally);
                }
            });
        }
    });
    let tallies = done.into_inner().expect("no thread panics with the lock");
    pairs
        .iter()
        .copied()
        .zip(tallies.into_iter().map(|tally| tally.expect("every pair was compared")))
        .collect()
}

/// The comparison of one pair.
#[derive(Debug)]
pub(crate) struct Comparison {
    pair: Pair,
    flip: Option<Flip>,
    tally: Tally,
}

impl Comparison {
    pub(crate) fn new(pair: Pair, flip: Option<Flip>) -> Self {
        Self {
            pair,
            flip,
            tally: Tally::default(),
        }
    }

    fn run(mut self, size: Size) -> Tally {
        let Pair { peer, version } = self.pair;
        let mut random = self.pair.random(size.seed);
        let mut pool = Pool::new();
        for done in 0..size.packets {
            self.progress("packets", done, size.packets);
            let frame = generate::frame(version.ours(), &mut random);
            self.judge(Source::Generated, &frame);
            if let Some(again) = peer.reencode(version, &frame) {
                self.judge_again(&frame, &again);
                pool.add(again);
            }
            pool.add(frame);
        }
        for done in 0..size.mutations {
            self.progress("mutations", done, size.mutations);
            // A frame in eight is new, so that the pool is never worn out; a few are of any version, since a CONNECT states
            // its own.
            if done.is_multiple_of(8) {
                let any = if done.is_multiple_of(128) {
                    *random.pick(&VERSIONS)
                } else {
                    version.ours()
                };
                pool.add(generate::frame(any, &mut random));
            }
            let mutant = mutate::mutant(&pool, version, &mut random);
            self.judge(Source::Mutated, &mutant);
        }
        eprintln!("{}: done, {} cases", self.pair.name(), self.tally.cases());
        self.tally
    }

    fn judge(&mut self, source: Source, bytes: &[u8]) {
        let case = self.case(bytes);
        self.count(source, &case);
    }

    /// Bytes that the peer made of what it read from `first` say to us what they said to it.
    fn judge_again(&mut self, first: &[u8], again: &[u8]) {
        let read = self.pair.peer.judge(self.pair.version, first);
        let case = Case {
            meant: read.packet().cloned(),
            ..self.case(again)
        };
        self.count(Source::Reencoded, &case);
    }

    fn count(&mut self, source: Source, case: &Case<'_>) {
        let left_out = self.flip.as_ref().and_then(Flip::class_left_out);
        let finding = case.finding(left_out);
        self.tally.count(source, case, finding);
    }

    pub(crate) fn case<'c>(&mut self, bytes: &'c [u8]) -> Case<'c> {
        let Pair { peer, version } = self.pair;
        let mut rules = Rules::new(version.ours());
        if let Some(flip) = &self.flip {
            flip.rules(&mut rules);
        }
        let mut ours = our_verdict(bytes, &rules);
        if let Some(flip) = &mut self.flip {
            flip.verdict(&mut ours);
        }
        Case {
            peer,
            version,
            bytes,
            ours,
            theirs: peer.judge(version, bytes),
            meant: None,
        }
    }

    fn progress(&self, what: &str, done: usize, all: usize) {
        let step = (all / 4).max(1);
        if done > 0 && done.is_multiple_of(step) {
            eprintln!("{}: {done} of {all} {what}", self.pair.name());
        }
    }
}

fn our_verdict(bytes: &[u8], rules: &Rules) -> OurVerdict {
    catch_unwind(AssertUnwindSafe(|| ours::judge(bytes, rules)))
        .unwrap_or_else(|_| Verdict::Panicked("see the message above".to_owned()))
}
