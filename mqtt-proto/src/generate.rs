//! Random packets that are valid, for fuzzers and property tests.
//!
//! `Arbitrary` makes packets of MQTT 5.0; [`Packet::arbitrary_in`] makes packets of any version. Everything that the
//! version can express can come out, and nothing else.

use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;

use crate::{
    Auth, Binary, ConnAck, ConnAckReason, Connect, Delivery, Disconnect, Filters, Packet, PacketType, Policy,
    Properties, Property, PropertyId, PubAck, PubComp, PubRec, PubRel, Publish, QoS, Rules, Section, ShareName, SubAck,
    SubAckCodes, SubAckReason, Subscribe, Subscription, SubscriptionId, SubscriptionOptions, Text, TopicFilter,
    TopicFilters, TopicName, UnsubAck, UnsubAckCodes, UnsubAckReason, Unsubscribe, VARINT_MAX, Version, Will, section,
};

/// Characters up to this many, most of the time far fewer.
const TEXT_MAX_CHARS: usize = 40;

/// Characters, without U+0000 and those in `without`.
fn characters(u: &mut Unstructured<'_>, without: &[char]) -> Result<alloc::string::String> {
    let longest = if u.ratio(1, 8)? { TEXT_MAX_CHARS } else { 6 };
    let len = u.int_in_range(0..=longest)?;
    let mut text = alloc::string::String::new();
    for _ in 0..len {
        let character = if u.ratio(7, 8)? {
            char::from(u.int_in_range(b' '..=b'~')?)
        } else {
            u.arbitrary()?
        };
        if character != '\0' && !without.contains(&character) {
            text.push(character);
        }
    }
    Ok(text)
}

/// Levels of a topic. A few short ones come again and again, so that filters and topics meet.
fn level(u: &mut Unstructured<'_>) -> Result<alloc::string::String> {
    Ok(match u.int_in_range(0..=6)? {
        0 | 1 => "a".into(),
        2 | 3 => "b".into(),
        4 => "".into(),
        5 => "$SYS".into(),
        _ => characters(u, &['+', '#', '/'])?,
    })
}

fn levels(u: &mut Unstructured<'_>) -> Result<Vec<alloc::string::String>> {
    let count = u.int_in_range(1..=5)?;
    (0..count).map(|_| level(u)).collect()
}

fn topic(u: &mut Unstructured<'_>) -> Result<alloc::string::String> {
    let topic = levels(u)?.join("/");
    Ok(if topic.is_empty() { "t".into() } else { topic })
}

fn filter(u: &mut Unstructured<'_>) -> Result<alloc::string::String> {
    let mut levels = levels(u)?;
    for level in &mut levels {
        if u.ratio(1, 3)? {
            *level = "+".into();
        }
    }
    if u.ratio(1, 3)? {
        levels.push("#".into());
    }
    let mut filter = levels.join("/");
    if filter.is_empty() || filter.starts_with("$share/") {
        filter = "#".into();
    }
    if u.ratio(1, 6)? {
        filter.insert_str(
            0,
            if u.arbitrary()? {
                "$share/g/"
            } else {
                "$share/group two/"
            },
        );
    }
    Ok(filter)
}

/// What is made above is valid; an error would mean that the source of randomness ran dry.
fn valid<V, E>(value: core::result::Result<V, E>) -> Result<V> {
    value.map_err(|_| arbitrary::Error::IncorrectFormat)
}

macro_rules! arbitrary_text {
    ($($name:ident($make:expr);)*) => {
        $(
            impl<'a> Arbitrary<'a> for $name<Bytes> {
                fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                    let make: fn(&mut Unstructured<'_>) -> Result<alloc::string::String> = $make;
                    valid(Self::from_bytes(Bytes::from(make(u)?)))
                }
            }
        )*
    };
}

arbitrary_text! {
    Text(|u| characters(u, &[]));
    TopicName(topic);
    TopicFilter(filter);
    ShareName(|u| Ok(alloc::format!("g{}", characters(u, &['+', '#', '/'])?)));
}

fn payload(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let longest = if u.ratio(1, 8)? { 400 } else { 12 };
    let len = u.int_in_range(0..=longest)?;
    let len = len.min(u.len());
    Ok(Bytes::copy_from_slice(u.bytes(len)?))
}

impl<'a> Arbitrary<'a> for Binary<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        valid(Self::new(payload(u)?))
    }
}

impl<'a> Arbitrary<'a> for SubscriptionId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Self::new(u.int_in_range(1..=VARINT_MAX)?).ok_or(arbitrary::Error::IncorrectFormat)
    }
}

impl<'a> Arbitrary<'a> for Policy {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            control_characters: u.arbitrary()?,
            padded_remaining_length: u.arbitrary()?,
            v3_1_habits: u.arbitrary()?,
            user_properties_limit: if u.arbitrary()? { 1000 } else { u.arbitrary()? },
        })
    }
}

impl<'a> Arbitrary<'a> for Rules {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut rules = Self::new(u.arbitrary()?).policy(u.arbitrary()?);
        rules.sender = u.arbitrary()?;
        if u.arbitrary()? {
            rules.limit_bytes = u.int_in_range(0..=4096)?;
        }
        Ok(rules)
    }
}

impl<'a> Arbitrary<'a> for Property<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let id = u.arbitrary()?;
        property(id, u)
    }
}

fn property(id: PropertyId, u: &mut Unstructured<'_>) -> Result<Property<Bytes>> {
    Ok(match id {
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(u.arbitrary()?),
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(u.arbitrary()?),
        PropertyId::ContentType => Property::ContentType(u.arbitrary()?),
        PropertyId::ResponseTopic => Property::ResponseTopic(u.arbitrary()?),
        PropertyId::CorrelationData => Property::CorrelationData(u.arbitrary()?),
        PropertyId::SubscriptionIdentifier => Property::SubscriptionIdentifier(u.arbitrary()?),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(u.arbitrary()?),
        PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(u.arbitrary()?),
        PropertyId::ServerKeepAlive => Property::ServerKeepAlive(u.arbitrary()?),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(u.arbitrary()?),
        PropertyId::AuthenticationData => Property::AuthenticationData(u.arbitrary()?),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(u.arbitrary()?),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(u.arbitrary()?),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(u.arbitrary()?),
        PropertyId::ResponseInformation => Property::ResponseInformation(u.arbitrary()?),
        PropertyId::ServerReference => Property::ServerReference(u.arbitrary()?),
        PropertyId::ReasonString => Property::ReasonString(u.arbitrary()?),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(u.arbitrary()?),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(u.arbitrary()?),
        PropertyId::TopicAlias => Property::TopicAlias(u.arbitrary()?),
        PropertyId::MaximumQoS => Property::MaximumQoS(if u.arbitrary()? {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        }),
        PropertyId::RetainAvailable => Property::RetainAvailable(u.arbitrary()?),
        PropertyId::UserProperty => Property::UserProperty(u.arbitrary()?, u.arbitrary()?),
        PropertyId::MaximumPacketSize => Property::MaximumPacketSize(u.arbitrary()?),
        PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(u.arbitrary()?),
        PropertyId::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(u.arbitrary()?),
        PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(u.arbitrary()?),
    })
}

impl<'a, S: Section> Arbitrary<'a> for Properties<S, Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let allowed: Vec<PropertyId> = PropertyId::ALL
            .iter()
            .copied()
            .filter(|id| id.belongs_to(S::KIND))
            .collect();
        let mut seen = Vec::new();
        let mut builder = Self::builder();
        while !u.is_empty() && u.ratio(2, 3)? {
            let id = *u.choose(&allowed)?;
            if !seen.contains(&id) || id.may_repeat_in(S::KIND) {
                seen.push(id);
                builder = builder.property(&property(id, u)?);
            }
        }
        valid(builder.build())
    }
}

/// Authentication data is left out where there is no method.
fn with_method<S: Section>(properties: Properties<S, Bytes>) -> Properties<S, Bytes> {
    match properties.has(PropertyId::AuthenticationMethod) {
        true => properties,
        false => properties.without(PropertyId::AuthenticationData),
    }
}

impl<'a> Arbitrary<'a> for Will<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            qos: u.arbitrary()?,
            retain: u.arbitrary()?,
            topic: u.arbitrary()?,
            payload: u.arbitrary()?,
            properties: u.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Connect<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            version: Version::V5,
            clean_start: u.arbitrary()?,
            keep_alive: u.arbitrary()?,
            client_id: u.arbitrary()?,
            will: u.arbitrary()?,
            username: u.arbitrary()?,
            password: u.arbitrary()?,
            properties: with_method(u.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for ConnAck<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (session_present, reason): (bool, ConnAckReason) = (u.arbitrary()?, u.arbitrary()?);
        Ok(Self {
            session_present: session_present && reason == ConnAckReason::Success,
            reason,
            properties: u.arbitrary()?,
        })
    }
}

impl<'a> Arbitrary<'a> for Publish<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let properties: Properties<section::Publish, Bytes> = u.arbitrary()?;
        let aliased = properties.has(PropertyId::TopicAlias) && u.arbitrary()?;
        let topic = if aliased { None } else { Some(u.arbitrary()?) };
        let delivery: Delivery = u.arbitrary()?;
        Ok(Self {
            delivery,
            retain: u.arbitrary()?,
            topic,
            properties,
            payload: payload(u)?,
        })
    }
}

macro_rules! arbitrary_ack {
    ($($name:ident)*) => {
        $(
            impl<'a> Arbitrary<'a> for $name<Bytes> {
                fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                    Ok(Self { id: u.arbitrary()?, reason: u.arbitrary()?, properties: u.arbitrary()? })
                }
            }
        )*
    };
}

arbitrary_ack! { PubAck PubRec PubRel PubComp }

impl<'a> Arbitrary<'a> for Subscription<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let filter: TopicFilter<Bytes> = u.arbitrary()?;
        let mut options: SubscriptionOptions = u.arbitrary()?;
        options.no_local &= filter.shared().is_none();
        Ok(Self { filter, options })
    }
}

impl<'a> Arbitrary<'a> for Filters<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut builder = Self::builder();
        for _ in 0..u.int_in_range(1..=4)? {
            let Subscription { filter, options } = u.arbitrary()?;
            builder = builder.filter(filter, options);
        }
        valid(builder.build())
    }
}

impl<'a> Arbitrary<'a> for TopicFilters<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut builder = Self::builder();
        for _ in 0..u.int_in_range(1..=4)? {
            let filter: TopicFilter<Bytes> = u.arbitrary()?;
            builder = builder.filter(filter);
        }
        valid(builder.build())
    }
}

impl<'a> Arbitrary<'a> for SubAckCodes<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = u.int_in_range(1..=4)?;
        let codes: Vec<SubAckReason> = (0..count).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        valid(Self::new(codes))
    }
}

impl<'a> Arbitrary<'a> for UnsubAckCodes<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let count = u.int_in_range(1..=4)?;
        let codes: Vec<UnsubAckReason> = (0..count).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        valid(Self::new(codes))
    }
}

macro_rules! arbitrary_listed {
    ($($name:ident { $($field:ident)* })*) => {
        $(
            impl<'a> Arbitrary<'a> for $name<Bytes> {
                fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                    Ok(Self { $($field: u.arbitrary()?,)* })
                }
            }
        )*
    };
}

arbitrary_listed! {
    Subscribe { id filters properties }
    SubAck { id codes properties }
    Unsubscribe { id filters properties }
    UnsubAck { id codes properties }
    Disconnect { reason properties }
}

impl<'a> Arbitrary<'a> for Auth<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut properties: Properties<section::Auth, Bytes> = u.arbitrary()?;
        if !properties.has(PropertyId::AuthenticationMethod) {
            let method: Text<Bytes> = u.arbitrary()?;
            let builder = Properties::<section::Auth, Bytes>::builder();
            properties = valid(builder.authentication_method(method).properties(&properties).build())?;
        }
        Ok(Self {
            reason: u.arbitrary()?,
            properties,
        })
    }
}

impl<'a> Arbitrary<'a> for Packet<Bytes> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.arbitrary()? {
            PacketType::Connect => Self::Connect(u.arbitrary()?),
            PacketType::ConnAck => Self::ConnAck(u.arbitrary()?),
            PacketType::Publish => Self::Publish(u.arbitrary()?),
            PacketType::PubAck => Self::PubAck(u.arbitrary()?),
            PacketType::PubRec => Self::PubRec(u.arbitrary()?),
            PacketType::PubRel => Self::PubRel(u.arbitrary()?),
            PacketType::PubComp => Self::PubComp(u.arbitrary()?),
            PacketType::Subscribe => Self::Subscribe(u.arbitrary()?),
            PacketType::SubAck => Self::SubAck(u.arbitrary()?),
            PacketType::Unsubscribe => Self::Unsubscribe(u.arbitrary()?),
            PacketType::UnsubAck => Self::UnsubAck(u.arbitrary()?),
            PacketType::PingReq => Self::PingReq,
            PacketType::PingResp => Self::PingResp,
            PacketType::Disconnect => Self::Disconnect(u.arbitrary()?),
            PacketType::Auth => Self::Auth(u.arbitrary()?),
        })
    }
}

impl Packet<Bytes> {
    /// A random packet that can be encoded in this version.
    ///
    /// # Errors
    /// If the source of randomness does.
    pub fn arbitrary_in(version: Version, u: &mut Unstructured<'_>) -> Result<Self> {
        let packet: Self = u.arbitrary()?;
        Ok(packet.for_version(version).unwrap_or(Self::PingReq))
    }
}
