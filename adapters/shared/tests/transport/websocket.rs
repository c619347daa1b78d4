//! MQTT over WebSocket: chapter 6 of both specifications.

use mqtt_adapter::{LayerError, WebSocketError};
use mqtt_session::proto::Version;
use mqtt_session::{Accept, Closed, Event, Message, QoS, ServerEvent};
use mqtt_testbed::websocket::{answer, frame, frames, request};
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::wire::{client, client_asking, client_events, fault, received, server, server_asked, server_events};

/// The versions, and the tables of their statements.
const VERSIONS: [(Version, &str); 2] = [(Version::V5, "v5"), (Version::V3_1_1, "v311")];
const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn(Version)| {
        VERSIONS.map(|(version, table)| {
            let table = format!("{table}: {name}");
            Trial::new(Layer::Transport, table, move || run(version))
        })
    };
    let groups = [
        trial("what is sent is binary", what_is_sent_is_binary),
        trial("text closes the connection", text_closes_the_connection),
        trial("frames may begin and end anywhere", frames_may_begin_and_end_anywhere),
        trial("a client offers mqtt", a_client_offers_mqtt),
        trial("a server chooses mqtt", a_server_chooses_mqtt),
        trial("a client takes nothing but mqtt", a_client_takes_nothing_but_mqtt),
    ];
    groups.into_iter().flatten().collect()
}

/// The statement of that number in the chapter, of this version.
fn statement(version: Version, number: u8) -> String {
    let table = VERSIONS
        .iter()
        .find(|(one, _)| *one == version)
        .map_or("", |(_, table)| table);
    format!("{table}:MQTT-6.0.0-{number}")
}

/// CONNECT of a client `c`.
fn connect(version: Version) -> Vec<u8> {
    match version {
        Version::V5 => vec![0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 1, b'c'],
        _ => vec![0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'c'],
    }
}

/// CONNACK, and a PUBLISH behind it.
fn connack_and_publish(version: Version) -> Vec<u8> {
    match version {
        Version::V5 => vec![0x20, 3, 0, 0, 0, 0x30, 5, 0, 1, b't', 0, b'x'],
        _ => vec![0x20, 2, 0, 0, 0x30, 4, 0, 1, b't', b'x'],
    }
}

fn what_is_sent_is_binary(version: Version) {
    let (mut link, far, said) = client(version);
    far.written()
        .bytes
        .extend(frame(BINARY, &connack_and_publish(version), false));
    client_events(&mut link);
    let now = link.now();
    let large = Message::new("t", vec![7; 40_000]).unwrap().qos(QoS::AtLeastOnce);
    link.machine_mut().publish(now, large, 1).unwrap();
    client_events(&mut link);
    let all = frames(&[said, received(&far)].concat());
    assert!(all.len() > 2, "{}", all.len());
    assert!(all.iter().all(|frame| frame.first == BINARY && frame.is_masked));
    assert_eq!(all[0].payload[0], 0x10);

    let (mut link, far) = server();
    far.written().bytes.extend(frame(BINARY, &connect(version), true));
    assert!(matches!(server_events(&mut link)[..], [ServerEvent::Connect(_)]));
    let now = link.now();
    link.machine_mut().accept(now, Accept::new()).unwrap();
    link.machine_mut()
        .publish(now, Message::new("t", vec![7; 40_000]).unwrap(), 1)
        .unwrap();
    server_events(&mut link);
    let all = frames(&received(&far));
    assert!(all.len() > 2, "{}", all.len());
    assert!(all.iter().all(|frame| frame.first == BINARY && !frame.is_masked));
    assert_eq!(all[0].payload[0], 0x20);
    covers(&statement(version, 1));
}

fn text_closes_the_connection(version: Version) {
    let (mut link, far) = server();
    far.written().bytes.extend(frame(TEXT, &connect(version), true));
    assert!(matches!(
        server_events(&mut link)[..],
        [ServerEvent::Closed {
            reason: Closed::StreamEnded,
            ..
        }]
    ));
    assert_eq!(fault(link.take_error()), LayerError::WebSocket(WebSocketError::Text));
    assert!(far.unread().is_closed);

    let (mut link, far, _) = client(version);
    far.written()
        .bytes
        .extend(frame(TEXT, &connack_and_publish(version), false));
    assert!(matches!(
        client_events(&mut link)[..],
        [Event::Closed {
            reason: Closed::StreamEnded,
            ..
        }]
    ));
    assert_eq!(fault(link.take_error()), LayerError::WebSocket(WebSocketError::Text));
    assert!(far.unread().is_closed);
    covers(&statement(version, 1));
}

/// The same bytes in one frame, in two that meet anywhere, in parts of one message, and in a frame for each byte.
fn framings(bytes: &[u8], is_masked: bool) -> Vec<Vec<u8>> {
    let mut framings = vec![frame(BINARY, bytes, is_masked)];
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        framings.push([frame(BINARY, first, is_masked), frame(BINARY, second, is_masked)].concat());
        framings.push([frame(0x02, first, is_masked), frame(0x80, second, is_masked)].concat());
    }
    framings.push(
        bytes
            .iter()
            .flat_map(|byte| frame(BINARY, &[*byte], is_masked))
            .collect(),
    );
    framings
}

fn frames_may_begin_and_end_anywhere(version: Version) {
    // CONNECT with a PUBLISH behind it, which waits for the answer.
    let publish = &connack_and_publish(version)[if version == Version::V5 { 5.. } else { 4.. }];
    for bytes in framings(&[&connect(version), publish].concat(), true) {
        let (mut link, far) = server();
        far.written().bytes.extend(bytes);
        assert!(matches!(server_events(&mut link)[..], [ServerEvent::Connect(_)]));
        let now = link.now();
        link.machine_mut().accept(now, Accept::new()).unwrap();
        match &server_events(&mut link)[..] {
            [ServerEvent::Message(received)] => assert_eq!(received.message.payload, "x"),
            other => panic!("{other:?}"),
        }
    }
    for bytes in framings(&connack_and_publish(version), false) {
        let (mut link, far, _) = client(version);
        far.written().bytes.extend(bytes);
        match &client_events(&mut link)[..] {
            [Event::Connected { .. }, Event::Message(received)] => assert_eq!(received.message.payload, "x"),
            other => panic!("{other:?}"),
        }
    }
    covers(&statement(version, 2));
}

fn a_client_offers_mqtt(version: Version) {
    let (_, _, asked) = client_asking(version);
    let asked = String::from_utf8(asked).unwrap();
    let offers: Vec<&str> = asked
        .lines()
        .filter_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "))
        .collect();
    assert_eq!(offers, ["mqtt"]);
    covers(&statement(version, 3));
}

fn a_server_chooses_mqtt(version: Version) {
    for offer in ["mqtt", "chat, mqtt", "mqttv3.1,mqtt , superchat"] {
        let (mut link, far) = server_asked(&request(offer));
        assert!(server_events(&mut link).is_empty());
        let answer = String::from_utf8(received(&far)).unwrap().to_ascii_lowercase();
        let chosen: Vec<&str> = answer
            .lines()
            .filter_map(|line| line.strip_prefix("sec-websocket-protocol: "))
            .collect();
        assert_eq!(chosen, ["mqtt"], "{offer}");
        // And it is MQTT that goes on.
        far.written().bytes.extend(frame(BINARY, &connect(version), true));
        assert!(matches!(server_events(&mut link)[..], [ServerEvent::Connect(_)]));
    }
    covers(&statement(version, 4));
}

fn a_client_takes_nothing_but_mqtt(version: Version) {
    for chosen in ["chat", "MQTT", "mqttv3.1", "mqtt, chat"] {
        let (mut link, far, asked) = client_asking(version);
        far.written().bytes.extend(answer(&asked, chosen));
        assert!(
            matches!(client_events(&mut link)[..], [Event::Closed { .. }]),
            "{chosen}"
        );
        let error = fault(link.take_error());
        assert_eq!(error, LayerError::WebSocket(WebSocketError::NoSubprotocol), "{chosen}");
        assert!(received(&far).is_empty(), "no CONNECT goes to it");
    }
}
