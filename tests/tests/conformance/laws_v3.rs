//! The laws about what is sent in MQTT 3.1.1 and, by the statements of 3.1.1, in 3.1.

use mqtt_proto::Version;
use mqtt_tests::ledger::Trial;
use mqtt_tests::outline::Part;

use super::law::{Check, connect, flags, is_text, is_topic_name, law, numbers, texts, texts_in};
use super::laws_v5::no_packet_identifier;
use super::sent::Sent;

/// One trial for each law.
pub(crate) fn trials() -> Vec<Trial> {
    [wire(), connects(), publishes(), subscribes(), topics()]
        .into_iter()
        .flatten()
        .collect()
}

fn wire() -> Vec<Trial> {
    let mut laws = vec![
        law(
            "v311:MQTT-1.5.3-1",
            "texts are well-formed UTF-8",
            texts("Client Identifier", is_text),
        ),
        law(
            "v311:MQTT-1.5.3-2",
            "texts have no U+0000",
            texts("User Name", |text| !text.contains(&0)),
        ),
        law("v311:MQTT-3.6.1-1", "flags of PUBREL", flags(6, 2)),
        law("v311:MQTT-3.8.1-1", "flags of SUBSCRIBE", flags(8, 2)),
        law("v311:MQTT-3.10.1-1", "flags of UNSUBSCRIBE", flags(10, 2)),
        law("v311:MQTT-3.14.1-1", "flags of DISCONNECT", flags(14, 0)),
        law(
            "v311:MQTT-2.3.1-1",
            "Packet Identifiers of PUBLISH are not 0",
            numbers(3, "Packet Identifier", |id| id != 0),
        ),
        law(
            "v311:MQTT-2.3.1-1",
            "Packet Identifiers of SUBSCRIBE are not 0",
            numbers(8, "Packet Identifier", |id| id != 0),
        ),
        law(
            "v311:MQTT-2.3.1-1",
            "Packet Identifiers of UNSUBSCRIBE are not 0",
            numbers(10, "Packet Identifier", |id| id != 0),
        ),
    ];
    for packet_type in [1, 2, 4, 5, 7, 9, 11, 12, 13] {
        laws.push(law(
            "v311:MQTT-2.2.2-1",
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
    let name: Check = Box::new(|sent| {
        let expected = if sent.version == Version::V3_1 {
            "MQIsdp"
        } else {
            "MQTT"
        };
        sent.outline
            .texts("Protocol Name")
            .next()
            .map(|name| name == expected.as_bytes())
    });
    let level: Check = Box::new(|sent| {
        let expected = if sent.version == Version::V3_1 { 3 } else { 4 };
        sent.outline
            .numbers("Protocol Level")
            .next()
            .map(|level| level == expected)
    });
    vec![
        law("v311:MQTT-3.1.2-1", "the protocol name is that of the version", name),
        law("v311:MQTT-3.1.2-2", "the protocol level is that of the version", level),
        law(
            "v311:MQTT-3.1.2-3",
            "the reserved flag is 0",
            numbers(1, "Connect Flags", |flags| flags & 1 == 0),
        ),
        law(
            "v311:MQTT-3.1.2-9",
            "a will has topic and message",
            connect(
                |_, flags| flags & 4 != 0,
                |sent, _| has(sent, "Will Topic") && has(sent, "Will Payload"),
            ),
        ),
        law(
            "v311:MQTT-3.1.2-11",
            "without a will there is nothing of it",
            connect(
                |_, flags| flags & 4 == 0,
                |sent, flags| flags & 0x38 == 0 && !has(sent, "Will Topic"),
            ),
        ),
        law(
            "v311:MQTT-3.1.2-13",
            "no Will QoS without a will",
            connect(|_, flags| flags & 4 == 0, |_, flags| flags & 0x18 == 0),
        ),
        law(
            "v311:MQTT-3.1.2-14",
            "Will QoS is never 3",
            numbers(1, "Connect Flags", |flags| flags & 0x18 != 0x18),
        ),
        law(
            "v311:MQTT-3.1.2-15",
            "no Will Retain without a will",
            connect(|_, flags| flags & 4 == 0, |_, flags| flags & 0x20 == 0),
        ),
        law(
            "v311:MQTT-3.1.2-18",
            "no user name without its flag",
            connect(|_, flags| flags & 0x80 == 0, |sent, _| !has(sent, "User Name")),
        ),
        law(
            "v311:MQTT-3.1.2-19",
            "a user name with its flag",
            connect(|_, flags| flags & 0x80 != 0, |sent, _| has(sent, "User Name")),
        ),
        law(
            "v311:MQTT-3.1.2-20",
            "no password without its flag",
            connect(|_, flags| flags & 0x40 == 0, |sent, _| !has(sent, "Password")),
        ),
        law(
            "v311:MQTT-3.1.2-21",
            "a password with its flag",
            connect(|_, flags| flags & 0x40 != 0, |sent, _| has(sent, "Password")),
        ),
        law(
            "v311:MQTT-3.1.2-22",
            "no password without a user name",
            connect(|_, flags| flags & 0x40 != 0, |_, flags| flags & 0x80 != 0),
        ),
        law(
            "v311:MQTT-3.1.3-1",
            "the payload is in order",
            connect(|_, _| true, in_order),
        ),
        law(
            "v311:MQTT-3.1.3-3",
            "a ClientId",
            connect(|_, _| true, |sent, _| has(sent, "Client Identifier")),
        ),
        law(
            "v311:MQTT-3.1.3-4",
            "the ClientId is text",
            texts("Client Identifier", is_text),
        ),
        law(
            "v311:MQTT-3.1.3-10",
            "the Will Topic is text",
            texts("Will Topic", is_text),
        ),
        law(
            "v311:MQTT-3.1.3-11",
            "the user name is text",
            texts("User Name", is_text),
        ),
    ]
}

fn publishes() -> Vec<Trial> {
    vec![
        law(
            "v311:MQTT-2.3.1-5",
            "no Packet Identifier at QoS 0",
            Box::new(no_packet_identifier),
        ),
        law(
            "v311:MQTT-3.3.1-2",
            "DUP is 0 at QoS 0",
            Box::new(|sent| (sent.is(3) && sent.outline.flags & 6 == 0).then_some(sent.outline.flags & 8 == 0)),
        ),
        law(
            "v311:MQTT-3.3.1-4",
            "QoS is never 3",
            Box::new(|sent| sent.is(3).then_some(sent.outline.flags & 6 != 6)),
        ),
        law(
            "v311:MQTT-3.3.2-1",
            "the Topic Name comes first and is text",
            Box::new(|sent| {
                let Some(Part::Text("Topic Name", topic)) = sent.outline.parts.first() else {
                    return sent.is(3).then_some(false);
                };
                Some(is_text(topic))
            }),
        ),
        law(
            "v311:MQTT-3.3.2-2",
            "no wildcard in the Topic Name",
            texts("Topic Name", |topic| !topic.iter().any(|b| b"+#".contains(b))),
        ),
    ]
}

fn subscribes() -> Vec<Trial> {
    vec![
        law(
            "v311:MQTT-3.8.3-1",
            "filters of SUBSCRIBE are text",
            texts_in(8, "Topic Filter", is_text),
        ),
        law(
            "v311:MQTT-3.10.3-1",
            "filters of UNSUBSCRIBE are text",
            texts_in(10, "Topic Filter", is_text),
        ),
        law(
            "v311:MQTT-3.8.3-3",
            "at least one filter in SUBSCRIBE, each with a QoS",
            Box::new(|sent| {
                let count = sent.outline.texts("Topic Filter").count();
                sent.is(8)
                    .then(|| count > 0 && count == sent.outline.numbers("Subscription Options").count())
            }),
        ),
        law(
            "v311:MQTT-3.10.3-2",
            "at least one filter in UNSUBSCRIBE",
            Box::new(|sent| sent.is(10).then(|| sent.outline.has("Topic Filter"))),
        ),
        law(
            "v311:MQTT-3.8.3-4",
            "the requested QoS is 0, 1 or 2",
            numbers(8, "Subscription Options", |options| options <= 2),
        ),
        law(
            "v311:MQTT-3.9.3-2",
            "codes of SUBACK",
            numbers(9, "Reason Code", |code| [0x00, 0x01, 0x02, 0x80].contains(&code)),
        ),
    ]
}

fn topics() -> Vec<Trial> {
    vec![
        law(
            "v311:MQTT-4.7.1-1",
            "Will Topics are topic names",
            texts("Will Topic", is_topic_name),
        ),
        law(
            "v311:MQTT-4.7.1-2",
            "# ends a filter",
            texts("Topic Filter", |filter| {
                filter
                    .iter()
                    .position(|byte| *byte == b'#')
                    .is_none_or(|at| at + 1 == filter.len() && (at == 0 || filter[at - 1] == b'/'))
            }),
        ),
        law(
            "v311:MQTT-4.7.1-3",
            "+ fills a level",
            texts("Topic Filter", |filter| {
                filter
                    .split(|byte| *byte == b'/')
                    .all(|level| level == b"+" || !level.contains(&b'+'))
            }),
        ),
        law(
            "v311:MQTT-4.7.3-1",
            "names and filters are not empty",
            texts("Topic Name", |topic| !topic.is_empty()),
        ),
        law(
            "v311:MQTT-4.7.3-2",
            "no filter has U+0000",
            texts("Topic Filter", |filter| !filter.contains(&0)),
        ),
    ]
}
