//! The parts of a packet, by name: for errors and for [`explain`](crate::explain).

use crate::PropertyId;

macro_rules! fields {
    ($($variant:ident => $name:literal;)*) => {
        /// A part of a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum Field {
            $(#[doc = concat!("The ", $name, ".")] $variant,)*
            /// A property.
            Property(PropertyId),
        }

        impl Field {
            /// The name, as the specification writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Property(id) => id.name(),
                }
            }
        }
    };
}

fields! {
    FixedHeader => "packet type and flags";
    RemainingLength => "Remaining Length";
    ProtocolName => "protocol name";
    ProtocolLevel => "protocol level";
    ConnectFlags => "Connect Flags";
    KeepAlive => "Keep Alive";
    ClientId => "Client Identifier";
    WillTopic => "Will Topic";
    WillPayload => "Will Payload";
    UserName => "User Name";
    Password => "Password";
    ConnectAcknowledgeFlags => "Connect Acknowledge Flags";
    ReasonCode => "reason code";
    PacketId => "Packet Identifier";
    TopicName => "Topic Name";
    TopicFilter => "Topic Filter";
    SubscriptionOptions => "Subscription Options";
    Payload => "payload";
    PropertyLength => "Property Length";
    WillPropertyLength => "Will Property Length";
    PropertyId => "property identifier";
    EndOfPacket => "end of the packet";
}

impl core::fmt::Display for Field {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
