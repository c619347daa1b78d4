//! What a connection that idles takes of a hosted broker, in parts: of the machine, of the adapter, of the runtime; and what
//! the process has for it, beside mosquitto's in the same run.
//!
//! ```text
//! MQTT_IDLE=5000 cargo test -p mqtt-tokio --features broker --test idle -- --nocapture
//! ```
#![cfg(target_os = "linux")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mqtt_testbed::hosted::Wire;
use mqtt_testbed::{CountingHeap, MOSQUITTO, heap_bytes};
use mqtt_tokio::broker::{Host, Listen};
use mqtt_tokio::session::proto::DisconnectReason;
use mqtt_tokio::session::{Broker, BrokerConfig, Instant, Outbox};

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

/// How many connections, unless `MQTT_IDLE` says how many. Each is two open files of this process.
const FEW: usize = 350;
/// So many come before: what they find is there for all.
const FIRST: usize = 100;

/// What one of these few may take of the heap, in the machine and in all: less than a field of 64 bytes more than it does.
/// With other numbers the tables that all are in are fuller or emptier.
const MACHINE_BYTES: usize = 1_590;
const HEAP_BYTES: usize = 2_160;

/// CONNECT of MQTT 3.1.1, and SUBSCRIBE to a filter of one's own.
fn packets(number: usize) -> [Vec<u8>; 2] {
    let mut connect = b"\x10\x19\0\x04MQTT\x04\x02\0\x3C\0\x0D".to_vec();
    connect.extend(format!("client-{number:06}").as_bytes());
    let mut subscribe = b"\x82\x12\0\x01\0\x0D".to_vec();
    subscribe.extend(format!("idle/{number:06}/+").as_bytes());
    subscribe.push(0);
    [connect, subscribe]
}

fn idle_client(address: SocketAddr, number: usize) -> TcpStream {
    let mut wire = Wire::open(address);
    for packet in packets(number) {
        wire.send(&packet);
        wire.packet();
    }
    wire.0
}

/// What the heap holds when nobody changes it any more.
fn settled_heap() -> usize {
    let mut before = heap_bytes();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let now = heap_bytes();
        if now == before {
            return now;
        }
        before = now;
    }
}

/// What a process has in memory of its own.
fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.expect("Linux tells it") * 1024
}

/// What the connections beyond the first ones add, for each of them.
fn of_each(count: usize, mut connect: impl FnMut(usize), held: impl Fn() -> [usize; 2]) -> [usize; 2] {
    (0..FIRST).for_each(&mut connect);
    let before = held();
    (FIRST..FIRST + count).for_each(connect);
    let after = held();
    [0, 1].map(|which| after[which].saturating_sub(before[which]) / count)
}

/// The machine alone.
fn of_machine(count: usize) -> usize {
    let now = Instant::from_secs(1);
    let mut broker = Broker::new(BrokerConfig::new(7), now);
    let mut outbox = Outbox::default();
    let connect = |number| {
        let client = broker.handle_open(now).expect("there is room");
        for packet in packets(number) {
            broker.handle_input(now, client, &mut &packet[..]);
            while let Some(ready) = broker.poll_ready() {
                broker.poll_transmit(ready, &mut outbox);
                outbox.clear();
            }
            while broker.poll_event().is_some() {}
        }
    };
    of_each(count, connect, || [heap_bytes(), 0])[0]
}

/// A stream of tokio that somebody waits for.
fn of_runtime(count: usize) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut streams = Vec::with_capacity(2 * (FIRST + count));
    let connect = |_| {
        let (client, (server, _)) = (TcpStream::connect(address).unwrap(), listener.accept().unwrap());
        server.set_nonblocking(true).unwrap();
        streams.push((client, tokio::net::TcpStream::from_std(server).unwrap()));
    };
    of_each(count, connect, || [heap_bytes(), 0])[0]
}

/// The whole broker: of its heap, and of its memory.
fn of_host(count: usize) -> [usize; 2] {
    let host = Host::new(BrokerConfig::new(7)).listen(Listen::tcp("127.0.0.1:0").connections(FIRST + count));
    let broker = mqtt_tokio::broker::start(host).unwrap();
    let address = broker.local_addr().unwrap();
    let mut clients = Vec::with_capacity(FIRST + count);
    let connect = |number| clients.push(idle_client(address, number));
    let held = of_each(count, connect, || [settled_heap(), resident(std::process::id())]);
    broker.shutdown(DisconnectReason::ServerShuttingDown, Duration::ZERO);
    broker.wait().expect("it ends");
    held
}

/// mosquitto's memory, if it is here.
fn of_mosquitto(count: usize) -> Option<usize> {
    let broker = mqtt_testbed::Broker::start(&MOSQUITTO)?;
    let process = broker.process()?;
    let mut clients = Vec::with_capacity(FIRST + count);
    let connect = |number| clients.push(idle_client(broker.address(), number));
    Some(of_each(count, connect, || [0, resident(process)])[1])
}

#[test]
fn an_idle_connection_takes_little() {
    let count = std::env::var("MQTT_IDLE").map_or(FEW, |count| count.parse().expect("it is a number"));
    // The process has not had other memory yet that could be used again.
    let [heap, resident] = of_host(count);
    let (machine, runtime) = (of_machine(count), of_runtime(count));
    println!("{count} idle connections with a subscription each, bytes a connection:");
    println!("  {machine:5} the machine's, of the heap");
    println!("  {runtime:5} tokio's");
    println!("  {:5} the adapter's", heap.saturating_sub(machine + runtime));
    println!("  {heap:5} all of the heap");
    // Tables that have grown ahead have pages that nobody has touched.
    let beside = resident as i64 - heap as i64;
    println!("  {beside:5} the allocator's own, less what tables have not touched");
    println!("  {resident:5} resident");
    if let Some(mosquitto) = of_mosquitto(count) {
        println!("  {mosquitto:5} resident in mosquitto");
    }
    if count == FEW {
        assert!(machine <= MACHINE_BYTES, "{machine} B in the machine");
        assert!(heap <= HEAP_BYTES, "{heap} B of the heap");
    }
}
