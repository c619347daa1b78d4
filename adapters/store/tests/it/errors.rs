//! What goes wrong says what, where and what to try; and a store that failed never confirms again.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use mqtt_session::{Batch, Client, ClientConfig, Instant, Message, QoS};
use mqtt_store::{FileOptions, FileStore, MemoryStore, Store, StoreError, StoreErrorKind, Writer};
use redb::{Database, TableDefinition};

use crate::exchange::{client_name, groups};
use crate::medium::{Disk, Fault};
use crate::model::Model;

fn open_error(path: &Path) -> StoreError {
    let error = FileStore::open(path).unwrap_err();
    assert_eq!(error.path(), Some(path));
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains("; "), "{text} does not say what to try");
    error
}

#[test]
fn a_file_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    let store = FileStore::open(&path).unwrap();
    assert_eq!(open_error(&path).kind(), StoreErrorKind::Locked);
    drop(store);
    FileStore::open(&path).unwrap();
}

#[test]
fn a_file_in_a_folder_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = open_error(&folder.path().join("missing").join("s.redb"));
    assert_eq!(error.kind(), StoreErrorKind::NotOpened);
    assert!(error.source().is_some());
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    let content = "no store at all\n".repeat(400);
    std::fs::write(&text, &content).unwrap();
    assert_eq!(open_error(&text).kind(), StoreErrorKind::NotAStore);
    assert_eq!(std::fs::read_to_string(&text).unwrap(), content);

    let other = folder.path().join("other.redb");
    with_table(&other, "somebody/else");
    assert_eq!(open_error(&other).kind(), StoreErrorKind::NotAStore);
}

#[test]
fn a_file_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    with_table(&path, "mqtt-store/2/records");
    let error = open_error(&path);
    assert_eq!(error.kind(), StoreErrorKind::Version(2));
    assert!(error.to_string().contains("(2, and 1 is known)"), "{error}");
}

fn with_table(path: &Path, name: &str) {
    let database = Database::create(path).unwrap();
    let writing = database.begin_write().unwrap();
    let table = TableDefinition::<u64, u64>::new(name);
    writing.open_table(table).unwrap().insert(1, 2).unwrap();
    writing.commit().unwrap();
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.redb");
    std::fs::write(&path, b"").unwrap();
    let mut store = FileStore::open(&path).unwrap();
    assert_eq!(store.sessions().unwrap(), []);
}

/// Breaks at each call in turn. What was confirmed is there afterwards, and nothing is confirmed after the failure.
fn breaks(fault: Fault, kind: StoreErrorKind) {
    let load = groups(30, 5);
    let states = Model::states(&load);
    let mut broken = 0;
    for after in 0.. {
        let disk = Disk::default();
        let mut store = FileStore::open_on(disk.clone(), FileOptions::default()).unwrap();
        disk.fail(fault, after);
        let results: Vec<_> = load
            .iter()
            .map(|group| store.commit(group).map_err(|error| error.kind()))
            .collect();
        let confirmed = results.iter().take_while(|result| result.is_ok()).count();
        let Some(first) = results.get(confirmed) else { break };
        assert_eq!(*first, Err(kind), "after {after} calls");
        for later in &results[confirmed + 1..] {
            assert_eq!(*later, Err(StoreErrorKind::Stopped), "after {after} calls");
        }
        assert_eq!(store.load(&client_name()).unwrap_err().kind(), StoreErrorKind::Stopped);
        drop(store);
        let mut restarted = FileStore::open_on(Disk::new(disk.image()), FileOptions::default()).unwrap();
        let state = Model::of(&mut restarted);
        let is_one_of = [&states[confirmed], &states[confirmed + 1]];
        assert!(
            is_one_of.contains(&&state),
            "after {after} calls, {confirmed} groups confirmed"
        );
        broken += 1;
    }
    assert!(broken > 20, "{fault:?} was tried at {broken} calls only");
}

#[test]
fn a_full_disk_is_told_and_loses_nothing_confirmed() {
    breaks(Fault::Full, StoreErrorKind::Full);
}

#[test]
fn a_failed_flush_is_told_and_loses_nothing_confirmed() {
    breaks(Fault::Flush, StoreErrorKind::NotFlushed);
}

#[test]
fn a_failed_write_is_told_and_loses_nothing_confirmed() {
    breaks(Fault::Write, StoreErrorKind::Failed);
}

#[test]
fn a_store_that_failed_never_confirms_again() {
    let memory = MemoryStore::new();
    let writer = Writer::start(memory.clone()).unwrap();
    let mut session = writer.session(client_name());
    let mut idle = writer.session(client_name());
    memory.fail();
    let now = Instant::from_secs(1);
    let mut client = Client::new(ClientConfig::new("c").unwrap().is_stored(true), now);
    for tag in 0..3 {
        client
            .publish(now, Message::new("t", "m").unwrap().qos(QoS::AtLeastOnce), tag)
            .unwrap();
        let mut batch = Batch::new();
        assert!(client.poll_store(&mut batch));
        session.write(&batch);
        session.wait_stored(Duration::from_secs(10)).unwrap_err();
    }
    idle.wait_stored(Duration::from_secs(10)).unwrap_err();
    writer.load(&client_name()).unwrap_err();
    let mut late = writer.session(client_name());
    late.try_stored().unwrap_err();
    writer.close().unwrap_err();
}
