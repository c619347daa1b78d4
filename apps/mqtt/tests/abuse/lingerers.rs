//! Clients of MQTT 3 that ask for a keep-alive that is too long, or for none (BI-111): they cannot be told a shorter one.

use super::{Server, says};

/// A CONNECT of MQTT 3.1.1, or of 3.1, with this keep-alive.
fn connect(is_older: bool, keep_alive: u16) -> Vec<u8> {
    let name = if is_older {
        &b"\0\x06MQIsdp\x03"[..]
    } else {
        b"\0\x04MQTT\x04"
    };
    let rest = [&b"\x02"[..], &keep_alive.to_be_bytes(), b"\0\x01c"].concat();
    let len = u8::try_from(name.len() + rest.len()).expect("it is short");
    // DISCONNECT behind it ends the stream of one that is let in.
    [&[0x10, len][..], name, &rest, &[0xE0, 0]].concat()
}

#[test]
fn mqtt_3_with_a_keep_alive_that_is_too_long_is_refused() {
    let server = Server::configured("[protocol]\nkeep_alive_seconds_max = 60\n", "");
    for is_older in [false, true] {
        for (keep_alive, code) in [(0, 2), (61, 2), (u16::MAX, 2), (60, 0), (1, 0)] {
            let told = says(server.plain, &connect(is_older, keep_alive), "a keep-alive");
            assert_eq!(told, [0x20, 2, 0, code], "{keep_alive}");
        }
    }
    server.waits_for("mqtt_clients_refused_total", 6);
    server
        .running
        .wait_for_words("a client is refused client=c peer=127.0.0.1:");
    server.is_as_before();
}
