//! A broker's records from bytes, field by field.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{SubscriptionId, SubscriptionOptions, TopicFilter, TopicName};

use super::super::party::Party;
use super::super::peers::ShardId;
use super::super::records::{
    BrokerKey, BrokerRecord, ClientRecord, ForwardId, ForwardRecord, Origin, PayloadId, ReplayRecord,
    SubscriptionRecord, WillRecord,
};
use super::super::sessions::SessionId;
use super::{
    HAS_END, HAS_EXPIRY, HAS_IDENTIFIER, HAS_OWNER, HAS_PUBLISHER, HAS_REPLAYED, HAS_WILL, IS_DUE, IS_OWN, IS_REPLAYED,
    IS_ROUTED, IS_SHARED, WITH_NAMES,
};
use crate::store::codec::Fields;
use crate::store::{Key, Record, RecordError};
use crate::time::Instant;

impl Fields {
    /// A record of the version in which names of messages stand behind the key.
    pub(super) fn named_record_of(mut self, key: BrokerKey) -> Result<BrokerRecord, RecordError> {
        match key {
            BrokerKey::Retained(_) => {
                let named = self.party()?;
                let origin = Origin {
                    shard: self.shard()?,
                    name: ForwardId(self.u64("name")?),
                };
                if origin == Origin::default() {
                    return Err(RecordError::Field("name"));
                }
                let mut record = self.record_of(key)?;
                if let BrokerRecord::Retained {
                    publisher, origin: of, ..
                } = &mut record
                {
                    (*publisher, *of) = (named, origin);
                }
                Ok(record)
            }
            BrokerKey::Subscription(..) => {
                let count = self.array("names").map(u16::from_be_bytes)?;
                if count == 0 {
                    return Err(RecordError::Field("names"));
                }
                // Not trusted: room is made as they are read.
                let mut seen = Vec::new();
                for _ in 0..count {
                    seen.push(ForwardId(self.u64("name")?));
                }
                let mut record = self.record_of(key)?;
                let BrokerRecord::Subscription(SubscriptionRecord {
                    replay: Some(replay), ..
                }) = &mut record
                else {
                    return Err(RecordError::Field("names"));
                };
                replay.seen = seen;
                Ok(record)
            }
            _ => Err(RecordError::Version(WITH_NAMES)),
        }
    }

    /// Who has published a retained message, if flags say so.
    fn party(&mut self) -> Result<Option<Party>, RecordError> {
        let flags = self.flags(HAS_PUBLISHER | HAS_OWNER)?;
        let client_id = self.optional(flags, HAS_PUBLISHER, |fields| fields.short("publisher"))?;
        let owner = self.optional(flags, HAS_OWNER, |fields| fields.short("owner"))?;
        match (client_id, owner) {
            (Some(client_id), owner) => Party::new(&client_id, owner.as_deref())
                .map(Some)
                .ok_or(RecordError::Field("publisher")),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(RecordError::Field("flags")),
        }
    }

    pub(super) fn record_of(mut self, key: BrokerKey) -> Result<BrokerRecord, RecordError> {
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
            BrokerKey::Client(session) => self.client(session, None).map(BrokerRecord::Client),
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
                    origin: Origin::default(),
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

    pub(super) fn client(mut self, session: SessionId, owner: Option<&[u8]>) -> Result<ClientRecord, RecordError> {
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
            who: Party::new(&client_id, owner).ok_or(RecordError::Field("name"))?,
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
            (Some(shard), 0) => self.end(Some(ReplayRecord {
                shard,
                after: None,
                seen: Vec::new(),
            }))?,
            (Some(shard), _) => {
                let after = TopicName::from_bytes(self.rest()).map_err(RecordError::Topic)?;
                Some(ReplayRecord {
                    shard,
                    after: Some(after),
                    seen: Vec::new(),
                })
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
    pub(super) fn long(&mut self, name: &'static str) -> Result<Bytes, RecordError> {
        let len = self.u32(name)?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), name)
    }

    /// Something with its length in two bytes before it.
    pub(super) fn short(&mut self, name: &'static str) -> Result<Bytes, RecordError> {
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
