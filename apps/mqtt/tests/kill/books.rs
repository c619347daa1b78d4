//! What was promised to whom, and what came.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mqtt_tokio::QoS;

use super::lives::PATIENCE;

/// Nothing comes twice any more when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(500);

/// Kept while clients do what they do.
#[derive(Default)]
pub(crate) struct Books {
    numbers: AtomicU64,
    begun: AtomicU64,
    acknowledged: AtomicU64,
    /// Connections that were accepted, and those without the session that was there before.
    connections: AtomicU64,
    sessions_lost: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By number.
    promised: BTreeMap<u64, QoS>,
    /// Messages that ended in another way.
    failed: Vec<String>,
    /// How often each came, by subscriber.
    came: BTreeMap<&'static str, HashMap<u64, u64>>,
    last: Option<Instant>,
    /// The last number that was acknowledged for each retained topic.
    retained: BTreeMap<String, u64>,
}

/// Which QoS a subscriber has.
pub(crate) const SUBSCRIBERS: [(&str, QoS); 3] = [
    ("always", QoS::ExactlyOnce),
    ("always-3", QoS::ExactlyOnce),
    ("sleeper", QoS::AtLeastOnce),
];

/// What the books say in the end.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: u64,
    /// Those of QoS 2.
    pub(crate) exactly_once: u64,
    /// Copies that were promised and did not come.
    pub(crate) missing: u64,
    /// Copies of QoS 2 that came again.
    pub(crate) doubled: u64,
    /// Copies of QoS 1 that came again, which they may.
    pub(crate) repeated: u64,
    /// Messages that were neither acknowledged nor are on their way.
    pub(crate) failed: u64,
    pub(crate) connections: u64,
    pub(crate) sessions_lost: u64,
    pub(crate) retained_topics: u64,
    pub(crate) retained_missing: u64,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.missing + self.doubled + self.failed + self.sessions_lost + self.retained_missing == 0
    }
}

impl Books {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a message that is about to be published.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A message has ended.
    pub(crate) fn ended(&self, number: u64, qos: QoS, outcome: Result<(), String>) {
        let mut kept = self.kept();
        match outcome {
            Ok(()) => drop(kept.promised.insert(number, qos)),
            Err(error) => kept.failed.push(error),
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// A retained message has ended.
    pub(crate) fn retained(&self, topic: &str, number: u64, outcome: Result<(), String>) {
        let mut kept = self.kept();
        match outcome {
            Ok(()) => drop(kept.retained.insert(topic.to_owned(), number)),
            Err(error) => kept.failed.push(error),
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn came(&self, subscriber: &'static str, number: u64) {
        let mut kept = self.kept();
        kept.last = Some(Instant::now());
        *kept.came.entry(subscriber).or_default().entry(number).or_default() += 1;
    }

    pub(crate) fn connected(&self, session_present: bool) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.sessions_lost
            .fetch_add(u64::from(!session_present), Ordering::Relaxed);
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// How many messages are on their way.
    pub(crate) fn open(&self) -> u64 {
        let ended = self.acknowledged.load(Ordering::Relaxed);
        self.begun.load(Ordering::Relaxed).saturating_sub(ended)
    }

    fn missing(&self) -> u64 {
        let kept = self.kept();
        let of = |subscriber| match kept.came.get(subscriber) {
            Some(came) => kept.promised.keys().filter(|number| !came.contains_key(number)).count(),
            None => kept.promised.len(),
        };
        SUBSCRIBERS.iter().map(|(subscriber, _)| of(*subscriber) as u64).sum()
    }

    /// Waits until everything has come, or nothing more does for so long.
    pub(crate) async fn settled(&self, patience: Duration) {
        let latest = Instant::now() + PATIENCE;
        let begun = Instant::now();
        while Instant::now() < latest {
            let last = self.kept().last.unwrap_or(begun).max(begun);
            let patience = if self.missing() == 0 { QUIET } else { patience };
            if last.elapsed() > patience {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Holds everything against what was promised, with the retained messages that are there.
    pub(crate) fn verdict(&self, retained: &BTreeMap<String, u64>) -> Verdict {
        let missing = self.missing();
        let kept = self.kept();
        let mut verdict = Verdict {
            acknowledged: kept.promised.len() as u64,
            exactly_once: kept.promised.values().filter(|qos| **qos == QoS::ExactlyOnce).count() as u64,
            missing,
            failed: kept.failed.len() as u64,
            connections: self.connections.load(Ordering::Relaxed),
            sessions_lost: self.sessions_lost.load(Ordering::Relaxed),
            retained_topics: kept.retained.len() as u64,
            ..Verdict::default()
        };
        for (subscriber, granted) in SUBSCRIBERS {
            for (number, times) in kept.came.get(subscriber).into_iter().flatten() {
                let again = times.saturating_sub(1);
                // What was never acknowledged has ended as the books say, or is counted as failed.
                match kept.promised.get(number) {
                    Some(QoS::ExactlyOnce) if granted == QoS::ExactlyOnce => verdict.doubled += again,
                    _ => verdict.repeated += again,
                }
            }
        }
        for (topic, number) in &kept.retained {
            let is_there = retained.get(topic).is_some_and(|there| there >= number);
            verdict.retained_missing += u64::from(!is_there);
        }
        if let Some(error) = kept.failed.first() {
            println!("the first that failed: {error}");
        }
        verdict
    }
}
