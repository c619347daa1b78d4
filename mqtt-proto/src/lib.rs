//! A complete and strict codec for MQTT 5.0, 3.1.1 and 3.1 that allocates nothing and knows no sockets.
//!
//! # What it is
//!
//! [`decode`] turns bytes into a [`Packet`] that borrows them; [`Packet::encode`] turns a packet into bytes. There is one
//! packet model for the three versions; the [`Version`] is an argument. All that a decoder enforces is in its [`Rules`].
//!
//! ```
//! use mqtt_proto::{Decoded, Delivery, Packet, Properties, Publish, Rules, TopicName, Version, decode};
//!
//! let publish = Packet::Publish(Publish {
//!     delivery: Delivery::AtMostOnce,
//!     retain: false,
//!     topic: Some(TopicName::new("home/kitchen/temperature")?),
//!     properties: Properties::empty(),
//!     payload: &b"21.5"[..],
//! });
//! let mut buffer = [0; 64];
//! let len = publish.encode(Version::V5, &mut buffer)?;
//!
//! let Decoded::Packet { packet, .. } = decode(&buffer[..len], &Rules::new(Version::V5))? else { panic!() };
//! assert_eq!(packet, publish);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it is not
//!
//! It keeps no state: which packet may follow which, packet identifiers, topic aliases and acknowledgements belong to the
//! layer above.
//!
//! # Views and owned packets
//!
//! A packet is generic over the storage of its variable parts. What [`decode`] returns is a `Packet<&[u8]>`: a view that
//! was checked once as a whole, and whose filters, codes and properties are read lazily from the bytes. With the feature
//! `alloc`, `Packet<bytes::Bytes>` owns them, sharing the memory of the receive buffer (`Packet::take`).
//!
//! Text is known to be well-formed by its type and is kept as bytes; see [`Text`].
//!
//! # What bad input gets
//!
//! A [`DecodeError`]: what is wrong, at which byte, which statement of the specification it breaks, and the reason code to
//! answer with. There is no panic, no allocation that follows a length field, and no read past the packet.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `alloc` | owned packets over `bytes::Bytes`, encoding to `bytes::BufMut` |
//! | `extra-platforms` | `alloc` on targets without atomic compare-and-swap |
//! | `arbitrary` | random valid packets, for fuzzers and property tests |
//! | `serde` | serialisation of packets, for fixtures, logs and tools |
//! | `defmt` | compact logging on microcontrollers |
//!
//! They are there for all values. With `serde`, what owns its parts or is generic over them can be written and read back;
//! what always borrows ([`ConnectPeek`], [`Decoded`], [`Explained`], [`PublishHead`]) and errors that point at a statement
//! ([`DecodeError`], [`EncodeError`]) can be written only. `arbitrary` makes what a peer or a user could choose.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The same input gives the same output: nothing here asks a clock, a source of randomness or the order of a hash map.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "arbitrary"))]
extern crate std;

mod decode;
mod error;
mod explain;
mod fanout;
mod field;
#[cfg(feature = "arbitrary")]
mod generate;
mod header;
#[cfg(feature = "alloc")]
mod owned;
mod packet;
mod packet_type;
mod peek;
mod policy;
mod property;
mod qos;
mod reader;
mod reason;
mod scan;
#[cfg(feature = "serde")]
mod serialize;
mod sink;
mod storage;
mod text;
mod topic;
mod trace;
pub mod varint;
mod version;

/// Logging a packet goes through its `Debug` form, which shortens payloads and hides passwords.
macro_rules! impl_defmt {
    ($name:ident) => {
        #[cfg(feature = "defmt")]
        impl<B: AsRef<[u8]> + core::fmt::Debug> defmt::Format for $name<B> {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::Debug2Format(self).format(f);
            }
        }
    };
}
pub(crate) use impl_defmt;

/// What borrows is logged like packets are.
#[cfg(feature = "defmt")]
mod log {
    macro_rules! through_debug {
        ($($name:ty),*) => {
            $(
                impl defmt::Format for $name {
                    fn format(&self, f: defmt::Formatter<'_>) {
                        defmt::Debug2Format(self).format(f);
                    }
                }
            )*
        };
    }
    through_debug!(
        crate::ConnectPeek<'_>,
        crate::Decoded<'_>,
        crate::DecodedHead<'_>,
        crate::Explained<'_>,
        crate::PublishHead<'_>
    );
}

pub use decode::{Decoded, DecodedHead, decode, decode_bare_ack, decode_publish, decode_publish_head};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use explain::{Explained, Explanation, explain};
pub use fanout::{PatchError, PublishHead, SharedPublish, patch_dup, patch_packet_id, patch_retain};
pub use field::Field;
pub use header::FixedHeader;
pub use packet::{
    Auth, ConnAck, Connect, Disconnect, Filters, FiltersBuilder, PINGREQ, PINGRESP, Packet, PubAck, PubComp, PubRec,
    PubRel, Publish, RetainHandling, SubAck, SubAckCodes, Subscribe, Subscription, SubscriptionOptions, TopicFilters,
    TopicFiltersBuilder, UnsubAck, UnsubAckCodes, Unsubscribe, Will,
};
pub use packet_type::PacketType;
pub use peek::{ConnectPeek, peek_connect};
pub use policy::{Choice, Policy, Rules};
pub use property::{
    AckProperties, AuthProperties, ConnAckProperties, ConnectProperties, DisconnectProperties, PayloadFormat,
    Properties, PropertiesBuilder, Property, PropertyId, PropertyIter, PublishProperties, Section, SectionKind,
    SubscribeProperties, SubscriptionId, UnsubscribeProperties, WillProperties, section,
};
pub use qos::{Delivery, PacketId, QoS};
pub use reason::{
    AuthReason, ConnAckReason, DisconnectReason, PubAckReason, PubCompReason, PubRecReason, PubRelReason, ReasonCode,
    SubAckReason, UnsubAckReason,
};
#[cfg(feature = "alloc")]
pub use storage::InBytes;
pub use storage::{InSlice, Storage};
pub use text::{Binary, BinaryTooLong, FIELD_MAX_BYTES, Text, TextError};
pub use topic::{ShareName, SharedFilter, TopicFilter, TopicName};
pub use trace::Value;
pub use varint::VARINT_MAX;
pub use version::{Role, Version};

/// Packets can be sent to and shared with other threads wherever their storage can.
const _: fn() = || {
    fn shared_freely<T: Send + Sync>() {}
    shared_freely::<Packet<&[u8]>>();
    shared_freely::<SharedPublish<&[u8]>>();
    shared_freely::<Result<Decoded<'_>, DecodeError>>();
    shared_freely::<EncodeError>();
    #[cfg(feature = "alloc")]
    shared_freely::<Packet<bytes::Bytes>>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
