//! A broker's records as bytes.
//!
//! | part | bytes |
//! |---|---|
//! | version | 1 |
//! | length of the key | 4 |
//! | key | as [`BrokerKey::encode`] gives it |
//! | publisher, in version 2 | length of its name 2, name |
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
//! A record has the lowest version that can say it: 2 if it has a publisher, which a retained message and one to other shards
//! may have, and otherwise 1, as all had before there were publishers.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};
use mqtt_proto::{EncodeError, SubscriptionId, SubscriptionOptions, TopicFilter, TopicName};

use super::peers::ShardId;
use super::records::{
    BrokerKey, BrokerRecord, ClientRecord, ForwardId, ForwardRecord, PayloadId, ReplayRecord, SubscriptionRecord,
    WillRecord,
};
use super::sessions::SessionId;
use crate::store::codec::Fields;
use crate::store::crc::Crc32c;
use crate::store::{Key, Record, RecordError};
use crate::time::Instant;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

/// The version of the layout. It changes with that of the records of sessions, whose fields stand in these.
const VERSION: u8 = 1;
/// That of a record with a publisher.
const WITH_PUBLISHER: u8 = 2;

const CHECKSUM_BYTES: usize = 4;

/// Flags of a client.
const HAS_END: u8 = 1;
const HAS_WILL: u8 = 2;
/// Flags of a will.
const HAS_EXPIRY: u8 = 1;
const IS_DUE: u8 = 2;
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
    /// | a client | 26 to 34, and with a will 12 to 32 more |
    /// | a record of a session | 13 more than [`Record::encoded_len`] says; 14 for a payload |
    /// | the payload of a message | 36 |
    /// | a subscription | 21 to 27 |
    /// | a retained message | 19 to 27, and 2 more with the name of its publisher |
    /// | a payload | 18 |
    /// | a message to other shards | 34 to 42, 4 for each group, and 2 more with the name of its publisher |
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
        if !matches!(*version, VERSION | WITH_PUBLISHER) {
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
            Some(key) if *version == WITH_PUBLISHER => {
                let publisher = fields.short("publisher")?;
                fields.record_of(key)?.published_by(publisher)
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

    const fn publisher(&self) -> Option<&Bytes> {
        match self {
            Self::Retained { publisher, .. } => publisher.as_ref(),
            Self::Forward(forward) => forward.publisher.as_ref(),
            _ => None,
        }
    }

    /// The same with a publisher, if it may have one.
    fn published_by(mut self, client_id: Bytes) -> Result<Self, RecordError> {
        match &mut self {
            Self::Retained { publisher, .. } => *publisher = Some(client_id),
            Self::Forward(forward) => forward.publisher = Some(client_id),
            _ => return Err(RecordError::Version(WITH_PUBLISHER)),
        }
        Ok(self)
    }

    /// Everything before the checksum, part by part.
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let key = self.key();
        let (head, text) = key.layout();
        let publisher = self.publisher();
        put(&[if publisher.is_some() { WITH_PUBLISHER } else { VERSION }]);
        put(&len_4(head.as_slice().len().saturating_add(text.len())));
        put(head.as_slice());
        put(text);
        if let Some(name) = publisher {
            put_name(name, put);
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
            client_id,
            session_expiry_seconds,
            ends_at,
            will,
        } = self;
        put(&session_expiry_seconds.to_be_bytes());
        put(&[flag(HAS_END, ends_at.is_some()) | flag(HAS_WILL, will.is_some())]);
        if let Some(at) = ends_at {
            put(&at.as_micros().to_be_bytes());
        }
        put_name(client_id, put);
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
    fn put(&self, put: &mut impl FnMut(&[u8])) {
        let Self {
            session: _,
            filter: _,
            options,
            identifier,
            replay,
        } = self;
        let shard = replay.as_ref().map(|ReplayRecord { shard, after: _ }| shard);
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

/// The name of a client, which came in a field with a length of this size.
fn put_name(name: &Bytes, put: &mut impl FnMut(&[u8])) {
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

impl Fields {
    fn record_of(mut self, key: BrokerKey) -> Result<BrokerRecord, RecordError> {
        match key {
            BrokerKey::Broker => {
                let saved_at = self.instant("saved at")?;
                let sessions = self.u64("sessions")?;
                let forwards = self.u64("forwards")?;
                self.end(BrokerRecord::Broker {
                    saved_at,
                    sessions,
                    forwards,
                })
            }
            BrokerKey::Client(session) => self.client(session).map(BrokerRecord::Client),
            BrokerKey::Session(session, Key::Payload(of)) => match self.array("payload")? {
                [IS_SHARED] => {
                    let payload = PayloadId(self.u64("payload")?);
                    self.end(BrokerRecord::PayloadOf { session, of, payload })
                }
                [IS_OWN] => Ok(BrokerRecord::Session {
                    session,
                    record: Record::Payload { of, bytes: self.rest() },
                }),
                _ => Err(RecordError::Field("payload")),
            },
            BrokerKey::Session(session, key) => {
                let record = self.record(key)?;
                Ok(BrokerRecord::Session { session, record })
            }
            BrokerKey::Subscription(session, filter) => {
                let (options, identifier, replay) = self.subscription()?;
                Ok(BrokerRecord::Subscription(SubscriptionRecord {
                    session,
                    filter,
                    options,
                    identifier,
                    replay,
                }))
            }
            BrokerKey::Retained(topic) => {
                let payload = PayloadId(self.u64("payload")?);
                let message = self.resting_message(Some(topic))?;
                Ok(BrokerRecord::Retained {
                    message,
                    payload,
                    publisher: None,
                })
            }
            BrokerKey::Payload(id) => Ok(BrokerRecord::Payload { id, bytes: self.rest() }),
            BrokerKey::Forward(id) => self.forward(id).map(BrokerRecord::Forward),
            BrokerKey::Shard(shard) => {
                let upto = ForwardId(self.u64("up to")?);
                self.end(BrokerRecord::Shard { shard, upto })
            }
        }
    }

    fn client(mut self, session: SessionId) -> Result<ClientRecord, RecordError> {
        let session_expiry_seconds = self.u32("session expiry")?;
        let flags = self.flags(HAS_END | HAS_WILL)?;
        let ends_at = self.optional(flags, HAS_END, |fields| fields.instant("end"))?;
        let client_id = self.short("name")?;
        let will = if flags & HAS_WILL == 0 {
            self.end(None)?
        } else {
            Some(self.will()?)
        };
        Ok(ClientRecord {
            session,
            client_id,
            session_expiry_seconds,
            ends_at,
            will,
        })
    }

    fn will(mut self) -> Result<WillRecord, RecordError> {
        let flags = self.flags(HAS_EXPIRY | IS_DUE)?;
        let delay_seconds = self.u32("delay")?;
        let expiry_seconds = self.optional(flags, HAS_EXPIRY, |fields| fields.u32("expiry"))?;
        let at = self.optional(flags, IS_DUE, |fields| fields.instant("due"))?;
        let message = Self(self.long("message")?).resting_message(None)?;
        Ok(WillRecord {
            message,
            expiry_seconds,
            payload: self.rest(),
            delay_seconds,
            at,
        })
    }

    #[allow(clippy::type_complexity, reason = "the fields of one record, in their order")]
    fn subscription(
        mut self,
    ) -> Result<(SubscriptionOptions, Option<SubscriptionId>, Option<ReplayRecord>), RecordError> {
        let [options] = self.array("options")?;
        let options = SubscriptionOptions::from_bits(options).ok_or(RecordError::Field("options"))?;
        let flags = self.flags(HAS_IDENTIFIER | IS_REPLAYED | HAS_REPLAYED)?;
        let identifier = self.optional(flags, HAS_IDENTIFIER, |fields| {
            SubscriptionId::new(fields.u32("identifier")?).ok_or(RecordError::Field("identifier"))
        })?;
        let shard = self.optional(flags, IS_REPLAYED, Self::shard)?;
        let replay = match (shard, flags & HAS_REPLAYED) {
            (None, 0) => self.end(None)?,
            (Some(shard), 0) => self.end(Some(ReplayRecord { shard, after: None }))?,
            (Some(shard), _) => {
                let after = TopicName::from_bytes(self.rest()).map_err(RecordError::Topic)?;
                let after = Some(after);
                Some(ReplayRecord { shard, after })
            }
            (None, _) => return Err(RecordError::Field("flags")),
        };
        Ok((options, identifier, replay))
    }

    fn forward(mut self, id: ForwardId) -> Result<ForwardRecord, RecordError> {
        let payload = PayloadId(self.u64("payload")?);
        let is_routed = self.flags(IS_ROUTED)? == IS_ROUTED;
        let count = self.u32("groups")?;
        // Not trusted: room is made as they are read.
        let mut groups = Vec::new();
        for _ in 0..count {
            let shard = self.shard()?;
            let filter = TopicFilter::from_bytes(self.short("group")?).map_err(RecordError::Topic)?;
            groups.push((shard, filter));
        }
        Ok(ForwardRecord {
            id,
            message: self.resting_message(None)?,
            payload,
            publisher: None,
            is_routed,
            groups,
        })
    }

    fn shard(&mut self) -> Result<ShardId, RecordError> {
        self.array("shard").map(|number| ShardId(u16::from_be_bytes(number)))
    }

    fn flags(&mut self, known: u8) -> Result<u8, RecordError> {
        let [flags] = self.array("flags")?;
        if flags & !known == 0 {
            Ok(flags)
        } else {
            Err(RecordError::Field("flags"))
        }
    }

    fn optional<T>(
        &mut self,
        flags: u8,
        flag: u8,
        read: impl FnOnce(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        if flags & flag == 0 {
            Ok(None)
        } else {
            read(self).map(Some)
        }
    }

    /// Something with its length in four bytes before it.
    fn long(&mut self, name: &'static str) -> Result<Bytes, RecordError> {
        let len = self.u32(name)?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), name)
    }

    /// Something with its length in two bytes before it.
    fn short(&mut self, name: &'static str) -> Result<Bytes, RecordError> {
        let len = self.array(name).map(u16::from_be_bytes)?;
        self.take(usize::from(len), name)
    }

    fn instant(&mut self, name: &'static str) -> Result<Instant, RecordError> {
        self.u64(name).map(Instant::from_micros)
    }

    fn u32(&mut self, name: &'static str) -> Result<u32, RecordError> {
        self.array(name).map(u32::from_be_bytes)
    }
}
