//! The host of the broker in a simulation: its store, its clock and its policy.

use core::time::Duration;
use std::collections::BTreeMap;

use mqtt_session::{BrokerBatch, BrokerChange, BrokerEvent, BrokerKey, BrokerRecord, Closed, Instant, Scope, Verdict};

use super::{FILTERS, World};
use crate::broker::watch::FORBIDDEN;

impl World {
    // ---- the store

    pub(super) fn store(&mut self) {
        let mut batch = BrokerBatch::new();
        if self.random.percent(60) && self.broker.poll_store(&mut batch) {
            self.watch.counts.batches += 1;
            if self.plan.lies {
                self.broker.handle_stored(self.now, batch.number());
            }
            self.flying.push_back(batch);
        } else {
            let some = self.random.place(self.flying.len() + 1);
            self.stored(some);
        }
    }

    pub(super) fn stored(&mut self, batches: usize) {
        for _ in 0..batches {
            if let Some(batch) = self.flying.pop_front() {
                write(&mut self.disk, &batch);
                self.watch.note(|| format!("batch {} is stored", batch.number()));
                self.broker.handle_stored(self.now, batch.number());
            }
        }
    }

    // ---- time

    pub(super) fn skip(&mut self) -> Result<(), String> {
        let next = self.next_deadline();
        let far = Duration::from_secs(self.random.one_of(&[1, 10, 4000]));
        let at = match next {
            Some(at) if self.random.percent(80) => at,
            _ => self.now.saturating_add(far),
        };
        self.pass(at)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let clients = self.peers.iter().filter_map(|peer| peer.client.poll_timeout());
        let all = clients.chain(self.broker.poll_timeout()).map(|timeout| timeout.at);
        all.min()
    }

    pub(super) fn pass(&mut self, at: Instant) -> Result<(), String> {
        self.now = self.now.max(at);
        self.watch.note(|| format!("it is {at:?}"));
        for _ in 0..10_000 {
            match self.broker.poll_timeout() {
                Some(next) if next.at <= self.now => self.broker.handle_timeout(self.now),
                _ => break,
            }
        }
        if self.broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
            return Err(format!("the broker stays due: {:?}", self.broker.poll_timeout()));
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
        while let Some(event) = self.broker.poll_event() {
            match event {
                BrokerEvent::MayPublish { question, topic, .. } => {
                    let is_allowed = topic != FORBIDDEN;
                    self.answer(question, is_allowed);
                }
                BrokerEvent::MaySubscribe {
                    question,
                    client_id,
                    filter,
                    ..
                } => {
                    let is_it = |(client, denied): &(usize, &str)| {
                        self.peers[*client].name.as_bytes() == client_id && filter == **denied
                    };
                    let is_allowed = !self.denied.iter().any(is_it);
                    self.answer(question, is_allowed);
                }
                BrokerEvent::Revoked { client_id, filter } => {
                    let index = self.peers.iter().position(|peer| peer.name.as_bytes() == client_id);
                    if let Some(index) = index {
                        self.watch.revoked(index, &filter.to_string(), self.number);
                    }
                }
                // What a review leaves without a subscription is dropped.
                BrokerEvent::Dropped { .. } if self.plan.asks => {}
                BrokerEvent::Disconnected { reason, client_id, .. } => match reason {
                    Closed::Malformed(_) | Closed::Violation(_) => {
                        return Err(format!("the broker says of {client_id:?}: {reason}"));
                    }
                    _ => {}
                },
                BrokerEvent::SessionEnded { client_id } => {
                    if let Some(index) = self.peers.iter().position(|peer| peer.name.as_bytes() == client_id) {
                        self.watch.session_ended(index);
                    }
                }
                BrokerEvent::Dropped { .. } | BrokerEvent::Missed { .. } => {
                    return Err(format!("there was room for all: {event:?}"));
                }
                _ => {}
            }
        }
        Ok(())
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
        self.broker.policy_changed(self.now);
    }

    /// The broker goes on with what it does in pieces.
    pub(super) fn work(&mut self) {
        if self.broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
            self.broker.handle_timeout(self.now);
        }
    }

    pub(super) fn answer(&mut self, question: mqtt_session::QuestionId, is_allowed: bool) {
        self.watch.counts.questions += 1;
        let scope = if is_allowed { Scope::Once } else { Scope::Topic };
        let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
        self.broker.authorize(self.now, question, verdict.scope(scope));
    }
}

pub(super) fn write(disk: &mut BTreeMap<BrokerKey, BrokerRecord>, batch: &BrokerBatch) {
    for change in batch.changes() {
        match change {
            BrokerChange::Put(record) => {
                disk.insert(record.key(), record.clone());
            }
            BrokerChange::Delete(key) => {
                disk.remove(key);
            }
        }
    }
}
