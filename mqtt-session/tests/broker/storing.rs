//! What waits for the store.

use std::time::Duration;

use mqtt_session::proto::Version;
use mqtt_session::{BrokerChange, BrokerConfig, BrokerKey, BrokerRecord, BrokerReport, Key};

use super::rig::{LASTING_SECONDS, NOTHING, Rig, VERSIONS, config, fleeting, lasting, line};

fn stored() -> BrokerConfig {
    config().is_stored(true)
}

/// A client whose CONNACK came when the store had its session.
fn join(rig: &mut Rig, name: &str, version: Version) {
    assert_eq!(rig.connect(lasting(name, version)), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(name), ["CONNACK"]);
}

fn subscribe(rig: &mut Rig, name: &str, filter: &str, bits: u8) {
    let options = mqtt_session::proto::SubscriptionOptions::new(super::rig::qos(bits));
    assert_eq!(rig.subscribe_with(name, &[(filter, options)], None), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(name), [format!("SUBACK #9 {bits:#04x}")]);
}

/// A broker with a publisher and two subscribers whose sessions are stored.
fn fan_out(version: Version) -> Rig {
    let mut rig = Rig::new(stored());
    join(&mut rig, "p", version);
    for name in ["a", "b"] {
        join(&mut rig, name, version);
        subscribe(&mut rig, name, "t", 2);
    }
    rig
}

#[test]
fn an_acknowledgement_waits_for_all_copies_which_are_one_batch() {
    for version in VERSIONS {
        for (bits, ack) in [(1, "PUBACK #5"), (2, "PUBREC #5")] {
            let mut rig = fan_out(version);
            rig.publish("p", "t", bits, "shared");
            for name in ["p", "a", "b"] {
                assert_eq!(rig.sent(name), NOTHING, "nothing leaves before the store has it");
            }
            let batch = rig.take().unwrap();
            assert!(rig.take().is_none());
            let outgoing = batch.changes().iter().filter(|change| {
                matches!(
                    change,
                    BrokerChange::Put(BrokerRecord::Session {
                        record: mqtt_session::Record::Outgoing(_),
                        ..
                    })
                )
            });
            assert_eq!(outgoing.count(), 2);
            rig.write(&batch);
            assert_eq!(rig.broker.figures().batches_waiting, 1);
            rig.broker.handle_stored(rig.now, batch.number());
            assert_eq!(rig.broker.figures().batches_waiting, 0);
            assert_eq!(rig.sent("p"), [ack]);
            assert_eq!(rig.sent("a"), [format!("PUBLISH q{bits} #1 t: shared")]);
            assert_eq!(rig.sent("b"), [format!("PUBLISH q{bits} #1 t: shared")]);
        }
    }
}

#[test]
fn all_copies_share_one_payload_which_goes_with_the_last() {
    let mut rig = fan_out(Version::V5);
    let payloads = |rig: &Rig| {
        let is_payload = |key: &&BrokerKey| matches!(key, BrokerKey::Payload(_));
        rig.disk.keys().filter(is_payload).count()
    };
    rig.publish("p", "t", 1, "shared");
    rig.commit();
    assert_eq!(payloads(&rig), 1);
    rig.sent("a");
    rig.sent("b");
    rig.puback("a", 1);
    rig.commit();
    assert_eq!(payloads(&rig), 1);
    rig.puback("b", 1);
    rig.commit();
    assert_eq!(payloads(&rig), 0);
}

#[test]
fn a_client_whose_session_ends_with_its_connection_waits_for_nobody_but_the_copies() {
    let mut rig = fan_out(Version::V5);
    rig.join(fleeting("f", Version::V5));
    rig.publish("f", "elsewhere", 1, "m");
    assert_eq!(rig.sent("f"), ["PUBACK #5"]);
    rig.publish("f", "t", 2, "m");
    assert_eq!(rig.sent("f"), NOTHING);
    rig.commit();
    assert_eq!(rig.sent("f"), ["PUBREC #5"]);
    assert!(
        rig.disk
            .keys()
            .all(|key| !matches!(key, BrokerKey::Session(_, Key::Incoming(_))))
    );
}

#[test]
fn a_retained_message_is_stored_before_it_is_acknowledged() {
    let mut rig = Rig::new(stored());
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "t", 1, "kept");
    assert_eq!(rig.sent("p"), NOTHING);
    rig.commit();
    assert_eq!(rig.sent("p"), ["PUBACK #5"]);
    // The broker itself has set aside names of messages, once for many.
    assert!(rig.disk.remove(&BrokerKey::Broker).is_some());
    assert_eq!(rig.disk.len(), 2, "the message and its payload: {:?}", rig.disk);
    rig.retain("p", "t", 1, "");
    rig.commit();
    assert!(rig.disk.is_empty(), "{:?}", rig.disk);
}

#[test]
fn a_session_that_ends_leaves_nothing_in_the_store() {
    let mut rig = fan_out(Version::V5);
    rig.publish("p", "t", 2, "m");
    rig.commit();
    for name in ["p", "a", "b"] {
        rig.cut(name);
    }
    rig.commit();
    assert!(!rig.disk.is_empty());
    rig.advance(u64::from(LASTING_SECONDS));
    rig.commit();
    rig.disk.remove(&BrokerKey::Broker);
    assert!(rig.disk.is_empty(), "{:?}", rig.disk);
    assert_eq!(rig.broker.figures().sessions, 0);
}

#[test]
fn an_acknowledgement_of_an_earlier_connection_is_not_sent_on_the_next() {
    let mut rig = fan_out(Version::V5);
    rig.publish("p", "t", 1, "m");
    let batch = rig.take().unwrap();
    rig.cut("p");
    assert_eq!(rig.connect(lasting("p", Version::V5)), NOTHING);
    let next = rig.take().unwrap();
    rig.write(&batch);
    rig.broker.handle_stored(rig.now, batch.number());
    assert_eq!(rig.sent("p"), NOTHING);
    rig.write(&next);
    rig.broker.handle_stored(rig.now, next.number());
    assert_eq!(rig.sent("p"), ["CONNACK present"]);
}

#[test]
fn a_store_that_fails_ends_everything_and_acknowledges_nothing() {
    let mut rig = fan_out(Version::V5);
    rig.publish("p", "t", 1, "m");
    rig.broker.handle_store_failed(rig.now);
    assert_eq!(rig.sent("p"), ["DISCONNECT 0x83"]);
    assert_eq!(rig.told(), ["store failed"]);
    assert!(rig.take().is_none());
    assert_eq!(rig.broker.handle_open(rig.now), None);
    assert_eq!(rig.broker.figures().clients_connected, 0);
}

#[test]
fn a_connack_that_waits_for_the_store_does_not_leave_when_that_fails() {
    for version in VERSIONS {
        let mut rig = Rig::new(stored());
        assert_eq!(rig.connect(lasting("c", version)), NOTHING);
        rig.commit();
        rig.cut("c");
        // It goes on with its session, of which nothing but the coming of its client is to be stored.
        assert_eq!(rig.connect(lasting("c", version)), NOTHING);
        rig.rename("c", "first");
        assert_eq!(rig.connect(lasting("c", version)), NOTHING);
        rig.broker.handle_store_failed(rig.now);
        assert_eq!(rig.sent("first"), NOTHING);
        assert_eq!(rig.sent("c"), NOTHING);
    }
}

/// The process ends, and the next one goes on with the store.
fn restart(rig: &mut Rig) -> BrokerReport {
    rig.restart(stored())
}

#[test]
fn a_restart_goes_on_with_sessions_subscriptions_messages_and_retained_messages() {
    for version in VERSIONS {
        let mut rig = fan_out(version);
        rig.publish("p", "t", 2, "before");
        rig.commit();
        assert_eq!(rig.sent("p"), ["PUBREC #5"]);
        assert_eq!(rig.sent("a"), ["PUBLISH q2 #1 t: before"]);
        rig.retain("p", "kept", 1, "kept");
        rig.commit();
        let report = restart(&mut rig);
        assert_eq!((report.sessions, report.subscriptions, report.retained), (3, 2, 1));
        assert_eq!((report.quarantined, report.ended), (vec![], vec![]));
        rig.join(fleeting("f", version));
        rig.publish("f", "t", 1, "after");
        rig.commit();
        for name in ["a", "b"] {
            assert_eq!(rig.connect(lasting(name, version)), NOTHING);
            rig.commit();
            let sent = rig.sent(name);
            assert_eq!(sent[1], "PUBLISH q2 #1 dup t: before");
            assert_eq!(sent[2], "PUBLISH q1 #2 t: after");
        }
        // What was acknowledged by PUBREC is known.
        assert_eq!(rig.connect(lasting("p", version)), NOTHING);
        rig.commit();
        rig.sent("p");
        rig.publish("p", "t", 2, "before");
        rig.commit();
        assert_eq!(rig.sent("p"), ["PUBREC #5"]);
        assert_eq!(rig.sent("b"), NOTHING, "it goes on once");
        subscribe(&mut rig, "p", "other", 0);
        let options = mqtt_session::proto::SubscriptionOptions::new(super::rig::qos(0));
        assert_eq!(rig.subscribe_with("p", &[("kept", options)], None), NOTHING);
        rig.commit();
        assert_eq!(rig.sent("p"), ["SUBACK #9 0x00", "PUBLISH q0 retain kept: kept"]);
    }
}

#[test]
fn a_restart_twice_is_a_restart_once() {
    let mut rig = fan_out(Version::V5);
    rig.publish("p", "t", 2, "m");
    rig.commit();
    let first = restart(&mut rig);
    rig.commit();
    let disk = rig.disk.clone();
    let second = restart(&mut rig);
    rig.commit();
    assert_eq!(first, second);
    assert_eq!(disk, rig.disk);
}

#[test]
fn a_session_whose_time_passes_while_the_broker_is_away_ends() {
    let mut rig = fan_out(Version::V5);
    rig.cut("a");
    rig.commit();
    rig.now = rig.now + Duration::from_secs(u64::from(LASTING_SECONDS));
    restart(&mut rig);
    rig.run();
    rig.commit();
    assert_eq!(
        rig.broker.figures().sessions,
        2,
        "those of the connected begin to wait with the restart"
    );
    assert_eq!(rig.connect(lasting("a", Version::V5)), NOTHING);
    rig.commit();
    assert_eq!(rig.sent("a"), ["CONNACK"]);
}

#[test]
fn a_will_is_published_after_a_restart_unless_its_client_comes_back_before() {
    for comes_back in [false, true] {
        let mut rig = Rig::new(stored());
        let connect = mqtt_session::proto::Connect {
            will: super::rig::will("gone", 10),
            ..lasting("c", Version::V5)
        };
        assert_eq!(rig.connect(connect.clone()), NOTHING);
        rig.commit();
        restart(&mut rig);
        rig.advance(29);
        assert_eq!(rig.broker.figures().wills_published, 0);
        if comes_back {
            rig.connect(connect);
        }
        rig.advance(1);
        assert_eq!(rig.broker.figures().wills_published, u64::from(!comes_back));
        rig.commit();
        let again = restart(&mut rig);
        assert_eq!(again.sessions, 1);
        rig.advance(100);
        assert_eq!(rig.broker.figures().wills_published, u64::from(comes_back));
    }
}

#[test]
fn a_replay_goes_on_after_a_restart_where_it_was() {
    let limits = mqtt_session::BrokerLimits::default().replay_window(3);
    let mut rig = Rig::new(stored().limits(limits));
    rig.join(fleeting("p", Version::V5));
    for number in 0..10 {
        rig.retain("p", &format!("many/{number}"), 1, "m");
        rig.commit();
    }
    join(&mut rig, "s", Version::V5);
    let options = mqtt_session::proto::SubscriptionOptions::new(super::rig::qos(1));
    rig.subscribe_with("s", &[("many/+", options)], None);
    rig.commit();
    let first = rig.sent("s");
    assert_eq!(first[0], "SUBACK #9 0x01");
    let mut came: Vec<String> = first[1..].to_vec();
    rig.commit();
    came.extend(rig.sent("s"));
    rig.restart(stored().limits(limits));
    assert_eq!(rig.connect(lasting("s", Version::V5)), NOTHING);
    for _ in 0..20 {
        rig.commit();
        rig.run();
        for line in rig.sent("s") {
            let Some(number) = line.split(['#', ' ']).nth(3) else {
                continue;
            };
            rig.puback("s", number.parse().unwrap());
            came.push(line);
        }
    }
    // What was on its way comes once more, and says so; each of the ten comes once as a first one.
    let first = came.iter().filter(|line| !line.contains(" dup"));
    let mut topics: Vec<&str> = first
        .filter_map(|line| line.split_once("retain "))
        .map(|(_, rest)| rest)
        .collect();
    topics.sort_unstable();
    let expected: Vec<String> = (0..10).map(|number| format!("many/{number}: m")).collect();
    assert_eq!(topics, expected, "{came:?}");
}

#[test]
fn what_is_damaged_is_lost_alone_and_reported() {
    let mut rig = fan_out(Version::V5);
    for _ in 0..2 {
        rig.publish("p", "t", 1, "m");
        rig.commit();
    }
    rig.retain("p", "kept", 1, "kept");
    rig.commit();
    let retained = rig
        .disk
        .keys()
        .find(|key| matches!(key, BrokerKey::Retained(_)))
        .unwrap()
        .clone();
    let subscription = rig
        .disk
        .keys()
        .find(|key| matches!(key, BrokerKey::Subscription(..)))
        .unwrap()
        .clone();
    let report = rig.restart_damaged(stored(), &[retained.clone(), subscription.clone()]);
    assert_eq!((report.sessions, report.subscriptions, report.retained), (3, 1, 0));
    assert_eq!(report.quarantined.len(), 2);
    rig.commit();
    assert!(!rig.disk.contains_key(&retained) && !rig.disk.contains_key(&subscription));
}

#[test]
fn a_damaged_session_ends_and_the_others_go_on() {
    let mut rig = fan_out(Version::V5);
    rig.publish("p", "t", 2, "m");
    rig.commit();
    let session = rig
        .disk
        .keys()
        .find(|key| matches!(key, BrokerKey::Session(_, Key::Outgoing(_))));
    let session = session.unwrap().clone();
    let report = rig.restart_damaged(stored(), &[session]);
    assert_eq!((report.sessions, report.subscriptions), (2, 2));
    assert_eq!(report.ended.len(), 1);
    rig.run();
    rig.commit();
    assert_eq!(rig.broker.figures().subscriptions, 1);
    let ended = String::from_utf8_lossy(&report.ended[0]).into_owned();
    assert_eq!(rig.connect(lasting(&ended, Version::V5)), NOTHING);
    rig.commit();
    assert_eq!(rig.sent(&ended), ["CONNACK"]);
}

/// The records of the session itself are deleted as soon as it is touched, those of the broker when it is told that time has passed.
#[test]
fn a_session_whose_time_is_over_is_not_one_that_was_damaged() {
    let mut rig = fan_out(Version::V5);
    rig.cut("a");
    rig.commit();
    // No timer fires in between.
    rig.now = rig.now + Duration::from_secs(u64::from(LASTING_SECONDS) + 1);
    rig.publish("p", "t", 1, "too late for one of them");
    rig.commit();
    let has_client = |key: &BrokerKey| matches!(key, BrokerKey::Client(_));
    let has_session = |key: &BrokerKey| matches!(key, BrokerKey::Session(_, Key::Session));
    let count = |rig: &Rig, is_one: fn(&BrokerKey) -> bool| rig.disk.keys().filter(|key| is_one(key)).count();
    assert_eq!((count(&rig, has_client), count(&rig, has_session)), (3, 2));
    let report = restart(&mut rig);
    assert_eq!((report.quarantined, report.ended), (vec![], vec![]));
    let told = |rig: &mut Rig| -> Vec<String> { rig.events().iter().map(line).collect() };
    assert_eq!(told(&mut rig), NOTHING);
    rig.run();
    assert_eq!(told(&mut rig), ["- session of a ended"]);
    rig.commit();
    assert_eq!((count(&rig, has_client), count(&rig, has_session)), (2, 2));
}

/// A host fills the outboxes of those that are ready, and asks nobody else.
#[test]
fn a_client_that_comes_back_after_a_restart_is_ready_once_its_connack_may_go() {
    use mqtt_session::{BrokerBatch, BrokerChange, Instant, Outbox};
    let now = Instant::from_secs(1_000);
    let mut records = std::collections::BTreeMap::new();
    for life in 0..2_u8 {
        let mut restore = mqtt_session::Broker::restore(config().is_stored(true), now);
        for record in records.values().cloned() {
            restore.record(record);
        }
        let (mut broker, _) = restore.finish();
        let connection = broker.handle_open(now).unwrap();
        broker.handle_input(now, connection, &mut &b"\x10\x0D\0\x04MQTT\x04\0\0\x3C\0\x01c"[..]);
        let mut outbox = Outbox::default();
        while let Some(ready) = broker.poll_ready() {
            broker.poll_transmit(ready, &mut outbox);
        }
        assert!(outbox.is_empty(), "nothing is stored");
        let mut batch = BrokerBatch::new();
        while broker.poll_store(&mut batch) {
            for change in batch.changes() {
                match change {
                    BrokerChange::Put(record) => records.insert(record.key(), record.clone()),
                    BrokerChange::Delete(key) => records.remove(key),
                };
            }
            broker.handle_stored(now, batch.number());
        }
        while let Some(ready) = broker.poll_ready() {
            broker.poll_transmit(ready, &mut outbox);
        }
        assert_eq!(bytes::Buf::chunk(&outbox), [0x20, 2, life, 0], "life {life}");
    }
}

#[test]
fn the_figures_of_the_host_are_retained_and_not_stored() {
    let mut rig = Rig::new(stored());
    let figure = |topic: &str, payload: &str| {
        let message = mqtt_session::Message::new(topic.to_owned(), payload.to_owned()).unwrap();
        message.retain(true)
    };
    let retained = |rig: &Rig| {
        let of_message = |key: &&BrokerKey| matches!(key, BrokerKey::Retained(_) | BrokerKey::Payload(_));
        rig.disk.keys().filter(of_message).count()
    };
    rig.broker
        .publish(rig.now, figure("$SYS/broker/uptime", "figures are not stored"));
    rig.broker
        .publish(rig.now, figure("$SYStem", "what only begins alike is"));
    rig.commit();
    assert_eq!(rig.broker.figures().retained_messages, 2);
    assert_eq!(retained(&rig), 2);

    // One that an earlier version has stored is, until there is a newer one.
    let stored_as = |record: &BrokerRecord, topic: &str| match record.clone() {
        BrokerRecord::Retained {
            mut message,
            payload,
            publisher,
            origin,
        } => {
            message.topic = super::rig::topic(topic);
            Some(BrokerRecord::Retained {
                message,
                payload,
                publisher,
                origin,
            })
        }
        _ => None,
    };
    let old = rig
        .disk
        .values()
        .find_map(|record| stored_as(record, "$SYS/broker/uptime"))
        .unwrap();
    rig.disk.retain(|key, _| !matches!(key, BrokerKey::Retained(_)));
    rig.disk.insert(old.key(), old);
    assert_eq!(rig.restart(stored()).retained, 1);
    rig.broker.publish(rig.now, figure("$SYS/broker/uptime", "2 seconds"));
    rig.commit();
    assert_eq!((rig.broker.figures().retained_messages, retained(&rig)), (1, 0));
    rig.broker.publish(rig.now, figure("$SYS/broker/uptime", ""));
    assert!(rig.take().is_none(), "nothing is stored of it");
    assert_eq!(rig.broker.figures().retained_messages, 0);
}
