//! The application at one end of a link: what it has sent, and what it was told.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_session::{Message, Op, QoS, Received};

use super::draws;
use super::machine::Machine;
use super::rig::Rig;

/// What one application has sent and was told.
#[derive(Debug, Default)]
pub(super) struct App {
    /// Messages that were taken, by tag.
    pub(super) sent: BTreeMap<u64, QoS>,
    /// Those that may not get lost any more.
    pub(super) safe: BTreeSet<u64>,
    /// What it did for which delivery, in one transaction with the number of the delivery.
    pub(super) effects: BTreeMap<u64, u64>,
    /// Messages of QoS 0.
    plain: Vec<u64>,
}

impl App {
    /// A message of QoS 0 comes once at most, and one of QoS 2 under one number only.
    pub(super) fn hears(&mut self, received: &Received) {
        let tag = tag_of(&received.message.payload);
        match received.delivery {
            None => self.plain.push(tag),
            Some(delivery) => drop(self.effects.insert(delivery.number(), tag)),
        }
        let plain = self.plain.iter().filter(|other| **other == tag).count();
        assert!(plain <= 1, "a message of QoS 0 came {plain} times");
        let effects = self.arrivals(tag);
        let is_exact = received.message.qos == QoS::ExactlyOnce;
        assert!(!is_exact || effects <= 1, "a message of QoS 2 came {effects} times");
    }

    /// How often it acted on this message.
    pub(super) fn arrivals(&self, tag: u64) -> usize {
        self.effects.values().filter(|other| **other == tag).count()
    }

    /// What no store had is gone, and the application knows that it is.
    pub(super) fn forgets_the_unsafe(&mut self) {
        let safe = &self.safe;
        self.sent
            .retain(|tag, qos| safe.contains(tag) || *qos == QoS::AtMostOnce);
    }

    /// Everything that was sent has arrived at the other one.
    pub(super) fn reached(&self, other: &Self) {
        for (tag, qos) in &self.sent {
            let arrived = other.arrivals(*tag);
            match qos {
                QoS::AtMostOnce => {}
                QoS::AtLeastOnce => assert!(arrived >= 1, "{tag} is lost"),
                QoS::ExactlyOnce => assert_eq!(arrived, 1, "{tag} arrived so often"),
            }
        }
    }
}

/// Sends a message that begins with its tag.
pub(super) fn publish<M: Machine>(rig: &mut Rig<M>, app: &mut App, u: &mut Unstructured<'_>) -> Result<()> {
    let tag = rig.ledger.next_tag();
    let qos = draws::qos(u)?;
    let padding = if u.ratio(1, 4)? { u.int_in_range(0..=600)? } else { 0 };
    let payload = format!("{tag}{}", ".".repeat(padding));
    let message = Message::new("t", payload).expect("the topic is valid").qos(qos);
    let taken: std::result::Result<Op, _> = rig.machine.publish(rig.now, message, None, tag);
    if let Ok(op) = taken {
        rig.ledger.began(tag, op);
        app.sent.insert(tag, qos);
    }
    Ok(())
}

pub(super) fn tag_of(payload: &Bytes) -> u64 {
    let text = std::str::from_utf8(payload).expect("what was sent is text");
    text.trim_end_matches('.')
        .parse()
        .expect("what was sent begins with its tag")
}
