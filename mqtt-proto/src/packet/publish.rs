//! PUBLISH: a message.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, require};
use crate::reader::{Reader, Site};
use crate::sink::Sink;
use crate::text::Shortened;
use crate::trace::Trace;
use crate::{
    DecodeError, Delivery, EncodeError, Field, PacketType, Properties, PropertyId, QoS, Role, TopicName, Version,
    section,
};

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Publish<B: AsRef<[u8]>> {
    /// The QoS, and for QoS 1 and 2 the packet identifier and whether this is a repetition.
    pub delivery: Delivery,
    /// From a client: keep the message. From a server: it was kept.
    pub retain: bool,
    /// The topic. `None` means that a topic alias among the properties stands for it, since MQTT 5.0.
    pub topic: Option<TopicName<B>>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Publish, B>,
    /// The payload.
    #[cfg_attr(feature = "serde", serde(with = "crate::serialize::payload"))]
    pub payload: B,
}

pub(crate) const RETAIN: u8 = 0x01;
pub(crate) const QOS_SHIFT: u32 = 1;
pub(crate) const DUP: u8 = 0x08;

static TOPIC: Site = Site::topic(
    Field::TopicName,
    Rule::new("MQTT-3.3.2-1", "MQTT-3.3.2-1"),
    Rule::new("MQTT-3.3.2-1", "MQTT-3.3.2-1"),
    Rule::new("MQTT-3.3.2-2", "MQTT-3.3.2-2"),
);

impl<B: AsRef<[u8]> + Default> Publish<B> {
    /// With QoS 0, not retained, without properties.
    #[must_use]
    pub fn new(topic: TopicName<B>, payload: B) -> Self {
        Self {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties: Properties::empty(),
            payload,
        }
    }
}

impl<'a> Publish<&'a [u8]> {
    #[inline(always)]
    pub(crate) fn read<T: Trace>(flags: u8, reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        let topic = reader.topic_or_empty(&TOPIC)?;
        let place = reader.place();
        if !reader.version().has_properties() {
            require!(reader, topic.is_some(), Empty, Field::TopicName, &TOPIC.empty);
        }
        let delivery = read_delivery(flags, reader)?;
        let properties = if reader.version().has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        if topic.is_none() {
            static NO_ALIAS: Rule = Rule::v5("U5-3.3.2-a");
            let aliased = properties.has(PropertyId::TopicAlias);
            reader.point_to(place);
            require!(reader, aliased, EmptyTopicWithoutAlias, Field::TopicName, &NO_ALIAS);
        }
        Ok(Self {
            delivery,
            retain: flags & RETAIN != 0,
            topic,
            properties,
            payload: reader.payload(),
        })
    }
}

#[inline(always)]
fn read_delivery<T: Trace>(flags: u8, reader: &mut Reader<'_, T>) -> Result<Delivery, DecodeError> {
    static FROM_CLIENT: Rule = Rule::new("MQTT-2.2.1-3", "MQTT-2.3.1-1");
    static FROM_SERVER: Rule = Rule::new("MQTT-2.2.1-4", "MQTT-2.3.1-1");

    let dup = flags & DUP != 0;
    let rule = if reader.rules.sender == Some(Role::Server) {
        &FROM_SERVER
    } else {
        &FROM_CLIENT
    };
    // QoS 3 was refused with the header.
    Ok(match QoS::from_bits(flags >> QOS_SHIFT & 0b11) {
        Some(QoS::AtLeastOnce) => Delivery::AtLeastOnce {
            id: reader.packet_id(rule)?,
            dup,
        },
        Some(QoS::ExactlyOnce) => Delivery::ExactlyOnce {
            id: reader.packet_id(rule)?,
            dup,
        },
        _ => Delivery::AtMostOnce,
    })
}

/// The first byte of a PUBLISH.
#[inline(always)]
pub(crate) const fn first_byte(delivery: Delivery, retain: bool) -> u8 {
    let mut byte = PacketType::Publish.first_byte() | delivery.qos().bits() << QOS_SHIFT;
    if retain {
        byte |= RETAIN;
    }
    if delivery.dup() {
        byte |= DUP;
    }
    byte
}

impl<B: AsRef<[u8]>> Publish<B> {
    /// The nearest PUBLISH of a version: without properties for MQTT 3.1.1 and 3.1. `None` if all that stands for the topic
    /// is an alias.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            self.topic.as_ref()?;
            self.properties = self.properties.cleared();
        }
        Some(self)
    }

    /// Everything but the payload, whose length alone is needed: for a payload that is sent in pieces after it.
    ///
    /// Writes the head to the start of `buffer` and returns its length. `payload` of this packet is not looked at.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn encode_head(&self, version: Version, payload_len: u32, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let (needed, remaining) = self.head_sizes(version, payload_len)?;
        let place = buffer.get_mut(..needed).ok_or(EncodeError::BufferTooSmall { needed })?;
        let mut sink = crate::sink::SliceSink(place);
        sink.put_header(first_byte(self.delivery, self.retain), remaining);
        self.write_head(version, &mut sink);
        Ok(needed)
    }

    /// The same, appended to a buffer.
    ///
    /// ```
    /// # use mqtt_proto::*;
    /// let publish = Publish {
    ///     delivery: Delivery::AtMostOnce,
    ///     retain: false,
    ///     topic: Some(TopicName::new("t").unwrap()),
    ///     properties: Properties::empty(),
    ///     payload: &b""[..],
    /// };
    /// let mut buffer = bytes::BytesMut::new();
    /// publish.encode_head_to(Version::V3_1_1, 1000, &mut buffer)?;
    /// assert_eq!(buffer[..], [0x30, 0xEB, 0x07, 0x00, 0x01, b't']);
    /// # Ok::<(), EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    #[cfg(feature = "alloc")]
    pub fn encode_head_to(
        &self,
        version: Version,
        payload_len: u32,
        buffer: &mut impl bytes::BufMut,
    ) -> Result<usize, EncodeError> {
        let (needed, remaining) = self.head_sizes(version, payload_len)?;
        if buffer.remaining_mut() < needed {
            return Err(EncodeError::BufferTooSmall { needed });
        }
        let mut sink = crate::sink::BufSink::new(buffer);
        sink.put_header(first_byte(self.delivery, self.retain), remaining);
        self.write_head(version, &mut sink);
        sink.flush();
        Ok(needed)
    }

    /// Appends the whole packet to a vector and returns its length, if that is no more than a limit: the peer's Maximum
    /// Packet Size.
    ///
    /// ```
    /// # use mqtt_proto::*;
    /// let publish = Publish::new(TopicName::new("t").unwrap(), &b"21"[..]);
    /// let mut buffer = Vec::new();
    /// publish.encode_within(Version::V3_1_1, 7, &mut buffer)?;
    /// assert_eq!(buffer, [0x30, 0x05, 0x00, 0x01, b't', b'2', b'1']);
    /// assert!(publish.encode_within(Version::V3_1_1, 6, &mut buffer).is_err());
    /// # Ok::<(), EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// If it is longer, or cannot be encoded in this version. Nothing has been written then.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn encode_within(
        &self,
        version: Version,
        limit: u32,
        buffer: &mut alloc::vec::Vec<u8>,
    ) -> Result<usize, EncodeError> {
        super::encode::to_vec(self, version, limit, buffer)
    }

    /// The length of a head, and the Remaining Length in it.
    fn head_sizes(&self, version: Version, payload_len: u32) -> Result<(usize, u32), EncodeError> {
        let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
        let sizes = super::Sizes::of(self.head_len(version)?.saturating_add(payload_len))?;
        Ok((sizes.total.saturating_sub(payload_len), sizes.remaining))
    }

    /// Topic, packet identifier and properties.
    #[inline(always)]
    fn head_len(&self, version: Version) -> Result<usize, EncodeError> {
        let topic_len = match &self.topic {
            Some(topic) => topic.len(),
            // [U5-3.3.2-a]
            None if version.has_properties() && self.properties.has(PropertyId::TopicAlias) => 0,
            None => return Err(EncodeError::TopicMissing),
        };
        let id_len = if matches!(self.delivery, Delivery::AtMostOnce) {
            0
        } else {
            2
        };
        Ok(section_len(&self.properties, version)?
            .saturating_add(topic_len)
            .saturating_add(id_len)
            .saturating_add(2))
    }

    #[inline(always)]
    fn write_head<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_prefixed(self.topic.as_ref().map_or(&[], TopicName::as_bytes));
        if let Some(id) = self.delivery.id() {
            sink.put_u16(id.get());
        }
        write_section(&self.properties, version, sink);
    }

    #[inline]
    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Publish<C> {
        Publish {
            delivery: self.delivery,
            retain: self.retain,
            topic: self.topic.as_ref().map(|topic| topic.convert(storage)),
            properties: self.properties.convert(storage),
            payload: storage(self.payload.as_ref()),
        }
    }
}

impl<B: AsRef<[u8]>> Body for Publish<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        first_byte(self.delivery, self.retain)
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        Ok(self.head_len(version)?.saturating_add(self.payload.as_ref().len()))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        self.write_head(version, sink);
        sink.put(self.payload.as_ref());
    }
}

body!(Publish);

/// The payload is shortened.
impl<B: AsRef<[u8]>> core::fmt::Debug for Publish<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Publish")
            .field("delivery", &self.delivery)
            .field("retain", &self.retain)
            .field("topic", &self.topic)
            .field("properties", &self.properties)
            .field("payload", &Shortened(self.payload.as_ref()))
            .finish()
    }
}
