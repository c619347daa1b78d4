//! Passwords that `mqtt broker` checks while many clients want theirs checked.
#![cfg(feature = "tokio")]

mod serving;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version as Argon2Version};
use bytes::Bytes;
use mqtt_proto::{Binary, Connect, Packet, Text, Version};
use serving::{Broker, LISTENER, PATIENCE, connack, folder};

/// The hash of a password that takes long to check.
fn costly(password: &str) -> String {
    let params = Params::new(64 * 1024, 2, 1, None).expect("they can be");
    let argon2 = Argon2::new(Algorithm::Argon2id, Argon2Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes());
    hash.expect("there is memory").to_string()
}

/// Alice and Bob, whose passwords are "open" and "sesame".
fn write_users(folder: &Path) {
    let lines = format!("alice:{}\nbob:{}\n", costly("open"), costly("sesame"));
    fs::write(folder.join("users"), lines).expect("there is room for a file");
}

/// A broker that believes where its clients come from.
fn broker(folder: &Path, limits: &str) -> Broker {
    write_users(folder);
    let config = format!("users = ['users']\n{LISTENER}proxy_protocol = true\n[limits]\n{limits}");
    Broker::start(folder, &config)
}

/// A client that came from an address, and has asked to be let in.
fn comes(broker: &Broker, from: &str, (user, password): (&str, &str)) -> TcpStream {
    let connect = Connect {
        username: Some(Text::from_bytes(Bytes::copy_from_slice(user.as_bytes())).expect("text")),
        password: Some(Binary::new(Bytes::copy_from_slice(password.as_bytes())).expect("it is short")),
        ..Connect::new(Version::V5, Text::from_bytes(Bytes::new()).expect("text"))
    };
    let mut bytes = format!("PROXY TCP4 {from} {from} 4000 1883\r\n").into_bytes();
    Packet::from(connect)
        .encode_to(Version::V5, &mut bytes)
        .expect("it can be said");
    let mut stream = TcpStream::connect(broker.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("there is such a time");
    stream.write_all(&bytes).expect("it reads");
    stream
}

/// What it is told.
fn answer(mut stream: TcpStream) -> u8 {
    connack(&mut stream)
}

const ALICE: (&str, &str) = ("alice", "open");
const WRONG: (&str, &str) = ("alice", "sesame");
const BUSY: u8 = 0x89;

#[test]
fn nothing_is_checked_for_those_who_are_gone() {
    const GONE: usize = 150;
    let folder = folder();
    let broker = broker(folder.path(), "");
    for _ in 0..GONE {
        drop(comes(&broker, "192.0.2.1", WRONG));
    }
    // From the same address, behind all of them.
    assert_eq!(answer(comes(&broker, "192.0.2.1", ALICE)), 0);
    let log = broker.told_up_to(" connected ");
    let checked = log.iter().filter(|line| line.contains("a client is refused")).count();
    assert!(checked < GONE / 3, "{checked} were checked");
}

#[test]
fn nothing_is_checked_for_those_whose_time_is_over_even_if_they_stay() {
    const EACH: usize = 600;
    let folder = folder();
    let limits =
        format!("logins_per_address = {EACH}\n[limits.client]\nadmission_timeout = '5s'\nlinger_timeout = '60s'\n");
    let broker = broker(folder.path(), &limits);
    let mut crowd: Vec<_> = (0..EACH).map(|_| comes(&broker, "192.0.2.1", WRONG)).collect();
    crowd.iter_mut().for_each(|stream| {
        connack(stream);
    });
    // From the same address, behind all of them, and with no more time than they had.
    assert_eq!(answer(comes(&broker, "192.0.2.1", ALICE)), 0);
    drop(crowd);
}

#[test]
fn an_address_keeps_no_other_one_waiting() {
    const EACH: usize = 10;
    let folder = folder();
    let limits = format!("logins = {}\nlogins_per_address = {EACH}\n", 2 * EACH);
    let broker = broker(folder.path(), &limits);
    let crowd = |from: &str| -> Vec<_> { (0..2 * EACH).map(|_| comes(&broker, from, WRONG)).collect() };
    let crowds = [crowd("192.0.2.1"), crowd("192.0.2.2")];
    // Nowhere is room, and this address has its turn all the same.
    assert_eq!(answer(comes(&broker, "192.0.2.3", ALICE)), 0);
    let log = broker.told_up_to(" connected ");
    let checked = log.iter().filter(|line| line.contains("Bad")).count();
    assert!(checked < EACH, "{checked} were checked before: {log:?}");
    let busy = crowds.into_iter().flatten().map(answer).filter(|code| *code == BUSY);
    let busy = busy.count();
    // Beside those who wait, each core checks one.
    assert!(
        busy >= EACH / 2,
        "{busy} of the crowds were told that the broker is busy"
    );
    let told = log.iter().filter(|line| line.contains("limits.logins_per_address"));
    assert_eq!(told.count(), 1, "{log:?}");
}

#[test]
fn nobody_is_judged_by_users_that_count_no_more() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let new = ("alice", "another");
    let lines = format!("alice:{}\n", costly(new.1));
    // More than are checked before the users are read again.
    let crowd: Vec<_> = (0..60).map(|_| comes(&broker, "192.0.2.1", new)).collect();
    broker.told("a client is refused", "");
    fs::write(folder.path().join("users"), lines).expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("was read again", "");
    let answers: Vec<u8> = crowd.into_iter().map(answer).collect();
    assert!(
        answers.contains(&BUSY),
        "all of them were told that it is wrong: {answers:?}"
    );
    assert_eq!(answer(comes(&broker, "192.0.2.1", new)), 0);
}

#[test]
fn who_came_in_a_short_time_ago_does_not_wait() {
    let folder = folder();
    let broker = broker(folder.path(), "logins = 10\nlogins_per_address = 10\n");
    let from = "192.0.2.1";
    assert_eq!(answer(comes(&broker, from, ALICE)), 0);
    broker.told(" connected ", "");
    let crowd: Vec<_> = (0..60).map(|_| comes(&broker, from, WRONG)).collect();
    broker.told("limits.logins_per_address", "");
    // For others of its address there is no room.
    assert_eq!(answer(comes(&broker, from, ALICE)), 0);
    drop(crowd);

    // Once the users are read again it counts no more.
    let lines = format!("alice:{}\n", costly("another"));
    fs::write(folder.path().join("users"), lines).expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("was read again", "");
    assert_eq!(answer(comes(&broker, "192.0.2.2", ALICE)), 0x86);
    assert_eq!(answer(comes(&broker, "192.0.2.2", ("alice", "another"))), 0);
}
