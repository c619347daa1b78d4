//! A broker from the records of an earlier life.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use bytes::Bytes;

use super::agenda::Who;
use super::kept::{Consent, Kept};
use super::party::Party;
use super::peers::ShardId;
use super::records::{
    BrokerKey, BrokerRecord, ClientRecord, ForwardRecord, Origin, PayloadId, SubscriptionRecord, WillRecord,
};
use super::replay::Replay;
use super::routes::Wanted;
use super::sessions::{PendingWill, Place, SessionId};
use super::{Broker, BrokerConfig};
use crate::Session;
use crate::shared::Shared;
use crate::store::{Key, MessageRecord, PayloadOf, Record};
use crate::time::Instant;

/// Takes the records of an earlier life, in any order.
///
/// Where the host [is asked](super::Ask) about subscriptions or messages, it is asked again about all subscriptions and
/// retained messages that are restored, as after a [change of the policy](Broker::policy_changed): what it said, and whether
/// it had said all, has ended with the earlier life.
///
/// ```
/// use mqtt_session::{Broker, BrokerConfig, BrokerRecord, Instant};
/// # let (records, now) = (Vec::<BrokerRecord>::new(), Instant::from_secs(1));
/// let mut restore = Broker::restore(BrokerConfig::new(7), now);
/// for record in records {
///     restore.record(record);
/// }
/// let (broker, report) = restore.finish();
/// assert_eq!(report.sessions, 0);
/// # drop(broker);
/// ```
#[derive(Debug)]
pub struct BrokerRestore {
    broker: Broker,
    sessions: BTreeMap<SessionId, Gathered>,
    retained: Vec<(MessageRecord, PayloadId, Option<Party>, Origin)>,
    payloads: BTreeMap<PayloadId, Bytes>,
    /// Sessions that are over. They end when all others are there, which may get what they leave.
    over: Vec<u32>,
    forwards: Vec<ForwardRecord>,
    report: BrokerReport,
}

/// What there is of one session.
#[derive(Debug, Default)]
struct Gathered {
    client: Option<ClientRecord>,
    records: Vec<Record>,
    payloads: Vec<(PayloadOf, PayloadId)>,
    subscriptions: Vec<SubscriptionRecord>,
    damaged: Vec<Key>,
}

/// What came of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerReport {
    /// Sessions that go on.
    pub sessions: u64,
    /// Subscriptions that go on.
    pub subscriptions: u64,
    /// Retained messages.
    pub retained: u64,
    /// Records that could not be used, and that are being removed. A message, a subscription or a retained message is lost
    /// alone.
    pub quarantined: Vec<BrokerKey>,
    /// Clients whose sessions ended, since half a session cannot keep its promise: the record of the session or of an exchange
    /// of QoS 2 was damaged. Those whose time was over are not among them.
    pub ended: Vec<Bytes>,
}

impl Broker {
    /// A broker that goes on with what an earlier life has stored.
    #[must_use]
    pub fn restore(config: BrokerConfig, now: Instant) -> BrokerRestore {
        let mut broker = Self::begin(config.is_stored(true), now);
        // What the host said to the earlier life is not known, nor whether it had said all.
        broker.begin_review();
        BrokerRestore {
            broker,
            sessions: BTreeMap::new(),
            retained: Vec::new(),
            payloads: BTreeMap::new(),
            over: Vec::new(),
            forwards: Vec::new(),
            report: BrokerReport::default(),
        }
    }
}

impl BrokerRestore {
    /// Takes a record.
    pub fn record(&mut self, record: BrokerRecord) {
        match record {
            BrokerRecord::Broker {
                saved_at,
                sessions,
                forwards,
            } => {
                self.broker.advance(saved_at);
                self.broker.sessions.names.restore_named(sessions);
                self.broker.peers.forwards.names.restore_named(forwards);
            }
            BrokerRecord::Forward(forward) => self.forwards.push(forward),
            BrokerRecord::Shard { shard, upto } => {
                self.broker.peers.forwards.take(shard, upto);
                self.broker.peers.note_seen(shard, upto);
            }
            BrokerRecord::Client(client) => {
                let session = client.session;
                self.of(session).client = Some(client);
            }
            BrokerRecord::Session { session, record } => {
                if let Record::Session(record) = &record {
                    self.broker.advance(record.saved_at);
                }
                self.of(session).records.push(record);
            }
            BrokerRecord::PayloadOf { session, of, payload } => self.of(session).payloads.push((of, payload)),
            BrokerRecord::Subscription(subscription) => {
                let session = subscription.session;
                self.of(session).subscriptions.push(subscription);
            }
            BrokerRecord::Retained {
                message,
                payload,
                publisher,
                origin,
            } => self.retained.push((message, payload, publisher, origin)),
            BrokerRecord::Payload { id, bytes } => {
                self.payloads.insert(id, bytes);
            }
        }
    }

    /// Takes what the store has under a key, as it was encoded. What is damaged is reported.
    pub fn encoded(&mut self, key: BrokerKey, bytes: &Bytes) {
        match BrokerRecord::decode(bytes) {
            Ok(record) if record.key() == key => self.record(record),
            _ => self.damaged(key),
        }
    }

    /// Something stands under this key that cannot be read.
    pub fn damaged(&mut self, key: BrokerKey) {
        if let BrokerKey::Session(session, key) = key {
            self.of(session).damaged.push(key);
        }
        self.quarantine(key);
    }

    /// Ends restoring. Restored sessions are routed to from the first message on.
    #[must_use]
    pub fn finish(mut self) -> (Broker, BrokerReport) {
        for (id, gathered) in core::mem::take(&mut self.sessions) {
            match gathered.client.clone() {
                Some(client) => self.restore_session(&client, gathered),
                None => self.drop_session(id, &gathered),
            }
        }
        self.restore_retained();
        // Before what sessions leave, which gets later names: what is said later is not taken for an earlier message.
        self.restore_forwards();
        for slot in core::mem::take(&mut self.over) {
            self.broker.end_session(slot);
        }
        for (id, _) in core::mem::take(&mut self.payloads) {
            if !self.broker.journal.has_payload(id) {
                self.broker.journal.delete(|| BrokerKey::Payload(id));
            }
        }
        self.broker.say_here();
        (self.broker, self.report)
    }

    fn of(&mut self, session: SessionId) -> &mut Gathered {
        self.sessions.entry(session).or_default()
    }

    fn quarantine(&mut self, key: BrokerKey) {
        self.broker.journal.delete(|| key.clone());
        self.report.quarantined.push(key);
    }

    /// Records of a session without a client: they would be in the way of nobody, and of no use.
    fn drop_session(&mut self, session: SessionId, gathered: &Gathered) {
        let records = gathered.records.iter().map(Record::key);
        let payloads = gathered.payloads.iter().map(|(of, _)| Key::Payload(*of));
        for key in records.chain(payloads) {
            self.quarantine(BrokerKey::Session(session, key));
        }
        for subscription in &gathered.subscriptions {
            self.quarantine(BrokerKey::Subscription(session, subscription.filter.clone()));
        }
    }

    fn restore_session(&mut self, client: &ClientRecord, gathered: Gathered) {
        let mut restore = Session::restore_with(Shared::clone(&self.broker.manner), self.broker.now);
        for record in gathered.records {
            restore.record(record);
        }
        for key in gathered.damaged {
            restore.damaged(key);
        }
        for (of, payload) in gathered.payloads {
            match self.payloads.get(&payload) {
                Some(bytes) => {
                    let bytes = bytes.clone();
                    self.broker.journal.restore_payload(client.session, of, payload, &bytes);
                    restore.record(Record::Payload { of, bytes });
                }
                None => restore.damaged(Key::Payload(of)),
            }
        }
        let (session, report) = restore.finish();
        for quarantined in &report.quarantined {
            let key = BrokerKey::Session(client.session, quarantined.key);
            if !self.report.quarantined.contains(&key) {
                self.report.quarantined.push(key);
            }
        }
        // A session whose time is over loses its own records first, and the others when its end is due: it is that still.
        let is_over = client.ends_at.is_some_and(|at| at <= self.broker.now);
        let has_ended = (report.session_ended || session.has_ended()) && !is_over;
        let slot = self.seat(client, session);
        for subscription in gathered.subscriptions {
            self.restore_subscription(slot, subscription);
        }
        if has_ended {
            self.report.ended.push(client.who.shared_client_id());
            self.over.push(slot);
        } else {
            self.report.sessions = self.report.sessions.saturating_add(1);
        }
    }

    /// Puts a session where its client will find it. Nobody is connected: a connection that was open when the records were
    /// written has ended with that life.
    fn seat(&mut self, client: &ClientRecord, mut session: Session) -> u32 {
        let broker = &mut self.broker;
        match client.ends_at {
            Some(at) => session.set_end(Some(at)),
            None => session.outlives(broker.now, client.session_expiry_seconds),
        }
        let will = client.will.as_ref().map(|will| broker.pending(will, client));
        let place = Place::Parked(Box::new(session));
        let slot = broker.sessions.insert_named(client.session, client.who.clone(), place);
        if let Some(entry) = broker.sessions.get_mut(slot) {
            entry.session_expiry_seconds = client.session_expiry_seconds;
            let at = will.as_ref().map(|will| will.at);
            entry.will = will.map(Box::new);
            broker.agenda.arm(Who::Session(slot), &mut entry.armed, at);
        }
        broker.with_parked(slot, |_| ());
        broker.write_client(slot, None);
        slot
    }

    fn restore_subscription(&mut self, slot: u32, subscription: SubscriptionRecord) {
        let wanted = Wanted {
            options: subscription.options,
            identifier: subscription
                .identifier
                .and_then(|identifier| NonZeroU32::new(identifier.get())),
        };
        if self
            .broker
            .routes
            .subscribe(slot, &subscription.filter, wanted)
            .is_err()
        {
            return self.quarantine(BrokerKey::Subscription(subscription.session, subscription.filter));
        }
        self.broker.member_came(slot, &subscription.filter);
        self.report.subscriptions = self.report.subscriptions.saturating_add(1);
        let (replay, entry) = (subscription.replay, self.broker.sessions.get_mut(slot));
        if let (Some(replay), Some(entry)) = (replay, entry) {
            for (shard, name) in (0..).map(ShardId).zip(&replay.seen) {
                self.broker.peers.note_seen(shard, *name);
            }
            entry.replays.push_back(Replay {
                filter: subscription.filter,
                wanted,
                shard: replay.shard,
                after: replay.after,
                seen: replay.seen,
                asked: None,
            });
        }
    }

    /// Messages that other shards may not have.
    fn restore_forwards(&mut self) {
        let mut forwards = core::mem::take(&mut self.forwards);
        forwards.sort_by_key(|forward| forward.id);
        for forward in forwards {
            match self.payloads.get(&forward.payload) {
                Some(payload) if !self.broker.peers.is_alone() => {
                    let payload = payload.clone();
                    self.broker.journal.restore_shared(forward.payload, &payload);
                    self.broker.forward_again(forward, payload);
                }
                _ => self.quarantine(BrokerKey::Forward(forward.id)),
            }
        }
    }

    fn restore_retained(&mut self) {
        // Names once for all of a publisher's messages.
        let mut parties = BTreeSet::new();
        for (record, payload_id, publisher, origin) in core::mem::take(&mut self.retained) {
            let key = BrokerKey::Retained(record.topic.clone());
            let expires_at = record.expires_at;
            let Some(payload) = self.payloads.get(&payload_id) else {
                self.quarantine(key);
                continue;
            };
            let payload = payload.clone();
            self.broker.journal.restore_shared(payload_id, &payload);
            let kept = Kept {
                message: record.into_message(payload),
                expires_at,
                payload_id: Some(payload_id),
                publisher: publisher.map(|publisher| self.broker.shared_party(publisher, &mut parties)),
                consent: Consent::Unknown,
                origin,
            };
            self.broker.peers.note_seen(origin.shard, origin.name);
            if self.broker.keep(kept) {
                self.report.retained = self.report.retained.saturating_add(1);
            } else {
                self.quarantine(key);
            }
        }
    }
}

impl Broker {
    /// The names of a party in one place in memory: that of its session, or of what else it has left.
    fn shared_party(&self, party: Party, parties: &mut BTreeSet<Party>) -> Party {
        let session = self.sessions.of_client(party.client_id());
        if let Some(own) = session
            .map(|session| self.party_of(session))
            .filter(|own| *own == party)
        {
            return own;
        }
        if let Some(known) = parties.get(&party) {
            return known.clone();
        }
        parties.insert(party.clone());
        party
    }

    /// A will whose connection ended at the latest with the earlier life: its client may come back before it is due.
    fn pending(&self, will: &WillRecord, client: &ClientRecord) -> PendingWill {
        let delay = will.delay_seconds.min(client.session_expiry_seconds);
        let due = will.at.unwrap_or_else(|| self.now.after_seconds(delay));
        let mut message = will.message.clone().into_message(will.payload.clone());
        message.expiry_seconds = will.expiry_seconds;
        PendingWill {
            message,
            at: due.max(self.now.saturating_add(self.config.restart_grace)),
        }
    }
}
