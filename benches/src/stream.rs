//! The byte streams that are measured, made from a fixed seed.

use crate::value::{Connect, Filter, Packet, Protocol, PubAck, Publish, PublishProperties, Subscribe, Will};
use crate::wire::push_packet;

/// The streams are as long as whole packets fit in here.
pub const STREAM_BYTES: usize = 64 * 1024;

/// A run of packets of one kind, as values and as bytes.
pub struct Stream {
    /// Its name on the command line.
    pub slug: String,
    /// Its name in the table.
    pub title: String,
    /// The version it speaks.
    pub protocol: Protocol,
    /// Its packets.
    pub packets: Vec<Packet>,
    /// The packets, one after the other, as they are on the wire.
    pub bytes: Vec<u8>,
}

/// All streams, in the order of the table.
pub fn all() -> Vec<Stream> {
    plans().iter().map(Plan::stream).collect()
}

/// The stream of this name.
pub fn named(slug: &str) -> Option<Stream> {
    plans().iter().find(|plan| plan.slug == slug).map(Plan::stream)
}

/// What a stream is going to be.
struct Plan {
    slug: String,
    title: String,
    protocol: Protocol,
    kind: Kind,
}

/// What the packets of a stream are.
#[derive(Clone, Copy)]
enum Kind {
    Publish {
        payload_bytes: usize,
        properties: bool,
        text: Text,
    },
    PubAck,
    Connect,
    Subscribe,
}

/// What the texts of a stream are written in.
#[derive(Clone, Copy)]
enum Text {
    Ascii,
    Greek,
}

impl Plan {
    fn new(slug: String, title: String, protocol: Protocol, kind: Kind) -> Self {
        Self {
            slug,
            title,
            protocol,
            kind,
        }
    }

    fn stream(&self) -> Stream {
        let protocol = self.protocol;
        let (packets, bytes) = fill(protocol, |random, at| match self.kind {
            Kind::Publish {
                payload_bytes,
                properties,
                text,
            } => Packet::Publish(publish(random, at, payload_bytes, properties, text)),
            Kind::PubAck => Packet::PubAck(puback(at, protocol)),
            Kind::Connect => Packet::Connect(connect(random, at)),
            Kind::Subscribe => Packet::Subscribe(subscribe(random, at)),
        });
        Stream {
            slug: self.slug.clone(),
            title: self.title.clone(),
            protocol,
            packets,
            bytes,
        }
    }
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (slug, title, protocol, properties) in [
        ("publish-3.1.1", "PUBLISH 3.1.1", Protocol::V3, false),
        ("publish-5", "PUBLISH 5.0", Protocol::V5, false),
        (
            "publish-5-properties",
            "PUBLISH 5.0, five properties",
            Protocol::V5,
            true,
        ),
    ] {
        for (payload_bytes, size) in [(16, "16 B"), (256, "256 B"), (4096, "4 KiB")] {
            let kind = Kind::Publish {
                payload_bytes,
                properties,
                text: Text::Ascii,
            };
            plans.push(Plan::new(
                format!("{slug}-{payload_bytes}"),
                format!("{title}, {size}"),
                protocol,
                kind,
            ));
        }
    }
    plans.push(Plan::new(
        "publish-3.1.1-256-greek".to_owned(),
        "PUBLISH 3.1.1, 256 B, Greek topics".to_owned(),
        Protocol::V3,
        Kind::Publish {
            payload_bytes: 256,
            properties: false,
            text: Text::Greek,
        },
    ));
    for (slug, title, kind) in [
        ("puback", "PUBACK", Kind::PubAck),
        ("connect", "CONNECT", Kind::Connect),
        ("subscribe", "SUBSCRIBE x10", Kind::Subscribe),
    ] {
        plans.push(Plan::new(
            format!("{slug}-3.1.1"),
            format!("{title} 3.1.1"),
            Protocol::V3,
            kind,
        ));
        plans.push(Plan::new(
            format!("{slug}-5"),
            format!("{title} 5.0"),
            Protocol::V5,
            kind,
        ));
    }
    plans
}

/// As many packets as fit.
fn fill(protocol: Protocol, mut packet_at: impl FnMut(&mut Random, usize) -> Packet) -> (Vec<Packet>, Vec<u8>) {
    let mut random = Random(0x5eed);
    let mut packets = Vec::new();
    let mut bytes = Vec::with_capacity(STREAM_BYTES);
    loop {
        let packet = packet_at(&mut random, packets.len());
        let before = bytes.len();
        push_packet(&mut bytes, &packet, protocol);
        if bytes.len() > STREAM_BYTES {
            bytes.truncate(before);
            return (packets, bytes);
        }
        packets.push(packet);
    }
}

/// An encoder is given this many packets over and over. All packets of a stream
/// at once would not stay in the cache where a packet is when it has just been
/// made.
const SOURCES: usize = 64;

impl Stream {
    /// The packets that an encoder starts from.
    pub fn sources(&self) -> &[Packet] {
        &self.packets[..self.packets.len().min(SOURCES)]
    }

    /// The sources as they are on the wire.
    pub fn source_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for packet in self.sources() {
            push_packet(&mut bytes, packet, self.protocol);
        }
        bytes
    }

    /// Whether each packet is encoded into an emptied buffer: a CONNECT is the
    /// first on its connection, and two of the codecs rely on that.
    pub fn one_at_a_time(&self) -> bool {
        matches!(self.packets[0], Packet::Connect(_))
    }

    /// Whether its packets are PUBLISH.
    pub fn holds_messages(&self) -> bool {
        matches!(self.packets[0], Packet::Publish(_))
    }
}

fn publish(random: &mut Random, at: usize, payload_bytes: usize, properties: bool, text: Text) -> Publish {
    let qos = (at % 3) as u8;
    Publish {
        qos,
        retain: at.is_multiple_of(8),
        id: if qos == 0 { 0 } else { packet_id(at) },
        topic: random.path(16..=64, text),
        payload: random.bytes(payload_bytes),
        properties: properties.then(|| PublishProperties {
            expiry: 60 + random.below(86_400) as u32,
            content_type: "application/json".to_owned(),
            correlation_data: random.bytes(16),
            user: [
                ("trace-id".to_owned(), random.word(24)),
                ("origin".to_owned(), random.word(12)),
            ],
        }),
    }
}

fn puback(at: usize, protocol: Protocol) -> PubAck {
    const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
    let with_reason = protocol == Protocol::V5 && at % 4 == 3;
    PubAck {
        id: packet_id(at),
        reason: if with_reason { NO_MATCHING_SUBSCRIBERS } else { 0 },
    }
}

fn connect(random: &mut Random, at: usize) -> Connect {
    Connect {
        clean_start: at.is_multiple_of(2),
        keep_alive: 30 + random.below(90) as u16,
        client_id: format!("device-{}", random.word(16)),
        will: Will {
            qos: (at % 3) as u8,
            retain: at.is_multiple_of(4),
            topic: random.path(16..=64, Text::Ascii),
            payload: random.bytes(32),
            delay: 5 + random.below(60) as u32,
        },
        username: format!("user-{}", random.word(8)),
        password: random.word(16),
        session_expiry: 60 + random.below(3_600) as u32,
        receive_maximum: 16 + random.below(64) as u16,
    }
}

fn subscribe(random: &mut Random, at: usize) -> Subscribe {
    let filters = (0..10)
        .map(|nth| {
            let path = random.path(16..=64, Text::Ascii);
            Filter {
                path: match nth % 3 {
                    0 => path,
                    1 => format!("{path}/#"),
                    _ => format!("+/{path}"),
                },
                qos: (nth % 3) as u8,
                no_local: nth % 2 == 1,
                retain_as_published: nth % 4 == 2,
                retain_handling: (nth / 3 % 3) as u8,
            }
        })
        .collect();
    Subscribe {
        id: packet_id(at),
        subscription_id: 1 + random.below(1_000) as u32,
        filters,
    }
}

fn packet_id(at: usize) -> u16 {
    (at % usize::from(u16::MAX)) as u16 + 1
}

/// xorshift64*: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn word(&mut self, len: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..len)
            .map(|_| char::from(LETTERS[self.below(LETTERS.len())]))
            .collect()
    }

    /// Levels of three to ten letters up to a length of `bytes`.
    fn path(&mut self, bytes: std::ops::RangeInclusive<usize>, text: Text) -> String {
        let len = bytes.start() + self.below(bytes.end() - bytes.start() + 1);
        let mut path = String::new();
        let mut until_slash = 3 + self.below(8);
        while path.len() < len {
            let letter = match text {
                Text::Ascii => char::from(b'a' + self.below(26) as u8),
                Text::Greek => {
                    char::from_u32('α' as u32 + self.below(17) as u32).expect("the letters alpha to rho are in one run")
                }
            };
            let last = path.len() + letter.len_utf8() >= len;
            if until_slash == 0 && !last {
                path.push('/');
                until_slash = 3 + self.below(8);
            } else if path.len() + letter.len_utf8() <= len {
                path.push(letter);
                until_slash = until_slash.saturating_sub(1);
            } else {
                path.push('x');
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_keep_to_their_lengths_and_vary() {
        for stream in all() {
            let mut lengths = Vec::new();
            for packet in &stream.packets {
                if let Packet::Publish(publish) = packet {
                    assert!((16..=64).contains(&publish.topic.len()), "{}", stream.slug);
                    lengths.push(publish.topic.len());
                }
            }
            lengths.sort_unstable();
            lengths.dedup();
            if stream.slug.starts_with("publish") {
                assert!(lengths.len() > 8, "{}", stream.slug);
            }
        }
    }

    #[test]
    fn streams_are_filled_with_whole_packets() {
        for stream in all() {
            assert!(stream.bytes.len() <= STREAM_BYTES);
            assert!(stream.bytes.len() + 4_400 > STREAM_BYTES, "{}", stream.slug);
        }
    }
}
