//! Known faults of brokers: texts, topics and filters.

use mqtt_session::proto::{Connect, Version, WillProperties};
use mqtt_session::{Ask, BrokerEvent, BrokerLimits, Message, Verdict};
use mqtt_tests::hex;
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, expiring, fleeting, lasting, qos};
use crate::scene::{BOTH, answer, deliver, join_stored, last_words, options, pair, questions, subscribe_stored};

crate::trials_of_module![
    what_is_ill_formed_reaches_nobody,
    topics_and_filters_of_any_depth_are_refused_or_matched,
    depth_is_bounded_wherever_a_topic_comes_in,
    wildcards_do_not_make_a_message_expensive,
    topics_of_the_host_are_refused,
    figures_of_the_broker_cannot_be_forged,
    a_will_obeys_the_rules_of_messages_at_both_ends,
    retained_dollar_topics_are_not_for_wildcards,
    a_group_and_its_filter_are_apart,
    a_name_is_no_pattern,
    names_are_compared_byte_by_byte,
    a_client_without_a_user_name_is_told_as_one,
    names_do_not_run_into_each_other_in_the_store,
];

/// Frames with texts that are not well formed.
const ILL_FORMED: [(Version, &str); 8] = [
    (Version::V5, "30 06 0003 74C080 00"),
    (Version::V5, "30 06 0003 EDA080 00"),
    (Version::V5, "30 04 0001 00 00"),
    (Version::V5, "30 0B 0001 74 07 26 0001 80 0001 61"),
    (Version::V5, "30 08 0001 74 04 03 0001 FF"),
    (Version::V5, "30 08 0001 74 04 08 0001 23"),
    (Version::V3_1_1, "30 05 0003 74C080"),
    (Version::V3_1_1, "31 05 0003 74F8FF"),
];

fn what_is_ill_formed_reaches_nobody() {
    for (version, frame) in ILL_FORMED {
        let mut rig = pair(version);
        rig.join(fleeting("strict", Version::V3_1_1));
        rig.subscribe("strict", "#", 0);
        rig.subscribe("s", "#", 0);
        rig.feed_bytes("p", &hex::bytes(frame));
        rig.sent("p");
        assert!(rig.broker.is_drained(rig.id("p")), "{frame}");
        rig.join(fleeting("q", version));
        deliver(&mut rig, "q", "t", 0, "\u{1F40C}");
        for name in ["s", "strict"] {
            assert_eq!(rig.sent(name), ["PUBLISH q0 t: \u{1F40C}"], "{frame}");
        }
    }
    // The topic of a will: the client is not let in, and nothing of it is kept.
    let mut rig = pair(Version::V5);
    rig.subscribe("s", "#", 0);
    rig.open("c", Version::V5);
    rig.feed_bytes(
        "c",
        &hex::bytes("10 16 0004 4D515454 05 06 003C 00 0001 63 00 0002 C080 0001 78"),
    );
    rig.sent("c");
    assert!(rig.broker.is_drained(rig.id("c")));
    rig.cut("c");
    assert_eq!(rig.sent("s"), NOTHING);
    covers("BI-023");
}

fn topics_and_filters_of_any_depth_are_refused_or_matched() {
    let deep = "/".repeat(65_535);
    for version in BOTH {
        let mut rig = pair(version);
        let [filter, topic] = match version {
            Version::V5 => ["SUBACK #9 0x8f", "PUBACK #5 0x90"],
            _ => ["SUBACK #9 0x80", "PUBACK #5"],
        };
        assert_eq!(rig.subscribe_with("s", &[(&deep, options(0))], None), [filter]);
        rig.subscribe("s", "#", 0);
        rig.publish("p", &deep, 1, "m");
        assert_eq!(rig.sent("p"), [topic]);
        assert_eq!(rig.sent("s"), NOTHING);
    }
    // Where the host lets them in they cost no stack.
    let limits = BrokerLimits::default().topic_levels(u16::MAX).filter_levels(u16::MAX);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("p", Version::V5));
    let deep = "/".repeat(65_534);
    for filter in ["#", &deep, &"+/".repeat(32_766)] {
        rig.subscribe("p", filter, 0);
    }
    rig.retain("p", &deep, 0, "m");
    assert_eq!(rig.sent("p"), ["PUBLISH q0 65534 bytes: m"]);
    let sent = rig.subscribe_with("p", &[(&deep, options(0))], None);
    assert_eq!(sent, ["SUBACK #9 0x00", "PUBLISH q0 retain 65534 bytes: m"]);
    covers("BI-048");
}

fn depth_is_bounded_wherever_a_topic_comes_in() {
    let limits = BrokerLimits::default().topic_levels(3).filter_levels(3);
    for (topic, fits) in [("a/b/c", true), ("a/b/c/d", false), ("///", false), ("//", true)] {
        let mut rig = Rig::new(config().limits(limits));
        rig.join(fleeting("p", Version::V5));
        let code = if fits { "" } else { " 0x90" };
        rig.publish("p", topic, 1, "m");
        assert_eq!(rig.sent("p"), [format!("PUBACK #5{code}")]);
        rig.retain("p", topic, 1, "m");
        assert_eq!(rig.sent("p"), [format!("PUBACK #5{code}")]);
        let will = last_words(topic, "m", 0, false, WillProperties::empty());
        let sent = rig.connect(Connect {
            will,
            ..fleeting("w", Version::V5)
        });
        assert_eq!(sent, [format!("CONNACK{code}")]);
        let granted = if fits { "0x00" } else { "0x8f" };
        for filter in [topic.to_owned(), format!("$share/g/{topic}")] {
            let sent = rig.subscribe_with("p", &[(&filter, options(0))], None);
            assert_eq!(sent[0], format!("SUBACK #9 {granted}"));
        }
        assert_eq!(rig.broker.figures().subscriptions, if fits { 2 } else { 0 });
        assert_eq!(rig.broker.figures().retained_messages, u64::from(fits));
    }
    covers("BI-049");
}

fn wildcards_do_not_make_a_message_expensive() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.feed_bytes(
            "p",
            &hex::bytes(if version == Version::V5 {
                "30 06 0003 2B2F2B 00"
            } else {
                "30 05 0003 2B2F2B"
            }),
        );
        rig.sent("p");
        assert!(rig.broker.is_drained(rig.id("p")), "a topic has no wildcards");
    }
    // Every filter of `+` and one text matches; a walk that branched at each level would visit 2^32 places.
    let mut rig = pair(Version::V5);
    for place in 0..32_u32 {
        let mut levels = vec!["+"; 32];
        levels[place as usize] = "a";
        rig.subscribe_with("s", &[(&levels.join("/"), options(0))], Some(place + 1));
    }
    rig.subscribe_with("s", &[(&["+"; 32].join("/"), options(0))], Some(99));
    rig.publish("p", &["a"; 32].join("/"), 0, "m");
    let sent = rig.sent("s");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].matches(" for ").count(), 33);
    covers("BI-051");
}

fn topics_of_the_host_are_refused() {
    for version in BOTH {
        for topic in [
            "$",
            "$x",
            "$/",
            "$share/g/t",
            "$queue/t",
            "$SYS",
            "$CONTROL/dynamic-security/v1",
        ] {
            let mut rig = pair(version);
            rig.subscribe("s", "#", 0);
            rig.subscribe_with(
                "s",
                &[("$x", options(0)), ("$/+", options(0)), ("$queue/#", options(0))],
                None,
            );
            let code = if version == Version::V5 { " 0x90" } else { "" };
            rig.publish("p", topic, 0, "m");
            rig.publish("p", topic, 1, "m");
            rig.publish("p", topic, 2, "m");
            let mut sent = rig.sent("p");
            sent.sort();
            assert_eq!(
                sent,
                [format!("PUBACK #5{code}"), format!("PUBREC #5{code}")],
                "{topic}"
            );
            assert_eq!(rig.sent("s"), NOTHING);
            assert_eq!(rig.broker.figures().topics_refused, 3);
        }
    }
    covers("BI-052");
}

fn figures_of_the_broker_cannot_be_forged() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "$SYS/#", 0);
        rig.publish("p", "$SYS/broker/version", 0, "forged");
        rig.retain("p", "$SYS/broker/version", 0, "forged");
        let will = last_words("$SYS/broker/version", "forged", 0, true, WillProperties::empty());
        rig.connect(Connect {
            will,
            ..fleeting("w", version)
        });
        rig.cut("w");
        assert_eq!(rig.sent("s"), NOTHING);
        assert_eq!(rig.broker.figures().retained_messages, 0);
        let own = Message::new("$SYS/broker/version", "true")
            .expect("a topic")
            .qos(qos(0))
            .retain(true);
        rig.broker.publish(rig.now, own);
        assert_eq!(rig.sent("s"), ["PUBLISH q0 $SYS/broker/version: true"]);
        // Nor can they be taken away.
        rig.retain("p", "$SYS/broker/version", 0, "");
        assert_eq!(rig.broker.figures().retained_messages, 1);
    }
    covers("BI-053");
}

fn a_will_obeys_the_rules_of_messages_at_both_ends() {
    let reserved = || Connect {
        will: last_words(
            "$CONTROL/x",
            "m",
            1,
            false,
            WillProperties::builder().will_delay(10).build().expect("a delay"),
        ),
        ..expiring("c", Version::V5, 1000)
    };
    let mut rig = Rig::new(config());
    assert_eq!(rig.connect(reserved()), ["CONNACK 0x90"]);
    assert!(!rig.broker.has_session(b"c"));
    // One that was taken in an earlier life, when the host let it in.
    let open = config().is_stored(true).dollar_topics(true);
    for (later, published) in [(open.clone(), 1), (open.dollar_topics(false), 0)] {
        let mut rig = Rig::new(config().is_stored(true).dollar_topics(true));
        assert_eq!(join_stored(&mut rig, reserved()), ["CONNACK"]);
        rig.cut("c");
        rig.commit();
        rig.restart(later);
        rig.advance(500);
        assert_eq!(rig.broker.figures().wills_published, published);
    }
    // The host is asked about it as about a message.
    let mut rig = Rig::new(config().ask(Ask {
        publish: true,
        ..Ask::default()
    }));
    rig.join(Connect {
        will: last_words("w", "m", 1, false, WillProperties::empty()),
        ..fleeting("c", Version::V5)
    });
    rig.cut("c");
    answer(&mut rig, "may c publish q1 to w, left behind?", Verdict::DENY);
    assert_eq!(rig.broker.figures().wills_published, 0);
    covers("BI-054");
}

fn retained_dollar_topics_are_not_for_wildcards() {
    for version in BOTH {
        let mut rig = pair(version);
        for topic in ["$sys/x", "t/x"] {
            let message = Message::new(topic, "m").expect("a topic").qos(qos(0)).retain(true);
            rig.broker.publish(rig.now, message);
        }
        for filter in ["#", "+/x", "+/#", "+/+"] {
            let sent = rig.subscribe_with("s", &[(filter, options(0))], None);
            assert_eq!(sent[1..], ["PUBLISH q0 retain t/x: m"], "{filter}");
        }
        for filter in ["$sys/#", "$sys/+", "$sys/x"] {
            let sent = rig.subscribe_with("s", &[(filter, options(0))], None);
            assert_eq!(sent[1..], ["PUBLISH q0 retain $sys/x: m"], "{filter}");
        }
    }
    covers("BI-055");
}

fn a_group_and_its_filter_are_apart() {
    let filters = ["t", "$share/g/t", "$share/h/t"];
    for gone in filters {
        let mut rig = pair(Version::V5);
        for (filter, identifier) in filters.into_iter().zip(1..) {
            rig.subscribe_with("s", &[(filter, options(0))], Some(identifier));
        }
        assert_eq!(rig.unsubscribe("s", gone), ["UNSUBACK #8 0x00"]);
        rig.publish("p", "t", 0, "m");
        let mut sent = rig.sent("s");
        sent.sort();
        let left = (1..).zip(filters).filter(|(_, filter)| *filter != gone);
        let expected: Vec<String> = left
            .map(|(identifier, _)| format!("PUBLISH q0 t for {identifier}: m"))
            .collect();
        assert_eq!(sent, expected, "{gone}");
        assert_eq!(rig.unsubscribe("s", gone), ["UNSUBACK #8 0x11"]);
        assert_eq!(rig.broker.figures().subscriptions, 2);
    }
    covers("BI-059");
}

/// The host is told a name as it is, about each packet; the broker itself puts it into no filter.
fn a_name_is_no_pattern() {
    for name in ["#", "+", "+/+", "a/b"] {
        let mut rig = Rig::new(config().ask(Ask {
            connect: false,
            publish: true,
            subscribe: true,
        }));
        rig.join(fleeting(name, Version::V5));
        rig.subscribe_with(name, &[("users/a", options(0))], None);
        answer(&mut rig, &format!("may {name} subscribe q0 to users/a?"), Verdict::DENY);
        assert_eq!(rig.sent(name), ["SUBACK #9 0x87"]);
        rig.publish(name, "users/a", 1, "m");
        answer(&mut rig, &format!("may {name} publish q1 to users/a?"), Verdict::DENY);
        assert_eq!(rig.sent(name), ["PUBACK #5 0x87"]);
        assert_eq!(rig.broker.figures().subscriptions, 0);
    }
    covers("BI-106");
}

fn names_are_compared_byte_by_byte() {
    let names = [
        "device1",
        ".*",
        "device.",
        "device[0-9]",
        "DEVICE1",
        "device1 ",
        "^device1$",
    ];
    let mut rig = Rig::new(config());
    for name in names {
        rig.join(lasting(name, Version::V5));
        rig.subscribe(name, "t", 1);
    }
    assert_eq!(rig.broker.figures().clients_connected, 7);
    assert_eq!(rig.broker.figures().takeovers, 0);
    rig.rename(".*", "old");
    assert_eq!(rig.connect(lasting(".*", Version::V5)), ["CONNACK present"]);
    for name in names {
        assert!(!rig.broker.is_drained(rig.id(name)), "{name} goes on");
    }
    assert_eq!(rig.broker.figures().takeovers, 1);
    covers("BI-107");
}

fn a_client_without_a_user_name_is_told_as_one() {
    let username = |text: &str| mqtt_session::proto::Text::from_bytes(bytes::Bytes::copy_from_slice(text.as_bytes()));
    let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
    for expected in [None, username("").ok(), username("u").ok()] {
        let connect = Connect {
            username: expected.clone(),
            ..fleeting("c", Version::V5)
        };
        assert_eq!(rig.connect(connect), NOTHING);
        let events = rig.events();
        let [BrokerEvent::Connect { connect, .. }] = &events[..] else {
            panic!("one question: {events:?}")
        };
        assert_eq!(connect.username, expected, "no name is not the empty name");
        assert_eq!(connect.password, None);
        assert!(!rig.broker.has_session(b"c"), "it waits for the answer");
        assert_eq!(questions(&mut rig), []);
    }
    covers("BI-108");
}

fn names_do_not_run_into_each_other_in_the_store() {
    // Name and filter put one behind the other are the same text.
    let clients = [
        ("a", "b/c/d"),
        ("a/b", "c/d"),
        ("a/b/c", "d"),
        ("retained", "a"),
        ("a\u{1}", "b"),
    ];
    let mut rig = Rig::new(config().is_stored(true));
    join_stored(&mut rig, fleeting("p", Version::V5));
    for (name, filter) in clients {
        assert_eq!(join_stored(&mut rig, lasting(name, Version::V5)), ["CONNACK"]);
        subscribe_stored(&mut rig, name, filter, 1);
        rig.cut(name);
    }
    rig.retain("p", "a", 1, "kept");
    for (_, filter) in clients {
        rig.publish("p", filter, 1, "m");
    }
    rig.commit();
    let report = rig.restart(config().is_stored(true));
    assert_eq!((report.sessions, report.subscriptions, report.retained), (5, 5, 1));
    for (name, filter) in clients {
        let sent = join_stored(&mut rig, lasting(name, Version::V5));
        let own = sent
            .iter()
            .filter(|line| line.ends_with(&format!(" {filter}: m")))
            .count();
        assert_eq!(own, 1, "{name:?}: {sent:?}");
        let kept = usize::from(filter == "a");
        assert_eq!(sent.len(), 2 + kept, "{name:?}: {sent:?}");
    }
    covers("BI-109");
}
