//! As much of MQTT 3.1.1 as is needed to find acknowledgements in a stream, and nothing of what the broker is made of.

/// A packet that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Of QoS 1 or 2, with the number of its message.
    Publish {
        id: u16,
        number: u64,
    },
    Puback(u16),
    Pubrec(u16),
    Pubrel(u16),
    Pubcomp(u16),
    Other,
}

/// A stream that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Stream(Vec<u8>);

impl Stream {
    /// Takes a piece, and returns the packets that end in it.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<Packet> {
        self.0.extend_from_slice(piece);
        let mut packets = Vec::new();
        while let Some(len) = whole(&self.0) {
            let frame: Vec<u8> = self.0.drain(..len).collect();
            packets.push(packet(&frame));
        }
        packets
    }
}

/// How long the first packet is, if all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for at in 1..5 {
        let byte = *bytes.get(at)?;
        len += usize::from(byte & 0x7F) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            let end = at + 1 + len;
            return (bytes.len() >= end).then_some(end);
        }
    }
    panic!("no packet has such a length");
}

fn packet(frame: &[u8]) -> Packet {
    let body = 1 + frame[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    match frame[0] >> 4 {
        3 if frame[0] & 6 != 0 => {
            let id_at = body + 2 + usize::from(word(body));
            let payload = &frame[id_at + 2..];
            let number = super::trace::marked(payload).expect("every message has a mark");
            Packet::Publish {
                id: word(id_at),
                number,
            }
        }
        4 => Packet::Puback(word(body)),
        5 => Packet::Pubrec(word(body)),
        6 => Packet::Pubrel(word(body)),
        7 => Packet::Pubcomp(word(body)),
        _ => Packet::Other,
    }
}

#[test]
fn packets_are_found_in_any_pieces() {
    let publish = [&b"\x34\x0f\0\x01t\0\x05"[..], super::trace::mark(7).as_bytes()].concat();
    let len = u8::try_from(publish.len() - 2).expect("it is short");
    let mut publish = publish;
    publish[1] = len;
    let bytes = [
        &publish[..],
        b"\x40\x02\0\x01\x50\x02\0\x02\x62\x02\0\x03\x70\x02\0\x04\xd0\0",
    ]
    .concat();
    let expected = [
        Packet::Publish { id: 5, number: 7 },
        Packet::Puback(1),
        Packet::Pubrec(2),
        Packet::Pubrel(3),
        Packet::Pubcomp(4),
        Packet::Other,
    ];
    for size in 1..bytes.len() {
        let mut stream = Stream::default();
        let found: Vec<_> = bytes.chunks(size).flat_map(|piece| stream.take(piece)).collect();
        assert_eq!(found, expected);
    }
}
