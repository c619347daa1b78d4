//! Whoever is not let in stands in the log once, with what he has said of himself, and in the figures each time.

use std::io::Write;

use super::{Server, connected, says};

/// What comes from this address, as a proxy says.
fn from(address: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("PROXY TCP4 {address} 192.0.2.1 4000 1883\r\n");
    [head.as_bytes(), bytes].concat()
}

#[test]
fn each_end_before_a_client_is_let_in_is_told() {
    let server = Server::start_with("connect_bytes = 100\nhandshake_timeout = '1s'\n");
    let cases: [(&str, &[u8], &str); 6] = [
        ("192.0.2.11", b"GET / HTTP/1.1\r\n\r\n", "the peer broke the protocol"),
        ("192.0.2.12", b"\x10\x0D\0\x04MQTT\x09\x02\0\x3C\0\x01c", "malformed"),
        ("192.0.2.13", b"\x10\xFF\x7F", "malformed"),
        (
            "192.0.2.14",
            b"\x10\x0E\0\x06MQIsdp\x03\x02\0\x3C\0\0",
            "the peer broke the protocol",
        ),
        ("192.0.2.15", b"\x10\x0D\0\x04MQTT", "timed out: handshake"),
        ("192.0.2.16", b"\xC0\0", "the peer broke the protocol"),
    ];
    for (address, bytes, reason) in cases {
        says(server.proxied, &from(address, bytes), address);
        let words = format!("a client is refused peer={address}:4000 listener=");
        server.running.wait_for_words(&words);
        let told = server.running.told();
        let line = told.lines().find(|line| line.contains(&words)).expect("it is told");
        assert!(line.contains(reason), "{line}");
        assert!(line.contains(" INFO "), "{line}");
    }
    server.waits_for("mqtt_clients_refused_total", 6);
    // Of one that says a name before it is refused, that is told too.
    says(
        server.proxied,
        &from(
            "192.0.2.17",
            b"\x10\x1C\0\x04MQTT\x04\x06\0\x3C\0\x03eve\0\x05$SYS/\0\x04gone",
        ),
        "a will",
    );
    server
        .running
        .wait_for_words("a client is refused client=eve peer=192.0.2.17:4000 listener=");
    server.is_as_before();
}

#[test]
fn one_who_comes_again_and_again_does_not_fill_the_log() {
    let server = Server::start();
    for _ in 0..50 {
        says(server.plain, b"GET / HTTP/1.1\r\n\r\n", "no MQTT");
    }
    server.waits_for("mqtt_clients_refused_total", 50);
    let told = server.running.told();
    let lines = told
        .lines()
        .filter(|line| line.contains("a client is refused") || line.contains("refused again"));
    assert!(lines.count() <= 5, "{told}");
}

#[test]
fn what_goes_by_itself_is_nobody_who_was_refused() {
    let server = Server::start();
    for _ in 0..5 {
        drop(connected(server.plain));
    }
    server.is_as_before();
    assert_eq!(server.figure("mqtt_clients_refused_total"), 0);
    assert!(
        !server.running.told().contains("is refused"),
        "{}",
        server.running.told()
    );
}

#[test]
fn layers_that_refuse_are_told() {
    for (is_tls, says_what) in [(true, "TLS"), (false, "WebSocket")] {
        let server = Server::start();
        let address = if is_tls { server.tls } else { server.websocket };
        let mut stream = connected(address);
        let _ = stream.write_all(b"GET /elsewhere HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
        super::closed(stream, says_what);
        server.running.wait_for_words("a connection is refused listener=");
        let told = server.running.told();
        let line = told
            .lines()
            .find(|line| line.contains("a connection is refused"))
            .expect("it is told");
        assert!(line.contains(" INFO ") && line.contains(" peer=127.0.0.1:"), "{line}");
        assert!(line.contains(says_what), "{line}");
    }
}
