//! ntex-mqtt, module `v3`, MQTT 3.1.1.

use std::hint::black_box;
use std::num::NonZeroU16;

use ntex_bytes::{BytePageSize, BytePages, ByteString, Bytes, BytesMut};
use ntex_codec::{Decoder, Encoder};
use ntex_mqtt::v3::codec::{Codec, Connect, Decoded, Encoded, LastWill, Packet, Publish, QoS};

use super::Verdict;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Ntex,
        stream,
        (Codec::new(), BytesMut::new(), bytes),
        |(_, buffer, bytes)| {
            *buffer = BytesMut::with_capacity(bytes.len() + 64);
            buffer.extend_from_slice(bytes);
        },
        |(codec, buffer, _)| {
            let mut sum = Checksum::default();
            while !buffer.is_empty() {
                let packet = codec
                    .decode(buffer)
                    .expect("the stream is valid")
                    .expect("the stream holds whole packets");
                add(&mut sum, &packet);
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Decoded) {
    match packet {
        Decoded::Publish(publish, payload, _) => sum.publish(
            (publish.dup, u8::from(publish.qos), publish.retain),
            publish.packet_id.map_or(0, NonZeroU16::get),
            publish.topic.as_slice(),
            payload,
        ),
        Decoded::Packet(Packet::Connect(connect), _) => {
            sum.connect(connect.clean_session, connect.keep_alive, connect.client_id.as_slice());
            if let Some(will) = &connect.last_will {
                sum.will(u8::from(will.qos), will.retain, will.topic.as_slice(), &will.message);
            }
            if let Some(username) = &connect.username {
                sum.username(username.as_slice());
            }
            if let Some(password) = &connect.password {
                sum.password(password);
            }
        }
        Decoded::Packet(Packet::PublishAck { packet_id }, _) => sum.puback(packet_id.get(), 0),
        Decoded::Packet(
            Packet::Subscribe {
                packet_id,
                topic_filters,
            },
            _,
        ) => {
            sum.subscribe(packet_id.get());
            for (filter, qos) in topic_filters {
                sum.filter(filter.as_slice(), u8::from(*qos));
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

/// Its encoder consumes the packet, so a pass is given clones that were made
/// before the clock started, and writes into pages of 64 KiB.
pub fn encode(stream: &Stream) -> Run {
    let packets: Vec<Encoded> = stream.sources().iter().map(own).collect();
    Run::encoder(
        Row::Ntex,
        stream,
        (Codec::new(), packets, Vec::new(), BytePages::new(BytePageSize::Size64)),
        |(_, packets, clones, pages)| {
            clones.clone_from(packets);
            pages.clear();
        },
        |(codec, _, clones, pages)| {
            for packet in clones.drain(..) {
                codec.encodev(packet, pages).expect("the packet is valid");
            }
            black_box(&*pages).len() as u64
        },
        |(codec, packets, _, _)| {
            let mut pages = BytePages::new(BytePageSize::Size64);
            for packet in packets {
                codec.encodev(packet.clone(), &mut pages).expect("the packet is valid");
            }
            pages.freeze().to_vec()
        },
    )
    .once()
}

fn own(packet: &value::Packet) -> Encoded {
    match packet {
        value::Packet::Connect(connect) => Encoded::Packet(Packet::Connect(Box::new(Connect {
            clean_session: connect.clean_start,
            keep_alive: connect.keep_alive,
            last_will: Some(LastWill {
                qos: quality(connect.will.qos),
                retain: connect.will.retain,
                topic: ByteString::from(connect.will.topic.as_str()),
                message: Bytes::from(connect.will.payload.clone()),
            }),
            client_id: ByteString::from(connect.client_id.as_str()),
            username: Some(ByteString::from(connect.username.as_str())),
            password: Some(Bytes::from(connect.password.clone())),
        }))),
        value::Packet::Publish(publish) => Encoded::Publish(
            Publish {
                dup: false,
                retain: publish.retain,
                qos: quality(publish.qos),
                topic: ByteString::from(publish.topic.as_str()),
                packet_id: NonZeroU16::new(publish.id),
                payload_size: publish.payload.len() as u32,
            },
            Some(Bytes::from(publish.payload.clone())),
        ),
        value::Packet::PubAck(ack) => Encoded::Packet(Packet::PublishAck { packet_id: id(ack.id) }),
        value::Packet::Subscribe(subscribe) => Encoded::Packet(Packet::Subscribe {
            packet_id: id(subscribe.id),
            topic_filters: subscribe
                .filters
                .iter()
                .map(|filter| (ByteString::from(filter.path.as_str()), quality(filter.qos)))
                .collect(),
        }),
    }
}

pub fn quality(level: u8) -> QoS {
    QoS::try_from(level).expect("the stream is valid")
}

pub fn id(id: u16) -> NonZeroU16 {
    NonZeroU16::new(id).expect("the stream is valid")
}

pub fn judge(frame: &[u8]) -> Verdict {
    match Codec::new().decode(&mut BytesMut::copy_from_slice(frame)) {
        Ok(Some(_)) => Verdict::Accepted,
        Ok(None) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}
