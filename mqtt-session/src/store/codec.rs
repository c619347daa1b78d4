//! Records as bytes.
//!
//! | part | bytes |
//! |---|---|
//! | version | 1 |
//! | key | 9, as [`Key::encode`] gives them |
//! | session | generation 4, delivery floor 8, saved at 8, is kept 1 |
//! | outgoing message | tag 8, state 1; then the id of the release 2, or a message |
//! | incoming exchange | nothing more |
//! | inbox message | a message |
//! | payload | the payload |
//! | checksum | 4: CRC-32C of all before |
//!
//! A message has flags 1, id 2, expiry 8 and length of its source 4 if the flags say so, topic length 2, topic; and from there to the checksum its
//! properties as they stand in a PUBLISH of MQTT 5.0. The highest byte of a number comes first.

use alloc::borrow::Cow;
use core::fmt;

use bytes::{Buf, BufMut, Bytes};
use mqtt_proto::{DecodeError, EncodeError, PacketId, PropertyId, PublishProperties, QoS, TextError, TopicName};

use super::crc::Crc32c;
use super::key::Kind;
use super::{InboxRecord, IncomingRecord, Key, MessageRecord, OutgoingRecord, OutgoingState, Record, SessionRecord};
use crate::time::Instant;

#[cfg(test)]
mod tests;

/// The version of the layout. It also says where the checksum is, so it is looked at first.
const VERSION: u8 = 2;

const PREFIX_BYTES: usize = 1 + Key::ENCODED_BYTES;
const CHECKSUM_BYTES: usize = 4;

/// The longest part before a topic: that of an outgoing message with id, expiry and source.
const HEAD_BYTES: usize = PREFIX_BYTES + 8 + 1 + (1 + 2 + 8 + 4 + 2);

const STATE_PUBLISH: u8 = 0;
const STATE_RELEASE: u8 = 1;
const STATE_GIVEN_UP: u8 = 2;

const FLAGS_QOS: u8 = 0b0000_0011;
const FLAG_RETAIN: u8 = 0b0000_0100;
const FLAG_ID: u8 = 0b0000_1000;
const FLAG_EXPIRY: u8 = 0b0001_0000;
const FLAG_SOURCE: u8 = 0b0010_0000;
const FLAGS: u8 = FLAGS_QOS | FLAG_RETAIN | FLAG_ID | FLAG_EXPIRY | FLAG_SOURCE;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// They are fewer than any record has.
    TooShort,
    /// They were written in a layout with this version, which is not known.
    Version(u8),
    /// They are damaged: the checksum is that of other bytes.
    Checksum,
    /// The kind of the record is not known.
    Kind(u8),
    /// The field of this name is cut, or has a value that it cannot have.
    Field(&'static str),
    /// The topic is not a Topic Name.
    Topic(TextError),
    /// The properties are not those of a PUBLISH.
    Properties(DecodeError),
    /// Bytes follow the last field.
    TrailingBytes,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("the bytes are fewer than any record has"),
            Self::Version(version) => write!(f, "records of version {version} are not known"),
            Self::Checksum => f.write_str("the record is damaged: its checksum is wrong"),
            Self::Kind(kind) => write!(f, "records of kind {kind} are not known"),
            Self::Field(name) => write!(f, "the field {name:?} of the record is cut or out of range"),
            Self::Topic(error) => write!(f, "the topic of the record: {error}"),
            Self::Properties(error) => write!(f, "the properties of the record: {error}"),
            Self::TrailingBytes => f.write_str("bytes follow the last field of the record"),
        }
    }
}

impl core::error::Error for RecordError {}

impl Record {
    /// How many bytes [`encode`](Self::encode) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.layout().encoded_len()
    }

    /// Appends the record to a buffer, as bytes that detect damage, and returns how many they are.
    ///
    /// Topic alias and message expiry are left out of the properties of a message.
    ///
    /// # Errors
    /// If the buffer cannot take it, which a `Vec` always can. Nothing has been written then.
    pub fn encode(&self, buffer: &mut impl BufMut) -> Result<usize, EncodeError> {
        let layout = self.layout();
        let needed = layout.encoded_len();
        if buffer.remaining_mut() < needed {
            return Err(EncodeError::BufferTooSmall { needed });
        }
        let mut checksum = Crc32c::EMPTY;
        for part in [layout.head.as_slice(), layout.middle, &layout.end] {
            checksum = checksum.and(part);
            buffer.put_slice(part);
        }
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
        if *version != VERSION {
            return Err(RecordError::Version(*version));
        }
        let (sealed, checksum) = bytes.split_last_chunk().ok_or(RecordError::TooShort)?;
        let (prefix, _) = sealed
            .split_first_chunk::<PREFIX_BYTES>()
            .ok_or(RecordError::TooShort)?;
        if Crc32c::EMPTY.and(sealed).value() != u32::from_be_bytes(*checksum) {
            return Err(RecordError::Checksum);
        }
        let [_, kind, ..] = *prefix;
        match Key::decode(prefix.get(1..).unwrap_or_default()) {
            Some(key) => Fields(bytes.slice(PREFIX_BYTES..sealed.len())).record(key),
            None if Kind::from_byte(kind).is_some() => Err(RecordError::Field("number")),
            None => Err(RecordError::Kind(kind)),
        }
    }

    /// What stands between the key and the checksum, for records that have a record of a session within.
    #[cfg(feature = "broker")]
    pub(crate) fn put_fields(&self, put: &mut impl FnMut(&[u8])) {
        let layout = self.layout();
        put(layout.head.as_slice().get(PREFIX_BYTES..).unwrap_or_default());
        put(layout.middle);
        put(&layout.end);
    }

    /// What stands where, between the version and the checksum.
    fn layout(&self) -> Layout<'_> {
        let mut head = Head::of(self.key());
        match self {
            Self::Session(session) => {
                head.put(session.generation.to_be_bytes());
                head.put(session.delivery_floor.to_be_bytes());
                head.put(session.saved_at.as_micros().to_be_bytes());
                head.put([u8::from(session.is_kept)]);
                Layout::short(head)
            }
            Self::Outgoing(outgoing) => {
                head.put(outgoing.tag.to_be_bytes());
                match &outgoing.state {
                    OutgoingState::Publish { id, message } => {
                        head.put([STATE_PUBLISH]);
                        message.layout(head, *id)
                    }
                    OutgoingState::Release { id, is_given_up } => {
                        head.put([if *is_given_up { STATE_GIVEN_UP } else { STATE_RELEASE }]);
                        head.put(id.get().to_be_bytes());
                        Layout::short(head)
                    }
                }
            }
            Self::Incoming(_) => Layout::short(head),
            Self::Inbox(inbox) => inbox.message.layout(head, inbox.id),
            Self::Payload { bytes, .. } => Layout {
                middle: bytes,
                ..Layout::short(head)
            },
        }
    }
}

impl MessageRecord {
    /// The message, without what it belongs to.
    #[cfg(feature = "broker")]
    pub(crate) fn put(&self, put: &mut impl FnMut(&[u8])) {
        let layout = self.layout(Head::EMPTY, None);
        put(layout.head.as_slice());
        put(layout.middle);
        put(&layout.end);
    }

    /// The message, where its topic stands elsewhere.
    #[cfg(feature = "broker")]
    pub(crate) fn put_without_topic(&self, put: &mut impl FnMut(&[u8])) {
        let mut head = Head::EMPTY;
        self.begin(&mut head, None);
        put(head.as_slice());
        put(&encoded_properties(&self.properties));
    }

    fn layout(&self, mut head: Head, id: Option<PacketId>) -> Layout<'_> {
        self.begin(&mut head, id);
        let [.., high, low] = self.topic.len().to_be_bytes();
        head.put([high, low]);
        Layout {
            head,
            middle: self.topic.as_bytes(),
            end: encoded_properties(&self.properties),
        }
    }

    /// The fields before the topic.
    fn begin(&self, head: &mut Head, id: Option<PacketId>) {
        let mut flags = self.qos.bits();
        if self.retain {
            flags |= FLAG_RETAIN;
        }
        if id.is_some() {
            flags |= FLAG_ID;
        }
        if self.expires_at.is_some() {
            flags |= FLAG_EXPIRY;
        }
        if self.source_bytes.is_some() {
            flags |= FLAG_SOURCE;
        }
        head.put([flags]);
        if let Some(id) = id {
            head.put(id.get().to_be_bytes());
        }
        if let Some(at) = self.expires_at {
            head.put(at.as_micros().to_be_bytes());
        }
        if let Some(bytes) = self.source_bytes {
            head.put(bytes.to_be_bytes());
        }
    }
}

/// The properties without those that are not the message's own, in one piece.
fn encoded_properties(properties: &PublishProperties<Bytes>) -> Cow<'_, [u8]> {
    let own = !properties.has(PropertyId::TopicAlias) && !properties.has(PropertyId::MessageExpiryInterval);
    match properties.as_encoded() {
        Some(bytes) if own => Cow::Borrowed(bytes),
        _ => Cow::Owned(
            message_properties(properties.clone())
                .to_owned()
                .as_encoded()
                .unwrap_or_default()
                .to_vec(),
        ),
    }
}

/// An alias ends with its connection, and the expiry of a record is a point in time.
fn message_properties(properties: PublishProperties<Bytes>) -> PublishProperties<Bytes> {
    properties
        .without(PropertyId::TopicAlias)
        .without(PropertyId::MessageExpiryInterval)
}

/// An encoded record but for its checksum.
struct Layout<'r> {
    head: Head,
    middle: &'r [u8],
    end: Cow<'r, [u8]>,
}

impl Layout<'_> {
    const fn short(head: Head) -> Self {
        Self {
            head,
            middle: &[],
            end: Cow::Borrowed(&[]),
        }
    }

    fn encoded_len(&self) -> usize {
        let parts = self.head.len.saturating_add(self.middle.len());
        parts.saturating_add(self.end.len()).saturating_add(CHECKSUM_BYTES)
    }
}

/// The fields of fixed size, put together so that a buffer is asked for room once.
pub(crate) struct Head {
    bytes: [u8; HEAD_BYTES],
    len: usize,
}

impl Head {
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; HEAD_BYTES],
        len: 0,
    };

    fn of(key: Key) -> Self {
        let mut head = Self::EMPTY;
        head.put([VERSION]);
        head.put(key.encode());
        head
    }

    /// Appends. There is room for the longest row of fields.
    #[inline(always)]
    pub(crate) fn put<const N: usize>(&mut self, field: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *place = field;
            self.len = self.len.saturating_add(N);
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What is left of a record that is being read.
pub(crate) struct Fields(pub(crate) Bytes);

impl Fields {
    pub(crate) fn record(mut self, key: Key) -> Result<Record, RecordError> {
        let record = match key {
            Key::Session => Record::Session(SessionRecord {
                generation: u32::from_be_bytes(self.array("generation")?),
                delivery_floor: self.u64("delivery floor")?,
                saved_at: Instant::from_micros(self.u64("saved at")?),
                is_kept: match self.array("is kept")? {
                    [0] => false,
                    [1] => true,
                    _ => return Err(RecordError::Field("is kept")),
                },
            }),
            Key::Outgoing(serial) => Record::Outgoing(OutgoingRecord {
                serial,
                tag: self.u64("tag")?,
                state: self.state()?,
            }),
            Key::Incoming(id) => Record::Incoming(IncomingRecord { id }),
            Key::Inbox(delivery) => {
                let (id, message) = self.message()?;
                if id.is_some() && message.qos != QoS::ExactlyOnce {
                    return Err(RecordError::Field("id"));
                }
                if message.source_bytes.is_some() {
                    return Err(RecordError::Field("source bytes"));
                }
                Record::Inbox(InboxRecord { delivery, id, message })
            }
            Key::Payload(of) => Record::Payload { of, bytes: self.rest() },
        };
        self.end(record)
    }

    /// What was read, if nothing follows it.
    pub(crate) fn end<R>(self, record: R) -> Result<R, RecordError> {
        if self.0.is_empty() {
            Ok(record)
        } else {
            Err(RecordError::TrailingBytes)
        }
    }

    fn state(&mut self) -> Result<OutgoingState, RecordError> {
        match self.array("state")? {
            [STATE_PUBLISH] => {
                let (id, message) = self.message()?;
                if id.is_some() && message.qos == QoS::AtMostOnce {
                    return Err(RecordError::Field("id"));
                }
                Ok(OutgoingState::Publish { id, message })
            }
            [state @ (STATE_RELEASE | STATE_GIVEN_UP)] => Ok(OutgoingState::Release {
                id: self.id()?,
                is_given_up: state == STATE_GIVEN_UP,
            }),
            _ => Err(RecordError::Field("state")),
        }
    }

    fn message(&mut self) -> Result<(Option<PacketId>, MessageRecord), RecordError> {
        self.message_with(|fields| {
            let len = fields.array("topic length").map(u16::from_be_bytes)?;
            let topic = fields.take(usize::from(len), "topic")?;
            TopicName::from_bytes(topic).map_err(RecordError::Topic)
        })
    }

    /// A message that nobody exchanges, with a payload that is stored. Its topic is given, or stands in it.
    #[cfg(feature = "broker")]
    pub(crate) fn resting_message(mut self, topic: Option<TopicName<Bytes>>) -> Result<MessageRecord, RecordError> {
        let (id, message) = match topic {
            Some(topic) => self.message_with(|_| Ok(topic)),
            None => self.message(),
        }?;
        match (id, message.source_bytes) {
            (Some(_), _) => Err(RecordError::Field("id")),
            (_, Some(_)) => Err(RecordError::Field("source bytes")),
            _ => Ok(message),
        }
    }

    fn message_with(
        &mut self,
        topic: impl FnOnce(&mut Self) -> Result<TopicName<Bytes>, RecordError>,
    ) -> Result<(Option<PacketId>, MessageRecord), RecordError> {
        let [flags] = self.array("flags")?;
        let qos = QoS::from_bits(flags & FLAGS_QOS).filter(|_| flags & !FLAGS == 0);
        let qos = qos.ok_or(RecordError::Field("flags"))?;
        let id = if flags & FLAG_ID == 0 { None } else { Some(self.id()?) };
        let expires_at = if flags & FLAG_EXPIRY == 0 {
            None
        } else {
            Some(Instant::from_micros(self.u64("expires at")?))
        };
        let source_bytes = if flags & FLAG_SOURCE == 0 {
            None
        } else {
            Some(u32::from_be_bytes(self.array("source bytes")?))
        };
        let topic = topic(self)?;
        let properties = PublishProperties::from_encoded(self.rest()).map_err(RecordError::Properties)?;
        let message = MessageRecord {
            qos,
            retain: flags & FLAG_RETAIN != 0,
            topic,
            properties: message_properties(properties),
            expires_at,
            source_bytes,
        };
        Ok((id, message))
    }

    fn id(&mut self) -> Result<PacketId, RecordError> {
        PacketId::new(u16::from_be_bytes(self.array("id")?)).ok_or(RecordError::Field("id"))
    }

    pub(crate) fn u64(&mut self, name: &'static str) -> Result<u64, RecordError> {
        self.array(name).map(u64::from_be_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], RecordError> {
        let field = *self.0.first_chunk().ok_or(RecordError::Field(name))?;
        self.0.advance(N);
        Ok(field)
    }

    pub(crate) fn take(&mut self, len: usize, name: &'static str) -> Result<Bytes, RecordError> {
        if self.0.len() < len {
            return Err(RecordError::Field(name));
        }
        Ok(self.0.split_to(len))
    }

    pub(crate) fn rest(&mut self) -> Bytes {
        core::mem::take(&mut self.0)
    }
}
