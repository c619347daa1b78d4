//! The host of the broker in a simulation: its store, its clock and its policy.

use core::time::Duration;

use mqtt_session::{BrokerBound, BrokerEvent, Closed, ConnectionId, Instant, QuestionId, Scope, Timer, Verdict};

use super::{FILTERS, Peer, World};
use crate::broker::traffic::Way;
use crate::broker::watch::FORBIDDEN;
use crate::broker::wills::{self, FORBIDDEN_WILL};

impl World {
    // ---- the store

    pub(super) fn store(&mut self) {
        let place = self.random.place(self.cluster.shards.len());
        let shard = &mut self.cluster.shards[place];
        let polled = if self.random.percent(60) {
            shard.poll_store()
        } else {
            None
        };
        match polled {
            Some(number) => {
                self.watch.counts.batches += 1;
                if self.plan.lies {
                    shard.broker.handle_stored(self.now, number);
                }
            }
            None => {
                let some = self.random.place(shard.disk.flying() + 1);
                if let Some(number) = shard.stored(self.now, some) {
                    self.watch
                        .note(|| format!("batches of {place} up to {number} are stored"));
                }
            }
        }
    }

    // ---- time

    pub(super) fn skip(&mut self) -> Result<(), String> {
        let next = self.next_deadline();
        let waits = [1, 20, 300, 1000, 2000, 10_000, 100_000, 4_000_000];
        let far = Duration::from_millis(self.random.one_of(&waits));
        let at = match next {
            Some(at) if self.random.percent(30) => at,
            _ => self.now.saturating_add(far),
        };
        self.pass(at)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let clients = self.peers.iter().filter_map(|peer| peer.client.poll_timeout());
        let clients = clients.map(|timeout| timeout.at);
        clients.chain(self.cluster.next_deadline()).min()
    }

    pub(super) fn pass(&mut self, at: Instant) -> Result<(), String> {
        self.now = self.now.max(at);
        self.watch.note(|| format!("it is {at:?}"));
        for shard in &mut self.cluster.shards {
            let broker = &mut shard.broker;
            // What is polled is as old as the machine knows.
            broker.handle_timeout(self.now);
            for _ in 0..10_000 {
                match broker.poll_timeout() {
                    Some(next) if next.at <= self.now => broker.handle_timeout(self.now),
                    _ => break,
                }
            }
            if broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
                return Err(format!("the broker stays due: {:?}", broker.poll_timeout()));
            }
        }
        for peer in &mut self.peers {
            peer.client.handle_timeout(self.now);
        }
        self.look()
    }

    // ---- questions

    pub(super) fn host(&mut self, is_calm: bool) -> Result<(), String> {
        if !is_calm && self.random.percent(5) {
            self.change_policy();
        }
        self.hear()?;
        while let Some((place, question)) = self.asked.pop_front() {
            self.consider(place, &question);
            self.hear()?;
        }
        self.answer_the_door(is_calm)
    }

    /// What the machines tell their host. The books hear it when it happens; questions wait until the host answers.
    pub(super) fn hear(&mut self) -> Result<(), String> {
        for place in 0..self.cluster.shards.len() {
            while let Some(event) = self.cluster.shards[place].broker.poll_event() {
                match event {
                    BrokerEvent::MayPublish { .. } | BrokerEvent::MaySubscribe { .. } => {
                        self.asked.push_back((place, event));
                    }
                    BrokerEvent::Connect { connection, connect } => {
                        let client = self.client_named(connect.client_id.as_bytes());
                        let client = client.ok_or_else(|| format!("{connect:?} is nobody's"))?;
                        let has_method = connect.properties.authentication_method().is_some();
                        self.doors.knocks((place, connection), client, self.now, has_method);
                    }
                    BrokerEvent::Authenticate { connection, .. } => self.doors.steps((place, connection))?,
                    event => {
                        self.note_session(place, &event)?;
                        self.note_will(place, &event)?;
                        self.note_down(place, event)?;
                    }
                }
            }
        }
        self.look_at_traffic()?;
        let (cluster, peers) = (&self.cluster, &self.peers);
        let batches = |client: usize| cluster.shards[cluster.place_of(&peers[client].name)].disk.batches;
        self.wills.settle(self.now, self.asked.is_empty(), batches)
    }

    /// What has gone by on the streams since the last look. What came is known before what left.
    fn look_at_traffic(&mut self) -> Result<(), String> {
        let mut passing = Vec::new();
        for shard in &mut self.cluster.shards {
            passing.append(&mut shard.traffic.passing);
            self.watch.counts.windows_full += core::mem::take(&mut shard.traffic.windows_full);
            self.watch.counts.wraps += core::mem::take(&mut shard.traffic.wraps);
            self.watch.counts.windows_shrunk += core::mem::take(&mut shard.windows_shrunk);
            if let Some(fault) = shard.traffic.faults.pop() {
                return Err(fault);
            }
        }
        passing.sort_by_key(|passing| passing.way != Way::In);
        for passing in passing {
            if let Some(aged) = self.watch.lives.pass(passing)? {
                self.watch.counts.limited += 1;
                self.watch.counts.limited_waited += u64::from(aged.has_waited);
                self.watch.counts.limited_over_restart += u64::from(aged.over_restart);
            }
        }
        Ok(())
    }

    fn is_small(&self, client_id: &[u8]) -> bool {
        self.client_named(client_id)
            .is_some_and(|client| self.plan.clients[client].is_small)
    }

    pub(super) fn client_named(&self, client_id: &[u8]) -> Option<usize> {
        self.peers.iter().position(|peer| peer.name.as_bytes() == client_id)
    }

    /// What an event means for the will of a client.
    fn note_will(&mut self, place: usize, event: &BrokerEvent) -> Result<(), String> {
        let batches = self.cluster.shards[place].disk.batches;
        match event {
            BrokerEvent::Connected {
                connection,
                client_id,
                session_present,
                ..
            } => {
                let Some(client) = self.client_named(client_id) else {
                    return Ok(());
                };
                let key = (place, *connection);
                let comes_back = self.wills.connected(client, key, *session_present, batches)?;
                self.watch.counts.wills_cancelled += u64::from(comes_back);
            }
            BrokerEvent::Disconnected {
                connection,
                client_id,
                reason,
            } => {
                let Some(client) = self.client_named(client_id) else {
                    return Ok(());
                };
                self.watch.retained.cut(client);
                self.watch.note(|| format!("{client} is disconnected: {reason}"));
                self.watch.counts.count_closed(reason);
                let key = (place, *connection);
                let is_dropped = self.wills.disconnected(client, key, reason, self.now, batches)?;
                self.watch.counts.wills_dropped += u64::from(is_dropped);
            }
            BrokerEvent::SessionEnded { client_id } => {
                if let Some(client) = self.client_named(client_id) {
                    let has_ended = self.wills.session_ended(client, batches);
                    self.watch.counts.wills_by_session_end += u64::from(has_ended);
                }
            }
            BrokerEvent::Delivered { message, .. } => {
                let number = wills::number_of(&message.payload);
                let number = number.ok_or_else(|| format!("a will is {:?}", message.payload))?;
                return self.will_told(place, number);
            }
            _ => {}
        }
        Ok(())
    }

    /// A machine has published a will, or has it from the one that has.
    fn will_told(&mut self, place: usize, number: u64) -> Result<(), String> {
        let Some((client, will)) = self.wills.known(number) else {
            return Err(format!("will {number} is published, and nobody has left it"));
        };
        if self.cluster.place_of(&self.peers[client].name) != place {
            return Ok(());
        }
        self.wills_told += 1;
        let cause = self
            .wills
            .published(number, self.now, self.cluster.shards[place].disk.batches)?;
        // One that the host was asked about was in memory alone until the answer came.
        let lasts = self.plan.is_stored && self.wills.lasts(client) && !self.plan.asks;
        self.watch.will_published(number, client, will, cause, lasts);
        Ok(())
    }

    fn note_down(&mut self, place: usize, event: BrokerEvent) -> Result<(), String> {
        match event {
            BrokerEvent::Revoked { client_id, filter } => {
                if let Some(index) = self.client_named(&client_id) {
                    self.watch.revoked(index, &filter.to_string(), self.number);
                }
            }
            BrokerEvent::Dropped { client_id, messages } if self.plan.bounds.has_queues() => {
                let client = self.client_named(&client_id).filter(|_| messages > 0);
                let client = client.ok_or_else(|| format!("{messages} messages to {client_id:?} are dropped"))?;
                self.watch.dropped(client, messages, self.plan.bounds.drops_oldest());
            }
            // What a review leaves without a subscription is dropped.
            BrokerEvent::Dropped { .. } if self.plan.asks => {}
            BrokerEvent::Dropped { client_id, .. } if self.is_small(&client_id) => {}
            BrokerEvent::Disconnected {
                reason: reason @ (Closed::Malformed(_) | Closed::Violation(..)),
                client_id,
                connection,
            } if !self.wrong.contains(&(place, connection)) => {
                return Err(format!("the broker says of {client_id:?}: {reason}"));
            }
            // Its keep-alive stands still.
            BrokerEvent::Disconnected {
                reason: Closed::TimedOut(Timer::KeepAlive),
                connection,
                ..
            } if self.is_too_fast(place, connection) => {
                return Err(format!("{connection:?} is not read, and is taken for silent"));
            }
            BrokerEvent::LimitHit {
                bound: BrokerBound::MessagesPerSecond | BrokerBound::BytesPerSecond,
                times,
                ..
            } => self.pauses_told += times,
            BrokerEvent::LimitHit { bound, times, .. } => {
                self.watch.lost.hit(&self.plan.bounds, bound, times)?;
                self.watch.counts.count_hit(bound, times);
                if bound == BrokerBound::ParkedWills {
                    self.wills.given_up(times);
                }
            }
            BrokerEvent::SessionEnded { client_id } => self.watch.session_of_ended(&client_id),
            BrokerEvent::StoreFailed => self.watch.counts.stores_failed += 1,
            BrokerEvent::Dropped { .. } | BrokerEvent::Missed { .. } => {
                return Err(format!("there was room for all: {event:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a connection is not read since its client was too fast.
    fn is_too_fast(&self, place: usize, connection: ConnectionId) -> bool {
        let of = |peer: &Peer| self.cluster.place_of(&peer.name);
        let links = self
            .peers
            .iter()
            .filter_map(|peer| Some((of(peer), peer.link.as_ref()?)));
        let left = self.left.iter().map(|(place, link, _)| (*place, link));
        let mut all = links.chain(left);
        let link = all.find(|(at, link)| *at == place && link.id == connection);
        let until = link
            .zip(self.plan.rates)
            .and_then(|((_, link), rates)| link.read.until(rates));
        until.is_some_and(|until| until > self.now)
    }

    /// The host answers a question.
    fn consider(&mut self, place: usize, event: &BrokerEvent) {
        match event {
            BrokerEvent::MayPublish {
                question,
                topic,
                connection,
                retain,
                ..
            } => {
                // Of what is asked about again, some may not stay, which says nothing of what comes. A will is asked about in
                // the same way, and its topic says which it is.
                let is_kept = connection.is_none() && *retain && !topic.as_bytes().starts_with(b"w/");
                if is_kept && self.watch.counts.questions % 3 == 0 {
                    self.watch.counts.questions += 1;
                    let broker = &mut self.cluster.shards[place].broker;
                    broker.authorize(self.now, *question, Verdict::DENY);
                } else {
                    self.answer(place, *question, *topic != FORBIDDEN && *topic != FORBIDDEN_WILL);
                }
            }
            BrokerEvent::MaySubscribe {
                question,
                client_id,
                filter,
                ..
            } => {
                let is_it = |(client, denied): &(usize, &str)| {
                    self.peers[*client].name.as_bytes() == client_id && *filter == **denied
                };
                let is_allowed = !self.denied.iter().any(is_it);
                self.answer(place, *question, is_allowed);
            }
            _ => {}
        }
    }

    /// Others may have what they subscribed to than before.
    fn change_policy(&mut self) {
        self.watch.counts.policies += 1;
        if self.plan.asks {
            for _ in 0..self.random.within(1..4) {
                let change = (self.random.place(self.peers.len()), self.random.one_of(&FILTERS));
                let is_denied = !self.denied.remove(&change) && self.denied.insert(change);
                self.watch.policy_changed(change, is_denied);
            }
        }
        for shard in &mut self.cluster.shards {
            shard.broker.policy_changed(self.now);
        }
    }

    /// The broker goes on with what it does in pieces.
    pub(super) fn work(&mut self) {
        for shard in &mut self.cluster.shards {
            let broker = &mut shard.broker;
            if broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
                broker.handle_timeout(self.now);
            }
        }
    }

    fn answer(&mut self, place: usize, question: QuestionId, is_allowed: bool) {
        self.watch.counts.questions += 1;
        let scope = if is_allowed { Scope::Once } else { Scope::Topic };
        let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
        let broker = &mut self.cluster.shards[place].broker;
        broker.authorize(self.now, question, verdict.scope(scope));
    }
}
