//! The file of the store after an end that nobody chose: what is whole is gone on with, what is not is told, and nobody else can read it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;
use super::running::{Running, mqtt};
use super::web;

/// Nothing but what clients publish is retained.
const CONFIG: &str = "sys_interval = '0s'\n[[listener]]\naddress = '127.0.0.1:0'\n[metrics]\naddress = '127.0.0.1:0'\n\
                      [persistence]\npath = 'broker.store'\n";
const MESSAGES: u64 = 20;

/// A broker on the file in this folder.
fn start(folder: &Path) -> Running {
    let config = folder.join("mqtt.toml");
    fs::write(&config, CONFIG).expect("there is room for a file");
    Running::start(&["broker", "--config", config.to_str().expect("a plain name")])
}

/// How many messages it has retained. `None`: it has ended by itself.
fn retained(broker: &mut Running) -> Option<u64> {
    let until = Instant::now() + PATIENCE;
    while !broker.told().contains(" serving ") {
        if !broker.is_running() {
            // What it said last may still be on its way.
            broker.wait_for_words("broker.store");
            return None;
        }
        assert!(Instant::now() < until, "it neither serves nor ends: {}", broker.told());
        thread::sleep(Duration::from_millis(5));
    }
    let metrics = broker.addresses()[1];
    Some(web::figure(&web::get(metrics, "/metrics"), "mqtt_retained_messages"))
}

/// The file of a broker that was killed when it had acknowledged all of these.
fn killed() -> (TempDir, Vec<u8>) {
    let folder = TempDir::new().expect("there is room for a folder");
    let broker = start(folder.path());
    let port = broker.addresses()[0].port().to_string();
    for number in 0..MESSAGES {
        let topic = format!("kept/{number}");
        let sent = mqtt(&["pub", "-p", &port, "-t", &topic, "-q", "1", "-r", "-m", "x"], b"");
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    }
    broker.signalled("KILL");
    let image = fs::read(folder.path().join("broker.store")).expect("it is there");
    (folder, image)
}

/// BI-120.
#[test]
fn a_broker_goes_on_after_a_kill_and_tells_what_is_damaged() {
    let (folder, image) = killed();
    let mut broker = start(folder.path());
    assert_eq!(retained(&mut broker), Some(MESSAGES), "{}", broker.told());
    assert!(!broker.told().contains("damaged"), "{}", broker.told());
    drop(broker);

    let cut = (0..8).map(|part| image[..image.len() * part / 8].to_vec());
    let flipped = (0..8).map(|part| {
        let mut bytes = image.clone();
        let len = image.len() / 8;
        bytes[part * len..(part + 1) * len]
            .iter_mut()
            .for_each(|byte| *byte ^= 0x55);
        bytes
    });
    let mut saved = 0;
    for (number, bytes) in cut.chain(flipped).enumerate() {
        let folder = TempDir::new().expect("there is room for a folder");
        fs::write(folder.path().join("broker.store"), &bytes).expect("there is room for a file");
        let mut broker = start(folder.path());
        let found = retained(&mut broker);
        let told = broker.told();
        let is_mended = told.contains("the file of the store was damaged");
        // Of none is anything missing without a word, but an empty file is a new one.
        let is_refused = found.is_none() && told.contains("broker.store: ");
        assert!(
            found == Some(MESSAGES) || is_mended || is_refused || bytes.is_empty(),
            "{number}: {found:?} {told}"
        );
        saved += usize::from(is_mended);
    }
    assert!(saved > 0, "no damage was met that leaves anything");
}

/// BI-122.
#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, _) = killed();
    let metadata = fs::metadata(folder.path().join("broker.store")).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}
