//! The window of a client: how many messages may be unacknowledged.

use mqtt_session::Limits;
use mqtt_session::proto::Version;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::rig::{Rig, VERSIONS, config};
use crate::wire::{PINGREQ, coded, puback, pubcomp, pubrec, pubrel};

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("client::quota::{name}"), run);
    vec![
        trial("the window of the server is used and kept", window_is_used_and_kept),
        trial("without Receive Maximum it is 65535", it_is_65535_by_default),
        trial("the first message can always be sent", first_message_can_always_be_sent),
        trial(
            "a full window holds back messages alone",
            full_window_holds_back_messages_alone,
        ),
        trial("each last answer gives back one", each_last_answer_gives_back_one),
        trial("it never grows above its begin", it_never_grows),
        trial(
            "each connection begins with its own",
            each_connection_begins_with_its_own,
        ),
    ]
}

/// How many messages go out.
fn sent_messages(rig: &mut Rig) -> usize {
    rig.sent().iter().filter(|frame| frame[0] >> 4 == 3).count()
}

fn window_is_used_and_kept() {
    for window in [1, 2, 20] {
        let mut rig = Rig::connected(config(), &format!("21 {window:04X}"));
        for tag in 0..50 {
            rig.publish(1 + u8::from(tag % 2 == 1), "x", tag);
        }
        assert_eq!(sent_messages(&mut rig), window);
        for _ in 0..3 {
            assert_eq!(sent_messages(&mut rig), 0);
        }
        rig.feed(&puback(1));
        assert_eq!(sent_messages(&mut rig), 1);
    }
    covers("v5:MQTT-4.9.0-2");
    covers("v5:MQTT-3.3.4-7");
}

fn it_is_65535_by_default() {
    let limits = Limits::default()
        .send_maximum(u16::MAX)
        .queued_messages(70_000)
        .queued_bytes(1 << 24);
    let mut rig = Rig::connected(config().limits(limits), "");
    for tag in 0..65_540 {
        rig.publish(1, "", tag);
    }
    assert_eq!(sent_messages(&mut rig), 65_535);
    covers("u5:U5-3.1.2-k");
}

/// Whatever the server and the configuration say, the window has room for one.
fn first_message_can_always_be_sent() {
    for (own, theirs) in [(0, "21 0001"), (1, "21 FFFF"), (0, ""), (1024, "21 0001")] {
        let limits = Limits::default().send_maximum(own);
        let mut rig = Rig::connected(config().limits(limits), theirs);
        rig.publish(1, "x", 1);
        rig.publish(1, "x", 2);
        let at_most = if own <= 1 || theirs == "21 0001" { 1 } else { 2 };
        assert_eq!(sent_messages(&mut rig), at_most);
    }
    covers("v5:MQTT-4.9.0-1");
}

/// With the window full, everything else is sent and answered.
fn full_window_holds_back_messages_alone() {
    let mut rig = Rig::connected(config().keep_alive_seconds(10), "21 0001");
    rig.publish(2, "x", 1);
    rig.publish(2, "held", 2);
    assert_eq!(sent_messages(&mut rig), 1);
    rig.subscribe("s", 3);
    rig.unsubscribe("u", 4);
    rig.publish(0, "plain", 5);
    let wire = rig.wire;
    rig.sends(&[
        wire.subscribe(2, "s", 1),
        wire.unsubscribe(3, "u"),
        wire.publish(0, 0).payload("plain").bytes(),
    ]);
    rig.advance(10);
    rig.sends(&[PINGREQ.to_vec()]);
    covers("v5:MQTT-3.3.4-8");
    let given = [
        wire.publish(1, 1).bytes(),
        wire.publish(2, 2).bytes(),
        pubrel(2),
        pubrel(9),
    ];
    rig.feed(&given[..2].concat());
    assert_eq!(rig.messages(), ["x", "x"]);
    rig.sends(&[puback(1), pubrec(2)]);
    rig.feed(&given[2..].concat());
    rig.sends(&[pubcomp(2), coded(pubcomp(9), 0x92)]);
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.feed(&wire.suback(2, &[0]));
    assert_eq!(rig.outcomes().len(), 1);
    covers("v5:MQTT-4.9.0-3");
}

/// One step at a time: PUBACK with and without an error, PUBREC with an error, PUBREC without one (not yet), PUBCOMP.
fn each_last_answer_gives_back_one() {
    let mut rig = Rig::connected(config(), "21 0001");
    for (tag, qos) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 1)] {
        rig.publish(qos, "x", tag);
    }
    let publish = |rig: &Rig, qos: u8, id: u16| rig.wire.publish(qos, id).bytes();
    let id = |frames: &[Vec<u8>]| u16::from_be_bytes([frames[0][5], frames[0][6]]);
    let first = rig.sent();
    assert_eq!(first, [publish(&rig, 1, id(&first))]);
    rig.feed(&puback(id(&first)));
    let second = rig.sent();
    assert_eq!(second, [publish(&rig, 1, id(&second))]);
    rig.feed(&coded(puback(id(&second)), 0x80));
    let third = rig.sent();
    assert_eq!(third, [publish(&rig, 2, id(&third))]);
    rig.feed(&coded(pubrec(id(&third)), 0x80));
    let fourth = rig.sent();
    assert_eq!(fourth, [publish(&rig, 2, id(&fourth))]);
    rig.feed(&pubrec(id(&fourth)));
    rig.sends(&[pubrel(id(&fourth))]);
    rig.feed(&pubcomp(id(&fourth)));
    let fifth = rig.sent();
    assert_eq!(fifth, [publish(&rig, 1, id(&fifth))]);
    covers("u5:U5-4.9-a");
}

/// Answers to nothing, and answers a second time, give back nothing.
fn it_never_grows() {
    let mut rig = Rig::connected(config(), "21 0002");
    rig.feed(&[puback(1), pubcomp(1), puback(9), coded(pubrec(9), 0x80), pubcomp(9)].concat());
    rig.stays();
    for tag in 1..=6 {
        rig.publish(1, "x", tag);
    }
    assert_eq!(sent_messages(&mut rig), 2);
    rig.feed(&[puback(1), puback(1), puback(1)].concat());
    rig.stays();
    assert_eq!(sent_messages(&mut rig), 1);
    covers("u5:U5-4.9-a");
}

/// Smaller, larger and absent, with messages under way and PUBRELs, which do not count.
fn each_connection_begins_with_its_own() {
    let mut rig = Rig::connected(config(), "21 0004");
    for tag in 1..=8 {
        rig.publish(2, "x", tag);
    }
    assert_eq!(sent_messages(&mut rig), 4);
    rig.feed(&pubrec(1));
    rig.sends(&[pubrel(1)]);
    rig.reconnect(true, "21 0002");
    let wire = rig.wire;
    rig.sends(&[
        pubrel(1),
        wire.publish(2, 2).dup().bytes(),
        wire.publish(2, 3).dup().bytes(),
    ]);
    rig.reconnect(true, "21 0003");
    let again = [2, 3, 4].map(|id| wire.publish(2, id).dup().bytes());
    rig.sends(&[&[pubrel(1)][..], &again].concat());
    rig.reconnect(true, "");
    assert_eq!(sent_messages(&mut rig), 7);
    assert_eq!(rig.wire.0, Version::V5);
    covers("u5:U5-4.9-b");
    covers("u5:U5-3.1.2-k");
    covers("BI-078");
    covers("RG-11");
    // MQTT 3 has no such number: the bound is that of the configuration.
    let mut rig = Rig::connected(
        config().version(VERSIONS[1]).limits(Limits::default().send_maximum(2)),
        "",
    );
    for tag in 1..=4 {
        rig.publish(1, "x", tag);
    }
    assert_eq!(sent_messages(&mut rig), 2);
}
