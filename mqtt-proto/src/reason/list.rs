//! How a list of reason codes is written: the enum, its numbers and its words.

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = meaning!($variant)] $variant = $value,)*
        }

        impl $name {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code with this number, if the list has it.
            #[must_use]
            #[inline]
            pub const fn from_value(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The number on the wire in MQTT 5.0.
            #[must_use]
            #[inline]
            pub const fn value(self) -> u8 {
                self as u8
            }

            /// Whether the code reports a failure: 0x80 and above.
            #[must_use]
            #[inline]
            pub const fn is_error(self) -> bool {
                self.value() >= 0x80
            }

            /// What the code says, as a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => meaning!($variant),)*
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "0x{:02X} {}", self.value(), self.meaning())
            }
        }
    };
}

macro_rules! reasons_of_packet {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* }) => {
        reasons! { $(#[$meta])* $name { $($variant = $value,)* } }

        impl From<$name> for $crate::ReasonCode {
            fn from(reason: $name) -> Self {
                match reason {
                    $($name::$variant => $crate::ReasonCode::from_listed($value),)*
                }
            }
        }
    };
}
