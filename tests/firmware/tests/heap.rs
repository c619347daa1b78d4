//! After its start a client within its limits never needs more heap, whatever it sends, gets and loses.

use std::sync::{Mutex, PoisonError};

use mqtt_firmware::arena::Marks;
use mqtt_firmware::device;
use mqtt_firmware::host::{ARENA, Gate, Line, Server, inside, outside};
use mqtt_firmware::{Device, program};
use mqtt_session::proto::{Filters, SubscribeProperties, SubscriptionOptions, Version};
use mqtt_session::{CleanStart, DeliveryId, Event, HandOver, Message, Outcome, QoS};

#[global_allocator]
static ALLOCATOR: Gate = Gate;

/// The arena is one for all tests.
static TURN: Mutex<()> = Mutex::new(());

const MESSAGES: u32 = 10_000;
const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// With this many unacknowledged messages the application acknowledges all. They are fewer than the window: else the
/// last one would never come.
const MOST_OWED: usize = 3;
/// How many messages an application keeps that keeps any.
const MOST_KEPT: usize = 20;

/// How bad the world is.
struct Weather {
    /// The line carries at most so many bytes from one cut to the next.
    longest_connection: u64,
    /// The application rests before one of so many steps.
    rest_every: u64,
}

/// In its start the client meets the worst that its limits allow, again and again.
const START: Weather = Weather {
    longest_connection: 4_000,
    rest_every: 50,
};
const AFTERWARDS: Weather = Weather {
    longest_connection: 20_000,
    rest_every: 200,
};

#[derive(Debug, Default)]
struct Counts {
    sent: [u32; 3],
    received: [u32; 3],
}

impl Counts {
    fn least(&self) -> u32 {
        self.sent.iter().chain(&self.received).copied().min().unwrap_or(0)
    }
}

/// A device that sends as much as its limits allow, and a line that is cut again and again.
struct Load<'a> {
    device: Device<&'a mut Line>,
    counts: Counts,
    random: u64,
    payload: bytes::Bytes,
    /// Messages that the application has not acknowledged, of a client with manual hand-over.
    owed: Vec<DeliveryId>,
    /// Messages that the application keeps, if it keeps any.
    kept: Option<Vec<Message>>,
}

impl<'a> Load<'a> {
    fn new(version: Version, hand_over: HandOver, line: &'a mut Line) -> Self {
        // Before MQTT 5.0 a session that begins with its connection ends with it. The server here keeps every session.
        let config = device::config(version)
            .unwrap()
            .hand_over(hand_over)
            .clean_start(CleanStart::Never);
        let mut load = Self {
            device: Device::new(config, line),
            counts: Counts::default(),
            random: 7,
            payload: bytes::Bytes::copy_from_slice(&[7; 64]),
            owed: Vec::with_capacity(MOST_OWED),
            kept: None,
        };
        load.subscribe();
        load
    }

    fn subscribe(&mut self) {
        let options = SubscriptionOptions::new(QoS::ExactlyOnce);
        let filters = Filters::builder().filter(program::TOPIC, options).build().unwrap();
        let properties = SubscribeProperties::empty();
        let now = mqtt_session::Instant::ZERO;
        self.device
            .client
            .subscribe(now, filters, properties, u64::MAX)
            .unwrap();
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % bound
    }

    /// Runs until this many messages of each QoS have gone, and come back.
    fn run(&mut self, messages: u32, weather: &Weather) {
        let mut steps = 0_u64;
        self.counts = Counts::default();
        while self.counts.least() < messages {
            self.cut(weather.longest_connection);
            if self.below(weather.rest_every) == 0 {
                self.rest();
            }
            self.publish();
            if let Some(event) = self.device.step() {
                self.take(event);
            }
            steps += 1;
            // The report of a failure is no part of the load.
            outside(|| {
                assert!(
                    steps < 200 * u64::from(messages) + 100_000,
                    "it stands still: {:?}",
                    self.counts
                );
            });
        }
    }

    /// The application does something else for so long that nothing is read any more.
    fn rest(&mut self) {
        for _ in 0..20 {
            self.publish();
        }
        for _ in 0..100 {
            self.device.work();
        }
    }

    fn publish(&mut self) {
        if self.below(2) == 0 {
            return;
        }
        let qos = ALL_QOS[self.below(3) as usize];
        let message = Message::new(program::TOPIC, self.payload.clone()).unwrap().qos(qos);
        let now = mqtt_session::Instant::ZERO;
        // A full queue refuses it: there will be another one.
        let _ = self.device.client.publish(now, message, u64::from(qos.bits()));
    }

    fn cut(&mut self, longest_connection: u64) {
        if !self.device.port.will_be_cut() {
            let bytes = self.below(longest_connection) as usize + 1;
            self.device.port.cut_after(bytes);
        }
    }

    /// Messages are acknowledged a few at a time, the last one first.
    fn owe(&mut self, delivery: DeliveryId) {
        self.owed.push(delivery);
        if self.owed.len() < MOST_OWED {
            return;
        }
        while let Some(delivery) = self.owed.pop() {
            // One of QoS 1 may have ended with its connection.
            let _ = self.device.client.acknowledge(mqtt_session::Instant::ZERO, delivery);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Message(received) => {
                self.counts.received[usize::from(received.message.qos.bits())] += 1;
                if let Some(delivery) = received.delivery {
                    self.owe(delivery);
                }
                if let Some(kept) = self.kept.as_mut().filter(|kept| kept.len() < MOST_KEPT) {
                    kept.push(received.message);
                }
            }
            Event::Completed { tag: u64::MAX, .. } => {}
            Event::Completed { tag, outcome, .. } => {
                assert!(
                    matches!(outcome, Outcome::Sent | Outcome::Acknowledged(_)),
                    "{outcome:?}"
                );
                self.counts.sent[tag as usize] += 1;
            }
            _ => {}
        }
    }
}

/// The marks after the start, and after all messages; and how often the session was resumed.
fn marks(version: Version, hand_over: HandOver) -> (Marks, Marks, u32) {
    let mut line = Line::new(Server::new());
    let (early, late) = inside(|| {
        let mut load = Load::new(version, hand_over, &mut line);
        load.run(MESSAGES, &START);
        let early = ARENA.marks();
        load.run(MESSAGES, &AFTERWARDS);
        (early, ARENA.marks())
    });
    (early, late, line.server.resumed())
}

fn needs_no_more_heap_after_its_start(version: Version, hand_over: HandOver) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    ARENA.reset_marks();
    let (early, late, resumed) = marks(version, hand_over);
    println!("{version:?}, {hand_over:?}: {early:?} after the start, {late:?} at the end, {resumed} times resumed");
    assert!(resumed > 1000, "resumed {resumed} times");
    assert_eq!(early, late);
    assert_eq!(ARENA.held(), 0, "everything was given back");
}

/// The marks see what is there to be seen.
#[test]
fn an_application_that_keeps_messages_needs_more_heap() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    ARENA.reset_marks();
    let mut line = Line::new(Server::new());
    let (early, late) = inside(|| {
        let mut load = Load::new(Version::V5, HandOver::Automatic, &mut line);
        load.run(1000, &START);
        let early = ARENA.marks();
        load.kept = Some(Vec::new());
        load.run(1000, &START);
        (early, ARENA.marks())
    });
    assert!(late.held > early.held + 2048, "{early:?} {late:?}");
}

#[test]
fn a_client_of_3_1_1_needs_no_more_heap_after_its_start() {
    needs_no_more_heap_after_its_start(Version::V3_1_1, HandOver::Automatic);
}

#[test]
fn a_client_of_5_0_needs_no_more_heap_after_its_start() {
    needs_no_more_heap_after_its_start(Version::V5, HandOver::Automatic);
}

#[test]
fn a_client_with_manual_hand_over_needs_no_more_heap_after_its_start() {
    for version in [Version::V3_1_1, Version::V5] {
        needs_no_more_heap_after_its_start(version, HandOver::Manual);
    }
}
