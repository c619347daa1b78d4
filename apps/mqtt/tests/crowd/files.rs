//! The limit of open files, and the bounds of connections: who is in goes on, nobody else is accepted, and nothing spins.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use mqtt_session::Shards;
use rlimit::Resource;

use super::lives::{PATIENCE, Serving};
use super::load::Load;
use super::watched::{Watched, wait_until};

/// How many files the process may open.
const FILES: usize = 256;
/// How many it keeps for other things than connections.
const KEPT: usize = 64;
const PAUSES: &str = "mqtt_accept_pauses_total";
const PAUSED: &str = "no connection is accepted until there is room again";

/// A client that has said CONNECT, and is let in or waits.
struct Guest {
    stream: TcpStream,
    heard: usize,
}

impl Guest {
    fn knock(address: SocketAddr, number: usize) -> Self {
        let mut stream = TcpStream::connect(address).expect("the system takes it");
        let mut connect = b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06".to_vec();
        connect.extend(name(number).bytes());
        // It may be closed before it has said so.
        let _ = stream.write_all(&connect);
        stream.set_nonblocking(true).expect("it is a socket");
        Self { stream, heard: 0 }
    }

    /// Whether it has CONNACK.
    fn is_in(&mut self) -> bool {
        let mut answer = [0; 4];
        match self.stream.read(&mut answer[self.heard..]) {
            Ok(0) if self.heard < 4 => panic!("it is closed"),
            Ok(len) => self.heard += len,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        self.heard == 4
    }

    /// Whether it is in. `None`: it still waits.
    fn fate(&mut self) -> Option<bool> {
        let mut answer = [0; 4];
        match self.stream.read(&mut answer[self.heard..]) {
            Ok(0) => return Some(false),
            Ok(len) => self.heard += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some(false),
            Err(error) => panic!("{error}"),
        }
        (self.heard == 4).then_some(true)
    }

    /// Whether it is answered.
    fn is_served(&mut self) -> bool {
        self.stream.set_nonblocking(false).expect("it is a socket");
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut answer = [0; 2];
        let asked = self.stream.write_all(&[0xC0, 0]);
        asked.and_then(|()| self.stream.read_exact(&mut answer)).is_ok() && answer == [0xD0, 0]
    }

    fn is_closed(&mut self) -> bool {
        self.stream.set_nonblocking(false).expect("it is a socket");
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        match self.stream.read(&mut [0; 4]) {
            Ok(len) => len == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn name(number: usize) -> String {
    format!("g{number:05}")
}

fn count_in(guests: &mut [Guest]) -> usize {
    guests.iter_mut().map(|guest| usize::from(guest.is_in())).sum()
}

/// Waits until so many are in; the others wait.
fn wait_for_guests(guests: &mut [Guest], count: usize) {
    let seen = std::cell::Cell::new(0);
    wait_until(
        || format!("{} of {count} are in", seen.get()),
        || {
            seen.set(count_in(guests));
            seen.get() == count
        },
    );
}

/// Starts the program with these limits, a soft and a hard one.
fn limited(soft: usize, hard: usize) -> impl FnOnce(Command) -> Command {
    move |command| {
        let mut limited = Command::new("sh");
        let script = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\"");
        limited.args(["-c", &script]).arg(command.get_program());
        limited.args(command.get_args());
        limited
    }
}

/// It sleeps: the time of processors is far below that of the clock.
fn assert_sleeps(broker: &Watched) {
    const WATCHED: Duration = Duration::from_secs(2);
    let before = broker.process.cpu();
    thread::sleep(WATCHED);
    let used = broker.process.cpu() - before;
    println!("{used:?} of processors in {WATCHED:?} while accepting pauses");
    assert!(used < WATCHED / 4, "it spins: {used:?}");
}

fn pauses_told(serving: &Serving) -> usize {
    serving.log().iter().filter(|line| line.contains(PAUSED)).count()
}

#[test]
fn at_the_limit_of_files_accepting_pauses_and_everything_else_goes_on() {
    let broker = Watched::start_by("", limited(100, FILES), |serving| {
        let most = serving.told("so many connections fit", "connections=");
        assert_eq!(most, (FILES - KEPT).to_string());
    });
    assert_eq!(
        broker.process.files_limit(),
        FILES as u64,
        "the soft limit is not raised"
    );
    let options = "-q 1 --publishers 10 --subscribers 10 --topics 10 --rate 200 --duration 4 --patience 30";
    let load = Load::start(broker.serving.address, options);
    broker.wait_for("mqtt_clients_connected", |clients| clients == 20);
    let mut guests: Vec<_> = (0..FILES)
        .map(|number| Guest::knock(broker.serving.address, number))
        .collect();
    broker.serving.told(PAUSED, "");
    // The load has its places, and the rest is taken. Metrics are served beside that.
    broker.wait_for("mqtt_streams", |streams| streams == (FILES - KEPT) as u64);
    wait_for_guests(&mut guests, FILES - KEPT - 20);
    // Nothing of those that are in is lost, and their places are taken when they go.
    load.figures();
    wait_for_guests(&mut guests, FILES - KEPT);
    assert!(broker.figure(PAUSES) >= 1);
    assert_sleeps(&broker);
    assert_eq!(count_in(&mut guests), FILES - KEPT);
    let gone = guests.iter_mut().position(Guest::is_in).expect("somebody is in");
    drop(guests.swap_remove(gone));
    wait_for_guests(&mut guests, FILES - KEPT);
    println!(
        "{} files open, {} pauses counted",
        broker.process.files(),
        broker.figure(PAUSES)
    );
    assert!(broker.process.files() < FILES);
    assert_eq!(pauses_told(&broker.serving), 0, "it is told again and again");
}

/// Something else has taken the files that were left.
#[test]
fn without_a_file_left_accepting_pauses_and_goes_on_later() {
    let broker = Watched::start("[limits.broker]\nconnections = 500\n");
    let id = broker.serving.process.parse().expect("a number");
    let (mut soft, mut hard) = (0, 0);
    let asked = rlimit::prlimit(id, Resource::NOFILE, None, Some((&mut soft, &mut hard)));
    asked.expect("it is a child of this process");
    // The hard limit stays: only root could raise it again.
    let limit = |files| rlimit::prlimit(id, Resource::NOFILE, Some((files, hard)), None);
    let mut guests = vec![Guest::knock(broker.serving.address, 0)];
    wait_for_guests(&mut guests, 1);
    let open = broker.process.lowest_free_file();
    limit(open).expect("it is a child of this process");
    guests.push(Guest::knock(broker.serving.address, 1));
    assert_eq!(broker.serving.told(PAUSED, "os error "), "24)\"");
    assert_sleeps(&broker);
    assert_eq!(count_in(&mut guests), 1);
    limit(open + 16).expect("it is a child of this process");
    wait_for_guests(&mut guests, 2);
    assert_eq!(broker.figure(PAUSES), 1);
}

#[test]
fn the_soft_limit_is_raised_in_silence_if_that_is_enough() {
    let broker = Watched::start_by("[limits.broker]\nconnections = 1000\n", limited(100, 1064), |_| ());
    assert_eq!(broker.process.files_limit(), 1064);
    assert!(broker.serving.log().iter().all(|line| !line.contains("WARN")));
}

/// BI-111, the bound of all.
#[test]
fn one_connection_too_many_is_closed_and_counted() {
    let broker = Watched::start("[limits.broker]\nconnections = 2\n");
    let mut guests: Vec<_> = (0..2)
        .map(|number| Guest::knock(broker.serving.address, number))
        .collect();
    wait_for_guests(&mut guests, 2);
    assert!(Guest::knock(broker.serving.address, 2).is_closed());
    broker.wait_for("mqtt_connections_refused_total", |refused| refused == 1);
    assert_eq!(broker.figure(PAUSES), 0);
}

/// So many come at once, and are in or closed. Those that are in, by their numbers.
fn knock_at_once(address: SocketAddr, numbers: std::ops::Range<usize>) -> Vec<(usize, Guest)> {
    let guests = numbers.map(|number| (number, Guest::knock(address, number)));
    let (mut waiting, mut inside): (Vec<_>, Vec<_>) = (guests.collect(), Vec::new());
    wait_until(
        || "some are neither in nor closed".to_owned(),
        || {
            for (number, mut guest) in std::mem::take(&mut waiting) {
                match guest.fate() {
                    None => waiting.push((number, guest)),
                    Some(true) => inside.push((number, guest)),
                    Some(false) => {}
                }
            }
            waiting.is_empty()
        },
    );
    inside
}

#[test]
fn with_several_shards_each_has_the_bound_of_connections_wherever_they_come_to() {
    const SHARDS: u16 = 3;
    const BOUND: usize = 4;
    const AT_ONCE: usize = 8;
    let all = usize::from(SHARDS) * BOUND;
    let broker = Watched::sharded(SHARDS, &format!("[limits.broker]\nconnections = {BOUND}\n"));
    let address = broker.serving.address;
    let shards = Shards::new(0, SHARDS).expect("there is a first one");
    let (mut inside, mut knocked) = (Vec::new(), 0);
    // Whoever comes to a shard that is full is closed, also if his own has room: he comes again.
    wait_until(
        || format!("fewer than {all} come in"),
        || {
            inside.extend(knock_at_once(address, knocked..knocked + AT_ONCE));
            knocked += AT_ONCE;
            for shard in 0..SHARDS {
                let of_shard = |(number, _): &&(usize, Guest)| shards.of_client(name(*number).as_bytes()).0 == shard;
                let count = inside.iter().filter(of_shard).count();
                assert!(count <= BOUND, "{count} are in shard {shard}");
            }
            inside.len() >= all
        },
    );
    assert_eq!(inside.len(), all);
    assert_eq!(knock_at_once(address, knocked..knocked + AT_ONCE).len(), 0);
    knocked += AT_ONCE;
    assert!(inside.iter_mut().all(|(_, guest)| guest.is_served()));
    broker.wait_for("mqtt_connections_refused_total", |refused| {
        refused == (knocked - all) as u64
    });
    for figure in ["mqtt_connections", "mqtt_clients_connected", "mqtt_streams"] {
        broker.wait_for(figure, |count| count == all as u64);
    }
    assert_eq!(broker.figure(PAUSES), 0);
    // A place that is given back is taken.
    inside.pop();
    broker.wait_for("mqtt_connections", |count| count == all as u64 - 1);
    wait_until(
        || "nobody comes in any more".to_owned(),
        || {
            inside.extend(knock_at_once(address, knocked..knocked + AT_ONCE));
            knocked += AT_ONCE;
            inside.len() == all
        },
    );
    let told: u64 = broker
        .log_to_the_end()
        .iter()
        .filter(|line| line.contains("a limit was met"))
        .map(|line| {
            assert!(line.contains("limit=limits.broker.connections "), "{line}");
            let times = line.split_once("times=").map(|(_, times)| times.parse::<u64>());
            times.and_then(Result::ok).expect("a number")
        })
        .sum();
    assert_eq!(told, (knocked - all - 1) as u64, "each that is refused is told of");
}

#[test]
fn one_connection_too_many_for_its_listener_waits_and_that_is_told() {
    let broker = Watched::start("max_connections = 2\n");
    let mut guests: Vec<_> = (0..4)
        .map(|number| Guest::knock(broker.serving.address, number))
        .collect();
    wait_for_guests(&mut guests, 2);
    broker.serving.told(PAUSED, "");
    assert_sleeps(&broker);
    for left in [3, 2] {
        let gone = guests.iter_mut().position(Guest::is_in).expect("somebody is in");
        drop(guests.swap_remove(gone));
        assert_eq!(guests.len(), left);
        wait_for_guests(&mut guests, 2);
    }
    assert_eq!(broker.figure(PAUSES), 3);
    assert_eq!(broker.figure("mqtt_connections_refused_total"), 0);
}
