//! mqttrs, MQTT 3.1.1.
//!
//! Its decoder does not say how long the packet was, so its user frames the
//! stream; [`frame`] does it here.

use std::hint::black_box;

use mqttrs::{
    Connect, LastWill, Packet, Pid, Protocol, Publish, QoS, QosPid, Subscribe, SubscribeTopic, decode_slice,
    encode_slice,
};

use super::Verdict;
use super::floors::frame;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Mqttrs,
        stream,
        (bytes.clone(), bytes),
        |(buffer, bytes)| buffer.copy_from_slice(bytes),
        |(buffer, _)| {
            let mut sum = Checksum::default();
            let mut rest = &buffer[..];
            while let Some((_, len)) = frame(rest) {
                let packet = decode_slice(rest)
                    .expect("the stream is valid")
                    .expect("the stream holds whole packets");
                add(&mut sum, &packet);
                rest = &rest[len..];
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet<'_>) {
    match packet {
        Packet::Connect(connect) => {
            sum.connect(connect.clean_session, connect.keep_alive, connect.client_id.as_bytes());
            if let Some(will) = &connect.last_will {
                sum.will(level(will.qos), will.retain, will.topic.as_bytes(), will.message);
            }
            if let Some(username) = connect.username {
                sum.username(username.as_bytes());
            }
            if let Some(password) = connect.password {
                sum.password(password);
            }
        }
        Packet::Publish(publish) => sum.publish(
            (publish.dup, level(publish.qospid.qos()), publish.retain),
            publish.qospid.pid().map_or(0, Pid::get),
            publish.topic_name.as_bytes(),
            publish.payload,
        ),
        Packet::Puback(id) => sum.puback(id.get(), 0),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.pid.get());
            for topic in &subscribe.topics {
                sum.filter(topic.topic_path.as_bytes(), level(topic.qos));
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

#[inline(always)]
fn level(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

pub fn encode(stream: &Stream) -> Run {
    // The packets borrow their texts, and a run owns all that it works on.
    let values: &'static [value::Packet] = stream.sources().to_vec().leak();
    let packets: Vec<Packet<'static>> = values.iter().map(own).collect();
    let alone = stream.one_at_a_time();
    Run::encoder(
        Row::Mqttrs,
        stream,
        (packets, vec![0; stream.bytes.len() + 64]),
        |_| {},
        move |(packets, buffer)| {
            let mut len = 0;
            let mut start = 0;
            for packet in packets.iter() {
                let written = encode_slice(packet, &mut buffer[start..]).expect("the packet is valid");
                len += written;
                if !alone {
                    start += written;
                }
                black_box(&mut *buffer);
            }
            len as u64
        },
        |(packets, _)| {
            let mut all = Vec::new();
            let mut one = vec![0; 8192];
            for packet in packets {
                let len = encode_slice(packet, &mut one).expect("the packet is valid");
                all.extend(&one[..len]);
            }
            all
        },
    )
}

fn own(packet: &'static value::Packet) -> Packet<'static> {
    match packet {
        value::Packet::Connect(connect) => Packet::Connect(Connect {
            protocol: Protocol::MQTT311,
            keep_alive: connect.keep_alive,
            client_id: &connect.client_id,
            clean_session: connect.clean_start,
            last_will: Some(LastWill {
                topic: &connect.will.topic,
                message: &connect.will.payload,
                qos: quality(connect.will.qos),
                retain: connect.will.retain,
            }),
            username: Some(&connect.username),
            password: Some(connect.password.as_bytes()),
        }),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: false,
            qospid: match publish.qos {
                0 => QosPid::AtMostOnce,
                1 => QosPid::AtLeastOnce(id(publish.id)),
                _ => QosPid::ExactlyOnce(id(publish.id)),
            },
            retain: publish.retain,
            topic_name: &publish.topic,
            payload: &publish.payload,
        }),
        value::Packet::PubAck(ack) => Packet::Puback(id(ack.id)),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pid: id(subscribe.id),
            topics: subscribe
                .filters
                .iter()
                .map(|filter| SubscribeTopic {
                    topic_path: filter.path.clone(),
                    qos: quality(filter.qos),
                })
                .collect(),
        }),
    }
}

fn quality(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn id(id: u16) -> Pid {
    Pid::try_from(id).expect("the stream is valid")
}

pub fn judge(frame: &[u8]) -> Verdict {
    match decode_slice(frame) {
        Ok(Some(_)) => Verdict::Accepted,
        Ok(None) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}
