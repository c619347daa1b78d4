//! SUBSCRIBE: a client asks for messages.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, require};
use crate::reader::{Reader, Site};
use crate::sink::Sink;
use crate::storage::{Draft, InSlice, Storage};
use crate::topic::is_plain_filter;
use crate::trace::{Silent, Trace};
use crate::{
    DecodeError, EncodeError, Field, PacketId, PacketType, Properties, QoS, Rules, TopicFilter, Version, section,
};

/// A client asks for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Subscribe<B: AsRef<[u8]>> {
    /// The packet identifier that SUBACK will repeat.
    pub id: PacketId,
    /// What to subscribe to: one filter or more.
    pub filters: Filters<B>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Subscribe, B>,
}

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

const QOS: u8 = 0x03;
const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING_SHIFT: u32 = 4;
const RESERVED: u8 = 0xC0;
/// The upper bit of each of the two numbers, which may be set only if the lower one is not.
const THREES: u8 = 0x22;

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
    fn of_checked(bits: u8) -> Self {
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

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Subscription<B: AsRef<[u8]>> {
    /// What messages are wanted.
    pub filter: TopicFilter<B>,
    /// How.
    pub options: SubscriptionOptions,
}

crate::impl_defmt!(Subscription);

/// The filters of a SUBSCRIBE: at least one. Bytes that were checked as a whole and are read lazily.
///
/// ```
/// use mqtt_proto::{Filters, QoS, SubscriptionOptions};
/// let mut buffer = [0; 64];
/// let filters = Filters::build_in(&mut buffer)
///     .filter("a/+", SubscriptionOptions::new(QoS::AtLeastOnce))
///     .filter("b/#", SubscriptionOptions::default())
///     .build()?;
/// assert_eq!(filters.iter().next().unwrap().filter, "a/+");
/// # Ok::<(), mqtt_proto::EncodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Filters<B> {
    bytes: B,
    /// Options beyond the QoS, which only MQTT 5.0 has.
    extended: bool,
    /// A filter that is no shared one though it begins like one, which only MQTT 3.1.1 and 3.1 allow.
    pseudo_shared: bool,
    /// Whether the options are cut down to the QoS.
    qos_only: bool,
}

static FILTER: Site = Site::topic(
    Field::TopicFilter,
    Rule::new("MQTT-3.8.3-1", "MQTT-3.8.3-1"),
    Rule::new("MQTT-3.8.3-1", "MQTT-3.8.3-1"),
    Rule::ANY,
);
static MISSING: Rule = Rule::new("MQTT-3.8.3-2", "MQTT-3.8.3-3");
static PACKET_ID: Rule = Rule::new("MQTT-2.2.1-3", "MQTT-2.3.1-1");

impl<'a> Subscribe<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        let id = reader.packet_id(&PACKET_ID)?;
        let properties = if reader.version().has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        let filters = Filters::read(reader)?;
        Ok(Self {
            id,
            filters,
            properties,
        })
    }
}

impl<'a> Filters<&'a [u8]> {
    #[inline(always)]
    fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        let bytes = reader.peek();
        let v5 = reader.version().has_properties();
        let plain = if T::IS_SILENT { check_plain(bytes, v5) } else { None };
        if let Some(extended) = plain {
            reader.remainder();
            return Ok(Self {
                bytes,
                extended,
                pseudo_shared: false,
                qos_only: false,
            });
        }
        let (mut extended, mut pseudo_shared) = (false, false);
        reader.mark();
        require!(
            reader,
            !reader.is_at_end(),
            FiltersMissing,
            Field::TopicFilter,
            &MISSING
        );
        while !reader.is_at_end() {
            let filter = reader.topic_filter(&FILTER)?;
            let bits = reader.u8(Field::SubscriptionOptions, &MISSING)?;
            check_options(bits, v5, reader)?;
            if bits & NO_LOCAL != 0 {
                static NO_LOCAL_SHARED: Rule = Rule::v5("MQTT-3.8.3-4");
                let shared = filter.shared().is_some();
                require!(
                    reader,
                    !shared,
                    NoLocalOnSharedSubscription,
                    Field::SubscriptionOptions,
                    &NO_LOCAL_SHARED
                );
            }
            extended |= bits & !QOS != 0;
            pseudo_shared |= !v5 && !filter.is_valid_in_v5();
        }
        Ok(Self {
            bytes,
            extended,
            pseudo_shared,
            qos_only: false,
        })
    }

    /// Builds filters in a buffer of the caller's.
    pub const fn build_in(buffer: &'a mut [u8]) -> FiltersBuilder<InSlice<'a>> {
        FiltersBuilder {
            draft: Draft::new(InSlice::new(buffer)),
        }
    }
}

/// Whether these are filters about which nothing needs a closer look, as nearly all are; then, whether they have options
/// beyond the QoS.
///
/// Whatever passes here, [`Filters::read`] lets pass too.
#[inline(always)]
fn check_plain(mut rest: &[u8], v5: bool) -> Option<bool> {
    let unwanted = if v5 { RESERVED } else { !QOS };
    let mut all = 0;
    while let Some((filter, options, tail)) = split_subscription(rest) {
        let threes = options & options << 1 & THREES;
        if options & unwanted | threes != 0 || !is_plain_filter(filter) {
            return None;
        }
        all |= options;
        rest = tail;
        if rest.is_empty() {
            return Some(all & !QOS != 0);
        }
    }
    None
}

fn check_options<T: Trace>(bits: u8, v5: bool, reader: &Reader<'_, T>) -> Result<(), DecodeError> {
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

#[cfg(feature = "alloc")]
impl Filters<bytes::Bytes> {
    /// Builds filters in memory of their own.
    pub fn builder() -> FiltersBuilder<crate::storage::InBytes> {
        FiltersBuilder {
            draft: Draft::new(crate::storage::InBytes::default()),
        }
    }
}

impl<B: AsRef<[u8]>> Filters<B> {
    /// The filters with their options, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Subscription<&[u8]>> + Clone {
        let (mut rest, mask) = (self.bytes.as_ref(), if self.qos_only { QOS } else { 0xFF });
        core::iter::from_fn(move || {
            let (filter, bits);
            (filter, bits, rest) = split_subscription(rest)?;
            Some(Subscription {
                filter: TopicFilter(filter),
                options: SubscriptionOptions::of_checked(bits & mask),
            })
        })
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Filters<C> {
        Filters {
            bytes: storage(self.bytes.as_ref()),
            extended: self.extended,
            pseudo_shared: self.pseudo_shared,
            qos_only: self.qos_only,
        }
    }

    fn check(&self, version: Version) -> Result<(), EncodeError> {
        match version {
            Version::V5 if self.pseudo_shared => Err(EncodeError::NotInVersion {
                field: Field::TopicFilter,
                version,
            }),
            Version::V3_1 | Version::V3_1_1 if self.extended && !self.qos_only => Err(EncodeError::NotInVersion {
                field: Field::SubscriptionOptions,
                version,
            }),
            _ => Ok(()),
        }
    }
}

/// Takes one filter and its options off the front of checked bytes.
#[inline]
fn split_subscription(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (filter_and_options, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)).wrapping_add(1))?;
    let (options, filter) = filter_and_options.split_last()?;
    Some((filter, *options, rest))
}

/// Equal if the same filters with the same options come in the same order.
impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<Filters<C>> for Filters<B> {
    fn eq(&self, other: &Filters<C>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<B: AsRef<[u8]>> Eq for Filters<B> {}

impl<B: AsRef<[u8]>> core::hash::Hash for Filters<B> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.iter().for_each(|subscription| subscription.hash(state));
    }
}

impl<B: AsRef<[u8]>> core::fmt::Debug for Filters<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|subscription| (subscription.filter, subscription.options)),
            )
            .finish()
    }
}

/// Builds the filters of a SUBSCRIBE.
///
/// The methods append and return the builder; what is wrong comes out of [`build`](Self::build).
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct FiltersBuilder<W> {
    draft: Draft<W>,
}

impl<W: Storage> FiltersBuilder<W> {
    /// Appends a filter with its options.
    pub fn filter(mut self, filter: impl AsRef<[u8]>, options: SubscriptionOptions) -> Self {
        self.draft.put_prefixed(filter.as_ref(), Field::TopicFilter);
        self.draft.put(&[options.bits()]);
        self
    }

    /// Ends building.
    ///
    /// # Errors
    /// If the buffer was too small, or a decoder would refuse what was built: for no filter at all, one that is not
    /// valid, or No Local on a shared one.
    pub fn build(self) -> Result<Filters<W::Output>, EncodeError> {
        self.build_for(Version::V5)
    }

    /// The same by the rules of a version: before MQTT 5.0, `$share/` means nothing.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_for(self, version: Version) -> Result<Filters<W::Output>, EncodeError> {
        let bytes = self.draft.finish()?;
        let mut reader = Reader::new(bytes.as_ref(), 0, PacketType::Subscribe, Rules::new(version), Silent);
        let checked = Filters::read(&mut reader)?;
        let (extended, pseudo_shared) = (checked.extended, checked.pseudo_shared);
        Ok(Filters {
            bytes,
            extended,
            pseudo_shared,
            qos_only: false,
        })
    }
}

impl<B: AsRef<[u8]>> Subscribe<B> {
    /// The nearest SUBSCRIBE of a version: without properties, and with the QoS as the only option, for MQTT 3.1.1 and
    /// 3.1. `None` if a filter is one in those versions and none in MQTT 5.0.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            self.properties = self.properties.cleared();
            self.filters.qos_only = true;
        } else if self.filters.pseudo_shared {
            return None;
        }
        Some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Subscribe<C> {
        Subscribe {
            id: self.id,
            filters: self.filters.convert(storage),
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for Subscribe<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::Subscribe.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        self.filters.check(version)?;
        let filters = self.filters.bytes.as_ref().len();
        Ok(section_len(&self.properties, version)?
            .saturating_add(filters)
            .saturating_add(2))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_u16(self.id.get());
        write_section(&self.properties, version, sink);
        if self.filters.qos_only && self.filters.extended {
            for Subscription { filter, options } in self.filters.iter() {
                sink.put_prefixed(filter.as_bytes());
                sink.put_u8(options.bits());
            }
        } else {
            sink.put(self.filters.bytes.as_ref());
        }
    }
}

body!(Subscribe);
