//! CONNACK: the server's answer to CONNECT.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, demand, require};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{ConnAckReason, DecodeError, EncodeError, Field, PacketType, Properties, Version, section};

/// The server answers a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct ConnAck<B: AsRef<[u8]>> {
    /// Whether the server goes on with a session that it has. MQTT 3.1 cannot say so, and a refusal must not.
    pub session_present: bool,
    /// Whether the client is served, or why not.
    pub reason: ConnAckReason,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::ConnAck, B>,
}

impl<B: AsRef<[u8]> + Default> ConnAck<B> {
    /// Without a session and properties.
    #[must_use]
    pub fn new(reason: ConnAckReason) -> Self {
        Self {
            session_present: false,
            reason,
            properties: Properties::empty(),
        }
    }
}

impl<'a> ConnAck<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static RESERVED: Rule = Rule::v5("MQTT-3.2.2-1");
        static UNLISTED: Rule = Rule::new("MQTT-3.2.2-8", "MQTT-3.2.2-6");
        static REFUSED: Rule = Rule::new("MQTT-3.2.2-6", "MQTT-3.2.2-4");

        let version = reader.version();
        let flags = reader.u8(Field::ConnectAcknowledgeFlags, &Rule::ANY)?;
        // MQTT 3.1 reserves the whole byte and does not say what it holds.
        if version != Version::V3_1 {
            require!(
                reader,
                flags <= 1,
                ReservedBitsSet,
                Field::ConnectAcknowledgeFlags,
                &RESERVED
            );
        }
        let session_present = flags & 1 != 0 && version != Version::V3_1;
        let place = reader.place();
        let code = reader.u8(Field::ReasonCode, &Rule::ANY)?;
        let reason = match version {
            Version::V5 => ConnAckReason::from_value(code),
            Version::V3_1 | Version::V3_1_1 => ConnAckReason::from_return_code(code),
        };
        let reason = demand!(reader, reason, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
        reader.point_to(place);
        require!(
            reader,
            !session_present || reason == ConnAckReason::Success,
            SessionPresentInRefusal,
            Field::ConnectAcknowledgeFlags,
            &REFUSED
        );
        let properties = if version.has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        reader.finish(&Rule::ANY)?;
        Ok(Self {
            session_present,
            reason,
            properties,
        })
    }
}

impl<B: AsRef<[u8]>> ConnAck<B> {
    /// The nearest CONNACK of a version. `None` if MQTT 3.1.1 has no return code for the reason: close without an answer.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            self.reason = self.reason.for_v3()?;
            self.properties = self.properties.cleared();
            self.session_present = self.session_present && version != Version::V3_1;
        }
        Some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> ConnAck<C> {
        ConnAck {
            session_present: self.session_present,
            reason: self.reason,
            properties: self.properties.convert(storage),
        }
    }

    const fn code(&self, version: Version) -> Option<u8> {
        match version {
            Version::V5 => Some(self.reason.value()),
            Version::V3_1 | Version::V3_1_1 => self.reason.return_code(),
        }
    }
}

impl<B: AsRef<[u8]>> Body for ConnAck<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::ConnAck.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.session_present && version == Version::V3_1 {
            return Err(EncodeError::NotInVersion {
                field: Field::ConnectAcknowledgeFlags,
                version,
            });
        }
        if self.code(version).is_none() {
            return Err(EncodeError::NotInVersion {
                field: Field::ReasonCode,
                version,
            });
        }
        // [MQTT-3.2.2-6], [MQTT-3.2.2-4] of 3.1.1
        if self.session_present && self.reason != ConnAckReason::Success {
            return Err(EncodeError::SessionPresentInRefusal);
        }
        Ok(section_len(&self.properties, version)?.saturating_add(2))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_array([u8::from(self.session_present), self.code(version).unwrap_or_default()]);
        write_section(&self.properties, version, sink);
    }
}

body!(ConnAck, shrinks);
