//! One message for many subscribers: what is the same for all is kept once.
//!
//! On the wire a PUBLISH is a head (flags, length, topic or alias, packet identifier, properties of this subscriber),
//! then properties that are the same for all, then the payload. [`SharedPublish`] holds the second and third part, and
//! writes the first for each subscriber. The three parts go out one after the other, by a vectored write for example.

#[cfg(feature = "alloc")]
use crate::Publish;
use crate::packet::Sizes;
use crate::packet::publish::{DUP, QOS_SHIFT, RETAIN, first_byte};
use crate::sink::{Sink, SliceSink};
use crate::{
    Delivery, EncodeError, Field, PacketId, PacketType, Properties, PropertyId, TopicName, Version, section, varint,
};

/// What a message has in common for all its subscribers of one version.
///
/// ```
/// use mqtt_proto::*;
/// let mut buffer = [0; 32];
/// let shared = PublishProperties::build_in(&mut buffer).content_type("text/plain").build()?;
/// let message = SharedPublish::new(Version::V5, shared, &b"21.5"[..])?;
///
/// let mut own = [0; 8];
/// let own = PublishProperties::build_in(&mut own).message_expiry(30).build()?;
/// let topic = Some(TopicName::new("home/temperature").unwrap());
/// let mut head = [0; 64];
/// let len = message.encode_head(&PublishHead { delivery: Delivery::AtMostOnce, retain: false, topic, own }, &mut head)?;
///
/// let [properties, payload] = message.parts();
/// let packet = [&head[..len], properties, payload].concat();
/// assert!(matches!(decode(&packet, &Rules::new(Version::V5)).unwrap(), Decoded::Packet { .. }));
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SharedPublish<B: AsRef<[u8]>> {
    version: Version,
    properties: Properties<section::Publish, B>,
    payload: B,
}

crate::impl_defmt!(SharedPublish);

/// What a message has of its own for one subscriber.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PublishHead<'a> {
    /// QoS, packet identifier and repetition.
    pub delivery: Delivery,
    /// The RETAIN flag.
    pub retain: bool,
    /// The topic. `None` means that a topic alias among the own properties stands for it.
    pub topic: Option<TopicName<&'a [u8]>>,
    /// Properties for this subscriber: topic alias, remaining message expiry, subscription identifiers.
    pub own: Properties<section::Publish, &'a [u8]>,
}

/// The properties that a server sets for each subscriber; a publisher's own are not passed on with the shared ones.
const OWN: [PropertyId; 3] = [
    PropertyId::TopicAlias,
    PropertyId::MessageExpiryInterval,
    PropertyId::SubscriptionIdentifier,
];

impl<B: AsRef<[u8]>> SharedPublish<B> {
    /// Puts the shared parts together.
    ///
    /// # Errors
    /// If the version has no properties, or if properties are left out of these ones, so that they are not one piece:
    /// build them anew then.
    pub fn new(version: Version, properties: Properties<section::Publish, B>, payload: B) -> Result<Self, EncodeError> {
        if !properties.is_empty() && !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                field: Field::PropertyLength,
                version,
            });
        }
        for id in OWN {
            if properties.has(id) {
                return Err(EncodeError::NotShared { id });
            }
        }
        if !properties.is_empty() && properties.as_encoded().is_none() {
            return Err(EncodeError::NotOnePiece);
        }
        Ok(Self {
            version,
            properties,
            payload,
        })
    }

    /// The second and third part of the packet: properties and payload.
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.properties.as_encoded().unwrap_or_default(), self.payload.as_ref()]
    }

    /// How many bytes the head takes, and how many the whole packet.
    ///
    /// # Errors
    /// As for [`encode_head`](Self::encode_head), save for the buffer.
    pub fn encoded_len(&self, head: &PublishHead<'_>) -> Result<(usize, usize), EncodeError> {
        let (sizes, _) = self.sizes(head)?;
        let [properties, payload] = self.parts();
        let shared = properties.len().saturating_add(payload.len());
        Ok((sizes.total.saturating_sub(shared), sizes.total))
    }

    /// Writes the first part of the packet to the start of a buffer and returns its length.
    ///
    /// # Errors
    /// If the buffer is too small, the packet too large, there is neither topic nor alias, or a property is among both the
    /// own and the shared ones.
    #[inline]
    pub fn encode_head(&self, head: &PublishHead<'_>, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let (sizes, properties_len) = self.sizes(head)?;
        let needed = self.head_len(sizes);
        let place = buffer.get_mut(..needed).ok_or(EncodeError::BufferTooSmall { needed })?;
        write_head(head, sizes, properties_len, &mut SliceSink(place));
        Ok(needed)
    }

    /// Appends the first part of the packet to a buffer and returns its length.
    ///
    /// ```
    /// # use mqtt_proto::*;
    /// # let message = SharedPublish::new(Version::V5, PublishProperties::empty(), &b"21.5"[..])?;
    /// let topic = Some(TopicName::new("home/temperature").unwrap());
    /// let own = PublishProperties::empty();
    /// let head = PublishHead { delivery: Delivery::AtMostOnce, retain: false, topic, own };
    /// let mut buffer = bytes::BytesMut::new();
    /// let len = message.encode_head_to(&head, &mut buffer)?;
    ///
    /// let mut same = [0; 64];
    /// assert_eq!(message.encode_head(&head, &mut same)?, len);
    /// assert_eq!(buffer[..], same[..len]);
    /// # Ok::<(), EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`encode_head`](Self::encode_head).
    #[cfg(feature = "alloc")]
    pub fn encode_head_to(
        &self,
        head: &PublishHead<'_>,
        buffer: &mut impl bytes::BufMut,
    ) -> Result<usize, EncodeError> {
        let (sizes, properties_len) = self.sizes(head)?;
        let needed = self.head_len(sizes);
        if buffer.remaining_mut() < needed {
            return Err(EncodeError::BufferTooSmall { needed });
        }
        let mut sink = crate::sink::BufSink::new(buffer);
        write_head(head, sizes, properties_len, &mut sink);
        sink.flush();
        Ok(needed)
    }

    /// Refuses a message that would exceed the Maximum Packet Size of this subscriber. Nothing of a PUBLISH may be left
    /// out to make it smaller: it is not sent then. [MQTT-3.1.2-25]
    ///
    /// ```
    /// # use mqtt_proto::*;
    /// # let message = SharedPublish::new(Version::V5, PublishProperties::empty(), &b"21.5"[..])?;
    /// # let (topic, own) = (Some(TopicName::new("t").unwrap()), PublishProperties::empty());
    /// # let head = PublishHead { delivery: Delivery::AtMostOnce, retain: false, topic, own };
    /// let (_, len) = message.encoded_len(&head)?;
    /// assert_eq!(message.fit(&head, 10), Ok(()));
    /// assert_eq!(message.fit(&head, 9), Err(EncodeError::PacketTooLarge { len, limit: 9 }));
    /// # Ok::<(), EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// If the packet is too large, or cannot be encoded at all.
    pub fn fit(&self, head: &PublishHead<'_>, limit: u32) -> Result<(), EncodeError> {
        let (sizes, _) = self.sizes(head)?;
        crate::packet::fits(sizes.total, limit)
    }

    #[inline]
    fn head_len(&self, sizes: Sizes) -> usize {
        let [properties, payload] = self.parts();
        sizes
            .total
            .saturating_sub(properties.len())
            .saturating_sub(payload.len())
    }

    /// The sizes of the packet, and its Property Length where the version has one.
    #[inline]
    fn sizes(&self, head: &PublishHead<'_>) -> Result<(Sizes, Option<u32>), EncodeError> {
        self.check(head)?;
        let [properties, payload] = self.parts();
        let topic = head.topic.as_ref().map_or(0, TopicName::len);
        let id = if head.delivery.id().is_some() { 2 } else { 0 };
        let mut body = topic.saturating_add(2).saturating_add(id).saturating_add(payload.len());
        let mut properties_len = None;
        if self.version.has_properties() {
            let len = head.own.encoded_len().saturating_add(properties.len());
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            body = body.saturating_add(usize::from(varint::len(len)));
            body = body.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
            properties_len = Some(len);
        }
        Ok((Sizes::of(body)?, properties_len))
    }

    #[inline]
    fn check(&self, head: &PublishHead<'_>) -> Result<(), EncodeError> {
        if head.topic.is_none() && !(self.version.has_properties() && head.own.has(PropertyId::TopicAlias)) {
            return Err(EncodeError::TopicMissing);
        }
        if !head.own.is_empty() && !self.version.has_properties() {
            return Err(EncodeError::NotInVersion {
                field: Field::PropertyLength,
                version: self.version,
            });
        }
        match head.own.in_both(&self.properties) {
            Some(id) => Err(EncodeError::PropertyTwice { id }),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "alloc")]
impl SharedPublish<bytes::Bytes> {
    /// What all subscribers of a version share of a message: its payload, and its properties but those that each has of its
    /// own. They are copied only if some have to be left out.
    ///
    /// ```
    /// use mqtt_proto::*;
    /// let properties = PublishProperties::builder().message_expiry(30).content_type("text/plain").build()?;
    /// let message = Publish {
    ///     delivery: Delivery::AtMostOnce,
    ///     retain: false,
    ///     topic: Some(TopicName::new("home/temperature").unwrap().to_owned()),
    ///     properties,
    ///     payload: bytes::Bytes::from_static(b"21.5"),
    /// };
    /// let [properties, payload] = SharedPublish::of(Version::V5, &message).parts().map(<[u8]>::to_vec);
    /// assert_eq!((&properties[..], &payload[..]), (&b"\x03\0\x0Atext/plain"[..], &b"21.5"[..]));
    ///
    /// assert_eq!(SharedPublish::of(Version::V3_1_1, &message).parts(), [&b""[..], b"21.5"]);
    /// # Ok::<(), EncodeError>(())
    /// ```
    #[must_use]
    pub fn of(version: Version, message: &Publish<bytes::Bytes>) -> Self {
        let mut properties = OWN.into_iter().fold(message.properties.clone(), Properties::without);
        if !version.has_properties() {
            properties = properties.cleared();
        }
        if properties.as_encoded().is_none() {
            properties = properties.to_owned();
        }
        Self {
            version,
            properties,
            payload: message.payload.clone(),
        }
    }
}

#[inline(always)]
fn write_head<K: Sink>(head: &PublishHead<'_>, sizes: Sizes, properties_len: Option<u32>, sink: &mut K) {
    sink.put_header(first_byte(head.delivery, head.retain), sizes.remaining);
    sink.put_prefixed(head.topic.as_ref().map_or(&[], TopicName::as_bytes));
    if let Some(id) = head.delivery.id() {
        sink.put_u16(id.get());
    }
    if let Some(len) = properties_len {
        sink.put_varint(len);
        head.own.write(sink);
    }
}

/// Sets or clears DUP in the first byte of an encoded PUBLISH.
///
/// # Errors
/// If the bytes do not begin a PUBLISH with QoS 1 or 2.
pub fn patch_dup(packet: &mut [u8], dup: bool) -> Result<(), PatchError> {
    let first = acknowledged(packet)?;
    *first = if dup { *first | DUP } else { *first & !DUP };
    Ok(())
}

/// Sets or clears RETAIN in the first byte of an encoded PUBLISH.
///
/// # Errors
/// If the bytes do not begin a PUBLISH.
pub fn patch_retain(packet: &mut [u8], retain: bool) -> Result<(), PatchError> {
    let first = publish(packet)?;
    *first = if retain { *first | RETAIN } else { *first & !RETAIN };
    Ok(())
}

/// Replaces the packet identifier of an encoded PUBLISH. The head alone is enough.
///
/// # Errors
/// If the bytes do not begin a PUBLISH with QoS 1 or 2, or end before the packet identifier.
pub fn patch_packet_id(packet: &mut [u8], id: PacketId) -> Result<(), PatchError> {
    acknowledged(packet)?;
    let place = packet_id_offset(packet).and_then(|offset| packet.get_mut(offset..)?.first_chunk_mut::<2>());
    *place.ok_or(PatchError::Truncated)? = id.get().to_be_bytes();
    Ok(())
}

/// Where the packet identifier of an encoded PUBLISH with QoS 1 or 2 stands, if the packet reaches that far.
fn packet_id_offset(packet: &[u8]) -> Option<usize> {
    let varint::Varint::Value { value, len } = varint::read(packet.get(1..)?) else {
        return None;
    };
    let topic = usize::from(len).checked_add(1)?;
    let topic_len = u16::from_be_bytes(*packet.get(topic..)?.first_chunk::<2>()?);
    let behind_topic = usize::from(topic_len).checked_add(2)?;
    let fits = behind_topic.checked_add(2)? <= usize::try_from(value).ok()?;
    if fits { topic.checked_add(behind_topic) } else { None }
}

fn publish(packet: &mut [u8]) -> Result<&mut u8, PatchError> {
    match packet.first_mut() {
        Some(first) if *first >> 4 == PacketType::Publish.number() => Ok(first),
        Some(_) => Err(PatchError::NotPublish),
        None => Err(PatchError::Truncated),
    }
}

fn acknowledged(packet: &mut [u8]) -> Result<&mut u8, PatchError> {
    match publish(packet)? {
        first if *first >> QOS_SHIFT & 0b11 == 0 => Err(PatchError::AtMostOnce),
        first => Ok(first),
    }
}

/// Why an encoded packet cannot be patched. It is unchanged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PatchError {
    /// It is not a PUBLISH.
    NotPublish,
    /// It has QoS 0, and so neither a packet identifier nor DUP.
    AtMostOnce,
    /// It ends before what is to be patched.
    Truncated,
}

impl core::fmt::Display for PatchError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotPublish => "the packet is not a PUBLISH",
            Self::AtMostOnce => "a PUBLISH with QoS 0 has neither a packet identifier nor DUP",
            Self::Truncated => "the packet ends before what is to be changed",
        })
    }
}

impl core::error::Error for PatchError {}
