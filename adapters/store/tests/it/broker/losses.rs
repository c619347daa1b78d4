//! Power is lost below the store of a broker, at every flush and between any two writes, and the broker goes on with what is left.

use std::sync::{Arc, Mutex};

use mqtt_session::BrokerKey;
use mqtt_store::{Durability, FileOptions, FileStore, Loaded, Store};

use super::load::{Counts, Script, broker_name};
use crate::medium::{Disk, Moment};
use crate::model::Random;

type Left = Result<Loaded<BrokerKey>, String>;

struct Rig {
    durability: Durability,
    disk: Disk,
    rounds: usize,
    /// How many losses of power are tried before each flush; if it is never flushed, before each tenth write.
    losses: u64,
    /// Every how many writes the process ends.
    ends: u64,
}

#[derive(Debug, Default)]
struct Seen {
    restored: u64,
    /// What was left, by how many rounds had been confirmed. Most losses leave the same.
    left: Vec<(usize, Left)>,
    flushes: u64,
    writes: u64,
    confirmed: usize,
}

/// What became of the promises.
#[derive(Debug, Default)]
struct Outcome {
    restored: u64,
    different: usize,
    faults: Vec<String>,
    counts: Counts,
}

impl Seen {
    fn restore(&mut self, image: Vec<u8>) {
        self.restored += 1;
        let left = (self.confirmed, left(image));
        if !self.left.contains(&left) {
            self.left.push(left);
        }
    }
}

fn left(image: Vec<u8>) -> Left {
    let store = FileStore::open_on(Disk::new(image), FileOptions::default());
    let mut store = store.map_err(|error| error.to_string())?;
    store.load_broker(&broker_name()).map_err(|error| error.to_string())
}

impl Rig {
    fn run(self) -> Outcome {
        let seen = self.lose();
        let mut outcome = Outcome {
            restored: seen.restored,
            different: seen.left.len(),
            ..Outcome::default()
        };
        for (confirmed, left) in seen.left {
            let result = left.and_then(|loaded| Script::after(confirmed, self.rounds).go_on(loaded));
            match result {
                Ok(counts) => {
                    outcome.counts.owed += counts.owed;
                    outcome.counts.owed_once += counts.owed_once;
                    outcome.counts.retained += counts.retained;
                    outcome.counts.wills += counts.wills;
                }
                Err(fault) => outcome.faults.push(format!("after round {confirmed}: {fault}")),
            }
        }
        outcome
    }

    /// Runs the script on the disk, and takes what is left of it at every moment.
    fn lose(&self) -> Seen {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (losses, ends) = (self.losses, self.ends);
        let watcher = {
            let (seen, mut random) = (seen.clone(), Random::new(7));
            move |moment: &Moment, is_flush: bool| {
                let mut seen = seen.lock().unwrap();
                if is_flush {
                    seen.flushes += 1;
                } else {
                    seen.writes += 1;
                }
                if is_flush || seen.flushes == 0 && seen.writes.is_multiple_of(10) {
                    for _ in 0..losses {
                        seen.restore(moment.lost_power(&mut random));
                    }
                }
                if !is_flush && ends != 0 && seen.writes.is_multiple_of(ends) {
                    seen.restore(moment.in_order());
                }
            }
        };
        let options = FileOptions::default().durability(self.durability);
        let mut store = FileStore::open_on(self.disk.clone().watched(watcher), options).unwrap();
        let mut script = Script::new();
        for _ in 0..self.rounds {
            let group = script.round();
            store.commit(&group).unwrap();
            script.confirm();
            seen.lock().unwrap().confirmed += 1;
        }
        drop(store);
        std::mem::take(&mut *seen.lock().unwrap())
    }
}

/// How much larger than usual the tests are to be.
fn scale() -> u64 {
    std::env::var("MQTT_STORE_SCALE").map_or(1, |scale| scale.parse().unwrap())
}

fn is_kept(outcome: &Outcome, restored: u64) {
    println!("{outcome:?}");
    let faults = &outcome.faults;
    assert!(faults.is_empty(), "{} faults, the first: {}", faults.len(), faults[0]);
    assert!(outcome.restored >= restored, "{outcome:?}");
    let Counts {
        owed,
        owed_once,
        retained,
        wills,
    } = outcome.counts;
    assert!(
        owed > 1_000 && owed_once > 500 && retained > 20 && wills > 20,
        "{outcome:?}"
    );
}

#[test]
fn a_broker_keeps_its_promises_over_a_loss_of_power() {
    let rig = Rig {
        durability: Durability::Sync,
        disk: Disk::default(),
        rounds: 40 * scale() as usize,
        losses: 10 * scale(),
        ends: 0,
    };
    is_kept(&rig.run(), 400);
}

#[test]
fn a_broker_keeps_its_promises_over_the_end_of_the_process_at_any_write() {
    for durability in [Durability::Sync, Durability::Os] {
        let rig = Rig {
            durability,
            disk: Disk::default(),
            rounds: 25 * scale() as usize,
            losses: 0,
            ends: 1,
        };
        is_kept(&rig.run(), 200);
    }
}

/// The rig notices when nothing is flushed: by a disk that lies, and by the two durabilities that do not flush.
#[test]
fn without_a_flush_a_broker_breaks_its_promises() {
    let disks = [
        (Durability::Sync, Disk::that_lies(), 10, 0),
        (Durability::Os, Disk::default(), 10, 0),
        (Durability::None, Disk::default(), 10, 1),
    ];
    for (durability, disk, losses, ends) in disks {
        let rig = Rig {
            durability,
            disk,
            rounds: 20,
            losses,
            ends,
        };
        let outcome = rig.run();
        println!(
            "{durability:?}: {} of {} states",
            outcome.faults.len(),
            outcome.different
        );
        assert!(!outcome.faults.is_empty(), "{durability:?}: {outcome:?}");
    }
}

/// The rig notices a broker whose host says too early that a batch is stored.
#[test]
fn a_host_that_confirms_what_is_not_stored_fails_this_test() {
    let mut script = Script::new();
    let mut store = mqtt_store::MemoryStore::new();
    for _ in 0..20 {
        let group = script.round();
        store.commit(&group).unwrap();
        script.confirm();
    }
    let before = store.load_broker(&broker_name()).unwrap();
    script.round();
    script.confirm();
    script.round();
    script.confirm();
    let fault = script.go_on(before).unwrap_err();
    println!("{fault}");
}
