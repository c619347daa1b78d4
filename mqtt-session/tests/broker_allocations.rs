//! A broker in its steady state allocates nothing for a message of QoS 0, however many clients get it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Buf;
use mqtt_session::{Broker, BrokerConfig, ConnectionId, Instant, Outbox};

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

struct World {
    broker: Broker,
    clients: Vec<ConnectionId>,
    outbox: Outbox,
    packets: usize,
}

impl World {
    /// A publisher, and so many clients of a version, each subscribed with this SUBSCRIBE.
    fn new(subscribers: usize, level: u8, subscribe: impl Fn(usize) -> Vec<u8>) -> Self {
        let mut world = Self {
            broker: Broker::new(BrokerConfig::new(7), NOW),
            clients: Vec::new(),
            outbox: Outbox::default(),
            packets: 0,
        };
        for number in 0..=subscribers {
            world.clients.push(world.broker.handle_open(NOW).unwrap());
            let mut connect = vec![0x10, 15, 0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0];
            if level == 5 {
                connect[1] += 1;
                connect.push(0);
            }
            connect.extend_from_slice(&[0, 3]);
            connect.extend_from_slice(format!("{number:03}").as_bytes());
            world.send(number, &connect);
            if number > 0 {
                world.send(number, &subscribe(number));
            }
        }
        world
    }

    fn send(&mut self, client: usize, mut bytes: &[u8]) {
        self.broker.handle_input(NOW, self.clients[client], &mut bytes);
        assert!(bytes.is_empty());
        while let Some(ready) = self.broker.poll_ready() {
            self.broker.poll_transmit(ready, &mut self.outbox);
            while self.outbox.has_remaining() {
                let len = 2 + usize::from(self.outbox.chunk()[1]);
                self.outbox.advance(len);
                self.packets += 1;
            }
        }
        while self.broker.poll_event().is_some() {}
    }

    /// Allocations of a message to so many clients, when the first ones have made room.
    fn allocations(&mut self, publish: &[u8], subscribers: usize) -> u64 {
        for _ in 0..200 {
            self.send(0, publish);
        }
        let (allocations, packets) = (ALLOCATIONS.get(), self.packets);
        for _ in 0..100 {
            self.send(0, publish);
        }
        assert_eq!(self.packets - packets, 100 * subscribers);
        ALLOCATIONS.get() - allocations
    }
}

#[test]
fn a_message_of_qos_0_to_a_hundred_clients_allocates_nothing() {
    for subscribers in [1, 100] {
        let mut world = World::new(subscribers, 4, |_| b"\x82\x06\0\x01\0\x01t\0".to_vec());
        assert_eq!(world.allocations(b"\x30\x05\0\x01thi", subscribers), 0);
        let mut world = World::new(subscribers, 5, |_| b"\x82\x07\0\x01\0\0\x01t\0".to_vec());
        assert_eq!(world.allocations(b"\x30\x06\0\x01t\0hi", subscribers), 0, "MQTT 5.0");
    }
}

#[test]
fn the_identifier_of_each_subscription_goes_with_a_message_without_an_allocation() {
    let mut world = World::new(100, 5, |number| {
        let mut subscribe = b"\x82\x09\0\x01\x02\x0B\x01\0\x01t\0".to_vec();
        subscribe[6] = number as u8;
        subscribe
    });
    assert_eq!(world.allocations(b"\x30\x06\0\x01t\0hi", 100), 0);
}

/// What waits for a client while others are read is more than what an idle one keeps.
#[test]
fn a_hundred_messages_of_qos_0_at_once_allocate_nothing() {
    let mut world = World::new(1, 4, |_| b"\x82\x06\0\x01\0\x01t\0".to_vec());
    let publish = [&b"\x30\x63\0\x01t"[..], &[b'm'; 96]].concat();
    let burst = |world: &mut World| {
        for _ in 1..100 {
            world.broker.handle_input(NOW, world.clients[0], &mut &publish[..]);
        }
        world.send(0, &publish);
    };
    (0..20).for_each(|_| burst(&mut world));
    let (allocations, packets) = (ALLOCATIONS.get(), world.packets);
    (0..100).for_each(|_| burst(&mut world));
    assert_eq!(world.packets - packets, 10_000);
    assert_eq!(ALLOCATIONS.get(), allocations);
}

/// The measurement would notice.
#[test]
fn a_message_of_qos_1_for_a_client_that_does_not_answer_allocates() {
    let mut world = World::new(1, 4, |_| b"\x82\x06\0\x01\0\x01t\x01".to_vec());
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        world.send(0, b"\x32\x07\0\x01t\0\x01hi");
    }
    assert!(ALLOCATIONS.get() > before);
}
