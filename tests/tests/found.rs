//! Faults that the simulation of a pair has found in the machines, each as the shortest way there.

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Decoded, Delivery, Packet, PacketId, PubRec, PubRecReason, Publish,
    PublishProperties, QoS, Rules, TopicName, Version, decode,
};
use mqtt_session::{
    Accept, Batch, Client, ClientConfig, Event, HandOver, Instant, Key, Limits, Message, Outbox, Outcome, Record,
    ServerConfig, ServerConnection, ServerEvent, SessionConfig,
};

const NOW: Instant = Instant::from_secs(1000);
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x00\x00\x01c";

fn config(version: Version) -> ClientConfig {
    ClientConfig::new("c").unwrap().version(version)
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn message(qos: QoS) -> Message {
    Message::new("t", "x").unwrap().qos(qos)
}

fn encoded(packet: &Packet<Bytes>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode_to(version, &mut bytes).unwrap();
    bytes
}

fn connack(session_present: bool, properties: ConnAckProperties<Bytes>, version: Version) -> Vec<u8> {
    let reason = ConnAckReason::Success;
    encoded(
        &Packet::ConnAck(ConnAck {
            session_present,
            reason,
            properties,
        }),
        version,
    )
}

fn connect(client: &mut Client, session_present: bool, version: Version) -> bool {
    client.handle_open(NOW);
    let sent = sent(|outbox| client.poll_transmit(outbox));
    let Ok(Decoded::Packet {
        packet: Packet::Connect(connect),
        ..
    }) = decode(&sent, &Rules::new(version))
    else {
        panic!("{sent:?}");
    };
    let anew = connect.clean_start;
    client.handle_input(
        NOW,
        &mut &connack(session_present, ConnAckProperties::empty(), version)[..],
    );
    anew
}

fn sent(mut fill: impl FnMut(&mut Outbox)) -> Vec<u8> {
    let mut outbox = Outbox::default();
    fill(&mut outbox);
    outbox.copy_to_bytes(outbox.len()).to_vec()
}

fn types(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut types = Vec::new();
    while let Ok(Decoded::Packet { len, .. }) = decode(rest, &Rules::new(Version::V3_1_1)) {
        types.push(rest[0] >> 4);
        rest = &rest[len..];
    }
    types
}

fn outcomes(client: &mut Client) -> Vec<Outcome> {
    let events = core::iter::from_fn(|| client.poll_event());
    events
        .filter_map(|event| match event {
            Event::Completed { outcome, .. } => Some(outcome),
            _ => None,
        })
        .collect()
}

fn served(limits: Limits, hand_over: HandOver, is_stored: bool) -> ServerConnection {
    let session = SessionConfig::default()
        .limits(limits)
        .hand_over(hand_over)
        .is_stored(is_stored);
    let mut server = ServerConnection::new(ServerConfig::default().session(session), NOW);
    server.handle_input(NOW, &mut &CONNECT[..]);
    assert!(matches!(server.poll_event(), Some(ServerEvent::Connect(_))));
    server
}

fn store(take: impl FnOnce(&mut Batch) -> bool) -> Option<Batch> {
    let mut batch = Batch::new();
    take(&mut batch).then_some(batch)
}

fn publish(qos: QoS, payload: usize) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(qos, id(1)),
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"t")).unwrap()),
        properties: PublishProperties::empty(),
        payload: Bytes::from(vec![b'x'; payload]),
    })
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_packet_sends_no_other() {
    let mut server = served(Limits::default(), HandOver::Automatic, false);
    server.accept(NOW, Accept::new()).unwrap();
    server.publish_source(NOW, message(QoS::AtMostOnce), 100, 7).unwrap();
    assert!(!sent(|outbox| server.poll_transmit(outbox)).is_empty());
    let ping: &[u8] = b"\xc0\x00";
    server.handle_input(NOW, &mut &ping[..]);
    let source_timeout = Limits::default().source_timeout;
    server.handle_timeout(NOW + source_timeout);
    assert_eq!(
        sent(|outbox| server.poll_transmit(outbox)),
        b"",
        "PINGRESP would be taken for payload"
    );
    assert!(server.is_drained());
}

#[test]
fn a_queued_message_that_the_server_does_not_support_is_not_sent() {
    let mut client = Client::new(config(Version::V5), NOW);
    client.publish(NOW, message(QoS::ExactlyOnce), 1).unwrap();
    client.publish(NOW, message(QoS::AtMostOnce).retain(true), 2).unwrap();
    client.handle_open(NOW);
    sent(|outbox| client.poll_transmit(outbox));
    let lacks = ConnAckProperties::<Bytes>::builder()
        .maximum_qos(QoS::AtLeastOnce)
        .retain_available(false);
    let bytes = connack(false, lacks.build().unwrap(), Version::V5);
    client.handle_input(NOW, &mut &bytes[..]);
    assert_eq!(sent(|outbox| client.poll_transmit(outbox)), b"");
    let outcomes = outcomes(&mut client);
    assert!(
        matches!(outcomes[..], [Outcome::NotSupported(_), Outcome::NotSupported(_)]),
        "{outcomes:?}"
    );
}

#[test]
fn a_session_that_began_anew_ends_with_its_connection_before_mqtt_5() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let mut client = Client::new(config(version), NOW);
        client.publish(NOW, message(QoS::ExactlyOnce), 1).unwrap();
        assert!(
            connect(&mut client, false, version),
            "a client without a store begins anew"
        );
        assert_eq!(types(&sent(|outbox| client.poll_transmit(outbox))), [3]);
        client.handle_eof(NOW);
        assert_eq!(outcomes(&mut client), [Outcome::SessionLost]);
        let due = client.poll_timeout().unwrap().at;
        client.handle_timeout(due);
        assert!(!connect(&mut client, version == Version::V3_1_1, version));
        assert_eq!(
            sent(|outbox| client.poll_transmit(outbox)),
            b"",
            "the server does not know the identifier"
        );
    }
}

/// Brings bytes in, with a host that hears of all of them.
fn feed(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        server.handle_input(NOW, &mut bytes);
        while server.poll_event().is_some() {}
    }
}

#[test]
fn a_repeated_message_in_chunks_is_answered_after_its_end() {
    let limits = Limits::default().whole_packet_bytes(50);
    let mut server = served(limits, HandOver::Automatic, false);
    server.accept(NOW, Accept::new()).unwrap();
    let bytes = encoded(&publish(QoS::ExactlyOnce, 100), Version::V3_1_1);
    let pubrec = encoded(
        &Packet::PubRec(PubRec::new(id(1), PubRecReason::Success)),
        Version::V3_1_1,
    );
    for expected in [&b"\x20\x02\x00\x00"[..], b""] {
        feed(&mut server, &bytes[..60]);
        assert_eq!(
            sent(|outbox| server.poll_transmit(outbox)),
            expected,
            "the sender is not done"
        );
        feed(&mut server, &bytes[60..]);
        assert_eq!(sent(|outbox| server.poll_transmit(outbox)), pubrec);
    }
}

#[test]
fn the_need_to_begin_anew_outlives_a_restart() {
    let stored = || config(Version::V5).is_stored(true);
    let restore = |damaged: &[Key]| {
        let mut restore = Client::restore(stored(), NOW);
        damaged
            .iter()
            .for_each(|key| restore.encoded(*key, &Bytes::from_static(b"damaged")));
        restore.finish()
    };
    let key = Key::Incoming(id(5));
    let (mut client, report) = restore(&[key]);
    assert!(report.session_ended);
    let deletes =
        |batch: Option<Batch>| batch.is_some_and(|batch| batch.changes().iter().any(|change| change.key() == key));
    assert!(
        !deletes(store(|batch| client.poll_store(batch))),
        "a restart has to find it again"
    );
    let (mut client, _) = restore(&[key]);
    assert!(connect(&mut client, false, Version::V5));
    assert!(
        deletes(store(|batch| client.poll_store(batch))),
        "from here on the server knows"
    );
}

#[test]
fn a_damaged_record_keeps_its_place_until_the_session_has_ended() {
    let mut restore = Client::restore(config(Version::V5).is_stored(true), NOW);
    restore.damaged(Key::Outgoing(7));
    let (mut client, _) = restore.finish();
    let op = client.publish(NOW, message(QoS::AtLeastOnce), 1).unwrap();
    assert!(op.serial() > 7);
}

#[test]
fn connack_waits_for_a_session_that_an_earlier_connection_began() {
    let mut first = served(Limits::default(), HandOver::Automatic, true);
    first.accept(NOW, Accept::new()).unwrap();
    first.handle_eof(NOW);
    let session = first.take_session().unwrap();
    let mut second = served(Limits::default(), HandOver::Automatic, true);
    second.accept(NOW, Accept::from(session)).unwrap();
    assert_eq!(
        sent(|outbox| second.poll_transmit(outbox)),
        b"",
        "the store does not have the session"
    );
    let batch = store(|batch| second.poll_store(batch)).unwrap();
    second.handle_stored(NOW, batch.number());
    assert_eq!(sent(|outbox| second.poll_transmit(outbox)), b"\x20\x02\x01\x00");
}

#[test]
fn a_driver_that_stores_before_it_sends_is_told_of_every_batch() {
    let mut client = Client::new(config(Version::V5).is_stored(true), NOW);
    client.publish(NOW, message(QoS::AtLeastOnce), 1).unwrap();
    let batch = store(|batch| client.poll_store(batch)).unwrap();
    client.handle_stored(NOW, batch.number());
    connect(&mut client, false, Version::V5);
    let batch = store(|batch| client.poll_store(batch)).expect("the identifier is given before anything is sent");
    assert!(sent(|outbox| client.poll_transmit(outbox)).is_empty());
    assert!(
        store(|batch| client.poll_store(batch)).is_none(),
        "sending leaves nothing to be stored behind"
    );
    client.handle_stored(NOW, batch.number());
    assert!(!sent(|outbox| client.poll_transmit(outbox)).is_empty());
}

#[test]
fn nothing_is_told_after_the_end_of_a_server_connection() {
    let mut server = served(Limits::default(), HandOver::Inbox, true);
    server.accept(NOW, Accept::new()).unwrap();
    server.handle_input(NOW, &mut &encoded(&publish(QoS::ExactlyOnce, 1), Version::V3_1_1)[..]);
    let batch = store(|batch| server.poll_store(batch)).unwrap();
    assert!(
        batch
            .changes()
            .iter()
            .any(|change| matches!(change, mqtt_session::Change::Put(Record::Inbox(_))))
    );
    server.handle_eof(NOW);
    server.handle_stored(NOW, batch.number());
    assert!(matches!(server.poll_event(), Some(ServerEvent::Closed { .. })));
    assert_eq!(server.poll_event(), None);
    let mut session = server.take_session().unwrap();
    assert!(session.poll_event().is_some(), "the session tells it");
}
