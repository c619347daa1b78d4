//! No acknowledgement leaves the broker before the flush that covers what it promises has returned: read from a trace of its
//! system calls under load.
#![cfg(all(target_os = "linux", feature = "tokio"))]

#[path = "../lives/mod.rs"]
mod lives;
mod packets;
mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mqtt_tokio::session::CleanStart;
use mqtt_tokio::session::proto::Version;
use mqtt_tokio::{Client, ClientOptions, Message, QoS};
use tokio::runtime::Runtime;

use self::lives::{Serving, settled};
use self::trace::{Findings, Trace};

/// How many messages are published, half of them of each QoS.
const MESSAGES: u64 = 240;
/// How many are on their way at a time.
const WINDOW: u64 = 12;

/// What reads, writes and flushes.
const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync,openat,accept4,close";

/// Whether processes can be traced here.
fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-f", "-e", "trace=none", "true"]).output();
    if tried.as_ref().is_ok_and(|output| output.status.success()) {
        return true;
    }
    mqtt_testbed::skipped(format_args!("strace cannot be used: {tried:?}"));
    false
}

fn options(broker: &Serving, id: &'static str) -> ClientOptions {
    ClientOptions::tcp(broker.address.ip().to_string(), broker.address.port())
        // Its packets have nothing but what is looked at.
        .version(Version::V3_1_1)
        .client_id(id)
        .expect("it is a name")
        .clean_start(CleanStart::Never)
}

/// Half of them of QoS 1, half of QoS 2, several at a time. Somebody who is away is subscribed, so each has to be stored.
async fn publish(broker: &Serving) {
    let sleeper = mqtt_tokio::start(options(broker, "sleeper"));
    sleeper
        .subscribe("load", QoS::ExactlyOnce)
        .await
        .expect("it is granted");
    sleeper.disconnect(Duration::from_secs(10)).await.expect("it leaves");
    let client = mqtt_tokio::start(options(broker, "publisher"));
    let lanes: Vec<_> = (0..WINDOW)
        .map(|lane| tokio::spawn(publish_some(client.clone(), lane)))
        .collect();
    for lane in lanes {
        lane.await.expect("it does not panic");
    }
    client.disconnect(Duration::from_secs(10)).await.expect("it leaves");
}

async fn publish_some(client: Client, lane: u64) {
    for number in (lane..MESSAGES).step_by(WINDOW as usize) {
        let qos = match number % 2 {
            0 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        let message = Message::new("load", trace::mark(number)).expect("a topic").qos(qos);
        client.publish(message).await.expect("it is acknowledged");
    }
}

/// Runs a broker with this durability under strace and load, and returns what its system calls say.
fn traced(durability: &str) -> Findings {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("trace");
    let broker = Serving::run(under_strace(folder.path(), &file, durability, &[]));
    Runtime::new().expect("threads").block_on(publish(&broker));
    end_traced(broker, Some(0));
    found(&file, durability)
}

/// The tracer ends with what it traces, and passes on how that has ended.
fn end_traced(broker: Serving, code: Option<i32>) {
    let sent = Command::new("kill").args(["-TERM", &broker.process]).status();
    assert!(sent.expect("there is a kill").success());
    assert_eq!(broker.ended(), code);
}

fn found(file: &Path, what: &str) -> Findings {
    let text = fs::read(file).expect("strace has written it");
    let findings = Trace::read(&text, "broker.store").check();
    println!("{what}: {findings:?}");
    findings
}

fn config(durability: &str) -> String {
    format!(
        "shards = 1\nsys_interval = '0s'\n[[listener]]\naddress = '127.0.0.1:0'\n\
         [persistence]\npath = 'broker.store'\ndurability = '{durability}'\n"
    )
}

fn under_strace(folder: &Path, trace: &Path, durability: &str, further: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // Whole pages of the store are in the trace.
    command
        .args(["-f", "-qq", "-s", "1000000", "-e", CALLS, "-o"])
        .arg(trace);
    command.args(further);
    command.arg(env!("CARGO_BIN_EXE_mqtt")).args(["broker", "--config"]);
    command.arg(Serving::configure(folder, &config(durability)));
    command
}

#[test]
fn no_acknowledgement_leaves_before_its_flush_has_returned() {
    if !can_trace() {
        return;
    }
    let findings = traced("sync");
    assert_eq!(findings.too_early, Vec::<String>::new());
    let half = MESSAGES / 2;
    assert_eq!(
        (findings.pubacks, findings.pubrecs, findings.pubcomps),
        (half, half, half)
    );
    // Several messages share a flush, and yet there are many.
    assert!(findings.flushes > 10 && findings.flushes < 3 * half, "{findings:?}");
}

/// The same trace of a broker that does not flush, and of one that does not even write, has to be found out.
#[test]
fn acknowledgements_without_a_flush_are_noticed() {
    if !can_trace() {
        return;
    }
    for durability in ["os", "none"] {
        let findings = traced(durability);
        let all = findings.pubacks + findings.pubrecs + findings.pubcomps;
        assert_eq!(all, MESSAGES * 3 / 2, "{findings:?}");
        assert_eq!(findings.too_early.len() as u64, all, "{durability}");
    }
}

/// A store that confirms everything, and writes no message.
#[cfg(feature = "broken-store")]
#[test]
fn acknowledgements_of_a_store_that_forgets_are_noticed() {
    if !can_trace() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("trace");
    let mut command = under_strace(folder.path(), &file, "sync", &[]);
    command.env("MQTT_BROKEN_STORE", "1");
    let broker = Serving::run(command);
    Runtime::new().expect("threads").block_on(publish(&broker));
    end_traced(broker, Some(0));
    let findings = found(&file, "a store that forgets");
    // PUBCOMP is not among them: that a message is gone is true.
    assert_eq!(
        findings.too_early.len() as u64,
        findings.pubacks + findings.pubrecs,
        "{findings:?}"
    );
}

/// One flush fails, and all later ones would succeed: what it was to write may be gone, and nobody is told anything from then on.
/// What was acknowledged before is there after a restart.
#[test]
fn after_a_flush_that_failed_nothing_is_acknowledged() {
    if !can_trace() {
        return;
    }
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("trace");
    let inject = ["-e", "inject=fdatasync:error=EIO:when=30"];
    let broker = Serving::run(under_strace(folder.path(), &file, "sync", &inject));
    let runtime = Runtime::new().expect("threads");
    let acknowledged = Acknowledged::default();
    runtime.spawn(publish_what_is_taken(
        options(&broker, "sleeper"),
        options(&broker, "publisher"),
        acknowledged.clone(),
    ));
    broker.told("the store has failed", "");
    // What was sent before comes, and nothing after it: half a second is long enough for many acknowledgements.
    settled(|| acknowledged.lock().expect("nobody panics").len());
    let before = acknowledged.lock().expect("nobody panics").clone();
    assert!(
        !broker
            .client("pub", &["-t", "load", "-m", "x", "-q", "1"])
            .status
            .success()
    );
    end_traced(broker, Some(1));
    drop(runtime);
    let findings = found(&file, "a failed flush");
    assert_eq!((findings.failed_flushes, findings.after_failure), (1, 0));
    assert_eq!(findings.too_early, Vec::<String>::new());
    assert!(before.len() > 20, "{before:?}");

    let broker = Serving::start(folder.path(), &config("sync"));
    let count = before.len().to_string();
    let arguments = [
        "-c", "-V", "3.1.1", "-i", "sleeper", "-q", "2", "-t", "load", "-C", &count, "-W", "30", "-F", "%p",
    ];
    let came = broker.client("sub", &[&arguments[..], &["--quiet"]].concat());
    let came: BTreeSet<u64> = came
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(trace::marked)
        .collect();
    // What was not acknowledged may be among them.
    let more = broker.client(
        "sub",
        &[
            "-c", "-V", "3.1.1", "-i", "sleeper", "-q", "2", "-t", "load", "-W", "5", "--quiet",
        ],
    );
    let more = more.stdout.split(|byte| *byte == b'\n').filter_map(trace::marked);
    let came: BTreeSet<u64> = came.into_iter().chain(more).collect();
    assert_eq!(
        before.difference(&came).count(),
        0,
        "acknowledged {before:?}, came {came:?}"
    );
    assert_eq!(broker.end(), Some(0));
}

type Acknowledged = Arc<Mutex<BTreeSet<u64>>>;

/// Publishes until nobody takes it any more, and notes what was acknowledged.
async fn publish_what_is_taken(sleeper: ClientOptions, publisher: ClientOptions, acknowledged: Acknowledged) {
    let sleeper = mqtt_tokio::start(sleeper);
    sleeper
        .subscribe("load", QoS::ExactlyOnce)
        .await
        .expect("it is granted");
    sleeper.disconnect(Duration::from_secs(10)).await.expect("it leaves");
    let client = mqtt_tokio::start(publisher);
    for number in 0.. {
        let message = Message::new("load", trace::mark(number))
            .expect("a topic")
            .qos(QoS::AtLeastOnce);
        if client.publish(message).await.is_ok() {
            acknowledged.lock().expect("nobody panics").insert(number);
        }
    }
}
