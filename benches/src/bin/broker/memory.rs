//! How many bytes a broker asks the allocator for.
//!
//! What tables have set aside for more is counted. What a driver holds for a connection is not the broker's.

use bytes::Buf;
use mqtt_benches::allocation;
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{Broker, ConnectionId, Outbox};

use crate::filters::filter;
use crate::rig::{NOW, broker};
use crate::wire;

/// What was weighed.
pub struct Weight {
    pub what: &'static str,
    pub bytes: f64,
    /// What it is to be at most.
    pub most: Option<f64>,
}

/// How many sessions, messages and so on.
const MANY: usize = 100_000;

/// How many subscriptions.
const SUBSCRIPTIONS: usize = 1_000_000;

/// How many sessions a message is queued for.
const QUEUES: usize = 100;

const VERSION: Version = Version::V5;

/// Weighs everything.
pub fn weigh() -> Vec<Weight> {
    vec![
        connected(),
        parked(),
        subscriptions(),
        retained(),
        queued(false),
        queued(true),
    ]
}

fn weight(what: &'static str, bytes: u64, number: usize, most: Option<f64>) -> Weight {
    Weight {
        what,
        bytes: bytes as f64 / number as f64,
        most,
    }
}

/// What clients read is not looked at.
struct Crowd {
    broker: Broker,
    outbox: Outbox,
}

impl Crowd {
    fn new() -> Self {
        let (broker, outbox) = (broker(), Outbox::default());
        Self { broker, outbox }
    }

    fn connect(&mut self, number: usize) -> ConnectionId {
        let connection = self.broker.handle_open(NOW).expect("there is room");
        let connect = wire::connect(VERSION, &format!("client-{number:06}"), true);
        self.send(connection, &connect);
        connection
    }

    fn send(&mut self, connection: ConnectionId, mut bytes: &[u8]) {
        self.broker.handle_input(NOW, connection, &mut bytes);
        assert!(bytes.is_empty());
        while let Some(ready) = self.broker.poll_ready() {
            self.broker.poll_transmit(ready, &mut self.outbox);
            self.outbox.advance(usize::MAX);
        }
        while self.broker.poll_event().is_some() {}
    }
}

fn subscribed(crowd: &mut Crowd, number: usize) -> ConnectionId {
    let connection = crowd.connect(number);
    let subscribe = wire::subscribe(VERSION, &filter(number).0, QoS::AtLeastOnce, 0);
    crowd.send(connection, &subscribe);
    connection
}

fn connected() -> Weight {
    let mut crowd = Crowd::new();
    let before = allocation::held();
    for number in 0..MANY {
        subscribed(&mut crowd, number);
    }
    let bytes = allocation::held() - before;
    assert_eq!(crowd.broker.figures().connections, MANY as u64);
    let what = "a connection that is idle, its session and one subscription";
    weight(what, bytes, MANY, Some(1024.0))
}

/// One client after another comes and goes.
fn parked() -> Weight {
    let mut crowd = Crowd::new();
    let before = allocation::held();
    for number in 0..MANY {
        let connection = subscribed(&mut crowd, number);
        crowd.send(connection, &wire::DISCONNECT);
    }
    let bytes = allocation::held() - before;
    let figures = crowd.broker.figures();
    assert_eq!((figures.sessions, figures.connections), (MANY as u64, 0));
    let what = "a session that nobody is connected to, and one subscription";
    weight(what, bytes, MANY, Some(1024.0))
}

fn subscriptions() -> Weight {
    let mut crowd = Crowd::new();
    let clients: Vec<ConnectionId> = (0..QUEUES).map(|number| crowd.connect(number)).collect();
    let before = allocation::held();
    for number in 0..SUBSCRIPTIONS {
        let subscribe = wire::subscribe(VERSION, &filter(number).0, QoS::AtLeastOnce, 0);
        crowd.send(clients[number % QUEUES], &subscribe);
    }
    let bytes = allocation::held() - before;
    assert_eq!(crowd.broker.figures().subscriptions, SUBSCRIPTIONS as u64);
    let what = "a subscription to a filter of 32 B, among 1,000,000";
    weight(what, bytes, SUBSCRIPTIONS, Some(250.0))
}

fn retained() -> Weight {
    let mut crowd = Crowd::new();
    let publisher = crowd.connect(0);
    let before = allocation::held();
    for number in 0..MANY {
        let publish = wire::publish(VERSION, &filter(number).1, QoS::AtMostOnce, 1, true);
        crowd.send(publisher, &publish);
    }
    let bytes = allocation::held() - before;
    assert_eq!(crowd.broker.figures().retained_messages, MANY as u64);
    let what = "a retained message: a topic of 32 B and a payload of 64";
    weight(what, bytes, MANY, None)
}

/// Messages wait for sessions that nobody is connected to: each for all of them, or for one.
fn queued(is_shared: bool) -> Weight {
    let topic = |number: usize| {
        if is_shared {
            "t".to_owned()
        } else {
            format!("t/{number}")
        }
    };
    let mut crowd = Crowd::new();
    for number in 0..QUEUES {
        let connection = crowd.connect(number);
        let subscribe = wire::subscribe(VERSION, &topic(number), QoS::AtLeastOnce, 0);
        crowd.send(connection, &subscribe);
        crowd.send(connection, &wire::DISCONNECT);
    }
    let publisher = crowd.connect(QUEUES);
    let before = allocation::held();
    let messages = if is_shared { MANY / QUEUES } else { MANY };
    for number in 0..messages {
        let publish = wire::publish(VERSION, &topic(number % QUEUES), QoS::AtLeastOnce, 1, false);
        crowd.send(publisher, &publish);
    }
    let bytes = allocation::held() - before;
    assert_eq!(crowd.broker.figures().messages_delivered, MANY as u64);
    let what = if is_shared {
        "a queued message of 64 B that waits for 100 sessions, in each of them"
    } else {
        "a queued message of 64 B that waits for one session"
    };
    weight(what, bytes, MANY, None)
}
