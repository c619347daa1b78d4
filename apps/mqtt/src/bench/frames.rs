//! Packets as bytes: encoded once, and patched for each message; found in what is read.

use bytes::BytesMut;
use mqtt_tokio::session::proto::{Delivery, PacketId, Publish, QoS, TopicName, Version};

use super::arguments::STAMP_BYTES;
use crate::Ending;

pub(super) const PUBACK: u8 = 0x40;
pub(super) const PUBREC: u8 = 0x50;
pub(super) const PUBREL: u8 = 0x62;
pub(super) const PUBCOMP: u8 = 0x70;

/// From this length on a payload has room for the number of its run, too.
const RUN_BYTES: usize = STAMP_BYTES + 8;

/// The number and the time that a payload carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When it was to be sent, in nanoseconds since the start.
    pub(super) nanos: u64,
    /// The how manieth of its publisher.
    pub(super) number: u32,
    /// Which of the publishers of its topic.
    pub(super) publisher: u32,
    /// Which run has sent it, where there is room to say so.
    pub(super) run: Option<u64>,
}

impl Stamp {
    fn write(self, payload: &mut [u8]) {
        payload[..8].copy_from_slice(&self.nanos.to_be_bytes());
        payload[8..12].copy_from_slice(&self.number.to_be_bytes());
        payload[12..16].copy_from_slice(&self.publisher.to_be_bytes());
        if let (Some(run), Some(room)) = (self.run, payload.get_mut(STAMP_BYTES..RUN_BYTES)) {
            room.copy_from_slice(&run.to_be_bytes());
        }
    }

    /// The one at the end of a PUBLISH whose payload has this length.
    pub(super) fn read(packet: &[u8], payload: usize) -> Option<Self> {
        let payload = &packet[packet.len().checked_sub(payload)?..];
        let (nanos, rest) = payload.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (publisher, rest) = rest.split_first_chunk()?;
        Some(Self {
            nanos: u64::from_be_bytes(*nanos),
            number: u32::from_be_bytes(*number),
            publisher: u32::from_be_bytes(*publisher),
            run: rest.first_chunk().map(|run| u64::from_be_bytes(*run)),
        })
    }
}

/// A PUBLISH that is encoded, of which only the identifier and the stamp change.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    /// Behind the topic.
    topic_end: usize,
    id_at: Option<usize>,
    stamp_at: Option<usize>,
}

impl Frame {
    pub(super) fn new(topic: &str, qos: QoS, retain: bool, payload: usize, version: Version) -> Result<Self, Ending> {
        let body = vec![b'.'; payload];
        let topic = TopicName::from_bytes(topic.as_bytes())
            .map_err(|error| Ending::misused(format_args!("{topic}: {error}")))?;
        let mut publish = Publish::new(topic, body.as_slice());
        publish.delivery = Delivery::first(qos, PacketId::MIN);
        publish.retain = retain;
        let mut bytes = BytesMut::new();
        publish.encode_to(version, &mut bytes).map_err(Ending::misused)?;
        let payload_at = bytes.len() - payload;
        // Behind the identifier stands, since MQTT 5.0, the length of no properties.
        let topic_end = payload_at - usize::from(version == Version::V5) - if qos == QoS::AtMostOnce { 0 } else { 2 };
        Ok(Self {
            topic_end,
            id_at: (qos != QoS::AtMostOnce).then_some(topic_end),
            stamp_at: (payload >= STAMP_BYTES).then_some(payload_at),
            bytes: bytes.to_vec(),
        })
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one message.
    pub(super) fn push(&self, out: &mut Vec<u8>, id: u16, stamp: Stamp) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let frame = &mut out[start..];
        if let Some(at) = self.id_at {
            frame[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }
        if let Some(at) = self.stamp_at {
            stamp.write(&mut frame[at..]);
        }
    }

    /// Appends one message to the topic that ends with this number, of so many digits.
    pub(super) fn push_numbered(&self, out: &mut Vec<u8>, (number, digits): (u32, usize), id: u16, stamp: Stamp) {
        let end = out.len() + self.topic_end;
        self.push(out, id, stamp);
        write_digits(number, &mut out[end - digits..end]);
    }
}

/// Writes a number from its end on, with zeros before it.
fn write_digits(mut number: u32, room: &mut [u8]) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// An acknowledgement with nothing but an identifier.
pub(super) fn push_ack(out: &mut Vec<u8>, first: u8, id: u16) {
    let [high, low] = id.to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}

/// The packet at the front of what was read.
pub(super) enum Front<'a> {
    /// All of it: the packet, and where its body begins.
    Whole(&'a [u8], usize),
    /// There is more to read.
    Part,
    /// A length that no packet has.
    Nonsense,
}

/// Finds the packet at the front. Its content is not judged: a load generator trusts the broker that it loads.
pub(super) fn front(bytes: &[u8]) -> Front<'_> {
    let mut remaining = 0;
    for place in 1..5 {
        let Some(&byte) = bytes.get(place) else {
            return Front::Part;
        };
        remaining |= usize::from(byte & 0x7F) << (7 * (place - 1));
        if byte & 0x80 == 0 {
            return match bytes.get(..place + 1 + remaining) {
                Some(packet) => Front::Whole(packet, place + 1),
                None => Front::Part,
            };
        }
    }
    Front::Nonsense
}

/// The identifier and reason code of an acknowledgement.
pub(super) fn acknowledged(body: &[u8]) -> Option<(u16, u8)> {
    let id = u16::from_be_bytes(*body.first_chunk()?);
    Some((id, body.get(2).copied().unwrap_or(0)))
}

/// The QoS and identifier of a PUBLISH.
pub(super) fn delivered(packet: &[u8], body_at: usize) -> Option<(u8, u16)> {
    let qos = packet[0] >> 1 & 0b11;
    if qos == 0 {
        return Some((0, 0));
    }
    let body = &packet[body_at..];
    let topic = usize::from(u16::from_be_bytes(*body.first_chunk()?));
    let id = u16::from_be_bytes(*body.get(2 + topic..)?.first_chunk()?);
    Some((qos, id))
}

#[cfg(test)]
mod tests {
    use mqtt_tokio::session::proto::{Decoded, Packet, Rules, decode};

    use super::*;

    #[test]
    fn a_patched_frame_is_the_packet_that_the_codec_reads() {
        for version in [Version::V5, Version::V3_1_1] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let frame = Frame::new("bench/0", qos, false, 200, version).unwrap();
                let stamp = Stamp {
                    nanos: 1 << 40,
                    number: 7,
                    publisher: 3,
                    run: Some(9),
                };
                let mut out = Vec::new();
                frame.push(&mut out, 0x1234, stamp);
                let Ok(Decoded::Packet {
                    packet: Packet::Publish(publish),
                    len,
                }) = decode(&out, &Rules::new(version))
                else {
                    panic!("{version:?} {qos:?}");
                };
                assert_eq!((len, publish.payload.len()), (out.len(), 200));
                let id = publish.delivery.id().map_or(0, PacketId::get);
                let Front::Whole(packet, body_at) = front(&out) else {
                    panic!()
                };
                assert_eq!(delivered(packet, body_at), Some((qos.bits(), id)));
                assert_eq!(id, if qos == QoS::AtMostOnce { 0 } else { 0x1234 });
                assert_eq!(Stamp::read(packet, 200), Some(stamp));
                assert!(matches!(front(&out[..out.len() - 1]), Front::Part));
            }
        }
    }

    #[test]
    fn a_numbered_frame_has_its_digits_and_nothing_else_changes() {
        for version in [Version::V5, Version::V3_1_1] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                let frame = Frame::new("bench/000", qos, false, 64, version).unwrap();
                let other = Frame::new("bench/042", qos, false, 64, version).unwrap();
                let stamp = Stamp {
                    nanos: 5,
                    number: 7,
                    publisher: 3,
                    run: Some(9),
                };
                let (mut out, mut expected) = (vec![1, 2], vec![1, 2]);
                frame.push_numbered(&mut out, (42, 3), 7, stamp);
                other.push(&mut expected, 7, stamp);
                assert_eq!(out, expected, "{version:?} {qos:?}");
            }
        }
    }

    #[test]
    fn a_length_of_five_bytes_is_nonsense() {
        assert!(matches!(front(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]), Front::Nonsense));
        assert!(matches!(front(&[0x30, 0xFF]), Front::Part));
    }

    #[test]
    fn a_cut_acknowledgement_is_none() {
        assert_eq!(acknowledged(&[1]), None);
        assert_eq!(acknowledged(&[1, 2]), Some((0x0102, 0)));
        assert_eq!(acknowledged(&[1, 2, 0x97]), Some((0x0102, 0x97)));
        assert_eq!(delivered(&[0x32, 3, 0, 9, b'x'], 2), None);
    }
}
