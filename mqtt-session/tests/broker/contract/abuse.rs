//! Nothing panics, whatever is called in whatever order; everything has a bound; and there is one end.

use std::collections::BTreeSet;

use bytes::Bytes;
use mqtt_session::proto::{ConnAckProperties, DisconnectReason, Version};
use mqtt_session::{
    Broker, BrokerBatch, BrokerConfig, BrokerEvent, BrokerLimits, BrokerRecord, Cursor, Instant, RetainedCursor,
    Verdict,
};
use proptest::prelude::*;

use super::script::{Act, CLIENTS, acts, configs, who};
use super::stage::{Manners, START, Stage};
use crate::rig::{lasting, topic};

/// Any call, with any arguments.
#[derive(Clone, Debug)]
enum Call {
    Act(Act),
    Input(usize, Vec<u8>),
    Timeout,
    Stored(u64),
    StoreFailed,
    Store,
    Transmit(usize),
    Event,
    Ready,
    Decide(usize),
    Admit(usize),
    Time(u64),
    RemoveSession(usize),
    RemoveRetained,
    Misuse(usize),
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
    let bytes = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (prop::sample::select(&[0x10_u8, 0x30, 0x32, 0x34, 0x40, 0x62, 0x82, 0xA2, 0xC0, 0xE0, 0xF0][..]), 0..9_u8)
            .prop_map(|(first, len)| [&[first, len][..], &vec![0; len.into()]].concat()),
    ];
    let call = prop_oneof![
        20 => acts(1).prop_map(|mut acts| Call::Act(acts.pop().unwrap())),
        20 => acts(6).prop_map(|mut acts| Call::Act(acts.pop().unwrap())),
        2 => (any::<usize>(), bytes).prop_map(|(link, bytes)| Call::Input(link, bytes)),
        3 => Just(Call::Timeout),
        3 => prop_oneof![0..20_u64, Just(u64::MAX)].prop_map(Call::Stored),
        1 => prop::bool::weighted(0.2).prop_map(|fails| if fails { Call::StoreFailed } else { Call::Store }),
        4 => Just(Call::Store),
        6 => any::<usize>().prop_map(Call::Transmit),
        6 => Just(Call::Event),
        3 => Just(Call::Ready),
        8 => any::<usize>().prop_map(Call::Decide),
        2 => any::<usize>().prop_map(Call::Admit),
        2 => instants().prop_map(Call::Time),
        1 => who().prop_map(Call::RemoveSession),
        1 => Just(Call::RemoveRetained),
        2 => (0..16_usize).prop_map(Call::Misuse),
    ];
    prop::collection::vec(call, 0..120)
}

fn limits() -> impl Strategy<Value = BrokerLimits> {
    let small = 0..3_u32;
    (small.clone(), small.clone(), small.clone(), small.clone(), small).prop_map(
        |(connections, sessions, subscriptions, retained, parked)| {
            let parked_per_connection = u16::try_from(parked).unwrap();
            BrokerLimits::default()
                .connections(connections + 1)
                .sessions(sessions + 1)
                .subscriptions(subscriptions)
                .retained_messages(retained)
                .retained_bytes(u64::from(retained) * 400)
                .parked_per_connection(parked_per_connection)
                .remembered_topics(parked_per_connection)
                .parked_wills(parked)
                .reviews(parked)
                .events(parked * 3)
                .replay_window(parked_per_connection)
                .steps_per_call(parked)
                .timers_per_call(parked)
        },
    )
}

impl Stage {
    fn call(&mut self, call: &Call) {
        let place = |index: usize, len: usize| (len > 0).then(|| index % len);
        let now = self.now;
        match call {
            Call::Act(act) => self.act(act),
            Call::Input(link, bytes) => {
                if let Some(link) = place(*link, self.links.len()) {
                    self.bring(link, bytes);
                }
            }
            Call::Timeout => self.broker.handle_timeout(now),
            Call::Stored(upto) => self.broker.handle_stored(now, *upto),
            Call::StoreFailed => self.broker.handle_store_failed(now),
            Call::Store => drop(self.broker.poll_store(&mut BrokerBatch::new())),
            Call::Transmit(link) => {
                if let Some(link) = place(*link, self.links.len()) {
                    self.transmit(link);
                }
            }
            Call::Event => drop(self.take_event()),
            Call::Ready => drop(self.broker.poll_ready()),
            Call::Decide(question) => {
                if let Some(index) = place(*question, self.questions.len()) {
                    let question = self.questions.remove(index);
                    self.decide(&question);
                    self.decide(&question);
                }
            }
            Call::Admit(link) => {
                if let Some(link) = place(*link, self.links.len()) {
                    let _ = self.broker.admit(now, self.links[link].id, ConnAckProperties::empty());
                }
            }
            Call::Time(now) => self.now = Instant::from_micros(*now),
            Call::RemoveSession(who) => {
                let farewell = mqtt_session::proto::Disconnect::new(DisconnectReason::AdministrativeAction);
                self.broker.remove_session(now, format!("c{who}").as_bytes(), farewell);
            }
            Call::RemoveRetained => drop(self.broker.remove_retained(now, &topic("a"))),
            Call::Misuse(choice) => self.misuse(*choice),
        }
    }
}

/// Each connection that was told of ends once at most, and is not heard of after that.
fn has_one_end(events: &[BrokerEvent]) -> Result<(), TestCaseError> {
    let mut gone = BTreeSet::new();
    for event in events {
        let connection = match event {
            BrokerEvent::Connect { connection, .. }
            | BrokerEvent::Authenticate { connection, .. }
            | BrokerEvent::Connected { connection, .. }
            | BrokerEvent::Disconnected { connection, .. } => Some(*connection),
            BrokerEvent::MayPublish { connection, .. } | BrokerEvent::MaySubscribe { connection, .. } => *connection,
            _ => None,
        };
        if let Some(connection) = connection {
            prop_assert!(!gone.contains(&connection), "{event:?} after the end");
        }
        if let BrokerEvent::Disconnected { connection, .. } = event {
            gone.insert(*connection);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(super::runs(300))]

    /// Nothing panics, nothing grows beyond its bound, and each connection has one end, behind which nothing comes.
    #[test]
    fn nothing_panics_and_there_is_one_end(config in configs(), limits in limits(), calls in calls()) {
        let bounds = limits;
        let mut stage = Stage::new(config.limits(limits), Manners::default());
        for call in &calls {
            stage.call(call);
            let figures = stage.broker.figures();
            prop_assert!(figures.connections <= u64::from(bounds.connections), "{figures:?}");
            prop_assert!(figures.sessions <= u64::from(bounds.sessions), "{figures:?}");
            prop_assert!(figures.subscriptions <= u64::from(bounds.subscriptions), "{figures:?}");
            prop_assert!(figures.retained_messages <= u64::from(bounds.retained_messages), "{figures:?}");
            prop_assert!(figures.retained_bytes <= bounds.retained_bytes, "{figures:?}");
            prop_assert!(figures.clients_connected <= figures.connections, "{figures:?}");
        }
        let pages = stage.broker.sessions(&mut Cursor::default(), 10).count();
        prop_assert!(pages <= CLIENTS);
        let all = mqtt_session::proto::TopicFilter::from_bytes("#").unwrap();
        let kept = stage.broker.retained(&all, &mut RetainedCursor::default(), 10).len();
        prop_assert!(kept as u64 <= stage.broker.figures().retained_messages);
        let rest = core::iter::from_fn(|| stage.broker.poll_event());
        stage.events.extend(rest);
        has_one_end(&stage.events)?;
    }

    /// The same of whatever a store gives back, and of a broker that goes on with it.
    #[test]
    fn restoring_anything_does_not_panic(
        acts in acts(30), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..6),
        calls in calls(),
    ) {
        let config = BrokerConfig::new(7).is_stored(true);
        let disk = Stage::played(config.clone(), &acts, Manners::default()).disk;
        let mut records: Vec<(_, Vec<u8>)> = disk.iter().map(|(key, record)| (key.clone(), encoded(record))).collect();
        for (record, byte, value) in flips {
            if let Some(index) = (!records.is_empty()).then(|| record.index(records.len())) {
                let bytes = &mut records[index].1;
                // A torn record has no byte to flip.
                if !bytes.is_empty() {
                    let at = byte.index(bytes.len());
                    bytes[at] ^= value;
                    bytes.truncate(if value == 0 { at } else { usize::MAX });
                }
            }
        }
        let mut restore = Broker::restore(config.clone(), START);
        for (key, bytes) in records {
            restore.encoded(key, &Bytes::from(bytes));
        }
        let (broker, report) = restore.finish();
        prop_assert!(report.quarantined.len() <= disk.len(), "{report:?}");
        let mut stage = Stage::new(config, Manners::default());
        stage.broker = broker;
        stage.now = stage.now.saturating_add(core::time::Duration::from_secs(5000));
        stage.act(&Act::Connect(0, Box::new(lasting("c0", Version::V5))));
        calls.iter().for_each(|call| stage.call(call));
    }
}

fn encoded(record: &BrokerRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes).unwrap();
    bytes
}

#[test]
fn nobody_is_asked_twice_with_one_answer() {
    let config = BrokerConfig::new(7).ask(mqtt_session::Ask::EVERYTHING);
    let mut stage = Stage::new(config, Manners::default());
    stage.act(&Act::Connect(0, Box::new(lasting("c0", Version::V5))));
    stage.settle();
    stage.act(&Act::Say(
        0,
        super::script::Say::Publish {
            to: "a",
            bits: 1,
            number: 1,
            retain: false,
            payload: 1,
            expiry: None,
        },
    ));
    while stage.take_event() {}
    let [BrokerEvent::MayPublish { question, .. }] = &stage.questions[..] else {
        panic!("{:?}", stage.questions);
    };
    assert!(stage.broker.authorize(START, *question, Verdict::ALLOW));
    assert!(!stage.broker.authorize(START, *question, Verdict::DENY));
}
