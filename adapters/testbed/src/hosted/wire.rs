//! A client that is nothing but bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::LONG;

/// A stream to a broker, blocking, with deadlines.
#[derive(Debug)]
pub struct Wire(pub TcpStream);

impl Wire {
    /// Opens one.
    ///
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_read_timeout(Some(LONG)).expect("it has a deadline");
        stream.set_write_timeout(Some(LONG)).expect("it has a deadline");
        stream.set_nodelay(true).expect("it is TCP");
        Self(stream)
    }

    /// CONNECT of MQTT 5.0 with Clean Start and without keep-alive, accepted.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn connected(mut self, name: &str) -> Self {
        self.send(&connect(0x02, name, &[]));
        assert_eq!(self.packet()[0], 0x20, "CONNACK");
        self
    }

    /// Writes everything.
    ///
    /// # Panics
    /// If the stream does not take it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("it is taken");
    }

    /// Reads one packet.
    ///
    /// # Panics
    /// If none comes.
    pub fn packet(&mut self) -> Vec<u8> {
        let mut packet = vec![self.byte()];
        let mut len = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte();
            packet.push(byte);
            len |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let head = packet.len();
        packet.resize(head + len, 0);
        self.0.read_exact(&mut packet[head..]).expect("the rest comes");
        packet
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("something comes");
        byte[0]
    }

    /// Reads to the end.
    ///
    /// # Panics
    /// If there is none.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("it ends");
        rest
    }

    /// Subscribes with QoS 0.
    ///
    /// # Panics
    /// If that is not granted.
    pub fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1, 0];
        body.extend(text(filter));
        body.push(0);
        self.send(&packet(0x82, &body));
        assert_eq!(self.packet(), [0x90, 4, 0, 1, 0, 0]);
    }
}

/// CONNECT with these flags, and with what follows the name.
pub(super) fn connect(flags: u8, name: &str, rest: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x05".to_vec();
    body.extend([flags, 0, 0, 0]);
    body.extend(text(name));
    body.extend(rest);
    packet(0x10, &body)
}

/// PUBLISH with QoS 0.
pub(super) fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    body.push(0);
    body.extend(payload);
    packet(0x30, &body)
}

pub(super) fn text(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).expect("it is short");
    [&len.to_be_bytes(), text.as_bytes()].concat()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut len = body.len();
    loop {
        let more = if len > 0x7F { 0x80 } else { 0 };
        packet.push(u8::try_from(len & 0x7F).expect("seven bits") | more);
        len >>= 7;
        if len == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}
