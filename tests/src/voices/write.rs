//! The packets of a script, as bytes want them.

use std::num::NonZeroU16;

use bytes::Bytes;
use mqtt_proto::{
    Binary, Delivery, DisconnectProperties, Filters, Packet, PacketId, PayloadFormat, Properties, Property, Publish,
    Section, Subscribe, SubscriptionId, SubscriptionOptions, Text, TopicFilters, TopicName, Unsubscribe, Version,
};

use super::alias::Alias;
use super::script::{Connect, Message};

pub(super) fn connect(connect: &Connect, version: Version, prefix: &str, name: &str, aliases: u16) -> Packet<Bytes> {
    let id = Text::from_bytes(Bytes::from(format!("{}{name}", prefix.replace('/', "-")))).expect("plain text");
    let mut packet = mqtt_proto::Connect::new(version, id);
    packet.clean_start = connect.clean;
    packet.will = connect.will.as_ref().map(|will| {
        let delay = will.delay.map(Property::WillDelayInterval);
        mqtt_proto::Will {
            qos: will.message.qos,
            retain: will.message.retain,
            topic: topic(prefix, will.message.topic),
            payload: Binary::new(Bytes::from(will.message.payload())).expect("a short text"),
            properties: properties(version, adornment(&will.message).into_iter().chain(delay)),
        }
    });
    let expiry = connect.expiry.map(Property::SessionExpiryInterval);
    let maximum = connect
        .receive_maximum
        .and_then(NonZeroU16::new)
        .map(Property::ReceiveMaximum);
    let aliases = (aliases > 0).then_some(Property::TopicAliasMaximum(aliases));
    packet.properties = properties(version, expiry.into_iter().chain(maximum).chain(aliases));
    packet.into()
}

pub(super) fn publish(
    id: PacketId,
    version: Version,
    prefix: &str,
    message: &Message,
    alias: Option<Alias>,
) -> Packet<Bytes> {
    let mut packet = Publish::new(topic(prefix, message.topic), Bytes::from(message.payload()));
    packet.delivery = Delivery::first(message.qos, id);
    packet.retain = message.retain;
    if alias.is_some_and(|alias| alias.is_known) {
        packet.topic = None;
    }
    let alias = alias.map(|alias| Property::TopicAlias(alias.number));
    packet.properties = properties(version, adornment(message).into_iter().chain(alias));
    packet.into()
}

pub(super) fn subscribe(
    id: PacketId,
    version: Version,
    prefix: &str,
    subscription: Option<u32>,
    filters: &[(&str, SubscriptionOptions)],
) -> Packet<Bytes> {
    let built = filters.iter().fold(Filters::builder(), |built, (filter, options)| {
        let options = if version.has_properties() {
            *options
        } else {
            SubscriptionOptions::new(options.qos)
        };
        built.filter(self::filter(prefix, filter), options)
    });
    let mut packet = Subscribe::new(id, built.build_for(version).expect("valid filters"));
    let subscription = subscription.and_then(SubscriptionId::new);
    packet.properties = properties(version, subscription.map(Property::SubscriptionIdentifier));
    packet.into()
}

pub(super) fn unsubscribe(id: PacketId, prefix: &str, filters: &[&str]) -> Packet<Bytes> {
    let built = filters.iter().fold(TopicFilters::builder(), |built, filter| {
        built.filter(self::filter(prefix, filter))
    });
    Unsubscribe::new(id, built.build().expect("valid filters")).into()
}

pub(super) fn disconnect_properties(expiry: Option<u32>) -> DisconnectProperties<Bytes> {
    properties(Version::V5, expiry.map(Property::SessionExpiryInterval))
}

/// Another filter for the same topics, below those of the script. A group has the name of the script too.
fn filter(prefix: &str, filter: &str) -> String {
    match filter.strip_prefix("$share/").and_then(|shared| shared.split_once('/')) {
        Some((group, filter)) => format!("$share/{group}/{prefix}{filter}"),
        None => format!("{prefix}{filter}"),
    }
}

fn topic(prefix: &str, topic: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::from(format!("{prefix}{topic}"))).expect("plain text")
}

fn adornment(message: &Message) -> Vec<Property<Bytes>> {
    let mut all: Vec<_> = message
        .expiry
        .map(Property::MessageExpiryInterval)
        .into_iter()
        .collect();
    if message.is_adorned {
        let text = |text: &'static str| Text::from_bytes(Bytes::from(text)).expect("plain text");
        all.extend([
            Property::PayloadFormatIndicator(PayloadFormat::Utf8),
            Property::ContentType(text("text/plain")),
            Property::ResponseTopic(TopicName::from_bytes(Bytes::from("answers")).expect("plain text")),
            Property::CorrelationData(Binary::new(Bytes::from_static(&[0, 1, 2])).expect("few bytes")),
            Property::UserProperty(text("name"), text("one")),
            Property::UserProperty(text("name"), text("two")),
        ]);
    }
    all
}

fn properties<S: Section>(version: Version, all: impl IntoIterator<Item = Property<Bytes>>) -> Properties<S, Bytes> {
    if !version.has_properties() {
        return Properties::empty();
    }
    let built = all
        .into_iter()
        .fold(Properties::builder(), |built, property| built.property(&property));
    built.build().expect("values in range, each once")
}
