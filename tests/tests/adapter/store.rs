//! What the store in a file does with bad files.

use std::fs;
use std::path::Path;

use mqtt_session::{Batch, Client, ClientConfig, Instant, Message, QoS};
use mqtt_store::{FileStore, SessionName, Store, Stored, Write};
use mqtt_tests::ledger::{Layer, Trial, covers};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Adapter, format!("bad_input::{id}::store: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "BI-120",
            "the end of a process and a cut file are recovered from",
            recovery_is_automatic,
        ),
        trial(
            "BI-121",
            "a damaged file gives out nothing that is wrong",
            damage_gives_out_nothing_wrong,
        ),
        #[cfg(unix)]
        trial("BI-122", "nobody else can read the file", files_are_private),
    ]
}

fn name() -> SessionName {
    SessionName::new("sensor-7").expect("it is short")
}

/// The changes of a client that publishes one message after the other.
fn groups(count: u64) -> Vec<Vec<Write>> {
    let now = Instant::from_secs(1_000);
    let config = ClientConfig::new("sensor-7").expect("it is text").is_stored(true);
    let mut client = Client::new(config, now);
    let mut groups = Vec::new();
    for tag in 0..count {
        let message = Message::new("t", vec![7; 300])
            .expect("it is a topic")
            .qos(QoS::ExactlyOnce);
        client.publish(now, message, tag).expect("there is room");
        let mut batch = Batch::default();
        while client.poll_store(&mut batch) {
            client.handle_stored(now, batch.number());
            groups.push(vec![Write::apply(name(), batch.changes().to_vec())]);
        }
    }
    assert!(groups.len() >= 10);
    groups
}

/// What the file has, if it can be opened.
fn read(path: &Path) -> Option<Vec<Stored>> {
    let mut store = FileStore::open(path).ok()?;
    Some(store.load(&name()).expect("it is open").records)
}

fn recovery_is_automatic() {
    let folder = tempfile::tempdir().expect("there is room");
    let (path, copy) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let mut store = FileStore::open(&path).expect("it is new");
    let mut image = Vec::new();
    for group in groups(20) {
        store.commit(&group).expect("there is room");
        let expected = store.load(&name()).expect("it is open").records;
        // The process ends here: nothing is closed.
        image = fs::read(&path).expect("it is there");
        fs::write(&copy, &image).expect("there is room");
        assert_eq!(read(&copy), Some(expected));
    }
    for part in 1..16 {
        fs::write(&copy, &image[..image.len() * part / 16]).expect("there is room");
        // What cannot be opened is an error, and what can has something to say.
        assert!(read(&copy).is_none_or(|records| !records.is_empty()), "{part} of 16");
    }
}

fn damage_gives_out_nothing_wrong() {
    let folder = tempfile::tempdir().expect("there is room");
    let (path, copy) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let mut store = FileStore::open(&path).expect("it is new");
    for group in groups(20) {
        store.commit(&group).expect("there is room");
    }
    let truth = store.load(&name()).expect("it is open").records;
    Box::new(store).close().expect("there is room");
    let image = fs::read(&path).expect("it is there");
    let used: Vec<usize> = (0..image.len()).filter(|place| image[*place] != 0).collect();
    let (mut damaged, mut random) = (0, 1_u64);
    for _ in 0..150 {
        let mut bytes = image.clone();
        for _ in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = used[(random >> 33) as usize % used.len()];
            bytes[place] ^= (random >> 25) as u8 | 1;
        }
        fs::write(&copy, &bytes).expect("there is room");
        for stored in read(&copy).unwrap_or_default() {
            match stored {
                Stored::Record(..) => assert!(truth.contains(&stored), "{stored:?} was never written"),
                Stored::Damaged(_) => damaged += 1,
            }
        }
    }
    assert!(damaged > 0, "the damage was never seen");
}

#[cfg(unix)]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("a.redb");
    let store = FileStore::open(&path).expect("it is new");
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    Box::new(store).close().expect("there is room");
}
