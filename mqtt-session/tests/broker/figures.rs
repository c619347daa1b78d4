//! What a host can publish of its broker.

use std::collections::BTreeMap;

use bytes::Buf;
use mqtt_session::proto::{Connect, Filters, Packet, Subscribe, SubscriptionOptions, Version};
use mqtt_session::{
    Ask, BrokerEvent, BrokerLimits, FigureKind, Figures, Limits, Outbox, Scope, ServerConfig, SessionConfig, Verdict,
};

use super::rig::{Rig, config, fleeting, id, lasting, qos};

#[test]
fn the_figures_have_the_topics_that_other_brokers_give_them() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.join(fleeting("p", Version::V5));
    rig.subscribe("s", "t", 1);
    rig.retain("p", "t", 1, "m");
    let sent: usize = rig.sent("s").len() + rig.sent("p").len();
    assert_eq!(sent, 2);
    rig.cut("s");
    rig.advance(60);
    let figures: BTreeMap<&str, u64> = rig.broker.figures().topics().collect();
    let of = |topic: &str| figures[&*format!("$SYS/broker/{topic}")];
    let expected = [
        ("clients/connected", 1),
        ("clients/maximum", 2),
        ("clients/total", 2),
        ("messages/received", 4),
        ("messages/sent", 5),
        ("publish/bytes/received", 1),
        ("publish/bytes/sent", 1),
        ("publish/messages/dropped", 0),
        ("publish/messages/received", 1),
        ("publish/messages/sent", 1),
        ("retained messages/count", 1),
        ("subscriptions/count", 1),
        ("uptime", 60),
    ];
    for (topic, value) in expected {
        assert_eq!(of(topic), value, "{topic}");
    }
    assert_eq!(figures.len(), expected.len() + 2);
}

#[test]
fn bytes_are_counted_when_they_are_read_and_when_they_are_handed_out() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("c", Version::V5));
    let before = rig.broker.figures();
    // PINGREQ, and the half of another one.
    assert_eq!(rig.feed_bytes("c", b"\xC0\x00\xC0"), 1);
    assert_eq!(rig.sent("c"), ["PINGRESP"]);
    let after = rig.broker.figures();
    assert_eq!(after.bytes_received - before.bytes_received, 2);
    assert_eq!(after.bytes_sent - before.bytes_sent, 2);
}

#[test]
fn each_packet_that_is_sent_counts_once_whatever_it_is() {
    let mut rig = Rig::new(config());
    let mut expected = (0, 0);
    let mut sent = |rig: &mut Rig, name: &str, lines: &[&str]| {
        assert_eq!(rig.sent(name), lines);
        let messages = lines.iter().filter(|line| line.starts_with("PUBLISH")).count() as u64;
        expected = (expected.0 + lines.len() as u64, expected.1 + messages);
        let figures = rig.broker.figures();
        assert_eq!((figures.packets_sent, figures.messages_sent), expected, "{lines:?}");
    };
    for name in ["s", "p"] {
        let connect = lasting(name, Version::V5);
        rig.open(name, Version::V5);
        rig.feed(name, &Packet::Connect(connect));
        sent(&mut rig, name, &["CONNACK"]);
    }
    let filters = Filters::builder().filter("t", SubscriptionOptions::new(qos(2)));
    let subscribe = Subscribe::new(id(9), filters.build().unwrap());
    rig.feed("s", &Packet::Subscribe(subscribe));
    sent(&mut rig, "s", &["SUBACK #9 0x02"]);
    for bits in [0, 0, 1, 2] {
        rig.publish("p", "t", bits, "m");
    }
    sent(&mut rig, "p", &["PUBACK #5", "PUBREC #5"]);
    rig.pubrel("p", 5);
    sent(&mut rig, "p", &["PUBCOMP #5"]);
    sent(
        &mut rig,
        "s",
        &[
            "PUBLISH q0 t: m",
            "PUBLISH q0 t: m",
            "PUBLISH q1 #1 t: m",
            "PUBLISH q2 #2 t: m",
        ],
    );
    // A repetition counts as what it is: a packet that is sent.
    rig.cut("s");
    rig.open("s", Version::V5);
    rig.feed("s", &Packet::Connect(lasting("s", Version::V5)));
    sent(
        &mut rig,
        "s",
        &["CONNACK present", "PUBLISH q1 #1 dup t: m", "PUBLISH q2 #2 dup t: m"],
    );
    rig.pubrec("s", 2);
    sent(&mut rig, "s", &["PUBREL #2"]);
    rig.feed_bytes("s", b"\xC0\x00\xC0\x00");
    sent(&mut rig, "s", &["PINGRESP", "PINGRESP"]);
    // Its farewell too.
    let (taken, old) = (rig.id("s"), "old");
    rig.rename("s", old);
    rig.open("s", Version::V5);
    rig.feed("s", &Packet::Connect(fleeting("s", Version::V5)));
    assert_ne!(rig.id("s"), taken);
    sent(&mut rig, old, &["DISCONNECT 0x8e"]);
    sent(&mut rig, "s", &["CONNACK"]);
}

#[test]
fn an_outbox_with_little_room_takes_and_counts_one_packet_at_a_time() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("c", Version::V5));
    rig.subscribe("c", "t", 1);
    rig.feed_bytes("c", b"\xC0\x00\xC0\x00");
    for bits in [0, 0, 1] {
        rig.publish("c", "t", bits, "m");
    }
    let mut outbox = Outbox::new(1);
    let before = rig.broker.figures();
    let mut first_bytes = Vec::new();
    loop {
        rig.broker.poll_transmit(rig.id("c"), &mut outbox);
        let packet = outbox.copy_to_bytes(outbox.len());
        let Some(first) = packet.first() else { break };
        assert_eq!(usize::from(packet[1]), packet.len() - 2, "{packet:?}");
        first_bytes.push(*first);
        let after = rig.broker.figures();
        assert_eq!(after.packets_sent - before.packets_sent, first_bytes.len() as u64);
    }
    assert_eq!(first_bytes, [0xD0, 0xD0, 0x40, 0x30, 0x30, 0x32]);
    assert_eq!(rig.broker.figures().messages_sent - before.messages_sent, 3);
}

#[test]
fn each_way_in_which_a_client_is_given_up_is_counted() {
    let session = SessionConfig::default().limits(Limits::default().packet_bytes(1000));
    let mut rig = Rig::new(config().client(ServerConfig::default().session(session)));
    rig.open("silent", Version::V5);
    rig.advance(60);
    assert_eq!(rig.broker.figures().handshake_timeouts, 1);
    rig.join(Connect {
        keep_alive: 10,
        ..fleeting("gone", Version::V5)
    });
    rig.advance(20);
    assert_eq!(rig.broker.figures().keep_alive_timeouts, 1);
    for (name, bytes) in [
        ("large", &b"\x30\xFF\x7F"[..]),
        ("wrong", b"\xC1\0"),
        ("odd", b"\xD0\0"),
    ] {
        rig.join(fleeting(name, Version::V5));
        rig.feed_bytes(name, bytes);
    }
    let figures = rig.broker.figures();
    assert_eq!((figures.packets_too_large, figures.protocol_errors), (1, 2));
    assert_eq!(figures.stall_timeouts, 0);
}

#[test]
fn output_that_nobody_takes_is_counted_when_its_connection_ends() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("s", Version::V5));
    rig.subscribe("s", "t", 0);
    rig.fill("s");
    rig.publish("p", "t", 0, "m");
    rig.fill("s");
    rig.advance(3600);
    rig.fill("s");
    rig.run();
    assert_eq!(rig.broker.figures().stall_timeouts, 1);
}

#[test]
fn what_waits_for_the_host_and_what_it_said_too_long_ago_are_counted() {
    let ask = Ask {
        publish: true,
        ..Ask::default()
    };
    let limits = BrokerLimits::default()
        .parked_per_connection(2)
        .remembered_topics(1)
        .events(0);
    let mut rig = Rig::new(config().ask(ask).limits(limits));
    rig.join(fleeting("p", Version::V5));
    for topic in ["a", "b"] {
        assert_eq!(rig.broker.figures().parks_full, 0);
        rig.publish("p", topic, 0, "m");
    }
    assert_eq!(rig.broker.figures().parks_full, 1);
    for event in rig.events() {
        if let BrokerEvent::MayPublish { question, .. } = event {
            let verdict = Verdict::ALLOW.scope(Scope::Topic);
            assert!(rig.broker.authorize(rig.now, question, verdict));
        }
    }
    let figures = rig.broker.figures();
    assert_eq!((figures.topics_forgotten, figures.events_missed), (1, 1));
    rig.retain("p", "b", 0, "m");
    rig.broker.policy_changed(rig.now);
    rig.run();
    assert_eq!(rig.broker.figures().reviews_waiting, 1);
}

#[test]
fn every_figure_stands_in_the_table_of_all() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.subscribe("s", "t", 1);
    rig.advance(5);
    let figures = rig.broker.figures();
    let shown = Figures::ALL
        .iter()
        .map(|figure| format!("{}: {}", figure.name, figure.of(&figures)));
    let fields = format!("Figures {{ {} }}", shown.collect::<Vec<_>>().join(", "));
    assert_eq!(fields, format!("{figures:?}"));
    let kind = |name: &str| Figures::ALL.iter().find(|figure| figure.name == name).unwrap().kind;
    assert_eq!(kind("bytes_sent"), FigureKind::Counter);
    assert_eq!(kind("clients_connected"), FigureKind::Gauge);
}

#[test]
fn machines_count_together_but_for_the_time() {
    let mut rigs = [Rig::new(config()), Rig::new(config())];
    for rig in &mut rigs {
        rig.join(lasting("s", Version::V5));
    }
    for (rig, seconds) in rigs.iter_mut().zip([7, 3]) {
        rig.advance(seconds);
        rig.broker.handle_timeout(rig.now);
    }
    let together = rigs[0].broker.figures().with(rigs[1].broker.figures());
    assert_eq!((together.sessions, together.packets_received), (2, 2));
    assert_eq!(together.uptime_seconds, 7);
}
