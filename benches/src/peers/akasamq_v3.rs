//! mqtt-proto of the registry (akasamq), module `v3`, MQTT 3.1.1.
//!
//! Header and body are decoded by its synchronous functions over a buffer,
//! which are faster than its `Packet::decode`.

use std::hint::black_box;

use bytes::Bytes;
use peer::v3::{Connect, Header, LastWill, Packet, Publish, Subscribe};
use peer::{Error, Pid, PollHeader, Protocol, QoS, QosPid, TopicFilter, TopicName};

use super::Verdict;
use super::floors::frame;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Akasamq,
        stream,
        (bytes.clone(), bytes),
        |(buffer, bytes)| buffer.copy_from_slice(bytes),
        |(buffer, _)| {
            let mut sum = Checksum::default();
            let mut rest = &buffer[..];
            while let Some((first, len)) = frame(rest) {
                let (whole, after) = rest.split_at(len);
                let packet = read(first, whole).expect("the stream is valid");
                add(&mut sum, &packet);
                rest = after;
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn read(first: u8, whole: &[u8]) -> Result<Packet, Error> {
    let total_len = whole.len() as u32;
    let header_len = peer::header_len(whole.len());
    let header = Header::new_with(first, total_len - header_len as u32, total_len)?;
    match header.build_empty_packet() {
        Some(packet) => Ok(packet),
        None => header.decode_buffer(&whole[header_len..], &mut 0),
    }
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::Connect(connect) => {
            sum.connect(connect.clean_session, connect.keep_alive, connect.client_id.as_bytes());
            if let Some(will) = &connect.last_will {
                sum.will(will.qos as u8, will.retain, will.topic_name.as_bytes(), &will.message);
            }
            if let Some(username) = &connect.username {
                sum.username(username.as_bytes());
            }
            if let Some(password) = &connect.password {
                sum.password(password);
            }
        }
        Packet::Publish(publish) => sum.publish(
            (publish.dup, publish.qos_pid.qos() as u8, publish.retain),
            publish.qos_pid.pid().map_or(0, Pid::value),
            publish.topic_name.as_bytes(),
            &publish.payload,
        ),
        Packet::Puback(id) => sum.puback(id.value(), 0),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.pid.value());
            for (filter, qos) in &subscribe.topics {
                sum.filter(filter.as_bytes(), *qos as u8);
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

/// Its encoder hands out a vector of its own for each packet; nothing is
/// copied on from there.
pub fn encode(stream: &Stream) -> Run {
    let packets: Vec<Packet> = stream.sources().iter().map(own).collect();
    Run::encoder(
        Row::Akasamq,
        stream,
        packets,
        |_| {},
        |packets| {
            let mut len = 0;
            for packet in packets.iter() {
                let bytes = packet.encode().expect("the packet is valid");
                len += black_box(bytes.as_ref()).len();
            }
            len as u64
        },
        |packets| {
            let mut all = Vec::new();
            for packet in packets {
                all.extend(packet.encode().expect("the packet is valid").as_ref());
            }
            all
        },
    )
}

fn own(packet: &value::Packet) -> Packet {
    match packet {
        value::Packet::Connect(connect) => Packet::Connect(Connect {
            protocol: Protocol::V311,
            clean_session: connect.clean_start,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.as_str().into(),
            last_will: Some(LastWill {
                qos: quality(connect.will.qos),
                retain: connect.will.retain,
                topic_name: topic(&connect.will.topic),
                message: Bytes::from(connect.will.payload.clone()),
            }),
            username: Some(connect.username.as_str().into()),
            password: Some(Bytes::from(connect.password.clone())),
        }),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: false,
            retain: publish.retain,
            qos_pid: delivery(publish),
            topic_name: topic(&publish.topic),
            payload: Bytes::from(publish.payload.clone()),
        }),
        value::Packet::PubAck(ack) => Packet::Puback(id(ack.id)),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pid: id(subscribe.id),
            topics: subscribe
                .filters
                .iter()
                .map(|filter| (topic_filter(&filter.path), quality(filter.qos)))
                .collect(),
        }),
    }
}

pub fn delivery(publish: &value::Publish) -> QosPid {
    match publish.qos {
        0 => QosPid::Level0,
        1 => QosPid::Level1(id(publish.id)),
        _ => QosPid::Level2(id(publish.id)),
    }
}

pub fn quality(level: u8) -> QoS {
    QoS::from_u8(level).expect("the stream is valid")
}

pub fn id(id: u16) -> Pid {
    Pid::try_from(id).expect("the stream is valid")
}

pub fn topic(topic: &str) -> TopicName {
    TopicName::try_from(topic).expect("the stream is valid")
}

pub fn topic_filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).expect("the stream is valid")
}

pub fn judge(bytes: &[u8]) -> Verdict {
    let Some((first, len)) = frame(bytes) else {
        return Verdict::Refused;
    };
    if len > bytes.len() {
        return Verdict::Waits;
    }
    match read(first, &bytes[..len]) {
        Ok(_) => Verdict::Accepted,
        Err(_) => Verdict::Refused,
    }
}
