//! What holds whatever happens: splits of the input, polling, time and the end.

use bytes::{Buf, BytesMut};
use mqtt_session::proto::{
    Delivery, Packet, PubAck, PubAckReason, PubRec, PubRecReason, PubRel, PubRelReason, QoS, Version,
};
use mqtt_session::{Accept, Batch, Instant, Outbox, ServerConfig};

use crate::rig::{Rig, VERSIONS, connect, encoded, id, incoming, stored};

/// All that a client says, from CONNECT to a violation.
fn script(version: Version) -> Vec<u8> {
    let delivery = |qos, number| Delivery::first(QoS::from_bits(qos).unwrap(), id(number));
    let mut packets = vec![
        Packet::Connect(connect(version)),
        incoming(Delivery::AtMostOnce, "a"),
        Packet::PubAck(PubAck::new(id(1), PubAckReason::Success)),
        incoming(delivery(1, 7), &"b".repeat(200)),
        incoming(delivery(2, 8), "c"),
        Packet::PubRec(PubRec::new(id(2), PubRecReason::Success)),
        incoming(delivery(2, 8).with_dup(true), "c"),
        Packet::PubRel(PubRel::new(id(9), PubRelReason::Success)),
        Packet::PingReq,
    ];
    packets.push(Packet::Connect(connect(version)));
    packets.iter().flat_map(|packet| encoded(packet, version)).collect()
}

fn answer(rig: &mut Rig) {
    let _ = rig.server.accept(rig.now, Accept::new());
}

/// What the server sends and tells when the input comes in these parts. The host answers at once.
fn run(version: Version, parts: &[&[u8]], is_owned: bool) -> (Vec<String>, Vec<u8>) {
    let mut rig = Rig::new(ServerConfig::default());
    rig.version = version;
    let mut buffer = BytesMut::new();
    for part in parts {
        buffer.extend_from_slice(part);
        for _ in 0..2 {
            if is_owned {
                rig.server.handle_input_owned(rig.now, &mut buffer);
            } else {
                let left = rig.feed_bytes(&buffer);
                let taken = buffer.len() - left;
                drop(buffer.split_to(taken));
            }
            answer(&mut rig);
        }
    }
    (rig.told(), rig.sent_bytes())
}

#[test]
fn any_split_of_the_input_gives_the_same_events_and_output() {
    for version in VERSIONS {
        let bytes = script(version);
        let whole = run(version, &[&bytes], false);
        assert!(whole.0.len() >= 5 && whole.1.len() > 2, "{whole:?}");
        assert!(whole.0.last().unwrap().starts_with("closed Violation(SecondConnect)"));
        for is_owned in [false, true] {
            for at in 0..=bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(run(version, &[first, second], is_owned), whole, "split at {at}");
            }
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(run(version, &single, is_owned), whole);
        }
    }
}

/// A connection in the middle of its life.
fn busy() -> Rig {
    let mut rig = Rig::accepted(ServerConfig::default(), Version::V5);
    rig.publish(1, 1);
    rig.publish(2, 2);
    rig.deliver(1, 7, "b");
    rig.deliver(2, 8, "c");
    rig.subscribe(9, &["a"]);
    rig.ping();
    rig
}

#[test]
fn outputs_can_be_polled_in_any_order() {
    let polls: [fn(&mut Rig, &mut Vec<String>, &mut Outbox); 4] = [
        |rig, told, _| told.extend(rig.told()),
        |rig, _, outbox| rig.server.poll_transmit(outbox),
        |rig, _, _| {
            let _ = rig.server.poll_timeout();
        },
        |rig, _, _| {
            assert!(!rig.server.poll_store(&mut Batch::new()));
        },
    ];
    let mut seen = Vec::new();
    for first in 0..4 {
        for second in 0..4 {
            let mut rig = busy();
            let (mut told, mut outbox) = (Vec::new(), Outbox::default());
            for index in [first, second, 0, 1, 2, 3, 0, 1, first] {
                polls[index](&mut rig, &mut told, &mut outbox);
            }
            let len = outbox.len();
            let mut sent = outbox.copy_to_bytes(len).to_vec();
            sent.sort_unstable();
            seen.push((told, sent, rig.server.fingerprint()));
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}

#[test]
fn polling_again_changes_nothing() {
    let mut rig = busy();
    rig.told();
    let mut outbox = Outbox::default();
    rig.server.poll_transmit(&mut outbox);
    let (len, timeout) = (outbox.len(), rig.server.poll_timeout());
    for _ in 0..10 {
        rig.server.poll_transmit(&mut outbox);
        assert_eq!(outbox.len(), len);
        assert_eq!(rig.server.poll_event(), None);
        assert!(!rig.server.poll_store(&mut Batch::new()));
        assert_eq!(rig.server.poll_timeout(), timeout);
        rig.server.handle_timeout(rig.now);
    }
}

#[test]
fn one_packet_at_a_time_is_the_same_as_all_at_once() {
    let mut all = busy();
    all.told();
    let mut one = all.clone();
    let mut sent = Vec::new();
    let mut outbox = Outbox::new(1);
    loop {
        one.server.poll_transmit(&mut outbox);
        if outbox.is_empty() {
            break;
        }
        let len = outbox.remaining();
        sent.extend_from_slice(&outbox.copy_to_bytes(len));
    }
    assert_eq!(sent, all.sent_bytes());
}

#[test]
fn a_batch_is_handed_out_once() {
    let mut rig = Rig::accepted(stored(), Version::V5);
    rig.publish(1, 1);
    let mut batch = Batch::new();
    assert!(rig.server.poll_store(&mut batch));
    assert!(!rig.server.poll_store(&mut batch));
}

#[test]
fn once_no_timer_is_due_the_deadline_lies_ahead() {
    let mut rig = busy();
    for tag in 0..20 {
        let message = crate::rig::message(1, "x").expiry_seconds(1 + tag);
        if let Ok(op) = rig.server.publish(rig.now, message, u64::from(tag)) {
            rig.server.set_deadline(rig.now, op, rig.now);
        }
    }
    let mut fired = 0;
    while let Some(next) = rig.server.poll_timeout() {
        rig.now = rig.now.max(next.at);
        rig.server.handle_timeout(rig.now);
        let after = rig.server.poll_timeout();
        assert!(after.is_none_or(|after| after.at > rig.now), "{next:?} {after:?}");
        fired += 1;
    }
    assert!(fired > 10 && fired < 100, "{fired}");
    assert!(!rig.server.is_connected());
}

#[test]
fn time_never_goes_back() {
    let mut rig = busy();
    let next = rig.server.poll_timeout();
    rig.server.handle_timeout(Instant::ZERO);
    assert_eq!(rig.server.poll_timeout(), next);
    rig.server.handle_timeout(Instant::MAX);
    rig.server.handle_timeout(Instant::ZERO);
    assert!(!rig.server.is_connected());
    assert!(rig.server.poll_timeout().is_none_or(|next| next.at == Instant::MAX));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let life = || {
        let mut rig = busy();
        let told = rig.told();
        let sent = rig.sent_bytes();
        (told, sent, rig.server.fingerprint())
    };
    assert_eq!(life(), life());
}

#[test]
fn bytes_of_any_kind_are_no_panic() {
    let mut state = 0x1234_5678_9ABC_DEF0_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..3000 {
        let version = VERSIONS[round % 3];
        let mut bytes = script(version);
        for _ in 0..=random() % 4 {
            let at = usize::try_from(random()).unwrap() % bytes.len();
            bytes[at] = u8::try_from(random() % 256).unwrap();
        }
        let (told, _) = run(version, &[&bytes], round % 2 == 0);
        let ends = told.iter().filter(|line| line.starts_with("closed")).count();
        assert!(ends <= 1, "{told:?}");
        if ends == 1 {
            assert!(told.last().unwrap().starts_with("closed"), "{told:?}");
        }
    }
}
