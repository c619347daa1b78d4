//! UNSUBSCRIBE: a client wants no more messages for some filters.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, require};
use crate::reader::{Reader, Site};
use crate::sink::Sink;
use crate::storage::{Draft, InSlice, Storage};
use crate::trace::{Silent, Trace};
use crate::{DecodeError, EncodeError, Field, PacketId, PacketType, Properties, Rules, TopicFilter, Version, section};

/// A client wants no more messages for some filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Unsubscribe<B: AsRef<[u8]>> {
    /// The packet identifier that UNSUBACK will repeat.
    pub id: PacketId,
    /// What to unsubscribe from: one filter or more.
    pub filters: TopicFilters<B>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Unsubscribe, B>,
}

/// The filters of an UNSUBSCRIBE: at least one. Bytes that were checked as a whole and are read lazily.
#[derive(Clone, Copy)]
pub struct TopicFilters<B> {
    bytes: B,
    /// A filter that is no shared one though it begins like one, which only MQTT 3.1.1 and 3.1 allow.
    pseudo_shared: bool,
}

static FILTER: Site = Site::topic(
    Field::TopicFilter,
    Rule::new("MQTT-3.10.3-1", "MQTT-3.10.3-1"),
    Rule::new("MQTT-3.10.3-1", "MQTT-3.10.3-1"),
    Rule::ANY,
);
static PACKET_ID: Rule = Rule::new("MQTT-2.2.1-3", "MQTT-2.3.1-1");

impl<B: AsRef<[u8]> + Default> Unsubscribe<B> {
    /// Without properties.
    #[must_use]
    pub fn new(id: PacketId, filters: TopicFilters<B>) -> Self {
        Self {
            id,
            filters,
            properties: Properties::empty(),
        }
    }
}

impl<'a> Unsubscribe<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        let id = reader.packet_id(&PACKET_ID)?;
        let properties = if reader.version().has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        let filters = TopicFilters::read(reader)?;
        Ok(Self {
            id,
            filters,
            properties,
        })
    }
}

impl<'a> TopicFilters<&'a [u8]> {
    fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        static MISSING: Rule = Rule::new("MQTT-3.10.3-2", "MQTT-3.10.3-2");

        let bytes = reader.peek();
        let v5 = reader.version().has_properties();
        let mut pseudo_shared = false;
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
            pseudo_shared |= !v5 && !filter.is_valid_in_v5();
        }
        Ok(Self { bytes, pseudo_shared })
    }

    /// Builds filters in a buffer of the caller's.
    pub const fn build_in(buffer: &'a mut [u8]) -> TopicFiltersBuilder<InSlice<'a>> {
        TopicFiltersBuilder {
            draft: Draft::new(InSlice::new(buffer)),
        }
    }
}

#[cfg(feature = "alloc")]
impl TopicFilters<bytes::Bytes> {
    /// Builds filters in memory of their own.
    pub fn builder() -> TopicFiltersBuilder<crate::storage::InBytes> {
        TopicFiltersBuilder {
            draft: Draft::new(crate::storage::InBytes::default()),
        }
    }
}

impl<B: AsRef<[u8]>> TopicFilters<B> {
    /// The filters, in order.
    pub fn iter(&self) -> impl Iterator<Item = TopicFilter<&[u8]>> + Clone {
        let mut rest = self.bytes.as_ref();
        core::iter::from_fn(move || {
            let (len, tail) = rest.split_first_chunk::<2>()?;
            let (filter, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            rest = tail;
            Some(TopicFilter(filter))
        })
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> TopicFilters<C> {
        TopicFilters {
            bytes: storage(self.bytes.as_ref()),
            pseudo_shared: self.pseudo_shared,
        }
    }
}

impl<B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<TopicFilters<C>> for TopicFilters<B> {
    fn eq(&self, other: &TopicFilters<C>) -> bool {
        self.bytes.as_ref() == other.bytes.as_ref()
    }
}

impl<B: AsRef<[u8]>> Eq for TopicFilters<B> {}

impl<B: AsRef<[u8]>> core::hash::Hash for TopicFilters<B> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.bytes.as_ref().hash(state);
    }
}

impl<B: AsRef<[u8]>> core::fmt::Debug for TopicFilters<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Builds the filters of an UNSUBSCRIBE.
///
/// The methods append and return the builder; what is wrong comes out of [`build`](Self::build).
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct TopicFiltersBuilder<W> {
    draft: Draft<W>,
}

impl<W: Storage> TopicFiltersBuilder<W> {
    /// Appends a filter.
    pub fn filter(mut self, filter: impl AsRef<[u8]>) -> Self {
        self.draft.put_prefixed(filter.as_ref(), Field::TopicFilter);
        self
    }

    /// Ends building.
    ///
    /// # Errors
    /// If the buffer was too small, or a decoder would refuse what was built: for no filter at all, or one that is not
    /// valid.
    pub fn build(self) -> Result<TopicFilters<W::Output>, EncodeError> {
        self.build_for(Version::V5)
    }

    /// The same by the rules of a version: before MQTT 5.0, `$share/` means nothing.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_for(self, version: Version) -> Result<TopicFilters<W::Output>, EncodeError> {
        let bytes = self.draft.finish()?;
        let mut reader = Reader::new(bytes.as_ref(), 0, PacketType::Unsubscribe, Rules::new(version), Silent);
        let checked = TopicFilters::read(&mut reader)?;
        let pseudo_shared = checked.pseudo_shared;
        Ok(TopicFilters { bytes, pseudo_shared })
    }
}

impl<B: AsRef<[u8]>> Unsubscribe<B> {
    /// The nearest UNSUBSCRIBE of a version: without properties for MQTT 3.1.1 and 3.1. `None` if a filter is one in those versions and none in MQTT 5.0.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Option<Self> {
        if !version.has_properties() {
            self.properties = self.properties.cleared();
        } else if self.filters.pseudo_shared {
            return None;
        }
        Some(self)
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Unsubscribe<C> {
        Unsubscribe {
            id: self.id,
            filters: self.filters.convert(storage),
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for Unsubscribe<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::Unsubscribe.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if version.has_properties() && self.filters.pseudo_shared {
            return Err(EncodeError::NotInVersion {
                field: Field::TopicFilter,
                version,
            });
        }
        let filters = self.filters.bytes.as_ref().len();
        Ok(section_len(&self.properties, version)?
            .saturating_add(filters)
            .saturating_add(2))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_u16(self.id.get());
        write_section(&self.properties, version, sink);
        sink.put(self.filters.bytes.as_ref());
    }
}

body!(Unsubscribe);
