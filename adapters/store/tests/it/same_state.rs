//! Every store gives back the same records after the same writes.

use bytes::Bytes;
use mqtt_session::proto::{PacketId, PublishProperties, SubscriptionOptions, TopicFilter, TopicName};
use mqtt_session::{
    BrokerChange, BrokerKey, BrokerRecord, Change, ClientRecord, InboxRecord, IncomingRecord, Instant, Key,
    MessageRecord, Origin, OutgoingRecord, OutgoingState, Party, PayloadId, PayloadOf, QoS, Record, SessionId,
    SessionRecord, SubscriptionRecord,
};
use mqtt_store::{Action, Durability, FileOptions, FileStore, MemoryStore, SessionName, Store, Write, Writer};
use proptest::prelude::*;

use crate::medium::Disk;
use crate::model::{Model, records};

fn names() -> impl Strategy<Value = SessionName> {
    let name = prop_oneof![
        Just(Vec::new()),
        Just(b"a".to_vec()),
        Just(b"a\0".to_vec()),
        Just(vec![0xFF; 3]),
        Just(vec![b'n'; SessionName::MAX_BYTES]),
    ];
    name.prop_map(|name| SessionName::new(name).unwrap())
}

fn id(number: u64) -> PacketId {
    PacketId::new(number as u16 + 1).unwrap()
}

fn message(len: usize) -> MessageRecord {
    MessageRecord {
        qos: QoS::ExactlyOnce,
        retain: len.is_multiple_of(2),
        topic: TopicName::new("t".repeat(1 + len % 90).as_str()).unwrap().to_owned(),
        properties: PublishProperties::empty(),
        expires_at: None,
        source_bytes: None,
    }
}

/// Few keys, so that they are written, overwritten and deleted again and again.
fn changes() -> impl Strategy<Value = Change> {
    (0..10_u8, 0..4_u64, 0..9_000_usize).prop_map(|(kind, number, len)| match kind {
        0 => Change::Delete(Key::Outgoing(number)),
        1 => Change::Delete(Key::Payload(PayloadOf::Inbox(number))),
        2 => Change::Delete(Key::Incoming(id(number))),
        3 => Change::Delete(Key::Session),
        4 => Change::Put(Record::Session(SessionRecord {
            generation: number as u32,
            delivery_floor: len as u64,
            saved_at: Instant::from_micros(number),
            is_kept: len % 2 == 0,
        })),
        5 => Change::Put(Record::Incoming(IncomingRecord { id: id(number) })),
        6 => Change::Put(Record::Inbox(InboxRecord {
            delivery: number,
            id: Some(id(number)),
            message: message(len),
        })),
        7 => Change::Put(Record::Outgoing(OutgoingRecord {
            serial: number,
            tag: len as u64,
            state: OutgoingState::Release {
                id: id(number),
                is_given_up: len % 2 == 0,
            },
        })),
        8 => Change::Put(Record::Outgoing(OutgoingRecord {
            serial: number,
            tag: number,
            state: OutgoingState::Publish {
                id: None,
                message: message(len),
            },
        })),
        _ => Change::Put(Record::Payload {
            of: PayloadOf::Inbox(number),
            bytes: Bytes::from(vec![number as u8; len]),
        }),
    })
}

fn payload_id(number: u64) -> PayloadId {
    let bytes = [&[2][..], &number.to_be_bytes()].concat();
    match BrokerKey::decode(&Bytes::from(bytes)) {
        Some(BrokerKey::Payload(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn session_id(number: u64) -> SessionId {
    let bytes = [&[3][..], &number.to_be_bytes(), &[0]].concat();
    BrokerKey::decode(&Bytes::from(bytes)).unwrap().session().unwrap()
}

/// The same of a broker: records of fixed and of any length, of few sessions.
fn broker_changes() -> impl Strategy<Value = BrokerChange> {
    (0..9_u8, 0..4_u64, 0..9_000_usize).prop_map(|(kind, number, len)| {
        let (session, payload) = (session_id(number), payload_id(number));
        let filter = || TopicFilter::new("f".repeat(1 + len % 3).as_str()).unwrap().to_owned();
        match kind {
            0 => BrokerChange::Delete(BrokerKey::Client(session)),
            1 => BrokerChange::Delete(BrokerKey::Subscription(session, filter())),
            2 => BrokerChange::Delete(BrokerKey::Payload(payload)),
            3 => BrokerChange::Put(BrokerRecord::Broker {
                saved_at: Instant::from_micros(number),
                sessions: number,
                forwards: number,
            }),
            4 => BrokerChange::Put(BrokerRecord::Client(ClientRecord {
                session,
                who: Party::new(&vec![b'c'; len % 99], None).expect("it is short"),
                session_expiry_seconds: number as u32,
                ends_at: None,
                will: None,
            })),
            5 => BrokerChange::Put(BrokerRecord::Session {
                session,
                record: Record::Incoming(IncomingRecord { id: id(number) }),
            }),
            6 => BrokerChange::Put(BrokerRecord::Subscription(SubscriptionRecord {
                session,
                filter: filter(),
                options: SubscriptionOptions::new(QoS::AtLeastOnce),
                identifier: None,
                replay: None,
            })),
            7 => BrokerChange::Put(BrokerRecord::Retained {
                message: message(len),
                payload,
                publisher: None,
                origin: Origin::default(),
            }),
            _ => BrokerChange::Put(BrokerRecord::Payload {
                id: payload,
                bytes: Bytes::from(vec![number as u8; len]),
            }),
        }
    })
}

fn writes() -> impl Strategy<Value = Write> {
    prop_oneof![
        9 => (names(), prop::collection::vec(broker_changes(), 0..6))
            .prop_map(|(name, changes)| Write::apply_broker(name, changes)),
        1 => names().prop_map(Write::forget_broker),
        9 => (names(), prop::collection::vec(changes(), 0..6)).prop_map(|(name, changes)| Write::apply(name, changes)),
        1 => names().prop_map(Write::forget),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    /// Close and open.
    Restart,
    /// Open without having closed.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(writes(), 0..8).prop_map(Step::Commit),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..24)
}

fn open(disk: &Disk) -> FileStore {
    FileStore::open_on(disk.clone(), FileOptions::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_store_has_what_the_model_has(steps in steps()) {
        let mut model = Model::default();
        let mut memory = MemoryStore::new();
        let mut disk = Disk::default();
        let mut file = open(&disk);
        let behind = MemoryStore::new();
        let mut writer = Writer::start(behind.clone()).unwrap();
        for step in steps {
            match step {
                Step::Commit(group) => {
                    model.apply(&group);
                    memory.commit(&group).unwrap();
                    file.commit(&group).unwrap();
                    through_a_thread(&writer, &group);
                }
                Step::Restart => {
                    Box::new(file).close().unwrap();
                    file = open(&disk);
                    memory = memory.reopened();
                    writer.close().unwrap();
                    writer = Writer::start(behind.clone()).unwrap();
                }
                Step::Crash => {
                    // What the old store still does, it does to another disk.
                    disk = Disk::new(disk.image());
                    file = open(&disk);
                    memory = memory.clone();
                }
            }
            prop_assert_eq!(&Model::of(&mut memory), &model);
            prop_assert_eq!(&Model::of(&mut file), &model);
            prop_assert_eq!(&from_a_thread(&writer), &model);
        }
    }
}

fn through_a_thread(writer: &Writer, group: &[Write]) {
    for (number, write) in (1..).zip(group) {
        let mut session = writer.session(write.session.clone());
        let mut broker = writer.broker(write.session.clone()).unwrap();
        match &write.action {
            Action::Apply(changes) => session.write_changes(number, changes.clone()),
            Action::Forget => session.forget(),
            Action::ApplyBroker(changes) => broker.write_changes(number, changes.clone()),
            Action::ForgetBroker => broker.forget(),
        }
    }
}

fn from_a_thread(writer: &Writer) -> Model {
    let names = writer.sessions().unwrap();
    let sessions = names.into_iter().map(|name| {
        let loaded = records(writer.load(&name).unwrap());
        (name, loaded)
    });
    let sessions = sessions.collect();
    let names = writer.brokers().unwrap();
    let brokers = names.into_iter().map(|name| {
        let loaded = records(writer.load_broker(&name).unwrap());
        (name, loaded)
    });
    Model {
        sessions,
        brokers: brokers.collect(),
    }
}

#[test]
fn a_durability_changes_nothing_of_what_is_read() {
    let groups = crate::exchange::groups(60, 3);
    let expected = Model::states(&groups).pop().unwrap();
    for durability in [Durability::Sync, Durability::Os, Durability::None] {
        let disk = Disk::default();
        let options = FileOptions::default().durability(durability);
        let mut store = FileStore::open_on(disk.clone(), options).unwrap();
        for group in &groups {
            store.commit(group).unwrap();
        }
        assert_eq!(Model::of(&mut store), expected);
        Box::new(store).close().unwrap();
        assert_eq!(
            Model::of(&mut open(&disk)),
            expected,
            "{durability:?}: what was closed is there"
        );
    }
}
