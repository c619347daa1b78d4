//! SUBSCRIBE and SUBACK.

use mqtt_session::proto::{RetainHandling, Version};
use mqtt_session::{Ask, BrokerEvent, BrokerLimits, Verdict};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, fleeting, lasting};
use crate::scene::{BOTH, deliver, handling, no_local, options, pair};

crate::trials_of_module![
    every_subscribe_is_answered_with_a_code_for_each_filter,
    codes_come_in_the_order_of_the_filters,
    several_filters_are_as_several_packets,
    a_filter_that_is_there_is_replaced,
    what_is_retained_comes_again_when_a_subscription_is_replaced,
    nothing_is_lost_while_a_subscription_is_replaced,
    no_local_keeps_a_client_from_its_own_messages,
    an_identifier_is_changed_by_the_next_subscribe,
    a_message_before_suback_is_not_lost,
];

fn every_subscribe_is_answered_with_a_code_for_each_filter() {
    let limits = BrokerLimits::default().filter_levels(2);
    for version in BOTH {
        let mut rig = Rig::new(config().limits(limits));
        rig.join(fleeting("s", version));
        for count in 1..40 {
            let names: Vec<String> = (0..count).map(|number| format!("t/{number}")).collect();
            let filters: Vec<_> = names
                .iter()
                .zip((0..3).cycle())
                .map(|(name, bits)| (name.as_str(), options(bits)))
                .collect();
            let codes: String = (0..3)
                .cycle()
                .take(count)
                .map(|bits: u8| format!(" {bits:#04x}"))
                .collect();
            assert_eq!(rig.subscribe_with("s", &filters, None), [format!("SUBACK #9{codes}")]);
        }
        let refused = if version == Version::V5 { "0x8f" } else { "0x80" };
        assert_eq!(
            rig.subscribe_with("s", &[("a/b/c", options(1))], None),
            [format!("SUBACK #9 {refused}")],
            "one that is refused is answered too"
        );
    }
    covers("v5:MQTT-3.8.4-1");
    covers("v5:MQTT-3.8.4-6");
    covers("v5:MQTT-3.8.4-7");
    covers("v311:MQTT-3.8.4-1");
    covers("v311:MQTT-3.8.4-5");
}

fn codes_come_in_the_order_of_the_filters() {
    for version in BOTH {
        let mut rig = Rig::new(config().ask(Ask {
            subscribe: true,
            ..Ask::default()
        }));
        rig.join(fleeting("s", version));
        let filters = [
            ("c", options(2)),
            ("a", options(0)),
            ("d", options(1)),
            ("b", options(1)),
        ];
        assert_eq!(rig.subscribe_with("s", &filters, None), NOTHING);
        let events = rig.events();
        // The host answers in another order, and does not allow `d`.
        for event in events.iter().rev() {
            if let BrokerEvent::MaySubscribe { question, filter, .. } = event {
                let verdict = if filter.as_bytes() == b"d" {
                    Verdict::DENY
                } else {
                    Verdict::ALLOW
                };
                assert!(rig.broker.authorize(rig.now, *question, verdict));
            }
        }
        let refused = if version == Version::V5 { "0x87" } else { "0x80" };
        assert_eq!(rig.sent("s"), [format!("SUBACK #9 0x02 0x00 {refused} 0x01")]);
    }
    covers("v5:MQTT-3.9.3-1");
    covers("v311:MQTT-3.9.3-1");
}

fn several_filters_are_as_several_packets() {
    for version in BOTH {
        let filters = [("a", options(2)), ("b/#", options(1)), ("a", options(0))];
        let mut together = pair(version);
        assert_eq!(
            together.subscribe_with("s", &filters, None),
            ["SUBACK #9 0x02 0x01 0x00"]
        );
        let mut apart = pair(version);
        for filter in filters {
            apart.subscribe_with("s", &[filter], None);
        }
        for rig in [&mut together, &mut apart] {
            assert_eq!(rig.broker.figures().subscriptions, 2);
            deliver(rig, "p", "a", 2, "m");
            deliver(rig, "p", "b/c", 2, "m");
            assert_eq!(
                rig.sent("s"),
                ["PUBLISH q0 a: m", "PUBLISH q1 #1 b/c: m"],
                "the last one of `a` counts"
            );
        }
    }
    covers("v5:MQTT-3.8.4-5");
    covers("v311:MQTT-3.8.4-4");
}

fn a_filter_that_is_there_is_replaced() {
    for version in BOTH {
        let mut rig = pair(version);
        for bits in [2, 0, 1] {
            rig.subscribe("s", "t/+", bits);
            assert_eq!(rig.broker.figures().subscriptions, 1);
        }
        deliver(&mut rig, "p", "t/a", 2, "m");
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t/a: m"]);
        rig.subscribe("s", "t/#", 0);
        assert_eq!(
            rig.broker.figures().subscriptions,
            2,
            "it matches the same, and is another one"
        );
    }
    covers("v5:MQTT-3.8.4-3");
    covers("v311:MQTT-3.8.4-3");
}

fn what_is_retained_comes_again_when_a_subscription_is_replaced() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.retain("p", "t", 1, "kept");
        let send = handling(0, RetainHandling::Send);
        for _ in 0..2 {
            let sent = rig.subscribe_with("s", &[("t", send)], None);
            assert_eq!(sent, ["SUBACK #9 0x00", "PUBLISH q0 retain t: kept"]);
        }
    }
    covers("v5:MQTT-3.8.4-4");
    covers("v311:MQTT-3.8.4-3");
}

fn nothing_is_lost_while_a_subscription_is_replaced() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        let mut came = Vec::new();
        for number in 0..10 {
            deliver(&mut rig, "p", "t", 1, &number.to_string());
            if number % 3 == 0 {
                // What is queued stays in the queue.
                came.extend(rig.subscribe_with("s", &[("t", options(1))], None));
            }
        }
        came.extend(rig.sent("s"));
        came.retain(|line| line.starts_with("PUBLISH"));
        let expected: Vec<String> = (0..10)
            .map(|number| format!("PUBLISH q1 #{} t: {number}", number + 1))
            .collect();
        assert_eq!(came, expected);
    }
    covers("v5:MQTT-3.8.4-4");
    covers("v311:MQTT-3.8.4-3");
}

fn no_local_keeps_a_client_from_its_own_messages() {
    let mut rig = pair(Version::V5);
    rig.subscribe_with("s", &[("t", no_local(1))], None);
    rig.subscribe_with("s", &[("u", options(1))], None);
    rig.publish("s", "t", 0, "mine");
    rig.publish("s", "u", 0, "mine");
    rig.publish("p", "t", 0, "theirs");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 u: mine", "PUBLISH q0 t: theirs"]);
    // It is the name that counts, and not the connection.
    rig.cut("s");
    assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK present"]);
    rig.publish("s", "t", 0, "mine again");
    assert_eq!(rig.sent("s"), NOTHING);
    covers("v5:MQTT-3.8.3-3");
}

fn an_identifier_is_changed_by_the_next_subscribe() {
    let mut rig = pair(Version::V5);
    for (identifier, expected) in [
        (Some(3), "PUBLISH q0 t for 3: m"),
        (Some(4), "PUBLISH q0 t for 4: m"),
        (None, "PUBLISH q0 t: m"),
        (Some(5), "PUBLISH q0 t for 5: m"),
    ] {
        rig.subscribe_with("s", &[("t", options(0))], identifier);
        rig.publish("p", "t", 0, "m");
        assert_eq!(rig.sent("s"), [expected]);
    }
    covers("u5:U5-3.8.4-c");
}

fn a_message_before_suback_is_not_lost() {
    let mut rig = Rig::new(config().is_stored(true));
    rig.join(fleeting("p", Version::V5));
    assert_eq!(rig.connect(lasting("s", Version::V5)), NOTHING);
    rig.commit();
    assert_eq!(rig.sent("s"), ["CONNACK"]);
    // SUBACK promises that the subscription is stored, and waits for it; the subscription does not.
    assert_eq!(rig.subscribe_with("s", &[("t", options(0))], None), NOTHING);
    rig.publish("p", "t", 0, "m");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 t: m"]);
    rig.commit();
    assert_eq!(rig.sent("s"), ["SUBACK #9 0x00"]);
    covers("u5:U5-3.8.4-b");
}
