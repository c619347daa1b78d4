//! Decoding: bytes of a stream in, one packet out.

use crate::header::FixedHeader;
use crate::reader::Reader;
use crate::trace::{Silent, Trace, Value};
use crate::{DecodeError, Field, Packet, PacketId, PacketType, Publish, Rules};

/// What the bytes at the start of a buffer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Decoded<'a> {
    /// A packet.
    Packet {
        /// The packet, which borrows the buffer.
        packet: Packet<&'a [u8]>,
        /// How many bytes it took.
        len: usize,
    },
    /// The beginning of a packet that is acceptable so far.
    Incomplete {
        /// How many bytes are missing at least.
        missing: usize,
    },
}

/// Reads the packet at the start of `bytes`.
///
/// Bytes behind the packet are not looked at. A packet that is not complete is not an error: call again with more bytes.
/// The size limit is checked as soon as the length is known, so that no more than [`Rules::limit_bytes`] need ever be
/// kept. The work is proportional to the bytes, however they arrive: a body is looked at only when it is complete.
///
/// ```
/// use mqtt_proto::{Decoded, Packet, Rules, Version, decode};
/// let bytes = [0x30, 0x05, 0x00, 0x01, b't', b'h', b'i'];
/// let rules = Rules::new(Version::V3_1_1);
///
/// assert_eq!(decode(&bytes[..3], &rules)?, Decoded::Incomplete { missing: 4 });
/// let Decoded::Packet { packet: Packet::Publish(publish), len } = decode(&bytes, &rules)? else { panic!() };
/// assert_eq!((publish.topic.unwrap().as_str(), publish.payload, len), ("t", &b"hi"[..], 7));
/// # Ok::<(), mqtt_proto::DecodeError>(())
/// ```
///
/// # Errors
/// If the bytes break the specification, the limit or the policy. After that nothing further of the stream can be
/// interpreted.
#[inline(never)]
pub fn decode<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Decoded<'a>, DecodeError> {
    decode_traced(bytes, rules, Silent)
}

/// The same, and tells about every field.
#[inline(always)]
pub(crate) fn decode_traced<'a, T: Trace>(
    bytes: &'a [u8],
    rules: &Rules,
    mut trace: T,
) -> Result<Decoded<'a>, DecodeError> {
    let header = match FixedHeader::plain(bytes, rules) {
        Some(header) => header,
        None => match FixedHeader::decode(bytes, rules) {
            Ok(Some(header)) => header,
            Ok(None) => {
                let missing = missing_of_header(bytes);
                return Ok(Decoded::Incomplete { missing });
            }
            Err(error) => {
                // The first byte has been accepted if the fault lies behind it.
                if error.offset() > 0 {
                    trace_first_byte(bytes, &mut trace);
                }
                return Err(error);
            }
        },
    };
    trace_first_byte(bytes, &mut trace);
    let remaining = u32::try_from(header.remaining_len()).unwrap_or(u32::MAX);
    trace.field(Field::RemainingLength, 1..header.len(), Value::Number(remaining));
    let len = header.packet_len();
    let Some(body) = bytes.get(header.len()..len) else {
        let missing = len.saturating_sub(bytes.len());
        return Ok(Decoded::Incomplete { missing });
    };
    Packet::read(header, body, rules, trace)
}

#[inline(always)]
fn trace_first_byte<T: Trace>(bytes: &[u8], trace: &mut T) {
    if let Some(first) = bytes.first() {
        trace.field(Field::FixedHeader, 0..1, Value::Byte(*first));
    }
}

/// No packet has fewer than two bytes; a longer length tells of one further byte at a time.
#[inline]
const fn missing_of_header(bytes: &[u8]) -> usize {
    match bytes.len() {
        0 => 2,
        _ => 1,
    }
}

/// How many bytes an acknowledgement without reason and properties has.
const BARE_ACK_LEN: u32 = 4;

/// Type and identifier of the PUBACK, PUBREC, PUBREL or PUBCOMP at the start of `bytes`, if it is one of four bytes: with
/// success and without properties, as nearly all of them are.
///
/// `None` says nothing: [`decode`] has the verdict. What this finds, `decode` finds too, at several times the cost.
///
/// ```
/// use mqtt_proto::{PacketId, PacketType, Rules, Version, decode_bare_ack};
/// let rules = Rules::new(Version::V5);
/// let found = decode_bare_ack(&[0x40, 0x02, 0x00, 0x07], &rules);
/// assert_eq!(found, PacketId::new(7).map(|id| (PacketType::PubAck, id)));
/// assert_eq!(decode_bare_ack(&[0x40, 0x02, 0x00], &rules), None);
/// ```
#[must_use]
#[inline]
pub fn decode_bare_ack(bytes: &[u8], rules: &Rules) -> Option<(PacketType, PacketId)> {
    const REMAINING: u8 = 2;
    const PUBACK: u8 = PacketType::PubAck.first_byte();
    const PUBREC: u8 = PacketType::PubRec.first_byte();
    const PUBREL: u8 = PacketType::PubRel.first_byte();
    const PUBCOMP: u8 = PacketType::PubComp.first_byte();

    let [first, REMAINING, high, low] = *bytes.first_chunk()? else {
        return None;
    };
    let packet_type = match first {
        PUBACK => PacketType::PubAck,
        PUBREC => PacketType::PubRec,
        PUBREL => PacketType::PubRel,
        PUBCOMP => PacketType::PubComp,
        _ => return None,
    };
    let id = PacketId::new(u16::from_be_bytes([high, low]))?;
    (rules.limit_bytes >= BARE_ACK_LEN).then_some((packet_type, id))
}

/// Reads the PUBLISH at the start of `bytes`: what [`decode`] finds too, with less work, for those who have seen which packet
/// it is and how long, as [`FixedHeader::decode`] tells.
///
/// `None` says that it is not there in whole, or another packet: [`decode`] has the verdict.
///
/// ```
/// use mqtt_proto::{Rules, Version, decode_publish};
/// let rules = Rules::new(Version::V3_1_1);
/// let Some(publish) = decode_publish(b"\x30\x05\x00\x01thi", &rules)? else { panic!() };
/// assert_eq!(publish.payload, b"hi");
/// assert_eq!(decode_publish(b"\x30\x05\x00\x01th", &rules)?, None);
/// assert_eq!(decode_publish(b"\xC0\x00", &rules)?, None);
/// # Ok::<(), mqtt_proto::DecodeError>(())
/// ```
///
/// # Errors
/// As for [`decode`].
pub fn decode_publish<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Option<Publish<&'a [u8]>>, DecodeError> {
    let plain = FixedHeader::plain(bytes, rules).filter(|header| header.packet_type() == PacketType::Publish);
    let Some(header) = plain else {
        return unusual_publish(bytes, rules);
    };
    let Some(body) = bytes.get(header.len()..header.packet_len()) else {
        return Ok(None);
    };
    let mut reader = Reader::new(body, header.len(), PacketType::Publish, *rules, Silent);
    Publish::read(header.flags(), &mut reader).map(Some)
}

#[cold]
fn unusual_publish<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Option<Publish<&'a [u8]>>, DecodeError> {
    match decode(bytes, rules)? {
        Decoded::Packet {
            packet: Packet::Publish(publish),
            ..
        } => Ok(Some(publish)),
        _ => Ok(None),
    }
}

/// What the bytes at the start of a buffer are, for a PUBLISH whose payload is taken in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum DecodedHead<'a> {
    /// A PUBLISH without its payload.
    Head {
        /// The packet; `payload` is empty.
        publish: Publish<&'a [u8]>,
        /// How many bytes the head took. The payload follows.
        len: usize,
        /// How many bytes the payload has.
        payload_len: usize,
    },
    /// The beginning of a head that is acceptable so far.
    Incomplete {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// The bytes begin another kind of packet: use [`decode`].
    NotPublish,
}

/// Reads everything of a PUBLISH but its payload, which need not have arrived.
///
/// This is for payloads that are larger than a receive buffer.
///
/// # Errors
/// As for [`decode`].
pub fn decode_publish_head<'a>(bytes: &'a [u8], rules: &Rules) -> Result<DecodedHead<'a>, DecodeError> {
    let Some(header) = FixedHeader::decode(bytes, rules)? else {
        return Ok(DecodedHead::Incomplete {
            missing: missing_of_header(bytes),
        });
    };
    if header.packet_type() != PacketType::Publish {
        return Ok(DecodedHead::NotPublish);
    }
    let arrived = bytes.len().min(header.packet_len());
    let body = bytes.get(header.len()..arrived).unwrap_or_default();
    let extent = match head_extent(body, header, rules) {
        // What reaches behind the end of the packet is a fault, which reading what has arrived will find: the topic name
        // does so by its length, the properties when everything before them is there.
        Extent::Known(extent) if extent > header.remaining_len() => {
            let whole = rules.version.has_properties() || topic_overruns(body, header);
            if whole { body.len() } else { header.remaining_len() }
        }
        Extent::AtLeast(extent) if extent > header.remaining_len() => {
            if topic_overruns(body, header) {
                body.len()
            } else {
                header.remaining_len()
            }
        }
        Extent::AtLeast(extent) => {
            return Ok(DecodedHead::Incomplete {
                missing: extent.saturating_sub(body.len()),
            });
        }
        Extent::Known(extent) => extent,
    };
    let Some(head) = body.get(..extent) else {
        return Ok(DecodedHead::Incomplete {
            missing: extent.saturating_sub(body.len()),
        });
    };
    let mut reader = Reader::new(head, header.len(), PacketType::Publish, *rules, Silent);
    let publish = Publish::read(header.flags(), &mut reader)?;
    Ok(DecodedHead::Head {
        publish,
        len: header.len().saturating_add(extent),
        payload_len: header.remaining_len().saturating_sub(extent),
    })
}

/// Whether the length of the topic name alone reaches behind the end of the packet.
fn topic_overruns(body: &[u8], header: FixedHeader) -> bool {
    let topic_len = body
        .first_chunk::<2>()
        .map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
    topic_len.saturating_add(2) > header.remaining_len()
}

/// How far a head reaches into the body.
enum Extent {
    Known(usize),
    /// Not known yet; it needs this many bytes to know more.
    AtLeast(usize),
}

fn head_extent(body: &[u8], header: FixedHeader, rules: &Rules) -> Extent {
    let Some((topic_len, _)) = body.split_first_chunk::<2>() else {
        return Extent::AtLeast(2);
    };
    let id_len = if header.flags() & 0b0110 == 0 { 0 } else { 2 };
    let before_properties = usize::from(u16::from_be_bytes(*topic_len))
        .saturating_add(2)
        .saturating_add(id_len);
    if !rules.version.has_properties() {
        return Extent::Known(before_properties);
    }
    match crate::varint::read(body.get(before_properties..).unwrap_or_default()) {
        crate::varint::Varint::Value { value, len } => {
            let value = usize::try_from(value).unwrap_or(usize::MAX);
            Extent::Known(before_properties.saturating_add(usize::from(len)).saturating_add(value))
        }
        crate::varint::Varint::Incomplete => Extent::AtLeast(body.len().max(before_properties).saturating_add(1)),
        // The fault lies within what has arrived.
        crate::varint::Varint::TooLong => Extent::Known(before_properties.saturating_add(4)),
    }
}
