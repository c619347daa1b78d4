//! Messages among many filters.

use mqtt_session::proto::{QoS, Version};

use crate::rig::Rig;
use crate::run::{Row, Work};
use crate::wire;

/// How many filters there are.
pub const COUNTS: [usize; 4] = [10, 1_000, 100_000, 1_000_000];

/// How many clients have them: as many where there are few filters, so that nothing but their number differs.
const CLIENTS: usize = 10;

const MESSAGES: usize = 240;

/// What is sent at once.
const WINDOW: usize = 20;

/// A filter of 32 bytes, and a topic that no other filter matches. A third each is exact, ends in `+`, and ends in `#`.
pub fn filter(number: usize) -> (String, String) {
    let fleet = number % 1000;
    match number % 3 {
        0 => {
            let topic = format!("fleet/{fleet:04}/device/{number:08}/state");
            (topic.clone(), topic)
        }
        kind => {
            let stem = format!("fleet/{fleet:04}/device/{number:012}");
            let wildcard = if kind == 1 { '+' } else { '#' };
            (format!("{stem}/{wildcard}"), format!("{stem}/s"))
        }
    }
}

/// All numbers of filters, and the one topic of a client that says much.
pub fn rows() -> Vec<Row> {
    let uniform = COUNTS.into_iter().map(|count| {
        let title = format!("{} filters", grouped(count));
        Row::new(format!("{count}"), title, move || Box::new(Many::new(count, false)))
    });
    let most = COUNTS[COUNTS.len() - 1];
    let title = format!("{} filters, one hot topic", grouped(most));
    let hot = Row::new(format!("{most}-hot"), title, move || Box::new(Many::new(most, true)));
    uniform.chain([hot]).collect()
}

/// A number with its thousands apart.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

struct Many {
    rig: Rig,
    filters: usize,
    /// Of a generator with a fixed seed.
    drawn: u64,
    is_hot: bool,
    publisher: usize,
    bursts: Vec<Vec<u8>>,
}

impl Many {
    fn new(filters: usize, is_hot: bool) -> Self {
        let mut rig = Rig::new(Version::V3_1_1);
        let clients: Vec<usize> = (0..CLIENTS).map(|_| rig.connect()).collect();
        for number in 0..filters {
            rig.subscribe(clients[number % CLIENTS], &filter(number).0, QoS::AtMostOnce, 0);
        }
        let publisher = rig.connect();
        Self {
            rig,
            filters,
            drawn: 1,
            is_hot,
            publisher,
            bursts: Vec::new(),
        }
    }

    fn draw(&mut self) -> usize {
        if self.is_hot {
            return self.filters / 2;
        }
        // The upper bits of a linear congruential generator.
        self.drawn = self
            .drawn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (u128::from(self.drawn) * self.filters as u128 >> 64) as usize
    }
}

impl Work for Many {
    /// Other topics than before.
    fn prepare(&mut self) {
        self.bursts.clear();
        for _ in 0..MESSAGES / WINDOW {
            let mut burst = Vec::new();
            for _ in 0..WINDOW {
                let (_, topic) = filter(self.draw());
                burst.extend(wire::publish(Version::V3_1_1, &topic, QoS::AtMostOnce, 1, false));
            }
            self.bursts.push(burst);
        }
    }

    fn pass(&mut self) {
        let mut messages = 0;
        for burst in &self.bursts {
            self.rig.send(self.publisher, burst);
            messages += self.rig.exchange().messages;
        }
        assert_eq!(messages, MESSAGES);
    }

    fn items(&self) -> usize {
        MESSAGES
    }
}
