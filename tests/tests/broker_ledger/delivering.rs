//! What a subscriber is sent: QoS, order, properties, expiry.

use bytes::Bytes;
use mqtt_session::Ask;
use mqtt_session::proto::{
    Connect, ConnectProperties, Delivery, PayloadFormat, PublishProperties, SubscriptionId, Version,
};
use mqtt_session::{BrokerEvent, Verdict};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, fleeting, id, lasting};
use crate::scene::{BOTH, deliver, numbered, one_publish, options, pair, publish};

crate::trials_of_module![
    dup_is_of_the_packet_and_not_of_the_message,
    the_lower_of_both_qos_counts,
    properties_go_on_unchanged,
    user_properties_go_on_in_their_order,
    what_ran_out_is_not_sent,
    what_is_left_of_the_expiry_is_sent,
    what_is_too_large_for_a_client_counts_as_delivered,
    every_session_with_a_matching_subscription_gets_the_message,
    a_session_without_a_connection_is_kept_its_messages,
    messages_of_one_publisher_stay_in_their_order,
    messages_stay_in_their_order_over_a_cut,
    a_message_that_is_not_allowed_is_acknowledged_and_dropped,
    a_topic_that_is_sent_matches_the_filter,
];

fn again(number: u16) -> Delivery {
    Delivery::AtLeastOnce {
        id: id(number),
        dup: true,
    }
}

fn dup_is_of_the_packet_and_not_of_the_message() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        publish(&mut rig, "p", "t", again(5), "said to be repeated");
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: said to be repeated"]);
        rig.puback("s", 1);
        numbered(&mut rig, "p", "t", 1, 6, "first");
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #2 t: first"]);
        rig.cut("s");
        let sent = rig.connect(lasting("s", version));
        assert_eq!(sent[1..], ["PUBLISH q1 #2 dup t: first"]);
    }
    covers("v5:MQTT-3.3.1-3");
    covers("v311:MQTT-3.3.1-3");
}

fn the_lower_of_both_qos_counts() {
    for version in BOTH {
        for granted in 0..3 {
            let mut rig = pair(version);
            rig.subscribe("s", "t", granted);
            let mut number = 0;
            for published in 0..3 {
                deliver(&mut rig, "p", "t", published, "m");
                let lower = published.min(granted);
                number += u16::from(lower > 0);
                let expected = match lower {
                    0 => "PUBLISH q0 t: m".to_owned(),
                    _ => format!("PUBLISH q{lower} #{number} t: m"),
                };
                assert_eq!(rig.sent("s"), [expected], "{published} over {granted}");
            }
        }
    }
    covers("v5:MQTT-3.8.4-8");
    covers("v311:MQTT-3.8.4-6");
}

/// Sends a message with these properties to two subscribers, one of them with an identifier. What they get but for that.
fn forwarded(properties: &PublishProperties<Bytes>) -> [PublishProperties<Bytes>; 2] {
    let mut rig = pair(Version::V5);
    rig.join(fleeting("other", Version::V5));
    rig.subscribe_with("s", &[("t", options(1))], Some(7));
    rig.subscribe("other", "#", 0);
    rig.publish_with("p", "t", 1, "m", false, properties.clone());
    let named = one_publish(&mut rig, "s").properties;
    assert_eq!(
        named.subscription_ids().map(SubscriptionId::get).collect::<Vec<_>>(),
        [7]
    );
    let plain = PublishProperties::<Bytes>::builder();
    let own = |property: &mqtt_session::proto::Property<&[u8]>| {
        property.id() != mqtt_session::proto::PropertyId::SubscriptionIdentifier
    };
    let plain = named
        .iter()
        .filter(own)
        .fold(plain, |plain, property| plain.property(&property));
    [
        plain.build().expect("as they came"),
        one_publish(&mut rig, "other").properties,
    ]
}

fn properties_go_on_unchanged() {
    for format in [PayloadFormat::Unspecified, PayloadFormat::Utf8] {
        let properties = PublishProperties::<Bytes>::builder()
            .payload_format(format)
            .response_topic("answers/here")
            .correlation_data([0, 1, 0xFF])
            .content_type("text/plain")
            .build()
            .expect("properties");
        for copy in forwarded(&properties) {
            assert_eq!(copy.payload_format(), Some(format));
            assert_eq!(
                copy.response_topic().map(|topic| topic.as_bytes().to_vec()),
                Some(b"answers/here".to_vec())
            );
            assert_eq!(
                copy.correlation_data().map(|data| data.as_bytes().to_vec()),
                Some(vec![0, 1, 0xFF])
            );
            assert_eq!(
                copy.content_type().map(|text| text.as_bytes().to_vec()),
                Some(b"text/plain".to_vec())
            );
        }
    }
    covers("v5:MQTT-3.3.2-4");
    covers("v5:MQTT-3.3.2-15");
    covers("v5:MQTT-3.3.2-16");
    covers("v5:MQTT-3.3.2-20");
    for copy in forwarded(&PublishProperties::empty()) {
        assert_eq!(copy, PublishProperties::<Bytes>::empty(), "nothing is made up");
    }
}

fn user_properties_go_on_in_their_order() {
    let pairs = [("b", "1"), ("a", "2"), ("b", "0"), ("", ""), ("b", "1")];
    let properties = pairs
        .iter()
        .fold(PublishProperties::<Bytes>::builder(), |properties, (name, value)| {
            properties.user_property(name, value)
        });
    for copy in forwarded(&properties.build().expect("properties")) {
        let came = copy.user_properties();
        let came: Vec<(Vec<u8>, Vec<u8>)> = came
            .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
            .collect();
        assert_eq!(came, pairs.map(|(name, value)| (name.into(), value.into())));
    }
    covers("v5:MQTT-3.3.2-17");
    covers("v5:MQTT-3.3.2-18");
}

fn lasting_for(rig: &mut Rig, seconds: u32, payload: &str) {
    let properties = PublishProperties::builder()
        .message_expiry(seconds)
        .build()
        .expect("an expiry");
    rig.publish_with("p", "t", 1, payload, false, properties);
    assert_eq!(rig.sent("p"), ["PUBACK #5"]);
}

fn what_ran_out_is_not_sent() {
    let mut rig = pair(Version::V5);
    rig.join(fleeting("there", Version::V5));
    rig.subscribe("there", "t", 1);
    rig.subscribe("s", "t", 1);
    rig.cut("s");
    lasting_for(&mut rig, 10, "short");
    lasting_for(&mut rig, 11, "long");
    assert_eq!(rig.sent("there").len(), 2, "who is there is sent it at once");
    rig.advance(10);
    assert_eq!(
        rig.connect(lasting("s", Version::V5)),
        ["CONNACK present", "PUBLISH q1 #1 t expiry 1: long"]
    );
    covers("v5:MQTT-3.3.2-5");
}

fn what_is_left_of_the_expiry_is_sent() {
    let mut rig = pair(Version::V5);
    rig.subscribe("s", "t", 1);
    lasting_for(&mut rig, 100, "at once");
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t expiry 100: at once"]);
    rig.puback("s", 1);
    rig.cut("s");
    lasting_for(&mut rig, 100, "later");
    rig.advance(30);
    assert_eq!(
        rig.connect(lasting("s", Version::V5))[1..],
        ["PUBLISH q1 #2 t expiry 70: later"]
    );
    covers("v5:MQTT-3.3.2-6");
}

fn what_is_too_large_for_a_client_counts_as_delivered() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    let small = |clean_start| Connect {
        clean_start,
        properties: ConnectProperties::builder()
            .session_expiry(3600)
            .maximum_packet_size(100)
            .receive_maximum(1)
            .build()
            .expect("properties"),
        ..lasting("s", Version::V5)
    };
    rig.join(small(true));
    rig.subscribe("s", "t", 2);
    for bits in 0..3 {
        deliver(&mut rig, "p", "t", bits, &"too large".repeat(20));
    }
    deliver(&mut rig, "p", "t", 1, "fits");
    assert_eq!(
        rig.sent("s"),
        ["PUBLISH q1 #1 t: fits"],
        "they take no place in the window"
    );
    rig.cut("s");
    let sent = rig.connect(lasting("s", Version::V5));
    assert_eq!(
        sent,
        ["CONNACK present", "PUBLISH q1 #1 dup t: fits"],
        "and are not kept for later"
    );
    covers("v5:MQTT-3.1.2-25");
}

fn every_session_with_a_matching_subscription_gets_the_message() {
    for version in BOTH {
        let mut rig = Rig::new(config());
        rig.join(fleeting("p", version));
        for (name, filter) in [
            ("exact", "a/b"),
            ("plus", "+/b"),
            ("hash", "a/#"),
            ("away", "#"),
            ("other", "a/c"),
        ] {
            rig.join(lasting(name, version));
            rig.subscribe(name, filter, 2);
        }
        rig.cut("away");
        for bits in [1, 2] {
            deliver(&mut rig, "p", "a/b", bits, "m");
        }
        let came = ["PUBLISH q1 #1 a/b: m", "PUBLISH q2 #2 a/b: m"];
        for name in ["exact", "plus", "hash"] {
            assert_eq!(rig.sent(name), came, "{name}");
        }
        assert_eq!(rig.sent("other"), NOTHING);
        assert_eq!(rig.connect(lasting("away", version))[1..], came);
    }
    covers("v5:MQTT-4.5.0-1");
    covers("v311:MQTT-4.5.0-1");
}

fn a_session_without_a_connection_is_kept_its_messages() {
    let mut rig = pair(Version::V3_1_1);
    rig.subscribe("s", "t", 2);
    rig.subscribe("s", "u", 0);
    rig.cut("s");
    deliver(&mut rig, "p", "t", 1, "one");
    deliver(&mut rig, "p", "t", 2, "two");
    rig.advance(1_000_000);
    assert_eq!(
        rig.connect(lasting("s", Version::V3_1_1)),
        ["CONNACK present", "PUBLISH q1 #1 t: one", "PUBLISH q2 #2 t: two"]
    );
    covers("v311:MQTT-3.1.2-5");
}

/// The numbers in the payloads of the messages that one publisher sent with one QoS.
fn order(lines: &[String], publisher: &str, bits: u8) -> Vec<u32> {
    let of = format!("PUBLISH q{bits} ");
    let own = format!(": {publisher} ");
    let lines = lines.iter().filter(|line| line.starts_with(&of));
    lines.filter_map(|line| line.split_once(&own)?.1.parse().ok()).collect()
}

fn messages_of_one_publisher_stay_in_their_order() {
    for version in BOTH {
        let mut rig = Rig::new(config());
        rig.join(fleeting("p", version));
        rig.join(fleeting("q", version));
        rig.join(lasting("s", version));
        // No topic and no filter is set apart.
        rig.subscribe("s", "t", 2);
        rig.subscribe("s", "u/#", 2);
        for topic in ["t", "u/v"] {
            for number in 0..20_u16 {
                for name in ["p", "q"] {
                    for bits in 0..3 {
                        let payload = format!("{name} {number}");
                        let id = number * 2 + u16::from(bits) + 1;
                        numbered(&mut rig, name, topic, bits, id, &payload);
                        if bits == 2 {
                            rig.pubrel(name, id);
                        }
                        rig.sent(name);
                    }
                }
            }
            let came = rig.sent("s");
            for name in ["p", "q"] {
                for bits in 0..3 {
                    assert_eq!(order(&came, name, bits), (0..20).collect::<Vec<u32>>(), "{name} {bits}");
                }
            }
        }
    }
    covers("v5:MQTT-4.6.0-5");
    covers("v5:MQTT-4.6.0-6");
    covers("v311:MQTT-4.6.0-5");
}

fn messages_stay_in_their_order_over_a_cut() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        for number in 0..5 {
            deliver(&mut rig, "p", "t", 1, &format!("p {number}"));
        }
        assert_eq!(rig.sent("s").len(), 5);
        rig.puback("s", 1);
        rig.cut("s");
        for number in 5..8 {
            deliver(&mut rig, "p", "t", 1, &format!("p {number}"));
        }
        let came = rig.connect(lasting("s", version));
        assert_eq!(order(&came, "p", 1), [1, 2, 3, 4, 5, 6, 7]);
    }
    covers("v5:MQTT-4.6.0-5");
    covers("v311:MQTT-4.6.0-6");
}

fn a_message_that_is_not_allowed_is_acknowledged_and_dropped() {
    for bits in 0..3 {
        let mut rig = Rig::new(config().ask(Ask {
            publish: true,
            ..Ask::default()
        }));
        rig.join(fleeting("p", Version::V3_1_1));
        rig.join(fleeting("s", Version::V3_1_1));
        rig.subscribe("s", "t", 2);
        rig.publish("p", "t", bits, "m");
        let events = rig.events();
        let asked = events.iter().find_map(|event| match event {
            BrokerEvent::MayPublish { question, .. } => Some(*question),
            _ => None,
        });
        assert!(rig.broker.authorize(rig.now, asked.expect("a question"), Verdict::DENY));
        let answer: &[&str] = match bits {
            0 => &[],
            1 => &["PUBACK #5"],
            _ => &["PUBREC #5"],
        };
        assert_eq!(rig.sent("p"), answer);
        assert_eq!(rig.sent("s"), NOTHING);
        assert!(!rig.broker.is_drained(rig.id("p")), "the connection goes on");
    }
    covers("v311:MQTT-3.3.5-2");
}

fn a_topic_that_is_sent_matches_the_filter() {
    let topics = ["a", "a/b", "a/b/c", "b", "a/", "/a"];
    for version in BOTH {
        for filter in ["a", "a/b", "+", "a/+", "a/#", "#", "/+", "+/+"] {
            let mut rig = pair(version);
            rig.subscribe("s", filter, 0);
            for topic in topics {
                rig.publish("p", topic, 0, "m");
            }
            let expected = topics.iter().filter(|topic| mqtt_tests::oracle::matches(filter, topic));
            let expected: Vec<String> = expected.map(|topic| format!("PUBLISH q0 {topic}: m")).collect();
            assert_eq!(rig.sent("s"), expected, "{filter}");
        }
    }
    covers("v5:MQTT-3.3.2-3");
    covers("v311:MQTT-3.3.2-3");
}
