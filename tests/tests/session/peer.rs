//! A random peer that keeps to the protocol: it answers what the machine under test sends, and sends messages of its own.

use std::collections::BTreeMap;

use mqtt_session::proto::Version;
use mqtt_tests::generate::split_mix;

use crate::watch::{Flight, Watch};
use crate::wire::{self, Wire, coded, puback, pubcomp, pubrec, pubrel};

/// A machine under test with its onlooker.
pub(crate) trait Machine {
    fn feed(&mut self, bytes: &[u8]) -> usize;

    fn sent(&mut self) -> Vec<Vec<u8>>;

    fn watch(&self) -> &Watch;
}

/// Where a message of the peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    AwaitsPubAck,
    AwaitsPubRec,
    Received,
    Released,
}

#[derive(Debug)]
pub(crate) struct Peer {
    random: u64,
    pub(crate) wire: Wire,
    /// Messages of the peer, by identifier, with their payload.
    given: BTreeMap<u16, (Given, String)>,
    pub(crate) messages: u64,
}

impl Peer {
    pub(crate) fn new(seed: u64, wire: Wire) -> Self {
        Self {
            random: seed,
            wire,
            given: BTreeMap::new(),
            messages: 0,
        }
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        split_mix(&mut self.random) % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        Some(from.swap_remove(at))
    }

    /// The session of the machine is gone, and with it what the peer had under way.
    pub(crate) fn forget(&mut self) {
        self.given.clear();
    }

    /// A payload that no other message has.
    pub(crate) fn payload(&mut self) -> String {
        self.messages += 1;
        let long = if self.chance(10) {
            "long".repeat(12)
        } else {
            String::new()
        };
        format!("m{}{long}", self.messages)
    }

    /// Answers something that the machine has under way.
    pub(crate) fn answer(&mut self, machine: &mut impl Machine) {
        let watch = machine.watch();
        let may_be_answered = |id: &u16, flight: &Flight| match flight {
            Flight::Publish { .. } => watch.link.sent_here.contains(id),
            Flight::Released { .. } => !watch.link.pubrels.contains(id),
            _ => true,
        };
        let flights = watch.session.flights.iter();
        let mut open: Vec<(u16, Flight)> = flights
            .filter(|(id, flight)| may_be_answered(id, flight))
            .map(|(id, flight)| (*id, flight.clone()))
            .collect();
        let Some((id, flight)) = self.pick(&mut open) else {
            return;
        };
        let refuses = self.wire.0 == Version::V5 && self.chance(15);
        let answer = match flight {
            Flight::Publish { qos: 1, .. } if refuses => coded(puback(id), 0x87),
            Flight::Publish { qos: 1, .. } => puback(id),
            Flight::Publish { .. } if refuses => coded(pubrec(id), 0x97),
            Flight::Publish { .. } => pubrec(id),
            Flight::Released { .. } => pubcomp(id),
            Flight::Subscribe => self.wire.suback(id, &[1]),
            Flight::Unsubscribe => self.wire.unsuback(id, &[0]),
        };
        machine.feed(&answer);
    }

    /// A message of the peer.
    pub(crate) fn give(&mut self, machine: &mut impl Machine) {
        self.messages += 1;
        let payload = format!("s{}", self.messages);
        let qos = u8::try_from(self.below(3)).unwrap_or_default();
        let Some(id) = (1..=6).find(|id| !self.given.contains_key(id)) else {
            return;
        };
        match qos {
            1 => drop(self.given.insert(id, (Given::AwaitsPubAck, payload.clone()))),
            2 => drop(self.given.insert(id, (Given::AwaitsPubRec, payload.clone()))),
            _ => {}
        }
        machine.feed(&self.wire.publish(qos, id).payload(payload).bytes());
    }

    /// A message of QoS 2 a second time.
    pub(crate) fn give_again(&mut self, machine: &mut impl Machine) {
        let waits = |(id, (state, payload)): (&u16, &(Given, String))| {
            (*state == Given::AwaitsPubRec).then(|| (*id, payload.clone()))
        };
        let waiting = self.given.iter().find_map(waits);
        if let Some((id, payload)) = waiting {
            machine.feed(&self.wire.publish(2, id).dup().payload(payload).bytes());
        }
    }

    pub(crate) fn release(&mut self, machine: &mut impl Machine) {
        let received = |(id, (state, _)): (&u16, &(Given, String))| (*state == Given::Received).then_some(*id);
        if let Some(id) = self.given.iter().find_map(received) {
            self.set(id, Given::Released);
            machine.feed(&pubrel(id));
        }
    }

    fn set(&mut self, id: u16, state: Given) {
        if let Some((given, _)) = self.given.get_mut(&id) {
            *given = state;
        }
    }

    /// On the next connection the peer sends again what is open.
    pub(crate) fn repeat(&mut self, machine: &mut impl Machine) {
        for (id, (state, payload)) in self.given.clone() {
            let frame = match state {
                Given::AwaitsPubAck => self.wire.publish(1, id).dup().payload(payload).bytes(),
                Given::AwaitsPubRec => self.wire.publish(2, id).dup().payload(payload).bytes(),
                Given::Received | Given::Released => {
                    self.set(id, Given::Released);
                    pubrel(id)
                }
            };
            machine.feed(&frame);
        }
    }

    /// Takes what the machine sends, and notes what it answers.
    pub(crate) fn pull(&mut self, machine: &mut impl Machine) {
        for frame in machine.sent() {
            let id = frame.get(2..4).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
            let state = self.given.get(&id).map(|(state, _)| *state);
            match (frame[0], state) {
                (0x40, Some(Given::AwaitsPubAck)) | (0x70, Some(Given::Released)) => drop(self.given.remove(&id)),
                (0x50, Some(Given::AwaitsPubRec)) => self.set(id, Given::Received),
                (0xC0, _) => drop(machine.feed(wire::PINGRESP)),
                _ => {}
            }
        }
    }
}
