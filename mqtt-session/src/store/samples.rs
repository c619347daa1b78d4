//! Records of every shape, for tests.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{PacketId, PayloadFormat, PublishProperties, QoS, TopicName};

use super::{
    InboxRecord, IncomingRecord, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, Record, SessionRecord,
};
use crate::random::Random;
use crate::time::Instant;

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

pub(crate) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(crate) fn topic(text: &str) -> TopicName<Bytes> {
    TopicName::new(text).unwrap().to_owned()
}

pub(crate) fn message(qos: QoS) -> MessageRecord {
    MessageRecord {
        qos,
        retain: true,
        topic: topic("home/kitchen/temperature"),
        properties: PublishProperties::builder()
            .payload_format(PayloadFormat::Utf8)
            .content_type("text/plain")
            .user_property("unit", "celsius")
            .build()
            .unwrap(),
        expires_at: Some(Instant::from_micros(1_700_000_000_000_000)),
        source_bytes: None,
    }
}

pub(crate) fn plain_message(qos: QoS) -> MessageRecord {
    MessageRecord {
        qos,
        retain: false,
        topic: topic("t"),
        properties: PublishProperties::empty(),
        expires_at: None,
        source_bytes: None,
    }
}

/// A record of each shape.
pub(crate) fn samples() -> Vec<Record> {
    let outgoing = |state| {
        Record::Outgoing(OutgoingRecord {
            serial: 7,
            tag: 99,
            state,
        })
    };
    let publish = |id, message| outgoing(OutgoingState::Publish { id, message });
    let inbox = |id, message| {
        Record::Inbox(InboxRecord {
            delivery: 3,
            id,
            message,
        })
    };
    let payload = |of, bytes: &'static [u8]| Record::Payload {
        of,
        bytes: Bytes::from_static(bytes),
    };
    vec![
        Record::Session(SessionRecord {
            generation: 5,
            delivery_floor: 1_000,
            saved_at: Instant::from_micros(1_700_000_000_000_000),
            is_kept: true,
        }),
        publish(Some(id(1)), message(QoS::ExactlyOnce)),
        publish(None, message(QoS::AtLeastOnce)),
        publish(None, plain_message(QoS::AtMostOnce)),
        outgoing(OutgoingState::Release {
            id: id(65_535),
            is_given_up: false,
        }),
        Record::Incoming(IncomingRecord { id: id(300) }),
        inbox(Some(id(2)), message(QoS::ExactlyOnce)),
        inbox(None, plain_message(QoS::AtLeastOnce)),
        payload(PayloadOf::Outgoing(7), b"21.5"),
        payload(PayloadOf::Inbox(3), b""),
        outgoing(OutgoingState::Release {
            id: id(1),
            is_given_up: true,
        }),
    ]
}

pub(crate) fn random_text(random: &mut Random, least: u64) -> String {
    const LETTERS: [char; 8] = ['a', 'Z', '/', '0', 'é', '漢', '🦀', ' '];
    (0..least + random.below(20))
        .map(|_| LETTERS[random.below(LETTERS.len() as u64) as usize])
        .collect()
}

pub(crate) fn random_number(random: &mut Random) -> u64 {
    random.next_u64() >> random.below(64)
}

fn random_id(random: &mut Random) -> PacketId {
    id(1 + random.below(65_535) as u16)
}

pub(crate) fn random_payload(random: &mut Random) -> Bytes {
    (0..random.below(300)).map(|_| random.next_u64() as u8).collect()
}

pub(crate) fn random_message(random: &mut Random, qos: QoS) -> MessageRecord {
    let mut properties = PublishProperties::builder();
    if random.below(2) == 0 {
        properties = properties.content_type(random_text(random, 0));
    }
    if random.below(2) == 0 {
        properties = properties.correlation_data(random_payload(random));
    }
    for _ in 0..random.below(3) {
        properties = properties.user_property(random_text(random, 0), random_text(random, 0));
    }
    MessageRecord {
        qos,
        retain: random.below(2) == 0,
        topic: topic(&random_text(random, 1)),
        properties: properties.build().unwrap(),
        expires_at: (random.below(2) == 0).then(|| Instant::from_micros(random_number(random))),
        source_bytes: None,
    }
}

pub(crate) fn random_record(random: &mut Random) -> Record {
    let number = random_number(random);
    let qos = QOS[random.below(3) as usize];
    let with_id = random.below(2) == 0;
    match random.below(7) {
        0 => Record::Session(SessionRecord {
            generation: random.next_u64() as u32,
            delivery_floor: number,
            saved_at: Instant::from_micros(random_number(random)),
            is_kept: with_id,
        }),
        1 | 2 => Record::Outgoing(OutgoingRecord {
            serial: number,
            tag: random_number(random),
            state: if random.below(4) == 0 {
                OutgoingState::Release {
                    id: random_id(random),
                    is_given_up: with_id,
                }
            } else {
                OutgoingState::Publish {
                    id: (with_id && qos != QoS::AtMostOnce).then(|| random_id(random)),
                    message: random_message(random, qos),
                }
            },
        }),
        3 => Record::Incoming(IncomingRecord { id: random_id(random) }),
        4 => Record::Inbox(InboxRecord {
            delivery: number,
            id: (with_id && qos == QoS::ExactlyOnce).then(|| random_id(random)),
            message: random_message(random, qos),
        }),
        5 => Record::Payload {
            of: PayloadOf::Outgoing(number),
            bytes: random_payload(random),
        },
        _ => Record::Payload {
            of: PayloadOf::Inbox(number),
            bytes: random_payload(random),
        },
    }
}
