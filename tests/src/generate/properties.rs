//! Properties of every section, each at most as often as the specification allows.

use std::num::{NonZeroU16, NonZeroU32};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{
    PayloadFormat, Properties, Property, PropertyId, QoS, Role, Section, SectionKind, SubscriptionId, Version,
};

use super::texts;

/// Properties of a section that this end may send: often none, sometimes one or two, seldom all.
pub(super) fn properties<S: Section>(
    u: &mut Unstructured<'_>,
    version: Version,
    sender: Role,
    needed: &[PropertyId],
) -> Result<Properties<S, Bytes>> {
    let mut builder = Properties::builder();
    if !version.has_properties() {
        return Ok(builder.build().expect("no properties are valid properties"));
    }
    let mut ids = chosen(u, S::KIND, sender)?;
    ids.extend(needed);
    // Authentication data needs a method.
    if ids.contains(&PropertyId::AuthenticationData) {
        ids.push(PropertyId::AuthenticationMethod);
    }
    let mut once = Vec::new();
    for id in ids {
        if id.may_repeat_in(S::KIND) || !once.contains(&id) {
            once.push(id);
            builder = builder.property(&value(u, id)?);
        }
    }
    Ok(builder
        .build()
        .expect("every value is in range, and none occurs too often"))
}

/// Which properties come, and in which order.
fn chosen(u: &mut Unstructured<'_>, section: SectionKind, sender: Role) -> Result<Vec<PropertyId>> {
    let allowed: Vec<PropertyId> = PropertyId::ALL
        .iter()
        .copied()
        .filter(|id| id.belongs_to(section) && may_send(sender, section, *id))
        .collect();
    let count = match u.int_in_range(0..=7_u8)? {
        0..=2 => 0,
        3..=5 => u.int_in_range(1..=3)?,
        6 => u.int_in_range(3..=8)?,
        _ => return Ok(allowed),
    };
    (0..count).map(|_| u.choose(&allowed).copied()).collect()
}

/// Some properties come from one end only.
fn may_send(sender: Role, section: SectionKind, id: PropertyId) -> bool {
    match (section, id) {
        (SectionKind::Publish, PropertyId::SubscriptionIdentifier)
        | (SectionKind::Disconnect, PropertyId::ServerReference) => sender == Role::Server,
        (SectionKind::Disconnect, PropertyId::SessionExpiryInterval) => sender == Role::Client,
        _ => true,
    }
}

fn value(u: &mut Unstructured<'_>, id: PropertyId) -> Result<Property<Bytes>> {
    Ok(match id {
        PropertyId::PayloadFormatIndicator => {
            Property::PayloadFormatIndicator(*u.choose(&[PayloadFormat::Unspecified, PayloadFormat::Utf8])?)
        }
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(u.arbitrary()?),
        PropertyId::ContentType => Property::ContentType(texts::text(u)?),
        PropertyId::ResponseTopic => Property::ResponseTopic(texts::topic_name(u)?),
        PropertyId::CorrelationData => Property::CorrelationData(texts::binary(u)?),
        PropertyId::SubscriptionIdentifier => Property::SubscriptionIdentifier(subscription_id(u)?),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(u.arbitrary()?),
        PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(texts::text(u)?),
        PropertyId::ServerKeepAlive => Property::ServerKeepAlive(u.arbitrary()?),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(texts::text(u)?),
        PropertyId::AuthenticationData => Property::AuthenticationData(texts::binary(u)?),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(u.arbitrary()?),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(u.arbitrary()?),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(u.arbitrary()?),
        PropertyId::ResponseInformation => Property::ResponseInformation(texts::text(u)?),
        PropertyId::ServerReference => Property::ServerReference(texts::text(u)?),
        PropertyId::ReasonString => Property::ReasonString(texts::text(u)?),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(two(u)?),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(u.arbitrary()?),
        PropertyId::TopicAlias => Property::TopicAlias(two(u)?),
        PropertyId::MaximumQoS => Property::MaximumQoS(*u.choose(&[QoS::AtMostOnce, QoS::AtLeastOnce])?),
        PropertyId::RetainAvailable => Property::RetainAvailable(u.arbitrary()?),
        PropertyId::UserProperty => Property::UserProperty(texts::text(u)?, texts::text(u)?),
        PropertyId::MaximumPacketSize => {
            Property::MaximumPacketSize(NonZeroU32::new(u.arbitrary()?).unwrap_or(NonZeroU32::MIN))
        }
        PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(u.arbitrary()?),
        PropertyId::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(u.arbitrary()?),
        PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(u.arbitrary()?),
    })
}

fn two(u: &mut Unstructured<'_>) -> Result<NonZeroU16> {
    Ok(NonZeroU16::new(u.arbitrary()?).unwrap_or(NonZeroU16::MIN))
}

/// An identifier of any encoded length.
fn subscription_id(u: &mut Unstructured<'_>) -> Result<SubscriptionId> {
    let edges = [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
    let number = if u.ratio(1, 2)? {
        *u.choose(&edges)?
    } else {
        u.int_in_range(1..=268_435_455_u32)?
    };
    Ok(SubscriptionId::new(number).expect("in range"))
}
