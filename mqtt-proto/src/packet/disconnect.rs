//! DISCONNECT: the last packet of a connection.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, demand, require};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{DecodeError, DisconnectReason, EncodeError, Field, PacketType, Properties, Version, section};

/// The last packet of a connection. Before MQTT 5.0 only clients send it, and it means a normal disconnection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Disconnect<B: AsRef<[u8]>> {
    /// Why the connection ends.
    pub reason: DisconnectReason,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Disconnect, B>,
}

impl<B: AsRef<[u8]> + Default> Disconnect<B> {
    /// Without properties.
    #[must_use]
    pub fn new(reason: DisconnectReason) -> Self {
        Self {
            reason,
            properties: Properties::empty(),
        }
    }
}

impl<'a> Disconnect<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static UNLISTED: Rule = Rule::v5("MQTT-3.14.2-1");

        let mut packet = Self::new(DisconnectReason::NormalDisconnection);
        // Reason and properties may be left out. [U5-3.14.1-a]
        if reader.version().has_properties() && !reader.is_at_end() {
            let code = reader.u8(Field::ReasonCode, &UNLISTED)?;
            let reason = DisconnectReason::from_value(code);
            packet.reason = demand!(reader, reason, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
            let allowed = reader
                .rules
                .sender
                .is_none_or(|sender| packet.reason.may_be_sent_by(sender));
            require!(reader, allowed, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
            if !reader.is_at_end() {
                packet.properties = reader.properties()?;
            }
        }
        reader.finish(&Rule::ANY)?;
        Ok(packet)
    }
}

impl<B: AsRef<[u8]>> Disconnect<B> {
    /// The nearest DISCONNECT of a version. `None` for MQTT 3.1.1 and 3.1 unless it is a normal disconnection: there
    /// every DISCONNECT drops the will, so that closing the connection says it better.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            if self.reason != DisconnectReason::NormalDisconnection {
                return None;
            }
            self.properties = self.properties.cleared();
        }
        Some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Disconnect<C> {
        Disconnect {
            reason: self.reason,
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for Disconnect<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::Disconnect.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let normal = self.reason == DisconnectReason::NormalDisconnection;
        if !normal && !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                field: Field::ReasonCode,
                version,
            });
        }
        Ok(match (self.properties.is_empty(), normal) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => section_len(&self.properties, version)?.saturating_add(1),
        })
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        if !self.properties.is_empty() || self.reason != DisconnectReason::NormalDisconnection {
            sink.put_u8(self.reason.value());
        }
        if !self.properties.is_empty() {
            write_section(&self.properties, version, sink);
        }
    }
}

body!(Disconnect, shrinks);
