//! The places where properties stand. Each is a type, so that properties of one packet cannot be put into another.

use super::Properties;

/// A place where properties stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum SectionKind {
    /// The properties of CONNECT.
    Connect,
    /// The Will Properties in the payload of CONNECT.
    Will,
    /// The properties of CONNACK.
    ConnAck,
    /// The properties of PUBLISH.
    Publish,
    /// The properties of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK, which are the same.
    Ack,
    /// The properties of SUBSCRIBE.
    Subscribe,
    /// The properties of UNSUBSCRIBE.
    Unsubscribe,
    /// The properties of DISCONNECT.
    Disconnect,
    /// The properties of AUTH.
    Auth,
}

impl SectionKind {
    #[inline]
    pub(super) const fn bit(self) -> u16 {
        1 << self as u8
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A place where properties stand, as a type. Implemented by the types of this module, which have no values.
pub trait Section: sealed::Sealed {
    /// Which place.
    const KIND: SectionKind;
}

macro_rules! sections {
    ($($name:ident)*) => {
        $(
            #[doc = concat!("As a type: see [`SectionKind::", stringify!($name), "`].")]
            #[derive(Debug)]
            pub enum $name {}

            impl sealed::Sealed for $name {}

            impl Section for $name {
                const KIND: SectionKind = SectionKind::$name;
            }
        )*
    };
}

sections! { Connect Will ConnAck Publish Ack Subscribe Unsubscribe Disconnect Auth }

/// The properties of CONNECT.
pub type ConnectProperties<B> = Properties<Connect, B>;
/// The Will Properties in the payload of CONNECT.
pub type WillProperties<B> = Properties<Will, B>;
/// The properties of CONNACK.
pub type ConnAckProperties<B> = Properties<ConnAck, B>;
/// The properties of PUBLISH.
pub type PublishProperties<B> = Properties<Publish, B>;
/// The properties of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
pub type AckProperties<B> = Properties<Ack, B>;
/// The properties of SUBSCRIBE.
pub type SubscribeProperties<B> = Properties<Subscribe, B>;
/// The properties of UNSUBSCRIBE.
pub type UnsubscribeProperties<B> = Properties<Unsubscribe, B>;
/// The properties of DISCONNECT.
pub type DisconnectProperties<B> = Properties<Disconnect, B>;
/// The properties of AUTH.
pub type AuthProperties<B> = Properties<Auth, B>;
