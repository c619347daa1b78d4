//! What a decoder enforces: version, direction, size limit, and the choices that the specification leaves open.

use crate::{Role, Version, varint};

/// What to do with something that the specification allows a receiver to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Choice {
    /// Let it pass.
    Accept,
    /// Treat it as an error.
    Refuse,
}

/// The choices that the specification leaves to the receiver, each with a name.
///
/// [`Policy::default`] suits a client and tools. A server that relays text to others takes [`Policy::relay`], since a
/// string that it lets through may make a stricter subscriber drop its connection, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Policy {
    /// Control characters (U+0001 to U+001F, U+007F to U+009F) and Unicode non-characters in text.
    /// Accepted by default. Refused: `MalformedPacket`, statement U5-1.5.4-a.
    pub control_characters: Choice,
    /// A Remaining Length in more bytes than it needs. Refused by default, in every version.
    /// Inside a packet (property length, subscription identifier) padding is always refused.
    pub padded_remaining_length: Choice,
    /// What MQTT 3.1 peers do that 3.1.1 forbids: DUP on SUBSCRIBE, UNSUBSCRIBE and PUBREL; a user name or password that
    /// is announced but missing at the end of CONNECT; a failure code in SUBACK. Accepted by default; only 3.1 is affected.
    pub v3_1_habits: Choice,
    /// How many User Properties one section of properties may hold. Default 1000.
    /// Beyond it: `QuotaExceeded`, before anything is copied.
    pub user_properties_limit: u16,
}

impl Policy {
    /// The choices for a receiver that passes text on to others: control characters are refused.
    #[must_use]
    pub const fn relay() -> Self {
        Self {
            control_characters: Choice::Refuse,
            padded_remaining_length: Choice::Refuse,
            v3_1_habits: Choice::Accept,
            user_properties_limit: 1000,
        }
    }

    /// The choices for an end that only consumes text: control characters pass.
    #[must_use]
    pub const fn endpoint() -> Self {
        Self {
            control_characters: Choice::Accept,
            ..Self::relay()
        }
    }
}

impl Policy {
    /// Sets [`control_characters`](Self::control_characters).
    #[must_use]
    pub const fn control_characters(mut self, choice: Choice) -> Self {
        self.control_characters = choice;
        self
    }

    /// Sets [`padded_remaining_length`](Self::padded_remaining_length).
    #[must_use]
    pub const fn padded_remaining_length(mut self, choice: Choice) -> Self {
        self.padded_remaining_length = choice;
        self
    }

    /// Sets [`v3_1_habits`](Self::v3_1_habits).
    #[must_use]
    pub const fn v3_1_habits(mut self, choice: Choice) -> Self {
        self.v3_1_habits = choice;
        self
    }

    /// Sets [`user_properties_limit`](Self::user_properties_limit).
    #[must_use]
    pub const fn user_properties_limit(mut self, limit: u16) -> Self {
        self.user_properties_limit = limit;
        self
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::endpoint()
    }
}

/// What a decoder enforces.
///
/// ```
/// use mqtt_proto::{Policy, Role, Rules, Version};
/// // A server that reads from an MQTT 5.0 client and takes packets up to 1 MiB.
/// let rules = Rules::new(Version::V5).sent_by(Role::Client).limit(1 << 20).policy(Policy::relay());
/// assert_eq!(rules.version, Version::V5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Rules {
    /// The version of the connection. A CONNECT is read by the version that it states itself.
    pub version: Version,
    /// Who sent the bytes. Without it, packets of both directions are accepted.
    pub sender: Option<Role>,
    /// The largest packet in bytes, fixed header included: the Maximum Packet Size that was announced.
    /// Default: the largest that MQTT can express, 268,435,460. A larger one is refused when its header has been read.
    pub limit_bytes: u32,
    /// The choices that the specification leaves open.
    pub policy: Policy,
}

impl Rules {
    /// Everything of one version, in both directions, up to the largest packet, with the default policy.
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self {
            version,
            sender: None,
            limit_bytes: varint::LARGEST_PACKET,
            policy: Policy::endpoint(),
        }
    }

    /// Accepts only what this end may send.
    #[must_use]
    pub const fn sent_by(mut self, sender: Role) -> Self {
        self.sender = Some(sender);
        self
    }

    /// Sets [`limit_bytes`](Self::limit_bytes).
    #[must_use]
    pub const fn limit(mut self, bytes: u32) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// Sets [`policy`](Self::policy).
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}
