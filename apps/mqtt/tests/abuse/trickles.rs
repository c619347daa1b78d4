//! Streams that give and take little (BI-118): what is not whole is waited for, and so is room; each portion costs a bounded number of looks.

use std::thread;
use std::time::Duration;

use mqtt_proto::Version;
use mqtt_testbed::websocket::frame;

use super::Server;
use super::carried::{Carried, Carrier, bytes, subscribe};
use super::resting::comes_to_rest;
use super::running::mqtt;

/// What a portion may cost: the thread that is woken for it, and one that has something of it to do.
#[cfg(target_os = "linux")]
const WAKES_EACH: u64 = 4;

/// And what happens by time meanwhile, and figures that are asked for.
#[cfg(target_os = "linux")]
const WAKES_BESIDE: u64 = 200;

/// So often the threads of the broker began to run again, if that can be seen.
fn wakes(server: &Server) -> u64 {
    #[cfg(target_os = "linux")]
    return server.process().wakes();
    #[cfg(not(target_os = "linux"))]
    return u64::from(server.plain.port()) * 0;
}

fn took(server: &Server, before: u64, portions: usize, what: &str) {
    #[cfg(target_os = "linux")]
    {
        let wakes = wakes(server).saturating_sub(before);
        let most = portions as u64 * WAKES_EACH + WAKES_BESIDE;
        assert!(wakes <= most, "{what}: {wakes} wakes for {portions} portions");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (server, before, portions, what);
}

fn start() -> Server {
    Server::configured(
        "sys_interval = '1h'\n",
        "handshake_timeout = '1h'\nadmission_timeout = '1h'\nlinger_timeout = '1h'\nstall_timeout = '1h'\n",
    )
}

/// Says this a byte at a time, each of them on its own.
fn drips(client: &mut Carried, wire: &[u8]) {
    for byte in wire {
        client.say(&[*byte]);
        thread::sleep(Duration::from_millis(2));
    }
}

/// A packet, the record of TLS or the frame around it, and a PING of WebSocket: up to the last byte nothing happens, and then it is answered.
#[test]
fn what_is_not_whole_is_waited_for() {
    let server = start();
    for carrier in Carrier::ALL {
        let mut client = Carried::guest(&server, carrier, "dripping");
        client.stream.set_nodelay(true).expect("it is open");
        let before = wakes(&server);
        let mut portions = 0;
        for _ in 0..20 {
            let wire = client.wire(&[0xC0, 0]);
            drips(&mut client, &wire);
            assert_eq!(client.hear(2), [0xD0, 0], "{carrier:?}");
            portions += wire.len();
        }
        took(&server, before, portions, &format!("pings over {carrier:?}"));
        // It stays half.
        let message = bytes(Version::V3_1_1, subscribe("a/long/filter"));
        let wire = client.wire(&message);
        let (half, rest) = wire.split_at(wire.len() / 2);
        drips(&mut client, half);
        comes_to_rest(&server, &format!("half of what {carrier:?} carries"));
        drips(&mut client, rest);
        assert_eq!(client.hear(5), [0x90, 3, 0, 1, 0], "{carrier:?}");
    }
    server.is_as_before();
}

#[test]
fn half_a_ping_of_websocket_is_waited_for() {
    let server = start();
    let mut client = Carried::guest(&server, Carrier::WebSocket, "dripping");
    client.stream.set_nodelay(true).expect("it is open");
    let ping = frame(0x89, b"are you there?", true);
    for len in 1..ping.len() {
        let before = wakes(&server);
        drips(&mut client, &ping[..len]);
        if len % 5 == 1 {
            comes_to_rest(&server, &format!("{len} bytes of a ping"));
        }
        drips(&mut client, &ping[len..]);
        let (mut wire, mut heard) = (Vec::new(), Vec::new());
        while wire.is_empty() && heard.is_empty() {
            client.hear_some(100, &mut wire, &mut heard);
        }
        // Not MQTT, but what WebSocket answers.
        assert_eq!(heard, b"are you there?");
        if len % 5 != 1 {
            took(&server, before, ping.len(), "a ping");
        }
    }
    let wire = client.wire(&[0xC0, 0]);
    client.say(&wire);
    assert_eq!(client.hear(2), [0xD0, 0]);
    drop(client);
    server.is_as_before();
}

/// A reader that takes nothing, and then so little at a time: the broker waits for room, and everything comes.
#[test]
fn a_full_stream_is_waited_for() {
    const MESSAGE: usize = 900_000;
    const MESSAGES: usize = 14;
    /// What the reader takes at once, again and again.
    const PORTIONS: [usize; 7] = [1, 2, 3, 700, 1, 40_000, 1_000_000];
    let server = start();
    let port = server.plain.port().to_string();
    for carrier in Carrier::ALL {
        let mut client = Carried::guest(&server, carrier, "full");
        let wire = client.wire(&bytes(Version::V3_1_1, subscribe("load")));
        client.say(&wire);
        client.hear(5);
        let count = MESSAGES.to_string();
        let load = ["pub", "-p", &port, "-t", "load", "-q", "1", "-s", "--repeat", &count];
        assert_eq!(mqtt(&load, &[7; MESSAGE]).status.code(), Some(0));
        comes_to_rest(&server, &format!("{carrier:?} is full"));
        let before = wakes(&server);
        let (mut wire, mut heard, mut portions) = (Vec::new(), Vec::new(), 0);
        // A head of four bytes, the topic with its length, and the payload.
        let whole = MESSAGES * (4 + 2 + 4 + MESSAGE);
        for most in PORTIONS.into_iter().cycle() {
            if heard.len() >= whole {
                break;
            }
            assert_ne!(
                client.hear_some(most, &mut wire, &mut heard),
                0,
                "{carrier:?} is closed"
            );
            portions += 1;
        }
        assert_eq!(heard.len(), whole, "{carrier:?}");
        assert_eq!(heard.iter().filter(|byte| **byte == 7).count(), MESSAGES * MESSAGE);
        took(&server, before, portions, &format!("{carrier:?} is emptied"));
        assert_eq!(server.figure("mqtt_stall_timeouts_total"), 0);
    }
    assert_eq!(server.figure("mqtt_messages_dropped_total"), 0);
    server.is_as_before();
}
