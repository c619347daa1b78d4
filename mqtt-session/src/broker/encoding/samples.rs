//! Records of every shape, for tests.

use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{QoS, SubscriptionId, SubscriptionOptions, TopicFilter, Version};

use crate::broker::party::Party;
use crate::broker::peers::ShardId;
use crate::broker::records::{
    BrokerKey, BrokerRecord, ClientRecord, ForwardId, ForwardRecord, Origin, PayloadId, ReplayRecord,
    SubscriptionRecord, WillRecord,
};
use crate::broker::sessions::SessionId;
use crate::random::Random;
use crate::store::samples::{
    message, plain_message, random_message, random_number, random_payload, random_record, random_text, samples, topic,
};
use crate::store::{PayloadOf, Record};
use crate::time::Instant;

const AT: Instant = Instant::from_micros(1_700_000_000_000_000);

pub(super) fn filter(text: &str) -> TopicFilter<Bytes> {
    TopicFilter::from_bytes_for(Version::V3_1_1, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// A client of this owner.
fn party(owner: Option<&str>) -> Party {
    Party::new(b"sensor-7", owner.map(str::as_bytes)).unwrap()
}

fn client(ends_at: Option<Instant>, will: Option<WillRecord>, owner: Option<&str>) -> BrokerRecord {
    BrokerRecord::Client(ClientRecord {
        session: SessionId(5),
        who: party(owner),
        session_expiry_seconds: 3_600,
        ends_at,
        will,
    })
}

fn subscription(text: &str, identifier: Option<u32>, replay: Option<Option<&str>>) -> BrokerRecord {
    BrokerRecord::Subscription(SubscriptionRecord {
        session: SessionId(5),
        filter: filter(text),
        options: SubscriptionOptions::new(QoS::ExactlyOnce),
        identifier: identifier.and_then(SubscriptionId::new),
        replay: replay.map(|after| ReplayRecord {
            shard: ShardId(258),
            after: after.map(topic),
            seen: Vec::new(),
        }),
    })
}

/// One whose replay goes by the names of these messages.
fn named(mut record: BrokerRecord, seen: &[u64]) -> BrokerRecord {
    if let BrokerRecord::Subscription(SubscriptionRecord {
        replay: Some(replay), ..
    }) = &mut record
    {
        replay.seen = seen.iter().copied().map(ForwardId).collect();
    }
    record
}

fn forward(groups: Vec<(ShardId, TopicFilter<Bytes>)>, publisher: Option<Party>) -> BrokerRecord {
    BrokerRecord::Forward(ForwardRecord {
        id: ForwardId(41),
        message: plain_message(QoS::ExactlyOnce),
        payload: PayloadId(9),
        publisher,
        is_routed: groups.is_empty(),
        groups,
    })
}

/// A record of each shape.
pub(super) fn broker_samples() -> Vec<BrokerRecord> {
    let will = |expiry_seconds, at| WillRecord {
        message: message(QoS::AtLeastOnce),
        expiry_seconds,
        payload: Bytes::from_static(b"gone"),
        delay_seconds: 30,
        at,
    };
    let mut records = vec![
        BrokerRecord::Broker {
            saved_at: AT,
            sessions: 6,
            forwards: 7,
        },
        client(None, None, None),
        client(Some(AT), Some(will(Some(60), Some(AT))), None),
        client(Some(AT), None, None),
        client(None, Some(will(None, None)), None),
        BrokerRecord::PayloadOf {
            session: SessionId(5),
            of: PayloadOf::Outgoing(7),
            payload: PayloadId(9),
        },
        subscription("home/+/temperature", None, None),
        subscription("$share/workers/jobs/#", Some(268_435_455), None),
        // An ordinary filter before MQTT 5.0.
        subscription("$share/", None, Some(None)),
        subscription("#", Some(1), Some(Some("home/kitchen"))),
        BrokerRecord::Retained {
            message: message(QoS::ExactlyOnce),
            payload: PayloadId(9),
            publisher: None,
            origin: Origin::default(),
        },
        BrokerRecord::Retained {
            message: plain_message(QoS::AtMostOnce),
            payload: PayloadId(10),
            publisher: None,
            origin: Origin::default(),
        },
        BrokerRecord::Payload {
            id: PayloadId(9),
            bytes: Bytes::from_static(b"21.5"),
        },
        BrokerRecord::Payload {
            id: PayloadId(10),
            bytes: Bytes::new(),
        },
        forward(
            vec![(ShardId(1), filter("$share/g/#")), (ShardId(2), filter("$share/h/a"))],
            None,
        ),
        forward(Vec::new(), None),
        BrokerRecord::Shard {
            shard: ShardId(2),
            upto: ForwardId(40),
        },
        BrokerRecord::Retained {
            message: plain_message(QoS::AtMostOnce),
            payload: PayloadId(10),
            publisher: Some(party(None)),
            origin: Origin::default(),
        },
        forward(Vec::new(), Some(party(None))),
        client(Some(AT), Some(will(None, None)), Some("alice")),
        client(None, None, Some("")),
        BrokerRecord::Retained {
            message: plain_message(QoS::AtMostOnce),
            payload: PayloadId(10),
            publisher: Some(party(Some("alice"))),
            origin: Origin::default(),
        },
        forward(Vec::new(), Some(party(Some("alice")))),
    ];
    let publishers = [None, Some(party(None)), Some(party(Some("alice")))];
    records.extend(publishers.map(|publisher| BrokerRecord::Retained {
        message: plain_message(QoS::AtMostOnce),
        payload: PayloadId(10),
        publisher,
        origin: Origin {
            shard: ShardId(258),
            name: ForwardId(1_025),
        },
    }));
    records.push(named(subscription("a", None, Some(None)), &[7]));
    records.push(named(
        subscription("+", Some(1), Some(Some("home/hall"))),
        &[0, u64::MAX],
    ));
    records.extend(samples().into_iter().map(|record| BrokerRecord::Session {
        session: SessionId(5),
        record,
    }));
    records
}

fn random_filter(random: &mut Random) -> TopicFilter<Bytes> {
    let filters = ["#", "+/a", "a/+/b/#", "$share/g/+", "$share/x", "$SYS/#"];
    match random.below(2) {
        0 => filter(filters[random.below(filters.len() as u64) as usize]),
        _ => filter(&random_text(random, 1)),
    }
}

fn random_party(random: &mut Random) -> Party {
    let owner = (random.below(2) == 0).then(|| random_payload(random));
    Party::new(&random_payload(random), owner.as_deref()).unwrap()
}

fn random_will(random: &mut Random) -> WillRecord {
    WillRecord {
        message: random_message(random, QoS::AtLeastOnce),
        expiry_seconds: (random.below(2) == 0).then(|| random.next_u64() as u32),
        payload: random_payload(random),
        delay_seconds: random.next_u64() as u32,
        at: (random.below(2) == 0).then(|| Instant::from_micros(random_number(random))),
    }
}

pub(super) fn random_broker_record(random: &mut Random) -> BrokerRecord {
    let session = SessionId(random_number(random));
    match random.below(10) {
        8 => BrokerRecord::Forward(ForwardRecord {
            id: ForwardId(random_number(random)),
            message: random_message(random, QoS::ExactlyOnce),
            payload: PayloadId(random_number(random)),
            publisher: (random.below(2) == 0).then(|| random_party(random)),
            is_routed: random.below(2) == 0,
            groups: (0..random.below(3))
                .map(|_| (ShardId(random.next_u64() as u16), filter("$share/g/a")))
                .collect(),
        }),
        9 => BrokerRecord::Shard {
            shard: ShardId(random.next_u64() as u16),
            upto: ForwardId(random_number(random)),
        },
        0 => BrokerRecord::Broker {
            saved_at: Instant::from_micros(random_number(random)),
            sessions: random_number(random),
            forwards: random_number(random),
        },
        1 => BrokerRecord::Client(ClientRecord {
            session,
            who: random_party(random),
            session_expiry_seconds: random.next_u64() as u32,
            ends_at: (random.below(2) == 0).then(|| Instant::from_micros(random_number(random))),
            will: (random.below(2) == 0).then(|| random_will(random)),
        }),
        2 => BrokerRecord::PayloadOf {
            session,
            of: PayloadOf::Inbox(random_number(random)),
            payload: PayloadId(random_number(random)),
        },
        3 => BrokerRecord::Subscription(SubscriptionRecord {
            session,
            filter: random_filter(random),
            options: SubscriptionOptions::from_bits(random.below(3) as u8 | (random.below(12) as u8) << 2).unwrap(),
            identifier: SubscriptionId::new(random.next_u64() as u32 & 0x0FFF_FFFF),
            replay: (random.below(2) == 0).then(|| ReplayRecord {
                shard: ShardId(random.next_u64() as u16),
                after: (random.below(2) == 0).then(|| topic(&random_text(random, 1))),
                seen: (0..random.below(3)).map(|_| ForwardId(random_number(random))).collect(),
            }),
        }),
        4 => BrokerRecord::Retained {
            message: random_message(random, QoS::AtLeastOnce),
            payload: PayloadId(random_number(random)),
            publisher: (random.below(2) == 0).then(|| random_party(random)),
            origin: Origin {
                shard: ShardId(random.next_u64() as u16),
                name: ForwardId(random_number(random)),
            },
        },
        5 => BrokerRecord::Payload {
            id: PayloadId(random_number(random)),
            bytes: random_payload(random),
        },
        _ => BrokerRecord::Session {
            session,
            record: random_record(random),
        },
    }
}

/// Keys that lie close to each other.
pub(super) fn keys() -> Vec<BrokerKey> {
    let mut keys: Vec<BrokerKey> = broker_samples().iter().map(BrokerRecord::key).collect();
    for session in [0, 1, 255, 256, u64::MAX] {
        let session = SessionId(session);
        keys.push(BrokerKey::Client(session));
        keys.extend(
            samples()
                .iter()
                .map(Record::key)
                .map(|key| BrokerKey::Session(session, key)),
        );
        keys.extend(["a", "a/b", "a/c", "b", "\u{FFFD}"].map(|text| BrokerKey::Subscription(session, filter(text))));
        keys.push(BrokerKey::Payload(PayloadId(session.number())));
    }
    keys.extend(["a", "a/b", "b", "\u{10FFFD}"].map(|text| BrokerKey::Retained(topic(text))));
    keys
}
