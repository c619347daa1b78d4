//! Bytes of a file are damaged. What comes back is what was there, or is said to be damaged.

use std::collections::BTreeMap;
use std::path::Path;

use mqtt_session::{Broker, BrokerConfig, BrokerKey, Instant, Key};
use mqtt_store::{FileStore, Salvaged, SessionName, Store, StoreErrorKind, Stored, Write};

use crate::broker::Script;
use crate::exchange::{client_name, groups, server_name};
use crate::model::{Model, Random};
use crate::reading::looked_at;

/// What became of the damaged files.
#[derive(Debug, Default)]
struct Seen {
    untouched: u32,
    salvaged: u32,
    /// A record was lost alone.
    alone: u32,
    ended: u32,
    /// A record of a broker was lost alone.
    broker_alone: u32,
    incomplete: u32,
    names_lost: u32,
    older: u32,
    refused: u32,
}

struct Sample {
    image: Vec<u8>,
    /// Where there is something but zeros, behind the header.
    used: Vec<usize>,
    truth: Model,
    /// The state before the last commit.
    older: Model,
}

/// Many sessions, so that there are several levels of pages.
fn sample(is_closed: bool, sessions: u32, of_brokers: u32) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let load = groups(90, 11);
    let mut copies = Vec::new();
    for group in &load {
        for copy in 0..sessions {
            copies.extend(group.iter().map(|write| Write {
                session: SessionName::new(format!("{copy:05}-{}", write.session)).unwrap(),
                action: write.action.clone(),
            }));
        }
    }
    copies.extend(brokers(of_brokers));
    let states = Model::states(&[copies.clone(), load[0].clone(), load[1].clone()]);
    let mut store = FileStore::open(&path).unwrap();
    for group in [&copies, &load[0], &load[1]] {
        store.commit(group).unwrap();
    }
    let unclosed = std::fs::read(&path).unwrap();
    Box::new(store).close().unwrap();
    let image = if is_closed {
        std::fs::read(&path).unwrap()
    } else {
        unclosed
    };
    let used = (4096..image.len()).filter(|at| image[*at] != 0);
    Sample {
        used: used.collect(),
        image,
        truth: states[3].clone(),
        older: states[2].clone(),
    }
}

/// What so many brokers have written.
fn brokers(copies: u32) -> Vec<Write> {
    let mut script = Script::new();
    let mut writes = Vec::new();
    for _ in 0..25 {
        for write in script.round() {
            writes.extend((0..copies).map(|copy| Write {
                session: SessionName::new(format!("broker-{copy}")).unwrap(),
                ..write.clone()
            }));
        }
        script.confirm();
    }
    writes
}

impl Seen {
    /// Opens a damaged file: everything it gives back has to be true.
    fn open(&mut self, image: &[u8], sample: &Sample, may_be_older: bool, what: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        std::fs::write(&path, image).unwrap();
        let looked = looked_at(&path);
        match FileStore::open(&path) {
            Ok(mut store) => {
                looked.unwrap().assert_is_of(&mut store, what);
                self.check(&mut store, image, sample, may_be_older, what);
            }
            Err(error) => {
                assert_eq!(looked.unwrap_err().kind(), error.kind(), "{what}");
                let kinds = [
                    StoreErrorKind::Damaged,
                    StoreErrorKind::NotAStore,
                    StoreErrorKind::Version(1),
                    StoreErrorKind::Version(2),
                ];
                assert!(kinds.contains(&error.kind()), "{what}: {error}");
                assert_eq!(
                    std::fs::read(&path).unwrap(),
                    image,
                    "{what}: a refused file is as it was"
                );
                self.refused += 1;
            }
        }
    }

    fn check(&mut self, store: &mut FileStore, image: &[u8], sample: &Sample, may_be_older: bool, what: &str) {
        let salvaged = store.salvaged().cloned();
        let Some(salvaged) = salvaged else {
            let state = Model::of(store);
            if state == sample.truth {
                self.untouched += 1;
            } else {
                assert!(
                    may_be_older && state == sample.older,
                    "{what}: a state that never was, unreported"
                );
                self.older += 1;
            }
            return;
        };
        self.salvaged += 1;
        assert_eq!(std::fs::read(&salvaged.moved_to).unwrap(), image, "{what}");
        self.ended += u32::from(!salvaged.ended.is_empty());
        self.names_lost += u32::from(salvaged.names_lost);
        self.alone += u32::from(salvaged.ended.is_empty() && !salvaged.damaged.is_empty());
        self.broker_alone += u32::from(salvaged.brokers_incomplete.is_empty() && !salvaged.broker_damaged.is_empty());
        self.incomplete += u32::from(!salvaged.brokers_incomplete.is_empty());
        let truths = if may_be_older {
            vec![&sample.truth, &sample.older]
        } else {
            vec![&sample.truth]
        };
        let faults = truths.iter().map(|truth| {
            let session = fault(store, truth, salvaged.names_lost);
            session.or_else(|| broker_fault(store, truth, &salvaged))
        });
        let faults: Vec<_> = faults.collect();
        assert!(faults.iter().any(Option::is_none), "{what}: {faults:?}, {salvaged:?}");
        // What is known to be lost is known after the next restart too.
        let names: Vec<_> = sample.truth.sessions.keys().cloned().collect();
        let before: Vec<_> = names.iter().map(|name| store.load(name).unwrap()).collect();
        let brokers: Vec<_> = sample.truth.brokers.keys().cloned().collect();
        let brokers_before: Vec<_> = brokers.iter().map(|name| store.load_broker(name).unwrap()).collect();
        let path = salvaged.moved_to.with_file_name("s.redb");
        let image = std::fs::read(&path).unwrap();
        let again = path.with_file_name("again.redb");
        std::fs::write(&again, image).unwrap();
        let mut store = FileStore::open(&again).unwrap();
        assert_eq!(store.salvaged(), None, "{what}");
        let after: Vec<_> = names.iter().map(|name| store.load(name).unwrap()).collect();
        assert_eq!(before, after, "{what}");
        let after: Vec<_> = brokers.iter().map(|name| store.load_broker(name).unwrap()).collect();
        assert_eq!(brokers_before, after, "{what}");
        // Whatever is left, a broker begins with it.
        for loaded in after {
            let mut restore = Broker::restore(BrokerConfig::new(1), Instant::from_secs(1));
            loaded.into_broker(&mut restore).unwrap();
            let _ = restore.finish();
        }
    }
}

/// What is wrong with what a store gives back, if anything.
fn fault(store: &mut FileStore, truth: &Model, names_lost: bool) -> Option<String> {
    for name in store.sessions().unwrap() {
        if !truth.sessions.contains_key(&name) {
            return Some(format!("{name} never was"));
        }
    }
    for (name, records) in &truth.sessions {
        let loaded = store.load(name).unwrap().records;
        let loaded: BTreeMap<Key, Stored> = loaded.into_iter().map(|stored| (stored.key(), stored)).collect();
        let has_ended = loaded.get(&Key::Session) == Some(&Stored::Damaged(Key::Session));
        for (key, stored) in &loaded {
            match stored {
                Stored::Record(_, bytes) if records.get(key).is_none_or(|record| record != bytes) => {
                    return Some(format!("{name}: {key:?} is wrong"));
                }
                _ => {}
            }
        }
        if !has_ended && let Some(missing) = records.keys().find(|key| !loaded.contains_key(key)) {
            return Some(format!(
                "{name}: {missing:?} is missing in silence, names lost: {names_lost}"
            ));
        }
    }
    None
}

/// The same of brokers: what is missing of a session ends it, and what else is missing is said to be.
fn broker_fault(store: &mut FileStore, truth: &Model, salvaged: &Salvaged) -> Option<String> {
    for name in store.brokers().unwrap() {
        if !truth.brokers.contains_key(&name) {
            return Some(format!("broker {name} never was"));
        }
    }
    for (name, records) in &truth.brokers {
        let loaded = store.load_broker(name).unwrap().records;
        let loaded: BTreeMap<BrokerKey, Stored<BrokerKey>> = loaded
            .into_iter()
            .map(|stored| (stored.broker_key().clone(), stored))
            .collect();
        for (key, stored) in &loaded {
            match stored {
                Stored::Record(_, bytes) if records.get(key).is_none_or(|record| record != bytes) => {
                    return Some(format!("broker {name}: {key:?} is wrong"));
                }
                _ => {}
            }
        }
        let is_said = salvaged.brokers_incomplete.contains(name) || salvaged.broker_names_lost;
        for missing in records.keys().filter(|key| !loaded.contains_key(key)) {
            let has_ended = missing.session().is_none_or(|session| {
                let whole = BrokerKey::Session(session, Key::Session);
                let is_gone = !loaded.keys().any(|key| key.session() == Some(session));
                is_gone || loaded.get(&whole) == Some(&Stored::Damaged(whole.clone()))
            });
            if !is_said || !has_ended {
                return Some(format!("broker {name}: {missing:?} is missing in silence"));
            }
        }
    }
    None
}

fn scale() -> u64 {
    std::env::var("MQTT_STORE_SCALE").map_or(1, |scale| scale.parse().unwrap())
}

/// A place that has something; one in five in the header, since it matters most.
fn used_place(sample: &Sample, random: &mut Random) -> usize {
    match random.below(5) {
        0 => random.below(320) as usize,
        _ => sample.used[random.below(sample.used.len() as u64) as usize],
    }
}

#[test]
fn flipped_bytes_are_never_taken_for_what_was_written() {
    let (mut salvaged, mut alone, mut ended) = (0, 0, 0);
    for (is_closed, sessions) in [(true, 40), (false, 40), (true, 0), (false, 0)] {
        let sample = sample(is_closed, sessions, 0);
        let mut random = Random::new(3);
        let mut seen = Seen::default();
        for round in 0..80 * scale() {
            let mut image = sample.image.clone();
            let at = used_place(&sample, &mut random);
            let mask = 1 << random.below(8);
            image[at] ^= mask;
            seen.open(
                &image,
                &sample,
                !is_closed,
                &format!("round {round}: byte {at} by {mask:#x}"),
            );
        }
        println!("closed {is_closed}, {sessions} copies: {seen:?}");
        salvaged += seen.salvaged;
        alone += seen.alone;
        ended += seen.ended;
    }
    assert!(
        salvaged > 10 && alone > 0 && ended > 0,
        "{salvaged} files, {alone} with records alone, {ended} with sessions"
    );
}

#[test]
fn zeroed_sectors_are_never_taken_for_what_was_written() {
    let sample = sample(true, 40, 0);
    let mut random = Random::new(5);
    let mut seen = Seen::default();
    for round in 0..40 * scale() {
        let mut image = sample.image.clone();
        let mut zeroed = Vec::new();
        for _ in 0..=random.below(3) {
            let at = used_place(&sample, &mut random) / 512 * 512;
            image[at..at + 512].fill(0);
            zeroed.push(at);
        }
        seen.open(&image, &sample, false, &format!("round {round}: sectors {zeroed:?}"));
    }
    println!("{seen:?}");
    assert!(seen.ended > 0, "{seen:?}");
}

#[test]
fn damage_of_a_broker_is_told_and_ends_what_it_may_have_hit() {
    let (mut alone, mut incomplete) = (0, 0);
    for is_closed in [true, false] {
        let sample = sample(is_closed, 0, 4);
        let mut random = Random::new(13);
        let mut seen = Seen::default();
        for round in 0..60 * scale() {
            let mut image = sample.image.clone();
            let at = used_place(&sample, &mut random);
            let what = if round % 2 == 0 {
                image[at] ^= 1 << random.below(8);
                format!("round {round}: byte {at}")
            } else {
                let sector = at / 512 * 512;
                image[sector..sector + 512].fill(0);
                format!("round {round}: sector {sector}")
            };
            seen.open(&image, &sample, !is_closed, &what);
        }
        println!("closed {is_closed}: {seen:?}");
        alone += seen.broker_alone;
        incomplete += seen.incomplete;
    }
    assert!(alone > 10 && incomplete > 2, "{alone} alone, {incomplete} incomplete");
}

#[test]
fn cut_files_are_never_taken_for_whole_ones() {
    let sample = sample(true, 40, 0);
    let mut random = Random::new(9);
    let mut seen = Seen::default();
    for round in 0..40 * scale() {
        let len = random.below(sample.image.len() as u64) as usize;
        seen.open(
            &sample.image[..len.max(1)],
            &sample,
            false,
            &format!("round {round}: cut at {len}"),
        );
    }
    println!("{seen:?}");
    assert!(seen.refused + seen.salvaged > 0, "{seen:?}");
}

/// Damages what is found in the file.
fn damaged(path: &Path, what: &[u8]) {
    let mut image = std::fs::read(path).unwrap();
    let at: Vec<_> = (0..image.len() - what.len())
        .filter(|at| image[*at..].starts_with(what))
        .collect();
    assert!(!at.is_empty());
    for at in at {
        image[at + what.len() / 2] ^= 1;
    }
    std::fs::write(path, image).unwrap();
}

#[test]
fn a_damaged_record_is_lost_alone_and_the_rest_comes_back() {
    use bytes::Bytes;
    use mqtt_session::{Change, PayloadOf, Record};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let payload = |number: u64| {
        let bytes = Bytes::from(format!("this is the payload with the number {number}"));
        Change::Put(Record::Payload {
            of: PayloadOf::Inbox(number),
            bytes,
        })
    };
    let mut store = FileStore::open(&path).unwrap();
    for name in [client_name(), server_name()] {
        store
            .commit(&[Write::apply(name, (0..10).map(payload).collect())])
            .unwrap();
    }
    Box::new(store).close().unwrap();
    damaged(&path, b"this is the payload with the number 4");
    let mut store = FileStore::open(&path).unwrap();
    let lost = Key::Payload(PayloadOf::Inbox(4));
    let salvaged = store.salvaged().unwrap();
    assert_eq!(salvaged.damaged, [(client_name(), lost), (server_name(), lost)]);
    assert_eq!(
        (salvaged.records, salvaged.ended.len(), salvaged.names_lost),
        (18, 0, false)
    );
    for name in [client_name(), server_name()] {
        let loaded = store.load(&name).unwrap();
        let damaged: Vec<_> = loaded
            .records
            .iter()
            .filter(|stored| matches!(stored, Stored::Damaged(_)))
            .collect();
        assert_eq!(damaged, [&Stored::Damaged(lost)]);
        assert_eq!(loaded.records.len(), 10);
        // The machine deletes what it has dealt with, and then it is gone.
        store
            .commit(&[Write::apply(name.clone(), vec![Change::Delete(lost)])])
            .unwrap();
        assert_eq!(store.load(&name).unwrap().records.len(), 9);
    }
}

/// No checksum covers the whole header: one bit of it says which of two states is the last one.
#[test]
fn each_bit_of_the_header_matters_or_is_noticed() {
    for is_closed in [true, false] {
        let sample = sample(is_closed, 0, 1);
        let mut seen = Seen::default();
        for at in 0..320 {
            let is_tried = |bit: &usize| scale() >= 4 || at < 16 || *bit == at % 8;
            for bit in (0..8).filter(is_tried) {
                let mut image = sample.image.clone();
                image[at] ^= 1 << bit;
                seen.open(&image, &sample, !is_closed, &format!("bit {bit} of byte {at}"));
            }
        }
        println!("closed {is_closed}: {seen:?}");
        assert!(seen.salvaged > 0 && seen.untouched > 0 && seen.refused > 0, "{seen:?}");
    }
}
