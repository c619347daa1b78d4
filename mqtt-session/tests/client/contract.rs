//! What holds whatever happens: splits of the input, polling, time and the end.

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Delivery, Packet, PubAck, PubAckReason, PubRec, PubRecReason, PubRel,
    PubRelReason, QoS,
};
use mqtt_session::{Batch, HandOver, Instant, Outbox};

use crate::rig::{Rig, config, id, incoming, stored};

/// A client with messages to send, and all that a server says to it.
fn script() -> (Rig, Vec<u8>) {
    let mut rig = Rig::new(config());
    rig.publish(1, 1);
    rig.publish(2, 2);
    rig.open();
    rig.accept(false);
    rig.told();
    rig.sent();
    let delivery = |qos, number| Delivery::first(QoS::from_bits(qos).unwrap(), id(number));
    let packets = [
        incoming(Delivery::AtMostOnce, "a"),
        Packet::PubAck(PubAck::new(id(1), PubAckReason::Success)),
        incoming(delivery(1, 7), &"b".repeat(200)),
        incoming(delivery(2, 8), "c"),
        Packet::PubRec(PubRec::new(id(2), PubRecReason::Success)),
        incoming(delivery(2, 8).with_dup(true), "c"),
        Packet::PubRel(PubRel::new(id(9), PubRelReason::Success)),
        Packet::PingResp,
    ];
    let mut bytes: Vec<u8> = packets.iter().flat_map(|packet| rig.encoded(packet)).collect();
    // A CONNACK, which ends the connection.
    bytes.extend(rig.encoded(&Packet::ConnAck(ConnAck {
        session_present: false,
        reason: ConnAckReason::Success,
        properties: ConnAckProperties::empty(),
    })));
    (rig, bytes)
}

fn without_the_end(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() - 5]
}

/// What the client sends and tells when the input comes in these parts.
fn run(mut rig: Rig, parts: &[&[u8]], is_owned: bool) -> (Vec<String>, Vec<u8>) {
    let mut buffer = BytesMut::new();
    for part in parts {
        buffer.extend_from_slice(part);
        if is_owned {
            rig.client.handle_input_owned(rig.now, &mut buffer);
        } else {
            let left = rig.feed_bytes(&buffer);
            let taken = buffer.len() - left;
            drop(buffer.split_to(taken));
        }
    }
    (rig.told(), rig.sent_bytes())
}

#[test]
fn any_split_of_the_input_gives_the_same_events_and_output() {
    let (rig, script) = script();
    for bytes in [&script[..], without_the_end(&script)] {
        let whole = run(rig.clone(), &[bytes], false);
        assert!(whole.0.len() >= 4 && !whole.1.is_empty(), "{whole:?}");
        for is_owned in [false, true] {
            for at in 0..=bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(run(rig.clone(), &[first, second], is_owned), whole, "split at {at}");
            }
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(run(rig.clone(), &single, is_owned), whole);
        }
    }
}

#[test]
fn the_end_of_the_script_is_the_last_event() {
    let (rig, script) = script();
    let (told, _) = run(rig, &[&script], false);
    assert_eq!(told.last().unwrap(), "closed Violation(SecondConnAck)");
}

#[test]
fn polling_again_changes_nothing() {
    let (rig, script) = script();
    let script = without_the_end(&script);
    let expected = run(rig.clone(), &[script], false);
    let mut rig = rig;
    rig.feed_bytes(script);
    let told = rig.told();
    let mut outbox = Outbox::default();
    rig.client.poll_transmit(&mut outbox);
    let (len, timeout) = (outbox.len(), rig.client.poll_timeout());
    for _ in 0..10 {
        rig.client.poll_transmit(&mut outbox);
        assert_eq!(outbox.len(), len);
        assert_eq!(rig.client.poll_event(), None);
        assert!(!rig.client.poll_store(&mut Batch::new()));
        assert_eq!(rig.client.poll_timeout(), timeout);
        rig.client.handle_timeout(rig.now);
    }
    let sent = bytes::Buf::copy_to_bytes(&mut outbox, len);
    assert_eq!((told, sent.to_vec()), expected);
}

#[test]
fn a_batch_is_handed_out_once() {
    let mut rig = Rig::connected(stored());
    rig.publish(1, 1);
    let mut batch = Batch::new();
    assert!(rig.client.poll_store(&mut batch));
    assert!(!rig.client.poll_store(&mut batch));
    assert_eq!(batch.number(), 1);
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let life = |seed| {
        let (rig, bytes) = script();
        let first = run(rig, &[&bytes], false);
        let mut rig = Rig::new(config().seed(seed));
        for _ in 0..5 {
            rig.client.handle_open_failed(rig.now, true);
            rig.fire_next();
        }
        (first, rig.now)
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1).1, life(2).1, "the delays are random");
}

#[test]
fn nothing_is_told_or_taken_after_the_end() {
    let (mut rig, bytes) = script();
    rig.feed_bytes(&bytes);
    rig.told();
    rig.sent();
    rig.deliver(0, 1, "late");
    rig.puback(1);
    rig.cut();
    rig.client.handle_eof(rig.now);
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.sent(), [""; 0]);
}

#[test]
fn once_no_timer_is_due_the_deadline_lies_ahead() {
    let mut rig = Rig::connected(config());
    for _ in 0..200 {
        rig.fire_next();
        rig.sent();
        rig.told();
        if let Some(next) = rig.client.poll_timeout() {
            assert!(next.at > rig.now, "{next:?}");
        } else {
            panic!("a client that tries for ever has a deadline");
        }
        if rig.client.is_drained() {
            rig.client.handle_open(rig.now);
            rig.sent();
        }
    }
}

#[test]
fn time_never_goes_back() {
    let mut rig = Rig::connected(config());
    let next = rig.client.poll_timeout();
    rig.client.handle_timeout(Instant::ZERO);
    assert_eq!(rig.client.poll_timeout(), next);
    rig.client.handle_timeout(Instant::MAX);
    rig.client.handle_timeout(Instant::ZERO);
    assert!(rig.client.poll_timeout().is_none_or(|next| next.at == Instant::MAX));
}

#[test]
fn a_payload_is_shared_with_the_buffer_it_came_in() {
    let mut rig = Rig::connected(config().hand_over(HandOver::Manual));
    let packet = incoming(Delivery::AtMostOnce, &"x".repeat(4000));
    let mut buffer = BytesMut::from(&rig.encoded(&packet)[..]);
    let memory = buffer.as_ptr_range();
    rig.client.handle_input_owned(rig.now, &mut buffer);
    let events = rig.events();
    let [mqtt_session::Event::Message(received)] = &events[..] else {
        panic!()
    };
    let payload: &Bytes = &received.message.payload;
    assert_eq!(payload.len(), 4000);
    assert!(memory.contains(&payload.as_ptr()));
}
