//! What a difference is: the class it belongs to, or none.

use core::fmt;
use std::collections::BTreeSet;

use super::classes::{CLASSES, Class};
use super::compare::{Item, Side, compare};
use super::facts::Facts;
use super::heard::Heard;
use super::play::Transcript;
use super::script::{Script, Step, name};

/// A script with what was heard at both servers.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What was done.
    pub script: &'a Script,
    /// What was heard at the program of this workspace.
    pub ours: &'a Transcript,
    /// What was heard at the other server.
    pub theirs: &'a Transcript,
    /// The step in question.
    pub step: usize,
    /// What is known before it.
    pub facts: Facts<'a>,
}

impl<'a> Scene<'a> {
    /// The step in question.
    #[must_use]
    pub fn step(&self) -> &'a Step {
        &self.script.steps[self.step]
    }
}

/// What comparing came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The classes that were met, each with its step.
    pub met: Vec<(&'static Class, usize)>,
    /// What differs in the first step with something that belongs to no class.
    pub unclassified: Option<Unclassified>,
    /// How many steps were compared: one session that differs makes more differences behind it.
    pub steps: usize,
}

/// A difference without a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclassified {
    /// Where.
    pub step: usize,
    /// What one server says alone.
    pub items: Vec<Item>,
    /// Who hears the same in another order.
    pub orders: Vec<usize>,
}

/// Compares step by step, up to the first difference after which the rest cannot be compared. The class with the id `without` explains
/// nothing.
#[must_use]
pub fn judge(script: &Script, ours: &Transcript, theirs: &Transcript, without: Option<&str>) -> Verdict {
    let mut verdict = Verdict::default();
    for step in 0..script.steps.len() {
        verdict.steps += 1;
        let (mut items, orders) = compare(ours, theirs, step);
        let facts = Facts::before(script, step);
        let scene = Scene {
            script,
            ours,
            theirs,
            step,
            facts,
        };
        let mut ends = false;
        for class in CLASSES.iter().filter(|class| Some(class.id) != without) {
            let before = items.clone();
            (class.explains)(&scene, &mut items);
            if items.len() < before.len() {
                verdict.met.push((class, step));
                ends |= class.ends;
                ends |= !without_releases(&scene, &before, &mut items);
            }
        }
        if !items.is_empty() || !orders.is_empty() {
            verdict.unclassified = Some(Unclassified { step, items, orders });
            return verdict;
        }
        if ends {
            return verdict;
        }
    }
    verdict
}

/// Removes the PUBREL of each message of QoS 2 that was explained; whether the sessions are in the same state then.
fn without_releases(scene: &Scene<'_>, before: &[Item], items: &mut Vec<Item>) -> bool {
    let mut same = true;
    for (client, known) in scene.facts.clients.iter().enumerate() {
        let balance = |side: Side, items: &[Item]| {
            let of_qos = |qos: u8| {
                let is_one = |item: &&Item| {
                    let message = item.heard.message();
                    item.client == client && item.side == side && message.is_some_and(|message| message.qos == qos)
                };
                items.iter().filter(is_one).count()
            };
            (of_qos(1), of_qos(2))
        };
        for side in [Side::Ours, Side::Theirs] {
            let ((one, two), (one_left, two_left)) = (balance(side, before), balance(side, items));
            for _ in two_left..two {
                let release =
                    |item: &Item| item.client == client && item.side == side && item.heard == Heard::PubRel(0);
                if let Some(place) = items.iter().position(release) {
                    items.remove(place);
                }
            }
            same &= !known.holds || (one_left, two_left) == (one, two);
        }
    }
    same
}

impl Unclassified {
    /// Whether another one is of the same kind: from the same server, and the same packets.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let kinds = |odd: &Self| -> BTreeSet<(bool, String, u8)> {
            let kind = |item: &Item| {
                let text = item.heard.to_string();
                let packet = text.split(' ').next().unwrap_or_default().to_owned();
                (
                    item.side == Side::Ours,
                    packet,
                    item.heard.message().map_or(0, |message| u8::from(message.retain)),
                )
            };
            odd.items.iter().map(kind).collect()
        };
        kinds(self) == kinds(other) && self.orders.is_empty() == other.orders.is_empty()
    }
}

impl fmt::Display for Unclassified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items.iter().map(ToString::to_string);
        let orders = self
            .orders
            .iter()
            .map(|client| format!("{} hears another order", name(*client)));
        f.write_str(&items.chain(orders).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voices::draw;
    use crate::voices::heard::Message;

    fn message(topic: &str, payload: &str, qos: u8) -> Heard {
        Heard::Message(Box::new(Message {
            topic: topic.to_owned(),
            qos,
            retain: false,
            dup: false,
            payload: payload.to_owned(),
            identifiers: Vec::new(),
            expiry: None,
            properties: Vec::new(),
        }))
    }

    /// A script of two clients of whom the second hears this in the last step.
    fn hears(ours: &[Heard], theirs: &[Heard]) -> Verdict {
        let script = (0..)
            .map(draw)
            .find(|script| script.clients.len() == 2)
            .expect("most have two");
        let transcript = |heard: &[Heard]| {
            let mut transcript = vec![vec![Vec::new(); 2]; script.steps.len()];
            *transcript.last_mut().expect("it has steps") = vec![Vec::new(), heard.to_vec()];
            transcript
        };
        judge(&script, &transcript(ours), &transcript(theirs), None)
    }

    #[test]
    fn a_message_that_is_missing_or_other_or_doubled_has_no_class() {
        let one = message("other/topic", "m100", 1);
        for (ours, theirs) in [
            (vec![], vec![one.clone()]),
            (vec![one.clone()], vec![]),
            (vec![one.clone(), one.clone()], vec![one.clone()]),
            (vec![message("other/topic", "m100", 0)], vec![one.clone()]),
            (vec![message("other/topic", "m101", 1)], vec![one.clone()]),
            (vec![Heard::End], vec![]),
            (vec![Heard::Disconnect(0x82)], vec![]),
            (vec![Heard::PubAck(0)], vec![Heard::PubAck(0x87)]),
        ] {
            let verdict = hears(&ours, &theirs);
            assert!(verdict.unclassified.is_some(), "{ours:?} {theirs:?}");
            assert_eq!(verdict.met.len(), 0);
        }
    }

    #[test]
    fn the_order_counts_within_a_topic_and_a_qos_alone() {
        let (first, second) = (message("t", "m100", 1), message("t", "m101", 1));
        let odd = hears(&[first.clone(), second.clone()], &[second, first.clone()]).unclassified;
        assert_eq!(odd.map(|odd| odd.orders), Some(vec![1]));
        for other in [message("u", "m101", 1), message("t", "m101", 2), Heard::SubAck(vec![0])] {
            let verdict = hears(&[first.clone(), other.clone()], &[other, first.clone()]);
            assert_eq!(verdict.unclassified, None);
        }
    }

    #[test]
    fn copies_for_each_subscription_have_a_class_and_lower_ones_have_none() {
        let (low, high) = (message("t", "m100", 0), message("t", "m100", 1));
        let verdict = hears(std::slice::from_ref(&high), &[high.clone(), low.clone()]);
        assert_eq!(verdict.unclassified, None);
        assert_eq!(
            verdict.met.iter().map(|(class, _)| class.id).collect::<Vec<_>>(),
            ["overlapping-copies"]
        );
        assert!(
            hears(std::slice::from_ref(&low), &[high, low.clone()])
                .unclassified
                .is_some()
        );
    }
}
