//! Power is lost at every flush and between any two writes, and what is left is restored.

use std::sync::{Arc, Mutex};

use mqtt_session::{Client, ClientConfig, Instant, Session, SessionConfig};
use mqtt_store::{Durability, FileOptions, FileStore, Store, StoreErrorKind};

use crate::exchange::{client_name, groups, server_name};
use crate::medium::Disk;
use crate::model::{Model, Random, records};

const SEED: u64 = 7;

/// A scripted load on a disk, restored at every moment.
struct Rig {
    durability: Durability,
    disk: Disk,
    groups: usize,
    /// How many losses of power are tried before each flush; if it is never flushed, before each tenth write.
    losses: u64,
    /// Every how many writes the process ends.
    ends: u64,
}

/// What the rig saw.
#[derive(Debug, Default)]
struct Seen {
    confirmed: usize,
    restored: u64,
    /// Restored states that were the one being written, whose confirmation was not reached.
    ahead: u64,
    flushes: u64,
    writes: u64,
    faults: Vec<String>,
}

impl Rig {
    fn run(self) -> Seen {
        let load = groups(self.groups, SEED);
        let states = Model::states(&load);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watcher = {
            let (seen, mut random) = (seen.clone(), Random::new(SEED));
            move |moment: &crate::medium::Moment, is_flush: bool| {
                let mut seen = seen.lock().unwrap();
                if is_flush {
                    seen.flushes += 1;
                } else {
                    seen.writes += 1;
                }
                if is_flush || seen.flushes == 0 && seen.writes.is_multiple_of(10) {
                    for _ in 0..self.losses {
                        seen.restore(moment.lost_power(&mut random), &states);
                    }
                }
                if !is_flush && self.ends != 0 && seen.writes.is_multiple_of(self.ends) {
                    seen.restore(moment.in_order(), &states);
                }
            }
        };
        let options = FileOptions::default().durability(self.durability);
        let mut store = FileStore::open_on(self.disk.watched(watcher), options).unwrap();
        for group in &load {
            store.commit(group).unwrap();
            seen.lock().unwrap().confirmed += 1;
        }
        Box::new(store).close().unwrap();
        Arc::into_inner(seen).map_or_else(|| panic!("the store is still open"), |seen| seen.into_inner().unwrap())
    }
}

impl Seen {
    /// The restored state has to be the one that was confirmed last, or the one after it.
    fn restore(&mut self, image: Vec<u8>, states: &[Model]) {
        self.restored += 1;
        let confirmed = self.confirmed;
        match restored(image) {
            Ok(state) if state == states[confirmed] => {}
            Ok(state) if states.get(confirmed + 1) == Some(&state) => self.ahead += 1,
            Ok(state) => {
                let is = states.iter().position(|other| *other == state);
                self.faults.push(format!(
                    "{confirmed} groups were confirmed, and the state is that after {is:?}"
                ));
            }
            Err(what) => self
                .faults
                .push(format!("{confirmed} groups were confirmed, and then: {what}")),
        }
    }
}

/// Opens what is left, twice: restoring changes nothing.
fn restored(image: Vec<u8>) -> Result<Model, String> {
    let disk = Disk::new(image);
    let mut states = Vec::new();
    for _ in 0..2 {
        let store = FileStore::open_on(disk.clone(), FileOptions::default());
        let mut store = store.map_err(|error| error.to_string())?;
        states.push(Model::of(&mut store));
    }
    let again = states.pop().unwrap();
    assert_eq!(states.first(), Some(&again), "the second restart found something else");
    Ok(again)
}

fn is_good(seen: &Seen, restored: u64) {
    let faults = &seen.faults;
    assert!(faults.is_empty(), "{} faults, the first: {}", faults.len(), faults[0]);
    assert!(seen.restored >= restored, "{seen:?}");
    assert!(seen.ahead > 0, "{seen:?}");
}

/// How much larger than usual the tests are to be.
fn scale() -> u64 {
    std::env::var("MQTT_STORE_SCALE").map_or(1, |scale| scale.parse().unwrap())
}

#[test]
fn nothing_confirmed_is_missing_after_a_loss_of_power() {
    let rig = Rig {
        durability: Durability::Sync,
        disk: Disk::default(),
        groups: 60 * scale() as usize,
        losses: 10 * scale(),
        ends: 0,
    };
    let seen = rig.run();
    println!("{seen:?}");
    is_good(&seen, 500);
}

#[test]
fn nothing_confirmed_is_missing_after_the_end_of_the_process_at_any_write() {
    for durability in [Durability::Sync, Durability::Os] {
        let rig = Rig {
            durability,
            disk: Disk::default(),
            groups: 40 * scale() as usize,
            losses: 0,
            ends: 1,
        };
        let seen = rig.run();
        println!("{durability:?}: {seen:?}");
        is_good(&seen, 300);
    }
}

/// The rig notices when nothing is flushed: by a disk that lies, and by the two durabilities that do not flush.
#[test]
fn a_store_that_does_not_flush_fails_this_test() {
    let disks = [
        (Durability::Sync, Disk::that_lies(), 20, 0),
        (Durability::Os, Disk::default(), 20, 0),
        (Durability::None, Disk::default(), 20, 1),
    ];
    for (durability, disk, losses, ends) in disks {
        let rig = Rig {
            durability,
            disk,
            groups: 30,
            losses,
            ends,
        };
        let seen = rig.run();
        assert!(!seen.faults.is_empty(), "{durability:?}: {seen:?}");
    }
}

/// What comes back is not only the same bytes: the machines take it.
#[test]
fn the_machines_go_on_with_what_comes_back() {
    let load = groups(120, SEED);
    let disk = Disk::default();
    let mut store = FileStore::open_on(disk.clone(), FileOptions::default()).unwrap();
    for group in &load {
        store.commit(group).unwrap();
    }
    let now = Instant::from_secs(100_000);
    let mut client = Client::restore(ClientConfig::new("sensor-7").unwrap(), now);
    store.load(&client_name()).unwrap().into_client(&mut client);
    let (_, report) = client.finish();
    assert_eq!((report.quarantined.len(), report.session_ended), (0, false));
    let outgoing = records(store.load(&server_name()).unwrap());
    let mut session = Session::restore(&SessionConfig::default(), now);
    store.load(&server_name()).unwrap().into_session(&mut session);
    let (session, report) = session.finish();
    assert_eq!((report.quarantined.len(), report.session_ended), (0, false));
    let outgoing = outgoing
        .keys()
        .filter(|key| matches!(key, mqtt_session::Key::Outgoing(_)));
    assert_eq!(session.outgoing_len(), outgoing.count());
}

#[test]
fn one_flush_covers_a_group_however_large() {
    let load = groups(100, SEED);
    let disk = Disk::default();
    let mut store = FileStore::open_on(disk.clone(), FileOptions::default()).unwrap();
    let before = disk.syncs();
    let group: Vec<_> = load.into_iter().flatten().collect();
    assert!(group.len() > 200);
    store.commit(&group).unwrap();
    assert_eq!(disk.syncs() - before, 1);
    let error = FileStore::open_on(Disk::new(vec![7; 5_000]), FileOptions::default()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotAStore);
}
