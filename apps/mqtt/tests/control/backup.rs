//! The store is copied while the broker goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_proto::{Packet, PubAck, QoS, SubscriptionOptions, Version};

use super::broker::{Broker, ended};
use super::client::Client;
use super::serving::{PATIENCE, folder};

/// Messages are retained at every so many.
const RETAINED: u64 = 10;

fn stored(shards: u16) -> String {
    format!(
        "shards = {shards}\n[limits.client]\nqueued_messages = 1000000\n\
         [persistence]\npath = 'broker.store'\ndurability = 'os'\n"
    )
}

fn path_of(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    path.to_str().expect("a plain name").to_owned()
}

/// Publishes one message after the other, each when the one before is acknowledged.
fn publish_on_and_on(mut publisher: Client, acknowledged: &AtomicU64, is_over: &AtomicBool) {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        publisher.publish(&format!("load/{number}"), &number.to_string(), number % RETAINED == 0);
        acknowledged.store(number, Ordering::Release);
    }
}

fn wait_for(acknowledged: &AtomicU64, count: u64) {
    let until = Instant::now() + PATIENCE;
    while acknowledged.load(Ordering::Acquire) < count {
        assert!(Instant::now() < until, "nothing is acknowledged any more");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_copy_under_load_has_all_that_was_acknowledged_before() {
    let (folder, restored) = (folder(), folder());
    let mut broker = Broker::start(folder.path(), &stored(2));
    let mut away = Client::connect(&broker, "away", Version::V5, 3600);
    away.subscribe("load/#", SubscriptionOptions::new(QoS::AtLeastOnce));
    away.leave();
    let copy = path_of(restored.path(), "broker.store");
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let publisher = Client::connect(&broker, "publisher", Version::V5, 0);
    let before = thread::scope(|scope| {
        scope.spawn(|| publish_on_and_on(publisher, &acknowledged, &is_over));
        let mut before = 0;
        // The second copy takes the place of the first.
        for further in [300, 200] {
            wait_for(&acknowledged, before + further);
            before = acknowledged.load(Ordering::Acquire);
            let said = broker.ctl(&["backup", "--force", &copy]);
            assert_eq!(said.code, Some(0), "{}", said.errors);
            let bytes = fs::metadata(&copy).expect("it is there").len();
            assert_eq!(said.out, format!("{copy}: {bytes} bytes, a copy of the store\n"));
        }
        // The load has gone on beside that.
        wait_for(&acknowledged, before + 1);
        is_over.store(true, Ordering::Relaxed);
        before
    });
    let all = acknowledged.load(Ordering::Acquire);
    broker.told("the store was copied", "");
    broker.signal("-KILL");
    assert_eq!(broker.ends(), None);
    assert_eq!(
        fs::metadata(&copy).expect("it is there").permissions().mode() & 0o777,
        0o600
    );
    let check = ended(Command::new(env!("CARGO_BIN_EXE_mqtt")).args(["store", "check", &copy]));
    assert_eq!(check.code, Some(0), "{} {}", check.out, check.errors);

    let broker = Broker::start(restored.path(), &stored(2));
    let sessions = broker.json(&["sessions", "--client", "away"]);
    let count = sessions[0]["messages"].as_u64().expect("a number");
    println!("{before} of {all} were acknowledged before, and {count} are in the copy");
    assert!((before..=all).contains(&count), "{before} <= {count} <= {all}");
    let retained = broker.json(&["retained", "list", "load/#"]).len() as u64;
    assert!((before / RETAINED..=all / RETAINED).contains(&retained), "{retained}");
    let mut away = Client::connect(&broker, "away", Version::V5, 3600);
    for number in 1..=count {
        let Some(Packet::Publish(publish)) = away.next() else {
            panic!("message {number} is missing")
        };
        assert_eq!(publish.payload, number.to_string());
        let id = publish.delivery.id().expect("QoS 1 has one");
        away.send(&Packet::PubAck(PubAck::new(id, mqtt_proto::PubAckReason::Success)));
    }
}

#[test]
fn what_cannot_be_copied_or_replaced_is_told() {
    let folder = folder();
    let broker = Broker::start(folder.path(), &stored(1));
    let copy = path_of(folder.path(), "copy");
    fs::write(&copy, "precious").expect("there is room for a file");
    let refused = broker.ctl(&["backup", &copy]);
    assert_eq!(refused.code, Some(3), "{}", refused.errors);
    assert!(refused.errors.contains("a file already"), "{}", refused.errors);
    assert_eq!(fs::read(&copy).expect("it is there"), b"precious");
    // Its own file, a folder that is not there, and the socket that it is asked by.
    let socket = broker
        .socket
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a plain name");
    for (path, why) in [
        ("broker.store", "in use"),
        ("nowhere/copy", "nowhere"),
        (socket, "not a file"),
    ] {
        let failed = broker.ctl(&["backup", "--force", &path_of(folder.path(), path)]);
        assert_eq!(failed.code, Some(1), "{}", failed.errors);
        assert!(failed.errors.contains(why), "{}", failed.errors);
    }
    let relative = broker.converse(b"{\"ask\":\"backup\",\"path\":\"copy\"}\n");
    assert_eq!(relative[0]["error"]["kind"], "bad-request", "{relative:?}");
    // A path is that of whoever asks.
    let mut here = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    here.current_dir(folder.path())
        .args(["ctl", "--json", "--socket"])
        .arg(&broker.socket);
    let said = ended(here.args(["backup", "here"]));
    assert_eq!(said.code, Some(0), "{}", said.errors);
    let items = said.items();
    let last = items.last().expect("it says what it did");
    assert_eq!(
        last["path"],
        path_of(&folder.path().canonicalize().expect("it is there"), "here")
    );
    assert_eq!(last["records"], last["of"]);
    assert_eq!(
        last["bytes"],
        fs::metadata(folder.path().join("here")).expect("it is there").len()
    );
    let mut left = fs::read_dir(folder.path()).expect("it is there").flatten();
    assert!(left.all(|entry| entry.path().extension().is_none_or(|extension| extension != "new")));
    assert_eq!(broker.ctl(&["health"]).code, Some(0));
}

#[test]
fn a_broker_without_a_store_has_nothing_to_copy() {
    let folder = folder();
    let broker = Broker::start(folder.path(), "");
    let refused = broker.ctl(&["backup", &path_of(folder.path(), "copy")]);
    assert_eq!(refused.code, Some(3), "{}", refused.errors);
    assert!(refused.errors.contains("in memory"), "{}", refused.errors);
    assert!(!folder.path().join("copy").exists());
}
