//! Messages from client to client.

use bytes::Buf;
use mqtt_session::proto::{
    Connect, ConnectProperties, Packet, PublishProperties, Role, Rules, SubscriptionId, SubscriptionOptions, Version,
};
use mqtt_session::{BrokerConfig, Limits, Message, Outbox, Overlap, ServerConfig, SessionConfig, WhenFull};

use super::rig::{NOTHING, Rig, VERSIONS, config, expiring, fleeting, lasting, qos};

/// A broker with a publisher `p` and a subscriber `s`.
fn pair(config: BrokerConfig, publisher: Version, subscriber: Version) -> Rig {
    let mut rig = Rig::new(config);
    rig.join(fleeting("p", publisher));
    rig.join(lasting("s", subscriber));
    rig
}

#[test]
fn a_message_goes_from_client_to_client_at_each_qos_and_between_all_versions() {
    for publisher in VERSIONS {
        for subscriber in VERSIONS {
            let mut rig = pair(config(), publisher, subscriber);
            rig.subscribe("s", "t/+", 2);
            rig.publish("p", "t/0", 0, "zero");
            assert_eq!(rig.sent("s"), ["PUBLISH q0 t/0: zero"]);
            assert_eq!(rig.sent("p"), NOTHING);
            rig.publish("p", "t/1", 1, "one");
            assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t/1: one"]);
            assert_eq!(rig.sent("p"), ["PUBACK #5"]);
            rig.puback("s", 1);
            rig.publish("p", "t/2", 2, "two");
            assert_eq!(rig.sent("p"), ["PUBREC #5"]);
            let sent = rig.sent("s");
            assert_eq!(sent, ["PUBLISH q2 #2 t/2: two"], "{publisher:?} to {subscriber:?}");
            rig.pubrel("p", 5);
            assert_eq!(rig.sent("p"), ["PUBCOMP #5"]);
            rig.pubrec("s", 2);
            assert_eq!(rig.sent("s"), ["PUBREL #2"]);
            rig.pubcomp("s", 2);
            assert_eq!(rig.sent("s"), NOTHING);
            assert_eq!(rig.broker.figures().messages_delivered, 3);
        }
    }
}

#[test]
fn a_repeated_message_of_qos_2_goes_on_once() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe("s", "t", 0);
    for _ in 0..2 {
        rig.publish("p", "t", 2, "once");
        assert_eq!(rig.sent("p"), ["PUBREC #5"]);
    }
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: once"]);
}

#[test]
fn a_message_has_the_lower_of_both_qos() {
    for published in 0..3 {
        for granted in 0..3 {
            let mut rig = pair(config(), Version::V5, Version::V3_1_1);
            rig.subscribe("s", "t", granted);
            rig.publish("p", "t", published, "m");
            let lower = published.min(granted);
            let number = if lower > 0 { " #1" } else { "" };
            assert_eq!(rig.sent("s"), [format!("PUBLISH q{lower}{number} t: m")]);
        }
    }
}

#[test]
fn overlapping_subscriptions_bring_one_copy_with_all_that_they_ask_for() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe_with("s", &[("t/#", SubscriptionOptions::new(qos(0)))], Some(3));
    rig.subscribe_with("s", &[("t/+", SubscriptionOptions::new(qos(1)))], Some(7));
    rig.subscribe("s", "t/a", 0);
    rig.publish("p", "t/a", 1, "m");
    let [copy] = rig.sent("s").try_into().unwrap();
    assert!(copy.starts_with("PUBLISH q1 #1 t/a for "), "{copy}");
    assert!(copy.contains(" for 3") && copy.contains(" for 7"), "{copy}");
}

#[test]
fn or_a_copy_for_each_if_the_host_wants_that() {
    let mut rig = pair(config().overlap(Overlap::CopyEach), Version::V5, Version::V5);
    rig.subscribe_with("s", &[("t/#", SubscriptionOptions::new(qos(0)))], Some(3));
    rig.subscribe_with("s", &[("t/+", SubscriptionOptions::new(qos(0)))], Some(7));
    rig.publish("p", "t/a", 1, "m");
    let mut sent = rig.sent("s");
    sent.sort();
    assert_eq!(sent, ["PUBLISH q0 t/a for 3: m", "PUBLISH q0 t/a for 7: m"]);
}

#[test]
fn no_local_keeps_a_client_from_its_own_messages() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    let mut options = SubscriptionOptions::new(qos(0));
    options.no_local = true;
    rig.subscribe_with("s", &[("t", options)], None);
    rig.publish("s", "t", 0, "mine");
    rig.publish("p", "t", 0, "theirs");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: theirs"]);
}

#[test]
fn retain_is_kept_only_for_those_who_ask_for_it() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    let mut options = SubscriptionOptions::new(qos(0));
    options.retain_as_published = true;
    rig.subscribe_with("s", &[("a", options)], None);
    rig.subscribe("s", "b", 0);
    rig.retain("p", "a", 0, "kept");
    rig.retain("p", "b", 0, "kept");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 retain a: kept", "PUBLISH q0 b: kept"]);
}

#[test]
fn properties_go_on_to_mqtt_5_and_stay_behind_before_it() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.join(fleeting("old", Version::V3_1_1));
    rig.subscribe("s", "t", 0);
    rig.subscribe("old", "t", 0);
    let properties = PublishProperties::builder().content_type("text/plain").build().unwrap();
    rig.publish_with("p", "t", 0, "m", false, properties.clone());
    let [packet] = rig.sent_packets("s").try_into().unwrap();
    let Packet::Publish(publish) = packet else {
        panic!("{packet:?}")
    };
    assert_eq!(publish.properties, properties);
    assert_eq!(rig.sent("old"), ["PUBLISH q0 t: m"]);
}

#[test]
fn who_unsubscribes_gets_nothing_more() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe("s", "t", 0);
    assert_eq!(rig.unsubscribe("s", "t"), ["UNSUBACK #8 0x00"]);
    assert_eq!(rig.unsubscribe("s", "t"), ["UNSUBACK #8 0x11"]);
    rig.publish("p", "t", 1, "m");
    assert_eq!(rig.sent("s"), NOTHING);
    assert_eq!(rig.sent("p"), ["PUBACK #5"]);
}

#[test]
fn the_host_publishes_and_subscribes_too() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe("s", "from/host", 1);
    let message = Message::new("from/host", "hello").unwrap().qos(qos(1));
    rig.broker.publish(rig.now, message);
    assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 from/host: hello"]);
    let wanted = super::retained::subscription("to/host", 1);
    let local = rig.broker.subscribe_local(rig.now, &wanted).unwrap();
    rig.publish("p", "to/host", 1, "hello");
    assert_eq!(rig.told(), ["delivered q1 to/host: hello"]);
    assert!(rig.broker.unsubscribe_local(rig.now, local));
    rig.run();
    assert!(!rig.broker.unsubscribe_local(rig.now, local));
    rig.publish("p", "to/host", 0, "hello");
    assert_eq!(rig.told(), NOTHING);
    // The name of one that has ended names no other, and the host is no client.
    let next = rig.broker.subscribe_local(rig.now, &wanted).unwrap();
    assert!(!rig.broker.unsubscribe_local(rig.now, local));
    assert_eq!(
        (rig.broker.figures().sessions, rig.broker.figures().sessions_ended),
        (2, 0)
    );
    assert!(!rig.broker.has_session(b""));
    rig.publish("p", "to/host", 0, "again");
    assert_eq!(rig.told(), ["delivered q0 to/host: again"]);
    assert!(rig.broker.unsubscribe_local(rig.now, next));
}

#[test]
fn what_expires_in_the_queue_is_not_sent_and_what_is_left_is_told() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe("s", "t", 1);
    rig.cut("s");
    for (seconds, payload) in [(10, "soon"), (100, "late")] {
        let properties = PublishProperties::builder().message_expiry(seconds).build().unwrap();
        rig.publish_with("p", "t", 1, payload, false, properties);
    }
    rig.advance(60);
    assert_eq!(
        rig.connect(expiring("s", Version::V5, 60)),
        ["CONNACK present", "PUBLISH q1 #1 t expiry 40: late"]
    );
}

#[test]
fn input_of_a_connection_that_is_gone_is_ignored() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    let gone = rig.id("p");
    rig.cut("p");
    let mut rest: &[u8] = b"\x30\x04\0\x01tx";
    rig.broker.handle_input(rig.now, gone, &mut rest);
    rig.broker.handle_eof(rig.now, gone);
    assert!(rest.is_empty());
    assert!(rig.broker.is_drained(gone));
    assert_eq!(rig.broker.input_room(gone), 0);
    assert_eq!(rig.broker.client_id(gone), None);
}

/// So many messages of QoS 0 wait for `s`, and its outbox is filled once.
fn sent_at_once(rig: &mut Rig, messages: usize) -> usize {
    for number in 0..messages {
        rig.publish("p", "topic", 0, &format!("{number}"));
    }
    let mut outbox = Outbox::new(usize::MAX);
    rig.broker.poll_transmit(rig.id("s"), &mut outbox);
    let mut bytes = outbox.copy_to_bytes(outbox.len());
    let rules = Rules::new(Version::V5).sent_by(Role::Server);
    let mut sent = 0;
    while let Some(Packet::Publish(publish)) = Packet::take_from(&mut bytes, &rules).unwrap() {
        assert_eq!(publish.payload, format!("{sent}"));
        sent += 1;
    }
    sent
}

/// Nobody asks again before something else happens: what waits has to go as long as there is room.
#[test]
fn all_messages_of_qos_0_that_wait_are_sent_at_one_poll() {
    for aliases in [0, 4] {
        let mut rig = Rig::new(config());
        rig.join(fleeting("p", Version::V5));
        let builder = ConnectProperties::builder().session_expiry(100);
        let builder = if aliases > 0 {
            builder.topic_alias_maximum(aliases)
        } else {
            builder
        };
        rig.join(Connect {
            properties: builder.build().unwrap(),
            ..fleeting("s", Version::V5)
        });
        rig.subscribe("s", "topic", 0);
        assert_eq!(sent_at_once(&mut rig, 1_000), 1_000, "{aliases} aliases");
    }
}

#[test]
fn messages_of_qos_0_keep_their_order_however_they_are_encoded() {
    let mut rig = pair(config(), Version::V5, Version::V5);
    rig.subscribe("s", "t", 1);
    rig.publish("p", "t", 0, "bytes");
    let expiring = || PublishProperties::builder().message_expiry(60).build().unwrap();
    rig.publish_with("p", "t", 0, "expires", false, expiring());
    rig.publish("p", "t", 0, "behind it");
    rig.publish("p", "t", 1, "acknowledged");
    rig.publish("p", "t", 0, "last");
    let payloads = ["bytes", "expires", "behind it", "acknowledged", "last"];
    let sent = rig.sent("s");
    assert_eq!(sent.len(), payloads.len());
    for (line, payload) in sent.iter().zip(payloads) {
        assert!(line.ends_with(payload), "{line}, and not {payload}");
    }
}

/// A client that does not read.
#[test]
fn messages_of_qos_0_beyond_the_queue_are_dropped_and_counted() {
    for (when_full, first) in [(WhenFull::Refuse, 0), (WhenFull::DropOldest, 6)] {
        let limits = Limits::default().queued_messages(4);
        let session = SessionConfig::default().limits(limits).when_full(when_full);
        let mut rig = pair(
            config().client(ServerConfig::default().session(session)),
            Version::V5,
            Version::V3_1_1,
        );
        rig.subscribe("s", "t", 0);
        for number in 0..10 {
            rig.publish("p", "t", 0, &number.to_string());
        }
        let expected: Vec<String> = (first..first + 4)
            .map(|number| format!("PUBLISH q0 t: {number}"))
            .collect();
        assert_eq!(rig.sent("s"), expected);
        assert_eq!(rig.broker.figures().messages_dropped, 6);
        assert_eq!(rig.told(), ["dropped 6 to s"]);
    }
}

#[test]
fn a_message_of_qos_0_that_a_client_does_not_take_is_dropped() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(Connect {
        properties: ConnectProperties::builder().maximum_packet_size(20).build().unwrap(),
        ..fleeting("s", Version::V5)
    });
    rig.subscribe("s", "t", 0);
    rig.publish("p", "t", 0, "much more than it takes");
    rig.publish("p", "t", 0, "less");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: less"]);
    assert_eq!(rig.broker.figures().messages_dropped, 1);
}

#[test]
fn who_sends_and_gets_nothing_does_not_call_its_driver() {
    for version in VERSIONS {
        let mut rig = pair(config(), version, Version::V5);
        rig.subscribe("s", "t", 0);
        while rig.broker.poll_ready().is_some() {}
        for _ in 0..3 {
            rig.publish("p", "t", 0, "m");
            assert_eq!(rig.broker.poll_ready(), Some(rig.id("s")), "{version:?}");
            assert_eq!(rig.broker.poll_ready(), None, "{version:?}");
            assert_eq!(rig.sent("s"), ["PUBLISH q0 t: m"]);
        }
        rig.publish("p", "nobody", 1, "m");
        assert_eq!(rig.broker.poll_ready(), Some(rig.id("p")));
        assert_eq!(rig.sent("p"), ["PUBACK #5"]);
        rig.feed("p", &Packet::PingReq);
        assert_eq!(rig.broker.poll_ready(), Some(rig.id("p")));
    }
}

#[test]
fn each_copy_of_qos_0_has_the_identifiers_of_its_own_subscriptions() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    let all = [
        &[1][..],
        &[2],
        &[],
        &[200, 3],
        &[70_000],
        &[5, 300_000_000 >> 3, 6],
        &[7],
        &[127, 128],
    ];
    for (number, identifiers) in all.iter().enumerate() {
        let name = number.to_string();
        rig.join(lasting(&name, Version::V5));
        rig.subscribe_with(&name, &[("none", SubscriptionOptions::new(qos(0)))], None);
        if identifiers.is_empty() {
            rig.subscribe(&name, "t/1", 0);
        }
        for (filter, identifier) in ["t/1", "t/+", "t/#"].into_iter().zip(*identifiers) {
            rig.subscribe_with(&name, &[(filter, SubscriptionOptions::new(qos(0)))], Some(*identifier));
        }
    }
    let properties = PublishProperties::builder().content_type("words").build().unwrap();
    for payload in ["m".to_owned(), "n".repeat(200)] {
        rig.publish_with("p", "t/1", 0, &payload, false, properties.clone());
        for (number, identifiers) in all.iter().enumerate() {
            let packets = rig.sent_packets(&number.to_string());
            let [Packet::Publish(publish)] = &packets[..] else {
                panic!("{packets:?}")
            };
            let mut came: Vec<u32> = publish.properties.subscription_ids().map(SubscriptionId::get).collect();
            came.sort_unstable();
            let mut expected = identifiers.to_vec();
            expected.sort_unstable();
            assert_eq!(came, expected);
            let content_type = publish.properties.content_type();
            assert!(content_type.is_some_and(|text| text == "words"));
            assert_eq!(publish.payload, payload.as_bytes());
        }
    }
}
