//! What happens again and again, as to a client that does not read: the log is told at once, and then now and then how often.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mqtt_session::BrokerBound;

/// So long after a line comes the next one about the same.
const EVERY: Duration = Duration::from_secs(10);
/// So many things are told apart at a time. What happens to further clients is told together.
const KNOWN: usize = 1000;
/// The same for those who were not let in, and choose their names: they take no room of others.
const STRANGERS: usize = 1000;

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// This, to a client.
    Client(Matter, Bytes),
    /// This, to clients beside those that are told apart.
    OtherClients(Matter),
    /// A bound is met, by the client of this name; if it is empty, by any.
    Limit(BrokerBound, Bytes),
    /// Somebody with this name, or without one, is not let in. Nobody has proved it, so it counts with the address.
    Stranger(Bytes, Option<IpAddr>),
    /// The same, of strangers beside those that are told apart.
    OtherStrangers,
    /// Why the client of this name is refused, where there is more to be said of it than as of a stranger. Empty: of any beside those that are
    /// told apart.
    Refusal(Bytes),
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
    known: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    known: HashMap<What, Known>,
    strangers: HashMap<What, Known>,
}

impl Tables {
    /// As what something is told, and where it is noted: together with others, if there is no room.
    fn place(&mut self, what: What) -> (What, &mut HashMap<What, Known>) {
        if matches!(what, What::Stranger(..) | What::Refusal(_)) {
            let has_room = self.strangers.len() < STRANGERS || self.strangers.contains_key(&what);
            let what = match what {
                what if has_room => what,
                What::Refusal(_) => What::Refusal(Bytes::new()),
                _ => What::OtherStrangers,
            };
            return (what, &mut self.strangers);
        }
        let has_room = self.known.len() < KNOWN || self.known.contains_key(&what);
        let what = match what {
            What::Client(matter, _) if !has_room => What::OtherClients(matter),
            What::Limit(bound, _) if !has_room => What::Limit(bound, Bytes::new()),
            what => what,
        };
        (what, &mut self.known)
    }
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

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be told at once.
    fn note(&self, what: What, times: u64, now: Instant) -> Option<What> {
        let mut all = self.lock();
        let (what, all) = all.place(what);
        if let Some(known) = all.get_mut(&what) {
            known.times = known.times.saturating_add(times);
            return None;
        }
        all.insert(what.clone(), Known { at: now, times: 0 });
        Some(what)
    }

    fn due(&self, now: Instant, every: Duration) -> Vec<(What, u64)> {
        let mut due = Vec::new();
        let mut is_left = |what: &What, known: &mut Known| {
            if now.saturating_duration_since(known.at) < every {
                return true;
            }
            if known.times == 0 {
                return false;
            }
            due.push((what.clone(), std::mem::take(&mut known.times)));
            known.at = now;
            true
        };
        let mut all = self.lock();
        all.known.retain(&mut is_left);
        all.strangers.retain(&mut is_left);
        drop(all);
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
        What::Limit(bound, client) => {
            let limit: Vec<String> = bound
                .fields()
                .iter()
                .map(|field| format!("limits.broker.{field}"))
                .collect();
            let client = (!client.is_empty()).then(|| String::from_utf8_lossy(client));
            tracing::warn!(
                limit = limit.join(","),
                client = client.as_deref().map(tracing::field::display),
                times,
                "a limit was met"
            );
        }
        What::Stranger(client, peer) => {
            let client = (!client.is_empty()).then(|| String::from_utf8_lossy(client));
            tracing::info!(
                client = client.as_deref().map(tracing::field::display),
                address = peer.as_ref().map(tracing::field::display),
                times,
                "a client was refused again"
            );
        }
        // How often is told of them as of strangers.
        What::Refusal(_) => {}
        What::OtherStrangers => tracing::info!(times, "further clients were refused"),
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
        assert_eq!(repeats.lock().known.len(), KNOWN + 1);
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
    #[test]
    fn strangers_take_no_room_of_others() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        let stranger = |number: usize| What::Stranger(number.to_string().into(), None);
        for number in 0..STRANGERS {
            assert_eq!(repeats.note(stranger(number), 1, now), Some(stranger(number)));
        }
        assert_eq!(repeats.note(stranger(STRANGERS), 1, now), Some(What::OtherStrangers));
        let why = repeats.note(What::Refusal(Bytes::from_static(b"one")), 1, now);
        assert_eq!(why, Some(What::Refusal(Bytes::new())));
        assert_eq!(repeats.note(stranger(STRANGERS + 1), 1, now), None);
        assert_eq!(repeats.note(stranger(0), 1, now), None);
        assert_eq!(
            repeats.note(client(1), 1, now),
            Some(client(1)),
            "as if they were not there"
        );
        let mut due = repeats.due(now + EVERY, EVERY);
        due.sort_by_key(|(what, _)| *what == What::OtherStrangers);
        assert_eq!(due, [(stranger(0), 1), (What::OtherStrangers, 1)]);
    }

    #[test]
    fn a_limit_is_told_for_each_client() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        let limit =
            |client: &'static str| What::Limit(BrokerBound::FilterLevels, Bytes::from_static(client.as_bytes()));
        assert_eq!(repeats.note(limit("a"), 1, now), Some(limit("a")));
        assert_eq!(repeats.note(limit("b"), 1, now), Some(limit("b")));
        for number in 2..KNOWN {
            repeats.note(client(number), 1, now);
        }
        assert_eq!(repeats.note(limit("c"), 1, now), Some(limit("")));
        assert_eq!(repeats.note(limit("d"), 1, now), None);
    }
}
