//! A section of properties: checked bytes, read lazily.

use core::fmt;
use core::marker::PhantomData;
use core::num::{NonZeroU16, NonZeroU32};

use super::{PayloadFormat, Property, Section, SubscriptionId};
use crate::sink::Sink;
use crate::varint::{self, Varint};
use crate::{Binary, PropertyId, QoS, Text, TopicName};

/// The properties of one section: a range of bytes that was checked as a whole.
///
/// `S` tells the section (see [`section`](crate::section)), `B` the storage. Reading walks over the bytes; forwarding
/// copies them. [`without`](Self::without) leaves properties out without touching the bytes.
///
/// ```
/// use mqtt_proto::PublishProperties;
/// let mut buffer = [0; 64];
/// let properties = PublishProperties::build_in(&mut buffer)
///     .content_type("text/plain")
///     .user_property("unit", "celsius")
///     .build()?;
/// assert_eq!(properties.content_type().unwrap(), "text/plain");
/// assert_eq!(properties.user_properties().count(), 1);
/// # Ok::<(), mqtt_proto::EncodeError>(())
/// ```
pub struct Properties<S, B> {
    bytes: B,
    /// Which properties the bytes hold, one bit an id.
    stored: u64,
    /// Which of these count.
    shown: u64,
    section: PhantomData<fn() -> S>,
}

impl<S, B> Properties<S, B> {
    /// Bytes that the decoder has checked, and the set of ids it met.
    #[inline]
    pub(crate) const fn checked(bytes: B, stored: u64) -> Self {
        Self {
            bytes,
            stored,
            shown: stored,
            section: PhantomData,
        }
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// Whether this property is among them.
    #[must_use]
    #[inline]
    pub const fn has(&self, id: PropertyId) -> bool {
        self.shown & id.bit() != 0
    }

    /// A property that may occur once and is in both.
    pub(crate) fn in_both<C>(&self, other: &Properties<S, C>) -> Option<PropertyId> {
        let both = self.shown & other.shown & !PropertyId::UserProperty.bit();
        if both == 0 {
            return None;
        }
        PropertyId::ALL.iter().copied().find(|id| both & id.bit() != 0)
    }

    /// The same without this property, however often it occurs.
    #[must_use]
    #[inline]
    pub fn without(mut self, id: PropertyId) -> Self {
        self.shown &= !id.bit();
        self
    }

    /// The same without any property.
    #[must_use]
    #[inline]
    pub fn cleared(mut self) -> Self {
        self.shown = 0;
        self
    }
}

impl<S, B: Default> Properties<S, B> {
    /// No properties.
    #[must_use]
    pub fn empty() -> Self {
        Self::checked(B::default(), 0)
    }
}

impl<S: Section, B: AsRef<[u8]>> Properties<S, B> {
    /// The properties in the order of the wire.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> PropertyIter<'_> {
        PropertyIter {
            rest: self.stored_bytes(),
            shown: self.shown,
        }
    }

    /// How many bytes the properties take, without the Property Length before them.
    #[must_use]
    #[inline]
    pub fn encoded_len(&self) -> usize {
        if self.shown == self.stored {
            self.stored_bytes().len()
        } else {
            self.shown_len()
        }
    }

    #[cold]
    #[inline(never)]
    fn shown_len(&self) -> usize {
        self.iter().raw().map(<[u8]>::len).fold(0, usize::saturating_add)
    }

    /// The bytes as they stand on the wire, without the Property Length, if nothing is left out of them.
    #[must_use]
    pub fn as_encoded(&self) -> Option<&[u8]> {
        (self.shown == self.stored || self.shown == 0).then(|| self.stored_bytes())
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_view(&self) -> Properties<S, &[u8]> {
        self.convert(&mut |bytes| bytes)
    }

    #[inline]
    fn stored_bytes(&self) -> &[u8] {
        // What is wholly left out is not walked over.
        if self.shown == 0 { &[] } else { self.bytes.as_ref() }
    }

    /// Writes the properties, without the Property Length.
    #[inline]
    pub(crate) fn write<K: Sink>(&self, sink: &mut K) {
        if self.shown == 0 {
            return;
        }
        if self.shown == self.stored {
            sink.put(self.bytes.as_ref());
        } else {
            self.write_shown(sink);
        }
    }

    #[cold]
    #[inline(never)]
    fn write_shown<K: Sink>(&self, sink: &mut K) {
        self.iter().raw().for_each(|raw| sink.put(raw));
    }

    /// The same in other storage, which has to hold the same bytes.
    #[inline]
    pub(crate) fn convert<'s, C>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Properties<S, C> {
        let (stored, shown) = if self.shown == 0 {
            (0, 0)
        } else {
            (self.stored, self.shown)
        };
        Properties {
            bytes: storage(self.stored_bytes()),
            stored,
            shown,
            section: PhantomData,
        }
    }

    /// How many bytes the properties before the first one with this id take.
    pub(super) fn len_before(&self, id: PropertyId) -> usize {
        let before = self.iter().raw().take_while(|raw| raw.first() != Some(&id.number()));
        before.map(<[u8]>::len).fold(0, usize::saturating_add)
    }

    /// The first property with this id.
    #[inline]
    pub(super) fn find(&self, id: PropertyId) -> Option<Property<&[u8]>> {
        if self.has(id) {
            find(self.bytes.as_ref(), id)
        } else {
            None
        }
    }
}

#[cfg(feature = "alloc")]
impl<S: Section, B: AsRef<[u8]>> Properties<S, B> {
    /// An owned copy, without the bytes of what is left out: one piece.
    #[must_use]
    pub fn to_owned(&self) -> Properties<S, bytes::Bytes> {
        let mut copy = bytes::BytesMut::with_capacity(self.encoded_len());
        self.iter().raw().for_each(|raw| copy.extend_from_slice(raw));
        Properties::checked(copy.freeze(), self.shown)
    }

    /// An owned form that shares the memory of `frame`, the buffer that these were decoded from. What does not lie in that
    /// buffer is copied.
    #[must_use]
    #[inline]
    pub fn to_owned_in(&self, frame: &bytes::Bytes) -> Properties<S, bytes::Bytes> {
        self.convert(&mut |bytes| crate::owned::slice_of(frame, bytes))
    }
}

impl<S, B: Clone> Clone for Properties<S, B> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            ..*self
        }
    }
}

impl<S, B: Copy> Copy for Properties<S, B> {}

impl<S, B: Default> Default for Properties<S, B> {
    fn default() -> Self {
        Self::empty()
    }
}

/// Equal if the same properties come in the same order, whatever is left out and wherever they are stored.
impl<S: Section, B: AsRef<[u8]>, C: AsRef<[u8]>> PartialEq<Properties<S, C>> for Properties<S, B> {
    fn eq(&self, other: &Properties<S, C>) -> bool {
        self.iter().raw().eq(other.iter().raw())
    }
}

impl<S: Section, B: AsRef<[u8]>> Eq for Properties<S, B> {}

impl<S: Section, B: AsRef<[u8]>> core::hash::Hash for Properties<S, B> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.iter().raw().for_each(|raw| raw.hash(state));
    }
}

impl<S: Section, B: AsRef<[u8]>> fmt::Debug for Properties<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'p, S: Section, B: AsRef<[u8]>> IntoIterator for &'p Properties<S, B> {
    type Item = Property<&'p [u8]>;
    type IntoIter = PropertyIter<'p>;

    fn into_iter(self) -> PropertyIter<'p> {
        self.iter()
    }
}

/// The properties of a view, borrowed from the buffer and not from the view: they outlive the packet that was decoded.
///
/// ```
/// # use mqtt_proto::*;
/// fn content_type<'a>(bytes: &'a [u8], rules: &Rules) -> Option<Text<&'a [u8]>> {
///     let Ok(Decoded::Packet { packet: Packet::Publish(publish), .. }) = decode(bytes, rules) else { return None };
///     publish.properties.into_iter().find_map(|property| match property {
///         Property::ContentType(text) => Some(text),
///         _ => None,
///     })
/// }
/// let bytes = b"\x30\x0B\x00\x01t\x07\x03\x00\x04text";
/// assert_eq!(content_type(bytes, &Rules::new(Version::V5)).unwrap(), "text");
/// ```
impl<'a, S: Section> IntoIterator for Properties<S, &'a [u8]> {
    type Item = Property<&'a [u8]>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        PropertyIter {
            rest: if self.shown == 0 { &[] } else { self.bytes },
            shown: self.shown,
        }
    }
}

/// Walks over the properties of a section, in the order of the wire.
#[derive(Clone, Debug)]
pub struct PropertyIter<'p> {
    rest: &'p [u8],
    shown: u64,
}

impl<'p> PropertyIter<'p> {
    /// The properties as they stand on the wire, identifier included.
    fn raw(mut self) -> impl Iterator<Item = &'p [u8]> {
        core::iter::from_fn(move || take_raw(&mut self))
    }
}

impl<'p> Iterator for PropertyIter<'p> {
    type Item = Property<&'p [u8]>;

    /// Inlined with all of its branches, so that a `match` on the property joins them.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, value) = self.rest.split_first()?;
            let property;
            (property, self.rest) = take(*number, value)?;
            if is_in(self.shown, *number) {
                return Some(property);
            }
        }
    }
}

/// Whether a set of properties has this one.
#[inline(always)]
const fn is_in(set: u64, number: u8) -> bool {
    set >> (number & 0x3F) & 1 != 0
}

/// The next property that counts, as it stands on the wire.
///
/// Never inlined: properties are seldom left out, and the paths that copy them whole should not pay for it.
#[inline(never)]
fn take_raw<'p>(iter: &mut PropertyIter<'p>) -> Option<&'p [u8]> {
    loop {
        let before = iter.rest;
        let (number, value) = before.split_first()?;
        (_, iter.rest) = take(*number, value)?;
        if is_in(iter.shown, *number) {
            return before.get(..before.len().saturating_sub(iter.rest.len()));
        }
    }
}

/// The first property of this kind in checked bytes.
fn find(mut rest: &[u8], id: PropertyId) -> Option<Property<&[u8]>> {
    loop {
        let (number, value) = rest.split_first()?;
        let property;
        (property, rest) = take(*number, value)?;
        if *number == id.number() {
            return Some(property);
        }
    }
}

impl core::iter::FusedIterator for PropertyIter<'_> {}

/// Takes the value of a property off the front of checked bytes, and tells what is left of them.
#[inline(always)]
fn take(number: u8, mut bytes: &[u8]) -> Option<(Property<&[u8]>, &[u8])> {
    let rest = &mut bytes;
    macro_rules! property {
        ($variant:ident, $take:ident) => {
            Property::$variant($take(rest)?)
        };
    }
    let property = match PropertyId::from_number(number)? {
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(match take_flag(rest)? {
            true => PayloadFormat::Utf8,
            false => PayloadFormat::Unspecified,
        }),
        PropertyId::MessageExpiryInterval => property!(MessageExpiryInterval, take_u32),
        PropertyId::ContentType => property!(ContentType, take_text),
        PropertyId::ResponseTopic => Property::ResponseTopic(TopicName(take_prefixed(rest)?)),
        PropertyId::CorrelationData => property!(CorrelationData, take_binary),
        PropertyId::SubscriptionIdentifier => property!(SubscriptionIdentifier, take_subscription_id),
        PropertyId::SessionExpiryInterval => property!(SessionExpiryInterval, take_u32),
        PropertyId::AssignedClientIdentifier => property!(AssignedClientIdentifier, take_text),
        PropertyId::ServerKeepAlive => property!(ServerKeepAlive, take_u16),
        PropertyId::AuthenticationMethod => property!(AuthenticationMethod, take_text),
        PropertyId::AuthenticationData => property!(AuthenticationData, take_binary),
        PropertyId::RequestProblemInformation => property!(RequestProblemInformation, take_flag),
        PropertyId::WillDelayInterval => property!(WillDelayInterval, take_u32),
        PropertyId::RequestResponseInformation => property!(RequestResponseInformation, take_flag),
        PropertyId::ResponseInformation => property!(ResponseInformation, take_text),
        PropertyId::ServerReference => property!(ServerReference, take_text),
        PropertyId::ReasonString => property!(ReasonString, take_text),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(NonZeroU16::new(take_u16(rest)?)?),
        PropertyId::TopicAliasMaximum => property!(TopicAliasMaximum, take_u16),
        PropertyId::TopicAlias => Property::TopicAlias(NonZeroU16::new(take_u16(rest)?)?),
        PropertyId::MaximumQoS => Property::MaximumQoS(match take_flag(rest)? {
            true => QoS::AtLeastOnce,
            false => QoS::AtMostOnce,
        }),
        PropertyId::RetainAvailable => property!(RetainAvailable, take_flag),
        PropertyId::UserProperty => Property::UserProperty(take_text(rest)?, take_text(rest)?),
        PropertyId::MaximumPacketSize => Property::MaximumPacketSize(NonZeroU32::new(take_u32(rest)?)?),
        PropertyId::WildcardSubscriptionAvailable => property!(WildcardSubscriptionAvailable, take_flag),
        PropertyId::SubscriptionIdentifierAvailable => property!(SubscriptionIdentifierAvailable, take_flag),
        PropertyId::SharedSubscriptionAvailable => property!(SharedSubscriptionAvailable, take_flag),
    };
    Some((property, bytes))
}

#[inline(always)]
fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*bytes)
}

#[inline(always)]
fn take_prefixed<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let len = u16::from_be_bytes(take_array(rest)?);
    let (bytes, tail) = rest.split_at_checked(usize::from(len))?;
    *rest = tail;
    Some(bytes)
}

#[inline(always)]
fn take_flag(rest: &mut &[u8]) -> Option<bool> {
    take_array(rest).map(|[byte]| byte == 1)
}

#[inline(always)]
fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take_array(rest).map(u16::from_be_bytes)
}

#[inline(always)]
fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take_array(rest).map(u32::from_be_bytes)
}

#[inline(always)]
fn take_subscription_id(rest: &mut &[u8]) -> Option<SubscriptionId> {
    let Varint::Value { value, len } = varint::read(rest) else {
        return None;
    };
    *rest = rest.get(usize::from(len)..)?;
    SubscriptionId::new(value)
}

#[inline(always)]
fn take_text<'p>(rest: &mut &'p [u8]) -> Option<Text<&'p [u8]>> {
    take_prefixed(rest).map(Text)
}

#[inline(always)]
fn take_binary<'p>(rest: &mut &'p [u8]) -> Option<Binary<&'p [u8]>> {
    take_prefixed(rest).map(Binary)
}
