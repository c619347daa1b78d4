//! What a client that idles takes of a broker's heap, in parts.
//!
//! ```text
//! cargo test -p mqtt-session --features broker --test broker_idle -- --nocapture
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Buf;
use mqtt_session::{Broker, BrokerBatch, BrokerConfig, ConnectionId, Instant, Outbox};

struct Counting;

/// Larger ones are tables that all clients are in.
const OWN_BYTES: usize = 4096;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// How many there are of each size.
    static LIVE: RefCell<[usize; OWN_BYTES]> = const { RefCell::new([0; OWN_BYTES]) };
}

fn count(layout: Layout, held: impl Fn(usize, usize) -> usize) {
    HELD.set(held(HELD.get(), layout.size()));
    LIVE.with_borrow_mut(|live| {
        if let Some(live) = live.get_mut(layout.size()) {
            *live = held(*live, 1);
        }
    });
}

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, usize::wrapping_add);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(layout, usize::wrapping_sub);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// So many that the tables that all are in are nearly full, as they are before they grow.
const CLIENTS: usize = 1_000;

/// What one may take: less than a field of 64 bytes more than it does.
const IDLE_BYTES: usize = 1_450;

const NOW: Instant = Instant::from_secs(1);
const PINGREQ: &[u8] = b"\xC0\0";

struct World {
    broker: Broker,
    outbox: Outbox,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self::with(BrokerConfig::new(7))
    }

    fn with(config: BrokerConfig) -> Self {
        Self {
            broker: Broker::new(config, NOW),
            outbox: Outbox::default(),
            now: NOW,
        }
    }

    fn open(&mut self) -> ConnectionId {
        self.broker.handle_open(self.now).expect("there is room")
    }

    fn send(&mut self, client: ConnectionId, mut bytes: &[u8]) {
        self.broker.handle_input(self.now, client, &mut bytes);
        assert!(bytes.is_empty());
        self.settle();
    }

    /// What a host does: everything is sent, and everything is heard.
    fn settle(&mut self) {
        let mut batch = BrokerBatch::new();
        while self.broker.poll_store(&mut batch) {
            self.broker.handle_stored(self.now, batch.number());
        }
        while let Some(ready) = self.broker.poll_ready() {
            self.broker.poll_transmit(ready, &mut self.outbox);
            self.outbox.advance(usize::MAX);
        }
        while self.broker.poll_event().is_some() {}
    }

    /// What all clients did has taken so much for each of them.
    fn step(&mut self, clients: &[ConnectionId], mut step: impl FnMut(&mut Self, usize, ConnectionId)) -> usize {
        let before = HELD.get();
        for (number, client) in clients.iter().enumerate() {
            step(self, number + 1, *client);
        }
        HELD.get().wrapping_sub(before) / clients.len()
    }
}

fn connect(level: u8, number: usize) -> Vec<u8> {
    let mut packet = b"\x10\0\0\x04MQTT\0\x02\0\x3C".to_vec();
    packet[8] = level;
    packet.extend(if level == 5 { &b"\0"[..] } else { b"" });
    packet.extend([0, 11]);
    packet.extend(format!("client-{number:04}").as_bytes());
    packet[1] = packet.len() as u8 - 2;
    packet
}

fn subscribe(level: u8, number: usize) -> Vec<u8> {
    let mut packet = b"\x82\0\0\x01".to_vec();
    packet.extend(if level == 5 { &b"\0"[..] } else { b"" });
    packet.extend([0, 11]);
    packet.extend(format!("idle/{number:04}/+").as_bytes());
    packet.push(0);
    packet[1] = packet.len() as u8 - 2;
    packet
}

/// Prints how many allocations of which size there are a client, of those that most have.
fn print_sizes(before: &[usize; OWN_BYTES]) {
    let after = LIVE.with_borrow(|live| *live);
    let per_client = |count: usize| count as f64 / CLIENTS as f64;
    let counts = after
        .iter()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(*before));
    for (size, count) in counts.enumerate().filter(|(_, count)| per_client(*count) >= 0.05) {
        println!("  {:5.2} of {size} B", per_client(count));
    }
}

#[test]
fn an_idle_client_takes_little_of_the_heap() {
    for level in [4, 5] {
        let mut world = World::new();
        let sizes = LIVE.with_borrow(|live| *live);
        let mut clients = Vec::with_capacity(CLIENTS);
        let before = HELD.get();
        for _ in 0..CLIENTS {
            clients.push(world.open());
        }
        let opened = HELD.get().wrapping_sub(before) / CLIENTS;
        let connected = world.step(&clients, |world, number, client| {
            world.send(client, &connect(level, number));
        });
        let subscribed = world.step(&clients, |world, number, client| {
            world.send(client, &subscribe(level, number));
        });
        assert_eq!(world.broker.figures().subscriptions as usize, CLIENTS);
        let all = opened + connected + subscribed;
        println!("level {level}: {all} B of heap, {opened} opened, {connected} connected, {subscribed} subscribed");
        print_sizes(&sizes);
        assert!(all <= IDLE_BYTES, "{all} B");
    }
}

/// A client that sends and gets messages of every QoS, and then none for as long as its keep-alive says.
#[test]
fn a_client_that_falls_silent_gives_memory_back() {
    let mut world = World::new();
    let client = world.open();
    world.send(client, &connect(4, 1));
    world.send(client, b"\x82\x06\0\x01\0\x01t\x01");
    let idle = HELD.get();
    for id in 1..=40 {
        world.send(client, b"\x30\x05\0\x01thi");
        world.send(client, &[0x32, 7, 0, 1, b't', 0, id, b'h', b'i']);
        world.send(client, &[0x34, 7, 0, 1, b't', 0, id, b'h', b'i']);
        // Its own message of QoS 2 is over, and those of the broker are answered.
        world.send(client, &[0x62, 2, 0, id]);
        for own in 1..=100 {
            world.send(client, &[0x40, 2, 0, own]);
        }
    }
    let busy = HELD.get();
    world.now = NOW.saturating_add(Duration::from_secs(80));
    world.send(client, PINGREQ);
    world.now = NOW.saturating_add(Duration::from_secs(100));
    world.broker.handle_timeout(world.now);
    world.settle();
    let silent = HELD.get();
    println!("{idle} B idle, {busy} B busy, {silent} B silent");
    assert_eq!(world.broker.figures().clients_connected, 1);
    assert!(busy > idle + 4096, "it was busy");
    assert!(silent < idle + 512, "it is silent");
}

/// A packet with this first byte.
fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = u8::try_from(body.len()).expect("short");
    assert!(length < 0x80);
    [&[first, length][..], &body].concat()
}

/// A text with its length in front.
fn text(of: &str) -> Vec<u8> {
    [
        &u16::try_from(of.len()).expect("short").to_be_bytes()[..],
        of.as_bytes(),
    ]
    .concat()
}

/// A client that has never been here comes, subscribes, publishes, and goes in one of four ways. Its session ends a second later, and in between its will is published.
fn visit(world: &mut World, number: usize) {
    let name = text(&format!("visitor-{number}"));
    let topic = |what: &str| text(&format!("{what}/{number}"));
    // Clean Start, a will of QoS 1 after a second; the session lives two.
    let properties: &[u8] = b"\x05\x11\0\0\0\x02";
    let will: &[u8] = b"\x05\x18\0\0\0\x01";
    let head: &[u8] = b"\0\x04MQTT\x05\x0E\0\x3C";
    let connect = packet(0x10, &[head, properties, &name, will, &topic("will"), &text("gone")]);
    let client = world.open();
    world.send(client, &connect);
    for filter in [topic("own"), topic("$share/group/work"), text("will/+"), topic("a/+/b")] {
        world.send(client, &packet(0x82, &[b"\0\x01\0", &filter, b"\x02"]));
    }
    world.send(client, &packet(0x30, &[&topic("own"), b"\0zero"]));
    world.send(client, &packet(0x32, &[&topic("own"), b"\0\x01\0one"]));
    world.send(client, &packet(0x34, &[&topic("work"), b"\0\x02\0two"]));
    let retained = text(&format!("kept/{}", number % 10));
    world.send(client, &packet(0x33, &[&retained, b"\0\x03\0kept"]));
    match number % 4 {
        0 => world.send(client, b"\xE0\0"),
        // With its will.
        1 => world.send(client, b"\xE0\x01\x04"),
        2 => {
            let second = world.open();
            world.send(second, &connect);
            world.broker.handle_eof(world.now, second);
        }
        _ => {}
    }
    world.broker.handle_eof(world.now, client);
    world.settle();
    world.now = world.now.saturating_add(Duration::from_millis(300));
    world.broker.handle_timeout(world.now);
    world.settle();
}

/// Nobody who was here once leaves anything.
#[test]
fn clients_that_have_gone_hold_nothing() {
    for is_stored in [false, true] {
        let mut world = World::with(BrokerConfig::new(7).is_stored(is_stored));
        let mut held = |visits: std::ops::Range<usize>| {
            visits.for_each(|number| visit(&mut world, number));
            world.now = world.now.saturating_add(Duration::from_secs(600));
            world.broker.handle_timeout(world.now);
            world.settle();
            let figures = world.broker.figures();
            assert_eq!(
                (figures.sessions, figures.subscriptions, figures.retained_messages),
                (0, 0, 10)
            );
            HELD.get()
        };
        let few = held(1_000..2_000);
        let many = held(2_000..9_000);
        let figures = world.broker.figures();
        // Of four, one has said goodbye, and one leaves two wills, as a clean start ends its first session.
        assert_eq!((figures.takeovers, figures.wills_published), (2_000, 8_000));
        println!("stored {is_stored}: {few} B after 1,000 clients, {many} B after 8,000");
        assert!(many <= few, "{many} B");
    }
}
