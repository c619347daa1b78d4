//! What a flow costs while many others are in flight.
//!
//! The receiving host acknowledges its oldest message when it holds as many as there are to be in flight: one flow begins
//! and one ends, the state of all others stays at both ends.

use std::collections::VecDeque;
use std::hint::black_box;

use bytes::Buf;
use mqtt_benches::rounds::{self, Contender, Effort, Timing};
use mqtt_session::{
    Client, DeliveryId, Event, HandOver, Instant, Limits, Message, Outbox, ServerConnection, ServerEvent,
};

use crate::pairs::{connected, message};
use crate::scenario::{FLOWS, Protocol};

/// How many flows are in flight.
pub const DEPTHS: [usize; 6] = [1, 10, 100, 1_000, 10_000, 60_000];

/// One QoS over all depths.
pub struct Curve {
    pub qos: u8,
    pub points: Vec<Point>,
}

/// What a flow costs at one depth.
pub struct Point {
    pub depth: usize,
    pub timing: Timing,
    pub instructions: Option<f64>,
}

/// Measures all depths against the first.
pub fn measure(qos: u8, effort: Effort) -> Curve {
    let mut rigs: Vec<InFlight> = DEPTHS.iter().map(|depth| InFlight::new(qos, *depth)).collect();
    let timings = rounds::compare(&mut rigs, &[0; DEPTHS.len()], effort);
    let points = DEPTHS
        .into_iter()
        .zip(timings)
        .map(|(depth, timing)| Point {
            depth,
            timing,
            instructions: None,
        })
        .collect();
    Curve { qos, points }
}

/// Both ends with so many flows between them.
pub struct InFlight {
    client: Client,
    server: ServerConnection,
    up: Outbox,
    down: Outbox,
    message: Message,
    depth: usize,
    held: VecDeque<DeliveryId>,
    completed: usize,
}

const NOW: Instant = Instant::ZERO;

impl InFlight {
    pub fn new(qos: u8, depth: usize) -> Self {
        let limits = Limits::default()
            .receive_maximum(u16::MAX)
            .send_maximum(u16::MAX)
            .queued_messages(u32::from(u16::MAX))
            .aliases_used(0)
            .aliases_accepted(0);
        let (client, server) = connected(Protocol::V5, limits, false, HandOver::Manual);
        let mut rig = Self {
            client,
            server,
            up: Outbox::default(),
            down: Outbox::default(),
            message: message(qos),
            depth,
            held: VecDeque::new(),
            completed: 0,
        };
        // Once to fill it, and once to give every place of it its memory.
        for _ in 0..2 * depth {
            rig.flow();
        }
        assert_eq!((rig.held.len(), rig.completed), (depth - 1, depth + 1));
        rig
    }

    /// One flow begins, and the oldest one ends.
    fn flow(&mut self) {
        let message = self.message.clone();
        self.client.publish(NOW, message, 0).expect("there is room");
        loop {
            self.client.poll_transmit(&mut self.up);
            while let Some(event) = self.client.poll_event() {
                if matches!(event, Event::Completed { .. }) {
                    self.completed += 1;
                }
            }
            if self.up.is_empty() {
                return;
            }
            self.server.handle_input(NOW, &mut self.up.chunk());
            self.up.advance(usize::MAX);
            while let Some(event) = self.server.poll_event() {
                if let ServerEvent::Message(received) = event {
                    black_box(&received.message);
                    self.held.extend(received.delivery);
                }
            }
            if self.held.len() >= self.depth {
                let oldest = self.held.pop_front().expect("there is one");
                self.server.acknowledge(NOW, oldest).expect("it was told");
            }
            self.server.poll_transmit(&mut self.down);
            self.client.handle_input(NOW, &mut self.down.chunk());
            self.down.advance(usize::MAX);
        }
    }
}

impl Contender for InFlight {
    fn prepare(&mut self) {}

    fn pass(&mut self) {
        measured_pass(black_box(self));
    }

    fn items(&self) -> usize {
        FLOWS
    }
}

/// The function that callgrind collects in, found by this name.
#[inline(never)]
fn measured_pass(rig: &mut InFlight) {
    for _ in 0..FLOWS {
        rig.flow();
    }
}
