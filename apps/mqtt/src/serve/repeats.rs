//! What happens again and again, as to a client that does not read: the log is told at once, and then now and then how often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_session::BrokerBound;

/// So long after a line comes the next one about the same.
const EVERY: Duration = Duration::from_secs(10);
/// So many things are told apart at a time. What happens to further clients is told together.
const KNOWN: usize = 1000;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// This, to a client.
    Client(Matter, Bytes),
    /// This, to clients beside those that are told apart.
    OtherClients(Matter),
    /// A bound is met.
    Limit(BrokerBound),
    /// An address has as many connections as it may have.
    AddressFull,
    /// Too many wait for the check of their password.
    LoginsFull,
    /// What stands where a header of the PROXY protocol has to be is none.
    ProxyHeader,
    /// Events do not come to the log.
    Missed,
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Matter {
    /// Messages to it are dropped.
    Dropped,
    /// It may not publish to a topic.
    MessageRefused,
    /// It may not subscribe to a filter.
    SubscriptionRefused,
    /// What it has retained is not allowed any more.
    RetainedRevoked,
}

/// What was told a short time ago, by all shards. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    known: Arc<Mutex<HashMap<What, Known>>>,
}

#[derive(Debug)]
struct Known {
    /// When it was told.
    at: Instant,
    /// How often it has happened since.
    times: u64,
}

impl Repeats {
    /// It has happened so often.
    pub(super) fn tell(&self, what: What, times: u64) {
        if let Some(what) = self.note(what, times, Instant::now()) {
            write(&what, times);
        }
    }

    /// It has happened once. Whether the caller is to tell of it, who knows more; otherwise it is told here, later or together
    /// with others.
    pub(super) fn is_first(&self, what: &What) -> bool {
        match self.note(what.clone(), 1, Instant::now()) {
            Some(told) if told == *what => true,
            Some(others) => {
                write(&others, 1);
                false
            }
            None => false,
        }
    }

    /// Tells what has happened again since it was told, if that is long enough ago: to be called now and then.
    pub(super) fn tell_due(&self) {
        for (what, times) in self.due(Instant::now(), EVERY) {
            write(&what, times);
        }
    }

    /// Tells all that was not told.
    pub(super) fn tell_rest(&self) {
        for (what, times) in self.due(Instant::now(), Duration::ZERO) {
            write(&what, times);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<What, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be told at once.
    fn note(&self, what: What, times: u64, now: Instant) -> Option<What> {
        let mut all = self.lock();
        let what = match what {
            What::Client(matter, _) if all.len() >= KNOWN && !all.contains_key(&what) => What::OtherClients(matter),
            what => what,
        };
        if let Some(known) = all.get_mut(&what) {
            known.times = known.times.saturating_add(times);
            return None;
        }
        all.insert(what.clone(), Known { at: now, times: 0 });
        Some(what)
    }

    fn due(&self, now: Instant, every: Duration) -> Vec<(What, u64)> {
        let mut due = Vec::new();
        self.lock().retain(|what, known| {
            if now.saturating_duration_since(known.at) < every {
                return true;
            }
            if known.times == 0 {
                return false;
            }
            due.push((what.clone(), std::mem::take(&mut known.times)));
            known.at = now;
            true
        });
        due
    }
}

fn write(what: &What, times: u64) {
    match what {
        What::Client(matter, client_id) => {
            let client = String::from_utf8_lossy(client_id);
            match matter {
                Matter::Dropped => tracing::warn!(%client, messages = times, "messages were dropped"),
                // What the broker was told of a topic it remembers for a while, and does not ask about each message.
                Matter::MessageRefused => tracing::info!(%client, at_least = times, "further messages were refused"),
                Matter::SubscriptionRefused => {
                    tracing::info!(%client, subscriptions = times, "further subscriptions were refused");
                }
                Matter::RetainedRevoked => {
                    tracing::info!(%client, messages = times, "further retained messages were not allowed any more");
                }
            }
        }
        What::OtherClients(Matter::Dropped) => {
            tracing::warn!(messages = times, "messages to further clients were dropped");
        }
        What::OtherClients(Matter::MessageRefused) => {
            tracing::info!(at_least = times, "messages of further clients were refused");
        }
        What::OtherClients(Matter::SubscriptionRefused) => {
            tracing::info!(subscriptions = times, "subscriptions of further clients were refused");
        }
        What::OtherClients(Matter::RetainedRevoked) => {
            tracing::info!(
                messages = times,
                "retained messages of further clients were not allowed any more"
            );
        }
        What::LoginsFull => {
            tracing::warn!(
                clients = times,
                "further clients were told that the broker is busy: too many waited for the check of their password"
            );
        }
        What::Limit(bound) => tracing::warn!(?bound, times, "a limit was met"),
        What::AddressFull => {
            tracing::warn!(
                connections = times,
                "further connections of addresses that have as many as they may have were closed"
            );
        }
        What::ProxyHeader => {
            tracing::warn!(
                connections = times,
                "further connections without a header of the PROXY protocol that can be used were closed"
            );
        }
        What::Missed => tracing::warn!(events = times, "events are missing in this log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> What {
        What::Client(Matter::Dropped, number.to_string().into())
    }

    #[test]
    fn the_first_is_told_at_once_and_what_follows_together() {
        let (repeats, begin) = (Repeats::default(), Instant::now());
        let later = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(repeats.note(client(1), 1, begin), Some(client(1)));
        assert_eq!(repeats.note(client(1), 2, later(1)), None);
        assert_eq!(repeats.note(client(1), 3, later(9)), None);
        assert_eq!(
            repeats.note(What::Missed, 1, later(9)),
            Some(What::Missed),
            "something else"
        );
        assert_eq!(repeats.due(later(9), EVERY), []);
        assert_eq!(repeats.due(later(10), EVERY), [(client(1), 5)]);
        assert_eq!(repeats.note(client(1), 1, later(11)), None, "it was told a second ago");
        assert_eq!(repeats.due(later(20), EVERY), [(client(1), 1)]);
        // Nothing for as long as that, and it is forgotten.
        assert_eq!(repeats.due(later(30), EVERY), []);
        assert_eq!(repeats.note(client(1), 1, later(31)), Some(client(1)));
        assert_eq!(repeats.note(client(1), 7, later(32)), None);
        assert_eq!(repeats.due(later(32), Duration::ZERO), [(client(1), 7)], "at the end");
    }

    #[test]
    fn no_number_of_clients_takes_more_room() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        for number in 0..KNOWN {
            assert_eq!(repeats.note(client(number), 1, now), Some(client(number)));
        }
        assert_eq!(
            repeats.note(client(KNOWN), 1, now),
            Some(What::OtherClients(Matter::Dropped))
        );
        assert_eq!(repeats.note(client(KNOWN + 1), 4, now), None);
        assert_eq!(repeats.note(client(0), 2, now), None);
        assert_eq!(repeats.lock().len(), KNOWN + 1);
        let refused = |matter, number: usize| What::Client(matter, number.to_string().into());
        for matter in [Matter::MessageRefused, Matter::SubscriptionRefused] {
            assert_eq!(
                repeats.note(refused(matter, 0), 1, now),
                Some(What::OtherClients(matter))
            );
            assert_eq!(repeats.note(refused(matter, 1), 0, now), None);
        }
        let mut due = repeats.due(now + EVERY, EVERY);
        due.sort_by_key(|(_, times)| *times);
        assert_eq!(due, [(client(0), 2), (What::OtherClients(Matter::Dropped), 4)]);
    }
}
