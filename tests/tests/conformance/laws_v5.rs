//! The laws about what is sent in MQTT 5.0: the wire format, CONNECT, PUBLISH and SUBSCRIBE.

use mqtt_proto::{Packet, Role};
use mqtt_tests::frame::shortest;
use mqtt_tests::ledger::Trial;
use mqtt_tests::outline::Part;

use super::law::{Check, connect, flags, is_text, is_topic_name, law, numbers, texts, texts_in};
use super::sent::Sent;

/// One trial for each law.
pub(crate) fn trials() -> Vec<Trial> {
    [wire(), connects(), publishes(), subscribes()]
        .into_iter()
        .flatten()
        .collect()
}

fn wire() -> Vec<Trial> {
    let shortest_form: Check = Box::new(|sent| {
        Some(
            sent.outline
                .variable_byte_integers
                .iter()
                .all(|(value, size)| *size == shortest(*value)),
        )
    });
    let all_texts: Check = Box::new(|sent| {
        let mut texts = sent.outline.all_texts().peekable();
        texts.peek()?;
        Some(texts.all(|(_, text)| std::str::from_utf8(text).is_ok()))
    });
    let no_nul: Check = Box::new(|sent| {
        let mut texts = sent.outline.all_texts().peekable();
        texts.peek()?;
        Some(texts.all(|(_, text)| !text.contains(&0)))
    });
    let property_length: Check = Box::new(|sent| {
        matches!(sent.outline.packet_type, 1 | 2 | 3 | 8..=11).then(|| sent.outline.has("Property Length"))
    });
    let mut laws = vec![
        law(
            "v5:MQTT-1.5.5-1",
            "every Variable Byte Integer has its shortest form",
            shortest_form,
        ),
        law("v5:MQTT-1.5.4-1", "every text is well-formed UTF-8", all_texts),
        law("v5:MQTT-1.5.4-2", "no text has U+0000", no_nul),
        law(
            "v5:MQTT-1.5.7-1",
            "both halves of every User Property are texts",
            texts("User Property", is_text),
        ),
        law(
            "v5:MQTT-2.2.2-1",
            "Property Length is there even if it is 0",
            property_length,
        ),
        law("v5:MQTT-3.6.1-1", "flags of PUBREL", flags(6, 2)),
        law("v5:MQTT-3.8.1-1", "flags of SUBSCRIBE", flags(8, 2)),
        law("v5:MQTT-3.10.1-1", "flags of UNSUBSCRIBE", flags(10, 2)),
        law("v5:MQTT-3.14.1-1", "flags of DISCONNECT", flags(14, 0)),
        law("v5:MQTT-3.15.1-1", "flags of AUTH", flags(15, 0)),
    ];
    for packet_type in [1, 2, 4, 5, 7, 9, 11, 12, 13] {
        laws.push(law(
            "v5:MQTT-2.1.3-1",
            &format!("flags of type {packet_type}"),
            flags(packet_type, 0),
        ));
    }
    laws
}

fn connects() -> Vec<Trial> {
    const ORDER: [&str; 5] = [
        "Client Identifier",
        "Will Topic",
        "Will Payload",
        "User Name",
        "Password",
    ];
    fn has(sent: &Sent, name: &str) -> bool {
        sent.outline.has(name)
    }
    fn in_order(sent: &Sent, _: usize) -> bool {
        ORDER.iter().filter_map(|name| sent.outline.position(name)).is_sorted()
    }
    vec![
        law(
            "v5:MQTT-3.1.2-1",
            "the protocol name is MQTT",
            texts("Protocol Name", |name| name == b"MQTT"),
        ),
        law(
            "v5:MQTT-3.1.2-2",
            "the protocol version is 5",
            numbers(1, "Protocol Level", |level| level == 5),
        ),
        law(
            "v5:MQTT-3.1.2-3",
            "the reserved flag is 0",
            numbers(1, "Connect Flags", |flags| flags & 1 == 0),
        ),
        law(
            "v5:MQTT-3.1.2-9",
            "a will has properties, topic and payload",
            connect(
                |_, flags| flags & 4 != 0,
                |sent, _| {
                    ["Will Property Length", "Will Topic", "Will Payload"]
                        .iter()
                        .all(|name| has(sent, name))
                },
            ),
        ),
        law(
            "v5:MQTT-3.1.2-11",
            "no Will QoS without a will",
            connect(|_, flags| flags & 4 == 0, |_, flags| flags & 0x18 == 0),
        ),
        law(
            "v5:MQTT-3.1.2-12",
            "Will QoS is never 3",
            numbers(1, "Connect Flags", |flags| flags & 0x18 != 0x18),
        ),
        law(
            "v5:MQTT-3.1.2-13",
            "no Will Retain without a will",
            connect(|_, flags| flags & 4 == 0, |_, flags| flags & 0x20 == 0),
        ),
        law(
            "v5:MQTT-3.1.2-16",
            "no User Name without its flag",
            connect(|_, flags| flags & 0x80 == 0, |sent, _| !has(sent, "User Name")),
        ),
        law(
            "v5:MQTT-3.1.2-17",
            "a User Name with its flag",
            connect(|_, flags| flags & 0x80 != 0, |sent, _| has(sent, "User Name")),
        ),
        law(
            "v5:MQTT-3.1.2-18",
            "no Password without its flag",
            connect(|_, flags| flags & 0x40 == 0, |sent, _| !has(sent, "Password")),
        ),
        law(
            "v5:MQTT-3.1.2-19",
            "a Password with its flag",
            connect(|_, flags| flags & 0x40 != 0, |sent, _| has(sent, "Password")),
        ),
        law(
            "v5:MQTT-3.1.3-1",
            "the payload is in order",
            connect(|_, _| true, in_order),
        ),
        law(
            "v5:MQTT-3.1.3-3",
            "a ClientID",
            connect(|_, _| true, |sent, _| has(sent, "Client Identifier")),
        ),
        law(
            "v5:MQTT-3.1.3-4",
            "the ClientID is text",
            texts("Client Identifier", is_text),
        ),
        law(
            "v5:MQTT-3.1.3-11",
            "the Will Topic is text",
            texts("Will Topic", is_text),
        ),
        law("v5:MQTT-3.1.3-12", "the User Name is text", texts("User Name", is_text)),
    ]
}

fn publishes() -> Vec<Trial> {
    vec![
        law(
            "v5:MQTT-2.2.1-2",
            "no Packet Identifier at QoS 0",
            Box::new(no_packet_identifier),
        ),
        law(
            "v5:MQTT-3.3.1-2",
            "DUP is 0 at QoS 0",
            Box::new(|sent| (sent.is(3) && sent.outline.flags & 6 == 0).then_some(sent.outline.flags & 8 == 0)),
        ),
        law(
            "v5:MQTT-3.3.1-4",
            "QoS is never 3",
            Box::new(|sent| sent.is(3).then_some(sent.outline.flags & 6 != 6)),
        ),
        law(
            "v5:MQTT-3.3.2-1",
            "the Topic Name comes first and is text",
            Box::new(|sent| {
                let Some(Part::Text("Topic Name", topic)) = sent.outline.parts.first() else {
                    return sent.is(3).then_some(false);
                };
                Some(is_text(topic))
            }),
        ),
        law(
            "v5:MQTT-3.3.2-2",
            "no wildcard in the Topic Name",
            texts("Topic Name", |topic| !topic.iter().any(|b| b"+#".contains(b))),
        ),
        law(
            "v5:MQTT-3.3.2-8",
            "Topic Alias is never 0",
            numbers(3, "Topic Alias", |alias| alias != 0),
        ),
        law(
            "v5:MQTT-3.3.2-13",
            "Response Topic is text",
            texts("Response Topic", is_text),
        ),
        law(
            "v5:MQTT-3.3.2-14",
            "Response Topic is a topic name",
            texts("Response Topic", is_topic_name),
        ),
        law(
            "v5:MQTT-3.3.2-19",
            "Content Type is text",
            texts("Content Type", is_text),
        ),
        law(
            "v5:MQTT-3.3.4-6",
            "no Subscription Identifier from a client",
            Box::new(|sent| {
                (sent.is(3) && sent.sender == Role::Client).then(|| !sent.outline.has("Subscription Identifier"))
            }),
        ),
        law(
            "u5:U5-3.3.2-a",
            "an empty Topic Name has a Topic Alias",
            Box::new(|sent| {
                let empty = sent.outline.texts("Topic Name").next()?.is_empty();
                empty.then(|| sent.outline.has("Topic Alias"))
            }),
        ),
        law(
            "u5:U5-3.3.2-d",
            "Subscription Identifier is never 0",
            numbers(3, "Subscription Identifier", |id| id != 0),
        ),
    ]
}

/// At QoS 0 the outline reads no identifier; then what it takes for the payload has to be the payload.
pub(crate) fn no_packet_identifier(sent: &Sent) -> Option<bool> {
    let Packet::Publish(publish) = &sent.packet else {
        return None;
    };
    let last = sent.outline.parts.last();
    publish
        .delivery
        .id()
        .is_none()
        .then(|| last == Some(&Part::Binary("Payload", &publish.payload)))
}

fn subscribes() -> Vec<Trial> {
    let no_local: Check = Box::new(|sent| {
        let filters = sent.outline.texts("Topic Filter");
        let mut shared = filters
            .zip(sent.outline.numbers("Subscription Options"))
            .filter(|(filter, _)| filter.starts_with(b"$share/"))
            .peekable();
        shared.peek()?;
        Some(shared.all(|(_, options)| options & 4 == 0))
    });
    vec![
        law(
            "v5:MQTT-3.8.3-1",
            "filters of SUBSCRIBE are text",
            texts_in(8, "Topic Filter", is_text),
        ),
        law(
            "v5:MQTT-3.10.3-1",
            "filters of UNSUBSCRIBE are text",
            texts_in(10, "Topic Filter", is_text),
        ),
        law(
            "v5:MQTT-3.8.3-2",
            "at least one filter in SUBSCRIBE, each with options",
            Box::new(|sent| {
                let count = sent.outline.texts("Topic Filter").count();
                sent.is(8)
                    .then(|| count > 0 && count == sent.outline.numbers("Subscription Options").count())
            }),
        ),
        law(
            "v5:MQTT-3.10.3-2",
            "at least one filter in UNSUBSCRIBE",
            Box::new(|sent| sent.is(10).then(|| sent.outline.has("Topic Filter"))),
        ),
        law("v5:MQTT-3.8.3-4", "no No Local on shared filters", no_local),
        law(
            "v5:MQTT-3.8.3-5",
            "the reserved bits are 0",
            numbers(8, "Subscription Options", |options| options & 0xC0 == 0),
        ),
        law(
            "u5:U5-3.8.3-a",
            "the QoS is not 3",
            numbers(8, "Subscription Options", |options| options & 3 != 3),
        ),
        law(
            "u5:U5-3.8.3-b",
            "Retain Handling is not 3",
            numbers(8, "Subscription Options", |options| options & 0x30 != 0x30),
        ),
    ]
}
