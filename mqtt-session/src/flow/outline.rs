//! A PUBLISH as one connection carries it: everything but its payload.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::Bytes;
use mqtt_proto::{
    Delivery, EncodeError, PropertyId, Publish, PublishHead, PublishProperties, SharedPublish, TopicName, Version,
};

use super::LARGEST_PACKET;
use crate::message::Message;

/// Properties of one packet that the machine writes itself take at most this.
const OWN_PROPERTIES: usize = 8;

/// What a PUBLISH takes beside topic, payload and properties, at most: type and length 5, topic length 2, identifier 2,
/// property length 4, own properties 8.
pub(super) const HEAD_BYTES: usize = 21;

pub(super) struct Outline<'m> {
    pub(super) version: Version,
    pub(super) delivery: Delivery,
    pub(super) message: &'m Message,
    pub(super) with_topic: bool,
    pub(super) expiry: Option<u32>,
    pub(super) alias: Option<NonZeroU16>,
    pub(super) source_bytes: Option<u32>,
}

impl Outline<'_> {
    /// Appends everything but the payload, if the whole packet is within a limit; else says how large it is, and nothing
    /// has changed.
    pub(super) fn write(&self, limit: u32, buffer: &mut Vec<u8>) -> Result<(), u32> {
        let mut own = [0; OWN_PROPERTIES];
        let own = self.own_properties(&mut own);
        let before = buffer.len();
        let written = if own.is_empty() && self.source_bytes.is_none() {
            self.write_as_it_is(buffer)
        } else if self.is_in_pieces() {
            self.write_pieces(own, buffer)
        } else {
            self.write_head(own, buffer)
        };
        keep_within(limit, self.total(written), before, buffer)
    }

    /// Appends the whole packet, if the connection has nothing to add and the packet is within a limit; else says how large
    /// it is, and nothing has changed. `None`: the connection has something to add.
    #[inline]
    pub(super) fn write_whole(&self, limit: u32, buffer: &mut Vec<u8>) -> Option<Result<(), u32>> {
        if self.alias.is_some() || self.source_bytes.is_some() || self.has_expiry() {
            return None;
        }
        let publish = self.publish(self.properties(), &self.message.payload);
        Some(match publish.encode_within(self.version, limit, buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(error)),
        })
    }

    /// The whole packet takes at most this.
    fn most(&self) -> usize {
        usize::try_from(self.message.size())
            .unwrap_or(usize::MAX)
            .saturating_add(self.source_bytes.map_or(0, super::size))
            .saturating_add(HEAD_BYTES)
    }

    /// The length of the whole packet. One that cannot be written is longer than any packet.
    #[inline]
    fn total(&self, written: Result<usize, EncodeError>) -> u32 {
        match written {
            Ok(total) => u32::try_from(total).unwrap_or(u32::MAX),
            Err(_) => self.too_large(),
        }
    }

    fn too_large(&self) -> u32 {
        u32::try_from(self.most())
            .unwrap_or(u32::MAX)
            .max(LARGEST_PACKET.saturating_add(1))
    }

    /// How long the packet is that was not written.
    #[cold]
    fn refused(&self, error: EncodeError) -> u32 {
        match error {
            EncodeError::PacketTooLarge { len, .. } => u32::try_from(len).unwrap_or(u32::MAX),
            _ => self.too_large(),
        }
    }

    /// Whether the properties of the message can be sent as they stand.
    fn is_in_pieces(&self) -> bool {
        let properties = self.properties();
        self.source_bytes.is_none()
            && !properties.has(PropertyId::SubscriptionIdentifier)
            && (properties.is_empty() || properties.as_encoded().is_some())
    }

    /// The length of the whole packet.
    pub(super) fn packet_len(&self) -> u32 {
        self.write(0, &mut Vec::new()).err().unwrap_or_default()
    }

    /// The connection has nothing to add.
    fn write_as_it_is(&self, buffer: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.write_publish(self.properties(), buffer)
    }

    /// The properties of the message stay as they are, behind those of this connection.
    fn write_pieces(&self, own: PublishProperties<&[u8]>, buffer: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let shared = SharedPublish::new(self.version, self.properties(), &self.message.payload[..])?;
        let head = PublishHead {
            delivery: self.delivery,
            retain: self.message.retain,
            topic: self.topic(),
            own,
        };
        let (_, total) = shared.encoded_len(&head)?;
        shared.encode_head_to(&head, buffer)?;
        let [properties, _] = shared.parts();
        buffer.extend_from_slice(properties);
        Ok(total)
    }

    /// All properties are put together anew.
    fn write_head(&self, own: PublishProperties<&[u8]>, buffer: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let shared = self.properties();
        let mut properties = PublishProperties::<Bytes>::builder();
        for property in own.iter().chain(shared.iter()) {
            properties = properties.property(&property);
        }
        let properties = properties.build()?;
        self.write_publish(properties.as_view(), buffer)
    }

    fn write_publish(&self, properties: PublishProperties<&[u8]>, buffer: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let payload_bytes = match self.source_bytes {
            Some(bytes) => bytes,
            None => u32::try_from(self.message.payload.len()).unwrap_or(u32::MAX),
        };
        let head = self
            .publish(properties, &[])
            .encode_head_to(self.version, payload_bytes, buffer)?;
        Ok(head.saturating_add(crate::flow::size(payload_bytes)))
    }

    fn publish<'p>(&'p self, properties: PublishProperties<&'p [u8]>, payload: &'p [u8]) -> Publish<&'p [u8]> {
        Publish {
            delivery: self.delivery,
            retain: self.message.retain,
            topic: self.topic(),
            properties,
            payload,
        }
    }

    fn topic(&self) -> Option<TopicName<&[u8]>> {
        self.with_topic.then(|| self.message.topic.as_view())
    }

    /// Towards MQTT 3 the properties of a message that waited are left out.
    fn properties(&self) -> PublishProperties<&[u8]> {
        if self.version.has_properties() {
            self.message.properties.as_view()
        } else {
            PublishProperties::empty()
        }
    }

    fn has_expiry(&self) -> bool {
        self.expiry.is_some() && self.version.has_properties()
    }

    /// The properties that belong to this connection alone.
    fn own_properties<'b>(&self, buffer: &'b mut [u8]) -> PublishProperties<&'b [u8]> {
        if !self.has_expiry() && self.alias.is_none() {
            return PublishProperties::empty();
        }
        let expiry = self.expiry.filter(|_| self.has_expiry());
        let mut builder = PublishProperties::build_in(buffer);
        if let Some(seconds) = expiry {
            builder = builder.message_expiry(seconds);
        }
        if let Some(alias) = self.alias {
            builder = builder.topic_alias(alias.get());
        }
        builder.build().unwrap_or_default()
    }
}

/// Takes back what was written from `before` on if the packet is larger than the limit; then says how large it is.
#[inline]
fn keep_within(limit: u32, total: u32, before: usize, buffer: &mut Vec<u8>) -> Result<(), u32> {
    if total > limit {
        buffer.truncate(before);
        return Err(total);
    }
    Ok(())
}
