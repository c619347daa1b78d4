//! A broker's records as bytes.
//!
//! | part | bytes |
//! |---|---|
//! | version | 1 |
//! | length of the key | 4 |
//! | key | as [`BrokerKey::encode`] gives it |
//! | publisher, in versions 2 and 3 of what has one | length of its name 2, name |
//! | owner, in version 3 | length of its name 2, name |
//! | retained message, in version 4 | flags 1, publisher and owner if they say so, as before; shard 2, name of the message 8 |
//! | subscription, in version 4 | number of shards 2, of each the name of a message 8 |
//! | broker | saved at 8, sessions 8, forwards 8 |
//! | client | session expiry 4, flags 1, end 8 if they say so, length of its name 2, name; then a will, if they say so |
//! | record of a session | as in [`Record::encode`], between key and checksum |
//! | payload of a message | 0, payload 8; or 1 and the bytes of it |
//! | subscription | options 1, flags 1, identifier 4 and shard 2 if they say so, then the last replayed topic |
//! | retained message | payload 8, then a message without its topic |
//! | payload | the payload |
//! | message to other shards | payload 8, flags 1, groups 4, of each its shard 2, length 2 and filter; then a message |
//! | another shard | up to 8 |
//! | checksum | 4: CRC-32C of all before |
//!
//! A will has flags 1, delay 4, expiry 4 and due 8 if the flags say so, length of its message 4, message; and then its payload.
//! A message is that of the records of sessions. The highest byte of a number comes first.
//!
//! A record has the lowest version that can say it: 4 if it is a retained message with a name of its own, or a subscription
//! whose replay goes by such names; 3 if its client or its publisher has an owner; 2 if it has a publisher
//! without one, which a retained message and one to other shards may have; and otherwise 1, as all had before there were
//! publishers.

mod decoding;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes};
use mqtt_proto::EncodeError;

use super::party::Party;
use super::records::{
    BrokerKey, BrokerRecord, ClientRecord, ForwardId, ForwardRecord, Origin, SubscriptionRecord, WillRecord,
};
use crate::store::codec::Fields;
use crate::store::crc::Crc32c;
use crate::store::{Record, RecordError};

/// The version of the layout. It changes with that of the records of sessions, whose fields stand in these.
const VERSION: u8 = 1;
/// That of a record with a publisher.
const WITH_PUBLISHER: u8 = 2;
/// That of a record whose client or publisher has an owner.
const WITH_OWNER: u8 = 3;
/// That of a retained message with its name, and of a subscription with a replay that goes by names.
const WITH_NAMES: u8 = 4;

const CHECKSUM_BYTES: usize = 4;

/// Flags of a client.
const HAS_END: u8 = 1;
const HAS_WILL: u8 = 2;
/// Flags of a will.
const HAS_EXPIRY: u8 = 1;
const IS_DUE: u8 = 2;
/// Flags of a retained message, in the version with names.
const HAS_PUBLISHER: u8 = 1;
const HAS_OWNER: u8 = 2;
/// Flags of a subscription.
const HAS_IDENTIFIER: u8 = 1;
const IS_REPLAYED: u8 = 2;
const HAS_REPLAYED: u8 = 4;
/// A flag of a message to other shards.
const IS_ROUTED: u8 = 1;
/// What a payload of a message is.
const IS_SHARED: u8 = 0;
const IS_OWN: u8 = 1;

impl BrokerRecord {
    /// How many bytes [`encode`](Self::encode) appends: the payload, names, topics and properties of the record, and
    ///
    /// | record | bytes beside them |
    /// |---|---|
    /// | the broker | 34 |
    /// | a client | 26 to 34, with a will 12 to 32 more, and 2 more with an owner |
    /// | a record of a session | 13 more than [`Record::encoded_len`] says; 14 for a payload |
    /// | the payload of a message | 36 |
    /// | a subscription | 21 to 27, with a replay 2 more, and 8 more for each shard |
    /// | a retained message | 30 to 38, 2 more with the name of its publisher, and 2 more with that of an owner |
    /// | a payload | 18 |
    /// | a message to other shards | 34 to 42, 4 for each group, 2 more with the name of its publisher, and 2 more with that of an owner |
    /// | another shard | 20 |
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut len = CHECKSUM_BYTES;
        self.put(&mut |part| len = len.saturating_add(part.len()));
        len
    }

    /// Appends the record to a buffer, as bytes that detect damage, and returns how many they are.
    ///
    /// # Errors
    /// If the buffer cannot take it, which a `Vec` always can. Nothing has been written then.
    pub fn encode(&self, buffer: &mut impl BufMut) -> Result<usize, EncodeError> {
        let needed = self.encoded_len();
        if buffer.remaining_mut() < needed {
            return Err(EncodeError::BufferTooSmall { needed });
        }
        let mut checksum = Crc32c::EMPTY;
        self.put(&mut |part| {
            checksum = checksum.and(part);
            buffer.put_slice(part);
        });
        buffer.put_slice(&checksum.value().to_be_bytes());
        Ok(needed)
    }

    /// The record of these bytes.
    ///
    /// It shares their memory, so they should be no part of a larger buffer. No length that they state is trusted.
    ///
    /// # Errors
    /// If they are damaged, of a version that is not known, or not a record.
    pub fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let (version, _) = bytes.split_first().ok_or(RecordError::TooShort)?;
        if !matches!(*version, VERSION..=WITH_NAMES) {
            return Err(RecordError::Version(*version));
        }
        let (sealed, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(RecordError::TooShort)?;
        if Crc32c::EMPTY.and(sealed).value() != u32::from_be_bytes(*checksum) {
            return Err(RecordError::Checksum);
        }
        let mut fields = Fields(bytes.slice(1..sealed.len()));
        let key = fields.long("key")?;
        let kind = key.first().copied().ok_or(RecordError::Field("key"))?;
        match BrokerKey::decode(&key) {
            Some(BrokerKey::Client(session)) if *version == WITH_OWNER => {
                let owner = fields.short("owner")?;
                fields.client(session, Some(&owner)).map(Self::Client)
            }
            Some(key) if *version == WITH_NAMES => fields.named_record_of(key),
            Some(key) if *version != VERSION => {
                let client_id = fields.short("publisher")?;
                let owner = match *version {
                    WITH_OWNER => Some(fields.short("owner")?),
                    _ => None,
                };
                let publisher = Party::new(&client_id, owner.as_deref()).ok_or(RecordError::Field("publisher"))?;
                fields.record_of(key)?.published_by(publisher, *version)
            }
            Some(key) => fields.record_of(key),
            None if BrokerKey::is_kind(kind) => Err(RecordError::Field("key")),
            None => Err(RecordError::Kind(kind)),
        }
    }

    /// What encoded bytes say is their key. Nothing of them is checked, and they may be damaged.
    #[must_use]
    pub fn key_bytes(bytes: &[u8]) -> Option<&[u8]> {
        let (_, rest) = bytes.split_first()?;
        let (len, rest) = rest.split_first_chunk()?;
        rest.get(..usize::try_from(u32::from_be_bytes(*len)).ok()?)
    }

    const fn publisher(&self) -> Option<&Party> {
        match self {
            Self::Retained { publisher, .. } => publisher.as_ref(),
            Self::Forward(forward) => forward.publisher.as_ref(),
            _ => None,
        }
    }

    /// The same with a publisher, if it may have one.
    fn published_by(mut self, party: Party, version: u8) -> Result<Self, RecordError> {
        match &mut self {
            Self::Retained { publisher, .. } => *publisher = Some(party),
            Self::Forward(forward) => forward.publisher = Some(party),
            _ => return Err(RecordError::Version(version)),
        }
        Ok(self)
    }

    /// Whether it tells names of messages, which earlier versions did not.
    fn has_names(&self) -> bool {
        match self {
            Self::Retained { origin, .. } => *origin != Origin::default(),
            Self::Subscription(subscription) => subscription.seen().is_some(),
            _ => false,
        }
    }

    fn put_names(&self, put: &mut impl FnMut(&[u8])) {
        match self {
            Self::Retained { origin, .. } => {
                put(&origin.shard.0.to_be_bytes());
                put(&origin.name.0.to_be_bytes());
            }
            Self::Subscription(subscription) => {
                // There are no more shards than two bytes can say.
                let seen = subscription.seen().unwrap_or_default();
                let seen = seen.get(..usize::from(u16::MAX)).unwrap_or(seen);
                put(&len_2(seen.len()));
                for name in seen {
                    put(&name.0.to_be_bytes());
                }
            }
            _ => {}
        }
    }

    /// Everything before the checksum, part by part.
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let key = self.key();
        let (head, text) = key.layout();
        let publisher = self.publisher();
        let owner = match self {
            Self::Client(client) => client.who.owner(),
            _ => publisher.and_then(Party::owner),
        };
        let has_names = self.has_names();
        put(&[match (publisher, owner) {
            _ if has_names => WITH_NAMES,
            (_, Some(_)) => WITH_OWNER,
            (Some(_), None) => WITH_PUBLISHER,
            (None, None) => VERSION,
        }]);
        put(&len_4(head.as_slice().len().saturating_add(text.len())));
        put(head.as_slice());
        put(text);
        if has_names && matches!(self, Self::Retained { .. }) {
            put(&[flag(HAS_PUBLISHER, publisher.is_some()) | flag(HAS_OWNER, owner.is_some())]);
        }
        let client_id = publisher.map(Party::client_id);
        for name in [client_id, owner].into_iter().flatten() {
            put_name(name, put);
        }
        if has_names {
            self.put_names(put);
        }
        match self {
            Self::Broker {
                saved_at,
                sessions,
                forwards,
            } => {
                put(&saved_at.as_micros().to_be_bytes());
                put(&sessions.to_be_bytes());
                put(&forwards.to_be_bytes());
            }
            Self::Client(client) => client.put(put),
            Self::Session { session: _, record } => {
                if matches!(record, Record::Payload { .. }) {
                    put(&[IS_OWN]);
                }
                record.put_fields(put);
            }
            Self::PayloadOf {
                session: _,
                of: _,
                payload,
            } => {
                put(&[IS_SHARED]);
                put(&payload.0.to_be_bytes());
            }
            Self::Subscription(subscription) => subscription.put(put),
            Self::Retained {
                message,
                payload,
                publisher: _,
                origin: _,
            } => {
                put(&payload.0.to_be_bytes());
                message.put_without_topic(put);
            }
            Self::Payload { id: _, bytes } => put(bytes),
            Self::Forward(forward) => forward.put(put),
            Self::Shard { shard: _, upto } => put(&upto.0.to_be_bytes()),
        }
    }
}

impl ClientRecord {
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let Self {
            session: _,
            who,
            session_expiry_seconds,
            ends_at,
            will,
        } = self;
        put(&session_expiry_seconds.to_be_bytes());
        put(&[flag(HAS_END, ends_at.is_some()) | flag(HAS_WILL, will.is_some())]);
        if let Some(at) = ends_at {
            put(&at.as_micros().to_be_bytes());
        }
        put_name(who.client_id(), put);
        if let Some(will) = will {
            will.put(put);
        }
    }
}

impl WillRecord {
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let Self {
            message,
            expiry_seconds,
            payload,
            delay_seconds,
            at,
        } = self;
        put(&[flag(HAS_EXPIRY, expiry_seconds.is_some()) | flag(IS_DUE, at.is_some())]);
        put(&delay_seconds.to_be_bytes());
        if let Some(seconds) = expiry_seconds {
            put(&seconds.to_be_bytes());
        }
        if let Some(at) = at {
            put(&at.as_micros().to_be_bytes());
        }
        let mut len = 0_usize;
        message.put(&mut |part| len = len.saturating_add(part.len()));
        put(&len_4(len));
        message.put(put);
        put(payload);
    }
}

impl SubscriptionRecord {
    /// By which names its replay goes, if it does.
    fn seen(&self) -> Option<&[ForwardId]> {
        let seen = self.replay.as_ref().map(|replay| replay.seen.as_slice());
        seen.filter(|seen| !seen.is_empty())
    }

    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let Self {
            session: _,
            filter: _,
            options,
            identifier,
            replay,
        } = self;
        let shard = replay.as_ref().map(|replay| replay.shard);
        let after = replay.as_ref().and_then(|replay| replay.after.as_ref());
        put(&[
            options.bits(),
            flag(HAS_IDENTIFIER, identifier.is_some())
                | flag(IS_REPLAYED, shard.is_some())
                | flag(HAS_REPLAYED, after.is_some()),
        ]);
        if let Some(identifier) = identifier {
            put(&identifier.get().to_be_bytes());
        }
        if let Some(shard) = shard {
            put(&shard.0.to_be_bytes());
        }
        if let Some(topic) = after {
            put(topic.as_bytes());
        }
    }
}

impl ForwardRecord {
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let Self {
            id: _,
            message,
            payload,
            publisher: _,
            is_routed,
            groups,
        } = self;
        put(&payload.0.to_be_bytes());
        put(&[flag(IS_ROUTED, *is_routed)]);
        put(&len_4(groups.len()));
        for (shard, filter) in groups {
            put(&shard.0.to_be_bytes());
            put(&len_2(filter.len()));
            put(filter.as_bytes());
        }
        message.put(put);
    }
}

/// The name of a client or an owner, which came in a field with a length of this size.
fn put_name(name: &[u8], put: &mut impl FnMut(&[u8])) {
    let name = name.get(..usize::from(u16::MAX)).unwrap_or(name);
    put(&len_2(name.len()));
    put(name);
}

const fn flag(flag: u8, is_set: bool) -> u8 {
    if is_set { flag } else { 0 }
}

/// A length in four bytes. Nothing that is stored with its length is longer than they can say.
fn len_4(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}

/// The length of something that a field of the protocol has held.
const fn len_2(len: usize) -> [u8; 2] {
    let [.., high, low] = len.to_be_bytes();
    [high, low]
}
