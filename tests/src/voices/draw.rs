//! Scripts that follow from a seed.

use std::collections::BTreeMap;

use mqtt_proto::{QoS, RetainHandling, SubscriptionOptions, Version};

use super::script::{Action, Connect, LONG, Message, SHORT, Script, Step, Will};
use crate::simulation::Random;

const TOPICS: [&str; 5] = ["a", "a/b", "a/c", "b", "b/b"];
const FILTERS: [&str; 9] = ["a", "a/b", "a/c", "b", "+", "a/+", "+/b", "a/#", "#"];
const SHARED: [&str; 3] = ["$share/g/a/#", "$share/g/+/b", "$share/h/a/b"];

/// Draws the script of a seed.
#[must_use]
pub fn draw(seed: u64) -> Script {
    let mut random = Random::new(seed);
    let clients = versions(&mut random);
    let mut drawing = Drawing {
        is_connected: vec![false; clients.len()],
        has_will: vec![false; clients.len()],
        holds: vec![false; clients.len()],
        settled: BTreeMap::new(),
        clients,
        steps: Vec::new(),
        messages: 0,
        may_share: random.percent(25),
        random,
    };
    drawing.fill();
    Script {
        seed,
        clients: drawing.clients,
        steps: drawing.steps,
    }
}

fn versions(random: &mut Random) -> Vec<Version> {
    let count = 2 + random.place(2);
    let choices: &[Version] = match random.below(10) {
        0..=3 => &[Version::V3_1_1],
        4..=7 => &[Version::V5],
        _ => &[Version::V3_1_1, Version::V5],
    };
    (0..count).map(|_| random.one_of(choices)).collect()
}

struct Drawing {
    random: Random,
    clients: Vec<Version>,
    is_connected: Vec<bool>,
    has_will: Vec<bool>,
    holds: Vec<bool>,
    settled: BTreeMap<(usize, &'static str), (bool, bool)>,
    steps: Vec<Step>,
    messages: u32,
    may_share: bool,
}

impl Drawing {
    fn fill(&mut self) {
        for client in 0..self.clients.len() {
            self.connect(client);
            if self.random.percent(70) {
                self.subscribe(client);
            }
        }
        let len = 5 + self.random.place(14);
        let wait = self.random.percent(25).then(|| self.random.place(len));
        for place in 0..len {
            if wait == Some(place) {
                self.push(0, Action::Wait);
            }
            self.step();
        }
        // In the end everything that waits is asked for.
        for client in 0..self.clients.len() {
            if !self.is_connected[client] {
                let connect = Connect {
                    clean: false,
                    expiry: Some(LONG),
                    receive_maximum: None,
                    will: None,
                };
                self.push(client, Action::Connect(connect));
            }
            self.push(client, Action::Release);
        }
    }

    fn push(&mut self, client: usize, action: Action) {
        self.steps.push(Step { client, action });
    }

    fn step(&mut self) {
        let client = self.random.place(self.clients.len());
        if !self.is_connected[client] {
            return self.connect(client);
        }
        match self.random.below(100) {
            0..=44 => {
                let mut message = self.message();
                // When it is forwarded is a class of its own, behind which nothing can be compared.
                if self.holds[client] && message.qos == QoS::ExactlyOnce && self.random.percent(80) {
                    message.qos = QoS::AtLeastOnce;
                }
                self.push(client, Action::Publish(message));
            }
            45..=64 => self.subscribe(client),
            65..=69 => {
                let filters = (0..=self.random.place(2)).map(|_| self.filter(client)).collect();
                self.push(client, Action::Unsubscribe(filters));
            }
            70..=75 => {
                self.holds[client] = true;
                self.push(client, Action::Hold);
            }
            76..=80 => {
                self.holds[client] = false;
                self.push(client, Action::Release);
            }
            81..=88 => {
                let reset = self.random.percent(30);
                self.is_connected[client] = false;
                self.push(client, Action::Cut { reset });
            }
            89..=94 => {
                let (with_will, expiry) = (self.random.percent(30), self.interval(20));
                self.is_connected[client] = false;
                self.push(client, Action::Leave { with_will, expiry });
            }
            // What becomes of the will then is a class of its own too.
            _ if self.has_will[client] && self.random.percent(80) => {}
            _ => self.connect(client),
        }
    }

    fn connect(&mut self, client: usize) {
        let will = self.random.percent(35).then(|| self.will());
        (self.has_will[client], self.holds[client]) = (will.is_some(), false);
        let connect = Connect {
            clean: self.random.percent(35),
            expiry: self.interval(80),
            receive_maximum: self.random.percent(10).then(|| self.random.one_of(&[1, 2])),
            will,
        };
        self.is_connected[client] = true;
        self.push(client, Action::Connect(connect));
    }

    fn will(&mut self) -> Will {
        let message = Message {
            number: Some(self.messages + 1),
            ..self.message()
        };
        let delay = self.interval(50);
        Will { message, delay }
    }

    fn subscribe(&mut self, client: usize) {
        let id = self.random.percent(40).then(|| 1 + self.random.place(5) as u32);
        let filters = (0..=self.random.place(3))
            .map(|_| {
                let filter = self.filter(client);
                (filter, self.options(client, filter))
            })
            .collect();
        self.push(client, Action::Subscribe { id, filters });
    }

    fn filter(&mut self, client: usize) -> &'static str {
        let shares = self.may_share && self.clients[client].has_properties() && self.random.percent(50);
        self.random.one_of(if shares { &SHARED[..] } else { &FILTERS[..] })
    }

    fn options(&mut self, client: usize, filter: &'static str) -> SubscriptionOptions {
        let (no_local, retain_as_published) = self.settled(client, filter);
        SubscriptionOptions {
            qos: self.qos(),
            no_local: no_local && !filter.starts_with("$share/"),
            retain_as_published,
            retain_handling: self.random.one_of(&[
                RetainHandling::Send,
                RetainHandling::Send,
                RetainHandling::SendIfNew,
                RetainHandling::DoNotSend,
            ]),
        }
    }

    /// No Local and Retain As Published are mostly those that the client asked for before.
    fn settled(&mut self, client: usize, filter: &'static str) -> (bool, bool) {
        let is_new = self.random.percent(5);
        let drawn = (self.random.percent(20), self.random.percent(30));
        let settled = self.settled.entry((client, filter)).or_insert(drawn);
        if is_new {
            *settled = drawn;
        }
        *settled
    }

    fn message(&mut self) -> Message {
        self.messages += 1;
        let retain = self.random.percent(30);
        let is_empty = retain && self.random.percent(20);
        Message {
            topic: self.random.one_of(&TOPICS),
            number: (!is_empty).then_some(self.messages),
            qos: self.qos(),
            retain,
            expiry: self.interval(25).filter(|interval| *interval > 0),
            is_adorned: self.random.percent(15),
        }
    }

    fn qos(&mut self) -> QoS {
        self.random
            .one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    /// An interval, in so many of a hundred cases.
    fn interval(&mut self, percent: u64) -> Option<u32> {
        let interval = self.random.one_of(&[0, SHORT, LONG, LONG]);
        self.random.percent(percent).then_some(interval)
    }
}
