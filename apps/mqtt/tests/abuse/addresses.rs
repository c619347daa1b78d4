//! Many connections from one address (BI-111).

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use mqtt_proto::{Connect, Packet, Version};

use super::{PATIENCE, Server, answered, connected, says, text};

const MOST: usize = 3;

fn connect(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet::from(Connect::new(Version::V5, text(name)))
        .encode_to(Version::V5, &mut bytes)
        .expect("it can be said");
    bytes
}

/// What a proxy says before a client, and that.
fn from(address: &str, name: &str) -> Vec<u8> {
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    let head = format!("PROXY {family} {address} {address} 4000 1883\r\n");
    [head.as_bytes(), &connect(name)].concat()
}

fn comes_in(address: SocketAddr, bytes: &[u8]) -> impl Read + use<> {
    let mut stream = connected(address);
    stream.write_all(bytes).expect("it reads");
    answered(&mut stream);
    stream
}

fn is_closed(address: SocketAddr, bytes: &[u8]) {
    assert_eq!(says(address, bytes, "one too many"), [0_u8; 0]);
}

fn each_address_has_its_bound(shards: u16) {
    const CLOSED: &str = "mqtt_addresses_full_total";
    let bounds = format!("[limits]\nconnections_per_address = {MOST}\n");
    let server = Server::configured(&format!("shards = {shards}\n"), &bounds);
    let name = |number: usize| format!("client-{number}");
    let mut here: Vec<_> = (0..MOST)
        .map(|number| comes_in(server.plain, &connect(&name(number))))
        .collect();
    // By whichever listener, and whatever is said there.
    is_closed(server.plain, &connect("more"));
    is_closed(server.tls, b"");
    is_closed(server.websocket, b"GET /mqtt HTTP/1.1\r\n");
    assert_eq!(server.figure(CLOSED), 3);

    // Those of a proxy are where it says, and have nothing to do with where it is itself.
    let behind: Vec<_> = ["192.0.2.1", "2001:db8:0:1::1"]
        .iter()
        .flat_map(|address| {
            let come_in = |number| comes_in(server.proxied, &from(address, &format!("{address} {number}")));
            (0..MOST).map(come_in).collect::<Vec<_>>()
        })
        .collect();
    is_closed(server.proxied, &from("192.0.2.1", "more"));
    is_closed(server.proxied, &from("2001:db8:0:1::2", "more"));
    let others = ["192.0.2.2", "2001:db8:0:2::1"].map(|address| comes_in(server.proxied, &from(address, address)));
    assert_eq!(server.figure(CLOSED), 5);

    // A unix socket has no address.
    let local: Vec<_> = (0..=MOST)
        .map(|number| {
            let mut stream = UnixStream::connect(server.folder.path().join("mqtt.sock")).expect("it listens");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream
                .write_all(&connect(&format!("local-{number}")))
                .expect("it reads");
            answered(&mut stream);
            stream
        })
        .collect();

    // Whoever goes makes room for one.
    let open = server.figure("mqtt_streams");
    here.pop();
    server.waits_for("mqtt_streams", open - 1);
    here.push(comes_in(server.plain, &connect("next")));
    is_closed(server.plain, &connect("more"));
    server
        .running
        .wait_for_words("its address has limits.connections_per_address");
    drop((here, behind, others, local));
    server.is_as_before();
    assert_eq!(server.figure(CLOSED), 6);
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    each_address_has_its_bound(1);
}

#[test]
fn an_address_has_so_many_connections_over_all_shards() {
    each_address_has_its_bound(2);
}
