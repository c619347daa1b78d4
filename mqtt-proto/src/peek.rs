//! A look at the beginning of a CONNECT: which version, which client.

use crate::header::FixedHeader;
use crate::packet::Connect;
use crate::reader::Reader;
use crate::trace::Silent;
use crate::{DecodeError, PacketType, Rules, Text, Version};

/// What a server needs to know of a CONNECT before it decides who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConnectPeek<'a> {
    /// The version that the client speaks.
    pub version: Version,
    /// The client identifier.
    pub client_id: Text<&'a [u8]>,
}

/// Looks at a CONNECT that may still be incomplete; `None` as long as the client identifier has not arrived.
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
    let complete = body.len() == header.remaining_len();
    if !complete && !has_client_id(body) {
        return Ok(None);
    }
    let mut reader = Reader::new(body, header.len(), PacketType::Connect, *rules, Silent);
    let (version, client_id) = Connect::read_client(&mut reader)?;
    Ok(Some(ConnectPeek { version, client_id }))
}

/// Whether everything up to the end of the client identifier has arrived, as far as the lengths tell.
fn has_client_id(body: &[u8]) -> bool {
    fn skip_prefixed(bytes: &[u8]) -> Option<&[u8]> {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        rest.get(usize::from(u16::from_be_bytes(*len))..)
    }
    fn skip(body: &[u8]) -> Option<&[u8]> {
        let rest = skip_prefixed(body)?;
        let level = *rest.first()?;
        let rest = rest.get(4..)?;
        if level != Version::V5.level() {
            return skip_prefixed(rest);
        }
        match crate::varint::read(rest) {
            crate::varint::Varint::Value { value, len } => {
                let properties = rest.get(usize::from(len)..)?;
                skip_prefixed(properties.get(usize::try_from(value).ok()?..)?)
            }
            crate::varint::Varint::Incomplete => None,
            crate::varint::Varint::TooLong => Some(rest),
        }
    }
    skip(body).is_some()
}
