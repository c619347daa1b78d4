//! mqtt-protocol-core, module `v3_1_1`.
//!
//! Its parsers take the body of one packet, a PUBLISH as an `Arc<[u8]>`. The
//! stream is framed by [`frame`], which is faster than its `PacketBuilder`.

use std::hint::black_box;
use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::v3_1_1::{Connack, Connect, Puback, Publish, Subscribe};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos, SubEntry, SubOpts};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use super::Verdict;
use super::floors::{frame, header_len};
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::ProtocolCore,
        stream,
        (bytes.clone(), bytes),
        |(buffer, bytes)| buffer.copy_from_slice(bytes),
        |(buffer, _)| {
            let mut sum = Checksum::default();
            let mut rest = &buffer[..];
            while let Some((first, len)) = frame(rest) {
                let (whole, after) = rest.split_at(len);
                let body = &whole[header_len(len)..];
                let packet = read(first, body).expect("the stream is valid");
                add(&mut sum, &packet);
                rest = after;
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn read(first: u8, body: &[u8]) -> Result<Packet, MqttError> {
    match first >> 4 {
        1 => exactly(body, Connect::parse).map(Packet::V3_1_1Connect),
        2 => exactly(body, Connack::parse).map(Packet::V3_1_1Connack),
        3 => Publish::parse(first & 0x0f, Arc::from(body)).map(|(packet, _)| Packet::V3_1_1Publish(packet)),
        4 => exactly(body, Puback::parse).map(Packet::V3_1_1Puback),
        8 => exactly(body, Subscribe::parse).map(Packet::V3_1_1Subscribe),
        _ => Err(MqttError::MalformedPacket),
    }
}

/// Its connection refuses a body that is longer than the packet in it.
#[inline(always)]
pub fn exactly<T>(body: &[u8], parse: impl Fn(&[u8]) -> Result<(T, usize), MqttError>) -> Result<T, MqttError> {
    let (packet, len) = parse(body)?;
    if len == body.len() {
        Ok(packet)
    } else {
        Err(MqttError::MalformedPacket)
    }
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::V3_1_1Connect(connect) => {
            sum.connect(
                connect.clean_session(),
                connect.keep_alive(),
                connect.client_id().as_bytes(),
            );
            if let (Some(topic), Some(payload)) = (connect.will_topic(), connect.will_payload()) {
                sum.will(
                    connect.will_qos() as u8,
                    connect.will_retain(),
                    topic.as_bytes(),
                    payload,
                );
            }
            if let Some(username) = connect.user_name() {
                sum.username(username.as_bytes());
            }
            if let Some(password) = connect.password() {
                sum.password(password);
            }
        }
        Packet::V3_1_1Publish(publish) => sum.publish(
            (publish.dup(), publish.qos() as u8, publish.retain()),
            publish.packet_id().unwrap_or(0),
            publish.topic_name().as_bytes(),
            publish.payload().as_slice(),
        ),
        Packet::V3_1_1Puback(ack) => sum.puback(ack.packet_id(), 0),
        Packet::V3_1_1Subscribe(subscribe) => {
            sum.subscribe(subscribe.packet_id());
            for entry in subscribe.entries() {
                let qos = entry.sub_opts().qos() as u8;
                sum.filter(entry.topic_filter().as_bytes(), qos);
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

/// Its contiguous encoder hands out a vector of its own for each packet;
/// nothing is copied on from there.
pub fn encode(stream: &Stream) -> Run {
    let packets: Vec<Packet> = stream.sources().iter().map(own).collect();
    Run::encoder(
        Row::ProtocolCore,
        stream,
        packets,
        |_| {},
        |packets| {
            let mut len = 0;
            for packet in packets.iter() {
                len += black_box(packet.to_continuous_buffer()).len();
            }
            len as u64
        },
        |packets| {
            let mut all = Vec::new();
            for packet in packets {
                all.extend(packet.to_continuous_buffer());
            }
            all
        },
    )
}

/// A list of slices over the packet: nothing is copied, the list is allocated.
pub fn encode_slices(stream: &Stream) -> Run {
    let packets: Vec<Packet> = stream.sources().iter().map(own).collect();
    Run::encoder(
        Row::ProtocolCoreSlices,
        stream,
        packets,
        |_| {},
        |packets| {
            let mut len = 0;
            for packet in packets.iter() {
                let slices = packet.to_buffers();
                len += black_box(&slices).iter().map(|slice| slice.len()).sum::<usize>();
            }
            len as u64
        },
        |packets| {
            let mut all = Vec::new();
            for packet in packets {
                for slice in packet.to_buffers() {
                    all.extend_from_slice(&slice);
                }
            }
            all
        },
    )
}

fn own(packet: &value::Packet) -> Packet {
    match packet {
        value::Packet::Connect(connect) => own_connect(connect)
            .map(Packet::V3_1_1Connect)
            .expect("the stream is valid"),
        value::Packet::Publish(publish) => {
            let builder = Publish::builder()
                .topic_name(publish.topic.as_str())
                .expect("the stream is valid")
                .qos(quality(publish.qos))
                .retain(publish.retain)
                .payload(publish.payload.clone());
            let builder = match publish.id {
                0 => builder,
                id => builder.packet_id(id),
            };
            Packet::V3_1_1Publish(builder.build().expect("the stream is valid"))
        }
        value::Packet::PubAck(ack) => Packet::V3_1_1Puback(
            Puback::builder()
                .packet_id(ack.id)
                .build()
                .expect("the stream is valid"),
        ),
        value::Packet::Subscribe(subscribe) => {
            let entries: Vec<SubEntry> = subscribe
                .filters
                .iter()
                .map(|filter| {
                    let options = SubOpts::new().set_qos(quality(filter.qos));
                    SubEntry::new(filter.path.as_str(), options).expect("the stream is valid")
                })
                .collect();
            Packet::V3_1_1Subscribe(
                Subscribe::builder()
                    .packet_id(subscribe.id)
                    .entries(entries)
                    .build()
                    .expect("the stream is valid"),
            )
        }
    }
}

fn own_connect(connect: &value::Connect) -> Result<Connect, MqttError> {
    Connect::builder()
        .clean_session(connect.clean_start)
        .keep_alive(connect.keep_alive)
        .client_id(connect.client_id.as_str())?
        .will_message(
            connect.will.topic.as_str(),
            connect.will.payload.clone(),
            quality(connect.will.qos),
            connect.will.retain,
        )?
        .user_name(connect.username.as_str())?
        .password(connect.password.clone().into_bytes())?
        .build()
}

pub fn quality(level: u8) -> Qos {
    match level {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

pub fn judge(bytes: &[u8]) -> Verdict {
    let Some((first, len)) = frame(bytes) else {
        return Verdict::Refused;
    };
    if len > bytes.len() {
        return Verdict::Waits;
    }
    match read(first, &bytes[header_len(len)..len]) {
        Ok(_) => Verdict::Accepted,
        Err(_) => Verdict::Refused,
    }
}
