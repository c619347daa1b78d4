//! Lines 3, 6, 7 and 8: what comes out depends on what went in, and not on how or when it is asked for.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use mqtt_session::proto::{
    Delivery, Packet, PacketId, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel,
    PubRelReason, Publish, PublishProperties, QoS, TopicName, Version,
};
use mqtt_session::{Batch, Change, Key, Message, Outbox, Record};
use mqtt_tests::frame::Frame;
use proptest::prelude::*;

use crate::subject::{START, Subject};

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn publish(qos: u8, number: u16) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(QoS::from_bits(qos).unwrap(), id(number)),
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"t")).unwrap()),
        properties: PublishProperties::empty(),
        payload: Bytes::from(vec![b'x'; usize::from(number)]),
    })
}

/// What a peer may send to one that has sent a message of QoS 1 with the identifier 1 and one of QoS 2 with 2.
fn packets() -> impl Strategy<Value = Vec<Packet<Bytes>>> {
    let packet = prop_oneof![
        (0..3_u8, 1..4_u16).prop_map(|(qos, number)| publish(qos, number)),
        Just(Packet::PubAck(PubAck::new(id(1), PubAckReason::Success))),
        Just(Packet::PubRec(PubRec::new(id(2), PubRecReason::Success))),
        (1..4_u16).prop_map(|number| Packet::PubRel(PubRel::new(id(number), PubRelReason::Success))),
        (2..4_u16).prop_map(|number| Packet::PubComp(PubComp::new(id(number), PubCompReason::Success))),
    ];
    prop::collection::vec(packet, 0..12)
}

/// Without PUBREL for a message that comes before it: that is answered when the message has been polled, or at once, whichever is first.
/// A peer that keeps to the rules sends it when it has PUBREC, which is after the poll.
fn in_order(packets: Vec<Packet<Bytes>>) -> Vec<Packet<Bytes>> {
    let mut open = Vec::new();
    let mut keeps = |packet: &Packet<Bytes>| match packet {
        Packet::Publish(publish) => {
            open.extend(
                publish
                    .delivery
                    .id()
                    .filter(|_| publish.delivery.qos() == QoS::ExactlyOnce),
            );
            true
        }
        Packet::PubRel(release) => !open.contains(&release.id),
        _ => true,
    };
    packets.into_iter().filter(|packet| keeps(packet)).collect()
}

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(&Version::ALL[..])
}

/// Both, with a message of QoS 1 and one of QoS 2 on their way.
fn busy(is_stored: bool, version: Version) -> [Subject; 2] {
    Subject::all_connected(is_stored, version).map(|mut subject| {
        for (tag, qos) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            let message = Message::new("t", "x").unwrap().qos(qos);
            subject.publish(START, message, tag).unwrap();
        }
        subject.store(START);
        assert!(!subject.sent().is_empty());
        subject
    })
}

/// Everything that comes of it in the end.
fn outcome(mut subject: Subject) -> (Vec<String>, Vec<u8>) {
    let told = subject.act(START);
    subject.store(START);
    let mut sent = subject.sent();
    subject.store(START);
    sent.extend(subject.sent());
    (told, sent)
}

/// Packets by their type.
type Frames = BTreeMap<u8, Vec<Vec<u8>>>;

/// A machine, and what it was polled for.
struct Polled {
    subject: Subject,
    outbox: Outbox,
    told: Vec<String>,
    sent: Vec<u8>,
    disk: BTreeMap<Key, Record>,
    /// The last batch that was handed out.
    upto: u64,
}

impl Polled {
    fn of(subject: Subject) -> Self {
        Self {
            subject,
            outbox: Outbox::default(),
            told: Vec::new(),
            sent: Vec::new(),
            disk: BTreeMap::new(),
            upto: 0,
        }
    }

    fn hear(&mut self) -> bool {
        let event = self.subject.event(START);
        let any = event.is_some();
        self.told.extend(event);
        any
    }

    fn transmit(&mut self) -> bool {
        self.subject.poll_transmit(&mut self.outbox);
        let any = !self.outbox.is_empty();
        while self.outbox.has_remaining() {
            let chunk = self.outbox.chunk();
            let len = chunk.len();
            self.sent.extend_from_slice(chunk);
            self.outbox.advance(len);
        }
        any
    }

    fn take_batch(&mut self) -> bool {
        let mut batch = Batch::new();
        if !self.subject.poll_store(&mut batch) {
            return false;
        }
        self.upto = batch.number();
        for change in batch.changes() {
            match change {
                Change::Put(record) => drop(self.disk.insert(record.key(), record.clone())),
                Change::Delete(key) => drop(self.disk.remove(key)),
            }
        }
        true
    }

    /// Polls until nothing is left, with all that was handed out stored: what was told, the packets of each type that were
    /// sent, and what is stored. What waits for an event or a batch leaves later than what does not.
    fn all(mut self) -> (Vec<String>, Frames, BTreeMap<Key, Record>) {
        while self.hear() || self.take_batch() || self.transmit() || self.upto > 0 {
            match core::mem::take(&mut self.upto) {
                0 => {}
                upto => self.subject.handle_stored(START, upto),
            }
        }
        let mut sent = Frames::new();
        let mut rest = &self.sent[..];
        while !rest.is_empty() {
            let (frame, others) = rest.split_at(Frame::read(rest).unwrap().len);
            sent.entry(frame[0] >> 4).or_default().push(frame.to_vec());
            rest = others;
        }
        (self.told, sent, self.disk)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Line 3: any split of the input gives the same outputs, as a slice or as a buffer.
    #[test]
    fn any_split_gives_the_same(
        packets in packets(), version in versions(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        for subject in busy(false, version) {
            let bytes = subject.stream_of_peer(&packets, version);
            let mut whole = subject.clone();
            whole.feed(START, &bytes);
            let (mut slices, mut buffers) = (subject.clone(), subject);
            let (mut held, mut buffer) = (Vec::new(), BytesMut::new());
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.sort_unstable();
            places.push(bytes.len());
            let mut from = 0;
            for until in places {
                held.extend_from_slice(&bytes[from..until]);
                let taken = slices.feed(START, &held);
                held.drain(..taken);
                buffer.extend_from_slice(&bytes[from..until]);
                buffers.feed_owned(START, &mut buffer);
                from = until;
            }
            let expected = outcome(whole);
            prop_assert_eq!(&outcome(slices), &expected);
            prop_assert_eq!(&outcome(buffers), &expected);
        }
    }

    /// Line 3: outputs that are polled more often, and in another order, are the same in all.
    #[test]
    fn the_order_of_polls_changes_nothing(
        packets in packets().prop_map(in_order), version in versions(), stored in any::<bool>(), polls in prop::collection::vec(0..4_u8, 0..20),
    ) {
        for subject in busy(stored, version) {
            let bytes = subject.stream_of_peer(&packets, version);
            let (mut plain, mut other) = (Polled::of(subject.clone()), Polled::of(subject));
            plain.subject.feed(START, &bytes);
            other.subject.feed(START, &bytes);
            for poll in &polls {
                match poll {
                    0 => drop(other.hear()),
                    1 => drop(other.subject.poll_timeout()),
                    2 => drop(other.transmit()),
                    _ => prop_assert!(!other.take_batch() || stored, "there is no store"),
                }
            }
            prop_assert_eq!(other.all(), plain.all());
        }
    }

    /// Each operation ends at most once, whatever the peer answers; and all of them do if it answers as it has to.
    #[test]
    fn an_operation_ends_once(packets in packets(), version in versions(), stored in any::<bool>()) {
        for mut subject in busy(stored, version) {
            let bytes = subject.stream_of_peer(&packets, version);
            subject.feed(START, &bytes);
            let mut tags = subject.completed();
            subject.store(START);
            subject.sent();
            let rest = [
                Packet::PubAck(PubAck::new(id(1), PubAckReason::Success)),
                Packet::PubRec(PubRec::new(id(2), PubRecReason::Success)),
            ];
            let answers = subject.stream_of_peer(&rest, version);
            subject.feed(START, &answers);
            subject.store(START);
            subject.sent();
            let last = subject.stream_of_peer(&[Packet::PubComp(PubComp::new(id(2), PubCompReason::Success))], version);
            subject.feed(START, &last);
            tags.extend(subject.completed());
            let had_end = !subject.is_connected();
            tags.sort_unstable();
            prop_assert!(had_end && tags.windows(2).all(|pair| pair[0] < pair[1]) || tags == [1, 2], "{tags:?}");
        }
    }

    /// What depends on a batch waits for it, and for no other.
    #[test]
    fn what_is_withheld_leaves_with_its_batch(numbers in prop::collection::btree_set(1..4_u16, 1..4), version in versions()) {
        for mut subject in Subject::all_connected(true, version) {
            subject.store(START);
            subject.sent();
            let mut batches = Vec::new();
            for number in &numbers {
                let bytes = subject.stream_of_peer(&[publish(2, *number)], version);
                subject.feed(START, &bytes);
                subject.act(START);
                let mut batch = Batch::new();
                prop_assert!(subject.poll_store(&mut batch));
                batches.push(batch.number());
            }
            prop_assert!(subject.sent().is_empty(), "no PUBREC without the store");
            for (batch, number) in batches.iter().zip(&numbers) {
                subject.handle_stored(START, *batch);
                let expected = subject.stream_of_peer(&[Packet::PubRec(PubRec::new(id(*number), PubRecReason::Success))], version);
                prop_assert_eq!(subject.sent(), expected);
            }
        }
    }

    /// Lines 6 and 7: a host that does nothing stops the input, and no more than the bounds is held; once it goes on, so
    /// does the input.
    #[test]
    fn input_stops_only_while_the_host_owes_something(version in versions(), stored in any::<bool>()) {
        for mut subject in Subject::all_connected(stored, version) {
            let bytes = subject.stream_of_peer(&[publish(1, 1)], version);
            let mut taken = 0;
            while subject.input_room() > 0 && subject.is_connected() && taken < 1000 {
                prop_assert_eq!(subject.feed(START, &bytes), bytes.len());
                taken += 1;
                // Output that nobody takes is no reason to stop, and the peer has its answers.
                subject.poll_transmit(&mut Outbox::new(1));
            }
            prop_assert!(taken < 30, "{taken} messages are held");
            if !subject.is_connected() {
                // One more than the Receive Maximum, which MQTT 5.0 is told.
                prop_assert!(version.has_properties());
                continue;
            }
            prop_assert_eq!(subject.feed(START, &bytes), 0, "what is not read stays with the driver");
            subject.act(START);
            subject.store(START);
            subject.sent();
            prop_assert!(subject.input_room() > 0);
            prop_assert_eq!(subject.feed(START, &bytes), bytes.len());
        }
    }
}

#[test]
fn output_that_nobody_takes_does_not_stop_the_input() {
    for mut subject in Subject::all_connected(false, Version::V5) {
        let mut outbox = Outbox::new(1);
        for tag in 0..5 {
            let _ = subject.publish(START, Message::new("t", "x").unwrap(), tag);
        }
        subject.poll_transmit(&mut outbox);
        assert!(!outbox.is_empty() && subject.input_room() > 0);
    }
}
