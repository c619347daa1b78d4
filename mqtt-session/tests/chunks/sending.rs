//! Messages whose payload the host gives while they are sent.

use bytes::Bytes;
use mqtt_session::proto::{Filters, Packet, SubscribeProperties, SubscriptionOptions, VARINT_MAX, Version};
use mqtt_session::{
    CleanStart, ClientConfig, Event, Limits, Message, Op, PublishError, QoS, ServerConfig, SessionConfig, SupplyError,
    Timer,
};

use crate::client::rig::{Rig, VERSIONS, config, said};
use crate::server;

const NOTHING: [&str; 0] = [];

fn small_parts() -> ClientConfig {
    config().limits(Limits::default().chunk_bytes(10))
}

fn head(qos: u8) -> Message {
    Message::new("t", "").unwrap().qos(QoS::from_bits(qos).unwrap())
}

fn publish(rig: &mut Rig, qos: u8, len: u32, tag: u64) -> Op {
    rig.client.publish_source(rig.now, head(qos), len, tag).unwrap()
}

/// The next part that is asked for.
fn wanted(rig: &mut Rig) -> Option<(Op, u32, u32)> {
    rig.events().into_iter().find_map(|event| match event {
        Event::PayloadWanted { op, offset, bytes, .. } => Some((op, offset, bytes)),
        _ => None,
    })
}

fn payload(len: u32) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// Gives all that is asked for, so many bytes at a time, and returns what was sent.
fn give_all(rig: &mut Rig, whole: &[u8], at_a_time: usize) -> Vec<u8> {
    let mut sent = rig.sent_bytes();
    while let Some((op, offset, bytes)) = wanted(rig) {
        let rest = &whole[offset as usize..];
        let len = rest.len().min(at_a_time).min(bytes as usize);
        rig.client
            .supply(rig.now, op, offset, Bytes::copy_from_slice(&rest[..len]))
            .unwrap();
        sent.extend(rig.sent_bytes());
    }
    sent
}

/// What the same message sends when it is given as a whole.
fn at_once(version: Version, qos: u8, whole: &[u8]) -> Vec<u8> {
    let mut rig = Rig::connected(config().version(version));
    let mut message = head(qos);
    message.payload = Bytes::copy_from_slice(whole);
    rig.client.publish(rig.now, message, 1).unwrap();
    rig.sent_bytes()
}

#[test]
fn parts_of_any_size_make_the_same_packet() {
    for version in VERSIONS {
        for qos in 0..=2 {
            for len in [0, 1, 9, 10, 11, 200] {
                for at_a_time in [1, 3, 7, 10] {
                    let mut rig = Rig::connected(small_parts().version(version));
                    publish(&mut rig, qos, len, 1);
                    let whole = payload(len);
                    let sent = give_all(&mut rig, &whole, at_a_time);
                    assert_eq!(
                        sent,
                        at_once(version, qos, &whole),
                        "{version:?} {qos} {len} {at_a_time}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_operation_ends_as_any_other() {
    let mut rig = Rig::connected(small_parts());
    for qos in 0..=2 {
        publish(&mut rig, qos, 5, u64::from(qos));
    }
    for qos in 0..=2 {
        rig.sent_bytes();
        let (op, ..) = wanted(&mut rig).unwrap();
        rig.client.supply(rig.now, op, 0, "hello").unwrap();
        rig.client.poll_transmit(&mut mqtt_session::Outbox::default());
        if qos == 0 {
            assert_eq!(rig.told()[0], "completed 0: Sent");
            // The question of the next one went with it.
            rig = Rig::connected(small_parts());
            for qos in 1..=2 {
                publish(&mut rig, qos, 5, u64::from(qos));
            }
        }
    }
    rig.sent_bytes();
    rig.puback(1);
    rig.pubrec(2);
    assert_eq!(rig.sent(), ["PUBREL #2"]);
    rig.pubcomp(2);
    assert_eq!(rig.told(), ["completed 1: acknowledged", "completed 2: acknowledged"]);
}

#[test]
fn a_part_that_was_not_asked_for_changes_nothing() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 1, 15, 1);
    let not_wanted = Err(SupplyError::NotWanted);
    assert_eq!(rig.client.supply(rig.now, op, 0, "x"), not_wanted, "it has not begun");
    rig.sent_bytes();
    assert_eq!(rig.told(), ["wanted 1: 10 at 0"]);
    assert_eq!(rig.client.supply(rig.now, op, 0, ""), Err(SupplyError::Empty));
    let too_much = rig.client.supply(rig.now, op, 0, "01234567890");
    assert_eq!(too_much, Err(SupplyError::TooMuch { wanted: 10 }));
    let other = publish(&mut rig, 1, 5, 2);
    assert_eq!(rig.client.supply(rig.now, other, 0, "x"), not_wanted);
    assert_eq!(rig.sent_bytes(), b"");
    rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
    assert_eq!(
        rig.client.supply(rig.now, op, 10, "x"),
        not_wanted,
        "one part for each question"
    );
    assert_eq!(rig.sent_bytes(), b"0123456789");
    assert_eq!(rig.told(), ["wanted 1: 5 at 10"]);
    let too_much = rig.client.supply(rig.now, op, 10, "012345");
    assert_eq!(
        too_much,
        Err(SupplyError::TooMuch { wanted: 5 }),
        "no more than the payload has"
    );
    rig.client.supply(rig.now, op, 10, "01234").unwrap();
    rig.sent_bytes();
    assert_eq!(rig.client.supply(rig.now, op, 15, "x"), not_wanted, "all was given");
}

#[test]
fn nothing_else_is_sent_in_the_middle_of_a_packet() {
    let patient = Limits::default().source_timeout(core::time::Duration::from_secs(1000));
    let mut rig = Rig::connected(config().limits(patient));
    let op = publish(&mut rig, 1, 5, 1);
    assert_eq!(rig.sent_bytes(), b"\x32\x0B\0\x01t\0\x01\0");
    rig.deliver(1, 7, "x");
    rig.told();
    let options = SubscriptionOptions::new(QoS::AtMostOnce);
    let filters = Filters::builder().filter("a", options).build().unwrap();
    rig.client
        .subscribe(rig.now, filters, SubscribeProperties::empty(), 9)
        .unwrap();
    rig.publish(0, 3);
    rig.advance(60);
    assert_eq!(rig.sent_bytes(), b"");
    rig.client.supply(rig.now, op, 0, "hell").unwrap();
    assert_eq!(rig.sent_bytes(), b"hell");
    rig.client.supply(rig.now, op, 4, "o").unwrap();
    let sent = rig.sent_bytes();
    assert_eq!(sent[0], b'o');
    let mut rest = Bytes::copy_from_slice(&sent[1..]);
    let rules = mqtt_session::proto::Rules::new(Version::V5).sent_by(mqtt_session::proto::Role::Client);
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let packet = Packet::take_from(&mut rest, &rules).unwrap().unwrap();
        lines.push(crate::client::show::packet(&packet));
    }
    assert_eq!(lines, ["PUBACK #7", "PINGREQ", "SUBSCRIBE #2 a", "PUBLISH q0 t: m3"]);
}

#[test]
fn a_new_connection_asks_again_from_the_beginning() {
    for version in VERSIONS {
        for qos in 1..=2 {
            let mut rig = Rig::connected(small_parts().version(version).clean_start(CleanStart::Never));
            let op = publish(&mut rig, qos, 25, 1);
            rig.sent_bytes();
            rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
            rig.sent_bytes();
            rig.reconnect(true);
            let whole = payload(25);
            let sent = give_all(&mut rig, &whole, 10);
            let mut expected = at_once(version, qos, &whole);
            expected[0] |= 8;
            assert_eq!(sent, expected);
        }
    }
}

#[test]
fn what_the_lost_connection_asked_for_is_not_told_any_more() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 1, 25, 1);
    rig.sent_bytes();
    rig.told();
    rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
    rig.sent_bytes();
    // The question for the bytes from 10 on is not polled.
    rig.reconnect(true);
    rig.sent_bytes();
    let told = rig.told();
    let asked: Vec<_> = told.iter().filter(|line| line.starts_with("wanted")).collect();
    assert_eq!(asked, ["wanted 1: 10 at 0"], "{told:?}");
}

#[test]
fn a_late_answer_to_a_lost_connection_stands_in_no_wrong_place() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(small_parts().clean_start(CleanStart::Never));
        let op = publish(&mut rig, qos, 25, 1);
        rig.sent_bytes();
        rig.told();
        rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
        rig.sent_bytes();
        let (_, late, _) = wanted(&mut rig).unwrap();
        assert_eq!(late, 10);
        // The host reads its file while the connection is lost and comes again.
        rig.reconnect(true);
        rig.sent_bytes();
        let before = rig.client.fingerprint();
        let refused = rig.client.supply(rig.now, op, late, "abcdefghij");
        assert_eq!(refused, Err(SupplyError::OtherOffset { wanted: 0 }));
        assert_eq!(rig.client.fingerprint(), before);
        assert_eq!(rig.sent_bytes(), b"");
        rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
        assert_eq!(rig.sent_bytes(), b"0123456789", "the question stayed open");
        // The same late answer stands where it belongs.
        rig.client.supply(rig.now, op, late, "abcdefghij").unwrap();
        assert_eq!(rig.sent_bytes(), b"abcdefghij");
    }
}

#[test]
fn a_source_that_stalls_closes_the_connection() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 2, 25, 1);
    rig.sent_bytes();
    rig.told();
    rig.advance(29);
    rig.client.supply(rig.now, op, 0, "x").unwrap();
    rig.sent_bytes();
    rig.told();
    rig.advance(29);
    assert_eq!(rig.told(), NOTHING, "each part has its time");
    rig.advance(1);
    assert_eq!(rig.told(), ["closed TimedOut(Source)"]);
    assert_eq!(rig.sent_bytes(), b"", "no packet can begin in the middle of one");
    rig.cut();
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    rig.open();
    rig.accept(true);
    rig.sent_bytes();
    assert_eq!(rig.told().last().unwrap(), "wanted 1: 10 at 0");
}

#[test]
fn a_source_that_fails_ends_its_operation() {
    // Before its packet has begun nothing else happens.
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 1, 25, 1);
    rig.client.fail_source(rig.now, op).unwrap();
    assert_eq!(rig.told(), ["completed 1: SourceFailed"]);
    assert_eq!(rig.sent_bytes(), b"");
    assert_eq!(rig.client.fail_source(rig.now, op), Err(SupplyError::NotWanted));
    // In the middle of its packet the connection ends with it.
    for qos in 0..=2 {
        let mut rig = Rig::connected(small_parts());
        let op = publish(&mut rig, qos, 25, 1);
        rig.sent_bytes();
        rig.told();
        rig.client.fail_source(rig.now, op).unwrap();
        assert_eq!(rig.told(), ["completed 1: SourceFailed", "closed SourceFailed"]);
        assert_eq!(rig.sent_bytes(), b"");
        rig.reconnect(true);
        let sent = rig.sent();
        match qos {
            // The server may hold the identifier.
            2 => assert_eq!(sent, ["PUBREL #1"]),
            _ => assert_eq!(sent, NOTHING),
        }
    }
}

#[test]
fn a_message_that_was_sent_in_whole_cannot_fail() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(small_parts());
        let op = publish(&mut rig, qos, 5, 1);
        rig.sent_bytes();
        rig.told();
        rig.client.supply(rig.now, op, 0, "hello").unwrap();
        rig.sent_bytes();
        assert_eq!(rig.client.fail_source(rig.now, op), Err(SupplyError::NotWanted));
        assert_eq!(rig.told(), NOTHING);
        assert_eq!(rig.sent_bytes(), b"");
        // On another connection the payload is wanted again.
        rig.reconnect(true);
        rig.client.fail_source(rig.now, op).unwrap();
        assert!(rig.told().contains(&"completed 1: SourceFailed".to_owned()));
    }
}

#[test]
fn a_message_of_qos_0_that_is_cut_is_interrupted() {
    let mut rig = Rig::connected(small_parts());
    publish(&mut rig, 0, 25, 1);
    rig.sent_bytes();
    rig.told();
    rig.cut();
    assert_eq!(rig.told(), ["completed 1: Interrupted", "closed StreamEnded"]);
}

#[test]
fn an_acknowledgement_before_the_end_closes() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(small_parts());
        publish(&mut rig, qos, 25, 1);
        rig.sent_bytes();
        rig.told();
        if qos == 1 {
            rig.puback(1);
        } else {
            rig.pubrec(1);
        }
        assert_eq!(rig.told(), ["closed Violation(AnswerBeforeTheEnd)"]);
        assert_eq!(rig.sent_bytes(), b"", "no farewell fits into the middle of a packet");
    }
}

#[test]
fn a_farewell_waits_for_the_end_and_no_other_end_does() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 0, 5, 1);
    rig.sent_bytes();
    rig.client.disconnect(rig.now);
    assert_eq!(rig.sent_bytes(), b"");
    rig.client.supply(rig.now, op, 0, "hello").unwrap();
    assert_eq!(rig.sent_bytes(), b"hello\xE0\0");
    let mut rig = Rig::connected(small_parts());
    publish(&mut rig, 0, 5, 1);
    rig.sent_bytes();
    rig.client.abort(rig.now);
    assert_eq!(rig.sent_bytes(), b"");
    assert!(rig.client.is_drained());
}

#[test]
fn a_message_that_the_peer_cannot_take_is_refused() {
    let mut rig = Rig::connected_with(small_parts(), said(|server| server.maximum_packet_size(50)));
    let refused = rig.client.publish_source(rig.now, head(1), 43, 1);
    assert_eq!(refused, Err(PublishError::TooLarge { bytes: 51, limit: 50 }));
    rig.client.publish_source(rig.now, head(1), 42, 1).unwrap();
}

#[test]
fn a_message_that_no_packet_can_carry_is_refused() {
    const LIMIT: u32 = VARINT_MAX + 5;
    let mut rig = Rig::connected(small_parts());
    for payload_bytes in [VARINT_MAX - 5, VARINT_MAX, u32::MAX] {
        let refused = rig.client.publish_source(rig.now, head(1), payload_bytes, 1);
        let Err(PublishError::TooLarge { bytes, limit: LIMIT }) = refused else {
            panic!("{payload_bytes}: {refused:?}")
        };
        assert!(
            (LIMIT + 1..=payload_bytes.saturating_add(30)).contains(&bytes),
            "{bytes}"
        );
    }
    assert_eq!(rig.sent_bytes(), b"");
    rig.client.publish_source(rig.now, head(1), VARINT_MAX - 6, 1).unwrap();
    assert_eq!(rig.sent_bytes()[..5], *b"\x32\xFF\xFF\xFF\x7F");
}

#[test]
fn a_message_that_no_packet_can_carry_ends_when_its_turn_comes() {
    let mut rig = Rig::new(small_parts());
    rig.client.publish_source(rig.now, head(0), u32::MAX, 1).unwrap();
    rig.open();
    rig.accept(false);
    assert_eq!(rig.sent_bytes(), b"");
    assert_eq!(
        rig.told(),
        ["connected", "completed 1: too large: 4294967295 above 268435460"]
    );
}

#[test]
fn an_alias_is_used_for_a_source_too() {
    let mut rig = Rig::connected_with(small_parts(), said(|server| server.topic_alias_maximum(5)));
    for tag in 1..=2 {
        let message = Message::new("home/temperature", "ignored").unwrap();
        rig.client.publish_source(rig.now, message, 3, tag).unwrap();
    }
    let sent = give_all(&mut rig, b"abc", 10);
    assert_eq!(
        sent,
        b"\x30\x19\0\x10home/temperature\x03\x23\0\x01abc\x30\x09\0\0\x03\x23\0\x01abc"
    );
}

#[test]
fn a_source_that_was_not_begun_can_be_cancelled() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 1, 5, 1);
    assert!(rig.client.cancel(rig.now, op));
    let op = publish(&mut rig, 1, 5, 2);
    rig.sent_bytes();
    assert!(!rig.client.cancel(rig.now, op));
    assert_eq!(rig.told(), ["completed 1: Cancelled", "wanted 2: 5 at 0"]);
}

#[test]
fn parts_are_asked_for_when_the_outbox_has_room() {
    let mut rig = Rig::connected(small_parts());
    let op = publish(&mut rig, 0, 25, 1);
    let mut outbox = mqtt_session::Outbox::new(12);
    rig.client.poll_transmit(&mut outbox);
    assert_eq!(rig.told(), ["wanted 1: 10 at 0"]);
    rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
    rig.client.poll_transmit(&mut outbox);
    let len = outbox.len();
    assert_eq!(rig.told(), ["wanted 1: 10 at 10"]);
    rig.client.supply(rig.now, op, 10, "0123456789").unwrap();
    rig.client.poll_transmit(&mut outbox);
    assert_eq!(outbox.len(), len, "it is full");
    assert_eq!(rig.told(), NOTHING);
    bytes::Buf::advance(&mut outbox, len);
    rig.client.poll_transmit(&mut outbox);
    assert_eq!(rig.told(), ["wanted 1: 5 at 20"]);
}

// ---- the same by a server

#[test]
fn a_server_sends_from_a_source_over_takeovers() {
    let session = SessionConfig::default().limits(Limits::default().chunk_bytes(10));
    let config = ServerConfig::default().session(session);
    let mut rig = server::rig::Rig::accepted(config.clone(), Version::V3_1_1);
    let op = rig.server.publish_source(rig.now, head(2), 15, 1).unwrap();
    assert_eq!(rig.sent_bytes(), b"\x34\x14\0\x01t\0\x01");
    assert_eq!(rig.told(), ["wanted 1: 10 at 0"]);
    rig.ping();
    rig.server.supply(rig.now, op, 0, "0123456789").unwrap();
    assert_eq!(rig.sent_bytes(), b"0123456789", "PINGRESP waits");
    let session = rig.take_over();
    let mut next = rig.resumed(config, session);
    assert_eq!(next.sent_bytes(), b"\x3C\x14\0\x01t\0\x01");
    assert_eq!(next.told(), ["wanted 1: 10 at 0"]);
    next.server.supply(next.now, op, 0, "0123456789").unwrap();
    next.sent_bytes();
    next.server.supply(next.now, op, 10, "01234").unwrap();
    next.ping();
    assert_eq!(next.sent_bytes(), b"01234\xD0\0");
    next.pubrec(1);
    assert_eq!(next.sent(), ["PUBREL #1"]);
    next.pubcomp(1);
    assert!(next.told().contains(&"completed 1: acknowledged".to_owned()));
}

#[test]
fn a_source_that_stalls_or_fails_ends_a_server_connection_too() {
    let config = ServerConfig::default();
    let mut rig = server::rig::Rig::accepted(config.clone(), Version::V5);
    rig.server.publish_source(rig.now, head(1), 15, 1).unwrap();
    rig.sent_bytes();
    rig.told();
    assert_eq!(rig.next_timer(), Some((30, Timer::Source)));
    rig.advance(30);
    assert_eq!(rig.told(), ["closed TimedOut(Source)"]);
    assert_eq!(rig.sent_bytes(), b"");
    let mut rig = server::rig::Rig::accepted(config, Version::V5);
    let op = rig.server.publish_source(rig.now, head(0), 15, 1).unwrap();
    rig.sent_bytes();
    rig.told();
    rig.server.fail_source(rig.now, op).unwrap();
    assert_eq!(rig.told(), ["completed 1: SourceFailed", "closed SourceFailed"]);
    assert_eq!(rig.sent_bytes(), b"");
}

#[test]
fn an_answer_to_the_time_before_counts_for_nothing() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(small_parts());
        let op = publish(&mut rig, qos, 15, 1);
        rig.sent_bytes();
        rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
        rig.sent_bytes();
        rig.client.supply(rig.now, op, 10, "01234").unwrap();
        rig.sent_bytes();
        rig.reconnect(true);
        rig.sent_bytes();
        rig.told();
        // A server that repeats its answers by itself, while the message goes again.
        if qos == 1 {
            rig.puback(1);
        } else {
            rig.pubrec(1);
        }
        assert_eq!(rig.told(), NOTHING);
        rig.client.supply(rig.now, op, 0, "0123456789").unwrap();
        assert_eq!(rig.sent_bytes(), b"0123456789");
        rig.client.supply(rig.now, op, 10, "01234").unwrap();
        assert_eq!(rig.sent_bytes(), b"01234");
        if qos == 1 {
            rig.puback(1);
        } else {
            rig.pubrec(1);
            assert_eq!(rig.sent(), ["PUBREL #1"]);
            rig.pubcomp(1);
        }
        assert_eq!(rig.told().last().unwrap(), "completed 1: acknowledged");
    }
}
