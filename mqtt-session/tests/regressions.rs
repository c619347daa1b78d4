//! What fuzzing found, each in its shortest form.

use core::time::Duration;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{
    Disconnect, DisconnectProperties, DisconnectReason, PublishProperties, SubscriptionId, Text, TopicName,
};
use mqtt_session::{
    Accept, Authentication, Client, ClientConfig, Event, Instant, Key, Limits, Message, MessageRecord, Outbox, Outcome,
    OutgoingRecord, OutgoingState, QoS, Record, ServerConfig, ServerConnection, SessionConfig,
};

const NOW: Instant = Instant::from_secs(1_000);

fn sent(connection: &mut ServerConnection) -> Bytes {
    let mut outbox = Outbox::default();
    connection.poll_transmit(&mut outbox);
    outbox.copy_to_bytes(outbox.remaining())
}

#[test]
fn nothing_is_sent_before_a_connack_that_the_end_forestalls() {
    let session = SessionConfig::default().is_stored(true);
    let mut connection = ServerConnection::new(ServerConfig::default().session(session), NOW);
    connection.handle_input(NOW, &mut &b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c"[..]);
    connection.accept(NOW, Accept::new()).unwrap();
    connection.handle_input(NOW, &mut &b"\xC0\0"[..]); // PINGREQ, while CONNACK waits for the store
    connection.handle_input(NOW, &mut &b"\xE0\0"[..]); // DISCONNECT
    assert_eq!(sent(&mut connection), "");
}

fn record(qos: QoS) -> MessageRecord {
    MessageRecord {
        qos,
        retain: false,
        topic: TopicName::new("t").unwrap().to_owned(),
        properties: PublishProperties::empty(),
        expires_at: None,
        source_bytes: Some(1),
    }
}

/// What a client reports of this message to its server.
fn quarantined(message: MessageRecord) -> Vec<Key> {
    let mut restore = Client::restore(ClientConfig::new("c").unwrap(), NOW);
    restore.record(Record::Outgoing(OutgoingRecord {
        serial: 1,
        tag: 1,
        state: OutgoingState::Publish { id: None, message },
    }));
    let (_, report) = restore.finish();
    assert!(report.live.is_empty());
    report.quarantined.iter().map(|one| one.key).collect()
}

#[test]
fn a_record_of_qos_0_is_quarantined() {
    assert_eq!(quarantined(record(QoS::AtMostOnce)), [Key::Outgoing(1)]);
}

#[test]
fn a_message_is_sent_although_no_identifier_is_allowed() {
    let limits = Limits::default().packet_ids(0);
    let mut client = Client::new(ClientConfig::new("c").unwrap().limits(limits), NOW);
    let message = Message::new("t", "").unwrap().qos(QoS::AtLeastOnce);
    client.publish(NOW, message, 1).unwrap();
    client.handle_open(NOW);
    client.handle_input(NOW, &mut &b"\x20\x03\0\0\0"[..]);
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    assert!(
        outbox
            .copy_to_bytes(outbox.remaining())
            .ends_with(b"\x32\x06\0\x01t\0\x01\0")
    );
}

#[test]
fn a_record_of_a_client_that_names_a_subscription_is_quarantined() {
    let properties = PublishProperties::builder()
        .subscription_id(SubscriptionId::new(1).unwrap())
        .build()
        .unwrap();
    let message = MessageRecord {
        properties,
        ..record(QoS::AtLeastOnce)
    };
    assert_eq!(quarantined(message), [Key::Outgoing(1)]);
}

#[test]
fn a_farewell_holds_only_what_this_end_may_say() {
    let properties = DisconnectProperties::builder().session_expiry(7).reason_string("why");
    let farewell = Disconnect {
        reason: DisconnectReason::DisconnectWithWill,
        properties: properties.build().unwrap(),
    };
    let mut connection = ServerConnection::new(ServerConfig::default(), NOW);
    connection.handle_input(NOW, &mut &b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c"[..]);
    connection.accept(NOW, Accept::new()).unwrap();
    sent(&mut connection);
    connection.disconnect(NOW, farewell);
    assert_eq!(sent(&mut connection), &b"\xE0\x08\x80\x06\x1F\0\x03why"[..]);

    let properties = DisconnectProperties::builder().session_expiry(7).server_reference("s");
    let farewell = Disconnect {
        reason: DisconnectReason::ServerMoved,
        properties: properties.build().unwrap(),
    };
    let config = ClientConfig::new("c").unwrap().session_expiry_seconds(0);
    let mut client = Client::new(config, NOW);
    client.handle_open(NOW);
    client.handle_input(NOW, &mut &b"\x20\x03\0\0\0"[..]);
    client.poll_transmit(&mut Outbox::default());
    client.disconnect_with(NOW, farewell);
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    assert_eq!(outbox.chunk(), b"\xE0\x01\x80");
}

#[test]
fn an_auth_that_the_client_cannot_take_is_refused_to_the_host() {
    let connect = b"\x10\x17\0\x04MQTT\x05\x02\0\0\x09\x27\0\0\0\x0C\x15\0\x01m\0\x01c";
    let mut connection = ServerConnection::new(ServerConfig::default(), NOW);
    connection.handle_input(NOW, &mut &connect[..]);
    assert!(connection.authenticate(NOW, Some(b"data")).is_err());
    assert_eq!(sent(&mut connection), "");
    connection.authenticate(NOW, Some(b"a")).unwrap();
    assert_eq!(sent(&mut connection), &b"\xF0\x0A\x18\x08\x15\0\x01m\x16\0\x01a"[..]);
}

#[test]
fn a_deadline_that_stands_still_leaves_the_others_their_turn() {
    let limits = Limits::default()
        .events(1)
        .timers_per_call(1)
        .ping_timeout(Duration::ZERO);
    let config = ClientConfig::new("c").unwrap().keep_alive_seconds(3).limits(limits);
    let mut client = Client::new(config, NOW);
    client.poll_event();
    client.handle_open(NOW);
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    client.handle_input(NOW, &mut &b"\x20\x03\0\0\0"[..]);
    let mut now = NOW.saturating_add(Duration::from_secs(3));
    client.handle_timeout(now);
    client.poll_transmit(&mut outbox); // PINGREQ, which nobody takes
    client.handle_input(now, &mut &b"\x32\x06\0\x01t\0\x01\0"[..]);
    assert_eq!(client.input_room(), 0, "the host has not polled its events");
    now = now.saturating_add(limits.stall_timeout);
    for _ in 0..10 {
        client.handle_timeout(now);
    }
    assert!(client.poll_timeout().is_none_or(|timeout| timeout.at > now));
}

#[test]
fn nothing_follows_a_message_whose_payload_could_not_be_given() {
    let message = || Message::new("t", "").unwrap();
    let method = Text::new("m").unwrap().to_owned();
    let authentication = Some(Authentication { method, data: None });
    let config = ClientConfig::new("c").unwrap().authentication(authentication);
    let mut client = Client::new(config, NOW);
    client.handle_open(NOW);
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    client.handle_input(NOW, &mut &b"\x20\x07\0\0\x04\x15\0\x01m"[..]);
    let op = client.publish_source(NOW, message(), 2, 1).unwrap();
    outbox.clear();
    client.poll_transmit(&mut outbox);
    assert_eq!(outbox.chunk(), b"\x30\x06\0\x01t\0", "two bytes are to follow");
    client.reauthenticate(NOW, None).unwrap();
    client.fail_source(NOW, op).unwrap();
    outbox.clear();
    client.poll_transmit(&mut outbox);
    assert_eq!(outbox.chunk(), b"", "AUTH as a payload");
    let outcomes: Vec<_> = std::iter::from_fn(|| client.poll_event())
        .filter_map(|event| match event {
            Event::Completed { outcome, .. } => Some(outcome),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [Outcome::SourceFailed]);

    let mut connection = ServerConnection::new(ServerConfig::default(), NOW);
    connection.handle_input(NOW, &mut &b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c"[..]);
    connection.accept(NOW, Accept::new()).unwrap();
    sent(&mut connection);
    let op = connection.publish_source(NOW, message(), 2, 1).unwrap();
    assert_eq!(
        sent(&mut connection),
        &b"\x30\x05\0\x01t"[..],
        "two bytes are to follow"
    );
    connection.handle_input(NOW, &mut &b"\xC0\0"[..]);
    connection.fail_source(NOW, op).unwrap();
    assert_eq!(sent(&mut connection), "", "PINGRESP as a payload");
}
