//! The value of one property.

use core::num::{NonZeroU16, NonZeroU32};

use crate::text::Hidden;
use crate::varint::VARINT_MAX;
use crate::{Binary, PropertyId, QoS, Text, TopicName};

/// What the payload of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PayloadFormat {
    /// Bytes of no stated kind.
    #[default]
    Unspecified,
    /// UTF-8 text.
    Utf8,
}

/// The number by which a client recognises which of its subscriptions brought a message: 1 to 268,435,455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The identifier with this number, unless it is 0 or above 268,435,455.
    #[must_use]
    #[inline]
    pub const fn new(number: u32) -> Option<Self> {
        if number > VARINT_MAX {
            return None;
        }
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// One property with its value.
///
/// Its `Debug` form hides authentication data.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub enum Property<B: AsRef<[u8]>> {
    /// Whether the payload is text.
    PayloadFormatIndicator(PayloadFormat),
    /// How many seconds the message is worth delivering.
    MessageExpiryInterval(u32),
    /// What the payload is, in the sender's own terms, such as a MIME type.
    ContentType(Text<B>),
    /// Where an answer goes.
    ResponseTopic(TopicName<B>),
    /// By what the requester recognises the answer.
    CorrelationData(Binary<B>),
    /// Which subscription it is about.
    SubscriptionIdentifier(SubscriptionId),
    /// How many seconds the session outlives the connection; `u32::MAX` is for ever.
    SessionExpiryInterval(u32),
    /// The client identifier that the server chose.
    AssignedClientIdentifier(Text<B>),
    /// The keep-alive in seconds that replaces the client's.
    ServerKeepAlive(u16),
    /// The name of the authentication method.
    AuthenticationMethod(Text<B>),
    /// What the authentication method exchanges.
    AuthenticationData(Binary<B>),
    /// Whether the client wants reason strings and user properties with every kind of packet.
    RequestProblemInformation(bool),
    /// How many seconds the will waits.
    WillDelayInterval(u32),
    /// Whether the client wants response information.
    RequestResponseInformation(bool),
    /// From what the client makes response topics.
    ResponseInformation(Text<B>),
    /// Which other server to use.
    ServerReference(Text<B>),
    /// A diagnosis for people.
    ReasonString(Text<B>),
    /// How many messages with QoS above 0 may be in flight.
    ReceiveMaximum(NonZeroU16),
    /// The highest topic alias that may be used.
    TopicAliasMaximum(u16),
    /// The number that stands for the topic.
    TopicAlias(NonZeroU16),
    /// The highest QoS that the server supports: 0 or 1 on the wire. Absent means 2.
    MaximumQoS(QoS),
    /// Whether the server keeps retained messages.
    RetainAvailable(bool),
    /// A name and a value with a meaning of the application's own.
    UserProperty(Text<B>, Text<B>),
    /// The largest packet in bytes that may be sent.
    MaximumPacketSize(NonZeroU32),
    /// Whether filters may hold wildcards.
    WildcardSubscriptionAvailable(bool),
    /// Whether subscriptions may have identifiers.
    SubscriptionIdentifierAvailable(bool),
    /// Whether subscriptions may be shared.
    SharedSubscriptionAvailable(bool),
}

impl<B: AsRef<[u8]>> Property<B> {
    /// Which property it is.
    #[must_use]
    #[inline]
    pub const fn id(&self) -> PropertyId {
        match self {
            Self::PayloadFormatIndicator(_) => PropertyId::PayloadFormatIndicator,
            Self::MessageExpiryInterval(_) => PropertyId::MessageExpiryInterval,
            Self::ContentType(_) => PropertyId::ContentType,
            Self::ResponseTopic(_) => PropertyId::ResponseTopic,
            Self::CorrelationData(_) => PropertyId::CorrelationData,
            Self::SubscriptionIdentifier(_) => PropertyId::SubscriptionIdentifier,
            Self::SessionExpiryInterval(_) => PropertyId::SessionExpiryInterval,
            Self::AssignedClientIdentifier(_) => PropertyId::AssignedClientIdentifier,
            Self::ServerKeepAlive(_) => PropertyId::ServerKeepAlive,
            Self::AuthenticationMethod(_) => PropertyId::AuthenticationMethod,
            Self::AuthenticationData(_) => PropertyId::AuthenticationData,
            Self::RequestProblemInformation(_) => PropertyId::RequestProblemInformation,
            Self::WillDelayInterval(_) => PropertyId::WillDelayInterval,
            Self::RequestResponseInformation(_) => PropertyId::RequestResponseInformation,
            Self::ResponseInformation(_) => PropertyId::ResponseInformation,
            Self::ServerReference(_) => PropertyId::ServerReference,
            Self::ReasonString(_) => PropertyId::ReasonString,
            Self::ReceiveMaximum(_) => PropertyId::ReceiveMaximum,
            Self::TopicAliasMaximum(_) => PropertyId::TopicAliasMaximum,
            Self::TopicAlias(_) => PropertyId::TopicAlias,
            Self::MaximumQoS(_) => PropertyId::MaximumQoS,
            Self::RetainAvailable(_) => PropertyId::RetainAvailable,
            Self::UserProperty(..) => PropertyId::UserProperty,
            Self::MaximumPacketSize(_) => PropertyId::MaximumPacketSize,
            Self::WildcardSubscriptionAvailable(_) => PropertyId::WildcardSubscriptionAvailable,
            Self::SubscriptionIdentifierAvailable(_) => PropertyId::SubscriptionIdentifierAvailable,
            Self::SharedSubscriptionAvailable(_) => PropertyId::SharedSubscriptionAvailable,
        }
    }
}

impl<B: AsRef<[u8]>> core::fmt::Debug for Property<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut tuple = f.debug_tuple(self.id().name());
        match self {
            Self::PayloadFormatIndicator(format) => tuple.field(format),
            Self::MessageExpiryInterval(number)
            | Self::SessionExpiryInterval(number)
            | Self::WillDelayInterval(number) => tuple.field(number),
            Self::ContentType(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => tuple.field(text),
            Self::ResponseTopic(topic) => tuple.field(topic),
            Self::CorrelationData(data) => tuple.field(data),
            Self::AuthenticationData(data) => tuple.field(&Hidden(data.len())),
            Self::SubscriptionIdentifier(id) => tuple.field(&id.get()),
            Self::ServerKeepAlive(number) | Self::TopicAliasMaximum(number) => tuple.field(number),
            Self::ReceiveMaximum(number) | Self::TopicAlias(number) => tuple.field(number),
            Self::MaximumPacketSize(number) => tuple.field(number),
            Self::MaximumQoS(qos) => tuple.field(qos),
            Self::RequestProblemInformation(flag)
            | Self::RequestResponseInformation(flag)
            | Self::RetainAvailable(flag)
            | Self::WildcardSubscriptionAvailable(flag)
            | Self::SubscriptionIdentifierAvailable(flag)
            | Self::SharedSubscriptionAvailable(flag) => tuple.field(flag),
            Self::UserProperty(name, value) => tuple.field(name).field(value),
        };
        tuple.finish()
    }
}
