//! 256 MiB at QoS 2 from a client to a server connection, in parts and over cuts: in less than 1 MiB of heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use mqtt_session::{
    Accept, Client, ClientConfig, Event, Instant, Limits, Message, Op, Outbox, Outcome, QoS, ServerConfig,
    ServerConnection, ServerEvent, Session, SessionConfig,
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: u64 = 8;
const PAYLOAD_BYTES: u32 = 32 << 20;
const CHUNK_BYTES: u32 = 48 * 1024;

fn limits() -> Limits {
    Limits::default()
        .packet_bytes(64 << 20)
        .whole_packet_bytes(64 * 1024)
        .chunk_bytes(CHUNK_BYTES)
}

/// A checksum that depends on the order of the bytes and not on how they are split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    state: u64,
    bytes: u32,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state = self.state.wrapping_mul(0x0100_0000_01B3) ^ u64::from(*byte);
        }
        self.bytes += u32::try_from(bytes.len()).unwrap();
    }
}

/// A part of the payload of a message: nothing of it repeats.
fn part(tag: u64, offset: u32, len: u32) -> Bytes {
    let first = u64::from(offset) / 8;
    let words = (first..).map(|word| (word ^ (tag << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let bytes: Vec<u8> = words.take(len.div_ceil(8) as usize).flatten().collect();
    Bytes::from(bytes).slice(..len as usize)
}

/// When the stream breaks next.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// After so many bytes to the server.
    Forward(usize),
    /// When the server has something to send: that is lost.
    Answer,
}

struct Pair {
    now: Instant,
    client: Client,
    server: ServerConnection,
    to_server: Outbox,
    to_client: Outbox,
    input: BytesMut,
    /// What was received of the current message, and what was given of it.
    received: Sum,
    given: Sum,
    arrived: Vec<Sum>,
    expected: Vec<Sum>,
    aborted: u32,
    completed: u64,
    bytes: u64,
    cuts: Vec<Cut>,
    /// Bytes to the server since the last cut.
    since: usize,
}

impl Pair {
    fn new(mut cuts: Vec<Cut>) -> Self {
        cuts.reverse();
        let now = Instant::ZERO;
        let config = ClientConfig::new("c").unwrap().limits(limits());
        Self {
            now,
            client: Client::new(config, now),
            server: ServerConnection::new(server_config(), now),
            to_server: Outbox::default(),
            to_client: Outbox::default(),
            input: BytesMut::new(),
            received: Sum::default(),
            given: Sum::default(),
            arrived: Vec::new(),
            expected: Vec::new(),
            aborted: 0,
            completed: 0,
            bytes: 0,
            cuts,
            since: 0,
        }
    }

    fn client_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Open => self.client.handle_open(self.now),
                Event::Connected { .. } | Event::Closed { .. } => {}
                Event::PayloadWanted { op, tag, offset, bytes } => self.supply(op, tag, offset, bytes),
                Event::Completed { outcome, .. } => {
                    assert_eq!(outcome, Outcome::Acknowledged(mqtt_session::proto::ReasonCode::Success));
                    self.completed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn supply(&mut self, op: Op, tag: u64, offset: u32, bytes: u32) {
        if offset == 0 {
            self.given = Sum::default();
        }
        assert_eq!(self.given.bytes, offset);
        let part = part(tag, offset, bytes);
        self.given.add(&part);
        if self.given.bytes == PAYLOAD_BYTES && self.expected.len() < usize::try_from(tag).unwrap() {
            self.expected.push(self.given);
        }
        self.client.supply(self.now, op, offset, part).unwrap();
    }

    fn server_events(&mut self) {
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Connect(_) => self.server.accept(self.now, Accept::new()).unwrap(),
                ServerEvent::MessageStart { payload_bytes, .. } => {
                    assert_eq!(payload_bytes, PAYLOAD_BYTES);
                    self.received = Sum::default();
                }
                ServerEvent::Chunk(chunk) => self.received.add(&chunk),
                ServerEvent::MessageEnd { .. } => self.arrived.push(self.received),
                ServerEvent::MessageAborted => self.aborted += 1,
                ServerEvent::Closed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Moves what there is once to and fro. Whether anything moved.
    fn step(&mut self) -> bool {
        self.client_events();
        self.client.poll_transmit(&mut self.to_server);
        let mut moved = self.forward();
        self.server_events();
        self.server.poll_transmit(&mut self.to_client);
        if matches!(self.cuts.last(), Some(Cut::Answer)) && self.since > 1000 && !self.to_client.is_empty() {
            self.cut();
            return true;
        }
        while !self.to_client.is_empty() {
            let len = self.to_client.remaining();
            let bytes = self.to_client.copy_to_bytes(len);
            let mut rest = &bytes[..];
            self.client.handle_input(self.now, &mut rest);
            assert!(rest.is_empty());
            moved = true;
        }
        moved
    }

    fn forward(&mut self) -> bool {
        let mut moved = false;
        while !self.to_server.is_empty() && self.server.input_room() > self.input.len() {
            let room = self.server.input_room() - self.input.len();
            let mut len = self.to_server.chunk().len().min(room);
            if let Some(Cut::Forward(at)) = self.cuts.last() {
                len = len.min(at - self.since);
            }
            self.input.extend_from_slice(&self.to_server.chunk()[..len]);
            self.to_server.advance(len);
            self.since += len;
            self.bytes += len as u64;
            self.server.handle_input_owned(self.now, &mut self.input);
            self.server_events();
            moved = true;
            if matches!(self.cuts.last(), Some(Cut::Forward(at)) if *at == self.since) {
                self.cut();
            }
        }
        moved
    }

    fn cut(&mut self) {
        self.cuts.pop();
        self.since = 0;
        self.client.handle_eof(self.now);
        self.server.handle_eof(self.now);
        self.server_events();
        let session: Session = self.server.take_session().unwrap();
        self.to_server.clear();
        self.to_client.clear();
        self.input.clear();
        self.now = self.client.poll_timeout().unwrap().at.max(self.now);
        self.client.handle_timeout(self.now);
        self.server = ServerConnection::new(server_config(), self.now);
        self.client_events();
        self.client.poll_transmit(&mut self.to_server);
        let len = self.to_server.remaining();
        let connect = self.to_server.copy_to_bytes(len);
        self.server.handle_input(self.now, &mut &connect[..]);
        assert!(matches!(self.server.poll_event(), Some(ServerEvent::Connect(_))));
        self.server.accept(self.now, Accept::new().session(session)).unwrap();
    }
}

fn server_config() -> ServerConfig {
    ServerConfig::default().session(SessionConfig::default().limits(limits()))
}

#[test]
fn a_quarter_of_a_gigabyte_needs_less_than_a_megabyte() {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut pair = Pair::new(vec![
        Cut::Forward(10 << 20),
        Cut::Forward((20 << 20) + 7),
        Cut::Answer,
        Cut::Answer,
        Cut::Forward(90 << 20),
        Cut::Answer,
    ]);
    let cuts = pair.cuts.len();
    for tag in 1..=MESSAGES {
        let message = Message::new("large", "").unwrap().qos(QoS::ExactlyOnce);
        pair.client
            .publish_source(pair.now, message, PAYLOAD_BYTES, tag)
            .unwrap();
    }
    while pair.completed < MESSAGES {
        let moved = pair.step();
        assert!(moved || pair.completed == MESSAGES, "nothing moves: {:?}", pair.cuts);
    }
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!(
        "{} MiB in {} messages, {} MiB sent over {} cuts, {} aborted: heap peak {} KiB",
        (u64::from(PAYLOAD_BYTES) * MESSAGES) >> 20,
        MESSAGES,
        pair.bytes >> 20,
        cuts,
        pair.aborted,
        peak >> 10,
    );
    assert!(pair.cuts.is_empty(), "each cut has come: {:?}", pair.cuts);
    assert!(pair.aborted >= 2 && pair.bytes > (u64::from(PAYLOAD_BYTES) * (MESSAGES + 1)));
    assert_eq!(pair.arrived.len() as u64, MESSAGES, "each message arrived once");
    assert_eq!(pair.arrived, pair.expected);
    assert!(peak < 1 << 20, "{peak} bytes");
}
