//! One pair of machines at work.

use std::hint::black_box;

use mqtt_benches::rounds::Contender;

use crate::scenario::{FLOWS, Scenario};

/// What the rows of the table are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Our client and server connection, in memory.
    Ours,
    /// The same, with the clock read in each turn of an end.
    OursClock,
    /// Both ends with a store that takes the batches and does nothing.
    OursStored,
    /// Both ends with a store that encodes the records into a buffer.
    OursEncoded,
    /// The same two with an inbox at the receiving end.
    OursInbox,
    OursInboxEncoded,
    ProtocolCore,
    Rumqttc,
}

impl Row {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Ours,
        Self::OursClock,
        Self::OursStored,
        Self::OursEncoded,
        Self::OursInbox,
        Self::OursInboxEncoded,
        Self::Rumqttc,
        Self::ProtocolCore,
    ];

    /// Its name on the command line; of the others, the name of the package.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursClock => "ours-clock",
            Self::OursStored => "ours-stored",
            Self::OursEncoded => "ours-encoded",
            Self::OursInbox => "ours-inbox",
            Self::OursInboxEncoded => "ours-inbox-encoded",
            Self::ProtocolCore => "mqtt-protocol-core",
            Self::Rumqttc => "rumqttc",
        }
    }

    /// Whether the row is this project's.
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::ProtocolCore | Self::Rumqttc)
    }

    /// Whether the row has a store.
    pub fn is_stored(self) -> bool {
        matches!(
            self,
            Self::OursStored | Self::OursEncoded | Self::OursInbox | Self::OursInboxEncoded
        )
    }
}

/// What a pass has done, to be compared with what it is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the receiving host got.
    pub delivered: usize,
    /// Flows that the sending host was told the end of.
    pub completed: usize,
    /// Bytes of the topics and payloads that the receiving host looked at, and what it saw there.
    pub seen: u64,
    /// Bytes on the wire, both ways.
    pub wire: usize,
}

impl Tally {
    /// The receiving host looks at a message.
    #[inline(always)]
    pub fn deliver(&mut self, topic: &[u8], payload: &[u8]) {
        let ends = |bytes: &[u8]| match bytes {
            [first, .., last] => u64::from(*first) + (u64::from(*last) << 8),
            _ => 0,
        };
        self.delivered += 1;
        self.seen += topic.len() as u64 + payload.len() as u64 + ends(topic) + ends(payload);
    }
}

/// A sender and a receiver, connected.
pub trait Pair {
    /// So many flows of the same window, from the first to the last byte.
    fn exchange(&mut self, window: usize, tally: &mut Tally);
}

/// One pair at work on one scenario.
pub struct Run {
    pub row: Row,
    window: usize,
    pair: Box<dyn Pair>,
}

impl Run {
    pub fn new(row: Row, scenario: Scenario, pair: impl Pair + 'static) -> Self {
        Self {
            row,
            window: scenario.window,
            pair: Box::new(pair),
        }
    }

    /// Makes a pass, which has to have done what `scenario` says.
    pub fn verify(&mut self, scenario: Scenario) {
        let mut one = Tally::default();
        one.deliver(crate::scenario::TOPIC.as_bytes(), &crate::scenario::PAYLOAD);
        let expected = Tally {
            delivered: FLOWS,
            completed: FLOWS,
            seen: one.seen * FLOWS as u64,
            wire: scenario.wire_bytes() * FLOWS,
        };
        let done = measured_pass(&mut *self.pair, self.window);
        assert_eq!(done, expected, "{} {}", self.row.slug(), scenario.slug());
    }
}

impl Contender for Run {
    fn prepare(&mut self) {}

    fn pass(&mut self) {
        black_box(measured_pass(black_box(&mut *self.pair), black_box(self.window)));
    }

    fn items(&self) -> usize {
        FLOWS
    }
}

/// The function that callgrind collects in, found by this name.
#[inline(never)]
fn measured_pass(pair: &mut dyn Pair, window: usize) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..FLOWS / window {
        pair.exchange(window, &mut tally);
    }
    tally
}
