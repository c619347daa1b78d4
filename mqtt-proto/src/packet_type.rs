//! The types of packets, their numbers, and who sends them.

use crate::Role;

macro_rules! packet_types {
    ($($variant:ident = $number:literal, $name:literal;)*) => {
        /// The type of a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum PacketType {
            $(#[doc = $name] $variant = $number,)*
        }

        impl PacketType {
            /// Every type, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The type with this number; 0 is reserved in every version, and 15 in MQTT 3.1.1 and 3.1.
            #[must_use]
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name in capitals, as the specification writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

packet_types! {
    Connect = 1, "CONNECT";
    ConnAck = 2, "CONNACK";
    Publish = 3, "PUBLISH";
    PubAck = 4, "PUBACK";
    PubRec = 5, "PUBREC";
    PubRel = 6, "PUBREL";
    PubComp = 7, "PUBCOMP";
    Subscribe = 8, "SUBSCRIBE";
    SubAck = 9, "SUBACK";
    Unsubscribe = 10, "UNSUBSCRIBE";
    UnsubAck = 11, "UNSUBACK";
    PingReq = 12, "PINGREQ";
    PingResp = 13, "PINGRESP";
    Disconnect = 14, "DISCONNECT";
    Auth = 15, "AUTH";
}

impl PacketType {
    /// The number in the upper half of the first byte.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether this end ever sends packets of this type. DISCONNECT and AUTH from a server exist in MQTT 5.0 only.
    #[must_use]
    #[inline]
    pub const fn may_be_sent_by(self, sender: Role, version: crate::Version) -> bool {
        match self {
            Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::PingReq => matches!(sender, Role::Client),
            Self::ConnAck | Self::SubAck | Self::UnsubAck | Self::PingResp => matches!(sender, Role::Server),
            Self::Disconnect => matches!(sender, Role::Client) || version.has_properties(),
            Self::Publish | Self::PubAck | Self::PubRec | Self::PubRel | Self::PubComp | Self::Auth => true,
        }
    }

    /// The first byte of a packet of this type, with the flags that the specification fixes (PUBLISH: all zero).
    #[must_use]
    #[inline]
    pub(crate) const fn first_byte(self) -> u8 {
        let flags = match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        };
        (self as u8) << 4 | flags
    }
}

impl core::fmt::Display for PacketType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
