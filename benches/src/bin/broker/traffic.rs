//! Messages from some clients to others.

use mqtt_session::proto::{QoS, Version};

use crate::rig::Rig;
use crate::run::{Row, Work};
use crate::wire::{self, Read};

/// What every message is about: 27 bytes.
pub const TOPIC: &str = "home/kitchen/temperature/01";

/// How many publish, how many get it, and how often a pass of that is.
#[derive(Clone, Copy)]
struct Shape {
    publishers: usize,
    subscribers: usize,
    /// With an identifier for each subscription.
    is_named: bool,
    messages: usize,
}

const fn shape(publishers: usize, subscribers: usize, messages: usize) -> Shape {
    Shape {
        publishers,
        subscribers,
        is_named: false,
        messages,
    }
}

const SHAPES: [Shape; 3] = [shape(1, 1, 240), shape(1, 100, 20), shape(100, 1, 2_000)];

/// How many messages a publisher sends before anybody else gets a turn.
const WINDOWS: [usize; 2] = [1, 20];

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// All rows of a version.
pub fn rows(version: Version) -> Vec<Row> {
    let mut rows = Vec::new();
    for shape in SHAPES {
        for qos in QOS {
            for window in WINDOWS {
                rows.push(row(version, shape, qos, window));
            }
        }
    }
    if version == Version::V5 {
        let named = Shape {
            is_named: true,
            ..SHAPES[1]
        };
        rows.push(row(version, named, QoS::AtMostOnce, 1));
    }
    rows
}

fn row(version: Version, shape: Shape, qos: QoS, window: usize) -> Row {
    let Shape {
        publishers,
        subscribers,
        ..
    } = shape;
    let level = qos.bits();
    let (name, words) = if shape.is_named {
        ("-named", ", subscription identifiers")
    } else {
        ("", "")
    };
    let slug = format!("{publishers}-to-{subscribers}-qos{level}-window-{window}{name}");
    let title = format!("{publishers} → {subscribers}, QoS {level}, window {window}{words}");
    let mut row = Row::new(slug, title, move || Box::new(Traffic::new(version, shape, qos, window)));
    row.deliveries = subscribers;
    row.is_plain = qos == QoS::AtMostOnce;
    row
}

struct Traffic {
    rig: Rig,
    shape: Shape,
    window: usize,
    /// What each publisher sends at once.
    burst: Vec<u8>,
    expected: Read,
}

impl Traffic {
    fn new(version: Version, shape: Shape, qos: QoS, window: usize) -> Self {
        let mut rig = Rig::new(version);
        for _ in 0..shape.publishers {
            rig.connect();
        }
        for number in 0..shape.subscribers as u32 {
            let subscriber = rig.connect();
            let identifier = if shape.is_named { number + 1 } else { 0 };
            rig.subscribe(subscriber, TOPIC, qos, identifier);
        }
        let ids = 1..=window as u16;
        let burst: Vec<u8> = ids
            .flat_map(|id| wire::publish(version, TOPIC, qos, id, false))
            .collect();
        let expected = Read {
            messages: shape.messages * shape.subscribers,
            completed: if qos == QoS::AtMostOnce { 0 } else { shape.messages },
        };
        let mut traffic = Self {
            rig,
            shape,
            window,
            burst,
            expected,
        };
        // Every list has its memory then.
        traffic.pass();
        traffic
    }
}

impl Work for Traffic {
    fn pass(&mut self) {
        let mut read = Read::default();
        for _ in 0..self.shape.messages / (self.window * self.shape.publishers) {
            for publisher in 0..self.shape.publishers {
                self.rig.send(publisher, &self.burst);
            }
            let turn = self.rig.exchange();
            read.messages += turn.messages;
            read.completed += turn.completed;
        }
        assert_eq!(read, self.expected);
    }

    fn items(&self) -> usize {
        self.shape.messages
    }
}
