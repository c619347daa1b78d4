//! Whom `mqtt broker` lets in, and what it lets them do: packets of clients that do not wait for answers.
#![cfg(feature = "tokio")]

mod serving;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use mqtt_proto::{
    Binary, Connect, ConnectProperties, Filters, Packet, PacketId, Properties, Publish, QoS, Subscribe,
    SubscriptionOptions, Text, TopicName, Version, Will,
};
use serving::{Broker, LISTENER, PATIENCE, add_users, connack, folder};

/// Alice may write below `a`, and Bob below `b`.
fn broker(folder: &Path, further: &str) -> Broker {
    let acl = folder.join("acl");
    add_users(&folder.join("users"));
    fs::write(
        &acl,
        "user alice\ntopic write a/#\ntopic read #\nuser bob\ntopic write b/#\n",
    )
    .expect("there is room for a file");
    fs::set_permissions(&acl, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = format!("users = ['users']\n{LISTENER}anonymous = false\n[rights]\nfiles = ['acl']\n{further}");
    Broker::start(folder, &config)
}

fn text(value: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::copy_from_slice(value.as_bytes())).expect("text")
}

fn topic(value: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::copy_from_slice(value.as_bytes())).expect("a topic")
}

fn binary(value: &str) -> Binary<Bytes> {
    Binary::new(Bytes::copy_from_slice(value.as_bytes())).expect("it is short")
}

fn connect(client_id: &str, (user, password): (&str, &str)) -> Connect<Bytes> {
    Connect {
        version: Version::V5,
        clean_start: false,
        keep_alive: 0,
        client_id: text(client_id),
        will: None,
        username: Some(text(user)),
        password: Some(binary(password)),
        properties: ConnectProperties::builder()
            .session_expiry(600)
            .build()
            .expect("one of them"),
    }
}

const ALICE: (&str, &str) = ("alice", "open");
const BOB: (&str, &str) = ("bob", "sesame");

fn retained(to: &str) -> Packet<Bytes> {
    Packet::Publish(Publish {
        retain: true,
        ..Publish::new(topic(to), Bytes::from_static(b"x"))
    })
}

/// Sends all of these at once, and gives what the broker says to the first one.
fn send(broker: &Broker, packets: &[Packet<Bytes>]) -> (TcpStream, u8) {
    send_behind(broker, b"", packets)
}

/// The same behind something else.
fn send_behind(broker: &Broker, head: &[u8], packets: &[Packet<Bytes>]) -> (TcpStream, u8) {
    let mut bytes = head.to_vec();
    for packet in packets {
        packet.encode_to(Version::V5, &mut bytes).expect("it can be said");
    }
    let mut stream = TcpStream::connect(broker.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("there is such a time");
    stream.write_all(&bytes).expect("it reads");
    let code = connack(&mut stream);
    (stream, code)
}

/// Whether the broker closes the stream.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted),
    }
}

/// What is retained, by its topic.
fn kept(broker: &Broker) -> String {
    let read = broker.client(
        "sub",
        &[
            "-u",
            "alice",
            "-P",
            "open",
            "-t",
            "#",
            "-F",
            "%t",
            "--retained-only",
            "-W",
            "4",
        ],
    );
    String::from_utf8_lossy(&read.stdout).into_owned()
}

#[test]
fn what_comes_right_behind_connect_is_judged_by_the_user_who_sent_it() {
    for further in ["", "[persistence]\npath = 'broker.store'\n"] {
        let folder = folder();
        let broker = broker(folder.path(), further);
        let packets = [
            connect("one", ALICE).into(),
            retained("b/no"),
            retained("a/yes"),
            retained("b/never"),
        ];
        let (_alice, code) = send(&broker, &packets);
        assert_eq!(code, 0);
        let (_bob, code) = send(
            &broker,
            &[connect("two", BOB).into(), retained("a/no"), retained("b/yes")],
        );
        assert_eq!(code, 0);
        assert_eq!(kept(&broker), "a/yes\nb/yes\n");
    }
}

#[test]
fn who_says_something_and_goes_without_waiting_is_heard() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let mut bytes = Vec::new();
    for packet in [connect("one", ALICE).into(), retained("a/yes"), retained("b/no")] {
        packet.encode_to(Version::V5, &mut bytes).expect("it can be said");
    }
    let mut stream = TcpStream::connect(broker.address).expect("it listens");
    stream.write_all(&bytes).expect("it reads");
    drop(stream);
    broker.told(" disconnected ", "");
    assert_eq!(kept(&broker), "a/yes\n");
}

#[test]
fn what_comes_behind_a_wrong_password_is_not_looked_at() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let packets = [connect("one", ("alice", "sesame")).into(), retained("a/no")];
    let (mut stream, code) = send(&broker, &packets);
    assert_eq!(code, 0x86);
    assert!(is_closed(&mut stream));
    assert_eq!(kept(&broker), "");
}

#[test]
fn a_login_that_fails_is_told_with_user_and_client() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let (_, code) = send(&broker, &[connect("one", ("alice", "guess")).into()]);
    assert_eq!(code, 0x86);
    let user = broker.told("INFO a client is refused client=one peer=127.0.0.1:", "user=");
    assert_eq!(user, "alice");
}

#[test]
fn a_client_that_may_not_publish_its_will_is_refused() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let with_will = |to| Connect {
        will: Some(Will {
            topic: topic(to),
            payload: binary("gone"),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: Properties::empty(),
        }),
        ..connect("one", ALICE)
    };
    let (mut stream, code) = send(&broker, &[with_will("b/will").into()]);
    assert_eq!(code, 0x87);
    assert!(is_closed(&mut stream));
    let (stream, code) = send(&broker, &[with_will("a/will").into()]);
    assert_eq!(code, 0);
    drop(stream);
    broker.told(" disconnected ", "");
    assert_eq!(kept(&broker), "a/will\n");
}

#[test]
fn clients_that_are_refused_for_what_they_want_do_not_flood_the_log() {
    const FLOOD: usize = 30;
    let folder = folder();
    let mut broker = broker(folder.path(), "");
    let (_alice, code) = send(&broker, &[connect("hers", ALICE).into()]);
    assert_eq!(code, 0);
    let with_will = Connect {
        will: Some(Will {
            topic: topic("a/will"),
            payload: binary("gone"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::empty(),
        }),
        ..connect("one", BOB)
    };
    for _ in 0..FLOOD {
        assert_eq!(send(&broker, &[with_will.clone().into()]).1, 0x87);
        assert_eq!(send(&broker, &[connect("hers", BOB).into()]).1, 0x87);
    }
    broker.signal("-TERM");
    let log = broker.told_up_to(" ended");
    assert_eq!(broker.ends(), Some(0));
    for words in ["it may not publish its will", "belongs to another owner"] {
        let lines = log.iter().filter(|line| line.contains(words)).count();
        assert!((1..FLOOD / 3).contains(&lines), "{lines} lines: {words}");
    }
    let (_, again) = lines_with(&log, "a client was refused again", "times=");
    let (_, first) = lines_with(&log, "INFO a client is refused", "never=");
    assert_eq!(again + first, 2 * FLOOD as u64, "{log:?}");
}

#[test]
fn the_name_of_a_stranger_does_not_fill_the_log() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let name = "x".repeat(60_000);
    let (_, code) = send(&broker, &[connect(&name, (&name[..2000], "guess")).into()]);
    assert_eq!(code, 0x86);
    let log = broker.told_up_to("INFO a client is refused client=xxx");
    let line = log.last().expect("one");
    assert!(line.contains("user=xxx") && line.len() < 1000, "{} bytes", line.len());
}

#[test]
fn who_belongs_to_another_shard_is_nobody_who_has_gone() {
    let folder = folder();
    let mut broker = broker(folder.path(), "[log]\nlevel = 'debug'\n");
    let config = fs::read_to_string(folder.path().join("mqtt.toml")).expect("it is there");
    broker.signal("-TERM");
    broker.ends();
    let mut broker = Broker::start(folder.path(), &format!("shards = 2\n{config}"));
    for number in 0..20 {
        let (_, code) = send(&broker, &[connect(&number.to_string(), ALICE).into()]);
        assert_eq!(code, 0);
    }
    broker.signal("-TERM");
    let log = broker.told_up_to("INFO ended");
    assert_eq!(broker.ends(), Some(0));
    let gone = log.iter().filter(|line| line.contains("before its client was let in"));
    assert_eq!(gone.count(), 0, "{log:?}");
}

#[test]
fn a_session_belongs_to_its_user_over_restarts_too() {
    let folder = folder();
    let further = "[persistence]\npath = 'broker.store'\n";
    let mut broker = broker(folder.path(), further);
    let (_alice, code) = send(&broker, &[connect("same", ALICE).into()]);
    assert_eq!(code, 0);
    for is_restarted in [false, true] {
        if is_restarted {
            broker.signal("-KILL");
            assert_eq!(broker.ends(), None);
            broker = Broker::again(folder.path());
        }
        for clean_start in [false, true] {
            let thief = Connect {
                clean_start,
                ..connect("same", BOB)
            };
            let (mut stream, code) = send(&broker, &[thief.into()]);
            assert_eq!(code, 0x87, "restarted: {is_restarted}, clean start: {clean_start}");
            assert!(is_closed(&mut stream));
        }
    }
    let (_alice, code) = send(&broker, &[connect("same", ALICE).into()]);
    assert_eq!(code, 0);
}

#[test]
fn what_of_a_listener_waits_for_a_restart_lets_nobody_in_before() {
    let folder = folder();
    add_users(&folder.path().join("users"));
    let config = |is_proxied: bool| format!("users = ['users']\n{LISTENER}proxy_protocol = {is_proxied}\n");
    let broker = Broker::start(folder.path(), &config(true));
    let nobody = Connect {
        username: None,
        password: None,
        ..connect("one", ALICE)
    };
    let enter = || {
        let head = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 1883\r\n";
        send_behind(&broker, head, &[nobody.clone().into()]).1
    };
    assert_eq!(enter(), 0x87);
    // Without a proxy the listener would be for this machine alone, and for everybody on it.
    fs::write(folder.path().join("mqtt.toml"), config(false)).expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("with a restart", "");
    broker.told("was read again", "");
    assert_eq!(enter(), 0x87);
}

#[test]
fn who_has_another_password_or_is_no_user_any_more_is_sent_away() {
    let folder = folder();
    let broker = broker(folder.path(), "");
    let (mut alice, code) = send(&broker, &[connect("one", ALICE).into()]);
    assert_eq!(code, 0);
    let (mut bob, code) = send(&broker, &[connect("two", BOB).into()]);
    assert_eq!(code, 0);
    let users = folder.path().join("users");
    let text = fs::read_to_string(&users).expect("it is there");
    let others: String = text
        .lines()
        .filter(|line| !line.starts_with("alice"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&users, others).expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("was read again", "");
    assert!(is_closed(&mut alice));
    let ping: Packet<Bytes> = Packet::PingReq;
    let mut bytes = Vec::new();
    ping.encode_to(Version::V5, &mut bytes).expect("it can be said");
    bob.write_all(&bytes).expect("it reads");
    let mut answer = [0; 2];
    bob.read_exact(&mut answer).expect("he stays");
    assert_eq!(answer, [0xD0, 0]);
}

/// How many lines have these words, and the sum of what they say behind `key`, or of one each.
fn lines_with(log: &[String], words: &str, key: &str) -> (usize, u64) {
    let lines: Vec<&String> = log.iter().filter(|line| line.contains(words)).collect();
    let times = lines.iter().map(|line| match line.split_once(key) {
        Some((_, rest)) => rest.split(' ').next().and_then(|times| times.parse::<u64>().ok()),
        None => Some(1),
    });
    (lines.len(), times.map(|times| times.expect("a number")).sum())
}

#[test]
fn a_flood_of_what_is_not_allowed_does_not_flood_the_log() {
    const FLOOD: u16 = 400;
    let folder = folder();
    let mut broker = broker(folder.path(), "");
    let (mut bob, code) = send(&broker, &[connect("one", BOB).into()]);
    assert_eq!(code, 0);
    let mut bytes = Vec::new();
    for number in 1..=FLOOD {
        let publish = Publish::new(topic(&format!("a/{number}")), Bytes::from_static(b"x"));
        let options = SubscriptionOptions::new(QoS::AtMostOnce);
        let filters = Filters::builder().filter(format!("c/{number}"), options);
        let subscribe = Subscribe::new(
            PacketId::new(number).expect("it is not zero"),
            filters.build().expect("one filter"),
        );
        for packet in [Packet::from(publish), subscribe.into(), Packet::PingReq] {
            packet.encode_to(Version::V5, &mut bytes).expect("it can be said");
        }
    }
    let mut writing = bob.try_clone().expect("one more handle");
    let writer = std::thread::spawn(move || writing.write_all(&bytes).expect("it reads"));
    // SUBACK of one filter has 6 bytes, and PINGRESP 2: when all are there, all has been judged.
    let mut answers = vec![0; usize::from(FLOOD) * 8];
    bob.read_exact(&mut answers).expect("it answers");
    writer.join().expect("writing does not panic");
    broker.signal("-TERM");
    let log = broker.told_up_to(" ended");
    assert_eq!(broker.ends(), Some(0));
    for (first, further, key) in [
        ("a message is refused", "further messages were refused", "at_least="),
        (
            "a subscription is refused",
            "further subscriptions were refused",
            "subscriptions=",
        ),
    ] {
        let (firsts, of_firsts) = lines_with(&log, first, key);
        let (others, of_others) = lines_with(&log, further, key);
        assert_eq!(of_firsts + of_others, u64::from(FLOOD), "{log:?}");
        assert!(
            (firsts + others) * 10 <= usize::from(FLOOD),
            "the log is full of it: {log:?}"
        );
    }
}
