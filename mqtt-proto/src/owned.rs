//! Owned packets over [`Bytes`]: they share the memory of the buffer that they were received in.

use bytes::{Bytes, BytesMut};

use crate::header::FixedHeader;
use crate::{DecodeError, Decoded, Packet, Rules, decode};

/// The part of `frame` that `bytes` borrows. What does not lie in it is copied.
#[inline]
pub(crate) fn slice_of(frame: &Bytes, bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    let begin = (bytes.as_ptr() as usize).checked_sub(frame.as_ptr() as usize);
    let range = begin.and_then(|begin| Some(begin..begin.checked_add(bytes.len())?));
    match range {
        Some(range) if range.end <= frame.len() => frame.slice(range),
        _ => Bytes::copy_from_slice(bytes),
    }
}

impl Packet<Bytes> {
    /// Takes one packet off the front of a receive buffer; `None` if it is not complete, and then nothing is taken.
    ///
    /// The packet shares the memory of the buffer: neither payload nor text is copied.
    ///
    /// ```
    /// use bytes::{Bytes, BytesMut};
    /// use mqtt_proto::{Packet, Rules, Version};
    /// let mut buffer = BytesMut::from(&b"\x30\x05\x00\x01thi\xC0"[..]);
    /// let rules = Rules::new(Version::V3_1_1);
    /// let Some(Packet::Publish(publish)) = Packet::take(&mut buffer, &rules)? else { panic!() };
    /// assert_eq!(publish.payload, Bytes::from_static(b"hi"));
    /// assert_eq!(Packet::take(&mut buffer, &rules)?, None);
    /// # Ok::<(), mqtt_proto::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`decode`](crate::decode). The buffer is empty then, so that nothing behind the fault can be interpreted.
    pub fn take(buffer: &mut BytesMut, rules: &Rules) -> Result<Option<Self>, DecodeError> {
        let header = match FixedHeader::decode(buffer, rules) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(None),
            Err(error) => {
                buffer.clear();
                return Err(error);
            }
        };
        let len = header.packet_len();
        if buffer.len() < len {
            return Ok(None);
        }
        let mut frame = buffer.split_to(len).freeze();
        let packet = Self::take_from(&mut frame, rules);
        if packet.is_err() {
            buffer.clear();
        }
        packet
    }

    /// Takes one packet off the front of received bytes; `None` if it is not complete, and then nothing is taken.
    ///
    /// # Errors
    /// As for [`decode`](crate::decode). Nothing is taken then.
    pub fn take_from(bytes: &mut Bytes, rules: &Rules) -> Result<Option<Self>, DecodeError> {
        let (packet, len) = match decode(bytes, rules)? {
            Decoded::Packet { packet, len } => (packet.to_owned_in(bytes), len),
            Decoded::Incomplete { .. } => return Ok(None),
        };
        bytes::Buf::advance(bytes, len);
        Ok(Some(packet))
    }
}
