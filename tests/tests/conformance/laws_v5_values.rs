//! The laws about what is sent in MQTT 5.0: reason codes, topics and properties.

use mqtt_proto::Role;
use mqtt_tests::ledger::Trial;

use super::law::{is_filter, is_topic_name, law, listed_codes, numbers, once, once_in_will, texts};

/// One trial for each law.
pub(crate) fn trials() -> Vec<Trial> {
    [codes(), topics(), properties()].into_iter().flatten().collect()
}

fn codes() -> Vec<Trial> {
    vec![
        law(
            "v5:MQTT-3.2.2-1",
            "bits 7 to 1 of the acknowledge flags are 0",
            numbers(2, "Connect Acknowledge Flags", |flags| flags <= 1),
        ),
        law("v5:MQTT-3.2.2-8", "codes of CONNACK", listed_codes(2, "CONNACK")),
        law("v5:MQTT-3.4.2-1", "codes of PUBACK", listed_codes(4, "PUBACK")),
        law("v5:MQTT-3.5.2-1", "codes of PUBREC", listed_codes(5, "PUBREC")),
        law("v5:MQTT-3.6.2-1", "codes of PUBREL", listed_codes(6, "PUBREL")),
        law("v5:MQTT-3.7.2-1", "codes of PUBCOMP", listed_codes(7, "PUBCOMP")),
        law("v5:MQTT-3.9.3-2", "codes of SUBACK", listed_codes(9, "SUBACK")),
        law("v5:MQTT-3.11.3-2", "codes of UNSUBACK", listed_codes(11, "UNSUBACK")),
        law(
            "v5:MQTT-3.14.2-1",
            "codes of DISCONNECT",
            listed_codes(14, "DISCONNECT"),
        ),
        law("v5:MQTT-3.15.2-1", "codes of AUTH", listed_codes(15, "AUTH")),
    ]
}

fn topics() -> Vec<Trial> {
    let share_name: fn(&[u8]) -> bool = |filter| match filter.strip_prefix(b"$share/") {
        Some(rest) => !rest.is_empty() && rest[0] != b'/',
        None => true,
    };
    vec![
        law(
            "v5:MQTT-4.7.0-1",
            "Will Topics are topic names",
            texts("Will Topic", is_topic_name),
        ),
        law(
            "v5:MQTT-4.7.1-1",
            "# ends a filter",
            texts("Topic Filter", |filter| {
                filter
                    .iter()
                    .position(|byte| *byte == b'#')
                    .is_none_or(|at| at + 1 == filter.len() && (at == 0 || filter[at - 1] == b'/'))
            }),
        ),
        law(
            "v5:MQTT-4.7.1-2",
            "+ fills a level",
            texts("Topic Filter", |filter| {
                filter
                    .split(|byte| *byte == b'/')
                    .all(|level| level == b"+" || !level.contains(&b'+'))
            }),
        ),
        law(
            "v5:MQTT-4.7.3-1",
            "filters are not empty",
            texts("Topic Filter", |filter| !filter.is_empty()),
        ),
        law(
            "v5:MQTT-4.7.3-2",
            "no filter has U+0000",
            texts("Topic Filter", |filter| !filter.contains(&0)),
        ),
        law(
            "v5:MQTT-4.8.2-1",
            "shared filters name a group",
            texts("Topic Filter", share_name),
        ),
        law(
            "v5:MQTT-4.8.2-2",
            "shared filters are well formed",
            texts("Topic Filter", is_filter),
        ),
    ]
}

fn properties() -> Vec<Trial> {
    const ACKNOWLEDGEMENTS: &[u8] = &[4, 5, 6, 7, 9, 11, 14, 15];
    let mut laws = vec![
        law(
            "v5:MQTT-3.14.2-2",
            "no Session Expiry Interval from a server",
            Box::new(|sent| {
                (sent.is(14) && sent.sender == Role::Server).then(|| !sent.outline.has("Session Expiry Interval"))
            }),
        ),
        law("u5:U5-3.1.2-a", "once", once(&[1], "Session Expiry Interval")),
        law("u5:U5-3.1.2-b", "Receive Maximum once", once(&[1], "Receive Maximum")),
        law(
            "u5:U5-3.1.2-b",
            "Receive Maximum is not 0",
            numbers(1, "Receive Maximum", |number| number != 0),
        ),
        law(
            "u5:U5-3.1.2-c",
            "Maximum Packet Size once",
            once(&[1], "Maximum Packet Size"),
        ),
        law(
            "u5:U5-3.1.2-c",
            "Maximum Packet Size is not 0",
            numbers(1, "Maximum Packet Size", |number| number != 0),
        ),
        law("u5:U5-3.1.2-d", "once", once(&[1], "Topic Alias Maximum")),
        law("u5:U5-3.1.2-e", "once", once(&[1], "Request Response Information")),
        law("u5:U5-3.1.2-f", "once", once(&[1], "Request Problem Information")),
        law("u5:U5-3.1.2-g", "once", once(&[1], "Authentication Method")),
        law("u5:U5-3.1.2-h", "once", once(&[1], "Authentication Data")),
        law(
            "u5:U5-3.1.2-h",
            "only with a method",
            Box::new(|sent| {
                (sent.is(1) && sent.outline.has("Authentication Data"))
                    .then(|| sent.outline.has("Authentication Method"))
            }),
        ),
        law(
            "u5:U5-3.2.2-b",
            "Receive Maximum is not 0",
            numbers(2, "Receive Maximum", |number| number != 0),
        ),
        law(
            "u5:U5-3.2.2-b",
            "Maximum Packet Size is not 0",
            numbers(2, "Maximum Packet Size", |number| number != 0),
        ),
        law(
            "u5:U5-3.2.2-c",
            "Maximum QoS is 0 or 1",
            numbers(2, "Maximum QoS", |qos| qos <= 1),
        ),
        law(
            "u5:U5-3.4.2-b",
            "Reason String once",
            once(ACKNOWLEDGEMENTS, "Reason String"),
        ),
        law(
            "u5:U5-3.8.2-a",
            "Subscription Identifier once",
            once(&[8], "Subscription Identifier"),
        ),
        law(
            "u5:U5-3.8.2-a",
            "Subscription Identifier is not 0",
            numbers(8, "Subscription Identifier", |id| id != 0),
        ),
        law(
            "u5:U5-3.14.2-b",
            "Session Expiry Interval once",
            once(&[14], "Session Expiry Interval"),
        ),
        law(
            "u5:U5-3.14.2-b",
            "Server Reference once",
            once(&[14], "Server Reference"),
        ),
        law("u5:U5-3.15.2-a", "once", once(&[15], "Authentication Method")),
        law(
            "u5:U5-3.15.2-a",
            "always, unless nothing is said",
            Box::new(|sent| {
                (sent.is(15) && sent.outline.has("Reason Code")).then(|| sent.outline.has("Authentication Method"))
            }),
        ),
        law("u5:U5-3.15.2-b", "once", once(&[15], "Authentication Data")),
    ];
    for name in [
        "Retain Available",
        "Wildcard Subscription Available",
        "Subscription Identifier Available",
        "Shared Subscription Available",
    ] {
        laws.push(law(
            "u5:U5-3.2.2-d",
            &format!("{name} is 0 or 1"),
            numbers(2, name, |flag| flag <= 1),
        ));
        laws.push(law("u5:U5-3.2.2-a", &format!("{name} once"), once(&[2], name)));
    }
    for name in [
        "Payload Format Indicator",
        "Message Expiry Interval",
        "Topic Alias",
        "Response Topic",
        "Correlation Data",
        "Content Type",
    ] {
        laws.push(law("u5:U5-3.3.2-c", &format!("{name} once"), once(&[3], name)));
    }
    for name in [
        "Will Delay Interval",
        "Payload Format Indicator",
        "Message Expiry Interval",
        "Content Type",
        "Response Topic",
        "Correlation Data",
    ] {
        laws.push(law("u5:U5-3.1.3-a", &format!("{name} once"), once_in_will(name)));
    }
    laws
}
