//! Subscribing, unsubscribing, and what a new subscriber is sent.

use mqtt_session::proto::{QoS, Version};

use crate::filters::filter;
use crate::rig::Rig;
use crate::run::{Row, Work};
use crate::wire;

const VERSION: Version = Version::V3_1_1;

/// How many filters there are besides.
const OTHERS: usize = 100_000;

/// How many filters a pass subscribes to, each with a packet of its own.
const FILTERS: usize = 240;

/// How many messages are retained.
const RETAINED: usize = 1_000;

pub fn rows() -> Vec<Row> {
    let subscribe = Row::new("subscribe", "SUBSCRIBE, 100,000 other filters", || {
        Box::new(Subscribing::new(true))
    });
    let unsubscribe = Row::new("unsubscribe", "UNSUBSCRIBE, 100,000 other filters", || {
        Box::new(Subscribing::new(false))
    });
    let replay = Row::new("retained", "a retained message of 1,000, sent for a `#`", || {
        Box::new(Replay::new())
    });
    vec![subscribe, unsubscribe, replay]
}

struct Subscribing {
    rig: Rig,
    client: usize,
    /// Whether subscribing is measured, or the opposite.
    subscribes: bool,
    on: Vec<Vec<u8>>,
    off: Vec<Vec<u8>>,
}

impl Subscribing {
    fn new(subscribes: bool) -> Self {
        let mut rig = Rig::new(VERSION);
        let client = rig.connect();
        for number in 0..OTHERS {
            rig.subscribe(client, &filter(number).0, QoS::AtMostOnce, 0);
        }
        // Far from each other.
        let own = (0..FILTERS).map(|number| filter(OTHERS + number * 3_701).0);
        let own: Vec<String> = own.collect();
        let on = own
            .iter()
            .map(|filter| wire::subscribe(VERSION, filter, QoS::AtMostOnce, 0));
        let off = own.iter().map(|filter| wire::unsubscribe(VERSION, filter));
        let mut subscribing = Self {
            client,
            subscribes,
            on: on.collect(),
            off: off.collect(),
            rig,
        };
        if !subscribes {
            subscribing.send(true);
        }
        subscribing
    }

    fn send(&mut self, on: bool) {
        for packet in if on { &self.on } else { &self.off } {
            self.rig.send(self.client, packet);
            self.rig.exchange();
        }
    }

    fn subscriptions(&self) -> usize {
        self.rig.broker.figures().subscriptions as usize
    }
}

impl Work for Subscribing {
    fn prepare(&mut self) {
        let is_prepared = if self.subscribes { OTHERS } else { OTHERS + FILTERS };
        if self.subscriptions() != is_prepared {
            self.send(!self.subscribes);
        }
        assert_eq!(self.subscriptions(), is_prepared);
    }

    fn pass(&mut self) {
        self.send(self.subscribes);
    }

    fn items(&self) -> usize {
        FILTERS
    }
}

struct Replay {
    rig: Rig,
    client: usize,
    subscribe: Vec<u8>,
}

impl Replay {
    fn new() -> Self {
        let mut rig = Rig::new(VERSION);
        let client = rig.connect();
        for number in 0..RETAINED {
            let publish = wire::publish(VERSION, &filter(number).1, QoS::AtMostOnce, 1, true);
            rig.send(client, &publish);
            rig.exchange();
        }
        Self {
            rig,
            client,
            subscribe: wire::subscribe(VERSION, "fleet/#", QoS::AtMostOnce, 0),
        }
    }
}

impl Work for Replay {
    fn pass(&mut self) {
        self.rig.send(self.client, &self.subscribe);
        assert_eq!(self.rig.exchange().messages, RETAINED);
    }

    fn items(&self) -> usize {
        RETAINED
    }
}
