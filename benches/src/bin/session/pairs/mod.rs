//! The pairs: one file a library.

mod ours;
mod protocol_core;
mod rumqttc;

pub use ours::{connected, message};

use ours::{Ours, Store};

use crate::run::{Row, Run};
use crate::scenario::{Protocol, Scenario};

/// Those who take part, ours in memory first.
pub fn rows(scenario: Scenario) -> Vec<Row> {
    let stores_something = scenario.qos > 0;
    let takes_part = |row: &Row| stores_something || !row.is_stored();
    Row::ALL.into_iter().filter(takes_part).collect()
}

/// The pair of this row, connected.
pub fn make(row: Row, scenario: Scenario) -> Run {
    match (row, scenario.protocol) {
        (Row::Ours, _) => Run::new(row, scenario, Ours::<false>::new(scenario, Store::None)),
        (Row::OursClock, _) => Run::new(row, scenario, Ours::<true>::new(scenario, Store::None)),
        (Row::OursStored, _) => Run::new(row, scenario, Ours::<false>::new(scenario, Store::Typed)),
        (Row::OursEncoded, _) => Run::new(row, scenario, Ours::<false>::new(scenario, Store::Encoded)),
        (Row::OursInbox, _) => Run::new(row, scenario, Ours::<false>::with_inbox(scenario, Store::Typed)),
        (Row::OursInboxEncoded, _) => Run::new(row, scenario, Ours::<false>::with_inbox(scenario, Store::Encoded)),
        (Row::ProtocolCore, _) => Run::new(row, scenario, protocol_core::Both::new(scenario)),
        (Row::Rumqttc, Protocol::V3_1_1) => Run::new(row, scenario, rumqttc::V4::new(scenario)),
        (Row::Rumqttc, Protocol::V5) => Run::new(row, scenario, rumqttc::V5::new(scenario)),
    }
}
