//! Two flows, a link that may be cut at any byte, crashes of either end, and stores that end when they like: all from a seed.
//!
//! The receiver keeps an inbox, so a message is what its delivery number says. A message that was acknowledged to its
//! sender was handed over; one of QoS 2 has one number, whatever happened; and when faults stop, everything ends.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use std::format;
use std::string::String;

use bytes::Buf;
use mqtt_proto::{Decoded, Packet, QoS, Rules, Version, decode};

use super::{Flow, Peer};
use crate::client::Event;
use crate::message::{DeliveryId, HandOver, Message};
use crate::outbox::Outbox;
use crate::qos::Loss;
use crate::random::Random;
use crate::session::Manner;
use crate::session::Records;
use crate::store::{Batch, Change, Key, Record};
use crate::time::Instant;
use crate::{Limits, Outcome, WhenFull};

/// What the harness does wrong on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    Nothing,
    /// `handle_stored` is said when a batch is taken.
    StoredTooEarly,
    /// The record that a message was released never reaches the store.
    ReleaseNotStored,
    /// The identifiers that the peer holds are forgotten at each new connection.
    IncomingForgotten,
}

struct Side {
    flow: Flow<Event>,
    store: BTreeMap<Key, Record>,
    with_store: VecDeque<Batch>,
    outbox: Outbox,
    input: Vec<u8>,
    /// Told to the host, which does its work and acknowledges later.
    to_acknowledge: Vec<(DeliveryId, u64)>,
    /// All delivery numbers that were ever told.
    told: BTreeSet<u64>,
    /// Messages of this end, by tag.
    sent: BTreeMap<u64, QoS>,
    acknowledged: BTreeSet<u64>,
    /// Messages of the other end that the host has done its work for, by tag: the delivery numbers they had.
    delivered: BTreeMap<u64, BTreeSet<u64>>,
    next_tag: u64,
    /// The first thing that went wrong here.
    fault: Option<String>,
}

const MESSAGES: u64 = 12;

fn manner() -> Manner {
    Manner {
        limits: Limits::default().packet_ids(4).receive_maximum(3).events(64),
        hand_over: HandOver::Inbox,
        when_full: WhenFull::Refuse,
        loss: Loss::RepeatAtLeastOnce,
        drops_plain: false,
        names_subscriptions: false,
    }
}

impl Side {
    fn new(first_tag: u64) -> Self {
        Self {
            flow: Flow::new(manner(), true, Instant::ZERO),
            store: BTreeMap::new(),
            with_store: VecDeque::new(),
            outbox: Outbox::new(64),
            input: Vec::new(),
            to_acknowledge: Vec::new(),
            told: BTreeSet::new(),
            sent: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            delivered: BTreeMap::new(),
            next_tag: first_tag,
            fault: None,
        }
    }

    fn publish(&mut self, qos: QoS) {
        let tag = self.next_tag;
        let message = Message::new("some/topic", format!("{tag}")).unwrap().qos(qos);
        if self.flow.publish(message, None, tag).is_ok() {
            self.next_tag += 1;
            self.sent.insert(tag, qos);
        }
    }

    fn take_batch(&mut self) -> bool {
        let mut batch = Batch::new();
        let taken = self.flow.session.journal.take(&mut batch);
        if taken {
            self.with_store.push_back(batch);
        }
        taken
    }

    fn apply(&mut self, sabotage: Sabotage) -> Option<u64> {
        let batch = self.with_store.pop_front()?;
        for change in batch.changes() {
            match change {
                Change::Put(Record::Outgoing(record))
                    if sabotage == Sabotage::ReleaseNotStored
                        && matches!(record.state, crate::OutgoingState::Release { .. }) => {}
                Change::Delete(Key::Payload(_)) if sabotage == Sabotage::ReleaseNotStored => {}
                Change::Put(record) => {
                    self.store.insert(record.key(), record.clone());
                }
                Change::Delete(key) => {
                    self.store.remove(key);
                }
            }
        }
        Some(batch.number())
    }

    fn poll(&mut self, trace: &mut String) -> bool {
        self.flow.first_event();
        let Some(event) = self.flow.take_event() else {
            return false;
        };
        match event {
            Event::Message(received) => {
                let tag: u64 = core::str::from_utf8(&received.message.payload)
                    .unwrap()
                    .parse()
                    .unwrap();
                let delivery = received.delivery.expect("an inbox wants an acknowledgement");
                trace.push_str(&format!("  told {tag} as {}\n", delivery.number()));
                let is_new = self.told.insert(delivery.number());
                if !is_new && !received.redelivered {
                    self.fault = Some(format!("{tag} was repeated and does not say so"));
                }
                self.to_acknowledge.push((delivery, tag));
            }
            Event::Completed { tag, outcome, .. } => {
                trace.push_str(&format!("  {tag} ended: {outcome:?}\n"));
                assert!(matches!(outcome, Outcome::Acknowledged(_)), "{outcome:?}");
                assert!(self.acknowledged.insert(tag), "two outcomes for {tag}");
            }
            other => panic!("{other:?}"),
        }
        true
    }

    /// The host does its work for a message, which lasts, and says so.
    fn acknowledge(&mut self) -> bool {
        let Some((delivery, tag)) = self.to_acknowledge.pop() else {
            return false;
        };
        self.delivered.entry(tag).or_default().insert(delivery.number());
        self.flow
            .session
            .acknowledge(delivery, mqtt_proto::PubAckReason::Success.into())
            .unwrap();
        true
    }

    fn restart(&mut self) {
        self.with_store.clear();
        self.to_acknowledge.clear();
        let mut records = Records::default();
        for (key, record) in &self.store {
            let mut bytes = Vec::new();
            record.encode(&mut bytes).unwrap();
            records.encoded(*key, &bytes.into());
        }
        self.flow = Flow::new(manner(), true, Instant::ZERO);
        let report = self.flow.restore(records);
        assert_eq!(report.quarantined, []);
        // What was not stored when the end crashed was never promised.
        let live: BTreeSet<u64> = report.live.iter().map(|live| live.tag).collect();
        let acknowledged = &self.acknowledged;
        self.sent
            .retain(|tag, _| live.contains(tag) || acknowledged.contains(tag));
        self.acknowledged.retain(|tag| !live.contains(tag));
    }
}

struct Pair {
    sides: [Side; 2],
    /// Bytes on their way from each side.
    wires: [VecDeque<u8>; 2],
    version: Version,
    random: Random,
    is_connected: bool,
    sabotage: Sabotage,
    trace: String,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    steps: u64,
    cuts_in_packets: u64,
    crashes_with_batches: u64,
    resumes_in_flight: u64,
}

impl Pair {
    fn new(seed: u64, version: Version, sabotage: Sabotage) -> Self {
        Self {
            sides: [Side::new(1), Side::new(1001)],
            wires: [VecDeque::new(), VecDeque::new()],
            version,
            random: Random::new(seed),
            is_connected: false,
            sabotage,
            trace: String::new(),
            counts: Counts::default(),
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn connect(&mut self) {
        for side in &mut self.sides {
            let receive_maximum = 1 + self.random.below(3) as u16;
            self.counts.resumes_in_flight += u64::from(side.flow.session.outgoing.len() > 0);
            side.flow.open(Peer {
                version: self.version,
                packet_bytes: 1000,
                receive_maximum: if self.version == Version::V5 {
                    receive_maximum
                } else {
                    u16::MAX
                },
                capabilities: crate::Capabilities::default(),
                alias_maximum: 2,
            });
            if self.sabotage == Sabotage::IncomingForgotten {
                side.flow.session.incoming.lose(&mut side.flow.session.journal);
                let connection = side.flow.session.outgoing.connection();
                side.flow.session.incoming.connected(connection, 3);
            }
        }
        self.is_connected = true;
    }

    fn cut(&mut self) {
        for (side, wire) in self.sides.iter_mut().zip(&mut self.wires) {
            self.counts.cuts_in_packets += u64::from(!wire.is_empty() || !side.input.is_empty());
            side.flow.close();
            side.outbox.clear();
            side.input.clear();
            wire.clear();
        }
        self.is_connected = false;
    }

    fn transmit(&mut self, index: usize, all: bool) -> bool {
        let side = &mut self.sides[index];
        if !self.is_connected {
            return false;
        }
        side.flow.transmit_answers(&mut side.outbox);
        side.flow.transmit_messages(&mut side.outbox);
        let waiting = side.outbox.remaining();
        let count = if all {
            waiting
        } else {
            self.random.below(waiting as u64 + 1) as usize
        };
        let bytes = side.outbox.copy_to_bytes(count);
        self.wires[index].extend(&bytes[..]);
        count > 0
    }

    fn receive(&mut self, index: usize, all: bool) -> bool {
        let wire = &mut self.wires[1 - index];
        let count = if all {
            wire.len()
        } else {
            self.random.below(wire.len() as u64 + 1) as usize
        };
        let side = &mut self.sides[index];
        side.input.extend(wire.drain(..count));
        let rules = Rules::new(self.version);
        let mut any = false;
        while !side.flow.is_blocked() {
            let input = core::mem::take(&mut side.input);
            let Ok(Decoded::Packet { packet, len }) = decode(&input, &rules) else {
                side.input = input;
                break;
            };
            self.trace.push_str(&format!("  {index} receives {packet:?}\n"));
            let frame = side.flow.copy_frame(&input[..len]);
            let result = match packet {
                Packet::Publish(_) => match decode(&frame, &rules) {
                    Ok(Decoded::Packet {
                        packet: Packet::Publish(publish),
                        ..
                    }) => side.flow.on_publish(&publish, &frame),
                    other => panic!("{other:?}"),
                },
                Packet::PubAck(ack) => side.flow.on_puback(ack.id, ack.reason.into()),
                Packet::PubRec(ack) => side.flow.on_pubrec(ack.id, ack.reason.into()),
                Packet::PubRel(ack) => side.flow.on_pubrel(ack.id),
                Packet::PubComp(ack) => side.flow.on_pubcomp(ack.id, ack.reason.into()),
                other => panic!("{other:?}"),
            };
            assert_eq!(result, Ok(()), "neither end breaks a rule");
            side.input = input[len..].to_vec();
            any = true;
        }
        any || count > 0
    }

    fn crash(&mut self, index: usize) {
        self.cut();
        let sabotage = self.sabotage;
        let keep = self.random.below(self.sides[index].with_store.len() as u64 + 1);
        let side = &mut self.sides[index];
        self.counts.crashes_with_batches += u64::from(!side.with_store.is_empty());
        for _ in 0..keep {
            side.apply(sabotage);
        }
        side.restart();
    }

    fn step(&mut self) {
        self.counts.steps += 1;
        let index = self.random.below(2) as usize;
        match self.random.below(100) {
            0..12 if self.sides[index].next_tag % 1000 <= MESSAGES => {
                let qos = if self.chance(60) {
                    QoS::ExactlyOnce
                } else {
                    QoS::AtLeastOnce
                };
                self.trace
                    .push_str(&format!("{index} publishes {} {qos:?}\n", self.sides[index].next_tag));
                self.sides[index].publish(qos);
            }
            12..27 => self.store_step(index),
            27..42 => self.finish_step(index),
            42..62 => {
                let all = self.chance(70);
                self.transmit(index, all);
            }
            62..84 => {
                let all = self.chance(70);
                self.receive(index, all);
            }
            84..91 => {
                self.sides[index].poll(&mut self.trace);
            }
            91..96 => {
                self.sides[index].acknowledge();
            }
            96 => {
                self.trace.push_str("cut\n");
                self.cut();
            }
            97 => {
                self.trace.push_str(&format!("crash of {index}\n"));
                self.crash(index);
            }
            _ if !self.is_connected => {
                self.trace.push_str("connect\n");
                self.connect();
            }
            _ => {}
        }
        if !self.is_connected && self.chance(30) {
            self.trace.push_str("connect\n");
            self.connect();
        }
    }

    fn store_step(&mut self, index: usize) {
        let side = &mut self.sides[index];
        if side.take_batch() && self.sabotage == Sabotage::StoredTooEarly {
            let number = side.with_store.back().map_or(0, Batch::number);
            side.flow.on_stored(number);
        }
    }

    fn finish_step(&mut self, index: usize) {
        let sabotage = self.sabotage;
        let side = &mut self.sides[index];
        if let Some(number) = side.apply(sabotage) {
            side.flow.on_stored(number);
        }
    }

    /// Faults stop: everything has to end.
    fn settle(&mut self) {
        if !self.is_connected {
            self.connect();
        }
        for _ in 0..2000 {
            let mut any = false;
            for index in 0..2 {
                any |= self.sides[index].take_batch();
                while !self.sides[index].with_store.is_empty() {
                    self.finish_step(index);
                    any = true;
                }
                any |= self.transmit(index, true);
                any |= self.receive(index, true);
                while self.sides[index].poll(&mut self.trace) {
                    any = true;
                }
                any |= self.sides[index].acknowledge();
            }
            if !any {
                return;
            }
        }
        panic!("it never settles");
    }

    /// What has gone wrong, if anything.
    fn fault(&self) -> Option<String> {
        for (index, sender) in self.sides.iter().enumerate() {
            let receiver = &self.sides[1 - index];
            for (tag, qos) in &sender.sent {
                let numbers = receiver.delivered.get(tag).map_or(0, BTreeSet::len);
                if numbers == 0 {
                    return Some(format!("{tag} was lost"));
                }
                if *qos == QoS::ExactlyOnce && numbers > 1 {
                    return Some(format!("{tag} was delivered {numbers} times"));
                }
                if !sender.acknowledged.contains(tag) {
                    return Some(format!("{tag} never ended"));
                }
            }
        }
        if let Some(fault) = self.sides.iter().find_map(|side| side.fault.clone()) {
            return Some(fault);
        }
        self.sides
            .iter()
            .find(|side| side.flow.session.outgoing.len() > 0)
            .map(|_| String::from("an exchange is left"))
    }
}

fn run(seed: u64, version: Version, sabotage: Sabotage) -> (Option<String>, Pair) {
    let mut pair = Pair::new(seed, version, sabotage);
    for _ in 0..600 {
        pair.step();
    }
    pair.settle();
    (pair.fault(), pair)
}

#[test]
fn nothing_is_lost_or_doubled_over_cuts_and_crashes() {
    let mut total = Counts::default();
    let (mut delivered, mut seeds) = (0, 0);
    for seed in 0..400 {
        for version in Version::ALL {
            let (fault, pair) = run(seed, version, Sabotage::Nothing);
            assert_eq!(fault, None, "seed {seed}, {version:?}\n{}", pair.trace);
            total.steps += pair.counts.steps;
            total.cuts_in_packets += pair.counts.cuts_in_packets;
            total.crashes_with_batches += pair.counts.crashes_with_batches;
            total.resumes_in_flight += pair.counts.resumes_in_flight;
            delivered += pair.sides.iter().map(|side| side.delivered.len()).sum::<usize>();
            seeds += 1;
        }
    }
    std::println!("{seeds} runs, {delivered} messages, {total:?}");
    // Green must not mean that nothing happened.
    assert!(delivered > 10 * seeds);
    assert!(total.cuts_in_packets > 1000 && total.crashes_with_batches > 500 && total.resumes_in_flight > 1000);
}

/// The wrong policy ends in this fault within so many seeds.
fn leads_to(sabotage: Sabotage, fault: &str) {
    let found = (0..400).find_map(|seed| run(seed, Version::V5, sabotage).0.filter(|found| found.contains(fault)));
    assert!(found.is_some(), "{sabotage:?} does not lead to: {fault}");
}

#[test]
fn acknowledging_before_the_store_has_it_loses_messages() {
    leads_to(Sabotage::StoredTooEarly, "was lost");
}

#[test]
fn a_release_that_is_not_stored_doubles_messages() {
    leads_to(Sabotage::ReleaseNotStored, "was delivered 2 times");
}

#[test]
fn forgetting_incoming_identifiers_at_reconnect_doubles_messages() {
    leads_to(Sabotage::IncomingForgotten, "was delivered 2 times");
}
