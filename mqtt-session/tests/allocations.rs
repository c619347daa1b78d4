//! A client in its steady state allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Buf;
use mqtt_session::proto::{Decoded, Delivery, Packet, PacketId, PubAck, PubAckReason, PubComp, PubCompReason, PubRec};
use mqtt_session::proto::{Properties, PubRecReason, PubRel, PubRelReason, Publish, Role, Rules, TopicName, Version};
use mqtt_session::{Batch, Client, ClientConfig, DeliveryId, Event, HandOver, Instant, Message, Outbox, QoS};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Instant = Instant::ZERO;

/// A client and the packets of its server, without memory of their own.
struct Rig {
    client: Client,
    outbox: Outbox,
    version: Version,
}

impl Rig {
    fn connected(version: Version) -> Self {
        Self::connected_as(ClientConfig::new("c").unwrap().version(version))
    }

    fn connected_as(config: ClientConfig) -> Self {
        let version = config.version;
        let mut client = Client::new(config, NOW);
        client.handle_open(NOW);
        let mut rig = Self {
            client,
            outbox: Outbox::default(),
            version,
        };
        rig.outbox.clear();
        rig.client.poll_transmit(&mut rig.outbox);
        rig.outbox.advance(usize::MAX);
        let connack: &[u8] = match version {
            Version::V5 => b"\x20\x03\x00\x00\x00",
            _ => b"\x20\x02\x00\x00",
        };
        rig.client.handle_input(NOW, &mut &connack[..]);
        assert!(rig.client.is_connected());
        rig
    }

    fn feed(&mut self, packet: &Packet<&[u8]>) {
        let mut buffer = [0; 256];
        let len = packet.encode(self.version, &mut buffer).unwrap();
        self.client.handle_input(NOW, &mut &buffer[..len]);
    }

    /// The packet that the client wants to send.
    fn sent<T>(&mut self, read: impl FnOnce(Packet<&[u8]>) -> T) -> T {
        self.client.poll_transmit(&mut self.outbox);
        let rules = Rules::new(self.version).sent_by(Role::Client);
        let result = match mqtt_session::proto::decode(self.outbox.chunk(), &rules) {
            Ok(Decoded::Packet { packet, len }) => {
                assert_eq!(len, self.outbox.len());
                read(packet)
            }
            other => panic!("{other:?}"),
        };
        self.outbox.advance(usize::MAX);
        result
    }

    fn publish(&mut self, message: &Message) {
        self.client.publish(NOW, message.clone(), 1).unwrap();
        let delivery = self.sent(|packet| match packet {
            Packet::Publish(publish) => publish.delivery,
            other => panic!("{other:?}"),
        });
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce { id, .. } => self.feed(&Packet::PubAck(PubAck::new(id, PubAckReason::Success))),
            Delivery::ExactlyOnce { id, .. } => {
                self.feed(&Packet::PubRec(PubRec::new(id, PubRecReason::Success)));
                assert!(self.sent(|packet| packet == Packet::PubRel(PubRel::new(id, PubRelReason::Success))));
                self.feed(&Packet::PubComp(PubComp::new(id, PubCompReason::Success)));
            }
        }
        while let Some(event) = self.client.poll_event() {
            assert!(
                matches!(event, Event::Completed { .. } | Event::Open | Event::Connected { .. }),
                "{event:?}"
            );
        }
    }

    fn receive(&mut self, qos: QoS) {
        let id = PacketId::MIN;
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            _ => Delivery::first(qos, id),
        };
        self.feed(&Packet::Publish(Publish {
            delivery,
            retain: false,
            topic: Some(TopicName::new("sensors/kitchen/temperature").unwrap()),
            properties: Properties::empty(),
            payload: &[7; 64][..],
        }));
        while let Some(event) = self.client.poll_event() {
            if let Event::Message(received) = event {
                assert_eq!(received.message.payload.len(), 64);
            }
        }
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => assert!(self.sent(|packet| matches!(packet, Packet::PubAck(_)))),
            QoS::ExactlyOnce => {
                assert!(self.sent(|packet| matches!(packet, Packet::PubRec(_))));
                self.feed(&Packet::PubRel(PubRel::new(id, PubRelReason::Success)));
                assert!(self.sent(|packet| matches!(packet, Packet::PubComp(_))));
            }
        }
    }
}

fn allocations(mut round: impl FnMut()) -> u64 {
    for _ in 0..1000 {
        round();
    }
    let before = ALLOCATIONS.get();
    for _ in 0..1000 {
        round();
    }
    ALLOCATIONS.get() - before
}

#[test]
fn sending_allocates_nothing_in_the_steady_state() {
    for version in Version::ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut rig = Rig::connected(version);
            let message = Message::new("sensors/kitchen/temperature", vec![7; 64])
                .unwrap()
                .qos(qos);
            assert_eq!(allocations(|| rig.publish(&message)), 0, "{version:?} {qos:?}");
        }
    }
}

#[test]
fn receiving_allocates_nothing_in_the_steady_state() {
    for version in Version::ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut rig = Rig::connected(version);
            assert_eq!(allocations(|| rig.receive(qos)), 0, "{version:?} {qos:?}");
        }
    }
}

/// A host that acknowledges what comes by tens, from the inbox.
struct Inbox {
    rig: Rig,
    batch: Batch,
    told: Vec<DeliveryId>,
}

impl Inbox {
    fn store(&mut self) {
        while self.rig.client.poll_store(&mut self.batch) {
            self.rig.client.handle_stored(NOW, self.batch.number());
        }
    }

    /// So many messages come, and are told.
    fn receive(&mut self, messages: u16) {
        for number in 1..=messages {
            let id = PacketId::new(number).unwrap();
            self.rig.feed(&Packet::Publish(Publish {
                delivery: Delivery::first(QoS::AtLeastOnce, id),
                retain: false,
                topic: Some(TopicName::new("t").unwrap()),
                properties: Properties::empty(),
                payload: &[7; 64][..],
            }));
        }
        self.store();
        while let Some(event) = self.rig.client.poll_event() {
            if let Event::Message(received) = event {
                self.told.extend(received.delivery);
            }
        }
        self.rig.client.poll_transmit(&mut self.rig.outbox);
        self.rig.outbox.advance(usize::MAX);
    }

    fn acknowledge(&mut self) {
        for delivery in self.told.drain(..) {
            self.rig.client.acknowledge(NOW, delivery).unwrap();
        }
        self.store();
    }
}

#[test]
fn a_message_that_is_never_acknowledged_lets_nothing_grow() {
    let config = ClientConfig::new("c").unwrap();
    let mut inbox = Inbox {
        rig: Rig::connected_as(config.is_stored(true).hand_over(HandOver::Inbox)),
        batch: Batch::new(),
        told: Vec::new(),
    };
    inbox.receive(1);
    let [oldest] = inbox.told.drain(..).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let round = || {
        inbox.receive(10);
        assert_eq!(inbox.told.len(), 10);
        inbox.acknowledge();
    };
    assert_eq!(allocations(round), 0);
    assert_eq!(inbox.rig.client.acknowledge(NOW, oldest), Ok(()));
}
