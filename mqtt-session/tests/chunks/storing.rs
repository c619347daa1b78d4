//! Large messages and the store.

use mqtt_session::proto::{Delivery, Packet, Publish, PublishProperties, QoS, TopicName};
use mqtt_session::{
    Batch, Client, ClientConfig, DeliveryId, HandOver, Key, Limits, Message, OutgoingRecord, OutgoingState, Record,
};

use crate::client::rig::{Rig, id, stored};

const NOTHING: [&str; 0] = [];

fn limits() -> Limits {
    Limits::default().chunk_bytes(10).whole_packet_bytes(64)
}

fn publish(rig: &mut Rig, qos: u8) {
    let message = Message::new("t", "").unwrap().qos(QoS::from_bits(qos).unwrap());
    rig.client.publish_source(rig.now, message, 15, 7).unwrap();
}

fn large(qos: u8, number: u16) -> Packet<bytes::Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(QoS::from_bits(qos).unwrap(), id(number)),
        retain: false,
        topic: Some(TopicName::from_bytes("s".into()).unwrap()),
        properties: PublishProperties::empty(),
        payload: vec![7; 80].into(),
    })
}

fn restored(rig: &Rig, config: ClientConfig) -> Rig {
    let version = config.version;
    let mut restore = Client::restore(config, rig.now);
    for record in rig.disk.values() {
        restore.record(record.clone());
    }
    let (client, report) = restore.finish();
    assert!(report.quarantined.is_empty(), "{report:?}");
    let mut next = Rig::with(client, version, rig.now);
    next.disk.clone_from(&rig.disk);
    next
}

#[test]
fn the_store_has_everything_of_a_source_but_its_payload() {
    let mut rig = Rig::connected(stored().limits(limits()));
    publish(&mut rig, 2);
    rig.write();
    rig.disk.remove(&Key::Session);
    let records: Vec<_> = rig.disk.values().collect();
    let [
        Record::Outgoing(OutgoingRecord {
            tag: 7,
            state: OutgoingState::Publish { id: Some(_), message },
            ..
        }),
    ] = &records[..]
    else {
        panic!("{records:?}")
    };
    assert_eq!(message.source_bytes, Some(15));
}

#[test]
fn a_restored_source_is_asked_again_from_the_beginning() {
    for qos in 1..=2 {
        let mut rig = Rig::connected(stored().limits(limits()));
        publish(&mut rig, qos);
        rig.commit();
        assert_eq!(rig.sent_bytes().len(), 8);
        let mut next = restored(&rig, stored().limits(limits()));
        assert_eq!(next.told(), ["open"]);
        next.open();
        next.accept(true);
        let first = next.sent_bytes()[0];
        assert_eq!(first, 0x38 | (qos << 1), "DUP");
        assert_eq!(next.told(), ["connected, session present", "wanted 7: 10 at 0"]);
    }
}

#[test]
fn a_source_that_was_received_leaves_nothing_behind() {
    let mut rig = Rig::connected(stored().limits(limits()));
    publish(&mut rig, 2);
    rig.commit();
    for part in ["0123456789", "01234"] {
        rig.sent_bytes();
        let (op, offset) = rig
            .events()
            .into_iter()
            .find_map(|event| match event {
                mqtt_session::Event::PayloadWanted { op, offset, .. } => Some((op, offset)),
                _ => None,
            })
            .unwrap();
        rig.client.supply(rig.now, op, offset, part).unwrap();
    }
    rig.sent_bytes();
    rig.pubrec(1);
    rig.commit();
    assert_eq!(rig.sent(), ["PUBREL #1"]);
    rig.pubcomp(1);
    rig.write();
    assert!(rig.disk_is_idle(), "{:?}", rig.disk);
}

#[test]
fn delivery_numbers_are_set_aside_before_a_large_message_is_told() {
    for hand_over in [HandOver::Manual, HandOver::Inbox] {
        let mut rig = Rig::connected(stored().limits(limits()).hand_over(hand_over));
        let bytes = rig.encoded(&large(2, 5));
        let left = rig.feed_bytes(&bytes);
        assert!(left > 0, "the store comes first");
        assert_eq!(rig.client.input_room(), 0);
        let rest = &bytes[bytes.len() - left..];
        rig.commit();
        assert!(rig.disk.contains_key(&Key::Session));
        let mut left = rest.to_vec();
        let mut told = rig.told();
        while !left.is_empty() {
            let untaken = rig.feed_bytes(&left);
            left = left[left.len() - untaken..].to_vec();
            told.extend(rig.told());
        }
        assert_eq!(told.first().unwrap(), "start q2 80 bytes");
        assert_eq!(told.last().unwrap(), "end @1");
        assert_eq!(rig.sent(), NOTHING);
        rig.client.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
        assert_eq!(rig.sent(), NOTHING, "the identifier is not stored");
        rig.commit();
        assert_eq!(rig.sent(), ["PUBREC #5"]);
        assert!(rig.disk.contains_key(&Key::Incoming(id(5))));
    }
}

#[test]
fn a_large_message_waits_for_those_that_the_store_does_not_have() {
    let mut rig = Rig::connected(stored().limits(limits()).hand_over(HandOver::Inbox));
    rig.deliver(1, 1, "small");
    let bytes = rig.encoded(&large(1, 2));
    assert_eq!(rig.feed_bytes(&bytes), bytes.len());
    assert_eq!(rig.told(), NOTHING);
    rig.commit();
    let left = rig.feed_bytes(&bytes);
    assert_eq!(left, bytes.len() - 8 - 64);
    assert_eq!(rig.told()[..2], ["message q1 @1 s: small", "start q1 80 bytes"]);
}

#[test]
fn a_large_message_waits_for_those_that_the_inbox_has_no_room_for() {
    for qos in 1..=2 {
        let limits = limits().inbox_messages(1);
        let mut rig = Rig::connected(stored().limits(limits).hand_over(HandOver::Inbox));
        rig.deliver(qos, 1, "first");
        rig.deliver(qos, 2, "second");
        rig.commit();
        assert_eq!(rig.told(), [format!("message q{qos} @1 s: first")]);
        let bytes = rig.encoded(&large(qos, 3));
        assert_eq!(rig.feed_bytes(&bytes), bytes.len());
        assert_eq!(rig.told(), NOTHING);
        assert_eq!(rig.client.input_room(), 0, "the host owes an acknowledgement");

        rig.client.acknowledge(rig.now, DeliveryId::from_number(1)).unwrap();
        assert_eq!(
            rig.feed_bytes(&bytes),
            bytes.len(),
            "the store does not have the second"
        );
        rig.commit();
        assert!(rig.feed_bytes(&bytes) < bytes.len());
        let second = format!("message q{qos} @2 s: second");
        assert_eq!(rig.told()[..2], [second, format!("start q{qos} 80 bytes")]);
    }
}

#[test]
fn a_message_that_is_cut_leaves_nothing_in_the_store() {
    let mut rig = Rig::connected(stored().limits(limits()));
    rig.commit();
    let bytes = rig.encoded(&large(2, 5));
    rig.feed_bytes(&bytes[..50]);
    rig.cut();
    assert!(!rig.client.poll_store(&mut Batch::new()));
}
