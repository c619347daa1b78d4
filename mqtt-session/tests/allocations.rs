//! A client in its steady state allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Buf;
use mqtt_session::proto::{Decoded, Delivery, Packet, PacketId, PubAck, PubAckReason, PubComp, PubCompReason, PubRec};
use mqtt_session::proto::{Properties, PubRecReason, PubRel, PubRelReason, Publish, Role, Rules, TopicName, Version};
use mqtt_session::{Client, ClientConfig, Event, Instant, Message, Outbox, QoS};

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
        let mut client = Client::new(ClientConfig::new("c").unwrap().version(version), NOW);
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
