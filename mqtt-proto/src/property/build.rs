//! Building properties: the values are written down as they will stand on the wire, and checked by the decoder.

use core::marker::PhantomData;

use super::section::{Section, SectionKind};
use super::{Properties, Property, SubscriptionId};
use crate::reader::Reader;
use crate::storage::{Draft, InSlice, Storage};
use crate::trace::Silent;
use crate::{DecodeError, EncodeError, Field, PacketType, Policy, PropertyId, QoS, Rules, Version, varint};

/// Builds the properties of one section.
///
/// The methods append and return the builder; what is wrong comes out of [`build`](Self::build).
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PropertiesBuilder<S, W> {
    draft: Draft<W>,
    section: PhantomData<fn() -> S>,
}

impl<'b, S: Section> Properties<S, &'b [u8]> {
    /// Builds properties in a buffer of the caller's.
    pub const fn build_in(buffer: &'b mut [u8]) -> PropertiesBuilder<S, InSlice<'b>> {
        PropertiesBuilder {
            draft: Draft::new(InSlice::new(buffer)),
            section: PhantomData,
        }
    }
}

#[cfg(feature = "alloc")]
impl<S: Section> Properties<S, bytes::Bytes> {
    /// Builds properties in memory of their own.
    pub fn builder() -> PropertiesBuilder<S, crate::storage::InBytes> {
        PropertiesBuilder {
            draft: Draft::new(crate::storage::InBytes::default()),
            section: PhantomData,
        }
    }
}

impl<S: Section, B: AsRef<[u8]>> Properties<S, B> {
    /// Properties as they stand on the wire, without the Property Length: from a record, for example.
    ///
    /// Up to 65,535 user properties pass; how many a receiver takes is its own choice.
    ///
    /// # Errors
    /// If a decoder would refuse them. The offset counts from the first property.
    pub fn from_encoded(bytes: B) -> Result<Self, DecodeError> {
        let policy = Policy {
            user_properties_limit: u16::MAX,
            ..Policy::endpoint()
        };
        let rules = Rules::new(Version::V5).policy(policy);
        let stored = Reader::new(bytes.as_ref(), 0, packet_type(S::KIND), rules, Silent).section(S::KIND)?;
        Ok(Self::checked(bytes, stored))
    }
}

impl<S: Section, W: Storage> PropertiesBuilder<S, W> {
    /// Ends building.
    ///
    /// # Errors
    /// If the buffer was too small, a value too long, or a decoder would refuse what was built: for a value out of
    /// range, a property that occurs twice, or one that does not belong into this section.
    pub fn build(self) -> Result<Properties<S, W::Output>, EncodeError> {
        Ok(Properties::from_encoded(self.draft.finish()?)?)
    }

    /// Appends a property of any kind.
    pub fn property<B: AsRef<[u8]>>(self, property: &Property<B>) -> Self {
        let id = property.id();
        match property {
            Property::PayloadFormatIndicator(format) => self.bytes(id, &[*format as u8]),
            Property::MessageExpiryInterval(number)
            | Property::SessionExpiryInterval(number)
            | Property::WillDelayInterval(number) => self.bytes(id, &number.to_be_bytes()),
            Property::ContentType(text)
            | Property::AssignedClientIdentifier(text)
            | Property::AuthenticationMethod(text)
            | Property::ResponseInformation(text)
            | Property::ServerReference(text)
            | Property::ReasonString(text) => self.prefixed(id, text.as_bytes()),
            Property::ResponseTopic(topic) => self.prefixed(id, topic.as_bytes()),
            Property::CorrelationData(data) | Property::AuthenticationData(data) => self.prefixed(id, data.as_bytes()),
            Property::SubscriptionIdentifier(number) => self.varint(id, number.get()),
            Property::ServerKeepAlive(number) | Property::TopicAliasMaximum(number) => {
                self.bytes(id, &number.to_be_bytes())
            }
            Property::ReceiveMaximum(number) | Property::TopicAlias(number) => {
                self.bytes(id, &number.get().to_be_bytes())
            }
            Property::MaximumPacketSize(number) => self.bytes(id, &number.get().to_be_bytes()),
            Property::MaximumQoS(qos) => self.maximum(*qos),
            Property::RequestProblemInformation(flag)
            | Property::RequestResponseInformation(flag)
            | Property::RetainAvailable(flag)
            | Property::WildcardSubscriptionAvailable(flag)
            | Property::SubscriptionIdentifierAvailable(flag)
            | Property::SharedSubscriptionAvailable(flag) => self.bytes(id, &[u8::from(*flag)]),
            Property::UserProperty(name, value) => self.pair(name.as_bytes(), value.as_bytes()),
        }
    }

    /// Appends properties of the same section that stand elsewhere already.
    pub fn properties<B: AsRef<[u8]>>(mut self, properties: &Properties<S, B>) -> Self {
        match properties.as_encoded() {
            Some(bytes) => self.draft.put(bytes),
            None => {
                for property in properties {
                    self = self.property(&property);
                }
            }
        }
        self
    }

    pub(super) fn bytes(mut self, id: PropertyId, value: &[u8]) -> Self {
        self.draft.put(&[id.number()]);
        self.draft.put(value);
        self
    }

    pub(super) fn prefixed(mut self, id: PropertyId, value: &[u8]) -> Self {
        self.draft.put(&[id.number()]);
        self.draft.put_prefixed(value, Field::Property(id));
        self
    }

    pub(super) fn varint(self, id: PropertyId, value: u32) -> Self {
        let (form, len) = varint::bytes(value);
        self.bytes(id, form.get(..usize::from(len)).unwrap_or_default())
    }

    pub(super) fn subscription(self, id: SubscriptionId) -> Self {
        self.varint(PropertyId::SubscriptionIdentifier, id.get())
    }

    /// QoS 2 is said by saying nothing.
    pub(super) fn maximum(self, qos: QoS) -> Self {
        match qos {
            QoS::ExactlyOnce => self,
            _ => self.bytes(PropertyId::MaximumQoS, &[qos.bits()]),
        }
    }

    pub(super) fn pair(mut self, name: &[u8], value: &[u8]) -> Self {
        let field = Field::Property(PropertyId::UserProperty);
        self.draft.put(&[PropertyId::UserProperty.number()]);
        self.draft.put_prefixed(name, field);
        self.draft.put_prefixed(value, field);
        self
    }
}

/// The packet that has this section, for the words of an error; `None` if several packets share it.
const fn packet_type(section: SectionKind) -> Option<PacketType> {
    match section {
        SectionKind::Connect | SectionKind::Will => Some(PacketType::Connect),
        SectionKind::ConnAck => Some(PacketType::ConnAck),
        SectionKind::Publish => Some(PacketType::Publish),
        SectionKind::Ack => None,
        SectionKind::Subscribe => Some(PacketType::Subscribe),
        SectionKind::Unsubscribe => Some(PacketType::Unsubscribe),
        SectionKind::Disconnect => Some(PacketType::Disconnect),
        SectionKind::Auth => Some(PacketType::Auth),
    }
}
