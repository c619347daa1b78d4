//! The options of a subscription: one byte behind each filter of a SUBSCRIBE.

use crate::error::{Rule, require};
use crate::reader::Reader;
use crate::trace::Trace;
use crate::{DecodeError, Field, QoS};

/// When messages that were retained are sent because of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum RetainHandling {
    /// Each time the filter is subscribed.
    #[default]
    Send = 0,
    /// Only if the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// How a subscription wants its messages. MQTT 3.1.1 and 3.1 have the QoS alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SubscriptionOptions {
    /// The highest QoS of a message.
    pub qos: QoS,
    /// Without the client's own messages. Not for shared subscriptions.
    pub no_local: bool,
    /// Whether messages keep the RETAIN flag that they were published with.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

pub(super) const QOS: u8 = 0x03;
pub(super) const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING_SHIFT: u32 = 4;
pub(super) const RESERVED: u8 = 0xC0;
/// The upper bit of each of the two numbers, which may be set only if the lower one is not.
pub(super) const THREES: u8 = 0x22;

impl SubscriptionOptions {
    /// This QoS, and nothing else asked for.
    #[must_use]
    pub const fn new(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    /// The byte on the wire.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        self.qos.bits()
            | (self.no_local as u8) << NO_LOCAL.trailing_zeros()
            | (self.retain_as_published as u8) << RETAIN_AS_PUBLISHED.trailing_zeros()
            | (self.retain_handling as u8) << RETAIN_HANDLING_SHIFT
    }

    /// The options that a byte stands for, unless it has reserved bits or values.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        // Both bits of the QoS, or both of the Retain Handling.
        let threes = bits & bits << 1 & THREES;
        if bits & RESERVED | threes == 0 {
            Some(Self::from_parts_of(bits))
        } else {
            None
        }
    }

    /// The options for bits of which it is known that they are neither reserved nor 3.
    #[inline]
    pub(super) fn of_checked(bits: u8) -> Self {
        static ALL: [SubscriptionOptions; 64] = all_options();
        let place = usize::from(bits & !RESERVED);
        ALL.get(place).copied().unwrap_or_default()
    }

    const fn from_parts_of(bits: u8) -> Self {
        Self {
            qos: match bits & QOS {
                1 => QoS::AtLeastOnce,
                2 => QoS::ExactlyOnce,
                _ => QoS::AtMostOnce,
            },
            no_local: bits & NO_LOCAL != 0,
            retain_as_published: bits & RETAIN_AS_PUBLISHED != 0,
            retain_handling: match bits >> RETAIN_HANDLING_SHIFT {
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => RetainHandling::Send,
            },
        }
    }
}

/// What every byte without reserved bits stands for, so that reading checked options is a single load.
const fn all_options() -> [SubscriptionOptions; 64] {
    let mut all = [SubscriptionOptions::new(QoS::AtMostOnce); 64];
    let (mut rest, mut bits): (&mut [_], _) = (&mut all, 0);
    while let Some((options, tail)) = rest.split_first_mut() {
        *options = SubscriptionOptions::from_parts_of(bits);
        (rest, bits) = (tail, bits.wrapping_add(1));
    }
    all
}

/// Refuses bits that are reserved, and numbers that are 3.
pub(super) fn check<T: Trace>(bits: u8, v5: bool, reader: &Reader<'_, T>) -> Result<(), DecodeError> {
    static RESERVED_BITS: Rule = Rule::new("MQTT-3.8.3-5", "MQTT-3.8.3-4");
    static QOS_3: Rule = Rule::new("U5-3.8.3-a", "MQTT-3.8.3-4");
    static RETAIN_HANDLING_3: Rule = Rule::v5("U5-3.8.3-b");
    let field = Field::SubscriptionOptions;
    let reserved = if v5 { RESERVED } else { !QOS };
    require!(reader, bits & reserved == 0, ReservedBitsSet, field, &RESERVED_BITS);
    require!(reader, bits & QOS != QOS, InvalidSubscriptionQoS, field, &QOS_3);
    require!(
        reader,
        bits >> RETAIN_HANDLING_SHIFT & 0b11 != 3,
        InvalidRetainHandling,
        field,
        &RETAIN_HANDLING_3
    );
    Ok(())
}
