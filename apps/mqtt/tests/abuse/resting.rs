//! Whether the broker rests while nothing happens: its threads sleep, and nobody wakes them (BI-112, and for what other tests leave open).

#[cfg(target_os = "linux")]
use std::thread;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use super::Server;
use super::carried::{Carried, Carrier};
#[cfg(target_os = "linux")]
use super::{PATIENCE, connected};

/// So long nothing happens. Whoever spins uses all of it on a processor, or wakes thousands of times.
#[cfg(target_os = "linux")]
const WATCHED: Duration = Duration::from_secs(1);

/// The kernel counts time on processors in such steps.
#[cfg(target_os = "linux")]
const STEP: Duration = Duration::from_millis(10);

/// A few, for timers that have nothing to do with connections.
#[cfg(target_os = "linux")]
const WAKES: u64 = 10;

/// What is under way comes to an end, and then nothing happens any more: no time on processors, no wakes.
pub(crate) fn comes_to_rest(server: &Server, what: &str) {
    #[cfg(target_os = "linux")]
    {
        let process = server.process();
        let until = Instant::now() + PATIENCE;
        loop {
            let (cpu, wakes) = (process.cpu(), process.wakes());
            thread::sleep(WATCHED);
            let (cpu, wakes) = (process.cpu() - cpu, process.wakes().saturating_sub(wakes));
            if cpu <= STEP && wakes <= WAKES {
                return;
            }
            assert!(
                Instant::now() < until,
                "{what}: {cpu:?} on processors and {wakes} wakes in {WATCHED:?}"
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    eprintln!(
        "skipped: {what}: whether {:?} rests can be seen on Linux alone",
        server.plain
    );
}

/// BI-112: before CONNECT, in the middle of a handshake, in the middle of CONNECT, and when they are in, clients that say nothing cost
/// nothing.
#[cfg(target_os = "linux")]
#[test]
fn silence_costs_nothing() {
    const EACH: usize = 25;
    let server = Server::configured(
        "sys_interval = '1h'\n",
        "handshake_timeout = '1h'\nadmission_timeout = '1h'\n",
    );
    comes_to_rest(&server, "nobody is there");
    let mut silent = Vec::new();
    for address in server.listeners() {
        silent.extend((0..EACH).map(|_| connected(address)));
    }
    let local = std::os::unix::net::UnixStream::connect(server.folder.path().join("mqtt.sock")).expect("it listens");
    server.waits_for("mqtt_streams", 4 * EACH as u64 + 1);
    comes_to_rest(&server, "streams on which nothing comes");

    // Half of what begins a connection: of TLS, of a request, of the header of a proxy, and of CONNECT.
    let begun: [(_, &[u8]); 4] = [
        (server.plain, b"\x10\x0D\0\x04MQ"),
        (server.tls, b"\x16\x03\x01\x00\xF0\x01\x00"),
        (server.websocket, b"GET /mqtt HTTP/1.1\r\nHo"),
        (server.proxied, b"PROXY TCP4 192.0."),
    ];
    for (address, bytes) in begun {
        for _ in 0..EACH {
            let mut stream = connected(address);
            std::io::Write::write_all(&mut stream, bytes).expect("it reads");
            silent.push(stream);
        }
    }
    let opened = Carrier::ALL.map(|carrier| Carried::open(&server, carrier));
    server.waits_for("mqtt_streams", 8 * EACH as u64 + 5);
    comes_to_rest(&server, "streams that begin and do not go on");

    let guests: Vec<_> = Carrier::ALL
        .into_iter()
        .flat_map(|carrier| (0..EACH).map(move |number| (carrier, format!("{carrier:?}-{number}"))))
        .map(|(carrier, name)| Carried::guest(&server, carrier, &name))
        .collect();
    server.waits_for("mqtt_clients_connected", 4 * EACH as u64);
    comes_to_rest(&server, "clients that say nothing");
    assert_eq!(
        server.figure("mqtt_handshake_timeouts_total"),
        0,
        "all of them are there"
    );
    drop((silent, local, opened, guests));
    server.is_as_before();
}
