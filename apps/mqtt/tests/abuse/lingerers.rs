//! Clients that ask for a keep-alive that is too long, or for none (BI-111): those of MQTT 5.0 are told a shorter one, and those of MQTT 3
//! cannot be told.

use std::io::Write;

use super::{Server, closed, connected, says};

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

#[test]
fn mqtt_5_is_told_a_shorter_keep_alive_and_held_to_it() {
    /// Server Keep Alive.
    const SHORTER: [u8; 3] = [0x13, 0, 1];
    let server = Server::configured("[protocol]\nkeep_alive_seconds_max = 1\n", "");
    for (keep_alive, is_told) in [(0_u16, true), (2, true), (u16::MAX, true), (1, false)] {
        let rest = [&b"\x02"[..], &keep_alive.to_be_bytes(), b"\0\0\x01c"].concat();
        let mut stream = connected(server.plain);
        stream
            .write_all(&[&b"\x10\x0E\0\x04MQTT\x05"[..], &rest].concat())
            .expect("it reads");
        // It says nothing more.
        let told = closed(stream, "silence");
        assert_eq!((told[0], told[3]), (0x20, 0), "{told:?}");
        let (connack, farewell) = told.split_at(2 + usize::from(told[1]));
        assert_eq!(connack.windows(3).any(|window| window == SHORTER), is_told, "{told:?}");
        assert_eq!(farewell, [0xE0, 1, 0x8D], "{keep_alive}");
    }
    server.is_as_before();
    assert_eq!(server.figure("mqtt_keep_alive_timeouts_total"), 4);
}
