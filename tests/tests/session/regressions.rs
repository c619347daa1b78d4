//! Faults that other engines had, as far as a client or a server connection can have them.

use bytes::{Buf, Bytes, BytesMut};
use mqtt_session::proto::Version;
use mqtt_session::{Client, Record};
use mqtt_session::{
    Closed, Event, HandOver, Instant, Limits, Outbox, Outcome, PublishError, ServerConfig, Timer, Violation,
};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config, frames, message};
use crate::server_rig::ServerRig;
use crate::wire::{PINGRESP, coded, disconnect, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |id: &'static str, name: &str, run: fn()| {
        Trial::new(Layer::Session, format!("regression::{id}::{name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "RG-02",
            "more is stored than the window has room for",
            more_is_stored_than_the_window,
        ),
        trial(
            "RG-03",
            "only a PUBREC with an error ends it",
            only_a_pubrec_with_an_error_ends_it,
        ),
        trial(
            "RG-04",
            "half a packet does not outlive its connection",
            half_a_packet_does_not_outlive,
        ),
        trial(
            "RG-06",
            "repetitions before PUBREC are one delivery",
            repetitions_are_one_delivery,
        ),
        trial("RG-07", "DUP alone makes no repetition", dup_alone_makes_no_repetition),
        trial(
            "RG-08",
            "answers to nothing are answered",
            answers_to_nothing_are_answered,
        ),
        trial(
            "RG-09",
            "a server's identifiers are apart too",
            identifiers_of_a_server_are_apart,
        ),
        trial("RG-10", "identifiers wrap and are not used twice", identifiers_wrap),
        trial(
            "RG-12",
            "restored identifiers are in use",
            restored_identifiers_are_in_use,
        ),
        trial(
            "RG-18",
            "packets in the wrong place close",
            packets_in_the_wrong_place_close,
        ),
        trial(
            "RG-19",
            "a message that is too large is never sent",
            too_large_is_never_sent,
        ),
        trial("RG-20", "partial writes keep the order", partial_writes_keep_the_order),
        trial(
            "RG-22",
            "a host that only publishes sees answers",
            host_that_only_publishes_sees_answers,
        ),
        trial("RG-23", "a damaged record is lost alone", damaged_record_is_lost_alone),
        trial(
            "RG-24",
            "a SUBACK that was lost is asked for again",
            lost_suback_is_asked_for_again,
        ),
    ]
}

fn messages_in(sent: &[Vec<u8>]) -> usize {
    sent.iter().filter(|frame| frame[0] >> 4 == 3).count()
}

/// Ten messages of an earlier life, a window of two.
fn more_is_stored_than_the_window() {
    let stored = || config().is_stored(true);
    let mut rig = Rig::connected(stored(), "");
    for tag in 1..=10 {
        rig.publish(1, &format!("m{tag}"), tag);
    }
    rig.commit();
    assert_eq!(rig.sent().len(), 10);
    let mut rig = rig.restart(stored());
    rig.open();
    rig.accept(true, "21 0002");
    let mut open: Vec<Vec<u8>> = rig.sent();
    let mut seen = Vec::new();
    while let Some(frame) = open.first().cloned() {
        assert!(open.len() <= 2);
        seen.push(String::from_utf8_lossy(&frame[8..]).into_owned());
        rig.feed(&puback(u16::from_be_bytes([frame[5], frame[6]])));
        rig.commit();
        open.remove(0);
        open.extend(rig.sent());
    }
    let all: Vec<String> = (1..=10).map(|tag| format!("m{tag}")).collect();
    assert_eq!(seen, all);
    assert_eq!(rig.outcomes().len(), 10);
}

/// 0x10 goes on; each error ends it, and gives back identifier and quota.
fn only_a_pubrec_with_an_error_ends_it() {
    let limits = Limits::default().packet_ids(1);
    for code in [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] {
        let mut rig = Rig::connected(config().limits(limits), "21 0001");
        rig.publish(2, "one", 1);
        rig.publish(2, "two", 2);
        rig.sends(&[rig.wire.publish(2, 1).payload("one").bytes()]);
        rig.feed(&coded(pubrec(1), code));
        rig.sends(&[rig.wire.publish(2, 1).payload("two").bytes()]);
        assert!(matches!(rig.outcomes()[..], [(1, Outcome::Refused(_))]));
        rig.feed(&coded(pubrec(1), 0x10));
        rig.sends(&[pubrel(1)]);
    }
}

/// Cut at every byte of a packet, which is held in whole or told in chunks.
fn half_a_packet_does_not_outlive() {
    for whole_bytes in [u32::MAX, 16] {
        let limits = Limits::default().whole_packet_bytes(whole_bytes);
        for version in VERSIONS {
            let publish = crate::wire::Wire(version).publish(2, 1).payload("x".repeat(40)).bytes();
            for cut in 1..publish.len() {
                let mut rig = Rig::connected(config().version(version).limits(limits), "");
                rig.feed(&publish[..cut]);
                rig.told();
                rig.reconnect(true, "");
                rig.told();
                let other = rig.wire.publish(0, 0).bytes();
                rig.feed(&other);
                assert_eq!(rig.messages(), ["x"], "cut at {cut}");
                rig.sends_nothing();
                rig.stays();
            }
        }
    }
}

/// The host has not taken the message yet.
fn repetitions_are_one_delivery() {
    let mut rig = Rig::connected(config().hand_over(HandOver::Manual), "");
    let wire = rig.wire;
    rig.feed(&wire.publish(2, 1).bytes());
    for _ in 0..5 {
        rig.feed(&wire.publish(2, 1).dup().bytes());
    }
    let told = rig.told();
    let [Event::Message(received)] = &told[..] else {
        panic!("one message: {told:?}")
    };
    let delivery = received.delivery.expect("to be acknowledged");
    rig.client.acknowledge(rig.now, delivery).expect("it is open");
    rig.sends(&[pubrec(1)]);
}

/// On either side; on the first connection and after a session that was lost.
fn dup_alone_makes_no_repetition() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        let wire = rig.wire;
        let given = wire.publish(2, 1).dup().bytes();
        rig.feed(&given);
        assert_eq!(rig.messages(), ["x"]);
        rig.sends(&[pubrec(1)]);
        rig.reconnect(false, "");
        rig.told();
        rig.feed(&given);
        assert_eq!(rig.messages(), ["x"]);
        let mut server = ServerRig::connected(ServerConfig::default(), version, "");
        server.feed(&given);
        assert_eq!(server.messages(), ["x"]);
        server.sends(&[pubrec(1)]);
    }
}

fn answers_to_nothing_are_answered() {
    for version in VERSIONS {
        let told = |frame: Vec<u8>| {
            if version == Version::V5 {
                coded(frame, 0x92)
            } else {
                frame
            }
        };
        let mut rig = Rig::connected(config().version(version), "");
        rig.feed(&pubrel(5));
        rig.sends(&[told(pubcomp(5))]);
        rig.feed(&pubrec(5));
        rig.sends(&[told(pubrel(5))]);
        rig.feed(&[pubcomp(5), puback(5)].concat());
        rig.sends_nothing();
        rig.stays();
        let mut server = ServerRig::connected(ServerConfig::default(), version, "");
        server.feed(&pubrel(5));
        server.sends(&[told(pubcomp(5))]);
        server.feed(&pubrec(5));
        server.sends(&[told(pubrel(5))]);
        server.feed(&[pubcomp(5), puback(5)].concat());
        server.sends_nothing();
        server.stays();
    }
}

fn identifiers_of_a_server_are_apart() {
    for version in VERSIONS {
        let mut server = ServerRig::connected(ServerConfig::default(), version, "");
        let wire = server.wire;
        server.publish(2, "mine", 1);
        server.sends(&[wire.publish(2, 1).payload("mine").bytes()]);
        server.feed(&wire.publish(2, 1).payload("theirs").bytes());
        assert_eq!(server.messages(), ["theirs"]);
        server.sends(&[pubrec(1)]);
        server.feed(&pubrec(1));
        server.sends(&[pubrel(1)]);
        server.feed(&[pubrel(1), pubcomp(1)].concat());
        server.sends(&[pubcomp(1)]);
        server.stays();
    }
}

/// Four identifiers and a thousand messages, answered in any order; one waits for its PUBCOMP all the time.
fn identifiers_wrap() {
    let limits = Limits::default().packet_ids(4);
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version).limits(limits), "");
        rig.publish(2, "held", 0);
        rig.sent();
        rig.feed(&pubrec(1));
        rig.sends(&[pubrel(1)]);
        rig.subscribe("s", 0);
        rig.sends(&[rig.wire.subscribe(2, "s", 1)]);
        let (mut used, mut ended) = ([0; 5], 0);
        for tag in 1..=500 {
            rig.publish(1, "x", tag);
            rig.publish(1, "x", tag);
            let sent = rig.sent();
            let ids: Vec<u16> = sent
                .iter()
                .map(|frame| u16::from_be_bytes([frame[5], frame[6]]))
                .collect();
            assert_eq!(ids.len(), 2);
            for id in ids.iter().rev() {
                used[usize::from(*id)] += 1;
                rig.feed(&puback(*id));
            }
            ended += rig.outcomes().len();
        }
        assert_eq!(used, [0, 0, 0, 500, 500]);
        rig.feed(&pubcomp(1));
        assert_eq!((ended, rig.outcomes().len()), (1000, 1));
    }
}

/// Identifiers 1 and 3 are restored: a message and a release.
fn restored_identifiers_are_in_use() {
    let stored = || config().is_stored(true).limits(Limits::default().packet_ids(4));
    let mut rig = Rig::connected(stored(), "");
    for tag in 1..=3 {
        rig.publish(2, "x", tag);
    }
    rig.commit();
    rig.sent();
    rig.feed(&[pubrec(3), coded(pubrec(2), 0x80)].concat());
    rig.commit();
    rig.sends(&[pubrel(3)]);
    let mut rig = rig.restart(stored());
    rig.open();
    rig.accept(true, "");
    let wire = rig.wire;
    rig.sends(&[pubrel(3), wire.publish(2, 1).dup().bytes()]);
    for tag in 4..=6 {
        rig.publish(1, "new", tag);
    }
    rig.commit();
    let sent = rig.sent();
    let mut ids: Vec<u16> = sent
        .iter()
        .map(|frame| u16::from_be_bytes([frame[5], frame[6]]))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [2, 4]);
}

/// The first packet, a second CONNECT and CONNACK, reserved flags; and a PUBREL with properties, which is fine.
fn packets_in_the_wrong_place_close() {
    let config_of_server = ServerConfig::default;
    let mut first = ServerRig::new(config_of_server(), Version::V5);
    first.feed(&hex::bytes("C0 00"));
    assert!(matches!(
        first.closed(),
        Some(Closed::Violation(Violation::PacketBeforeConnect, _))
    ));
    first.sends_nothing();
    let mut second = ServerRig::connected(config_of_server(), Version::V5, "");
    let connect = second.wire.connect(true, 0, "c", "");
    second.feed(&connect);
    assert!(matches!(
        second.closed(),
        Some(Closed::Violation(Violation::SecondConnect, _))
    ));
    second.sends(&[disconnect(0x82)]);
    let mut client = Rig::connected(config(), "");
    let connack = client.wire.connack(false, 0, "");
    client.feed(&connack);
    assert!(matches!(
        client.closed(),
        Some(Closed::Violation(Violation::SecondConnAck, _))
    ));
    client.sends(&[disconnect(0x82)]);
    for bad in ["41 02 0001", "60 02 0001", "D1 00"] {
        let mut client = Rig::connected(config(), "");
        client.feed(&hex::bytes(bad));
        assert!(client.closed().is_some(), "{bad}");
        client.sends(&[disconnect(0x81)]);
    }
    let mut client = Rig::connected(config(), "");
    client.feed(&hex::bytes("34 07 0001 74 0001 00 78"));
    client.told();
    client.feed(&hex::bytes("62 09 0001 00 05 1F 0002 6869"));
    client.sends(&[pubrec(1), pubcomp(1)]);
    client.stays();
}

/// At once, in the queue of a client without a connection, and on a connection that takes less than the one before. The only
/// identifier is there for the message that fits.
fn too_large_is_never_sent() {
    let long = "x".repeat(40);
    let limits = Limits::default().packet_ids(1);
    let mut rig = Rig::connected(config().limits(limits), "27 00000014");
    assert!(matches!(
        rig.client.publish(rig.now, message(2, &long), 1),
        Err(PublishError::TooLarge { .. })
    ));
    rig.cut();
    rig.publish(2, &long, 2);
    rig.publish(2, "x", 3);
    rig.told();
    rig.reconnect(true, "27 00000014");
    let sent = rig.sent();
    let id = u16::from_be_bytes([sent[0][5], sent[0][6]]);
    assert_eq!(sent, [rig.wire.publish(2, id).bytes()]);
    assert!(matches!(rig.outcomes()[..], [(2, Outcome::TooLarge { limit: 20, .. })]));
    rig.feed(&coded(pubrec(id), 0x80));
    rig.told();
    let mut rig = Rig::connected(config(), "21 0001");
    rig.publish(1, "x", 1);
    rig.publish(1, &long, 2);
    assert_eq!(rig.sent().len(), 1);
    rig.reconnect(true, "27 00000014");
    rig.sends(&[rig.wire.publish(1, 1).dup().bytes()]);
    assert!(matches!(rig.outcomes()[..], [(2, Outcome::TooLarge { limit: 20, .. })]));
}

/// Everything is written in pieces of every size; after a cut the next connection begins with a whole packet.
fn partial_writes_keep_the_order() {
    for piece in 1..=7 {
        let mut client = Client::new(config(), Instant::from_secs(1));
        let now = Instant::from_secs(1);
        let mut outbox = Outbox::new(32);
        client.handle_open(now);
        let mut written = write_all(&mut client, &mut outbox, piece);
        let mut connack = &hex::bytes("20 03 00 00 00")[..];
        client.handle_input(now, &mut connack);
        for tag in 0..20 {
            let payload = format!("{tag:02}").repeat(if tag % 5 == 0 { 400 } else { 1 });
            client.publish(now, message(1, &payload), tag).expect("there is room");
        }
        written.extend(write_all(&mut client, &mut outbox, piece));
        let sent = frames(&written);
        assert_eq!(sent.iter().map(Vec::len).sum::<usize>(), written.len());
        let order: Vec<String> = sent[1..]
            .iter()
            .map(|frame| String::from_utf8_lossy(&frame[frame.len() - 2..]).into_owned())
            .collect();
        let expected: Vec<String> = (0..20).map(|tag| format!("{tag:02}")).collect();
        assert_eq!(order, expected, "pieces of {piece}");
        client.poll_transmit(&mut outbox);
        assert!(outbox.is_empty());
    }
    let mut rig = Rig::connected(config(), "");
    rig.publish(1, "x", 1);
    let mut outbox = Outbox::default();
    rig.client.poll_transmit(&mut outbox);
    outbox.advance(3);
    rig.client.handle_eof(rig.now);
    rig.watch.ended();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    rig.open();
    rig.accept(true, "");
    // The whole packet goes again; the onlooker did not see its first part.
    let again = rig.client_sends();
    assert_eq!(again, [rig.wire.publish(1, 1).dup().bytes()]);
}

fn write_all(client: &mut Client, outbox: &mut Outbox, piece: usize) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        client.poll_transmit(outbox);
        if outbox.is_empty() {
            return written;
        }
        let len = outbox.chunk().len().min(piece);
        written.extend_from_slice(&outbox.chunk()[..len]);
        outbox.advance(len);
    }
}

/// The host polls no event: messages of QoS 0 are dropped, and everything else is read.
fn host_that_only_publishes_sees_answers() {
    let limits = Limits::default().events(8);
    let mut rig = Rig::connected(config().keep_alive_seconds(10).limits(limits), "");
    let wire = rig.wire;
    rig.publish(1, "x", 1);
    rig.sent();
    rig.advance(10);
    assert_eq!(rig.sent().len(), 1, "PINGREQ");
    let flood = wire.publish(0, 0).bytes().repeat(100);
    let input = [flood, PINGRESP.to_vec(), puback(1), hex::bytes("E0 01 8B")].concat();
    // The farewell ends it: whether it was taken off the input means nothing.
    assert!(rig.feed(&input) <= 3);
    let told = rig.told();
    let is_done = |event: &Event| {
        matches!(
            event,
            Event::Completed {
                tag: 1,
                outcome: Outcome::Acknowledged(_),
                ..
            }
        )
    };
    assert!(told.iter().any(is_done), "{told:?}");
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Dropped { messages: 92 })),
        "{told:?}"
    );
    assert!(matches!(
        told.last(),
        Some(Event::Closed {
            reason: Closed::Disconnected { .. },
            ..
        })
    ));
}

/// One of three messages: its record, or its payload, is cut short, flipped or empty.
fn damaged_record_is_lost_alone() {
    let stored = || config().is_stored(true);
    let mut rig = Rig::new(stored());
    for tag in 1..=3 {
        rig.publish(1, &format!("m{tag}"), tag);
    }
    rig.commit();
    let encoded = |record: &Record| {
        let mut bytes = BytesMut::new();
        record.encode(&mut bytes).expect("it can be stored");
        bytes.freeze()
    };
    let keys: Vec<_> = rig.disk.keys().copied().collect();
    for damaged in keys {
        if matches!(rig.disk[&damaged], Record::Session(_)) {
            continue;
        }
        for damage in 0..3 {
            let mut restore = Client::restore(stored(), rig.now);
            for (key, record) in &rig.disk {
                let mut bytes = encoded(record).to_vec();
                if *key == damaged {
                    match damage {
                        0 => bytes.truncate(bytes.len() / 2),
                        1 => bytes[5] ^= 0x10,
                        _ => bytes.clear(),
                    }
                }
                restore.encoded(*key, &Bytes::from(bytes));
            }
            let (client, report) = restore.finish();
            assert!(!report.quarantined.is_empty(), "{damaged:?}");
            let mut restored = Rig::with(client, Version::V5, rig.now);
            restored.open();
            restored.accept(false, "");
            // Identifiers are given, stored, and then used.
            let mut sent = restored.sent();
            restored.commit();
            sent.extend(restored.sent());
            assert_eq!(messages_in(&sent), 2, "{damaged:?}, damage {damage}");
        }
    }
}

fn lost_suback_is_asked_for_again() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version), "");
        rig.subscribe("s", 1);
        rig.unsubscribe("u", 2);
        let asked = [rig.wire.subscribe(1, "s", 1), rig.wire.unsubscribe(2, "u")];
        rig.sends(&asked);
        rig.reconnect(true, "");
        rig.sends(&asked);
        let answers = [rig.wire.suback(1, &[1]), rig.wire.unsuback(2, &[0])].concat();
        rig.feed(&answers);
        let outcomes = rig.outcomes();
        assert!(
            matches!(
                outcomes[..],
                [(1, Outcome::Subscribed(_)), (2, Outcome::Unsubscribed(_))]
            ),
            "{outcomes:?}"
        );
        rig.reconnect(true, "");
        rig.sends_nothing();
    }
}
