//! The packets, one file each, and the one model of all of them.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod encode;
pub(crate) mod publish;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

pub use ack::{PubAck, PubComp, PubRec, PubRel};
pub use auth::Auth;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub(crate) use encode::{Body, Sizes, body, fits, section_len, write_section};
pub use encode::{PINGREQ, PINGRESP};
pub use publish::Publish;
pub use suback::{SubAck, SubAckCodes};
pub use subscribe::{Filters, FiltersBuilder, RetainHandling, Subscribe, Subscription, SubscriptionOptions};
pub use unsuback::{UnsubAck, UnsubAckCodes};
pub use unsubscribe::{TopicFilters, TopicFiltersBuilder, Unsubscribe};

use crate::error::Rule;
use crate::header::FixedHeader;
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{DecodeError, Decoded, EncodeError, PacketType, Rules, Version};

/// Calls the same expression on the packet inside, whichever it is. PINGREQ and PINGRESP hold nothing.
macro_rules! each {
    ($packet:expr, $inner:ident => $call:expr, $empty:ident => $otherwise:expr) => {
        match $packet {
            Packet::Connect($inner) => $call,
            Packet::ConnAck($inner) => $call,
            Packet::Publish($inner) => $call,
            Packet::PubAck($inner) => $call,
            Packet::PubRec($inner) => $call,
            Packet::PubRel($inner) => $call,
            Packet::PubComp($inner) => $call,
            Packet::Subscribe($inner) => $call,
            Packet::SubAck($inner) => $call,
            Packet::Unsubscribe($inner) => $call,
            Packet::UnsubAck($inner) => $call,
            Packet::Disconnect($inner) => $call,
            Packet::Auth($inner) => $call,
            $empty @ (Packet::PingReq | Packet::PingResp) => $otherwise,
        }
    };
}

/// The same, and puts the result back into the variant it came from.
macro_rules! map_each {
    ($packet:expr, $inner:ident => $call:expr) => {
        match $packet {
            Packet::Connect($inner) => Packet::Connect($call),
            Packet::ConnAck($inner) => Packet::ConnAck($call),
            Packet::Publish($inner) => Packet::Publish($call),
            Packet::PubAck($inner) => Packet::PubAck($call),
            Packet::PubRec($inner) => Packet::PubRec($call),
            Packet::PubRel($inner) => Packet::PubRel($call),
            Packet::PubComp($inner) => Packet::PubComp($call),
            Packet::Subscribe($inner) => Packet::Subscribe($call),
            Packet::SubAck($inner) => Packet::SubAck($call),
            Packet::Unsubscribe($inner) => Packet::Unsubscribe($call),
            Packet::UnsubAck($inner) => Packet::UnsubAck($call),
            Packet::Disconnect($inner) => Packet::Disconnect($call),
            Packet::Auth($inner) => Packet::Auth($call),
            Packet::PingReq => Packet::PingReq,
            Packet::PingResp => Packet::PingResp,
        }
    };
}

/// A packet of any type, of any version.
///
/// `B` is the storage of its variable parts: `&[u8]` in what [`decode`](crate::decode) returns, `bytes::Bytes` in an
/// owned packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub enum Packet<B: AsRef<[u8]>> {
    /// CONNECT: a client asks to be served.
    Connect(Connect<B>),
    /// CONNACK: the server answers it.
    ConnAck(ConnAck<B>),
    /// PUBLISH: a message.
    Publish(Publish<B>),
    /// PUBACK: a message of QoS 1 has been taken over.
    PubAck(PubAck<B>),
    /// PUBREC: a message of QoS 2 has been taken over.
    PubRec(PubRec<B>),
    /// PUBREL: the sender has let go of a message of QoS 2.
    PubRel(PubRel<B>),
    /// PUBCOMP: the exchange is complete.
    PubComp(PubComp<B>),
    /// SUBSCRIBE: a client asks for messages.
    Subscribe(Subscribe<B>),
    /// SUBACK: the server answers it.
    SubAck(SubAck<B>),
    /// UNSUBSCRIBE: a client wants no more of them.
    Unsubscribe(Unsubscribe<B>),
    /// UNSUBACK: the server answers it.
    UnsubAck(UnsubAck<B>),
    /// PINGREQ: the client is alive.
    PingReq,
    /// PINGRESP: the server is too.
    PingResp,
    /// DISCONNECT: the last packet of a connection.
    Disconnect(Disconnect<B>),
    /// AUTH: a step of an authentication, since MQTT 5.0.
    Auth(Auth<B>),
}

impl<B: AsRef<[u8]>> Packet<B> {
    /// The type of the packet.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

impl<'a> Packet<&'a [u8]> {
    /// Reads the body of a packet whose header was accepted.
    ///
    /// Each branch has a cursor of its own, so that those which are inlined keep theirs in registers, and ends with the
    /// whole result, so that it is written once and in its place.
    #[inline(always)]
    pub(crate) fn read<T: Trace>(
        header: FixedHeader,
        body: &'a [u8],
        rules: &Rules,
        trace: T,
    ) -> Result<Decoded<'a>, DecodeError> {
        let len = header.packet_len();
        let cursor = || Reader::new(body, header.len(), header.packet_type(), *rules, trace);
        macro_rules! read {
            ($packet:ident) => {
                Ok(Decoded::Packet {
                    packet: Self::$packet($packet::read(&mut cursor())?),
                    len,
                })
            };
        }
        match header.packet_type() {
            PacketType::Publish => Ok(Decoded::Packet {
                packet: Self::Publish(Publish::read(header.flags(), &mut cursor())?),
                len,
            }),
            PacketType::PubAck => read!(PubAck),
            PacketType::PubRec => read!(PubRec),
            PacketType::PubRel => read!(PubRel),
            PacketType::PubComp => read!(PubComp),
            PacketType::Connect => read!(Connect),
            PacketType::ConnAck => read!(ConnAck),
            PacketType::Subscribe => read!(Subscribe),
            PacketType::SubAck => read!(SubAck),
            PacketType::Unsubscribe => read!(Unsubscribe),
            PacketType::UnsubAck => read!(UnsubAck),
            PacketType::Disconnect => read!(Disconnect),
            PacketType::Auth => read!(Auth),
            PacketType::PingReq => {
                cursor().finish(&Rule::ANY)?;
                Ok(Decoded::Packet {
                    packet: Self::PingReq,
                    len,
                })
            }
            PacketType::PingResp => {
                cursor().finish(&Rule::ANY)?;
                Ok(Decoded::Packet {
                    packet: Self::PingResp,
                    len,
                })
            }
        }
    }
}

impl<B: AsRef<[u8]>> Packet<B> {
    /// The nearest packet that a version can express, or `None` where it has no such packet.
    ///
    /// Towards MQTT 3.1.1 and 3.1 properties are left out, failure codes of acknowledgements become what 3.1.1 has,
    /// and subscription options shrink to the QoS. AUTH does not exist there; a CONNACK that 3.1.1 cannot say, a PUBLISH
    /// with a topic alias alone, and a DISCONNECT that is not a normal one have no counterpart: close instead.
    /// Towards MQTT 5.0 nothing changes; an UNSUBACK without codes, and filters that begin with `$share/` and are not
    /// shared ones, have no counterpart.
    #[must_use]
    pub fn for_version(self, version: Version) -> Option<Self> {
        Some(match self {
            Self::Connect(packet) => Self::Connect(packet.for_version(version)),
            Self::ConnAck(packet) => Self::ConnAck(packet.for_version(version)?),
            Self::Publish(packet) => Self::Publish(packet.for_version(version)?),
            Self::PubAck(packet) => Self::PubAck(packet.for_version(version)),
            Self::PubRec(packet) => Self::PubRec(packet.for_version(version)),
            Self::PubRel(packet) => Self::PubRel(packet.for_version(version)),
            Self::PubComp(packet) => Self::PubComp(packet.for_version(version)),
            Self::Subscribe(packet) => Self::Subscribe(packet.for_version(version)?),
            Self::SubAck(packet) => Self::SubAck(packet.for_version(version)),
            Self::Unsubscribe(packet) => Self::Unsubscribe(packet.for_version(version)?),
            Self::UnsubAck(packet) => Self::UnsubAck(packet.for_version(version)?),
            Self::PingReq => Self::PingReq,
            Self::PingResp => Self::PingResp,
            Self::Disconnect(packet) => Self::Disconnect(packet.for_version(version)?),
            Self::Auth(packet) => Self::Auth(packet.for_version(version)?),
        })
    }

    /// Leaves out the Reason String, and then the User Properties, if the packet would exceed the peer's Maximum Packet
    /// Size. These are the only parts that the specification gives up for this; a PUBLISH keeps its user properties.
    ///
    /// # Errors
    /// If the packet is too large without them too, or cannot be encoded at all.
    pub fn fit(self, version: Version, limit: u32) -> Result<Self, EncodeError> {
        Ok(match self {
            Self::ConnAck(packet) => Self::ConnAck(packet.fit(version, limit)?),
            Self::PubAck(packet) => Self::PubAck(packet.fit(version, limit)?),
            Self::PubRec(packet) => Self::PubRec(packet.fit(version, limit)?),
            Self::PubRel(packet) => Self::PubRel(packet.fit(version, limit)?),
            Self::PubComp(packet) => Self::PubComp(packet.fit(version, limit)?),
            Self::SubAck(packet) => Self::SubAck(packet.fit(version, limit)?),
            Self::UnsubAck(packet) => Self::UnsubAck(packet.fit(version, limit)?),
            Self::Disconnect(packet) => Self::Disconnect(packet.fit(version, limit)?),
            Self::Auth(packet) => Self::Auth(packet.fit(version, limit)?),
            other => {
                fits(other.encoded_len(version)?, limit)?;
                other
            }
        })
    }

    /// The same packet, borrowed.
    #[must_use]
    pub fn as_view(&self) -> Packet<&[u8]> {
        self.convert(&mut |bytes| bytes)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Packet<C> {
        map_each!(self, packet => packet.convert(storage))
    }

    /// How many bytes the packet takes.
    ///
    /// # Errors
    /// If it cannot be encoded in this version.
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        each!(self, packet => packet.encoded_len(version), _empty => Ok(2))
    }

    /// Writes the packet to the start of a buffer and returns its length.
    ///
    /// # Errors
    /// If the buffer is too small, or the packet cannot be encoded in this version. Nothing has been written then.
    pub fn encode(&self, version: Version, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        each!(self, packet => packet.encode(version, buffer), empty => encode::to_slice(&encode::Ping(empty.packet_type()), version, buffer))
    }
}

#[cfg(feature = "alloc")]
impl<B: AsRef<[u8]>> Packet<B> {
    /// Appends the packet to a buffer and returns its length.
    ///
    /// # Errors
    /// If the buffer cannot take it, or the packet cannot be encoded in this version. Nothing has been written then.
    pub fn encode_to(&self, version: Version, buffer: &mut impl bytes::BufMut) -> Result<usize, EncodeError> {
        each!(self, packet => packet.encode_to(version, buffer), empty => encode::to_buf(&encode::Ping(empty.packet_type()), version, buffer))
    }

    /// An owned form that shares the memory of `frame`, the buffer that this packet was decoded from.
    ///
    /// What does not lie in that buffer is copied.
    #[must_use]
    pub fn to_owned_in(&self, frame: &bytes::Bytes) -> Packet<bytes::Bytes> {
        self.convert(&mut |bytes| crate::owned::slice_of(frame, bytes))
    }

    /// An owned copy.
    #[must_use]
    pub fn to_owned(&self) -> Packet<bytes::Bytes> {
        self.convert(&mut bytes::Bytes::copy_from_slice)
    }
}

crate::impl_defmt!(Packet);

/// PINGREQ and PINGRESP have a header and nothing else.
impl Body for encode::Ping {
    fn first_byte(&self) -> u8 {
        self.0.first_byte()
    }

    fn body_len(&self, _: Version) -> Result<usize, EncodeError> {
        Ok(0)
    }

    fn write_body<K: Sink>(&self, _: Version, _: &mut K) {}
}
