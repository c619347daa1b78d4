//! The table of properties: number, name, type, and the packets that may carry them.

use super::section::SectionKind;

/// How the value of a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One byte, 0 or 1.
    Flag,
    /// Two bytes.
    Two,
    /// Two bytes, not zero.
    TwoNonZero,
    /// Four bytes.
    Four,
    /// Four bytes, not zero.
    FourNonZero,
    /// A Variable Byte Integer, not zero.
    Varint,
    /// Text.
    Text,
    /// A topic name.
    Topic,
    /// Binary data.
    Binary,
    /// Two texts.
    Pair,
}

macro_rules! properties {
    ($($variant:ident = $number:literal, $name:literal, $shape:ident, [$($section:ident)*];)*) => {
        /// The identifier of a property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = $name] $variant = $number,)*
        }

        impl PropertyId {
            /// Every property, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The property with this number.
            #[must_use]
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name, as the specification writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            #[inline]
            pub(crate) const fn shape(self) -> Shape {
                match self {
                    $(Self::$variant => Shape::$shape,)*
                }
            }

            #[inline]
            const fn sections(self) -> u16 {
                match self {
                    $(Self::$variant => 0 $(| SectionKind::$section.bit())*,)*
                }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01, "Payload Format Indicator", Flag, [Publish Will];
    MessageExpiryInterval = 0x02, "Message Expiry Interval", Four, [Publish Will];
    ContentType = 0x03, "Content Type", Text, [Publish Will];
    ResponseTopic = 0x08, "Response Topic", Topic, [Publish Will];
    CorrelationData = 0x09, "Correlation Data", Binary, [Publish Will];
    SubscriptionIdentifier = 0x0B, "Subscription Identifier", Varint, [Publish Subscribe];
    SessionExpiryInterval = 0x11, "Session Expiry Interval", Four, [Connect ConnAck Disconnect];
    AssignedClientIdentifier = 0x12, "Assigned Client Identifier", Text, [ConnAck];
    ServerKeepAlive = 0x13, "Server Keep Alive", Two, [ConnAck];
    AuthenticationMethod = 0x15, "Authentication Method", Text, [Connect ConnAck Auth];
    AuthenticationData = 0x16, "Authentication Data", Binary, [Connect ConnAck Auth];
    RequestProblemInformation = 0x17, "Request Problem Information", Flag, [Connect];
    WillDelayInterval = 0x18, "Will Delay Interval", Four, [Will];
    RequestResponseInformation = 0x19, "Request Response Information", Flag, [Connect];
    ResponseInformation = 0x1A, "Response Information", Text, [ConnAck];
    ServerReference = 0x1C, "Server Reference", Text, [ConnAck Disconnect];
    ReasonString = 0x1F, "Reason String", Text, [ConnAck Ack Disconnect Auth];
    ReceiveMaximum = 0x21, "Receive Maximum", TwoNonZero, [Connect ConnAck];
    TopicAliasMaximum = 0x22, "Topic Alias Maximum", Two, [Connect ConnAck];
    TopicAlias = 0x23, "Topic Alias", TwoNonZero, [Publish];
    MaximumQoS = 0x24, "Maximum QoS", Flag, [ConnAck];
    RetainAvailable = 0x25, "Retain Available", Flag, [ConnAck];
    UserProperty = 0x26, "User Property", Pair, [Connect Will ConnAck Publish Ack Subscribe Unsubscribe Disconnect Auth];
    MaximumPacketSize = 0x27, "Maximum Packet Size", FourNonZero, [Connect ConnAck];
    WildcardSubscriptionAvailable = 0x28, "Wildcard Subscription Available", Flag, [ConnAck];
    SubscriptionIdentifierAvailable = 0x29, "Subscription Identifier Available", Flag, [ConnAck];
    SharedSubscriptionAvailable = 0x2A, "Shared Subscription Available", Flag, [ConnAck];
}

impl PropertyId {
    /// The number on the wire.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether the property may stand in this section.
    #[must_use]
    #[inline]
    pub const fn belongs_to(self, section: SectionKind) -> bool {
        self.sections() & section.bit() != 0
    }

    /// Whether the property may occur more than once in this section.
    #[must_use]
    #[inline]
    pub const fn may_repeat_in(self, section: SectionKind) -> bool {
        matches!(
            (self, section),
            (Self::UserProperty, _) | (Self::SubscriptionIdentifier, SectionKind::Publish)
        )
    }

    /// The place of the property in a set of properties.
    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << self.number()
    }
}

impl core::fmt::Display for PropertyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
