//! A copy takes the place of nothing that is in use, and of nothing that is not its own.

use std::fs;
use std::path::Path;

use mqtt_store::{FileReader, FileStore, MemoryStore, SessionName, Store, StoreErrorKind, Write, Writer};

use crate::exchange::groups;
use crate::model::Model;
use crate::reading::filled;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_that_a_store_has_open_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("s.redb"), folder.path().join("other"));
    drop(filled(&path));
    let reader = FileReader::open(&path).unwrap();
    let mut store = FileStore::open(&other).unwrap();
    let refused = reader.copy_to(&other, true, |_, _| {}).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.path()),
        (StoreErrorKind::Locked, Some(&*other))
    );
    // What it confirms is in the file that has the name.
    let mut model = Model::default();
    for group in groups(20, 3) {
        store.commit(&group).unwrap();
        model.apply(&group);
    }
    drop(store);
    assert_eq!(Model::of(&mut FileStore::open(&other).unwrap()), model);
    assert_eq!(
        reader.copy_to(&path, true, |_, _| {}).map_err(|error| error.kind()),
        Err(StoreErrorKind::Locked)
    );
    reader.copy_to(&other, true, |_, _| {}).unwrap();
    assert_eq!(names(folder.path()), ["other", "s.redb"]);
}

#[test]
fn a_file_that_comes_while_it_is_copied_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    drop(filled(&path));
    let reader = FileReader::open(&path).unwrap();
    for is_there_before in [false, true] {
        fs::write(folder.path().join("next"), "precious").unwrap();
        if is_there_before {
            fs::write(&to, "old").unwrap();
        }
        let mut is_first = true;
        let copied = reader.copy_to(&to, true, |_, _| {
            if core::mem::take(&mut is_first) {
                fs::rename(folder.path().join("next"), &to).unwrap();
            }
        });
        assert!(copied.is_err(), "{copied:?}");
        assert_eq!(fs::read(&to).unwrap(), b"precious");
        assert_eq!(names(folder.path()), ["copy", "s.redb"]);
        fs::remove_file(&to).unwrap();
    }
}

#[test]
fn of_two_copies_to_one_place_the_second_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    let (store, model) = filled(&path);
    drop(store);
    let reader = FileReader::open(&path).unwrap();
    let mut seconds = Vec::new();
    reader
        .copy_to(&to, true, |_, _| {
            seconds.push(reader.copy_to(&to, true, |_, _| {}).map_err(|error| error.kind()));
        })
        .unwrap();
    assert!(
        !seconds.is_empty() && seconds.iter().all(|second| *second == Err(StoreErrorKind::Locked)),
        "{seconds:?}"
    );
    assert_eq!(names(folder.path()), ["copy", "s.redb"]);
    assert_eq!(Model::of(&mut FileStore::open(&to).unwrap()), model);
}

#[test]
fn what_was_put_in_its_place_gets_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    drop(filled(&path));
    let half = folder.path().join("copy.new");
    let mut is_first = true;
    let copied = FileReader::open(&path).unwrap().copy_to(&to, false, |_, _| {
        if core::mem::take(&mut is_first) {
            fs::rename(&half, folder.path().join("aside")).unwrap();
            fs::write(&half, "half").unwrap();
        }
    });
    assert_eq!(copied.map_err(|error| error.kind()), Err(StoreErrorKind::Locked));
    assert_eq!(fs::read(&half).unwrap(), b"half");
    assert_eq!(names(folder.path()), ["aside", "copy.new", "s.redb"]);
}

/// Copies and makes smaller, which both write beside what they replace.
fn both(path: &Path) -> [Result<(), StoreErrorKind>; 2] {
    let compacted = FileStore::compact(path, |_, _| {})
        .map(drop)
        .map_err(|error| error.kind());
    // The copy is to be where the other one writes.
    let copied = FileReader::open(path).and_then(|reader| reader.copy_to(path.with_file_name("copy"), true, |_, _| {}));
    [compacted, copied.map(drop).map_err(|error| error.kind())]
}

#[test]
fn only_what_is_left_over_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    drop(filled(&path));
    let beside = ["s.redb.new", "copy.new"].map(|name| folder.path().join(name));
    let image = fs::read(&path).unwrap();

    // Somebody else's.
    for beside in &beside {
        fs::write(beside, "notes").unwrap();
    }
    assert_eq!(both(&path), [Err(StoreErrorKind::NotOpened); 2]);
    for beside in &beside {
        assert_eq!(fs::read(beside).unwrap(), b"notes");
    }
    // Being written.
    let held = beside.each_ref().map(|beside| {
        fs::write(beside, &image[..100]).unwrap();
        let file = fs::File::open(beside).unwrap();
        file.try_lock().unwrap();
        file
    });
    assert_eq!(both(&path), [Err(StoreErrorKind::Locked); 2]);
    assert!(beside.iter().all(|beside| beside.exists()));
    drop(held);
    // Left over.
    assert_eq!(both(&path), [Ok(()); 2]);
    assert_eq!(names(folder.path()), ["copy", "s.redb"]);
    fs::write(&beside[1], "").unwrap();
    assert_eq!(both(&path), [Ok(()); 2]);
    assert_eq!(names(folder.path()), ["copy", "s.redb"]);
}

#[cfg(unix)]
#[test]
fn a_planted_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    drop(filled(&path));
    let target = folder.path().join("target");
    for name in ["s.redb.new", "copy.new"] {
        std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
    }
    assert_eq!(both(&path), [Err(StoreErrorKind::NotOpened); 2]);
    assert!(!target.exists());
    fs::write(&target, "").unwrap();
    assert_eq!(both(&path), [Err(StoreErrorKind::NotOpened); 2]);
    assert_eq!(fs::read(&target).unwrap(), b"");
}

/// A store that opens a damaged file writes beside it, too.
#[test]
fn a_damaged_store_does_not_take_the_file_of_another_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    drop(filled(&path));
    let mut image = fs::read(&path).unwrap();
    let pages = (2..image.len() / 4096).map(|page| page * 4096);
    let is_found = pages.into_iter().any(|at| {
        image[at + 2000] ^= 0xFF;
        fs::write(&path, &image).unwrap();
        image[at + 2000] ^= 0xFF;
        FileReader::open(&path).is_ok_and(|reader| reader.salvaged().is_some())
    });
    assert!(is_found);
    let (beside, damaged) = (folder.path().join("s.redb.new"), fs::read(&path).unwrap());
    fs::write(&beside, "notes").unwrap();
    assert_eq!(
        FileStore::open(&path).map(drop).map_err(|error| error.kind()),
        Err(StoreErrorKind::NotOpened)
    );
    assert_eq!(fs::read(&beside).unwrap(), b"notes");
    assert!(fs::read(&path).unwrap() == damaged);
    fs::remove_file(&beside).unwrap();
    let mut store = FileStore::open(&path).unwrap();
    assert!(store.salvaged().is_some());
    assert!(store.load(&SessionName::new("nobody").unwrap()).is_ok());
    store
        .commit(&[Write::forget(SessionName::new("nobody").unwrap())])
        .unwrap();
    assert_eq!(names(folder.path()), ["s.redb", "s.redb.damaged-1"]);
}

#[test]
fn a_snapshot_is_what_there_was_whatever_is_written_while_it_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    let (mut store, model) = filled(&path);
    let snapshot = store.snapshot().unwrap();
    let mut later = groups(40, 9).into_iter();
    let mut write = |store: &mut FileStore| {
        let group = later.next().expect("there are enough");
        store.commit(&group).unwrap();
        for write in &group {
            store.commit(&[Write::forget(write.session.clone())]).unwrap();
        }
    };
    write(&mut store);
    let mut told = Vec::new();
    let copied = snapshot.copy_to(&to, false, |done, all| {
        told.push((done, all));
        write(&mut store);
    });
    assert_eq!(copied.unwrap(), fs::metadata(&to).unwrap().len());
    assert!(
        told.last().is_some_and(|(done, all)| *all > 0 && done == all),
        "{told:?}"
    );
    assert_eq!(Model::of(&mut FileStore::open(&to).unwrap()), model);
    // The store goes on, and another snapshot has what was written.
    write(&mut store);
    let model = Model::of(&mut store);
    store.snapshot().unwrap().copy_to(&to, true, |_, _| {}).unwrap();
    assert_eq!(Model::of(&mut FileStore::open(&to).unwrap()), model);
    assert_eq!(names(folder.path()), ["copy", "s.redb"]);
}

#[test]
fn a_snapshot_replaces_nothing_that_is_in_use_or_that_it_was_not_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    let (store, model) = filled(&path);
    let writer = Writer::start(store).unwrap();
    let snapshot = writer.snapshot().unwrap();
    let refused = snapshot.copy_to(&path, true, |_, _| {}).unwrap_err();
    assert_eq!((refused.kind(), refused.path()), (StoreErrorKind::Locked, Some(&*path)));
    fs::write(&to, "precious").unwrap();
    let refused = snapshot.copy_to(&to, false, |_, _| {}).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.path()),
        (StoreErrorKind::NotOpened, Some(&*to))
    );
    assert_eq!(fs::read(&to).unwrap(), b"precious");
    snapshot.copy_to(&to, true, |_, _| {}).unwrap();
    assert_eq!(Model::of(&mut FileStore::open(&to).unwrap()), model);
    assert_eq!(names(folder.path()), ["copy", "s.redb"]);
}

/// A store may be closed while it is copied: what can still be read of it is right, and the copy is whole or not there.
/// A socket may be one that is served, a pipe one that somebody waits at.
#[cfg(unix)]
#[test]
fn only_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.store");
    drop(FileStore::open(&path).unwrap());
    let reader = FileReader::open(&path).unwrap();
    let there = |name: &str| folder.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(there("socket")).unwrap();
    fs::create_dir(there("folder")).unwrap();
    std::os::unix::fs::symlink(there("nothing"), there("link")).unwrap();
    for name in ["socket", "folder", "link"] {
        let before = there(name).symlink_metadata().unwrap().file_type();
        let error = reader.copy_to(there(name), true, |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotOpened, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(there(name).symlink_metadata().unwrap().file_type(), before);
    }
    assert_eq!(names(folder.path()), ["broker.store", "folder", "link", "socket"]);
    reader.copy_to(there("nothing"), true, |_, _| {}).unwrap();
}

#[test]
fn a_snapshot_of_a_store_that_is_closed_is_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("s.redb"), folder.path().join("copy"));
    let (store, model) = filled(&path);
    let writer = Writer::start(store).unwrap();
    let snapshot = writer.snapshot().unwrap();
    writer.clone().close().unwrap();
    assert_eq!(
        writer.snapshot().map_err(|error| error.kind()).map(drop),
        Err(StoreErrorKind::Stopped)
    );
    match snapshot.copy_to(&to, false, |_, _| {}) {
        Ok(_) => assert_eq!(Model::of(&mut FileStore::open(&to).unwrap()), model),
        Err(error) => {
            assert_eq!((error.kind(), error.path()), (StoreErrorKind::Stopped, Some(&*path)));
            assert_eq!(names(folder.path()), ["s.redb"]);
        }
    }
    drop(snapshot);
    assert_eq!(Model::of(&mut FileStore::open(&path).unwrap()), model);
}

#[test]
fn a_store_in_memory_has_no_snapshots_and_goes_on() {
    let writer = Writer::start(MemoryStore::new()).unwrap();
    assert_eq!(
        writer.snapshot().map_err(|error| error.kind()).map(drop),
        Err(StoreErrorKind::NoSnapshots)
    );
    assert!(writer.sessions().unwrap().is_empty());
}
