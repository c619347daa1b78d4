//! What is wrong with received bytes, and what cannot be encoded.

use crate::{BinaryTooLong, ConnAckReason, DisconnectReason, Field, PacketType, ReasonCode, TextError, Version};

/// A rule of the specification, by its id in MQTT 5.0 and in MQTT 3.1.1.
///
/// Rules that carry no label in the text of MQTT 5.0 have ids of our own, which begin with `U5-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    v5: &'static str,
    v3: &'static str,
}

impl Rule {
    /// A rule that stands in both texts.
    pub(crate) const fn new(v5: &'static str, v3: &'static str) -> Self {
        Self { v5, v3 }
    }

    /// A rule about something that only MQTT 5.0 has.
    pub(crate) const fn v5(v5: &'static str) -> Self {
        Self { v5, v3: "MQTT-4.8.0-1" }
    }

    /// A rule about something that only MQTT 3.1.1 and 3.1 have.
    pub(crate) const fn v3(v3: &'static str) -> Self {
        Self {
            v5: "MQTT-4.13.1-1",
            v3,
        }
    }

    /// For a fault that no statement describes: the statement that a fault closes the connection.
    pub(crate) const ANY: Self = Self::new("MQTT-4.13.1-1", "MQTT-4.8.0-1");
}

/// Refuses the bytes unless a condition holds. Every check of the decoder has this form or the next one.
macro_rules! require {
    ($reader:expr, $holds:expr, $kind:ident, $field:expr, $rule:expr) => {
        if !$holds {
            return Err($reader.refuse($crate::DecodeErrorKind::$kind, $field, $rule));
        }
    };
}

/// Takes the value out of an `Option`, or refuses the bytes.
macro_rules! demand {
    ($reader:expr, $value:expr, $kind:ident, $field:expr, $rule:expr) => {
        match $value {
            Some(value) => value,
            None => return Err($reader.refuse($crate::DecodeErrorKind::$kind, $field, $rule)),
        }
    };
}

pub(crate) use {demand, require};

macro_rules! kinds {
    ($($variant:ident => $code:ident, $text:literal;)*) => {
        /// What is wrong with received bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum DecodeErrorKind {
            $(#[doc = concat!("It ", $text, ".")] $variant,)*
        }

        impl DecodeErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The reason code with which MQTT 5.0 answers.
            #[must_use]
            pub const fn reason_code(self) -> ReasonCode {
                match self {
                    $(Self::$variant => ReasonCode::$code,)*
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

kinds! {
    ReservedPacketType => MalformedPacket, "is a reserved packet type";
    ReservedBitsSet => MalformedPacket, "has reserved bits that are not what they have to be";
    LengthTooLong => MalformedPacket, "goes on after its fourth byte";
    LengthPadded => MalformedPacket, "takes more bytes than it needs";
    PacketTooLarge => PacketTooLarge, "makes the packet larger than the limit";
    WrongDirection => ProtocolError, "is a packet that this end never sends";
    Missing => MalformedPacket, "is missing, or cut off by the end of the packet";
    Overrun => MalformedPacket, "is longer than what is left of the packet";
    UnexpectedPacketType => ProtocolError, "is not the type that has to come here";
    TrailingBytes => MalformedPacket, "is followed by bytes that belong to nothing";
    IllFormedUtf8 => MalformedPacket, "is not well-formed UTF-8";
    NulCharacter => MalformedPacket, "holds the character U+0000";
    ForbiddenCharacter => MalformedPacket, "holds a control character or non-character, which the policy refuses";
    WildcardInTopicName => MalformedPacket, "holds a wildcard, which only a topic filter may";
    Empty => ProtocolError, "is empty";
    EmptyTopicWithoutAlias => ProtocolError, "is empty, and there is no topic alias";
    MisplacedMultiLevelWildcard => MalformedPacket, "has a # that is not the whole last level";
    MisplacedSingleLevelWildcard => MalformedPacket, "has a + that is not a whole level";
    EmptyShareName => ProtocolError, "begins with $share/ but names no group";
    InvalidShare => ProtocolError, "has a wildcard in its share name, or no filter after it";
    ZeroPacketId => ProtocolError, "is zero";
    DupWithoutAcknowledgement => MalformedPacket, "has DUP set at QoS 0";
    InvalidQoS => MalformedPacket, "has the QoS 3, which does not exist";
    InvalidSubscriptionQoS => ProtocolError, "asks for the QoS 3, which does not exist";
    InvalidRetainHandling => ProtocolError, "has the Retain Handling 3, which does not exist";
    NoLocalOnSharedSubscription => ProtocolError, "asks for No Local on a shared subscription";
    UnlistedReasonCode => ProtocolError, "is not a code that this packet may carry from this end";
    UnknownProtocolName => UnsupportedProtocolVersion, "is not a protocol name of MQTT";
    UnsupportedProtocolLevel => UnsupportedProtocolVersion, "is not a protocol level that goes with this name";
    WillBitsWithoutWill => MalformedPacket, "has Will QoS or Will Retain set without a will";
    PasswordWithoutUserName => MalformedPacket, "announces a password without a user name";
    SessionPresentInRefusal => ProtocolError, "says that there is a session, and the reason code refuses the client";
    UnknownProperty => MalformedPacket, "is not a property of MQTT 5.0";
    PropertyNotAllowed => MalformedPacket, "is a property that does not belong here";
    PropertyNotAllowedFromClient => ProtocolError, "is a property that only a server may send here";
    PropertyNotAllowedFromServer => ProtocolError, "is a property that only a client may send here";
    DuplicateProperty => ProtocolError, "occurs twice";
    PropertyOutOfRange => ProtocolError, "has a value outside its range";
    ZeroTopicAlias => TopicAliasInvalid, "is zero";
    AuthenticationDataWithoutMethod => ProtocolError, "comes without an authentication method";
    AuthenticationMethodMissing => ProtocolError, "is missing";
    TooManyUserProperties => QuotaExceeded, "is one User Property more than the policy allows";
    CodesMissing => ProtocolError, "comes without a single code";
    FiltersMissing => ProtocolError, "comes without a single filter";
}

/// Why received bytes were refused: what, where, and which statement of the specification they break.
///
/// After an error nothing further of that stream can be interpreted: where the next packet begins is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    rule: &'static Rule,
    offset: u32,
    kind: DecodeErrorKind,
    field: Field,
    version: Version,
    packet_type: Option<PacketType>,
}

impl DecodeError {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(
        kind: DecodeErrorKind,
        field: Field,
        offset: usize,
        rule: &'static Rule,
        version: Version,
        packet_type: Option<PacketType>,
    ) -> Self {
        Self {
            rule,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            kind,
            field,
            version,
            packet_type,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Which part of the packet is wrong.
    #[must_use]
    pub const fn field(&self) -> Field {
        self.field
    }

    /// How many bytes into the packet the fault lies.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// The id of the statement that the bytes break, in the specification of [`version`](Self::version);
    /// ids that begin with `U5-` are ours, for rules that carry no label in the text of MQTT 5.0.
    #[must_use]
    pub const fn statement(&self) -> &'static str {
        match self.version {
            Version::V5 => self.rule.v5,
            Version::V3_1 | Version::V3_1_1 => self.rule.v3,
        }
    }

    /// The version by which the bytes were judged. MQTT 3.1 is judged by the statements of 3.1.1.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The type of the packet, once it was known.
    #[must_use]
    pub const fn packet_type(&self) -> Option<PacketType> {
        self.packet_type
    }

    /// The reason code with which MQTT 5.0 answers.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        self.kind.reason_code()
    }

    /// The reason for the DISCONNECT that answers in MQTT 5.0.
    #[must_use]
    pub const fn disconnect_reason(&self) -> DisconnectReason {
        match DisconnectReason::from_value(self.reason_code().value()) {
            Some(reason) => reason,
            // Only a CONNECT can state a version.
            None => DisconnectReason::ProtocolError,
        }
    }

    /// The reason for the CONNACK that answers a CONNECT of MQTT 5.0.
    #[must_use]
    pub const fn connack_reason(&self) -> ConnAckReason {
        match ConnAckReason::from_value(self.reason_code().value()) {
            Some(reason) => reason,
            // A topic alias has no place in CONNECT.
            None => ConnAckReason::ProtocolError,
        }
    }
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(packet_type) = self.packet_type {
            write!(f, "{packet_type}: ")?;
        }
        write!(
            f,
            "{} at byte {} {} [{}",
            self.field,
            self.offset,
            self.kind.text(),
            self.statement()
        )?;
        match self.version {
            Version::V5 => f.write_str("]"),
            Version::V3_1 | Version::V3_1_1 => f.write_str(" of MQTT 3.1.1]"),
        }
    }
}

impl core::fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DecodeError")
            .field("kind", &self.kind)
            .field("packet_type", &self.packet_type)
            .field("field", &self.field)
            .field("offset", &self.offset)
            .field("statement", &self.statement())
            .field("version", &self.version)
            .finish()
    }
}

impl core::error::Error for DecodeError {}

#[cfg(feature = "defmt")]
impl defmt::Format for DecodeError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "{} at byte {}: {} [{=str}]",
            self.field,
            self.offset,
            self.kind,
            self.statement()
        );
    }
}

/// Why something cannot be encoded. Nothing has been written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is smaller than the packet.
    BufferTooSmall {
        /// How many bytes the packet needs.
        needed: usize,
    },
    /// The packet would exceed what a Remaining Length can express, or the limit that was given.
    PacketTooLarge {
        /// How many bytes the packet would have.
        len: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The version does not have this field. `for_version` leaves out what can be left out.
    NotInVersion {
        /// The field.
        field: Field,
        /// The version.
        version: Version,
    },
    /// A CONNECT states one version and was to be encoded as another.
    VersionMismatch {
        /// What CONNECT states.
        stated: Version,
        /// What was asked for.
        asked: Version,
    },
    /// A PUBLISH has neither a topic name nor a topic alias.
    TopicMissing,
    /// Authentication data, or an AUTH, without the authentication method it belongs to.
    AuthenticationMethodMissing,
    /// A SUBACK or UNSUBACK without a single code.
    CodesMissing,
    /// A CONNACK says that there is a session, and refuses the client.
    SessionPresentInRefusal,
    /// A property that each subscriber has of its own was given as one that all share.
    NotShared {
        /// The property.
        id: crate::PropertyId,
    },
    /// Properties that all subscribers share have to be one piece, with nothing left out of them.
    NotOnePiece,
    /// A property is among the own ones of a subscriber and among the shared ones.
    PropertyTwice {
        /// The property.
        id: crate::PropertyId,
    },
    /// A text or binary field is longer than the 65,535 bytes that its length prefix can express.
    FieldTooLong {
        /// The field.
        field: Field,
    },
    /// A text is not what it was meant to be.
    Text(TextError),
    /// Binary data is too long.
    Binary(BinaryTooLong),
    /// A decoder would refuse what was built.
    Refused(DecodeError),
}

impl core::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(f, "the packet needs a buffer of {needed} bytes"),
            Self::PacketTooLarge { len, limit } => write!(f, "the packet would have {len} bytes; the limit is {limit}"),
            Self::NotInVersion { field, version } => write!(f, "{version} has no {field}"),
            Self::VersionMismatch { stated, asked } => write!(f, "a CONNECT for {stated} cannot be encoded as {asked}"),
            Self::TopicMissing => f.write_str("the PUBLISH has neither a topic name nor a topic alias"),
            Self::AuthenticationMethodMissing => f.write_str("the authentication method is missing"),
            Self::CodesMissing => f.write_str("there is no reason code, and there has to be one for each filter"),
            Self::SessionPresentInRefusal => f.write_str("a CONNACK that refuses the client has Session Present 0"),
            Self::NotShared { id } => write!(f, "each subscriber has a {id} of its own"),
            Self::NotOnePiece => f.write_str("shared properties have to be one piece, with nothing left out"),
            Self::PropertyTwice { id } => write!(f, "{id} is among both the own and the shared properties"),
            Self::FieldTooLong { field } => write!(f, "the {field} is longer than 65535 bytes"),
            Self::Text(error) => error.fmt(f),
            Self::Binary(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for EncodeError {}

impl From<TextError> for EncodeError {
    fn from(error: TextError) -> Self {
        Self::Text(error)
    }
}

impl From<BinaryTooLong> for EncodeError {
    fn from(error: BinaryTooLong) -> Self {
        Self::Binary(error)
    }
}

impl From<DecodeError> for EncodeError {
    fn from(error: DecodeError) -> Self {
        Self::Refused(error)
    }
}
