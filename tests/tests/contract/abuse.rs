//! Line 1 and what follows from it: nothing panics, whatever is called in whatever order, and there is one end.

use bytes::{Bytes, BytesMut};
use mqtt_session::proto::{PubAckReason, ReasonCode, Version};
use mqtt_session::{
    Batch, Client, ClientConfig, Instant, Key, Message, Op, Outbox, PayloadOf, QoS, Session, SessionConfig,
};
use proptest::prelude::*;

use crate::subject::{START, Subject};

/// Any call, with any arguments.
#[derive(Clone, Debug)]
enum Call {
    Input(Vec<u8>, bool),
    Eof,
    Timeout,
    Stored(u64),
    StoreFailed,
    Publish(u8, Vec<u8>, Option<u32>),
    Cancel(usize),
    Deadline(usize, u64),
    Supply(usize, u32, Vec<u8>),
    FailSource(usize),
    Refuse(u64, bool),
    Store,
    Transmit,
    Event,
    Time(u64),
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let known: &[&[u8]] = &[
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c",
        b"\x20\x02\x00\x00",
        b"\x20\x03\x00\x00\x00",
        b"\x30\x03\x00\x01t",
        b"\x30\x04\x00\x01t\x00",
        b"\x32\x06\x00\x01t\x00\x01\x00",
        b"\x34\x06\x00\x01t\x00\x02\x00",
        b"\x40\x02\x00\x01",
        b"\x50\x02\x00\x01",
        b"\x62\x02\x00\x02",
        b"\x70\x02\x00\x01",
        b"\x82\x06\x00\x05\x00\x01t\x01",
        b"\x82\x07\x00\x05\x00\x00\x01t\x01",
        b"\xc0\x00",
        b"\xd0\x00",
        b"\xe0\x00",
    ];
    prop_oneof![
        8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn instants() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => START.as_micros()..START.as_micros() + 100_000_000,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
        1 => Just(0),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        6 => (frames(), any::<bool>()).prop_map(|(bytes, owned)| Call::Input(bytes, owned)),
        1 => Just(Call::Eof),
        2 => Just(Call::Timeout),
        2 => prop_oneof![0..20_u64, Just(u64::MAX)].prop_map(Call::Stored),
        1 => Just(Call::StoreFailed),
        4 => (0..3_u8, prop::collection::vec(any::<u8>(), 0..20), prop::option::of(0..9_u32))
            .prop_map(|(qos, payload, expiry)| Call::Publish(qos, payload, expiry)),
        1 => any::<usize>().prop_map(Call::Cancel),
        1 => (any::<usize>(), instants()).prop_map(|(op, at)| Call::Deadline(op, at)),
        1 => (any::<usize>(), 0..9_u32, prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(op, offset, part)| Call::Supply(op, offset, part)),
        1 => any::<usize>().prop_map(Call::FailSource),
        2 => (0..2000_u64, any::<bool>()).prop_map(|(number, refuses)| Call::Refuse(number, refuses)),
        3 => Just(Call::Store),
        4 => Just(Call::Transmit),
        4 => Just(Call::Event),
        2 => instants().prop_map(Call::Time),
    ];
    prop::collection::vec(call, 0..80)
}

/// Handles of other machines.
fn foreign_ops() -> Vec<Op> {
    let mut session = Session::new(&SessionConfig::default(), START);
    let message = || Message::new("t", "x").unwrap().qos(QoS::AtLeastOnce);
    (0..4)
        .filter_map(|tag| session.publish(START, message(), tag).ok())
        .collect()
}

struct Rig {
    subject: Subject,
    now: Instant,
    ops: Vec<Op>,
    outbox: Outbox,
    told: Vec<String>,
}

impl Rig {
    fn new(subject: Subject) -> Self {
        Self {
            subject,
            now: START,
            ops: foreign_ops(),
            outbox: Outbox::new(256),
            told: Vec::new(),
        }
    }

    fn op(&self, place: usize) -> Op {
        self.ops[place % self.ops.len()]
    }

    fn play(&mut self, call: &Call) {
        let now = self.now;
        let subject = &mut self.subject;
        match call {
            Call::Input(bytes, true) => subject.feed_owned(now, &mut BytesMut::from(&bytes[..])),
            Call::Input(bytes, false) => drop(subject.feed(now, bytes)),
            Call::Eof => subject.handle_eof(now),
            Call::Timeout => subject.handle_timeout(now),
            Call::Stored(upto) => subject.handle_stored(now, *upto),
            Call::StoreFailed => subject.handle_store_failed(now),
            Call::Publish(qos, payload, expiry) => {
                let message = Message::new("t", payload.clone())
                    .unwrap()
                    .qos(QoS::from_bits(*qos).unwrap());
                let message = expiry.map_or(message.clone(), |seconds| message.expiry_seconds(seconds));
                self.ops.extend(subject.publish(now, message, 7));
            }
            Call::Cancel(op) => drop(self.subject.cancel(now, self.ops[op % self.ops.len()])),
            Call::Deadline(op, at) => {
                let op = self.op(*op);
                self.subject.set_deadline(now, op, Instant::from_micros(*at));
            }
            Call::Supply(op, offset, part) => {
                let op = self.op(*op);
                self.subject.supply(now, op, *offset, Bytes::from(part.clone()));
            }
            Call::FailSource(op) => {
                let op = self.op(*op);
                self.subject.fail_source(now, op);
            }
            Call::Refuse(number, refuses) => {
                let reason = if *refuses {
                    PubAckReason::QuotaExceeded
                } else {
                    PubAckReason::Success
                };
                subject.refuse(now, *number, ReasonCode::from(reason));
            }
            Call::Store => drop(subject.poll_store(&mut Batch::new())),
            Call::Transmit => subject.poll_transmit(&mut self.outbox),
            Call::Event => self.told.extend(subject.event(now)),
            Call::Time(now) => self.now = Instant::from_micros(*now),
        }
    }
}

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(&Version::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Lines 1 and 2: no call panics, whatever came before; and a connection has one end, which is its last event.
    #[test]
    fn nothing_panics_and_there_is_one_end(calls in calls(), stored in any::<bool>(), version in versions()) {
        for subject in Subject::all_connected(stored, version).into_iter().chain(Subject::all(stored, version)) {
            let is_server = matches!(subject, Subject::Server(_));
            let mut rig = Rig::new(subject);
            for call in &calls {
                rig.play(call);
            }
            rig.told.extend(rig.subject.act(START));
            let ends = rig.told.iter().filter(|event| event.starts_with("Closed")).count();
            let begins = rig.told.iter().filter(|event| *event == "Open").count();
            prop_assert!(ends <= begins + 1, "{:?}", rig.told);
            if let Some(end) = rig.told.iter().position(|event| event.starts_with("Closed")).filter(|_| is_server) {
                prop_assert_eq!(end + 1, rig.told.len(), "{:?}", rig.told);
            }
        }
    }

    /// Line 4: once no timer is due, the deadline is later; and it takes no more calls than there are timers.
    #[test]
    fn a_deadline_that_is_fired_moves(calls in calls(), version in versions()) {
        for subject in Subject::all_connected(true, version) {
            let mut rig = Rig::new(subject);
            for call in &calls {
                rig.play(call);
                let Some(due) = rig.subject.poll_timeout() else { continue };
                prop_assert_eq!(rig.subject.poll_timeout(), Some(due), "asking changes nothing");
                let mut subject = rig.subject.clone();
                let now = due.at.max(rig.now);
                let fires = (0..40).take_while(|_| {
                    let is_due = subject.poll_timeout().is_some_and(|due| due.at <= now && due.at < Instant::MAX);
                    subject.handle_timeout(now);
                    is_due
                }).count();
                prop_assert!(fires < 40, "{:?} does not move", subject.poll_timeout());
            }
        }
    }

    /// Line 5: the same calls at the same times give the same bytes, batches and events.
    #[test]
    fn the_same_inputs_give_the_same_outputs(calls in calls(), version in versions()) {
        let twice = || Subject::all_connected(true, version).map(|subject| {
            let mut rig = Rig::new(subject);
            calls.iter().for_each(|call| rig.play(call));
            let mut batch = Batch::new();
            rig.subject.poll_store(&mut batch);
            (rig.told, rig.subject.sent(), format!("{batch:?}"))
        });
        prop_assert_eq!(twice(), twice());
    }

    /// Line 1, for records: whatever a store gives back.
    #[test]
    fn restoring_anything_does_not_panic(
        records in prop::collection::vec((any::<[u8; 9]>(), 1..7_u8, prop::collection::vec(any::<u8>(), 0..40)), 0..9),
    ) {
        let config = ClientConfig::new("c").unwrap();
        let mut client = Client::restore(config, START);
        let mut session = Session::restore(&SessionConfig::default(), START);
        let mut known = 0;
        for (mut key, kind, bytes) in records {
            key[0] = kind;
            key[1..8].fill(0);
            let Some(key) = Key::decode(&key) else { continue };
            known += 1;
            client.encoded(key, &bytes.clone().into());
            session.encoded(key, &bytes.into());
            session.damaged(Key::Payload(PayloadOf::Inbox(u64::MAX)));
        }
        let (mut client, report) = client.finish();
        let (mut session, _) = session.finish();
        prop_assert!(report.quarantined.len() <= known);
        client.handle_open(Instant::MAX);
        session.handle_timeout(Instant::MAX);
        while client.poll_event().is_some() {}
        while session.poll_event().is_some() {}
    }
}

#[test]
fn handles_of_another_machine_change_nothing() {
    for mut subject in Subject::all_connected(false, Version::V5) {
        let foreign = foreign_ops();
        for op in foreign {
            assert!(!subject.cancel(START, op));
            assert!(!subject.set_deadline(START, op, START));
            assert!(!subject.supply(START, op, 0, Bytes::from_static(b"x")));
            assert!(!subject.fail_source(START, op));
        }
        assert!(!subject.refuse(START, 77, ReasonCode::from(PubAckReason::Success)));
        assert!(subject.act(START).is_empty());
    }
}
