//! A process that writes under load is killed, again and again, and a ledger outside of it says what it had confirmed.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{PacketId, PublishProperties, TopicName};
use mqtt_session::{Change, Key, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, QoS, Record};
use mqtt_store::{Durability, FileOptions, FileStore, SessionName, StoreErrorKind, Write, Writer};

use crate::model::{Model, Random};

const FOLDER: &str = "MQTT_STORE_KILLED_FOLDER";
const DURABILITY: &str = "MQTT_STORE_KILLED_DURABILITY";
const KILLS: &str = "MQTT_STORE_KILLS";
/// The word behind which the process says what was confirmed.
const CONFIRMED: &str = "confirmed";
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many messages are in flight.
const WINDOW: u64 = 50;

fn name() -> SessionName {
    SessionName::new("killed").unwrap()
}

/// A message is published, and the one that went so many before is done.
fn changes(number: u64) -> Vec<Change> {
    let publish = Record::Outgoing(OutgoingRecord {
        serial: number,
        tag: number,
        state: OutgoingState::Publish {
            id: PacketId::new((number % WINDOW) as u16 + 1),
            message: MessageRecord {
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: TopicName::new("home/kitchen").unwrap().to_owned(),
                properties: PublishProperties::empty(),
                expires_at: None,
                source_bytes: None,
            },
        },
    });
    let of = PayloadOf::Outgoing(number);
    let len = Random::new(number).below(900) as usize;
    let bytes = Bytes::from(vec![number as u8; len]);
    let mut changes = vec![Change::Put(publish), Change::Put(Record::Payload { of, bytes })];
    if let Some(done) = number.checked_sub(WINDOW) {
        changes.push(Change::Delete(Key::Outgoing(done)));
        changes.push(Change::Delete(Key::Payload(PayloadOf::Outgoing(done))));
    }
    changes
}

/// The last number that was written.
fn last(state: &Model) -> Option<u64> {
    let keys = state.sessions.get(&name())?.keys();
    let serials = keys.filter_map(|key| match key {
        Key::Outgoing(serial) => Some(*serial),
        _ => None,
    });
    serials.max()
}

/// What there is after this number.
fn state_after(number: Option<u64>) -> Model {
    let mut model = Model::default();
    if let Some(number) = number {
        // Older ones are done by then.
        let group: Vec<_> = (number.saturating_sub(2 * WINDOW)..=number)
            .map(|number| Write::apply(name(), changes(number)))
            .collect();
        model.apply(&group);
    }
    model
}

/// Not a test of its own: what the others start and kill.
#[test]
#[ignore = "is started and killed by the tests beside it"]
fn the_process_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let durability = match std::env::var(DURABILITY).as_deref() {
        Ok("sync") => Durability::Sync,
        Ok("os") => Durability::Os,
        _ => Durability::None,
    };
    let options = FileOptions::default().durability(durability);
    let mut store = FileStore::open_with(Path::new(&folder).join("s.redb"), options).unwrap();
    let mut next = last(&Model::of(&mut store)).map_or(0, |last| last + 1);
    let writer = Writer::start(store).unwrap();
    let mut session = writer.session(name());
    let mut out = std::io::stdout();
    let mut confirmed = next;
    loop {
        while next < confirmed + WINDOW {
            session.write_changes(next + 1, changes(next));
            next += 1;
        }
        if let Some(number) = session.wait_stored(Duration::from_secs(60)).unwrap() {
            confirmed = number;
            writeln!(out, "{CONFIRMED} {}", number - 1).unwrap();
            out.flush().unwrap();
        }
    }
}

fn start(folder: &Path, durability: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "killing::the_process_that_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(DURABILITY, durability)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The numbers that a process says behind this word, as long as it lives.
fn numbers(child: &mut Child, word: &'static str) -> impl Iterator<Item = u64> + use<> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let lines = out.lines().map_while(Result::ok);
    lines.filter_map(move |line| line.strip_prefix(word)?.trim_start().parse().ok())
}

/// How long a process lives.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    length: Duration,
    /// It begins with the first number that the process says, however busy the machine is, and else with the process.
    is_busy: bool,
}

impl Life {
    /// One life of a rig, every other of which is busy.
    pub(crate) fn of_round(round: u64, random: &mut Random) -> Self {
        Self {
            length: Duration::from_millis(60 + random.below(120)),
            is_busy: round.is_multiple_of(2),
        }
    }

    /// Lets a process live so long, kills it, and returns the numbers that it had said behind this word by then.
    pub(crate) fn lead(self, mut child: Child, word: &'static str) -> Vec<u64> {
        let numbers = numbers(&mut child, word);
        let (begins, begun) = channel();
        let ledger = std::thread::spawn(move || {
            let numbers = numbers.inspect(|_| {
                let _ = begins.send(());
            });
            numbers.collect()
        });
        if self.is_busy {
            begun.recv_timeout(PATIENCE).unwrap();
        }
        std::thread::sleep(self.length);
        child.kill().unwrap();
        child.wait().unwrap();
        ledger.join().unwrap()
    }
}

/// Returns how many rounds had confirmed something, and in how many something confirmed was missing.
fn kill(durability: &str, rounds: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(rounds);
    let (mut busy, mut lost) = (0, 0);
    let mut before = None;
    for round in 0..rounds {
        let life = Life::of_round(round, &mut random);
        let confirmed = life.lead(start(folder.path(), durability), CONFIRMED).into_iter().max();
        busy += u64::from(confirmed.is_some());
        let mut store = FileStore::open(folder.path().join("s.redb")).unwrap();
        assert_eq!(store.salvaged(), None, "round {round}");
        let state = Model::of(&mut store);
        let found = last(&state);
        assert!(
            state == state_after(found),
            "round {round}: the state after {found:?} has something else"
        );
        lost += u64::from(found < confirmed.max(before));
        before = found;
    }
    (busy, lost)
}

fn rounds() -> u64 {
    std::env::var(KILLS).map_or(20, |kills| kills.parse().unwrap())
}

#[test]
fn a_file_that_another_process_has_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path(), "os");
    assert!(numbers(&mut child, CONFIRMED).next().is_some());
    let error = FileStore::open(folder.path().join("s.redb")).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    FileStore::open(folder.path().join("s.redb")).unwrap();
}

#[test]
fn nothing_confirmed_is_missing_after_kill_9() {
    let (busy, lost) = kill("sync", rounds());
    println!(
        "{busy} of {} processes had confirmed something when they were killed",
        rounds()
    );
    assert_eq!(lost, 0);
    assert!(busy * 2 >= rounds(), "{busy} of {} had confirmed something", rounds());
}

#[test]
fn the_operating_system_keeps_what_it_was_given() {
    let (busy, lost) = kill("os", rounds().div_ceil(4));
    assert_eq!(lost, 0);
    assert!(busy > 0);
}

/// The rig notices a store that confirms what it does not have.
#[test]
fn without_durability_this_test_fails() {
    let (busy, lost) = kill("none", 3);
    assert!(busy > 0);
    assert!(lost > 0);
}
