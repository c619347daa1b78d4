//! Messages of QoS 2 that are stored until the other shards have them.

use alloc::collections::BTreeMap;

use bytes::Bytes;
use mqtt_proto::TopicFilter;

use super::super::Broker;
use super::super::names::Names;
use super::super::party::Party;
use super::super::records::{BrokerKey, BrokerRecord, ForwardId, ForwardRecord};
use super::ShardId;
use crate::Message;
use crate::qos::message_record;

/// Messages on their way, and how far those of others have been taken.
#[derive(Debug, Default)]
pub(in super::super) struct Forwards {
    pub(in super::super) names: Names,
    /// What is stored, until the others have it.
    kept: BTreeMap<ForwardId, ForwardRecord>,
    /// With which number each was sent.
    sent: BTreeMap<u64, ForwardId>,
    taken: BTreeMap<ShardId, ForwardId>,
}

impl Forwards {
    /// Whether a message of another shard was taken before. One without a name never was.
    pub(super) fn has_taken(&self, from: ShardId, forward: Option<ForwardId>) -> bool {
        let taken = self.taken.get(&from);
        forward.is_some_and(|forward| taken.is_some_and(|taken| forward <= *taken))
    }

    pub(in super::super) fn take(&mut self, from: ShardId, forward: ForwardId) {
        let taken = self.taken.entry(from).or_default();
        *taken = forward.max(*taken);
    }

    pub(super) fn is_on_its_way(&mut self, number: u64, forward: ForwardId) {
        self.sent.insert(number, forward);
    }
}

impl Broker {
    /// The name of a message that is to be retained, which came now.
    pub(in super::super) fn name_retained(&mut self) -> ForwardId {
        self.peers.retained = self.name_message();
        self.peers.retained
    }

    fn name_message(&mut self) -> ForwardId {
        if self.peers.forwards.names.set_aside() {
            self.write_broker();
            if self.journal.is_enabled() && !self.peers.is_alone() {
                // Another shard would store a name that the next life gives to another message.
                self.peers.gate = self.journal.ticket();
            }
        }
        ForwardId(self.peers.forwards.names.give())
    }

    /// Stores a message until the other shards have it, with the name that it has. `None`: there is no store.
    pub(in super::super) fn forward(
        &mut self,
        message: &Message,
        publisher: Option<&Party>,
        groups: &[(ShardId, TopicFilter<Bytes>)],
        is_routed: bool,
        name: Option<ForwardId>,
    ) -> Option<ForwardId> {
        if !self.journal.is_enabled() {
            return None;
        }
        let id = name.unwrap_or_else(|| self.name_message());
        let expires_at = message.expiry_seconds.map(|seconds| self.now.after_seconds(seconds));
        let record = ForwardRecord {
            id,
            message: message_record(message, expires_at, None),
            payload: self.journal.share(&message.payload),
            publisher: publisher.cloned(),
            is_routed,
            groups: groups.to_vec(),
        };
        self.journal.put(|| BrokerRecord::Forward(record.clone()));
        self.peers.forwards.kept.insert(id, record);
        Some(id)
    }

    /// This group gets the message by another way.
    pub(super) fn leave_out(&mut self, forward: Option<ForwardId>, shard: ShardId, group: &TopicFilter<Bytes>) {
        let Some(record) = forward.and_then(|forward| self.peers.forwards.kept.get_mut(&forward)) else {
            return;
        };
        record.groups.retain(|(of, known)| *of != shard || known != group);
        self.journal.put(|| BrokerRecord::Forward(record.clone()));
    }

    /// The others have messages: these are not stored any more.
    pub(super) fn forget_forwards(&mut self) {
        while let Some((number, id)) = self.peers.forwards.sent.first_key_value() {
            let (number, id) = (*number, *id);
            if !self.peers.have_done(number) {
                break;
            }
            self.peers.forwards.sent.remove(&number);
            if let Some(record) = self.peers.forwards.kept.remove(&id) {
                self.journal.delete(|| BrokerKey::Forward(id));
                self.journal.release(record.payload);
            }
        }
    }

    /// A message of an earlier life goes on its way again: who has it knows its name.
    pub(in super::super) fn forward_again(&mut self, record: ForwardRecord, payload: Bytes) {
        let (id, is_routed) = (record.id, record.is_routed);
        self.peers.forwards.names.restore_given(id.0);
        let expires_at = record.message.expires_at;
        let mut message = record.message.clone().into_message(payload);
        if let Some(end) = expires_at {
            message.ends_at(end, self.now);
        }
        let (groups, publisher) = (record.groups.clone(), record.publisher.clone());
        self.peers.forwards.kept.insert(id, record);
        self.publish_to_peers(&message, publisher.as_ref(), groups, is_routed, None, Some(id));
    }
}
