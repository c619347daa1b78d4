//! The same broker comes back from every store.

use mqtt_session::{Broker, BrokerConfig, BrokerReport, Instant, Key};
use mqtt_store::{Durability, FileOptions, FileStore, Loaded, MemoryStore, Store, Stored, Write, Writer};

use super::load::{Script, broker_name};
use crate::medium::Disk;

const ROUNDS: usize = 30;

fn groups() -> Vec<Vec<Write>> {
    let mut script = Script::new();
    let rounds = (0..ROUNDS).map(|_| {
        let group = script.round();
        script.confirm();
        group
    });
    rounds.collect()
}

fn report(loaded: Loaded<mqtt_session::BrokerKey>) -> BrokerReport {
    let mut restore = Broker::restore(BrokerConfig::new(1), Instant::from_secs(1));
    loaded.into_broker(&mut restore).unwrap();
    restore.finish().1
}

#[test]
fn every_store_gives_back_the_same_broker() {
    let groups = groups();
    let mut memory = MemoryStore::new();
    let behind = MemoryStore::new();
    let writer = Writer::start(behind).unwrap();
    let mut through = writer.broker(broker_name()).unwrap();
    let mut number = 0;
    for write in groups.iter().flatten() {
        memory.commit(std::slice::from_ref(write)).unwrap();
        number += 1;
        let mqtt_store::Action::ApplyBroker(changes) = &write.action else {
            panic!("a broker has other changes: {write:?}");
        };
        through.write_changes(number, changes.clone());
    }
    let expected = memory.load_broker(&broker_name()).unwrap();
    assert!(expected.records.len() > 50, "{}", expected.records.len());
    assert_eq!(through.load().unwrap(), expected);
    for durability in [Durability::Sync, Durability::Os, Durability::None] {
        let disk = Disk::default();
        let options = FileOptions::default().durability(durability);
        let mut file = FileStore::open_on(disk.clone(), options).unwrap();
        for group in &groups {
            file.commit(group).unwrap();
        }
        assert_eq!(file.load_broker(&broker_name()).unwrap(), expected);
        Box::new(file).close().unwrap();
        let mut file = FileStore::open_on(disk, FileOptions::default()).unwrap();
        assert_eq!(file.load_broker(&broker_name()).unwrap(), expected, "{durability:?}");
        assert_eq!(file.brokers().unwrap(), [broker_name()]);
    }
    let report = report(expected.clone());
    assert_eq!((report.sessions, report.subscriptions, report.retained), (7, 5, 2));
    assert_eq!((report.quarantined.len(), report.ended.len()), (0, 0));
    // Restoring changes nothing, and what is restored goes on.
    Script::after(ROUNDS, ROUNDS).go_on(expected).unwrap();
}

#[test]
fn a_broker_that_is_forgotten_is_gone_and_no_other() {
    let mut memory = MemoryStore::new();
    let mut file = FileStore::open_on(Disk::default(), FileOptions::default()).unwrap();
    let other = mqtt_store::SessionName::new("other").unwrap();
    let stores: [&mut dyn Store; 2] = [&mut memory, &mut file];
    for store in stores {
        for group in groups() {
            let copies = group.iter().map(|write| Write {
                session: other.clone(),
                ..write.clone()
            });
            let copies: Vec<_> = copies.collect();
            store.commit(&group).unwrap();
            store.commit(&copies).unwrap();
        }
        let before = store.load_broker(&other).unwrap();
        store.commit(&[Write::forget_broker(broker_name())]).unwrap();
        assert!(store.load_broker(&broker_name()).unwrap().is_empty());
        assert_eq!(store.load_broker(&other).unwrap(), before);
        assert_eq!(store.brokers().unwrap(), std::slice::from_ref(&other));
    }
}

/// Whatever single record is damaged, the broker comes back, and says so.
#[test]
fn each_damaged_record_is_told_and_the_rest_goes_on() {
    let mut memory = MemoryStore::new();
    for group in groups() {
        memory.commit(&group).unwrap();
    }
    let whole = memory.load_broker(&broker_name()).unwrap();
    let sound = report(whole.clone());
    for at in 0..whole.records.len() {
        let mut loaded = whole.clone();
        let key = loaded.records[at].broker_key().clone();
        loaded.records[at] = Stored::Damaged(key.clone());
        let report = report(loaded);
        assert!(report.quarantined.contains(&key), "{key:?}: {report:?}");
        assert!(report.sessions + 1 >= sound.sessions, "{key:?}: {report:?}");
        let ends = match &key {
            mqtt_session::BrokerKey::Session(_, key) => !matches!(key, Key::Payload(_)),
            mqtt_session::BrokerKey::Client(_) => true,
            _ => false,
        };
        assert_eq!(report.sessions < sound.sessions, ends, "{key:?}: {report:?}");
    }
}

/// A record that another version wrote is not damaged: nobody removes it.
#[test]
fn records_of_a_version_to_come_are_refused_and_not_removed() {
    let mut memory = MemoryStore::new();
    for group in groups() {
        memory.commit(&group).unwrap();
    }
    let mut loaded = memory.load_broker(&broker_name()).unwrap();
    let Some(Stored::Record(_, bytes)) = loaded.records.last_mut() else {
        panic!("it is not damaged");
    };
    let mut other = bytes.to_vec();
    other[0] = 9;
    *bytes = other.into();
    let mut restore = Broker::restore(BrokerConfig::new(1), Instant::from_secs(1));
    let error = loaded.into_broker(&mut restore).unwrap_err();
    assert_eq!(error.to_string(), "records of version 9 are not known");
    let (mut broker, report) = restore.finish();
    assert_eq!(report, BrokerReport::default());
    assert!(!broker.poll_store(&mut mqtt_session::BrokerBatch::new()));
}
