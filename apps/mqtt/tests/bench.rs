//! `mqtt bench` as a process, at a broker that is one too.
#![cfg(feature = "tokio")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker. It ends with this value.
struct Broker {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Broker {
    fn start(more: &str) -> Self {
        Self::start_with("", more)
    }

    fn start_with(first: &str, more: &str) -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let file = folder.path().join("mqtt.toml");
        let text = format!("{first}\n[[listener]]\naddress = \"127.0.0.1:0\"\n{more}");
        fs::write(&file, text).expect("there is room for a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["broker", "--config"])
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut lines, mut address) = (String::new(), None);
        while !lines.contains(" serving ") {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).expect("it is read"), 0, "it serves: {lines}");
            address = address.or_else(|| Some(line.split_once("address=")?.1.trim().to_owned()));
            lines.push_str(&line);
        }
        // What is not read any more stops nobody.
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self {
            child,
            address: address.expect("it says where it listens"),
            _folder: folder,
        }
    }

    fn bench(&self, options: &str) -> Output {
        bench(&format!("--connect {} {options}", self.address))
    }

    /// The results of a load that loses nothing.
    fn figures(&self, options: &str) -> Value {
        let output = self.bench(&format!("--json {options}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{options}: {errors}");
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bench(options: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    command.arg("bench").args(options.split_whitespace());
    command.stdin(Stdio::null()).output().expect("the program runs")
}

fn number(figures: &Value, path: &str) -> f64 {
    let value = figures.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{path} is a number in {figures}"))
}

#[test]
fn the_numbers_add_up_for_every_qos_version_and_shape() {
    let broker = Broker::start("");
    for version in ["5", "3.1.1"] {
        for qos in [0, 1, 2] {
            for (shape, fan) in [
                ("", 1.0),
                ("--subscribers 7", 7.0),
                ("--publishers 7", 1.0),
                ("--publishers 3 --subscribers 3 --topics 3", 1.0),
                ("--publishers 3 --subscribers 2", 2.0),
            ] {
                let figures = broker.figures(&format!("-V {version} -q {qos} --count 600 --window 3 {shape}"));
                let acknowledged = if qos == 0 { 0.0 } else { 600.0 };
                assert_eq!(number(&figures, "/total/sent"), 600.0, "{figures}");
                assert_eq!(number(&figures, "/total/received"), 600.0 * fan, "{figures}");
                assert_eq!(number(&figures, "/total/owed"), 600.0 * fan, "{figures}");
                assert_eq!(number(&figures, "/total/acknowledged"), acknowledged, "{figures}");
                assert_eq!(number(&figures, "/latency_micros/count"), 600.0 * fan, "{figures}");
                for nothing in ["/lost", "/repeated", "/unacknowledged", "/total/refused"] {
                    assert_eq!(number(&figures, nothing), 0.0, "{nothing} {figures}");
                }
                let p50 = number(&figures, "/latency_micros/p50");
                assert!(p50 > 0.0 && p50 <= number(&figures, "/latency_micros/p99"), "{figures}");
            }
        }
    }
}

#[test]
fn an_offered_rate_sends_what_it_says() {
    let broker = Broker::start("");
    let figures = broker.figures("--rate 2000 --count 500 --publishers 4 -q 1");
    assert_eq!(number(&figures, "/total/sent"), 500.0);
    assert_eq!(number(&figures, "/latency_micros/count"), 500.0);
    // The last one is due after 499 steps of half a millisecond: it is not sent before.
    assert!(number(&figures, "/seconds") >= 0.249, "{figures}");
    assert!(figures["ahead"].is_null() && number(&figures, "/rate") == 2000.0);
}

#[test]
fn a_message_to_a_topic_at_random_comes_once_to_who_has_that_topic() {
    let broker = Broker::start("");
    for (count, shape) in [
        (600.0, ""),
        (600.0, "-q 1 --publishers 3"),
        (600.0, "-q 2 --subscribers 7 -V 3.1.1"),
        (600.0, "-q 1 --publishers 2 --subscribers 500 --keep-sessions"),
        (600.0, "--rate 20000 --subscribers 2"),
        (600.0, "--payload 4"),
        // More than may be under way: each subscriber has numbers of its own.
        (60_000.0, "--publishers 2 --subscribers 7"),
    ] {
        let figures = broker.figures(&format!(
            "--random-topics 500 --seed 9 --count {count} --ahead 50 {shape}"
        ));
        for what in ["sent", "owed", "received"] {
            assert_eq!(number(&figures, &format!("/total/{what}")), count, "{shape}: {figures}");
        }
        assert_eq!(
            number(&figures, "/lost") + number(&figures, "/repeated"),
            0.0,
            "{figures}"
        );
        let topics = (number(&figures, "/topics"), number(&figures, "/seed"));
        assert_eq!(topics, (500.0, 9.0));
    }
    let nobody = broker.figures("--random-topics 500 --subscribers 0 --count 600 -q 1");
    assert_eq!(number(&nobody, "/total/acknowledged"), 600.0);
    assert!(broker.figures("--count 1")["seed"].is_null());
}

#[test]
fn subscribers_share_more_filters_than_the_server_takes_from_one() {
    let broker = Broker::start("[limits.broker]\nsubscriptions_per_session = 100\n");
    let alone = broker.bench("--random-topics 250 --count 300");
    let told = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert_eq!(alone.status.code(), Some(3), "{told}");
    assert!(told.contains("more --subscribers"), "{told}");
    let figures = broker.figures("--random-topics 250 --subscribers 3 --count 300");
    assert_eq!(number(&figures, "/total/received"), 300.0, "{figures}");
}

#[test]
fn the_seed_says_which_topics_come_in_which_order() {
    let broker = Broker::start("");
    retain(&broker, "bench/ready");
    let drawn = |seed: u32| -> Vec<String> {
        let port = broker.address.rsplit(':').next().expect("a port");
        let mut listener = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["sub", "-p", port, "-q", "1", "-t", "bench/+", "-F", "%t", "-C", "401"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut lines = BufReader::new(listener.stdout.take().expect("a pipe")).lines();
        // The retained message: it has subscribed.
        let first = lines.next().expect("a line").expect("it is read");
        assert_eq!(first, "bench/ready");
        broker.figures(&format!("--random-topics 20 --seed {seed} --count 400 -q 1"));
        let topics = lines.map(|line| line.expect("it is read")).collect();
        assert!(listener.wait().expect("it ends").success());
        topics
    };
    let topics = drawn(1);
    let different: BTreeSet<&String> = topics.iter().collect();
    let all: Vec<String> = (0..20).map(|number| format!("bench/{number:02}")).collect();
    assert_eq!((topics.len(), different), (400, all.iter().collect()));
    assert_eq!(drawn(1), topics);
    assert_ne!(drawn(2), topics);
}

#[test]
fn payloads_of_all_sizes_go_through() {
    let broker = Broker::start("");
    for payload in [0, 1, 15, 16, 200_000, 900_000] {
        // The largest do not fill the queue of the broker, which has 16 MiB.
        let figures = broker.figures(&format!("--payload {payload} --count 40 -q 1 --ahead 16"));
        assert_eq!(number(&figures, "/total/received"), 40.0);
        assert_eq!(figures["latency_micros"].is_null(), payload < 16, "{figures}");
    }
}

#[test]
fn what_stands_beside_the_load_is_there_and_gone_again() {
    let broker = Broker::start("");
    let id = broker.child.id();
    let figures = broker.figures(&format!("--idle 50 --filters 500 --count 100 --pid {id}"));
    assert_eq!(number(&figures, "/total/received"), 100.0);
    if cfg!(target_os = "linux") {
        assert!(number(&figures, "/memory/ready/resident") > 0.0, "{figures}");
        assert!(number(&figures, "/broker/cpu_micros") >= 0.0, "{figures}");
    }
    let only_idle = broker.figures("--idle 50 --publishers 0 --subscribers 0");
    assert_eq!(number(&only_idle, "/total/sent"), 0.0);
}

/// More than is written to a connection in one turn.
#[test]
fn all_retained_messages_are_replayed_and_none_is_left() {
    let broker = Broker::start("");
    for qos in [0, 1] {
        let figures = broker.figures(&format!("--retained 30000 --subscribers 2 -q {qos}"));
        assert_eq!(number(&figures, "/total/received"), 60_000.0, "{figures}");
    }
    let port = broker.address.rsplit(':').next().expect("a port");
    let sub = ["sub", "-p", port, "-t", "bench/#", "--retained-only", "-W", "1"];
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(sub)
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn kept_sessions_are_taken_away() {
    let broker = Broker::start("");
    for version in ["5", "3.1.1"] {
        let figures = broker.figures(&format!(
            "-V {version} -q 1 --keep-sessions --subscribers 3 --count 100"
        ));
        assert_eq!(number(&figures, "/total/received"), 300.0);
    }
}

/// What `mqtt ctl` says.
fn ctl(socket: &str, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let output = command.args(["ctl", "--json", "--socket", socket]).args(words).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn retain(broker: &Broker, topic: &str) {
    let port = broker.address.rsplit(':').next().expect("a port");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let status = command
        .args(["pub", "-p", port, "-r", "-q", "1", "-t", topic, "-m", "foreign"])
        .status();
    assert!(status.expect("it runs").success());
}

#[test]
fn a_message_of_another_is_told_and_is_no_loss() {
    let broker = Broker::start("");
    retain(&broker, "bench/0");
    for options in [
        "--count 20",
        "--payload 4 --rate 2 --count 4",
        "--payload 7 --ahead 1 --rate 2 --count 4",
    ] {
        let output = broker.bench(options);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{options}: {told}");
        assert!(told.contains("another one uses the same --topic"), "{options}: {told}");
    }
}

#[test]
fn nothing_is_left_by_a_run_that_fails_or_is_interrupted() {
    let folder = TempDir::new().expect("there is room for a folder");
    let socket = folder.path().join("control.sock");
    let socket = socket.to_str().expect("text");
    let broker = Broker::start_with(&format!("control = '{socket}'"), "");
    let wait_until = |what: &str, is_so: &dyn Fn() -> bool| {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < until, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let retained = || ctl(socket, &["retained", "list", "bench/#"]).lines().count();
    let sessions = || ctl(socket, &["sessions", "--client", "bench-*"]).lines().count();
    let interrupt = |mut child: Child, signal: &str| {
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("there is a kill").success());
        child.wait().expect("it ends").code()
    };
    let begin = |options: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
        command.args(["bench", "--connect", &broker.address]);
        command
            .args(options.split_whitespace())
            .spawn()
            .expect("the program runs")
    };
    retain(&broker, "bench/0");
    let failed = broker.bench("--keep-sessions -q 1 --subscribers 3 --count 20");
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(failed.status.code(), Some(1), "{told}");
    // The broker hears in its own time that the last connections have ended.
    wait_until("a run that fails leaves sessions", &|| sessions() == 0);
    let child = begin("--retained 1000000");
    wait_until("it does not begin", &|| retained() > 1);
    assert_eq!(interrupt(child, "TERM"), Some(143));
    assert_eq!(retained(), 1, "that of another");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let child = begin("--topic other --keep-sessions --subscribers 3 -q 1 --rate 100 --duration 600");
        wait_until("it does not begin", &|| sessions() == 4);
        assert_eq!(interrupt(child, signal), Some(code));
        wait_until("sessions are left", &|| sessions() == 0);
    }
}

#[test]
fn lost_messages_are_counted_and_told() {
    // A queue that is shorter than what is sent at once.
    let broker = Broker::start("[limits.client]\nqueued_messages = 4\n");
    let output = broker.bench("--json --count 20000 --rate 100000000 --patience 1 --subscribers 20");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let (received, lost) = (number(&figures, "/total/received"), number(&figures, "/lost"));
    assert_eq!(received + lost, number(&figures, "/total/owed"), "{figures}");
    let code = if lost > 0.0 { 4 } else { 0 };
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_plot_is_well_formed() {
    let broker = Broker::start("");
    let folder = TempDir::new().expect("there is room for a folder");
    let file = folder.path().join("load.svg");
    let output = broker.bench(&format!("-q 1 --count 2000 --svg {}", file.display()));
    assert!(output.status.success());
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    for told in ["sent", "received", "lost", "latency", "ack after"] {
        assert!(words.contains(told), "{words}");
    }
    let svg = fs::read_to_string(file).expect("it is written");
    assert_well_formed(&svg);
    assert_eq!(
        svg.matches("<polyline").count(),
        3,
        "the rate, and two latencies: {svg}"
    );
}

/// Every element is closed, in order, and nothing stands in an attribute that may not.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut seen = BTreeSet::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("{part:?} is closed"));
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{part:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part:?}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default());
        }
        seen.insert(tag.split(' ').next().unwrap_or_default());
        assert!(!tag.contains("NaN") && !tag.contains("inf"), "{tag}");
    }
    assert!(open.is_empty() && seen.contains("svg"), "{open:?}");
}

#[test]
fn what_cannot_be_is_refused_with_advice() {
    for (options, said) in [
        ("--connect ws://localhost", "with TLS or without"),
        ("--connect mqtt://localhost --cafile x", "there is no TLS on mqtt"),
        ("--cert x", "--key"),
        ("--connect localhost:port", "port"),
        ("--topic a/+", "--topic"),
        ("--publishers 0", "nothing is done"),
        ("--topics 5", "--topics"),
        ("--random-topics 5 --subscribers 6", "--random-topics"),
        ("--random-topics 9000 --subscribers 300 --publishers 300", "65536"),
        ("--random-topics 5 --topics 1", "cannot be used with"),
        ("--seed 5", "--random-topics"),
        ("--payload 99999999", "16777216"),
        ("--patience 0", "--patience"),
        ("--duration 50000", "43200"),
        ("--duration 1 --count 1", "cannot be used with"),
        ("--retained 5 --subscribers 0", "nobody subscribes"),
    ] {
        let output = bench(options);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options}: {told}");
        assert!(told.contains(said), "{options}: {told}");
    }
}

#[test]
fn a_broker_that_is_not_there_or_goes_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    // Lets one client in, and then closes everything.
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 256]);
        stream.write_all(b"\x20\x03\x00\x00\x00").expect("it is written");
        let _ = stream.read(&mut [0; 256]);
    });
    let output = bench(&format!("--connect {address} --subscribers 0"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("pub-0"), "{told}");
    server.join().expect("it does not panic");
    let output = bench(&format!("--connect {address}"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("start the broker"), "{told}");
}

#[test]
fn a_packet_that_is_too_large_for_the_server_is_not_sent() {
    let broker = Broker::start("[limits.client]\npacket_bytes = 1000\n");
    let output = broker.bench("--payload 1000 --count 1");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("1000 bytes are the most"), "{told}");
}
