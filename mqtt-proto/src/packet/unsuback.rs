//! UNSUBACK: since MQTT 5.0 one code for each filter of an UNSUBSCRIBE, before that the packet identifier alone.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, require};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{DecodeError, EncodeError, Field, PacketId, PacketType, Properties, UnsubAckReason, Version, section};

/// The server answers an UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct UnsubAck<B: AsRef<[u8]>> {
    /// The packet identifier of the UNSUBSCRIBE.
    pub id: PacketId,
    /// What came of each filter, in order. MQTT 3.1.1 and 3.1 have none.
    pub codes: UnsubAckCodes<B>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Ack, B>,
}

/// The codes of an UNSUBACK. Bytes that were checked as a whole. Empty before MQTT 5.0.
#[derive(Clone, Copy)]
pub struct UnsubAckCodes<B> {
    bytes: B,
    /// Whether the codes are left out.
    hidden: bool,
}

static PACKET_ID: Rule = Rule::new("MQTT-2.2.1-6", "MQTT-2.3.1-7");

impl<B: AsRef<[u8]> + Default> UnsubAck<B> {
    /// Without properties.
    #[must_use]
    pub fn new(id: PacketId, codes: UnsubAckCodes<B>) -> Self {
        Self {
            id,
            codes,
            properties: Properties::empty(),
        }
    }
}

impl<'a> UnsubAck<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static UNLISTED: Rule = Rule::v5("MQTT-3.11.3-2");

        let id = reader.packet_id(&PACKET_ID)?;
        if !reader.version().has_properties() {
            reader.finish(&Rule::ANY)?;
            return Ok(Self {
                id,
                codes: UnsubAckCodes::none(),
                properties: Properties::empty(),
            });
        }
        let properties = reader.properties()?;
        let bytes = reader.peek();
        reader.mark();
        require!(reader, !reader.is_at_end(), CodesMissing, Field::ReasonCode, &UNLISTED);
        while !reader.is_at_end() {
            let code = reader.u8(Field::ReasonCode, &UNLISTED)?;
            let listed = UnsubAckReason::from_value(code).is_some();
            require!(reader, listed, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
        }
        Ok(Self {
            id,
            codes: UnsubAckCodes { bytes, hidden: false },
            properties,
        })
    }
}

/// Writes codes to the start of a buffer: at least one.
pub(super) fn collect_in(buffer: &mut [u8], codes: impl Iterator<Item = u8>) -> Result<&[u8], EncodeError> {
    let (mut len, mut needed) = (0_usize, 0_usize);
    for code in codes {
        needed = needed.saturating_add(1);
        if let Some(place) = buffer.get_mut(len) {
            *place = code;
            len = needed;
        }
    }
    match buffer.get(..len) {
        Some([]) | None if needed == 0 => Err(EncodeError::CodesMissing),
        Some(bytes) if len == needed => Ok(bytes),
        _ => Err(EncodeError::BufferTooSmall { needed }),
    }
}

impl<B: Default> UnsubAckCodes<B> {
    /// No code at all, as before MQTT 5.0.
    #[must_use]
    pub fn none() -> Self {
        Self::none_in(B::default())
    }
}

impl<B> UnsubAckCodes<B> {
    pub(crate) const fn none_in(bytes: B) -> Self {
        Self { bytes, hidden: true }
    }
}

impl<'b> UnsubAckCodes<&'b [u8]> {
    /// Writes codes to a buffer of the caller's.
    ///
    /// # Errors
    /// If there is none, or the buffer is too small.
    pub fn build_in(
        buffer: &'b mut [u8],
        codes: impl IntoIterator<Item = UnsubAckReason>,
    ) -> Result<Self, EncodeError> {
        collect_in(buffer, codes.into_iter().map(UnsubAckReason::value)).map(|bytes| Self { bytes, hidden: false })
    }
}

#[cfg(feature = "alloc")]
impl UnsubAckCodes<bytes::Bytes> {
    /// Takes codes into memory of their own.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(codes: impl IntoIterator<Item = UnsubAckReason>) -> Result<Self, EncodeError> {
        let bytes: bytes::Bytes = codes.into_iter().map(UnsubAckReason::value).collect();
        if bytes.is_empty() {
            Err(EncodeError::CodesMissing)
        } else {
            Ok(Self { bytes, hidden: false })
        }
    }
}

impl<B: AsRef<[u8]>> UnsubAckCodes<B> {
    /// The codes, in the order of the filters.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = UnsubAckReason> + Clone {
        // Every byte was checked to be in the list.
        self.shown()
            .iter()
            .map(|code| UnsubAckReason::from_value(*code).unwrap_or(UnsubAckReason::UnspecifiedError))
    }

    fn shown(&self) -> &[u8] {
        if self.hidden { &[] } else { self.bytes.as_ref() }
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> UnsubAckCodes<C> {
        UnsubAckCodes {
            bytes: storage(self.shown()),
            hidden: self.hidden,
        }
    }
}

impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<UnsubAckCodes<C>> for UnsubAckCodes<B> {
    fn eq(&self, other: &UnsubAckCodes<C>) -> bool {
        self.shown() == other.shown()
    }
}

impl<B: AsRef<[u8]>> Eq for UnsubAckCodes<B> {}

impl<B: AsRef<[u8]>> core::hash::Hash for UnsubAckCodes<B> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.shown().hash(state);
    }
}

impl<B: AsRef<[u8]>> core::fmt::Debug for UnsubAckCodes<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<B: AsRef<[u8]>> UnsubAck<B> {
    /// The nearest UNSUBACK of a version: the packet identifier alone for MQTT 3.1.1 and 3.1. `None` if MQTT 5.0 needs codes
    /// and there are none.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            self.properties = self.properties.cleared();
            self.codes.hidden = true;
        } else if self.codes.shown().is_empty() {
            return None;
        }
        Some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> UnsubAck<C> {
        UnsubAck {
            id: self.id,
            codes: self.codes.convert(storage),
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for UnsubAck<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::UnsubAck.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.codes.shown().len();
        match (version.has_properties(), codes) {
            (true, 0) => return Err(EncodeError::CodesMissing),
            (false, 1..) => {
                return Err(EncodeError::NotInVersion {
                    field: Field::ReasonCode,
                    version,
                });
            }
            _ => {}
        }
        Ok(section_len(&self.properties, version)?
            .saturating_add(codes)
            .saturating_add(2))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_u16(self.id.get());
        write_section(&self.properties, version, sink);
        sink.put(self.codes.shown());
    }
}

body!(UnsubAck, shrinks);
