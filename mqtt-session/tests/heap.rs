//! How much heap a machine takes: while it idles, and at most, whatever its peer sends.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Buf;
use mqtt_session::proto::Version;
use mqtt_session::{
    Accept, Batch, Client, ClientConfig, Event, HandOver, Instant, Limits, Outbox, ServerConfig, ServerConnection,
    ServerEvent, SessionConfig,
};

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn grow(bytes: usize) {
    HELD.set(HELD.get().wrapping_add(bytes));
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn shrink(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub(bytes));
}

// SAFETY: everything is passed on to the allocator of the system. What grows is counted as a copy, old and new at once.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: Instant = Instant::ZERO;
const IDLE_BYTES: usize = 1024;

/// What `make` returns, and how much heap that holds.
fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    let made = make();
    (made, HELD.get() - before)
}

/// How much heap was held at most while `work` ran, beyond what was held before.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    PEAK.get() - before
}

fn connect(version: Version) -> &'static [u8] {
    match version {
        Version::V3_1 => b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01c",
        Version::V3_1_1 => b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
        Version::V5 => b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c",
    }
}

fn connack(version: Version) -> &'static [u8] {
    match version {
        Version::V5 => b"\x20\x03\x00\x00\x00",
        _ => b"\x20\x02\x00\x00",
    }
}

/// Stores all that a machine wants to have stored, at once.
macro_rules! store {
    ($machine:expr) => {
        let mut batch = Batch::new();
        while $machine.poll_store(&mut batch) {
            $machine.handle_stored(NOW, batch.number());
        }
    };
}

/// A client that a server has accepted. The outbox is the driver's.
fn client(version: Version, limits: Limits, hand_over: HandOver, outbox: &mut Outbox) -> Client {
    let config = ClientConfig::new("c").unwrap();
    let config = config.version(version).limits(limits).hand_over(hand_over);
    let mut client = Client::new(config.is_stored(hand_over == HandOver::Inbox), NOW);
    client.handle_open(NOW);
    client.poll_transmit(outbox);
    outbox.advance(usize::MAX);
    client.handle_input(NOW, &mut connack(version));
    store!(client);
    while client.poll_event().is_some() {}
    assert!(client.is_connected());
    client
}

/// A server connection that has accepted a client.
fn server(version: Version, limits: Limits, hand_over: HandOver, outbox: &mut Outbox) -> ServerConnection {
    let session = SessionConfig::default().limits(limits).hand_over(hand_over);
    let session = session.is_stored(hand_over == HandOver::Inbox);
    let mut server = ServerConnection::new(ServerConfig::default().session(session), NOW);
    server.handle_input(NOW, &mut connect(version));
    server.accept(NOW, Accept::new()).unwrap();
    store!(server);
    while server.poll_event().is_some() {}
    server.poll_transmit(outbox);
    outbox.advance(usize::MAX);
    assert!(server.is_connected());
    server
}

/// An outbox that has all the memory that the handshake takes.
fn warm_outbox() -> Outbox {
    let mut outbox = Outbox::default();
    client(Version::V5, Limits::default(), HandOver::Automatic, &mut outbox);
    outbox
}

#[test]
fn an_idle_client_holds_at_most_a_kibibyte() {
    for version in Version::ALL {
        let mut outbox = warm_outbox();
        let (client, heap) = held(|| client(version, Limits::default(), HandOver::Automatic, &mut outbox));
        println!(
            "client {version:?}: {heap} bytes of heap, itself {}",
            size_of_val(&client)
        );
        assert!(heap <= IDLE_BYTES, "{version:?}: {heap}");
    }
}

#[test]
fn an_idle_server_connection_holds_at_most_a_kibibyte() {
    for version in Version::ALL {
        let mut outbox = warm_outbox();
        let (server, heap) = held(|| server(version, Limits::default(), HandOver::Automatic, &mut outbox));
        println!(
            "server {version:?}: {heap} bytes of heap, itself {}",
            size_of_val(&server)
        );
        assert!(heap <= IDLE_BYTES, "{version:?}: {heap}");
    }
}

/// A table that grows by doubling has room for twice what it holds, and its old memory while it is copied.
const GROWTH: usize = 3;

/// What a received identifier of QoS 1 or 2 takes in the tables of a session, while they grow.
const IDENTIFIER_BYTES: usize = 224;

/// What an answer, an unanswered request and an alias take, each with what it points to in its table.
const ENTRY_BYTES: usize = 48;

/// The most that a peer can make a machine hold, from the limits of that:
///
/// - events, each with the packet that it came in, or with the block of small packets that it is the last one of;
/// - identifiers that it uses: the Receive Maximum, or in MQTT 3, which knows no such thing, all there are;
/// - answers that it does not read, requests that nobody has answered, and topics under aliases.
fn most_bytes(limits: &Limits, version: Version, event_bytes: usize, events: usize) -> usize {
    let packet = limits.packet_bytes as usize;
    let pool = limits.pool_bytes as usize;
    let identifiers = match version {
        Version::V5 => usize::from(limits.receive_maximum),
        _ => usize::from(u16::MAX),
    };
    let answers = GROWTH * (limits.reply_bytes as usize + packet) + limits.replies as usize * GROWTH * ENTRY_BYTES;
    // One event ends the connection, and tables begin with four places.
    let told = (events + 4) * (GROWTH * event_bytes + packet.max(pool) + ENTRY_BYTES);
    let aliases = usize::from(limits.aliases_accepted) * (GROWTH * ENTRY_BYTES + packet);
    let requests = usize::from(limits.requests) * GROWTH * ENTRY_BYTES;
    told + (identifiers + 8) * IDENTIFIER_BYTES + answers + aliases + requests + 2 * pool
}

enum Machine {
    Client(Box<Client>),
    Server(Box<ServerConnection>),
}

impl Machine {
    fn input(&mut self, mut bytes: &[u8]) -> bool {
        match self {
            Self::Client(client) => client.handle_input(NOW, &mut bytes),
            Self::Server(server) => server.handle_input(NOW, &mut bytes),
        }
        bytes.is_empty()
    }

    fn store(&mut self) {
        match self {
            Self::Client(client) => {
                store!(client);
            }
            Self::Server(server) => {
                store!(server);
            }
        }
    }

    fn drop_events(&mut self) {
        match self {
            Self::Client(client) => while client.poll_event().is_some() {},
            Self::Server(server) => while server.poll_event().is_some() {},
        }
    }

    fn most_bytes(&self, limits: &Limits, version: Version) -> usize {
        let events = limits.events as usize;
        match self {
            Self::Client(_) => most_bytes(limits, version, size_of::<Event>(), 2 * events),
            Self::Server(_) => most_bytes(limits, version, size_of::<ServerEvent>(), events),
        }
    }
}

/// PUBLISH of this QoS with this id, as large as `len`, under a topic of its own if it has an alias.
fn publish(version: Version, qos: u8, id: u16, alias: Option<u16>, len: usize, packet: &mut Vec<u8>) {
    packet.clear();
    packet.push(0x30 | qos << 1);
    // A length in two bytes, which may begin with zeros.
    packet.extend([((len - 3) & 0x7f) as u8 | 0x80, ((len - 3) >> 7) as u8]);
    if let Some(alias) = alias {
        let topic_len = len - 3 - 2 - 4;
        packet.extend((topic_len as u16).to_be_bytes());
        packet.resize(packet.len() + topic_len, b'a' + (id % 20) as u8);
        packet.extend([3, 35]);
        packet.extend(alias.to_be_bytes());
        return;
    }
    packet.extend(b"\x00\x01t");
    if qos > 0 {
        packet.extend(id.to_be_bytes());
    }
    if version == Version::V5 {
        packet.push(0);
    }
    packet.resize(len, 7);
}

type Flood = (&'static str, fn(u16, &Limits, Version, &mut Vec<u8>));

fn small(limits: &Limits) -> usize {
    (limits.packet_bytes as usize).min(48)
}

fn large(limits: &Limits) -> usize {
    (limits.packet_bytes as usize).min(16_000)
}

/// What either end can be sent.
const FLOODS: [Flood; 9] = [
    ("small messages of QoS 0", |_, limits, version, packet| {
        publish(version, 0, 0, None, small(limits), packet);
    }),
    ("large messages of QoS 0", |_, limits, version, packet| {
        publish(version, 0, 0, None, large(limits), packet);
    }),
    ("small messages of QoS 1", |id, limits, version, packet| {
        publish(version, 1, id, None, small(limits), packet);
    }),
    ("messages of QoS 2 never released", |id, limits, version, packet| {
        publish(version, 2, id, None, small(limits), packet);
    }),
    ("large messages of QoS 2", |id, limits, version, packet| {
        publish(version, 2, id, None, large(limits), packet);
    }),
    ("topics under aliases", |id, limits, version, packet| match version {
        Version::V5 => publish(
            version,
            0,
            id,
            Some(id % limits.aliases_accepted + 1),
            large(limits),
            packet,
        ),
        _ => packet.clear(),
    }),
    ("PUBREL of nothing", |id, _, _, packet| {
        packet.splice(.., [0x62, 2, (id >> 8) as u8, id as u8]);
    }),
    ("PUBREC of nothing", |id, _, _, packet| {
        packet.splice(.., [0x50, 2, (id >> 8) as u8, id as u8]);
    }),
    ("half of a packet", |id, _, _, packet| {
        packet.clear();
        packet.extend([0x30, 0xff, 0x01]);
        packet.resize(3 + usize::from(id % 120), 0);
    }),
];

/// What only a server can be sent.
const FLOODS_OF_CLIENTS: [Flood; 3] = [
    ("SUBSCRIBE", |id, _, version, packet| {
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        packet.clear();
        packet.extend([0x82, (2 + 4 + properties.len()) as u8, (id >> 8) as u8, id as u8]);
        packet.extend(properties);
        packet.extend([0, 1, b'#', 1]);
    }),
    ("SUBSCRIBE with an identifier in use", |_, _, version, packet| {
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        packet.clear();
        packet.extend([0x82, (2 + 20 + properties.len()) as u8, 0, 1]);
        packet.extend(properties);
        for _ in 0..5 {
            packet.extend([0, 1, b'#', 1]);
        }
    }),
    ("PINGREQ", |_, _, _, packet| {
        packet.splice(.., [0xc0, 0]);
    }),
];

/// Limits from the smallest sensible to the defaults.
fn all_limits() -> [Limits; 5] {
    let tiny = Limits::default()
        .packet_bytes(160)
        .receive_maximum(4)
        .aliases_accepted(2)
        .requests(2)
        .events(4)
        .replies(8)
        .reply_bytes(64)
        .pool_bytes(0);
    let small = tiny.pool_bytes(1024).packet_bytes(1024).events(32).receive_maximum(20);
    // Payloads in chunks.
    let chunks = Limits::default().packet_bytes(16_000).whole_packet_bytes(1000);
    [
        tiny,
        small,
        chunks,
        Limits::default().packet_bytes(16_000),
        Limits::default(),
    ]
}

/// How many bytes a flood has at most.
const FLOOD_BYTES: usize = 6 << 20;

/// Sends a flood until it is over, or the machine takes no more of it. Returns the peak.
fn flooded(machine: &mut Machine, (_, fill): &Flood, limits: &Limits, version: Version, polls: bool) -> usize {
    let mut packet = Vec::with_capacity(70_000);
    peak(|| {
        let mut sent = 0;
        for id in 1..=u16::MAX {
            fill(id, limits, version, &mut packet);
            sent += packet.len();
            if sent > FLOOD_BYTES {
                return;
            }
            if packet.is_empty() || !machine.input(&packet) {
                // Half of a packet is given again and again, with more of it.
                if packet.first() != Some(&0x30) || packet.get(1) != Some(&0xff) {
                    return;
                }
            }
            if polls {
                machine.store();
                machine.drop_events();
            }
        }
    })
}

#[test]
fn a_flood_makes_no_machine_hold_more_than_its_limits_say() {
    let mut closest = 0;
    for limits in all_limits() {
        for version in [Version::V3_1_1, Version::V5] {
            for (is_server, polls, hand_over) in [
                (false, false, HandOver::Automatic),
                (false, true, HandOver::Automatic),
                (false, true, HandOver::Manual),
                (true, false, HandOver::Automatic),
                (true, true, HandOver::Automatic),
                (true, true, HandOver::Manual),
                (false, false, HandOver::Inbox),
                (false, true, HandOver::Inbox),
                (true, false, HandOver::Inbox),
                (true, true, HandOver::Inbox),
            ] {
                let of_clients = FLOODS_OF_CLIENTS.iter().filter(|_| is_server);
                for flood in FLOODS.iter().chain(of_clients) {
                    let mut outbox = Outbox::default();
                    let mut machine = if is_server {
                        Machine::Server(Box::new(server(version, limits, hand_over, &mut outbox)))
                    } else {
                        Machine::Client(Box::new(client(version, limits, hand_over, &mut outbox)))
                    };
                    let peak = flooded(&mut machine, flood, &limits, version, polls);
                    let most = machine.most_bytes(&limits, version);
                    closest = closest.max(peak * 100 / most);
                    assert!(
                        peak <= most,
                        "{} {version:?} server {is_server}: {peak} of {most}",
                        flood.0
                    );
                }
            }
        }
    }
    // A bound that nothing comes near would say nothing.
    assert!(closest >= 50, "{closest} % of what the limits say");
    println!("up to {closest} % of what the limits say");
}
