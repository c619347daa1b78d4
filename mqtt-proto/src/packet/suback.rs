//! SUBACK: one code for each filter of a SUBSCRIBE.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, require};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{
    Choice, DecodeError, EncodeError, Field, PacketId, PacketType, Properties, SubAckReason, Version, section,
};

/// The server answers a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct SubAck<B: AsRef<[u8]>> {
    /// The packet identifier of the SUBSCRIBE.
    pub id: PacketId,
    /// What came of each filter, in order.
    pub codes: SubAckCodes<B>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Ack, B>,
}

/// The codes of a SUBACK: at least one. Bytes that were checked as a whole.
#[derive(Clone, Copy)]
pub struct SubAckCodes<B> {
    bytes: B,
    /// Whether every refusal is the one that MQTT 3.1.1 has.
    plain: bool,
}

const FAILURE: u8 = SubAckReason::UnspecifiedError.value();

/// Whether MQTT 3.1.1 has this code.
const fn in_v3(code: u8) -> bool {
    code <= 2 || code == FAILURE
}

static PACKET_ID: Rule = Rule::new("MQTT-2.2.1-6", "MQTT-2.3.1-7");

impl<B: AsRef<[u8]> + Default> SubAck<B> {
    /// Without properties.
    #[must_use]
    pub fn new(id: PacketId, codes: SubAckCodes<B>) -> Self {
        Self {
            id,
            codes,
            properties: Properties::empty(),
        }
    }
}

impl<'a> SubAck<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static NO_CODE: Rule = Rule::new("MQTT-3.8.4-6", "MQTT-3.8.4-5");
        static UNLISTED: Rule = Rule::new("MQTT-3.9.3-2", "MQTT-3.9.3-2");

        let id = reader.packet_id(&PACKET_ID)?;
        let version = reader.version();
        let properties = if version.has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        let bytes = reader.peek();
        // MQTT 3.1 has no refusal; servers send the one of 3.1.1 all the same.
        let refusal = version != Version::V3_1 || reader.rules.policy.v3_1_habits == Choice::Accept;
        reader.mark();
        require!(reader, !reader.is_at_end(), CodesMissing, Field::ReasonCode, &NO_CODE);
        while !reader.is_at_end() {
            let code = reader.u8(Field::ReasonCode, &NO_CODE)?;
            let listed = match version {
                Version::V5 => SubAckReason::from_value(code).is_some(),
                Version::V3_1 | Version::V3_1_1 => code <= 2 || code == FAILURE && refusal,
            };
            require!(reader, listed, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
        }
        Ok(Self {
            id,
            codes: SubAckCodes { bytes, plain: false },
            properties,
        })
    }
}

impl<'b> SubAckCodes<&'b [u8]> {
    /// Writes codes to a buffer of the caller's.
    ///
    /// # Errors
    /// If there is none, or the buffer is too small.
    pub fn build_in(buffer: &'b mut [u8], codes: impl IntoIterator<Item = SubAckReason>) -> Result<Self, EncodeError> {
        let bytes = super::unsuback::collect_in(buffer, codes.into_iter().map(SubAckReason::value))?;
        Ok(Self { bytes, plain: false })
    }
}

#[cfg(feature = "alloc")]
impl SubAckCodes<bytes::Bytes> {
    /// Takes codes into memory of their own.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(codes: impl IntoIterator<Item = SubAckReason>) -> Result<Self, EncodeError> {
        let bytes: bytes::Bytes = codes.into_iter().map(SubAckReason::value).collect();
        if bytes.is_empty() {
            Err(EncodeError::CodesMissing)
        } else {
            Ok(Self { bytes, plain: false })
        }
    }
}

impl<B: AsRef<[u8]>> SubAckCodes<B> {
    /// The codes, in the order of the filters.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SubAckReason> + Clone {
        let plain = self.plain;
        // Every byte was checked to be in the list.
        self.bytes
            .as_ref()
            .iter()
            .map(move |code| match SubAckReason::from_value(*code) {
                Some(code) if !plain || in_v3(code.value()) => code,
                _ => SubAckReason::UnspecifiedError,
            })
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> SubAckCodes<C> {
        SubAckCodes {
            bytes: storage(self.bytes.as_ref()),
            plain: self.plain,
        }
    }
}

impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<SubAckCodes<C>> for SubAckCodes<B> {
    fn eq(&self, other: &SubAckCodes<C>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<B: AsRef<[u8]>> Eq for SubAckCodes<B> {}

impl<B: AsRef<[u8]>> core::hash::Hash for SubAckCodes<B> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.iter().for_each(|code| code.hash(state));
    }
}

impl<B: AsRef<[u8]>> core::fmt::Debug for SubAckCodes<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<B: AsRef<[u8]>> SubAck<B> {
    /// The nearest SUBACK of a version: without properties, and with one code for all refusals, for MQTT 3.1.1 and 3.1.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Self {
        if !version.has_properties() {
            self.properties = self.properties.cleared();
            self.codes.plain = true;
        }
        self
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> SubAck<C> {
        SubAck {
            id: self.id,
            codes: self.codes.convert(storage),
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for SubAck<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::SubAck.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if !version.has_properties() && self.codes.iter().any(|code| !in_v3(code.value())) {
            return Err(EncodeError::NotInVersion {
                field: Field::ReasonCode,
                version,
            });
        }
        let codes = self.codes.bytes.as_ref().len();
        Ok(section_len(&self.properties, version)?
            .saturating_add(codes)
            .saturating_add(2))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_u16(self.id.get());
        write_section(&self.properties, version, sink);
        if self.codes.plain {
            self.codes.iter().for_each(|code| sink.put_u8(code.value()));
        } else {
            sink.put(self.codes.bytes.as_ref());
        }
    }
}

body!(SubAck, shrinks);
