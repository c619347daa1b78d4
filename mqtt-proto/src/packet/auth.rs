//! AUTH: a step of an authentication, since MQTT 5.0.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, demand, require};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{AuthReason, DecodeError, EncodeError, Field, PacketType, Properties, PropertyId, Version, section};

/// A step of an authentication.
///
/// It has no `new` like the other packets: the least that it says is a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Auth<B: AsRef<[u8]>> {
    /// Which step.
    pub reason: AuthReason,
    /// Properties. The authentication method has to be among them, except in the form of Remaining Length 0, which says
    /// `Success` and nothing else.
    pub properties: Properties<section::Auth, B>,
}

impl<'a> Auth<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static UNLISTED: Rule = Rule::v5("MQTT-3.15.2-1");

        let bare = reader.is_at_end();
        reader.mark();
        let code = if bare {
            AuthReason::Success.value()
        } else {
            reader.u8(Field::ReasonCode, &UNLISTED)?
        };
        let reason = demand!(
            reader,
            AuthReason::from_value(code),
            UnlistedReasonCode,
            Field::ReasonCode,
            &UNLISTED
        );
        let allowed = reader.rules.sender.is_none_or(|sender| reason.may_be_sent_by(sender));
        require!(reader, allowed, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
        if bare {
            return Ok(Self {
                reason,
                properties: Properties::empty(),
            });
        }
        let properties: Properties<section::Auth, _> = reader.properties()?;
        properties.check_method(reader)?;
        reader.finish(&Rule::ANY)?;
        Ok(Self { reason, properties })
    }
}

impl<B: AsRef<[u8]>> Auth<B> {
    /// `None` before MQTT 5.0, which brought this packet.
    #[must_use]
    pub fn for_version(self, version: Version) -> Option<Self> {
        version.has_properties().then_some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Auth<C> {
        Auth {
            reason: self.reason,
            properties: self.properties.convert(storage),
        }
    }

    fn is_bare(&self) -> bool {
        self.properties.is_empty() && self.reason == AuthReason::Success
    }
}

impl<B: AsRef<[u8]>> Body for Auth<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::Auth.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                field: Field::FixedHeader,
                version,
            });
        }
        if self.is_bare() {
            return Ok(0);
        }
        // [U5-3.15.2-a]
        if !self.properties.has(PropertyId::AuthenticationMethod) {
            return Err(EncodeError::AuthenticationMethodMissing);
        }
        Ok(section_len(&self.properties, version)?.saturating_add(1))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        if !self.is_bare() {
            sink.put_u8(self.reason.value());
            write_section(&self.properties, version, sink);
        }
    }
}

body!(Auth, shrinks);
