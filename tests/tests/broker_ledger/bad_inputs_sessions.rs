//! Known faults of brokers: sessions, takeovers, what is durable and what is delivered.

use bytes::Bytes;
use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Connect, Version};
use mqtt_session::{Ask, BrokerChange, BrokerRecord, Key, Record, Verdict};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, fleeting, lasting};
use crate::scene::{BOTH, answer, deliver, join_stored, options, pair, subscribe_stored};

crate::trials_of_module![
    a_message_of_qos_2_and_its_copies_are_one_commit,
    what_was_sent_and_not_acknowledged_is_sent_again,
    a_storm_of_takeovers_and_subscriptions_leaves_one_connection_each,
    the_earlier_connection_is_told_before_the_new_one,
    a_takeover_waits_for_nobody,
    a_client_that_is_refused_changes_no_session,
    nothing_retained_is_sent_to_a_session_that_goes_on,
    a_filter_that_is_refused_has_no_effect,
    what_waits_for_a_client_survives_the_end_of_the_process,
    clients_that_publish_and_subscribe_anything_break_nothing,
];

/// A stored broker with a publisher `p` and two subscribers of `t`.
fn fan_out() -> Rig {
    let mut rig = Rig::new(config().is_stored(true));
    for name in ["p", "a", "b"] {
        assert_eq!(join_stored(&mut rig, lasting(name, Version::V5)), ["CONNACK"]);
    }
    for name in ["a", "b"] {
        subscribe_stored(&mut rig, name, "t", 2);
    }
    rig
}

fn a_message_of_qos_2_and_its_copies_are_one_commit() {
    for is_written in [false, true] {
        let mut rig = fan_out();
        rig.publish("p", "t", 2, "once");
        let batch = rig.take().expect("something to store");
        let of_session = |change: &BrokerChange| match change {
            BrokerChange::Put(BrokerRecord::Session { record, .. }) => Some(record.key()),
            _ => None,
        };
        let keys: Vec<Key> = batch.changes().iter().filter_map(of_session).collect();
        let outgoing = keys.iter().filter(|key| matches!(key, Key::Outgoing(_))).count();
        let incoming = keys.iter().filter(|key| matches!(key, Key::Incoming(_))).count();
        assert_eq!((outgoing, incoming), (2, 1), "{keys:?}");
        assert_eq!([rig.sent("p"), rig.sent("a"), rig.sent("b")], [NOTHING; 3]);
        if is_written {
            rig.write(&batch);
        }
        // The process ends before it hears of it.
        rig.restart(config().is_stored(true));
        assert_eq!(join_stored(&mut rig, lasting("p", Version::V5)), ["CONNACK present"]);
        rig.publish("p", "t", 2, "once");
        rig.commit();
        assert_eq!(rig.sent("p"), ["PUBREC #5"]);
        for name in ["a", "b"] {
            let sent = join_stored(&mut rig, lasting(name, Version::V5));
            let came = sent.iter().filter(|line| line.ends_with(": once")).count();
            assert_eq!(came, 1, "{is_written} {sent:?}");
        }
    }
    covers("BI-070");
}

fn what_was_sent_and_not_acknowledged_is_sent_again() {
    for filter in ["t", "$share/g/t"] {
        let mut rig = Rig::new(config().is_stored(true));
        rig.join(fleeting("p", Version::V5));
        assert_eq!(join_stored(&mut rig, lasting("s", Version::V5)), ["CONNACK"]);
        subscribe_stored(&mut rig, "s", filter, 1);
        rig.publish("p", "t", 1, "m");
        rig.commit();
        // The bytes are with the driver, and it may have written them.
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
        rig.cut("s");
        rig.commit();
        let again = ["CONNACK present", "PUBLISH q1 #1 dup t: m"];
        assert_eq!(join_stored(&mut rig, lasting("s", Version::V5)), again);
        rig.restart(config().is_stored(true));
        assert_eq!(join_stored(&mut rig, lasting("s", Version::V5)), again);
        rig.puback("s", 1);
        rig.commit();
        rig.cut("s");
        assert_eq!(join_stored(&mut rig, lasting("s", Version::V5)), ["CONNACK present"]);
    }
    covers("BI-088");
}

fn a_storm_of_takeovers_and_subscriptions_leaves_one_connection_each() {
    let names = ["a", "b", "c"];
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    let mut random = mqtt_tests::simulation::Random::new(7);
    for _ in 0..600 {
        let name = random.one_of(&names);
        match random.below(4) {
            0 | 1 => {
                let version = random.one_of(&BOTH);
                let connect = Connect {
                    clean_start: random.below(4) == 0,
                    ..lasting(name, version)
                };
                rig.connect(connect);
            }
            _ if rig.broker.connection_of(name.as_bytes()).is_none() => {}
            2 => drop(rig.subscribe_with(name, &[("t", options(1)), ("$share/g/t", options(0))], None)),
            _ => drop(rig.unsubscribe(name, "t")),
        }
        deliver(&mut rig, "p", "t", 1, "m");
    }
    rig.run();
    // What has been left behind lingers for two seconds.
    rig.advance(2);
    for name in names {
        let sent = rig.connect(lasting(name, Version::V5));
        assert!(sent[0].starts_with("CONNACK"), "{sent:?}");
        rig.subscribe_with(name, &[("last", options(0))], None);
    }
    rig.advance(2);
    let figures = rig.broker.figures();
    assert_eq!(
        (figures.connections, figures.clients_connected, figures.sessions),
        (4, 4, 4)
    );
    rig.publish("p", "last", 0, "m");
    for name in names {
        assert_eq!(rig.sent(name).last().map(String::as_str), Some("PUBLISH q0 last: m"));
    }
    covers("BI-090");
}

fn the_earlier_connection_is_told_before_the_new_one() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.subscribe("s", "t", 1);
        while rig.broker.poll_ready().is_some() {}
        let old = rig.id("s");
        rig.rename("s", "old");
        rig.open("s", version);
        while rig.broker.poll_ready().is_some() {}
        rig.feed("s", &mqtt_session::proto::Packet::Connect(lasting("s", version)));
        let order: Vec<_> = core::iter::from_fn(|| rig.broker.poll_ready()).collect();
        assert_eq!(
            order.first(),
            Some(&old),
            "it has something to be written, or to be closed, first"
        );
        assert!(order.contains(&rig.id("s")));
        let farewell: &[&str] = if version == Version::V5 {
            &["DISCONNECT 0x8e"]
        } else {
            &[]
        };
        assert_eq!(rig.sent("old"), farewell);
        assert!(rig.broker.is_drained(old), "the stream is to be closed");
        assert_eq!(rig.sent("s"), ["CONNACK present"]);
        // Nothing is stolen by the earlier one.
        deliver(&mut rig, "p", "t", 1, "m");
        rig.puback("old", 1);
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: m"]);
        rig.cut("s");
        assert_eq!(rig.connect(lasting("s", version))[1..], ["PUBLISH q1 #1 dup t: m"]);
    }
    covers("BI-091");
}

fn a_takeover_waits_for_nobody() {
    let mut rig = pair(Version::V5);
    // Nobody ever reads or closes the earlier streams.
    for number in 0..50 {
        rig.rename("s", &format!("old {number}"));
        assert_eq!(rig.connect(lasting("s", Version::V5)), ["CONNACK present"]);
    }
    assert_eq!(rig.broker.figures().clients_connected, 2);
    assert_eq!(rig.broker.figures().connections, 52, "they linger");
    rig.advance(2);
    assert_eq!(rig.broker.figures().connections, 2, "and are gone");
    covers("BI-092");
}

fn a_client_that_is_refused_changes_no_session() {
    for clean_start in [false, true] {
        let mut rig = Rig::new(config().ask(Ask {
            connect: true,
            ..Ask::default()
        }));
        let admit = |rig: &mut Rig, connect: Connect<Bytes>| {
            let name = String::from_utf8_lossy(connect.client_id.as_bytes()).into_owned();
            rig.connect(connect);
            let id = rig.id(&name);
            rig.broker
                .admit(rig.now, id, ConnAckProperties::empty())
                .expect("it was asked");
            rig.sent(&name)
        };
        admit(&mut rig, fleeting("p", Version::V5));
        admit(&mut rig, lasting("s", Version::V5));
        rig.subscribe("s", "t", 1);
        deliver(&mut rig, "p", "t", 1, "in flight");
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: in flight"]);
        rig.rename("s", "good");
        let connect = || Connect {
            clean_start,
            ..lasting("s", Version::V5)
        };
        // One that waits, one that is refused, one that goes.
        assert_eq!(rig.connect(connect()), NOTHING);
        deliver(&mut rig, "p", "t", 1, "goes on");
        assert_eq!(rig.sent("good"), ["PUBLISH q1 #2 t: goes on"]);
        let id = rig.id("s");
        let reason = ConnAckReason::BadUserNameOrPassword;
        rig.broker
            .refuse(rig.now, id, reason, ConnAckProperties::empty())
            .expect("it was asked");
        assert_eq!(rig.sent("s"), ["CONNACK 0x86"]);
        rig.connect(connect());
        rig.cut("s");
        assert_eq!(rig.sent("good"), NOTHING);
        assert_eq!(rig.broker.connection_of(b"s"), Some(rig.id("good")));
        rig.cut("good");
        let sent = admit(&mut rig, lasting("s", Version::V5));
        assert_eq!(sent[0], "CONNACK present");
        assert_eq!(sent.len(), 3, "{sent:?}");
    }
    covers("BI-095");
}

fn nothing_retained_is_sent_to_a_session_that_goes_on() {
    for version in BOTH {
        let mut rig = pair(version);
        rig.retain("p", "t", 1, "kept");
        let sent = rig.subscribe_with("s", &[("t", options(1))], None);
        assert_eq!(sent.len(), 2);
        rig.puback("s", 1);
        rig.cut("s");
        assert_eq!(
            rig.connect(lasting("s", version)),
            ["CONNACK present"],
            "it has come back"
        );
        rig.rename("s", "old");
        assert_eq!(
            rig.connect(lasting("s", version)),
            ["CONNACK present"],
            "it has been taken over"
        );
        rig.advance(10);
        assert_eq!(rig.sent("s"), NOTHING);
    }
    covers("BI-104");
}

fn a_filter_that_is_refused_has_no_effect() {
    for version in BOTH {
        let mut rig = Rig::new(config().ask(Ask {
            subscribe: true,
            ..Ask::default()
        }));
        rig.join(fleeting("p", version));
        rig.join(lasting("s", version));
        rig.retain("p", "t", 0, "kept");
        rig.subscribe_with("s", &[("t", options(1))], None);
        answer(&mut rig, "may s subscribe q1 to t?", Verdict::DENY);
        let code = if version == Version::V5 { "0x87" } else { "0x80" };
        assert_eq!(rig.sent("s"), [format!("SUBACK #9 {code}")]);
        deliver(&mut rig, "p", "t", 1, "live");
        rig.advance(10);
        assert_eq!(rig.sent("s"), NOTHING);
        assert_eq!(rig.broker.figures().subscriptions, 0);
        // One that is there is neither ended nor changed.
        rig.subscribe_with("s", &[("t", options(1))], None);
        answer(&mut rig, "may s subscribe q1 to t?", Verdict::ALLOW);
        assert_eq!(rig.sent("s"), ["SUBACK #9 0x01", "PUBLISH q0 retain t: kept"]);
        rig.subscribe_with("s", &[("t", options(0))], None);
        answer(&mut rig, "may s subscribe q0 to t?", Verdict::DENY);
        assert_eq!(rig.sent("s"), [format!("SUBACK #9 {code}")]);
        deliver(&mut rig, "p", "t", 1, "live");
        assert_eq!(rig.sent("s"), ["PUBLISH q1 #1 t: live"]);
    }
    covers("BI-105");
}

/// The guarantee of one host: what was acknowledged is there after the end of its process.
fn what_waits_for_a_client_survives_the_end_of_the_process() {
    let mut rig = fan_out();
    rig.cut("a");
    rig.commit();
    for number in 0..20 {
        rig.publish("p", "t", 1, &number.to_string());
        assert_eq!(rig.sent("p"), NOTHING, "the answer is a promise");
        rig.commit();
        assert_eq!(rig.sent("p"), ["PUBACK #5"]);
    }
    // Acknowledged to nobody, and in no store.
    rig.publish("p", "t", 1, "lost");
    rig.restart(config().is_stored(true));
    let sent = join_stored(&mut rig, lasting("a", Version::V5));
    let expected: Vec<String> = (0..20)
        .map(|number| format!("PUBLISH q1 #{} t: {number}", number + 1))
        .collect();
    assert_eq!(sent[1..], expected);
    assert!(rig.disk.values().any(|record| matches!(
        record,
        BrokerRecord::Session {
            record: Record::Outgoing(_),
            ..
        }
    )));
    covers("BI-123");
}

/// What some clients publish meets what others have subscribed to, drawn together; an onlooker knows what has to come.
fn clients_that_publish_and_subscribe_anything_break_nothing() {
    let mut published = 0;
    for seed in 10_000..10_030 {
        let run = mqtt_tests::broker::run(seed, false);
        assert_eq!(run.fault, None, "seed {seed}");
        published += run.counts.published;
    }
    assert!(published > 600, "{published}");
    // And one that knows nothing of MQTT but its packets.
    let mut random = mqtt_tests::simulation::Random::new(3);
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..2000)
            .map(|_| u8::try_from(random.below(256)).unwrap_or_default())
            .collect();
        mqtt_tests::fuzz::broker(&bytes);
    }
    covers("BI-124");
}
