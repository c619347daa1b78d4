//! Received messages that are too large to be held.

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{Delivery, Packet, Publish, PublishProperties, QoS, TopicName, Version};
use mqtt_session::{Capabilities, DeliveryId, HandOver, Limits, ServerConfig, ServerEvent, SessionConfig, Timer};

use crate::client;
use crate::server::rig::{NOTHING, Rig, VERSIONS, connect, encoded, id};

/// What is held in one piece in these tests.
const WHOLE: u32 = 64;

fn limits() -> Limits {
    Limits::default().whole_packet_bytes(WHOLE)
}

fn config(hand_over: HandOver) -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().hand_over(hand_over).limits(limits()))
}

fn automatic() -> ServerConfig {
    config(HandOver::Automatic)
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

fn publish(version: Version, qos: u8, number: u16, len: usize) -> Vec<u8> {
    publish_with(version, qos, number, len, PublishProperties::empty(), Some("s"))
}

fn publish_with(
    version: Version,
    qos: u8,
    number: u16,
    len: usize,
    properties: PublishProperties<Bytes>,
    topic: Option<&'static str>,
) -> Vec<u8> {
    let packet = Packet::Publish(Publish {
        delivery: Delivery::first(QoS::from_bits(qos).unwrap(), id(number)),
        retain: false,
        topic: topic.map(|topic| TopicName::from_bytes(Bytes::from_static(topic.as_bytes())).unwrap()),
        properties,
        payload: Bytes::from(payload(len)),
    });
    encoded(&packet, version)
}

/// Gives bytes as a driver does, which never holds more than there is room for, and polls in between.
fn give(rig: &mut Rig, bytes: &[u8]) -> Vec<ServerEvent> {
    let mut events = Vec::new();
    let (mut held, mut rest) = (BytesMut::new(), bytes);
    while !(rest.is_empty() && held.is_empty()) && rig.server.version().is_some() {
        let room = rig.server.input_room().saturating_sub(held.len()).min(rest.len());
        held.extend_from_slice(&rest[..room]);
        rest = &rest[room..];
        let before = held.len();
        rig.server.handle_input_owned(rig.now, &mut held);
        let polled = rig.events();
        let is_stuck = held.len() == before && polled.is_empty() && room == 0;
        events.extend(polled);
        if is_stuck {
            break;
        }
    }
    events
}

/// The payload that the chunks among events make up.
fn joined(events: &[ServerEvent]) -> Vec<u8> {
    let chunks = events.iter().filter_map(|event| match event {
        ServerEvent::Chunk(bytes) => Some(bytes.to_vec()),
        _ => None,
    });
    chunks.flatten().collect()
}

fn told(events: &[ServerEvent]) -> Vec<String> {
    let all = events.iter().filter(|event| !matches!(event, ServerEvent::Chunk(_)));
    all.map(crate::server::show::event).collect()
}

#[test]
fn a_large_message_is_told_in_chunks_and_acknowledged_after_its_end() {
    for version in VERSIONS {
        for (qos, ack) in [(0, None), (1, Some("PUBACK #5")), (2, Some("PUBREC #5"))] {
            let mut rig = Rig::accepted(automatic(), version);
            let bytes = publish(version, qos, 5, 1000);
            let (all_but_one, last) = bytes.split_at(bytes.len() - 1);
            let mut events = give(&mut rig, all_but_one);
            assert_eq!(told(&events), [format!("start q{qos} 1000 bytes")]);
            assert_eq!(rig.sent(), NOTHING, "it has not come in whole");
            rig.feed_bytes(last);
            assert_eq!(rig.sent(), NOTHING, "its end was not polled");
            events.extend(rig.events());
            assert_eq!(told(&events)[1..], ["end"]);
            assert_eq!(joined(&events), payload(1000));
            assert_eq!(rig.sent(), Vec::from_iter(ack));
        }
    }
}

#[test]
fn the_host_acknowledges_after_the_end() {
    for hand_over in [HandOver::Manual, HandOver::Inbox] {
        for (qos, ack) in [(1, "PUBACK #5"), (2, "PUBREC #5")] {
            let mut rig = Rig::accepted(config(hand_over), Version::V5);
            let events = give(&mut rig, &publish(Version::V5, qos, 5, 1000));
            assert_eq!(told(&events), [format!("start q{qos} 1000 bytes"), "end @1".into()]);
            assert_eq!(rig.sent(), NOTHING);
            rig.server.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
            assert_eq!(rig.sent(), [ack]);
        }
    }
}

#[test]
fn the_bound_is_that_of_the_whole_packet() {
    // Type, length, topic: five bytes, and one for the properties.
    for (len, expected) in [(58, "message q0 s: 58 bytes"), (59, "start q0 59 bytes")] {
        let mut rig = Rig::accepted(automatic(), Version::V5);
        rig.feed_bytes(&publish(Version::V5, 0, 1, len));
        assert_eq!(rig.told()[0], expected);
    }
}

#[test]
fn unread_chunks_stop_the_reading_at_their_bound() {
    let mut rig = Rig::accepted(automatic(), Version::V5);
    let bytes = publish(Version::V5, 0, 1, 1000);
    let left = rig.feed_bytes(&bytes);
    assert_eq!(left, 1000 - 64, "one bound of chunks is taken");
    assert_eq!(rig.server.input_room(), 0);
    assert_eq!(rig.server.poll_timeout(), None, "nobody waits for the client");
    let rest = &bytes[bytes.len() - left..];
    assert_eq!(rig.feed_bytes(rest), left, "nothing more is taken");
    assert_eq!(rig.told(), ["start q0 1000 bytes", "chunk 64"]);
    assert_eq!(rig.server.input_room(), 64);
    assert_eq!(rig.feed_bytes(rest), left - 64);
}

#[test]
fn a_repetition_is_answered_at_its_end_and_not_told_again() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(automatic(), version);
        let bytes = publish(version, 2, 5, 1000);
        give(&mut rig, &bytes);
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        let mut again = bytes.clone();
        again[0] |= 8;
        let (all_but_one, last) = again.split_at(again.len() - 1);
        assert_eq!(rig.feed_bytes(all_but_one), 0, "what is not told needs no room");
        assert_eq!(rig.sent(), NOTHING);
        rig.feed_bytes(last);
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        assert_eq!(rig.told(), NOTHING);
        rig.pubrel(5);
        assert_eq!(rig.sent(), ["PUBCOMP #5"]);
        assert_eq!(told(&give(&mut rig, &bytes)).len(), 2, "the identifier is free");
    }
}

#[test]
fn a_message_that_is_cut_short_was_never_received() {
    for qos in 0..=2 {
        let mut rig = Rig::accepted(automatic(), Version::V5);
        let bytes = publish(Version::V5, qos, 5, 1000);
        let events = give(&mut rig, &bytes[..500]);
        assert_eq!(told(&events).len(), 1);
        rig.server.handle_eof(rig.now);
        assert_eq!(rig.told(), ["aborted", "closed StreamEnded"]);
        let session = rig.server.take_session().unwrap();
        let mut next = rig.resumed(automatic(), session);
        let events = give(&mut next, &bytes);
        assert_eq!(told(&events), [format!("start q{qos} 1000 bytes"), "end".into()]);
        assert_eq!(joined(&events), payload(1000));
        assert_eq!(next.sent().len(), usize::from(qos > 0));
    }
}

#[test]
fn a_message_whose_end_was_not_polled_comes_again_to_the_next_connection() {
    for hand_over in [HandOver::Automatic, HandOver::Manual] {
        let mut rig = Rig::accepted(config(hand_over), Version::V5);
        let bytes = publish(Version::V5, 2, 5, 59);
        rig.feed_bytes(&bytes);
        let session = rig.take_over();
        assert_eq!(
            rig.told(),
            ["start q2 59 bytes", "chunk 59", "aborted", "closed by host 0x8e"]
        );
        let mut next = rig.resumed(config(hand_over), session);
        let events = give(&mut next, &bytes);
        assert_eq!(joined(&events), payload(59));
        let Some(ServerEvent::MessageEnd { delivery }) = events.last() else {
            panic!("{events:?}")
        };
        if let Some(delivery) = delivery {
            next.server.acknowledge(next.now, *delivery).unwrap();
        }
        assert_eq!(next.sent(), ["PUBREC #5"]);
    }
}

#[test]
fn a_head_that_cannot_be_held_closes() {
    let long = "t".repeat(100);
    let mut packet = vec![0x30, 200, 1, 0, 100];
    packet.extend_from_slice(long.as_bytes());
    for at in [WHOLE as usize, packet.len()] {
        let mut rig = Rig::accepted(automatic(), Version::V5);
        rig.feed_bytes(&packet[..at]);
        assert_eq!(rig.told(), ["closed Violation(HeadTooLarge)"], "at {at}");
        assert_eq!(rig.sent(), ["DISCONNECT 0x95"]);
    }
}

#[test]
fn what_is_not_supported_closes_at_the_head() {
    let mut capabilities = Capabilities::default();
    capabilities.maximum_qos = QoS::AtLeastOnce;
    let mut rig = Rig::accepted(automatic().capabilities(capabilities), Version::V5);
    rig.feed_bytes(&publish(Version::V5, 2, 5, 1000)[..20]);
    assert_eq!(rig.told(), ["closed Violation(QoSNotSupported)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x9b"]);
}

#[test]
fn more_open_messages_than_announced_close_at_the_end() {
    let session = SessionConfig::default()
        .hand_over(HandOver::Manual)
        .limits(limits().receive_maximum(1));
    let mut rig = Rig::accepted(ServerConfig::default().session(session), Version::V5);
    rig.deliver(1, 1, "small");
    let events = give(&mut rig, &publish(Version::V5, 1, 2, 100));
    assert_eq!(
        told(&events)[1..],
        [
            "start q1 100 bytes",
            "aborted",
            "closed Violation(ReceiveMaximumExceeded)"
        ]
    );
    assert_eq!(rig.sent(), ["DISCONNECT 0x93"]);
}

#[test]
fn an_alias_stands_for_the_topic_of_a_large_message_too() {
    let alias = || PublishProperties::builder().topic_alias(3).build().unwrap();
    let mut rig = Rig::accepted(automatic(), Version::V5);
    give(&mut rig, &publish_with(Version::V5, 0, 1, 100, alias(), Some("home")));
    let events = give(&mut rig, &publish_with(Version::V5, 0, 1, 100, alias(), None));
    let ServerEvent::MessageStart { message, .. } = &events[0] else {
        panic!()
    };
    assert_eq!(message.topic, "home");
    assert!(message.properties.is_empty() && message.payload.is_empty());
    let mut rig = Rig::accepted(automatic(), Version::V5);
    rig.feed_bytes(&publish_with(Version::V5, 0, 1, 100, alias(), None));
    assert_eq!(rig.told(), ["closed Violation(TopicAliasUnknown)"]);
}

#[test]
fn what_follows_a_large_message_is_told_after_it() {
    let mut rig = Rig::accepted(automatic(), Version::V5);
    let mut bytes = publish(Version::V5, 1, 1, 100);
    bytes.extend(publish(Version::V5, 1, 2, 5));
    bytes.extend([0xC0, 0]);
    let events = give(&mut rig, &bytes);
    assert_eq!(told(&events)[..2], ["start q1 100 bytes", "end"]);
    assert!(told(&events)[2].starts_with("message q1"));
    assert_eq!(rig.sent(), ["PINGRESP", "PUBACK #1", "PUBACK #2"]);
}

#[test]
fn each_part_shows_that_the_client_is_there() {
    let mut client = connect(Version::V5);
    client.keep_alive = 10;
    let mut rig = Rig::accepted_as(automatic(), client);
    let bytes = publish(Version::V5, 0, 1, 1000);
    for part in bytes.chunks(50).take(10) {
        rig.advance(14);
        rig.feed_bytes(part);
        rig.told();
        assert_eq!(rig.next_timer(), Some((15, Timer::KeepAlive)));
    }
    assert!(rig.server.is_connected());
}

#[test]
fn any_split_of_the_input_gives_the_same() {
    for version in VERSIONS {
        let mut bytes = publish(version, 0, 0x0101, 3);
        bytes.extend(publish(version, 2, 7, 90));
        bytes.extend(publish(version, 1, 8, 70));
        bytes.extend(publish(version, 2, 7, 90));
        bytes.extend([0xC0, 0]);
        let run = |parts: &[&[u8]]| {
            let mut rig = Rig::accepted(automatic(), version);
            let events: Vec<_> = parts.iter().flat_map(|part| give(&mut rig, part)).collect();
            (told(&events), joined(&events), rig.sent_bytes())
        };
        let whole = run(&[&bytes]);
        assert_eq!(whole.0.len(), 5, "{:?}", whole.0);
        assert_eq!(whole.1.len(), 160);
        // What a part leaves over the driver would hold; here each part has to be taken.
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            let mut rig = Rig::accepted(automatic(), version);
            let mut held = first.to_vec();
            let mut events = Vec::new();
            for more in [second, &[], &[], &[], &[], &[], &[]] {
                let left = rig.feed_bytes(&held);
                held = held[held.len() - left..].to_vec();
                events.extend(rig.events());
                held.extend_from_slice(more);
            }
            assert_eq!(
                (told(&events), joined(&events), rig.sent_bytes()),
                whole,
                "split at {at}"
            );
        }
    }
}

// ---- the same by a client

fn client_config() -> mqtt_session::ClientConfig {
    client::rig::config().limits(limits().events(4))
}

#[test]
fn a_client_is_told_in_chunks_too() {
    let mut rig = client::rig::Rig::connected(client_config());
    let bytes = publish(Version::V5, 2, 5, 100);
    let left = rig.feed_bytes(&bytes);
    assert_eq!(rig.told(), ["start q2 100 bytes", "chunk 64"]);
    assert_eq!(rig.sent(), NOTHING);
    rig.feed_bytes(&bytes[bytes.len() - left..]);
    assert_eq!(rig.told(), ["chunk 36", "end"]);
    assert_eq!(rig.sent(), ["PUBREC #5"]);
}

#[test]
fn a_client_whose_connection_is_cut_gets_the_message_again() {
    let mut rig = client::rig::Rig::connected(client_config());
    let bytes = publish(Version::V5, 2, 5, 100);
    rig.feed_bytes(&bytes[..40]);
    rig.reconnect(true);
    let told = rig.told();
    assert_eq!(
        told[..4],
        ["start q2 100 bytes", "chunk 32", "aborted", "closed StreamEnded"]
    );
    rig.feed_bytes(&bytes);
    assert_eq!(rig.told()[..1], ["start q2 100 bytes"]);
}

#[test]
fn a_client_whose_end_is_polled_after_the_cut_answers_the_repetition() {
    let mut rig = client::rig::Rig::connected(client_config());
    let bytes = publish(Version::V5, 2, 5, 59);
    rig.feed_bytes(&bytes);
    rig.reconnect(true);
    let told = rig.told();
    assert_eq!(
        told[..4],
        ["start q2 59 bytes", "chunk 59", "end", "closed StreamEnded"]
    );
    rig.feed_bytes(&bytes);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.sent(), ["PUBREC #5"]);
}

#[test]
fn a_large_message_of_qos_0_beyond_the_bound_is_dropped_and_counted() {
    let mut rig = client::rig::Rig::connected(client_config());
    for _ in 0..4 {
        rig.deliver(0, 1, "x");
    }
    assert_eq!(rig.feed_bytes(&publish(Version::V5, 0, 1, 1000)), 0);
    rig.deliver(1, 1, "y");
    let told = rig.told();
    assert_eq!(told[4..], ["dropped 1", "message q1 s: y"]);
}
