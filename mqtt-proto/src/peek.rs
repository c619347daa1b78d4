//! A look at the beginning of a CONNECT: which version, which client.

use crate::header::FixedHeader;
use crate::packet::Connect;
use crate::reader::Reader;
use crate::trace::Silent;
use crate::varint::{self, Varint};
use crate::{DecodeError, DecodeErrorKind, Field, PacketType, Rules, Text, Version};

/// What a server needs to know of a CONNECT before it decides who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConnectPeek<'a> {
    /// The version that the client speaks.
    pub version: Version,
    /// The client identifier.
    pub client_id: Text<&'a [u8]>,
}

/// Looks at a CONNECT that may still be incomplete; `None` as long as it is acceptable and the client identifier has not
/// arrived.
///
/// Every verdict comes at the byte that decides it: that of another packet with the first byte, that of a protocol name
/// or level which MQTT does not know with the last byte of that name or level, so that a server need not wait for more.
///
/// Properties before the client identifier are skipped, not checked: [`decode`](crate::decode) has the last word.
///
/// ```
/// use mqtt_proto::{Rules, Version, peek_connect};
/// let bytes = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x03dev";
/// let peek = peek_connect(bytes, &Rules::new(Version::V5))?.unwrap();
/// assert_eq!((peek.version, peek.client_id.as_str()), (Version::V5, "dev"));
/// # Ok::<(), mqtt_proto::DecodeError>(())
/// ```
///
/// # Errors
/// If the bytes are not a CONNECT of a known version, or the client identifier is not valid text.
pub fn peek_connect<'a>(bytes: &'a [u8], rules: &Rules) -> Result<Option<ConnectPeek<'a>>, DecodeError> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    FixedHeader::expect(PacketType::Connect, *first, rules)?;
    let Some(header) = FixedHeader::decode(bytes, rules)? else {
        return Ok(None);
    };
    let arrived = bytes.len().min(header.packet_len());
    let body = bytes.get(header.len()..arrived).unwrap_or_default();
    let mut reader = Reader::new(body, header.len(), PacketType::Connect, *rules, Silent);
    match Connect::read_client(&mut reader) {
        Ok((version, client_id)) => Ok(Some(ConnectPeek { version, client_id })),
        Err(fault) if is_open(&fault, body, header) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Whether what looks like a fault may be nothing but the end of what has arrived.
fn is_open(fault: &DecodeError, body: &[u8], header: FixedHeader) -> bool {
    if body.len() == header.remaining_len() {
        return false;
    }
    match fault.kind() {
        DecodeErrorKind::Missing => true,
        // The length of the field has arrived: the field is too long for the packet, or the rest of it is on its way.
        DecodeErrorKind::Overrun => {
            let start = fault.offset().saturating_sub(header.len());
            let field = body.get(start..).unwrap_or_default();
            start.saturating_add(told_len(fault.field(), field)) <= header.remaining_len()
        }
        _ => false,
    }
}

/// How many bytes a field has by its length, which is counted too.
fn told_len(field: Field, bytes: &[u8]) -> usize {
    let (told, len) = match (field, bytes.first_chunk::<2>()) {
        (Field::PropertyLength, _) => match varint::read(bytes) {
            Varint::Value { value, len } => (usize::try_from(value).unwrap_or(usize::MAX), usize::from(len)),
            Varint::Incomplete | Varint::TooLong => (0, 0),
        },
        (_, Some(prefix)) => (usize::from(u16::from_be_bytes(*prefix)), 2),
        (_, None) => (0, 0),
    };
    told.saturating_add(len)
}
