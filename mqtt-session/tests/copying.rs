//! Which payloads are copied and which are shared: told by their addresses.

use bytes::{Buf, Bytes, BytesMut};
use mqtt_session::proto::{Delivery, Packet, PacketId, Publish, PublishProperties, TopicName, Version};
use mqtt_session::{
    Accept, Batch, Change, Client, ClientConfig, Event, HandOver, Instant, Limits, Message, Outbox, QoS, Record,
    ServerConfig, ServerConnection, ServerEvent,
};

const NOW: Instant = Instant::ZERO;
const INLINE: usize = 512;

fn connected(config: ClientConfig) -> Client {
    let mut client = Client::new(config, NOW);
    client.handle_open(NOW);
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    client.handle_input(NOW, &mut &b"\x20\x03\0\0\0"[..]);
    while client.poll_event().is_some() {}
    client
}

fn config() -> ClientConfig {
    ClientConfig::new("c")
        .unwrap()
        .limits(Limits::default().inline_bytes(512))
}

fn accepted() -> ServerConnection {
    let mut server = ServerConnection::new(ServerConfig::default(), NOW);
    server.handle_input(NOW, &mut &b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c"[..]);
    server.poll_event();
    server.accept(NOW, Accept::new()).unwrap();
    let mut outbox = Outbox::default();
    server.poll_transmit(&mut outbox);
    server
}

fn publish(qos: QoS, payload: Bytes) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(qos, PacketId::MIN),
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"t")).unwrap()),
        properties: PublishProperties::empty(),
        payload,
    })
}

/// A PUBLISH with a payload of that length, in a buffer of its own.
fn received(len: usize) -> BytesMut {
    let mut bytes = Vec::new();
    publish(QoS::AtLeastOnce, Bytes::from(vec![7; len]))
        .encode_to(Version::V5, &mut bytes)
        .unwrap();
    BytesMut::from(&bytes[..])
}

fn delivered(client: &mut Client) -> Bytes {
    match client.poll_event() {
        Some(Event::Message(received)) => received.message.payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_large_payload_is_shared_with_the_buffer_that_it_came_in() {
    let manual = || config().hand_over(HandOver::Manual);
    for (len, is_shared) in [(100, false), (INLINE + 100, true), (100_000, true)] {
        let mut buffer = received(len);
        let memory = buffer.as_ptr_range();
        let mut client = connected(manual());
        client.handle_input_owned(NOW, &mut buffer);
        assert_eq!(
            memory.contains(&delivered(&mut client).as_ptr()),
            is_shared,
            "{len} bytes"
        );

        let mut buffer = received(len);
        let memory = buffer.as_ptr_range();
        let mut server = accepted();
        server.handle_input_owned(NOW, &mut buffer);
        let Some(ServerEvent::Message(received)) = server.poll_event() else {
            panic!()
        };
        assert_eq!(
            memory.contains(&received.message.payload.as_ptr()),
            is_shared,
            "{len} bytes"
        );
    }
}

#[test]
fn what_comes_in_a_borrowed_slice_is_copied() {
    let bytes = received(100_000);
    let mut client = connected(config());
    client.handle_input(NOW, &mut &bytes[..]);
    let payload = delivered(&mut client);
    assert!(!bytes.as_ptr_range().contains(&payload.as_ptr()));
}

#[test]
fn chunks_are_shared_with_the_buffer_that_they_came_in() {
    let limits = Limits::default().whole_packet_bytes(4096);
    let mut client = connected(config().limits(limits));
    let mut buffer = received(100_000);
    let memory = buffer.as_ptr_range();
    client.handle_input_owned(NOW, &mut buffer);
    let chunk = core::iter::from_fn(|| client.poll_event())
        .find_map(|event| match event {
            Event::Chunk(chunk) => Some(chunk),
            _ => None,
        })
        .unwrap();
    assert_eq!(chunk.len(), 4096);
    assert!(memory.contains(&chunk.as_ptr()));
}

/// Whether the outbox holds these bytes themselves, and not a copy.
fn holds(outbox: &Outbox, bytes: &Bytes) -> bool {
    let mut chunks = [&[][..]; 8];
    let count = outbox.chunks(&mut chunks);
    chunks[..count].iter().any(|chunk| chunk.as_ptr() == bytes.as_ptr())
}

#[test]
fn a_payload_above_the_bound_is_shared_with_the_outbox() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for (len, is_shared) in [(INLINE, false), (INLINE + 1, true)] {
            let payload = Bytes::from(vec![7; len]);
            let message = Message::new("t", payload.clone()).unwrap().qos(qos);
            let mut outbox = Outbox::default();
            let mut client = connected(config());
            client.publish(NOW, message.clone(), 1).unwrap();
            client.poll_transmit(&mut outbox);
            assert_eq!(holds(&outbox, &payload), is_shared, "{qos:?} {len}");

            let mut outbox = Outbox::default();
            let mut server = accepted();
            server.publish(NOW, message, 1).unwrap();
            server.poll_transmit(&mut outbox);
            assert_eq!(holds(&outbox, &payload), is_shared, "{qos:?} {len}");
        }
    }
}

#[test]
fn parts_of_a_source_are_shared_with_the_outbox() {
    let mut client = connected(config());
    let message = Message::new("t", "").unwrap();
    let op = client.publish_source(NOW, message, 1000, 1).unwrap();
    let mut outbox = Outbox::default();
    client.poll_transmit(&mut outbox);
    let part = Bytes::from(vec![7; 1000]);
    client.supply(NOW, op, 0, part.clone()).unwrap();
    client.poll_transmit(&mut outbox);
    assert!(holds(&outbox, &part));
}

#[test]
fn one_payload_is_shared_by_all_who_get_it() {
    let mut buffer = received(100_000);
    let memory = buffer.as_ptr_range();
    let mut publisher = accepted();
    publisher.handle_input_owned(NOW, &mut buffer);
    let Some(ServerEvent::Message(received)) = publisher.poll_event() else {
        panic!()
    };
    for _ in 0..3 {
        let mut subscriber = accepted();
        subscriber.publish(NOW, received.message.clone(), 1).unwrap();
        let mut outbox = Outbox::default();
        subscriber.poll_transmit(&mut outbox);
        let mut chunks = [&[][..]; 4];
        let count = outbox.chunks(&mut chunks);
        assert!(chunks[..count].iter().any(|chunk| memory.contains(&chunk.as_ptr())));
        outbox.advance(outbox.len());
    }
}

/// The payload that the next batch writes down.
fn written(client: &mut Client) -> Bytes {
    let mut batch = Batch::new();
    assert!(client.poll_store(&mut batch));
    batch
        .changes()
        .iter()
        .find_map(|change| match change {
            Change::Put(Record::Payload { bytes, .. }) => Some(bytes.clone()),
            _ => None,
        })
        .unwrap()
}

#[test]
fn the_record_of_a_payload_is_shared_with_the_message() {
    let payload = Bytes::from(vec![7; 100_000]);
    let mut client = connected(config().is_stored(true));
    let message = Message::new("t", payload.clone()).unwrap().qos(QoS::AtLeastOnce);
    client.publish(NOW, message, 1).unwrap();
    assert_eq!(written(&mut client).as_ptr(), payload.as_ptr());

    let mut buffer = received(100_000);
    let memory = buffer.as_ptr_range();
    let mut client = connected(config().is_stored(true).hand_over(HandOver::Inbox));
    client.handle_input_owned(NOW, &mut buffer);
    assert!(memory.contains(&written(&mut client).as_ptr()));
}
