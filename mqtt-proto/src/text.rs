//! Text and binary data as they stand in packets: checked once, and from then on known by their type.
//!
//! The types hold bytes. That the bytes are well-formed UTF-8 was checked when the value was made, so comparing, hashing,
//! matching and forwarding cost nothing more. [`as_str`](Text::as_str) passes over the text once again, because this crate
//! has no unsafe code that could skip that.

use core::fmt;

use crate::{Choice, scan};

/// The longest text or binary field: its length prefix has two bytes.
pub const FIELD_MAX_BYTES: usize = 65_535;

macro_rules! text_errors {
    ($($variant:ident => $statement:expr, $text:literal;)*) => {
        /// Why bytes are not the text, topic name or topic filter that was asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum TextError {
            $(#[doc = concat!("It ", $text, ".")] $variant,)*
        }

        impl TextError {
            /// The statement of MQTT 5.0 that forbids it. That text has at most 65,535 bytes follows from its length prefix;
            /// there is a statement about topic names and filters only.
            #[must_use]
            pub const fn statement(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => $statement,)*
                }
            }
        }

        impl fmt::Display for TextError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = match self {
                    $(Self::$variant => $text,)*
                };
                write!(f, "the text {text}")?;
                match self.statement() {
                    Some(statement) => write!(f, " [{statement}]"),
                    None => Ok(()),
                }
            }
        }
    };
}

text_errors! {
    TooLong => None, "is longer than 65535 bytes";
    TopicTooLong => Some("MQTT-4.7.3-3"), "is longer than the 65535 bytes of a topic name or filter";
    IllFormedUtf8 => Some("MQTT-1.5.4-1"), "is not well-formed UTF-8";
    NulCharacter => Some("MQTT-1.5.4-2"), "holds the character U+0000";
    ForbiddenCharacter => Some("U5-1.5.4-a"), "holds a control character or non-character, which the policy refuses";
    Empty => Some("MQTT-4.7.3-1"), "is empty";
    WildcardInTopicName => Some("MQTT-4.7.0-1"), "holds a wildcard, which only a topic filter may";
    MisplacedMultiLevelWildcard => Some("MQTT-4.7.1-1"), "has a # that is not the whole last level";
    MisplacedSingleLevelWildcard => Some("MQTT-4.7.1-2"), "has a + that is not a whole level";
    EmptyShareName => Some("MQTT-4.8.2-1"), "begins with $share/ but names no group";
    InvalidShare => Some("MQTT-4.8.2-2"), "has a wildcard in its share name, or no filter after it";
}

impl core::error::Error for TextError {}

/// Why bytes are not binary data: they are more than 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BinaryTooLong;

impl fmt::Display for BinaryTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the binary data is longer than 65535 bytes")
    }
}

impl core::error::Error for BinaryTooLong {}

/// Whether a length prefix of two bytes can express it.
pub(crate) const fn fits(bytes: &[u8]) -> bool {
    bytes.len() <= FIELD_MAX_BYTES
}

/// What all checked byte types have in common. `B` is `&[u8]` in a view and `bytes::Bytes` in an owned packet.
macro_rules! checked_bytes {
    ($name:ident) => {
        impl<B: AsRef<[u8]>> $name<B> {
            /// The bytes, without their length prefix.
            #[must_use]
            #[inline]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_ref()
            }

            /// How many bytes.
            #[must_use]
            #[inline]
            pub fn len(&self) -> usize {
                self.as_bytes().len()
            }

            /// Whether there are none.
            #[must_use]
            #[inline]
            pub fn is_empty(&self) -> bool {
                self.as_bytes().is_empty()
            }

            /// The same, borrowed.
            #[must_use]
            #[inline]
            pub fn as_view(&self) -> $name<&[u8]> {
                $name(self.as_bytes())
            }

            /// The same in other storage. The new storage has to hold the same bytes.
            #[inline]
            #[allow(dead_code, reason = "some of these types stand in packets and some do not")]
            pub(crate) fn convert<'s, C>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> $name<C> {
                $name(storage(self.as_bytes()))
            }
        }

        #[cfg(feature = "alloc")]
        impl<B: AsRef<[u8]>> $name<B> {
            /// An owned copy.
            #[must_use]
            pub fn to_owned(&self) -> $name<bytes::Bytes> {
                $name(bytes::Bytes::copy_from_slice(self.as_bytes()))
            }

            /// An owned form that shares the memory of `frame`, the buffer that this was decoded from. What does not lie in
            /// that buffer is copied.
            #[must_use]
            #[inline]
            pub fn to_owned_in(&self, frame: &bytes::Bytes) -> $name<bytes::Bytes> {
                $name($crate::owned::slice_of(frame, self.as_bytes()))
            }
        }

        impl<B> $name<B> {
            /// The storage itself.
            #[must_use]
            pub fn into_inner(self) -> B {
                self.0
            }
        }

        // Equality, order and hash are those of the bytes.
        impl<B: AsRef<[u8]>> core::borrow::Borrow<[u8]> for $name<B> {
            fn borrow(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl<B: AsRef<[u8]>> AsRef<[u8]> for $name<B> {
            fn as_ref(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<$name<C>> for $name<B> {
            fn eq(&self, other: &$name<C>) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl<B: AsRef<[u8]>> Eq for $name<B> {}

        impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialOrd<$name<C>> for $name<B> {
            fn partial_cmp(&self, other: &$name<C>) -> Option<core::cmp::Ordering> {
                self.as_bytes().partial_cmp(other.as_bytes())
            }
        }

        impl<B: AsRef<[u8]>> Ord for $name<B> {
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                self.as_bytes().cmp(other.as_bytes())
            }
        }

        impl<B: AsRef<[u8]>> core::hash::Hash for $name<B> {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.as_bytes().hash(state);
            }
        }
    };
}

/// What all checked texts have in common.
macro_rules! checked_text {
    ($name:ident) => {
        $crate::text::checked_bytes!($name);

        impl<B: AsRef<[u8]>> $name<B> {
            /// The text. This passes over the bytes once.
            #[must_use]
            pub fn as_str(&self) -> &str {
                core::str::from_utf8(self.as_bytes()).unwrap_or_default()
            }
        }

        impl<'a> $name<&'a [u8]> {
            /// Checks a string.
            ///
            /// # Errors
            /// If it is not what the type stands for.
            pub fn new(text: &'a str) -> Result<Self, $crate::TextError> {
                Self::from_bytes(text.as_bytes())
            }
        }

        impl<B: AsRef<[u8]>> PartialEq<str> for $name<B> {
            fn eq(&self, other: &str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl<B: AsRef<[u8]>> PartialEq<&str> for $name<B> {
            fn eq(&self, other: &&str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl<B: AsRef<[u8]>> core::fmt::Display for $name<B> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self.as_str(), f)
            }
        }

        impl<B: AsRef<[u8]>> core::fmt::Debug for $name<B> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self.as_str(), f)
            }
        }

        #[cfg(feature = "defmt")]
        impl<B: AsRef<[u8]>> defmt::Format for $name<B> {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::write!(f, "{=str}", self.as_str());
            }
        }
    };
}

pub(crate) use {checked_bytes, checked_text};

/// Text: well-formed UTF-8 without U+0000, of at most 65,535 bytes.
///
/// ```
/// use mqtt_proto::{Text, TextError};
/// let id = Text::new("sensor-7")?;
/// assert_eq!(id, "sensor-7");
/// assert_eq!(Text::new("a\0b"), Err(TextError::NulCharacter));
/// # Ok::<(), TextError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Text<B>(pub(crate) B);

checked_text!(Text);

impl<B: AsRef<[u8]>> Text<B> {
    /// Checks bytes in any storage.
    ///
    /// # Errors
    /// If they are not well-formed UTF-8, hold U+0000, or are too many.
    pub fn from_bytes(bytes: B) -> Result<Self, TextError> {
        if !fits(bytes.as_ref()) {
            return Err(TextError::TooLong);
        }
        scan::check(bytes.as_ref(), Choice::Accept)?;
        Ok(Self(bytes))
    }
}

/// Binary data of at most 65,535 bytes. Its `Debug` form is shortened.
#[derive(Clone, Copy)]
pub struct Binary<B>(pub(crate) B);

checked_bytes!(Binary);

impl<B: AsRef<[u8]>> Binary<B> {
    /// Checks the length of bytes in any storage.
    ///
    /// # Errors
    /// If they are more than 65,535.
    pub fn new(bytes: B) -> Result<Self, BinaryTooLong> {
        if fits(bytes.as_ref()) {
            Ok(Self(bytes))
        } else {
            Err(BinaryTooLong)
        }
    }
}

impl<B: AsRef<[u8]>> fmt::Debug for Binary<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shortened(self.as_bytes()).fmt(f)
    }
}

#[cfg(feature = "defmt")]
impl<B: AsRef<[u8]>> defmt::Format for Binary<B> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Debug2Format(self).format(f);
    }
}

/// Empty, in storage whose default is known to be.
macro_rules! empty {
    ($($name:ident)*) => {
        $(
            impl Default for $name<&[u8]> {
                fn default() -> Self {
                    Self(&[])
                }
            }

            #[cfg(feature = "alloc")]
            impl Default for $name<bytes::Bytes> {
                fn default() -> Self {
                    Self(bytes::Bytes::new())
                }
            }
        )*
    };
}

empty! { Text Binary }

/// Bytes for a person: as text where they are text, else in hex, and never more than the first few.
pub(crate) struct Shortened<'a>(pub(crate) &'a [u8]);

impl Shortened<'_> {
    const SHOWN: usize = 32;
}

impl fmt::Debug for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.get(..Self::SHOWN).unwrap_or(self.0);
        match core::str::from_utf8(shown) {
            Ok(text) if !text.chars().any(char::is_control) => write!(f, "{text:?}")?,
            _ => {
                f.write_str("0x")?;
                for byte in shown {
                    write!(f, "{byte:02x}")?;
                }
            }
        }
        if shown.len() < self.0.len() {
            write!(f, "... ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Stands in for what logs must not show.
pub(crate) struct Hidden(pub(crate) usize);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hidden ({} bytes)", self.0)
    }
}
