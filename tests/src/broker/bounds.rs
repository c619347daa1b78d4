//! Bounds that are met: tiny ones for some runs, and what was told to be lost at them.
//!
//! What is lost without being told is a fault. So is a bound that is told by a run that has none, and one that is counted and
//! not told.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::{BrokerBound, BrokerLimits, Figures, Limits, SessionConfig, WhenFull};

/// Which bounds of a run are tiny.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    queued_messages: Option<u32>,
    queued_bytes: Option<u64>,
    drops_oldest: bool,
    retained_messages: Option<u32>,
    retained_bytes: Option<u64>,
    subscriptions_per_session: Option<u32>,
    subscriptions: Option<u32>,
    sessions: Option<u32>,
    connections: Option<u32>,
    takeovers_per_second: Option<u32>,
    parked_wills: Option<u32>,
    parked_per_connection: Option<u16>,
}

impl Bounds {
    /// None for most seeds.
    pub(super) fn new(seed: u64, clients: usize, shards: u16) -> Self {
        let bits = seed >> 30;
        if bits % 3 != 0 {
            return Self::default();
        }
        let is_tiny = |kind: u32| (bits >> (4 + 2 * kind)) & 3 == 0;
        let clients = u32::try_from(clients).unwrap_or(u32::MAX);
        let sessions = if shards == 1 { clients - 1 } else { 1 };
        Self {
            queued_messages: is_tiny(0).then_some(2),
            queued_bytes: is_tiny(1).then_some(400),
            drops_oldest: seed % 2 == 0,
            retained_messages: is_tiny(2).then_some(2),
            retained_bytes: is_tiny(3).then_some(1000),
            subscriptions_per_session: is_tiny(4).then_some(2),
            subscriptions: is_tiny(5).then_some(4),
            sessions: is_tiny(6).then_some(sessions),
            connections: is_tiny(7).then_some(clients + 1),
            takeovers_per_second: is_tiny(8).then_some(1),
            parked_wills: is_tiny(9).then_some(1),
            parked_per_connection: is_tiny(10).then_some(1),
        }
    }

    pub(super) fn limit(&self, mut limits: BrokerLimits) -> BrokerLimits {
        let set = |limit: &mut u32, tiny: Option<u32>| *limit = tiny.unwrap_or(*limit);
        set(&mut limits.retained_messages, self.retained_messages);
        set(&mut limits.subscriptions_per_session, self.subscriptions_per_session);
        set(&mut limits.subscriptions, self.subscriptions);
        set(&mut limits.sessions, self.sessions);
        set(&mut limits.connections, self.connections);
        set(&mut limits.takeovers_per_second, self.takeovers_per_second);
        set(&mut limits.parked_wills, self.parked_wills);
        limits.retained_bytes = self.retained_bytes.unwrap_or(limits.retained_bytes);
        limits.parked_per_connection = self.parked_per_connection.unwrap_or(limits.parked_per_connection);
        limits
    }

    pub(super) fn limit_session(&self, session: SessionConfig, mut limits: Limits) -> SessionConfig {
        limits.queued_messages = self.queued_messages.unwrap_or(limits.queued_messages);
        limits.queued_bytes = self.queued_bytes.unwrap_or(limits.queued_bytes);
        let when = match self.drops_oldest {
            true => WhenFull::DropOldest,
            false => WhenFull::Refuse,
        };
        session.limits(limits).when_full(when)
    }

    /// Whether a queue may be full.
    pub(super) const fn has_queues(&self) -> bool {
        self.queued_messages.is_some() || self.queued_bytes.is_some()
    }

    /// Whether the oldest messages give way then.
    pub(super) const fn drops_oldest(&self) -> bool {
        self.drops_oldest
    }

    /// Whether the broker may refuse a client by itself.
    pub(super) const fn refuses_clients(&self) -> bool {
        self.sessions.is_some() || self.takeovers_per_second.is_some()
    }

    /// Whether a bound may be met.
    fn has(&self, bound: BrokerBound) -> bool {
        match bound {
            BrokerBound::Connections => self.connections.is_some(),
            BrokerBound::Sessions => self.sessions.is_some(),
            BrokerBound::Subscriptions => self.subscriptions.is_some(),
            BrokerBound::SubscriptionsPerSession => self.subscriptions_per_session.is_some(),
            BrokerBound::Retained => self.retained_messages.is_some() || self.retained_bytes.is_some(),
            BrokerBound::ParkedWills => self.parked_wills.is_some(),
            BrokerBound::TakeoversPerSecond => self.takeovers_per_second.is_some(),
            _ => false,
        }
    }
}

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Copies that were dropped, by client.
    dropped: BTreeMap<usize, u64>,
    /// Those that were missing, and of which that was the excuse.
    missing: BTreeSet<(usize, u64)>,
    /// All of them, of which some may have been for groups.
    for_groups: u64,
    /// Messages that were not retained.
    pub(super) not_retained: u64,
    /// Filters that were refused, and their clients not told yet.
    filters_refused: u64,
    /// How often each bound was met in this life of the broker.
    hits: BTreeMap<BrokerBound, u64>,
}

impl Told {
    pub(super) fn dropped(&mut self, client: usize, copies: u64) {
        *self.dropped.entry(client).or_default() += copies;
        self.for_groups += copies;
    }

    /// A bound was met.
    pub(super) fn hit(&mut self, bounds: &Bounds, bound: BrokerBound, times: u64) -> Result<(), String> {
        if !bounds.has(bound) || times == 0 {
            return Err(format!("{bound:?} was met {times} times, and there was room for all"));
        }
        *self.hits.entry(bound).or_default() += times;
        match bound {
            BrokerBound::Retained => self.not_retained += times,
            BrokerBound::Subscriptions | BrokerBound::SubscriptionsPerSession => self.filters_refused += times,
            _ => {}
        }
        Ok(())
    }

    /// A client is told that there is no room for its filter.
    pub(super) fn filter_refused(&mut self) -> Result<(), String> {
        let left = self.filters_refused.checked_sub(1);
        self.filters_refused = left.ok_or("a filter is refused for want of room, and no bound was met")?;
        Ok(())
    }

    /// Whether it was told of a copy for this client that it does not come. Each is an excuse for one message, however often
    /// that was asked for.
    pub(super) fn excuses(&mut self, client: usize, number: u64) -> bool {
        if self.missing.contains(&(client, number)) {
            return true;
        }
        let left = self.dropped.get_mut(&client).filter(|left| **left > 0);
        let is_excused = left.map(|left| *left -= 1).is_some();
        is_excused && self.missing.insert((client, number))
    }

    /// Whether a client has lost copies. What its publisher sends again may come then behind what was sent later.
    pub(super) fn has_lost(&self, client: usize) -> bool {
        self.dropped.contains_key(&client)
    }

    /// The same of a copy for a member of a group, whichever that was.
    pub(super) fn excuses_a_group(&mut self) -> bool {
        let left = self.for_groups.checked_sub(1);
        self.for_groups = left.unwrap_or_default();
        left.is_some()
    }

    /// A life of the broker is over: what it has counted is what it has told.
    pub(super) fn agree(&mut self, figures: &Figures) -> Result<(), String> {
        let hits = core::mem::take(&mut self.hits);
        let hit = |bound: BrokerBound| hits.get(&bound).copied().unwrap_or_default();
        let filters = hit(BrokerBound::Subscriptions) + hit(BrokerBound::SubscriptionsPerSession);
        let all = [
            ("sessions", figures.sessions_refused, hit(BrokerBound::Sessions)),
            ("filters", figures.subscriptions_refused, filters),
            (
                "retained messages",
                figures.retained_refused,
                hit(BrokerBound::Retained),
            ),
            ("wills", figures.wills_dropped, hit(BrokerBound::ParkedWills)),
            (
                "takeovers",
                figures.takeovers_refused,
                hit(BrokerBound::TakeoversPerSecond),
            ),
        ];
        match all.into_iter().find(|(_, counted, told)| counted != told) {
            Some((what, counted, told)) => Err(format!("{counted} {what} were counted as refused, and {told} told")),
            None => Ok(()),
        }
    }
}
