//! What waits for the store.

use mqtt_session::proto::Version;
use mqtt_session::{BrokerChange, BrokerConfig, BrokerKey, BrokerRecord};

use super::rig::{NOTHING, Rig, VERSIONS, config, fleeting, lasting};

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
                    BrokerChange::Put(BrokerRecord::Session { record: mqtt_session::Record::Outgoing(_), .. })
                )
            });
            assert_eq!(outgoing.count(), 2);
            rig.write(&batch);
            rig.broker.handle_stored(rig.now, batch.number());
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
    assert!(rig.disk.keys().all(|key| !matches!(key, BrokerKey::Session(_, mqtt_session::Key::Incoming(_)))));
}

#[test]
fn a_retained_message_is_stored_before_it_is_acknowledged() {
    let mut rig = Rig::new(stored());
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "t", 1, "kept");
    assert_eq!(rig.sent("p"), NOTHING);
    rig.commit();
    assert_eq!(rig.sent("p"), ["PUBACK #5"]);
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
    rig.advance(u64::from(super::rig::LASTING_SECONDS));
    rig.commit();
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
