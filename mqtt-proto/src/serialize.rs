//! Serialisation. Text is a string, binary data is hex in formats for people and bytes in others, and what consists of
//! several properties, filters or codes is a sequence. Everything that is read back is checked like received bytes.
//!
//! Passwords and authentication data are written as they are: this is for storage and fixtures, `Debug` is for logs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{
    Binary, Filters, Properties, Property, Section, ShareName, SubAckCodes, SubAckReason, Subscription, SubscriptionId,
    SubscriptionOptions, Text, TopicFilter, TopicFilters, TopicName, UnsubAckCodes, UnsubAckReason, Version,
};

macro_rules! text {
    ($($name:ident)*) => {
        $(
            impl<B: AsRef<[u8]>> Serialize for $name<B> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for $name<B> {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    Self::from_bytes(text.into_bytes().into()).map_err(de::Error::custom)
                }
            }
        )*
    };
}

text! { Text TopicName ShareName }

impl<B: AsRef<[u8]>> Serialize for TopicFilter<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A filter of any version.
impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for TopicFilter<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_bytes_for(Version::V3_1_1, text.into_bytes().into()).map_err(de::Error::custom)
    }
}

/// The newest version whose rules let all filters of a SUBSCRIBE or UNSUBSCRIBE pass.
fn version_of<F: AsRef<[u8]>>(filters: &[F]) -> Version {
    let valid = |filter: &F| TopicFilter::from_bytes_for(Version::V5, filter.as_ref()).is_ok();
    if filters.iter().all(valid) {
        Version::V5
    } else {
        Version::V3_1_1
    }
}

impl<B: AsRef<[u8]>> Serialize for Binary<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        payload::serialize(self, serializer)
    }
}

impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for Binary<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(payload::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Bytes of any number.
pub(crate) mod payload {
    use super::{Deserializer, HexOrBytes, Serializer, Vec, fmt};

    struct Hex<'a>(&'a [u8]);

    impl fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&Hex(bytes.as_ref()))
        } else {
            serializer.serialize_bytes(bytes.as_ref())
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, B: From<Vec<u8>>>(deserializer: D) -> Result<B, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            deserializer.deserialize_str(HexOrBytes)?
        } else {
            deserializer.deserialize_byte_buf(HexOrBytes)?
        };
        Ok(bytes.into())
    }
}

struct HexOrBytes;

impl<'de> Visitor<'de> for HexOrBytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, or a string of hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let invalid = || E::invalid_value(de::Unexpected::Str(text), &self);
        let pairs = text.as_bytes().chunks(2);
        pairs.map(|pair| hex_byte(pair).ok_or_else(invalid)).collect()
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

impl<'de> Deserialize<'de> for SubscriptionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        let invalid = || de::Error::custom("a subscription identifier is a number from 1 to 268435455");
        Self::new(number).ok_or_else(invalid)
    }
}

impl<S: Section, B: AsRef<[u8]>> Serialize for Properties<S, B> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, S: Section, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for Properties<S, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let properties: Vec<Property<Vec<u8>>> = Vec::deserialize(deserializer)?;
        let mut builder = Properties::<S, bytes::Bytes>::builder();
        for property in &properties {
            builder = builder.property(property);
        }
        let built = builder.build().map_err(de::Error::custom)?;
        Ok(built.convert(&mut |bytes| bytes.to_vec().into()))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry<B: AsRef<[u8]> + From<Vec<u8>>> {
    #[serde(bound(
        deserialize = "B: AsRef<[u8]> + From<Vec<u8>>",
        serialize = "B: AsRef<[u8]> + From<Vec<u8>>"
    ))]
    filter: Text<B>,
    options: SubscriptionOptions,
}

impl<B: AsRef<[u8]>> Serialize for Filters<B> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.iter().map(|Subscription { filter, options }| Entry {
            filter: Text(filter.as_bytes().to_vec()),
            options,
        }))
    }
}

impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for Filters<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries: Vec<Entry<Vec<u8>>> = Vec::deserialize(deserializer)?;
        let texts: Vec<&[u8]> = entries.iter().map(|entry| entry.filter.as_bytes()).collect();
        let version = version_of(&texts);
        let mut builder = Filters::builder();
        for Entry { filter, options } in &entries {
            builder = builder.filter(filter, *options);
        }
        let built = builder.build_for(version).map_err(de::Error::custom)?;
        Ok(built.convert(&mut |bytes| bytes.to_vec().into()))
    }
}

impl<B: AsRef<[u8]>> Serialize for TopicFilters<B> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for TopicFilters<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filters: Vec<String> = Vec::deserialize(deserializer)?;
        let version = version_of(&filters);
        let mut builder = TopicFilters::builder();
        for filter in &filters {
            builder = builder.filter(filter);
        }
        let built = builder.build_for(version).map_err(de::Error::custom)?;
        Ok(built.convert(&mut |bytes| bytes.to_vec().into()))
    }
}

impl<B: AsRef<[u8]>> Serialize for SubAckCodes<B> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for SubAckCodes<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let codes: Vec<SubAckReason> = Vec::deserialize(deserializer)?;
        let built = SubAckCodes::new(codes).map_err(de::Error::custom)?;
        Ok(built.convert(&mut |bytes| bytes.to_vec().into()))
    }
}

impl<B: AsRef<[u8]>> Serialize for UnsubAckCodes<B> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, B: AsRef<[u8]> + From<Vec<u8>>> Deserialize<'de> for UnsubAckCodes<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let codes: Vec<UnsubAckReason> = Vec::deserialize(deserializer)?;
        Ok(match codes.is_empty() {
            true => UnsubAckCodes::none_in(Vec::new().into()),
            false => UnsubAckCodes::new(codes)
                .map_err(de::Error::custom)?
                .convert(&mut |bytes| bytes.to_vec().into()),
        })
    }
}

/// An error is written with its words; it points into the specification and cannot be read back.
impl Serialize for crate::DecodeError {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("DecodeError", 5)?;
        fields.serialize_field("kind", &self.kind())?;
        fields.serialize_field("field", &self.field())?;
        fields.serialize_field("offset", &self.offset())?;
        fields.serialize_field("statement", self.statement())?;
        fields.serialize_field("text", &Words(self))?;
        fields.end()
    }
}

/// A field of an explained packet is written with its place, its value and its words.
impl Serialize for crate::Explained<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut fields = serializer.serialize_struct("Explained", 4)?;
        fields.serialize_field("range", &self.range)?;
        fields.serialize_field("field", &self.field)?;
        fields.serialize_field("value", &self.value)?;
        fields.serialize_field("text", &Words(self))?;
        fields.end()
    }
}

struct Words<T>(T);

impl<T: fmt::Display> Serialize for Words<T> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_str(&self.0)
    }
}
