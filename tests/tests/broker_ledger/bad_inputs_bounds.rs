//! Known faults of brokers: what has to have a bound, and what must not break at it.

use mqtt_session::proto::{Connect, ConnectProperties, PublishProperties, Version};
use mqtt_session::{BrokerConfig, BrokerLimits, Limits, ServerConfig, SessionConfig, Share};
use mqtt_tests::hex;
use mqtt_tests::ledger::covers;

use crate::heap::most_held_by;
use crate::rig::{Rig, config, fleeting, lasting};
use crate::scene::{BOTH, deliver, join_stored, numbered, options, pair, subscribe_stored};

crate::trials_of_module![
    more_retained_messages_than_the_queue_holds_all_arrive,
    a_storm_of_subscribe_costs_its_client_alone,
    a_bound_of_nothing_breaks_nothing,
    no_retained_message_breaks_the_broker,
    what_is_too_large_for_one_member_ends_no_connection,
    one_client_takes_so_much_memory_and_no_more,
    a_slow_reader_has_a_bound_and_its_losses_are_counted,
    nothing_and_no_bound_are_two_things,
    bounds_hold_after_a_restart,
];

fn bounded(limits: Limits) -> BrokerConfig {
    config().client(ServerConfig::default().session(SessionConfig::default().limits(limits)))
}

/// The identifier in a line of PUBLISH.
fn number(line: &str) -> u16 {
    let digits = line.split('#').nth(1).and_then(|rest| rest.split(' ').next());
    digits.and_then(|digits| digits.parse().ok()).expect("an identifier")
}

fn more_retained_messages_than_the_queue_holds_all_arrive() {
    for version in BOTH {
        for bits in [0, 1] {
            let mut rig = Rig::new(bounded(Limits::default().queued_messages(20).send_maximum(7)));
            rig.join(fleeting("p", version));
            rig.join(lasting("s", version));
            for number in 0..1500 {
                rig.retain("p", &format!("t/{number:04}"), bits, "m");
                rig.sent("p");
            }
            let mut came = Vec::new();
            let mut sent = rig.subscribe_with("s", &[("t/#", options(bits))], None).split_off(1);
            while !sent.is_empty() {
                assert!(bits == 0 || sent.len() <= 7, "the window holds");
                for line in &sent {
                    if bits > 0 {
                        rig.puback("s", number(line));
                    }
                    came.push(line.rsplit(' ').nth(1).expect("a topic").to_owned());
                }
                rig.run();
                sent = rig.sent("s");
            }
            let expected: Vec<String> = (0..1500).map(|number| format!("t/{number:04}:")).collect();
            assert_eq!(came, expected);
            assert_eq!(rig.broker.figures().messages_dropped, 0);
        }
    }
    covers("BI-060");
}

fn a_storm_of_subscribe_costs_its_client_alone() {
    let limits = BrokerLimits::default().subscriptions_per_session(10);
    let mut rig = Rig::new(config().limits(limits));
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("s", Version::V5));
    for number in 0..15 {
        let sent = rig.subscribe_with("s", &[(&number.to_string(), options(0))], None);
        let code = if number < 10 { "0x00" } else { "0x97" };
        assert_eq!(sent, [format!("SUBACK #9 {code}")]);
    }
    assert_eq!(rig.broker.figures().subscriptions_refused, 5);
    for number in 0..100 {
        rig.retain("p", &format!("t/{number}"), 0, "m");
    }
    // Nothing is read meanwhile: each begins the replay anew, and they do not add up.
    rig.unsubscribe("s", "0");
    let packet = hex::bytes("82 09 0001 00 0003 742F23 00");
    for _ in 0..30 {
        assert_eq!(rig.feed_bytes("s", &packet), 0);
    }
    let mut sent = rig.sent("s");
    sent.extend({
        rig.run();
        rig.sent("s")
    });
    assert_eq!(sent.iter().filter(|line| *line == "SUBACK #1 0x00").count(), 30);
    assert_eq!(sent.iter().filter(|line| line.starts_with("PUBLISH")).count(), 100);
    rig.publish("p", "1", 0, "m");
    assert_eq!(rig.sent("s"), ["PUBLISH q0 1: m"]);
    covers("BI-061");
}

fn a_bound_of_nothing_breaks_nothing() {
    type Change = fn(BrokerLimits) -> BrokerLimits;
    let changes: [Change; 13] = [
        |limits| limits.sessions(0),
        |limits| limits.subscriptions(0),
        |limits| limits.subscriptions_per_session(0),
        |limits| limits.filter_levels(0),
        |limits| limits.topic_levels(0),
        |limits| limits.retained_messages(0),
        |limits| limits.retained_bytes(0),
        |limits| limits.parked_per_connection(0).remembered_topics(0),
        |limits| limits.parked_wills(0),
        |limits| limits.events(0),
        |limits| limits.replay_window(0),
        |limits| limits.steps_per_call(0),
        |limits| limits.timers_per_call(0),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        for share in [Share::InTurn, Share::Same, Share::Random, Share::ByTopic] {
            let limits = change(BrokerLimits::default());
            let mut rig = Rig::new(config().limits(limits).share(share).is_stored(true));
            let sent = rig.connect(fleeting("p", Version::V5));
            if index == 0 {
                assert_eq!(sent, ["CONNACK 0x97"]);
                continue;
            }
            assert_eq!(sent, ["CONNACK"], "{index}");
            let codes = rig.subscribe_with("p", &[("t", options(1)), ("$share/g/t", options(1))], None);
            rig.retain("p", "t", 1, "m");
            rig.commit();
            let sent = rig.sent("p");
            let came = sent.iter().filter(|line| line.starts_with("PUBLISH")).count();
            let expected = match index {
                1..=4 => 0,
                _ => 2,
            };
            assert_eq!(came, expected, "{index}: {codes:?} {sent:?}");
            let kept = u64::from(!(4..=6).contains(&index));
            assert_eq!(rig.broker.figures().retained_messages, kept, "{index}");
            rig.cut("p");
            rig.advance(100);
            rig.commit();
            let limits = change(BrokerLimits::default());
            rig.restart(config().limits(limits).share(share));
            rig.advance(100);
        }
    }
    let mut rig = Rig::new(config().limits(BrokerLimits::default().connections(0)));
    assert_eq!(rig.broker.handle_open(rig.now), None);
    covers("BI-062");
}

fn no_retained_message_breaks_the_broker() {
    let large = "x".repeat(1_000_000);
    let properties = [
        PublishProperties::builder().message_expiry(0).build(),
        PublishProperties::builder().message_expiry(u32::MAX).build(),
        PublishProperties::builder().content_type(&large[..65_535]).build(),
        PublishProperties::builder().correlation_data([]).build(),
        PublishProperties::builder().user_property("", "").build(),
    ];
    let topics = ["t", "/", "//", &large[..65_535], " ", "\u{10FFFD}"];
    let mut rig = pair(Version::V5);
    rig.subscribe("s", "#", 0);
    for topic in topics {
        for payload in ["", "m", &large[..900_000], ""] {
            for bits in 0..3 {
                rig.retain("p", topic, bits, payload);
                rig.pubrel("p", 5);
                rig.sent("p");
            }
        }
        for properties in properties.iter().flatten() {
            rig.publish_with("p", topic, 0, "m", true, properties.clone());
            rig.run();
        }
    }
    assert!(!rig.broker.is_drained(rig.id("p")));
    rig.sent("s");
    rig.advance(1);
    assert_eq!(rig.broker.figures().retained_messages, topics.len() as u64);
    let sent = rig.subscribe_with("s", &[("#", options(0))], None);
    assert_eq!(sent.len(), 1 + topics.len(), "each of them can be had");
    covers("BI-063");
}

/// A client whose packets have at most so many bytes.
fn small(name: &str, bytes: u32) -> Connect<bytes::Bytes> {
    let properties = ConnectProperties::builder()
        .session_expiry(3600)
        .maximum_packet_size(bytes);
    Connect {
        properties: properties.build().expect("properties"),
        ..lasting(name, Version::V5)
    }
}

fn what_is_too_large_for_one_member_ends_no_connection() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(small("a", 50));
    rig.join(lasting("b", Version::V5));
    for name in ["a", "b"] {
        rig.subscribe(name, "$share/g/t", 1);
        rig.subscribe(name, "u", 1);
    }
    let large = "large ".repeat(20);
    for _ in 0..4 {
        deliver(&mut rig, "p", "t", 1, &large);
    }
    deliver(&mut rig, "p", "u", 1, &large);
    deliver(&mut rig, "p", "u", 1, "m");
    assert!(!rig.broker.is_drained(rig.id("a")));
    assert_eq!(
        rig.sent("a"),
        ["PUBLISH q1 #1 u: m"],
        "it is as if the others had been delivered"
    );
    let came = rig.sent("b").len();
    assert!((4..=6).contains(&came), "{came}");
    rig.cut("a");
    assert_eq!(rig.connect(small("a", 50))[1..], ["PUBLISH q1 #1 dup u: m"]);
    covers("BI-084");
}

/// What one client does to a broker.
type Flood<'f> = &'f dyn Fn(&mut Rig);

fn one_client_takes_so_much_memory_and_no_more() {
    let limits = Limits::default()
        .queued_messages(200)
        .queued_bytes(100_000)
        .packet_bytes(20_000)
        .receive_maximum(10);
    let bounds = BrokerLimits::default()
        .subscriptions_per_session(50)
        .retained_bytes(50_000);
    let broker = || {
        let mut rig = Rig::new(bounded(limits).limits(bounds));
        rig.join(fleeting("p", Version::V5));
        rig.join(lasting("s", Version::V5));
        rig
    };
    let payload = "x".repeat(5000);
    let floods: [(&str, Flood<'_>); 5] = [
        ("messages for one that does not read", &|rig| {
            rig.subscribe("s", "#", 1);
            for _ in 0..2000 {
                deliver(rig, "p", "t", 1, &payload);
            }
        }),
        ("messages for one that is away", &|rig| {
            rig.subscribe("s", "#", 1);
            rig.cut("s");
            for _ in 0..2000 {
                deliver(rig, "p", "t", 1, &payload);
            }
        }),
        ("retained messages", &|rig| {
            for number in 0..2000 {
                rig.retain("p", &number.to_string(), 1, &payload);
                rig.sent("p");
            }
        }),
        ("subscriptions", &|rig| {
            for number in 0..2000 {
                rig.subscribe_with("p", &[(&format!("{number}/{}", &payload[..500]), options(0))], None);
            }
        }),
        ("messages of QoS 2 that are not released", &|rig| {
            for number in 1..=2000 {
                if rig.broker.is_drained(rig.id("p")) {
                    break;
                }
                numbered(rig, "p", "t", 2, number, &payload);
            }
        }),
    ];
    for (name, flood) in floods {
        let mut rig = broker();
        let held = most_held_by(|| flood(&mut rig));
        assert!(held < 600_000, "{name}: {held} bytes, of ten million that were sent");
        assert!(held > 1000, "{name}: {held}: nothing was measured");
    }
    covers("BI-113");
}

fn a_slow_reader_has_a_bound_and_its_losses_are_counted() {
    for limits in [
        Limits::default().queued_messages(10),
        Limits::default().queued_bytes(10 * 60),
    ] {
        for version in BOTH {
            for bits in 0..3 {
                let mut rig = Rig::new(bounded(limits));
                rig.join(fleeting("p", version));
                rig.join(fleeting("slow", version));
                rig.join(fleeting("fast", version));
                rig.subscribe("slow", "t", bits);
                rig.subscribe("fast", "t", 0);
                rig.told();
                for number in 0..100 {
                    deliver(&mut rig, "p", "t", bits, &format!("{number:050}"));
                    assert_eq!(rig.sent("fast").len(), 1, "nobody else notices");
                }
                let dropped = rig.broker.figures().messages_dropped;
                let told = rig.told();
                assert_eq!(told, [format!("dropped {dropped} to slow")]);
                let came = rig.sent("slow").len() as u64;
                assert_eq!(came + dropped, 100, "each is sent or counted");
                assert!((1..=12).contains(&came), "{came}");
            }
        }
    }
    covers("BI-114");
}

fn nothing_and_no_bound_are_two_things() {
    for (queued, came) in [(0, 0), (1, 1), (u32::MAX, 50)] {
        let mut rig = Rig::new(bounded(Limits::default().queued_messages(queued)));
        rig.join(fleeting("p", Version::V5));
        rig.join(lasting("s", Version::V5));
        rig.subscribe("s", "t", 1);
        rig.cut("s");
        for _ in 0..50 {
            deliver(&mut rig, "p", "t", 1, "m");
        }
        let sent = rig.connect(lasting("s", Version::V5));
        assert_eq!(sent.len() - 1, came, "{queued}");
        assert_eq!(rig.broker.figures().messages_dropped, 50 - came as u64);
    }
    // Where there may be no bound at all, that is said by None.
    for (most, lasts) in [(Some(0), false), (Some(5), true), (None, true)] {
        let client = ServerConfig::default().session_expiry_seconds_max(most);
        let mut rig = Rig::new(config().client(client));
        rig.join(lasting("s", Version::V5));
        rig.cut("s");
        assert_eq!(rig.broker.has_session(b"s"), lasts, "{most:?}");
        rig.advance(100);
        assert_eq!(rig.broker.has_session(b"s"), most.is_none(), "{most:?}");
    }
    covers("BI-115");
}

fn bounds_hold_after_a_restart() {
    let limits = Limits::default().queued_messages(3).receive_maximum(4);
    let stored = || bounded(limits).is_stored(true);
    let mut rig = Rig::new(stored());
    for name in ["p", "s"] {
        assert_eq!(join_stored(&mut rig, lasting(name, Version::V5)), ["CONNACK"]);
    }
    subscribe_stored(&mut rig, "s", "t", 2);
    rig.cut("s");
    for life in 1..=3_u64 {
        for _ in 0..5 {
            rig.publish("p", "t", 2, "m");
            rig.commit();
            assert_eq!(rig.sent("p"), ["PUBREC #5"]);
            rig.pubrel("p", 5);
            rig.commit();
            assert_eq!(rig.sent("p"), ["PUBCOMP #5"]);
        }
        let dropped = if life == 1 { 2 } else { 5 };
        assert_eq!(rig.broker.figures().messages_dropped, dropped, "life {life}");
        let records = rig.disk.len();
        rig.restart(stored());
        assert_eq!(rig.disk.len(), records, "nothing is left over");
        assert_eq!(join_stored(&mut rig, lasting("p", Version::V5)), ["CONNACK present"]);
    }
    // The window of what comes in is the same too.
    for number in 1..=4 {
        numbered(&mut rig, "p", "u", 2, number, "m");
    }
    rig.commit();
    assert_eq!(rig.sent("p").len(), 4);
    numbered(&mut rig, "p", "u", 2, 5, "m");
    assert_eq!(rig.sent("p"), ["DISCONNECT 0x93"]);
    let sent = join_stored(&mut rig, lasting("s", Version::V5));
    assert_eq!(sent.len(), 4, "{sent:?}");
    covers("BI-117");
}
