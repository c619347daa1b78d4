//! Encoding: the length first, which also finds what cannot be encoded; then the bytes, which cannot fail.

use crate::sink::{Sink, SliceSink};
use crate::varint::{self, VARINT_MAX};
use crate::{EncodeError, Field, PacketType, Properties, Section, Version};

/// What a packet has behind its fixed header.
pub(crate) trait Body {
    /// Type and flags.
    fn first_byte(&self) -> u8;

    /// The Remaining Length. Finds everything that keeps the packet from being encoded in this version.
    fn body_len(&self, version: Version) -> Result<usize, EncodeError>;

    /// The whole packet, if it has four bytes: the acknowledgements that make up half of all traffic.
    #[inline(always)]
    fn short_form(&self) -> Option<[u8; 4]> {
        None
    }

    /// Writes exactly as many bytes as [`body_len`](Self::body_len) says.
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K);
}

/// The lengths of a packet that can be encoded.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) remaining: u32,
    pub(crate) total: usize,
}

impl Sizes {
    #[inline(always)]
    pub(crate) fn of(body_len: usize) -> Result<Self, EncodeError> {
        match u32::try_from(body_len) {
            Ok(remaining) if remaining <= VARINT_MAX => {
                let header = 1_usize.saturating_add(usize::from(varint::len(remaining)));
                Ok(Self {
                    remaining,
                    total: body_len.saturating_add(header),
                })
            }
            _ => Err(EncodeError::PacketTooLarge {
                len: body_len.saturating_add(5),
                limit: usize::try_from(varint::LARGEST_PACKET).unwrap_or(usize::MAX),
            }),
        }
    }
}

#[inline(always)]
pub(crate) fn sizes<P: Body>(packet: &P, version: Version) -> Result<Sizes, EncodeError> {
    Sizes::of(packet.body_len(version)?)
}

#[inline(always)]
fn write<P: Body, K: Sink>(packet: &P, version: Version, remaining: u32, sink: &mut K) {
    sink.put_header(packet.first_byte(), remaining);
    packet.write_body(version, sink);
}

#[inline]
pub(crate) fn to_slice<P: Body>(packet: &P, version: Version, buffer: &mut [u8]) -> Result<usize, EncodeError> {
    if let Some(short) = packet.short_form() {
        *buffer
            .first_chunk_mut()
            .ok_or(EncodeError::BufferTooSmall { needed: short.len() })? = short;
        return Ok(short.len());
    }
    whole_to_slice(packet, version, buffer)
}

/// A function of its own for each packet, so that one does not pay for the registers that another needs.
#[inline(never)]
fn whole_to_slice<P: Body>(packet: &P, version: Version, buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let Sizes { remaining, total } = sizes(packet, version)?;
    let place = buffer
        .get_mut(..total)
        .ok_or(EncodeError::BufferTooSmall { needed: total })?;
    write(packet, version, remaining, &mut SliceSink(place));
    Ok(total)
}

#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn to_buf<P: Body>(
    packet: &P,
    version: Version,
    buffer: &mut impl bytes::BufMut,
) -> Result<usize, EncodeError> {
    if let Some(short) = packet.short_form() {
        if buffer.remaining_mut() < short.len() {
            return Err(EncodeError::BufferTooSmall { needed: short.len() });
        }
        buffer.put_slice(&short);
        return Ok(short.len());
    }
    let Sizes { remaining, total } = sizes(packet, version)?;
    if buffer.remaining_mut() < total {
        return Err(EncodeError::BufferTooSmall { needed: total });
    }
    let mut sink = crate::sink::BufSink::new(buffer);
    write(packet, version, remaining, &mut sink);
    sink.flush();
    Ok(total)
}

/// Appends a packet that is within a limit.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) fn to_vec<P: Body>(
    packet: &P,
    version: Version,
    limit: u32,
    buffer: &mut alloc::vec::Vec<u8>,
) -> Result<usize, EncodeError> {
    let Sizes { remaining, total } = sizes(packet, version)?;
    fits(total, limit)?;
    buffer.reserve(total);
    write(packet, version, remaining, &mut crate::sink::VecSink(buffer));
    Ok(total)
}

/// The length of a section of properties with its Property Length: nothing before MQTT 5.0.
#[inline(always)]
pub(crate) fn section_len<S: Section, B: AsRef<[u8]>>(
    properties: &Properties<S, B>,
    version: Version,
) -> Result<usize, EncodeError> {
    if !version.has_properties() {
        return match properties.is_empty() {
            true => Ok(0),
            false => Err(EncodeError::NotInVersion {
                field: Field::PropertyLength,
                version,
            }),
        };
    }
    let len = properties.encoded_len();
    // What exceeds a Property Length exceeds the Remaining Length too, which is checked for the whole packet.
    let prefix = u32::try_from(len).map_or(4, varint::len);
    Ok(len.saturating_add(usize::from(prefix)))
}

/// Writes a section of properties with its Property Length.
#[inline(always)]
pub(crate) fn write_section<S: Section, B: AsRef<[u8]>, K: Sink>(
    properties: &Properties<S, B>,
    version: Version,
    sink: &mut K,
) {
    if version.has_properties() {
        sink.put_varint(u32::try_from(properties.encoded_len()).unwrap_or(VARINT_MAX));
        properties.write(sink);
    }
}

/// Refuses what exceeds the peer's Maximum Packet Size.
#[inline]
pub(crate) fn fits(len: usize, limit: u32) -> Result<(), EncodeError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if len > limit {
        Err(EncodeError::PacketTooLarge { len, limit })
    } else {
        Ok(())
    }
}

/// PINGREQ as bytes: the same in every version.
pub const PINGREQ: [u8; 2] = [PacketType::PingReq.first_byte(), 0];

/// PINGRESP as bytes: the same in every version.
pub const PINGRESP: [u8; 2] = [PacketType::PingResp.first_byte(), 0];

/// A packet that is a header alone.
pub(crate) struct Ping(pub(crate) PacketType);

/// The methods that every packet has, on top of its [`Body`].
macro_rules! body {
    ($name:ident) => {
        impl<B: AsRef<[u8]>> $name<B> {
            /// How many bytes the packet takes.
            ///
            /// # Errors
            /// If it cannot be encoded in this version.
            pub fn encoded_len(&self, version: $crate::Version) -> Result<usize, $crate::EncodeError> {
                Ok($crate::packet::encode::sizes(self, version)?.total)
            }

            /// Writes the packet to the start of a buffer and returns its length.
            ///
            /// # Errors
            /// If the buffer is too small, or the packet cannot be encoded in this version. Nothing has been written then.
            #[inline]
            pub fn encode(&self, version: $crate::Version, buffer: &mut [u8]) -> Result<usize, $crate::EncodeError> {
                $crate::packet::encode::to_slice(self, version, buffer)
            }

            /// Appends the packet to a buffer and returns its length.
            ///
            /// # Errors
            /// If the buffer cannot take it, or the packet cannot be encoded in this version. Nothing has been written
            /// then.
            #[cfg(feature = "alloc")]
            #[inline]
            pub fn encode_to(
                &self,
                version: $crate::Version,
                buffer: &mut impl bytes::BufMut,
            ) -> Result<usize, $crate::EncodeError> {
                $crate::packet::encode::to_buf(self, version, buffer)
            }

            /// The same packet, borrowed.
            #[must_use]
            pub fn as_view(&self) -> $name<&[u8]> {
                self.convert(&mut |bytes| bytes)
            }

            /// An owned form that shares the memory of `frame`, the buffer that this packet was decoded from.
            ///
            /// What does not lie in that buffer is copied.
            #[cfg(feature = "alloc")]
            #[must_use]
            pub fn to_owned_in(&self, frame: &bytes::Bytes) -> $name<bytes::Bytes> {
                self.convert(&mut |bytes| $crate::owned::slice_of(frame, bytes))
            }

            /// An owned copy.
            #[cfg(feature = "alloc")]
            #[must_use]
            pub fn to_owned(&self) -> $name<bytes::Bytes> {
                self.convert(&mut bytes::Bytes::copy_from_slice)
            }
        }

        impl<B: AsRef<[u8]>> From<$name<B>> for $crate::Packet<B> {
            fn from(packet: $name<B>) -> Self {
                Self::$name(packet)
            }
        }

        $crate::impl_defmt!($name);
    };
    // The same for packets that may have to shrink to the peer's Maximum Packet Size.
    ($name:ident, shrinks) => {
        $crate::packet::body!($name);

        impl<B: AsRef<[u8]>> $name<B> {
            /// Leaves out the Reason String, and then the User Properties, if the packet would exceed the peer's Maximum
            /// Packet Size.
            ///
            /// # Errors
            /// If the packet is too large without them too, or cannot be encoded at all.
            pub fn fit(mut self, version: $crate::Version, limit: u32) -> Result<Self, $crate::EncodeError> {
                for spare in [$crate::PropertyId::ReasonString, $crate::PropertyId::UserProperty] {
                    match $crate::packet::encode::fits(self.encoded_len(version)?, limit) {
                        Ok(()) => return Ok(self),
                        Err(_) => self.properties = self.properties.without(spare),
                    }
                }
                $crate::packet::encode::fits(self.encoded_len(version)?, limit)?;
                Ok(self)
            }
        }
    };
}

pub(crate) use body;
