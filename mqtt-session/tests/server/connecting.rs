//! The first packet, and what is no first packet.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, Packet, Version};
use mqtt_session::{Closed, Limits, ServerConfig, ServerEvent, Timer, Violation};

use crate::rig::{NOTHING, Rig, VERSIONS, asks, connect, encoded, limited, text, will};

/// What the server answers and tells when these bytes come first.
fn answer(bytes: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut rig = Rig::new(ServerConfig::default());
    rig.feed_bytes(bytes);
    (rig.sent_bytes(), rig.told())
}

fn closed(rig: &mut Rig) -> Closed {
    match rig.events().pop() {
        Some(ServerEvent::Closed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_version_is_that_of_connect() {
    for version in VERSIONS {
        let mut rig = Rig::new(ServerConfig::default());
        assert_eq!(rig.server.version(), None);
        rig.connect(connect(version));
        assert_eq!(rig.server.version(), Some(version));
        assert_eq!(rig.events(), [ServerEvent::Connect(Box::new(connect(version)))]);
        assert_eq!(rig.sent_bytes(), b"", "the host has not answered");
    }
}

#[test]
fn an_unsupported_version_is_told_so_in_a_form_that_it_can_read() {
    let with_level = |name: &[u8], level: u8| {
        let mut bytes = vec![0x10, 0, 0, u8::try_from(name.len()).unwrap()];
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&[level, 2, 0, 0, 0, 0, 1, b'c']);
        bytes[1] = u8::try_from(bytes.len() - 2).unwrap();
        bytes
    };
    let v5 = b"\x20\x03\x00\x84\x00".to_vec();
    let v3 = b"\x20\x02\x00\x01".to_vec();
    // The name of MQTT 3.1 with a level of the others, and the other way round.
    for (name, level, expected) in [
        (&b"MQTT"[..], 6, v5.clone()),
        (b"MQTT", 255, v5.clone()),
        (b"MQIsdp", 5, v5),
        (b"MQTT", 3, v3.clone()),
        (b"MQTT", 0, v3.clone()),
        (b"MQIsdp", 4, v3),
        (b"HTTP", 4, vec![]),
    ] {
        let (sent, told) = answer(&with_level(name, level));
        assert_eq!(sent, expected, "{name:?} {level}");
        assert_eq!(told, ["closed malformed 0x82"]);
    }
}

#[test]
fn what_is_not_connect_closes_at_its_first_byte_without_an_answer() {
    for first in (0..=255_u8).filter(|first| first >> 4 != 1) {
        let (sent, told) = answer(&[first]);
        assert_eq!(sent, b"", "{first:#04x}");
        assert_eq!(told.len(), 1, "{first:#04x}: {told:?}");
        assert!(told[0].starts_with("closed "), "{first:#04x}: {told:?}");
    }
    let (_, told) = answer(&[0xC0]);
    assert_eq!(told, ["closed Violation(PacketBeforeConnect)"]);
}

#[test]
fn a_first_byte_that_could_begin_connect_waits_for_more() {
    let (sent, told) = answer(&[0x10]);
    assert_eq!((sent, told), (vec![], vec![]));
}

#[test]
fn a_malformed_connect_is_answered_in_mqtt_5_alone() {
    for version in VERSIONS {
        let mut bytes = encoded(&Packet::Connect(connect(version)), version);
        // The reserved flag. [MQTT-3.1.2-3]
        let flags = if version == Version::V3_1 { 11 } else { 9 };
        bytes[flags] |= 1;
        let (sent, told) = answer(&bytes);
        match version {
            Version::V5 => assert_eq!(sent, b"\x20\x03\x00\x81\x00"),
            _ => assert_eq!(sent, b"", "{version:?} has no return code for it"),
        }
        assert_eq!(told, ["closed malformed 0x81"]);
    }
}

#[test]
fn a_connect_that_breaks_the_protocol_is_told_that() {
    let mut twice = encoded(&Packet::Connect(connect(Version::V5)), Version::V5);
    // Receive Maximum, twice.
    twice[12] = 6;
    twice.splice(13..13, *b"\x21\0\x05\x21\0\x05");
    twice[1] += 6;
    let (sent, told) = answer(&twice);
    assert_eq!(sent, b"\x20\x03\x00\x82\x00");
    assert_eq!(told, ["closed malformed 0x82"]);
}

#[test]
fn a_second_connect_closes_and_the_will_is_published() {
    for version in VERSIONS {
        let mut first = connect(version);
        first.will = will();
        let mut rig = Rig::accepted_as(ServerConfig::default(), first);
        let mut rest = &encoded(&Packet::Connect(connect(version)), version)[..1];
        rig.server.handle_input(rig.now, &mut rest);
        let told = rig.told();
        assert!(told[0].starts_with("closed Violation(SecondConnect), will"), "{told:?}");
        match version {
            Version::V5 => assert_eq!(rig.sent(), ["DISCONNECT 0x82"]),
            _ => assert_eq!(rig.sent(), NOTHING),
        }
    }
}

#[test]
fn a_second_connect_before_the_first_is_answered_waits_for_that() {
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    let second = encoded(&Packet::Connect(connect(Version::V5)), Version::V5);
    assert_eq!(rig.feed_bytes(&second), second.len(), "nothing is read");
    rig.server.accept(rig.now, mqtt_session::Accept::new()).unwrap();
    rig.feed_bytes(&second);
    assert_eq!(rig.told(), ["closed Violation(SecondConnect)"]);
    assert_eq!(rig.sent(), ["CONNACK", "DISCONNECT 0x82"]);
}

#[test]
fn who_may_have_no_name_depends_on_the_version() {
    for (version, clean_start, sent) in [
        (Version::V5, false, None),
        (Version::V5, true, None),
        (Version::V3_1_1, true, None),
        (Version::V3_1_1, false, Some(b"\x20\x02\x00\x02")),
        (Version::V3_1, true, Some(b"\x20\x02\x00\x02")),
        (Version::V3_1, false, Some(b"\x20\x02\x00\x02")),
    ] {
        let mut nameless = connect(version);
        nameless.client_id = text("");
        nameless.clean_start = clean_start;
        let mut bytes = Vec::new();
        if nameless.encode_to(version, &mut bytes).is_err() {
            // The encoder does not write what nobody may send.
            nameless.client_id = text("c");
            nameless.encode_to(version, &mut bytes).unwrap();
            let end = bytes.len();
            bytes.truncate(end - 1);
            bytes[end - 2] = 0;
            bytes[1] -= 1;
        }
        let (answered, told) = answer(&bytes);
        match sent {
            None => assert_eq!(told, ["connect"], "{version:?} {clean_start}"),
            Some(sent) => {
                assert_eq!(answered, sent, "{version:?} {clean_start}");
                assert!(told[0].starts_with("closed "), "{told:?}");
            }
        }
    }
}

#[test]
fn a_client_that_does_not_finish_connecting_is_left() {
    let limits = Limits::default().handshake_timeout(core::time::Duration::from_secs(7));
    let mut rig = Rig::new(limited(limits));
    let bytes = encoded(&Packet::Connect(connect(Version::V5)), Version::V5);
    rig.feed_bytes(&bytes[..bytes.len() - 1]);
    assert_eq!(rig.next_timer(), Some((7, Timer::Handshake)));
    rig.advance(6);
    assert_eq!(rig.told(), NOTHING);
    rig.advance(1);
    assert_eq!(rig.told(), ["closed TimedOut(Handshake)"]);
    assert_eq!(rig.sent_bytes(), b"");
    assert!(rig.server.is_drained());
}

#[test]
fn the_host_may_take_its_time_but_for_the_bound_of_it() {
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    assert_eq!(rig.next_timer(), Some((60, Timer::Handshake)));
    assert_eq!(rig.server.input_room(), 0);
    rig.advance(59);
    rig.server.accept(rig.now, mqtt_session::Accept::new()).unwrap();
    assert_eq!(rig.sent(), ["CONNACK"]);
    rig.advance(1);
    assert_eq!(rig.told(), NOTHING, "the bound is about those that are not accepted");
}

#[test]
fn a_host_that_does_not_answer_holds_no_connection() {
    let limits = Limits::default().admission_timeout(core::time::Duration::from_secs(30));
    for (version, answer) in [
        (Version::V5, "CONNACK 0x88"),
        (Version::V3_1_1, "CONNACK 0x88"),
        (Version::V3_1, "CONNACK 0x88"),
    ] {
        let mut rig = Rig::asked(limited(limits), connect(version));
        rig.advance(29);
        assert_eq!(rig.told(), NOTHING, "{version:?}");
        rig.advance(1);
        assert_eq!(rig.told(), ["closed TimedOut(Handshake)"], "{version:?}");
        assert_eq!(rig.sent(), [answer], "{version:?}");
        assert!(rig.server.is_drained());
        assert!(rig.server.accept(rig.now, mqtt_session::Accept::new()).is_err());
    }
}

#[test]
fn a_connect_above_its_bound_is_refused_at_its_header() {
    let limits = Limits::default().connect_bytes(100);
    for (length, is_too_large) in [(98, false), (99, true)] {
        let mut rig = Rig::new(limited(limits));
        assert_eq!(rig.server.input_room(), 100);
        rig.feed_bytes(&[0x10, length]);
        assert_eq!(rig.told().is_empty(), !is_too_large, "Remaining Length {length}");
        assert_eq!(rig.server.is_drained(), is_too_large, "the version is not known yet");
    }
    let mut rig = Rig::new(limited(limits));
    rig.feed_bytes(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
    let Closed::Malformed(error) = closed(&mut rig) else {
        panic!()
    };
    assert_eq!(error.connack_reason(), ConnAckReason::PacketTooLarge);
}

#[test]
fn the_bound_for_connect_ends_with_connect() {
    let limits = Limits::default().connect_bytes(64);
    let mut rig = Rig::accepted(limited(limits), Version::V5);
    assert_eq!(rig.server.input_room(), 1 << 20);
    rig.deliver(0, 1, &"x".repeat(1000));
    assert_eq!(rig.told(), ["message q0 s: 1000 bytes"]);
}

#[test]
fn a_small_bound_for_whole_messages_leaves_room_for_connect() {
    let limits = Limits::default().whole_packet_bytes(16).connect_bytes(4096);
    let mut rig = Rig::new(limited(limits));
    assert_eq!(rig.server.input_room(), 4096);
    let mut long = connect(Version::V5);
    long.properties = asks(|client| client.user_property("name", "v".repeat(1000)));
    rig.connect(long);
    assert_eq!(rig.told(), ["connect"]);
}

#[test]
fn a_stream_that_ends_early_is_told_once() {
    let mut rig = Rig::new(ServerConfig::default());
    rig.server.handle_eof(rig.now);
    rig.server.handle_eof(rig.now);
    assert_eq!(rig.told(), ["closed StreamEnded"]);
    assert!(rig.server.take_session().is_none());
    let mut rig = Rig::asked(ServerConfig::default(), connect(Version::V5));
    rig.server.handle_eof(rig.now);
    assert_eq!(rig.told(), ["closed StreamEnded"]);
    assert!(rig.server.accept(rig.now, mqtt_session::Accept::new()).is_err());
    assert_eq!(rig.sent_bytes(), b"");
}

#[test]
fn what_only_servers_send_closes() {
    for first in [0x20, 0x90, 0xB0, 0xD0_u8] {
        let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
        rig.feed_bytes(&[first, 0]);
        assert!(rig.told()[0].starts_with("closed malformed 0x82"), "{first:#04x}");
        assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
    }
    assert_eq!(
        Violation::PacketBeforeConnect.statement(Version::V5, mqtt_session::proto::Role::Client),
        "MQTT-3.1.0-1",
        "the statement is that of the first packet"
    );
}

#[test]
fn a_host_that_does_not_answer_sends_no_more_than_the_client_takes() {
    for (limit, sent) in [(4, &b""[..]), (5, b"\x20\x03\0\x88\0")] {
        let mut small = connect(Version::V5);
        small.properties = asks(|client| client.maximum_packet_size(limit));
        let mut rig = Rig::asked(ServerConfig::default(), small);
        rig.advance(60);
        assert_eq!(rig.told(), ["closed TimedOut(Handshake)"], "{limit}");
        assert_eq!(rig.sent_bytes(), sent, "{limit}");
        assert!(rig.server.is_drained());
    }
}

#[test]
fn a_refusal_that_the_client_does_not_take_is_not_sent_and_ends_the_connection() {
    for (limit, with_words) in [(1, false), (4, false), (5, false), (12, true), (12, false)] {
        let mut small = connect(Version::V5);
        small.properties = asks(|client| client.maximum_packet_size(limit));
        let mut rig = Rig::asked(ServerConfig::default(), small);
        // Too much for any of them, and not to be left out by itself.
        let properties = if with_words {
            ConnAckProperties::builder()
                .server_reference("x".repeat(20))
                .build()
                .unwrap()
                .to_owned()
        } else {
            ConnAckProperties::empty()
        };
        let refused = rig
            .server
            .refuse_client(rig.now, ConnAckReason::NotAuthorized, properties);
        assert_eq!(refused, Ok(()), "{limit}");
        let sent: &[u8] = if limit < 5 { b"" } else { b"\x20\x03\0\x87\0" };
        assert_eq!(rig.sent_bytes(), sent, "{limit}");
        assert_eq!(rig.told(), ["closed refused 0x87"], "{limit}");
        assert!(rig.server.is_drained());
    }
}
