//! What most trials begin with.

use bytes::Bytes;
use mqtt_session::proto::{
    Binary, Connect, Delivery, Packet, Publish, PublishProperties, RetainHandling, SubscriptionOptions, Version, Will,
    WillProperties,
};
use mqtt_session::{BrokerEvent, QuestionId, Verdict};

use crate::rig::{Rig, config, fleeting, id, lasting, line, qos, topic};

/// The versions that the tables have rows for.
pub(crate) const BOTH: [Version; 2] = [Version::V5, Version::V3_1_1];

/// A publisher `p`, and a subscriber `s` whose session outlives its connection.
pub(crate) fn pair(version: Version) -> Rig {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", version));
    rig.join(lasting("s", version));
    rig
}

pub(crate) fn options(bits: u8) -> SubscriptionOptions {
    SubscriptionOptions::new(qos(bits))
}

pub(crate) fn no_local(bits: u8) -> SubscriptionOptions {
    let mut options = options(bits);
    options.no_local = true;
    options
}

pub(crate) fn as_published(bits: u8) -> SubscriptionOptions {
    let mut options = options(bits);
    options.retain_as_published = true;
    options
}

pub(crate) fn handling(bits: u8, retain_handling: RetainHandling) -> SubscriptionOptions {
    let mut options = options(bits);
    options.retain_handling = retain_handling;
    options
}

/// A will with all that it can say.
pub(crate) fn last_words(
    to: &str,
    payload: &str,
    bits: u8,
    retain: bool,
    properties: WillProperties<Bytes>,
) -> Option<Will<Bytes>> {
    Some(Will {
        topic: topic(to),
        payload: Binary::new(Bytes::copy_from_slice(payload.as_bytes())).expect("a short payload"),
        qos: qos(bits),
        retain,
        properties,
    })
}

/// A client of this version with a will of QoS 1 on topic `w`.
pub(crate) fn with_will(connect: Connect<Bytes>, retain: bool) -> Connect<Bytes> {
    Connect {
        will: last_words("w", "gone", 1, retain, WillProperties::empty()),
        ..connect
    }
}

/// PUBLISH with another identifier than the rig's own, and with DUP if wanted.
pub(crate) fn publish(rig: &mut Rig, name: &str, to: &str, delivery: Delivery, payload: &str) {
    let packet = Publish {
        delivery,
        retain: false,
        topic: Some(topic(to)),
        properties: PublishProperties::empty(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    };
    rig.feed(name, &Packet::Publish(packet));
}

/// A first PUBLISH with this identifier.
pub(crate) fn numbered(rig: &mut Rig, name: &str, to: &str, bits: u8, number: u16, payload: &str) {
    publish(rig, name, to, Delivery::first(qos(bits), id(number)), payload);
}

/// Sends a message and ends the publisher's side of its exchange.
pub(crate) fn deliver(rig: &mut Rig, name: &str, to: &str, bits: u8, payload: &str) {
    rig.publish(name, to, bits, payload);
    match bits {
        0 => assert_eq!(rig.sent(name), crate::rig::NOTHING),
        1 => assert_eq!(rig.sent(name), ["PUBACK #5"]),
        _ => {
            assert_eq!(rig.sent(name), ["PUBREC #5"]);
            rig.pubrel(name, 5);
            assert_eq!(rig.sent(name), ["PUBCOMP #5"]);
        }
    }
}

/// The one PUBLISH that a client was sent.
pub(crate) fn one_publish(rig: &mut Rig, name: &str) -> Publish<Bytes> {
    let mut sent = rig.sent_packets(name);
    match (sent.pop(), sent.is_empty()) {
        (Some(Packet::Publish(publish)), true) => publish,
        (last, _) => panic!("not one PUBLISH: {sent:?} {last:?}"),
    }
}

/// Connects a client of a broker with a store, and waits for the store.
pub(crate) fn join_stored(rig: &mut Rig, connect: Connect<Bytes>) -> Vec<String> {
    let name = String::from_utf8_lossy(connect.client_id.as_bytes()).into_owned();
    rig.connect(connect);
    rig.commit();
    rig.sent(&name)
}

/// Subscribes a client of a broker with a store, and waits for the store.
pub(crate) fn subscribe_stored(rig: &mut Rig, name: &str, filter: &str, bits: u8) {
    rig.subscribe_with(name, &[(filter, options(bits))], None);
    rig.commit();
    assert_eq!(rig.sent(name), [format!("SUBACK #9 {bits:#04x}")]);
}

/// The questions that the host was asked since the last call, with their lines.
pub(crate) fn questions(rig: &mut Rig) -> Vec<(QuestionId, String)> {
    let events = rig.events();
    let questions = events.iter().filter_map(|event| match event {
        BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } => {
            Some((*question, line(event)))
        }
        _ => None,
    });
    questions.collect()
}

/// Answers the one question that was asked.
pub(crate) fn answer(rig: &mut Rig, text: &str, verdict: Verdict) {
    let asked = questions(rig);
    let [(question, line)] = &asked[..] else {
        panic!("not one question: {asked:?}")
    };
    assert_eq!(line, text);
    assert!(rig.broker.authorize(rig.now, *question, verdict));
}
