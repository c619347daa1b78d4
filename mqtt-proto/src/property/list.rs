//! A section of properties: checked bytes, read lazily.

use core::fmt;
use core::marker::PhantomData;
use core::num::{NonZeroU16, NonZeroU32};

use super::id::Shape;
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
            self.iter().raw().map(<[u8]>::len).fold(0, usize::saturating_add)
        }
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
            self.iter().raw().for_each(|raw| sink.put(raw));
        }
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
            self.iter().find(|property| property.id() == id)
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

/// Walks over the properties of a section, in the order of the wire.
#[derive(Clone, Debug)]
pub struct PropertyIter<'p> {
    rest: &'p [u8],
    shown: u64,
}

impl<'p> PropertyIter<'p> {
    /// The properties as they stand on the wire, identifier included.
    fn raw(mut self) -> impl Iterator<Item = &'p [u8]> {
        core::iter::from_fn(move || {
            loop {
                let before = self.rest;
                let property = take(&mut self.rest)?;
                if self.shown & property.id().bit() != 0 {
                    return before.get(..before.len().saturating_sub(self.rest.len()));
                }
            }
        })
    }
}

impl<'p> Iterator for PropertyIter<'p> {
    type Item = Property<&'p [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let property = take(&mut self.rest)?;
            if self.shown & property.id().bit() != 0 {
                return Some(property);
            }
        }
    }
}

impl core::iter::FusedIterator for PropertyIter<'_> {}

/// Takes one property off the front of checked bytes.
#[inline]
fn take<'p>(rest: &mut &'p [u8]) -> Option<Property<&'p [u8]>> {
    let [number] = take_array(rest)?;
    let id = PropertyId::from_number(number)?;
    Some(match id.shape() {
        Shape::Flag => {
            let [byte] = take_array(rest)?;
            flag(id, byte == 1)?
        }
        Shape::Two | Shape::TwoNonZero => two(id, u16::from_be_bytes(take_array(rest)?))?,
        Shape::Four | Shape::FourNonZero => four(id, u32::from_be_bytes(take_array(rest)?))?,
        Shape::Varint => {
            let Varint::Value { value, len } = varint::read(rest) else {
                return None;
            };
            *rest = rest.get(usize::from(len)..)?;
            Property::SubscriptionIdentifier(SubscriptionId::new(value)?)
        }
        Shape::Text => text(id, Text(take_prefixed(rest)?))?,
        Shape::Topic => Property::ResponseTopic(TopicName(take_prefixed(rest)?)),
        Shape::Binary => binary(id, Binary(take_prefixed(rest)?))?,
        Shape::Pair => Property::UserProperty(Text(take_prefixed(rest)?), Text(take_prefixed(rest)?)),
    })
}

#[inline]
fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*bytes)
}

#[inline]
fn take_prefixed<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let len = u16::from_be_bytes(take_array(rest)?);
    let (bytes, tail) = rest.split_at_checked(usize::from(len))?;
    *rest = tail;
    Some(bytes)
}

#[inline]
fn flag<B: AsRef<[u8]>>(id: PropertyId, set: bool) -> Option<Property<B>> {
    Some(match id {
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(if set {
            PayloadFormat::Utf8
        } else {
            PayloadFormat::Unspecified
        }),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(set),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(set),
        PropertyId::MaximumQoS => Property::MaximumQoS(if set { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
        PropertyId::RetainAvailable => Property::RetainAvailable(set),
        PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(set),
        PropertyId::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(set),
        PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(set),
        _ => return None,
    })
}

#[inline]
fn two<B: AsRef<[u8]>>(id: PropertyId, number: u16) -> Option<Property<B>> {
    Some(match id {
        PropertyId::ServerKeepAlive => Property::ServerKeepAlive(number),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(number),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(NonZeroU16::new(number)?),
        PropertyId::TopicAlias => Property::TopicAlias(NonZeroU16::new(number)?),
        _ => return None,
    })
}

#[inline]
fn four<B: AsRef<[u8]>>(id: PropertyId, number: u32) -> Option<Property<B>> {
    Some(match id {
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(number),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(number),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(number),
        PropertyId::MaximumPacketSize => Property::MaximumPacketSize(NonZeroU32::new(number)?),
        _ => return None,
    })
}

#[inline]
fn text<B: AsRef<[u8]>>(id: PropertyId, text: Text<B>) -> Option<Property<B>> {
    Some(match id {
        PropertyId::ContentType => Property::ContentType(text),
        PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(text),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(text),
        PropertyId::ResponseInformation => Property::ResponseInformation(text),
        PropertyId::ServerReference => Property::ServerReference(text),
        PropertyId::ReasonString => Property::ReasonString(text),
        _ => return None,
    })
}

#[inline]
fn binary<B: AsRef<[u8]>>(id: PropertyId, data: Binary<B>) -> Option<Property<B>> {
    Some(match id {
        PropertyId::CorrelationData => Property::CorrelationData(data),
        PropertyId::AuthenticationData => Property::AuthenticationData(data),
        _ => return None,
    })
}
