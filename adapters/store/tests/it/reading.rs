//! A file that is only looked at stays as it is, and shows what a store would have. Copies of it are the same.

use std::fs;
use std::path::Path;

use mqtt_session::BrokerKey;
use mqtt_store::{FileReader, FileStore, Loaded, Salvaged, SessionName, Store, StoreError, StoreErrorKind, Write};

use crate::broker::Script;
use crate::exchange::groups;
use crate::model::Model;

/// Everything that can be seen of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    sessions: Vec<(SessionName, Loaded)>,
    brokers: Vec<(SessionName, Loaded<BrokerKey>)>,
    unknown: (Loaded, Loaded<BrokerKey>),
    salvaged: Option<Salvaged>,
}

/// What a reader sees. It changes nothing.
pub(crate) fn looked_at(path: &Path) -> Result<Seen, StoreError> {
    let before = fs::read(path).unwrap();
    let seen = FileReader::open(path).and_then(|mut reader| {
        let unknown = SessionName::new("nobody").unwrap();
        let mut seen = Seen {
            sessions: Vec::new(),
            brokers: Vec::new(),
            unknown: (reader.load(&unknown)?, reader.load_broker(&unknown)?),
            salvaged: reader.salvaged().cloned(),
        };
        for name in reader.sessions()? {
            let loaded = reader.load(&name)?;
            seen.sessions.push((name, loaded));
        }
        for name in reader.brokers()? {
            let loaded = reader.load_broker(&name)?;
            seen.brokers.push((name, loaded));
        }
        Ok(seen)
    });
    assert!(fs::read(path).unwrap() == before, "the file was changed");
    seen
}

impl Seen {
    /// Whether a store that has opened the file has the same.
    pub(crate) fn assert_is_of(mut self, store: &mut FileStore, what: &str) {
        if let (Some(seen), Some(salvaged)) = (&mut self.salvaged, store.salvaged()) {
            seen.moved_to.clone_from(&salvaged.moved_to);
        }
        let unknown = SessionName::new("nobody").unwrap();
        let load = |store: &mut FileStore, name: SessionName| (name.clone(), store.load(&name).unwrap());
        let load_broker = |store: &mut FileStore, name: SessionName| (name.clone(), store.load_broker(&name).unwrap());
        let sessions = store.sessions().unwrap();
        let brokers = store.brokers().unwrap();
        let same = Self {
            sessions: sessions.into_iter().map(|name| load(store, name)).collect(),
            brokers: brokers.into_iter().map(|name| load_broker(store, name)).collect(),
            unknown: (store.load(&unknown).unwrap(), store.load_broker(&unknown).unwrap()),
            salvaged: store.salvaged().cloned(),
        };
        assert!(self == same, "{what}: a reader sees {self:?}, and a store {same:?}");
    }
}

/// Sessions and a broker, of which much was written and is gone again.
pub(crate) fn filled(path: &Path) -> (FileStore, Model) {
    let mut all = groups(60, 5);
    let mut script = Script::new();
    for _ in 0..25 {
        all.push(script.round());
        script.confirm();
    }
    for number in 0..40 {
        let name = SessionName::new(format!("gone-{number}")).unwrap();
        let gone = groups(30, number).into_iter().flatten().map(|write| Write {
            session: name.clone(),
            ..write
        });
        all.push(gone.collect());
        all.push(vec![Write::forget(name.clone()), Write::forget_broker(name.clone())]);
    }
    let mut store = FileStore::open(path).unwrap();
    let mut model = Model::default();
    for group in &all {
        store.commit(group).unwrap();
        model.apply(group);
    }
    (store, model)
}

#[test]
fn a_file_that_nobody_closed_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("s.redb"), folder.path().join("copy.redb"));
    let (store, model) = filled(&path);
    // As a process leaves it behind that is killed.
    fs::copy(&path, &copy).unwrap();
    let seen = looked_at(&copy).unwrap();
    assert!(seen.salvaged.is_none() && !seen.sessions.is_empty() && !seen.brokers.is_empty());
    let mut reopened = FileStore::open(&copy).unwrap();
    assert_eq!(Model::of(&mut reopened), model);
    seen.assert_is_of(&mut reopened, "not closed");
    drop(store);
    looked_at(&path).unwrap().assert_is_of(&mut reopened, "closed");
}

#[test]
fn a_reader_keeps_stores_away_and_a_store_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let kind = |error: StoreError| error.kind();
    assert_eq!(
        FileReader::open(&path).map_err(kind).unwrap_err(),
        StoreErrorKind::NotOpened
    );
    assert_eq!(
        FileReader::open(folder.path()).map_err(kind).unwrap_err(),
        StoreErrorKind::NotOpened
    );
    assert!(!path.exists(), "looking makes no file");
    let store = FileStore::open(&path).unwrap();
    assert_eq!(
        FileReader::open(&path).map_err(kind).unwrap_err(),
        StoreErrorKind::Locked
    );
    assert_eq!(
        FileStore::compact(&path, |_, _| {}).map_err(kind).unwrap_err(),
        StoreErrorKind::Locked
    );
    drop(store);
    let one = FileReader::open(&path).unwrap();
    let other = FileReader::open(&path).unwrap();
    assert_eq!(
        FileStore::open(&path).map_err(kind).unwrap_err(),
        StoreErrorKind::Locked
    );
    assert_eq!(
        FileStore::compact(&path, |_, _| {}).map_err(kind).unwrap_err(),
        StoreErrorKind::Locked
    );
    drop((one, other));
    FileStore::open(&path).unwrap();
    fs::write(&path, "# a text\n").unwrap();
    assert_eq!(looked_at(&path).map_err(kind).unwrap_err(), StoreErrorKind::NotAStore);
    assert_eq!(
        FileStore::compact(&path, |_, _| {}).map_err(kind).unwrap_err(),
        StoreErrorKind::NotAStore
    );
    fs::write(&path, "").unwrap();
    assert!(looked_at(&path).unwrap().sessions.is_empty());
}

#[test]
fn a_compacted_file_is_smaller_and_has_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let (store, model) = filled(&path);
    drop(store);
    // Left behind by somebody who was killed.
    let image = fs::read(&path).unwrap();
    fs::write(folder.path().join("s.redb.new"), &image[..image.len() / 2]).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let mut told = Vec::new();
    let compaction = FileStore::compact(&path, |done, all| told.push((done, all))).unwrap();
    println!("{compaction:?}");
    assert_eq!(compaction.before_bytes, before);
    assert_eq!(compaction.after_bytes, fs::metadata(&path).unwrap().len());
    assert!(compaction.after_bytes < before, "{compaction:?}");
    assert!(told.last().is_some_and(|(done, all)| done == all), "{told:?}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let mut store = FileStore::open(&path).unwrap();
    assert_eq!(Model::of(&mut store), model);
    // It goes on being a store.
    let name = SessionName::new("next").unwrap();
    for write in groups(5, 99).into_iter().flatten() {
        let write = Write {
            session: name.clone(),
            ..write
        };
        store.commit(&[write]).unwrap();
    }
    drop(store);
    let again = FileStore::compact(&path, |_, _| {}).unwrap();
    assert!(again.after_bytes <= again.before_bytes, "{again:?}");
}

#[test]
fn a_copy_has_the_same_and_replaces_nothing_unless_it_is_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("s.redb"), folder.path().join("copy"));
    let (store, model) = filled(&path);
    drop(store);
    let reader = FileReader::open(&path).unwrap();
    let mut told = Vec::new();
    let bytes = reader
        .copy_to(&copy, false, |done, all| told.push((done, all)))
        .unwrap();
    assert_eq!(bytes, fs::metadata(&copy).unwrap().len());
    assert_eq!(told.last(), Some(&(2 * bytes, 2 * bytes)));
    assert_eq!(Model::of(&mut FileStore::open(&copy).unwrap()), model);
    fs::write(&copy, "precious").unwrap();
    let refused = reader.copy_to(&copy, false, |_, _| {}).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.path()),
        (StoreErrorKind::NotOpened, Some(&*copy))
    );
    assert_eq!(fs::read(&copy).unwrap(), b"precious");
    reader.copy_to(&copy, true, |_, _| {}).unwrap();
    assert_eq!(Model::of(&mut FileStore::open(&copy).unwrap()), model);
    let nowhere = reader.copy_to(folder.path().join("no/copy"), false, |_, _| {});
    assert_eq!(nowhere.unwrap_err().kind(), StoreErrorKind::NotOpened);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing is left beside them"
    );
}

#[test]
fn what_is_damaged_is_neither_copied_nor_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    drop(filled(&path));
    let mut image = fs::read(&path).unwrap();
    // Some leaf: a page that begins with its kind.
    let pages = (2..image.len() / 4096).map(|page| page * 4096);
    let is_found = pages.into_iter().any(|at| {
        let before = image[at + 2000];
        image[at + 2000] ^= 0xFF;
        fs::write(&path, &image).unwrap();
        let is_damaged = looked_at(&path).is_ok_and(|seen| seen.salvaged.is_some());
        image[at + 2000] = before;
        is_damaged
    });
    assert!(is_found);
    let image = fs::read(&path).unwrap();
    let refused = FileStore::compact(&path, |_, _| {}).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::PartlyDamaged);
    let copied = FileReader::open(&path)
        .unwrap()
        .copy_to(folder.path().join("copy"), false, |_, _| {});
    assert_eq!(copied.unwrap_err().kind(), StoreErrorKind::PartlyDamaged);
    assert!(fs::read(&path).unwrap() == image);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
