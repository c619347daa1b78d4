//! What a run found, for one peer and one version.

use std::collections::BTreeMap;

use crate::classes::{Case, Class, Finding, Outcome};
use crate::verdict::Verdict;
use crate::witness;

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Generated,
    /// Decoded by the peer and encoded again by it.
    Reencoded,
    Mutated,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Generated, Self::Reencoded, Self::Mutated];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Reencoded => "encoded by the peer",
            Self::Mutated => "mutated",
        }
    }
}

/// Cases of one kind: how many, and the shortest of them.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) count: u64,
    pub(crate) example: Vec<u8>,
    /// What was made of the example; kept only for what no class explains.
    pub(crate) verdicts: String,
}

/// All counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    outcomes: [[u64; Outcome::ALL.len()]; Source::ALL.len()],
    /// Accepted by both, with all fields equal.
    pub(crate) equal: u64,
    pub(crate) classes: BTreeMap<Class, Found>,
    /// What no class explains, by what the two said.
    pub(crate) unexplained: BTreeMap<String, Found>,
}

impl Tally {
    /// So many kinds of unexplained cases are kept: the first of them fails the run.
    const UNEXPLAINED_KINDS: usize = 200;

    pub(crate) fn count(&mut self, source: Source, case: &Case<'_>, finding: Finding) {
        let outcome = case.outcome();
        self.outcomes[source as usize][outcome as usize] += 1;
        match finding {
            Finding::Agreement => self.equal += u64::from(outcome == Outcome::BothAccept),
            Finding::Difference(class) => note(&mut self.classes, class, case, false),
            Finding::Unexplained => {
                let kind = kind(case);
                if self.unexplained.len() < Self::UNEXPLAINED_KINDS || self.unexplained.contains_key(&kind) {
                    note(&mut self.unexplained, kind, case, true);
                }
            }
        }
    }

    pub(crate) const fn outcomes(&self, source: Source) -> &[u64; Outcome::ALL.len()] {
        &self.outcomes[source as usize]
    }

    pub(crate) fn cases(&self) -> u64 {
        self.outcomes.iter().flatten().sum()
    }

    pub(crate) fn unexplained_cases(&self) -> u64 {
        self.unexplained.values().map(|found| found.count).sum()
    }
}

fn note<K: Ord>(map: &mut BTreeMap<K, Found>, key: K, case: &Case<'_>, with_verdicts: bool) {
    let verdicts = || if with_verdicts { case.verdicts() } else { String::new() };
    map.entry(key)
        .and_modify(|found| {
            found.count += 1;
            if (case.bytes.len(), case.bytes) < (found.example.len(), &found.example) {
                found.example = case.bytes.to_vec();
                found.verdicts = verdicts();
            }
        })
        .or_insert_with(|| Found {
            count: 1,
            example: case.bytes.to_vec(),
            verdicts: verdicts(),
        });
}

/// What the two said, without what differs from case to case.
fn kind(case: &Case<'_>) -> String {
    let packet_type = case.bytes.first().map_or(0, |first| first >> 4);
    let ours = match &case.ours {
        Verdict::Accepted { len, .. } => match witness::fault(&case.bytes[..*len], case.version.level()) {
            Some(fault) => format!("accepts (the witness sees {fault:?})"),
            None => "accepts".to_owned(),
        },
        Verdict::Waits => "waits".to_owned(),
        Verdict::Refused(error) => {
            let seen = witness::confirms(error, case.bytes, case.version.level());
            let witness = if seen {
                "seen by the witness"
            } else {
                "NOT seen by the witness"
            };
            format!(
                "{:?} {:?} {} ({witness})",
                error.kind(),
                error.field(),
                error.statement()
            )
        }
        Verdict::Panicked(_) => "panics".to_owned(),
    };
    let theirs = match &case.theirs {
        Verdict::Accepted { .. } => "accepts",
        Verdict::Waits => "waits",
        Verdict::Refused(error) => error,
        Verdict::Panicked(message) => message,
    };
    format!(
        "{}; type {packet_type}; ours: {ours}; theirs: {theirs}",
        case.outcome().name()
    )
}
