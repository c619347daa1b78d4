//! PUBACK, PUBREC, PUBREL and PUBCOMP: a packet identifier, and since MQTT 5.0 a reason.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, demand};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::trace::Trace;
use crate::{
    DecodeError, EncodeError, Field, PacketId, PacketType, Properties, PubAckReason, PubCompReason, PubRecReason,
    PubRelReason, Version, section,
};

static PACKET_ID: Rule = Rule::new("MQTT-2.2.1-5", "MQTT-2.3.1-6");

/// The properties, which MQTT 5.0 allows to leave out. [U5-3.4.2-a]
#[inline(never)]
fn read_properties<'a, T: Trace>(mut reader: Reader<'a, T>) -> Result<Properties<section::Ack, &'a [u8]>, DecodeError> {
    let mut properties = Properties::empty();
    if reader.version().has_properties() && !reader.is_at_end() {
        properties = reader.properties()?;
    }
    reader.finish(&Rule::ANY)?;
    Ok(properties)
}

macro_rules! acknowledgements {
    ($($(#[$meta:meta])* $name:ident, $reason:ident, $unlisted:literal;)*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            #[cfg_attr(
                feature = "serde",
                serde(bound(serialize = "B: AsRef<[u8]>", deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"))
            )]
            pub struct $name<B: AsRef<[u8]>> {
                /// The packet identifier of the PUBLISH that this belongs to.
                pub id: PacketId,
                /// What came of it. MQTT 3.1.1 and 3.1 can only say `Success`.
                pub reason: $reason,
                /// Properties, since MQTT 5.0.
                pub properties: Properties<section::Ack, B>,
            }

            impl<B: AsRef<[u8]> + Default> $name<B> {
                /// Without properties.
                #[must_use]
                pub fn new(id: PacketId, reason: $reason) -> Self {
                    Self { id, reason, properties: Properties::empty() }
                }
            }

            impl<'a> $name<&'a [u8]> {
                /// The whole packet with success and without properties, which is the same in every version: what nearly
                /// all of them are.
                #[must_use]
                #[inline]
                pub const fn bare(id: PacketId) -> [u8; 4] {
                    let [high, low] = id.get().to_be_bytes();
                    [PacketType::$name.first_byte(), 2, high, low]
                }

                #[inline(always)]
                pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
                    static UNLISTED: Rule = Rule::v5($unlisted);
                    let id = reader.packet_id(&PACKET_ID)?;
                    if reader.is_at_end() {
                        return Ok(Self::new(id, $reason::Success));
                    }
                    let mut reason = $reason::Success;
                    // The reason may be left out too.
                    if reader.version().has_properties() {
                        let code = reader.u8(Field::ReasonCode, &UNLISTED)?;
                        let listed = $reason::from_value(code);
                        reason = demand!(reader, listed, UnlistedReasonCode, Field::ReasonCode, &UNLISTED);
                    }
                    let properties = read_properties(reader.rest_of())?;
                    Ok(Self { id, reason, properties })
                }
            }

            impl<B: AsRef<[u8]>> $name<B> {
                /// The nearest packet of a version: identifier alone for MQTT 3.1.1 and 3.1.
                #[must_use]
                pub fn for_version(mut self, version: Version) -> Self {
                    if !version.has_properties() {
                        self.reason = $reason::Success;
                        self.properties = self.properties.cleared();
                    }
                    self
                }

                #[inline]
                pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> $name<C> {
                    $name { id: self.id, reason: self.reason, properties: self.properties.convert(storage) }
                }
            }

            impl<B: AsRef<[u8]>> Body for $name<B> {
                #[inline(always)]
                fn first_byte(&self) -> u8 {
                    PacketType::$name.first_byte()
                }

                #[inline(always)]
                fn short_form(&self) -> Option<[u8; 4]> {
                    let [high, low] = self.id.get().to_be_bytes();
                    let short = self.reason.value() == 0 && self.properties.is_empty();
                    short.then_some([self.first_byte(), 2, high, low])
                }

                #[inline(always)]
                fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
                    body_len(self.reason.value(), &self.properties, version)
                }

                #[inline(always)]
                fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
                    sink.put_u16(self.id.get());
                    write_rest(self.reason.value(), &self.properties, version, sink);
                }
            }

            body!($name, shrinks);
        )*
    };
}

acknowledgements! {
    /// A message of QoS 1 has been taken over, or refused.
    PubAck, PubAckReason, "MQTT-3.4.2-1";
    /// A message of QoS 2 has been taken over, or refused.
    PubRec, PubRecReason, "MQTT-3.5.2-1";
    /// The sender of a message of QoS 2 has let go of it.
    PubRel, PubRelReason, "MQTT-3.6.2-1";
    /// The exchange for a message of QoS 2 is complete.
    PubComp, PubCompReason, "MQTT-3.7.2-1";
}

#[inline(always)]
fn body_len<B: AsRef<[u8]>>(
    code: u8,
    properties: &Properties<section::Ack, B>,
    version: Version,
) -> Result<usize, EncodeError> {
    if code != 0 && !version.has_properties() {
        return Err(EncodeError::NotInVersion {
            field: Field::ReasonCode,
            version,
        });
    }
    Ok(match (properties.is_empty(), code) {
        (true, 0) => 2,
        (true, _) => 3,
        (false, _) => section_len(properties, version)?.saturating_add(3),
    })
}

#[inline(always)]
fn write_rest<B: AsRef<[u8]>, K: Sink>(
    code: u8,
    properties: &Properties<section::Ack, B>,
    version: Version,
    sink: &mut K,
) {
    if code != 0 || !properties.is_empty() {
        sink.put_u8(code);
    }
    if !properties.is_empty() {
        write_section(properties, version, sink);
    }
}
