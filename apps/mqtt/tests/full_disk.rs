//! A disk without room: `mqtt broker` acknowledges nothing that it could not store, says so, and has everything that it
//! acknowledged when there is room again.
//!
//! The disk is a small one in memory, in a mount namespace of the test's own.
#![cfg(all(target_os = "linux", feature = "tokio"))]

mod lives;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mqtt_tokio::session::{CleanStart, Reconnect};
use mqtt_tokio::{Client, ClientOptions, Message, Published, QoS};
use tokio::runtime::Runtime;

use self::lives::{PATIENCE, Serving, free_address, settled};
use self::web::get;

/// What the test in the namespace is told, in its environment.
const FOLDER: &str = "MQTT_FULL_DISK_FOLDER";
const LANES: u64 = 6;
const PAYLOAD_BYTES: usize = 3_000;

/// How a process comes into a mount namespace of its own, if this user may have one.
fn namespace() -> Option<Vec<&'static str>> {
    let ways = [
        vec!["unshare", "--mount"],
        vec!["unshare", "--user", "--map-root-user", "--mount"],
    ];
    let way = ways.into_iter().find(|way| {
        let try_it = "mount -t tmpfs -o size=1m none /tmp && mount -o remount,size=2m /tmp";
        let tried = Command::new(way[0])
            .args(&way[1..])
            .args(["sh", "-c", try_it])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    });
    if way.is_none() {
        mqtt_testbed::skipped("nothing can be mounted here");
    }
    way
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(way) = namespace() else { return };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let status = Command::new(way[0])
        .args(&way[1..])
        .arg(std::env::current_exe().expect("this is a test"))
        .args(["in_a_namespace_of_its_own", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .status();
    assert!(status.expect("it was tried").success());
}

/// What was acknowledged, by number.
type Book = Arc<Mutex<BTreeMap<u64, QoS>>>;

fn of(book: &Book) -> MutexGuard<'_, BTreeMap<u64, QoS>> {
    book.lock().expect("nobody panics")
}

fn mount(options: &str, disk: &Path) {
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "none"])
        .arg(disk)
        .status();
    assert!(status.expect("there is mount").success());
}

/// Not a test of its own: what the one above starts.
#[test]
#[ignore = "is started by the test beside it, where it may mount a disk"]
fn in_a_namespace_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let disk = folder.join("disk");
    fs::create_dir(&disk).expect("there is room for a folder");
    mount("size=2m", &disk);
    let (address, metrics) = (free_address(), free_address());
    let control = folder.join("control.sock");
    let config = format!(
        "sys_interval = '0s'\ncontrol = '{}'\n[[listener]]\naddress = '{address}'\n[metrics]\naddress = '{metrics}'\n\
         [persistence]\npath = '{}'\n",
        control.display(),
        disk.join("broker.store").display()
    );
    let runtime = Runtime::new().expect("threads");
    let book = Book::default();

    let broker = Serving::start(folder, &config);
    assert!(get(metrics, "/health").starts_with("HTTP/1.1 200"));
    assert!(get(metrics, "/metrics").contains("\nmqtt_store_failed 0\n"));
    runtime.block_on(sleep(address));
    assert_eq!(health(&control), (Some(0), "healthy\n".to_owned()));
    let is_over = Arc::<Mutex<bool>>::default();
    let lanes = runtime.block_on(publish(address, &book, &is_over));
    let why = broker.told("the store has failed: nothing is acknowledged", "error=\"");
    assert!(why.starts_with("there"), "there is no room: {why}");
    is_silent(&broker, &book, metrics);
    let (code, told) = health(&control);
    assert!(code == Some(3) && told.contains("the store has failed: "), "{told}");
    let acknowledged = of(&book).len();
    assert!(acknowledged > 50, "{acknowledged}");
    assert_eq!(broker.end(), Some(1), "not everything was stored");

    no_room_at_the_start(folder, &config, &disk);
    mount("remount,size=200m", &disk);
    let broker = Serving::start(folder, &config);
    assert!(get(metrics, "/health").starts_with("HTTP/1.1 200"));
    *is_over.lock().expect("nobody panics") = true;
    let came = runtime.block_on(async {
        for lane in lanes {
            let ended = tokio::time::timeout(PATIENCE, lane).await;
            ended.expect("what is on its way ends").expect("it does not panic");
        }
        let expected = of(&book).keys().copied().collect();
        collect(address, &expected).await
    });
    assert_eq!(broker.end(), Some(0));
    let book = of(&book);
    println!(
        "{acknowledged} acknowledged before the disk was full, {} in the end",
        book.len()
    );
    for (number, qos) in &*book {
        let times = came.get(number).copied().unwrap_or(0);
        assert!(times > 0, "{number} of {qos:?} was acknowledged, and is lost");
        assert!(times == 1 || *qos == QoS::AtLeastOnce, "{number} came {times} times");
    }
}

/// What `mqtt ctl health` ends with, and says.
fn health(control: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let output = command.args(["ctl", "health", "--socket"]).arg(control).output();
    let output = output.expect("the program runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

/// Nobody is acknowledged anything, and whoever asks is told why.
fn is_silent(broker: &Serving, book: &Book, metrics: SocketAddr) {
    let health = get(metrics, "/health");
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("no room"),
        "{health}"
    );
    assert!(get(metrics, "/metrics").contains("\nmqtt_store_failed 1\n"));
    let refused = broker.client("pub", &["-t", "load", "-m", "x", "-q", "1", "-W", "10"]);
    assert!(!refused.status.success(), "{refused:?}");
    // What was sent before comes, and nothing after it: half a second is long enough for many acknowledgements.
    settled(|| of(book).len());
}

/// A start without room says so, at once or when what is left within the file is used up. What it acknowledged until then counts.
fn no_room_at_the_start(folder: &Path, config: &str, disk: &Path) {
    // Whatever is left.
    let mut filler = fs::File::create(disk.join("filler")).expect("a name needs no room");
    while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    let broker = Serving::begin(Serving::command(folder, config));
    broker.told("there is no room", "");
    drop(broker);
    fs::remove_file(disk.join("filler")).expect("it is ours");
}

fn options(address: SocketAddr, id: &'static str) -> ClientOptions {
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(20))
        .max_delay(Duration::from_millis(100));
    ClientOptions::tcp(address.ip().to_string(), address.port())
        .client_id(id)
        .expect("it is a name")
        .clean_start(CleanStart::Never)
        .reconnect(reconnect)
}

/// Somebody is subscribed, and away.
async fn sleep(address: SocketAddr) {
    let sleeper = mqtt_tokio::start(options(address, "sleeper"));
    sleeper
        .subscribe("load", QoS::ExactlyOnce)
        .await
        .expect("it is granted");
    sleeper.disconnect(Duration::from_secs(10)).await.expect("it leaves");
}

async fn publish(address: SocketAddr, book: &Book, is_over: &Arc<Mutex<bool>>) -> Vec<tokio::task::JoinHandle<()>> {
    let client = mqtt_tokio::start(options(address, "publisher"));
    client.established().await.expect("it is let in");
    let lanes =
        (0..LANES).map(|lane| tokio::spawn(lane_of(client.clone(), lane, Arc::clone(book), Arc::clone(is_over))));
    lanes.collect()
}

async fn lane_of(client: Client, lane: u64, book: Book, is_over: Arc<Mutex<bool>>) {
    let qos = if lane.is_multiple_of(2) {
        QoS::AtLeastOnce
    } else {
        QoS::ExactlyOnce
    };
    for number in (lane..).step_by(LANES as usize) {
        if *is_over.lock().expect("nobody panics") {
            return;
        }
        let payload = format!("{number} {}", "x".repeat(PAYLOAD_BYTES));
        let message = Message::new("load", payload).expect("a topic").qos(qos);
        let ended = client.publish(message).await;
        assert!(matches!(ended, Ok(Published::Acknowledged(_))), "{ended:?}");
        of(&book).insert(number, qos);
    }
}

/// The sleeper comes back: how often each message came, when all of these have, or nothing more does.
async fn collect(address: SocketAddr, expected: &BTreeSet<u64>) -> BTreeMap<u64, u32> {
    let client = mqtt_tokio::start(options(address, "sleeper"));
    let mut stream = client.unclaimed();
    let mut came = BTreeMap::new();
    let quiet = Duration::from_secs(3);
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let Ok(Some(incoming)) = tokio::time::timeout(quiet, stream.next()).await else {
            break;
        };
        let text = std::str::from_utf8(&incoming.message.payload).expect("text");
        let number = text.split(' ').next().expect("a number").parse().expect("a number");
        *came.entry(number).or_insert(0) += 1;
        if expected.iter().all(|number| came.contains_key(number)) {
            break;
        }
    }
    came
}
