//! Retained messages.

use alloc::collections::BTreeMap;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use super::{BrokerLimits, PayloadId};
use crate::Message;
use crate::time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) message: Message,
    pub(super) expires_at: Option<Instant>,
    pub(super) payload_id: Option<PayloadId>,
}
impl Kept {
    pub(super) fn seconds_left(&self, now: Instant) -> Option<u32> {
        self.expires_at
            .map(|at| u32::try_from(at.saturating_since(now).as_secs()).unwrap_or(1).max(1))
    }
}
pub(super) enum Step<'r> {
    Found(&'r Kept),
    Passed(TopicName<Bytes>),
    End,
}
#[derive(Debug)]
pub(super) struct Full;
#[derive(Debug, Default)]
pub(super) struct Retained {
    map: BTreeMap<Bytes, Kept>,
    most: usize,
}
impl Retained {
    pub(super) fn new(limits: &BrokerLimits) -> Self {
        Self {
            map: BTreeMap::new(),
            most: limits.retained_messages as usize,
        }
    }
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
    pub(super) fn bytes(&self) -> u64 {
        self.map.values().map(|kept| kept.message.size()).sum()
    }
    pub(super) fn put(
        &mut self,
        message: &Message,
        expires_at: Option<Instant>,
        payload_id: Option<PayloadId>,
    ) -> Result<Option<Kept>, Full> {
        if self.map.len() >= self.most && !self.map.contains_key(message.topic.as_bytes()) {
            return Err(Full);
        }
        Ok(self.map.insert(
            Bytes::copy_from_slice(message.topic.as_bytes()),
            Kept {
                message: message.clone(),
                expires_at,
                payload_id,
            },
        ))
    }
    pub(super) fn remove(&mut self, topic: &TopicName<Bytes>) -> Option<Kept> {
        self.map.remove(topic.as_bytes())
    }
    pub(super) fn next(&self, filter: &TopicFilter<Bytes>, after: Option<&TopicName<Bytes>>, now: Instant) -> Step<'_> {
        let from = after.map_or(core::ops::Bound::Unbounded, |topic| {
            core::ops::Bound::Excluded(Bytes::copy_from_slice(topic.as_bytes()))
        });
        for (_, kept) in self.map.range((from, core::ops::Bound::Unbounded)) {
            if filter.matches(&kept.message.topic) && kept.expires_at.is_none_or(|at| at > now) {
                return Step::Found(kept);
            }
        }
        Step::End
    }
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.map.values().filter_map(|kept| kept.expires_at).min()
    }
    pub(super) fn expire(&mut self, now: Instant) -> Option<Kept> {
        let topic = self
            .map
            .iter()
            .find(|(_, kept)| kept.expires_at.is_some_and(|at| at <= now))
            .map(|(topic, _)| topic.clone())?;
        self.map.remove(&topic)
    }
}
