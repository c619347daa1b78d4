//! What was promised and what was seen, kept by neither the broker nor a client.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use mqtt_tokio::QoS;

use super::screen::Runtime;

/// Every message from the moment it is published.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Mutex<Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    qos: QoS,
    is_acknowledged: bool,
    /// How often each subscriber got it.
    seen: [u32; 2],
}

/// What became of all messages of one QoS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    qos: QoS,
    messages: usize,
    acknowledged: usize,
    once: [usize; 2],
    more: [usize; 2],
    never: [usize; 2],
    broken: usize,
}

impl Ledger {
    /// A message is going to be published: this is its number.
    pub(super) fn publish(&self, qos: QoS) -> usize {
        self.with(|entries| {
            entries.push(Entry {
                qos,
                is_acknowledged: false,
                seen: [0; 2],
            });
            entries.len() - 1
        })
    }

    /// The broker has taken it over.
    pub(super) fn acknowledge(&self, number: usize) {
        self.with(|entries| entries[number].is_acknowledged = true);
    }

    /// A subscriber got a message with this payload.
    pub(super) fn see(&self, subscriber: Runtime, payload: &[u8]) {
        let number = std::str::from_utf8(payload).ok().and_then(number_of);
        self.with(|entries| {
            if let Some(entry) = number.and_then(|number| entries.get_mut(number)) {
                entry.seen[place(subscriber)] += 1;
            }
        });
    }

    /// Whether every subscriber has everything that will come.
    pub(super) fn is_complete(&self) -> bool {
        self.with(|entries| {
            let mut durable = entries.iter().filter(|entry| entry.qos > QoS::AtMostOnce);
            durable.all(|entry| entry.is_acknowledged && entry.seen.iter().all(|times| *times > 0))
        })
    }

    /// What became of the messages, by QoS.
    pub(super) fn sums(&self) -> Vec<Sum> {
        let every = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        self.with(|entries| every.map(|qos| Sum::of(qos, entries)).to_vec())
    }

    fn with<T>(&self, what: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        what(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The payload of a message with this number.
pub(super) fn payload(number: usize) -> String {
    format!("m{number}")
}

fn number_of(payload: &str) -> Option<usize> {
    payload.strip_prefix('m')?.parse().ok()
}

fn place(subscriber: Runtime) -> usize {
    usize::from(subscriber == Runtime::Std)
}

impl Entry {
    /// QoS 0 promises that it comes no more than once, QoS 1 that it comes, and QoS 2 both: once the broker has taken it over.
    fn is_kept(&self) -> bool {
        self.seen.iter().all(|times| match self.qos {
            QoS::AtMostOnce => *times <= 1,
            QoS::AtLeastOnce => *times >= 1 || !self.is_acknowledged,
            QoS::ExactlyOnce => *times == 1 || (*times == 0 && !self.is_acknowledged),
        })
    }
}

impl Sum {
    fn of(qos: QoS, entries: &[Entry]) -> Self {
        let entries = || entries.iter().filter(move |entry| entry.qos == qos);
        let seen = |fits: fn(u32) -> bool| [0, 1].map(|who| entries().filter(|entry| fits(entry.seen[who])).count());
        Self {
            qos,
            messages: entries().count(),
            acknowledged: entries().filter(|entry| entry.is_acknowledged).count(),
            once: seen(|times| times == 1),
            more: seen(|times| times > 1),
            never: seen(|times| times == 0),
            broken: entries().filter(|entry| !entry.is_kept()).count(),
        }
    }

    /// Whether the promise of this QoS was kept for every message, and every message of QoS 1 and 2 has been taken over.
    pub(super) fn is_kept(&self) -> bool {
        self.broken == 0 && (self.qos == QoS::AtMostOnce || self.acknowledged == self.messages)
    }

    /// The head of the table that [`Display`](fmt::Display) writes the rows of.
    pub(super) const HEAD: &str =
        "  QoS  messages  taken over   smol: once  again  never   std: once  again  never   promise";
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5}{:>10}{:>12}", self.qos as u8, self.messages, self.acknowledged)?;
        for who in [0, 1] {
            let width = 13 - who;
            write!(
                f,
                "{:>width$}{:>7}{:>7}",
                self.once[who], self.more[who], self.never[who]
            )?;
        }
        f.write_str(if self.is_kept() { "   kept" } else { "   BROKEN" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(qos: QoS, is_acknowledged: bool, seen: [u32; 2]) -> Sum {
        let ledger = Ledger::default();
        let number = ledger.publish(qos);
        if is_acknowledged {
            ledger.acknowledge(number);
        }
        for (who, times) in [Runtime::Smol, Runtime::Std].into_iter().zip(seen) {
            for _ in 0..times {
                ledger.see(who, payload(number).as_bytes());
            }
        }
        ledger.sums()[qos as usize]
    }

    #[test]
    fn each_qos_has_its_promise() {
        assert!(sum(QoS::AtMostOnce, true, [0, 1]).is_kept());
        assert!(!sum(QoS::AtMostOnce, true, [0, 2]).is_kept());
        assert!(sum(QoS::AtLeastOnce, true, [1, 2]).is_kept());
        assert!(!sum(QoS::AtLeastOnce, true, [1, 0]).is_kept());
        assert!(sum(QoS::ExactlyOnce, true, [1, 1]).is_kept());
        assert!(!sum(QoS::ExactlyOnce, true, [1, 2]).is_kept());
        assert!(!sum(QoS::ExactlyOnce, true, [0, 1]).is_kept());
    }

    #[test]
    fn what_was_never_taken_over_breaks_the_verdict() {
        assert!(!sum(QoS::ExactlyOnce, false, [1, 1]).is_kept());
        assert!(!sum(QoS::AtLeastOnce, false, [0, 0]).is_kept());
    }
}
