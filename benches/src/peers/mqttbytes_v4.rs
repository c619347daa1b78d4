//! mqttbytes, module `v4`, MQTT 3.1.1.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use mqttbytes::v4::{Connect, LastWill, Login, Packet, PubAck, Publish, Subscribe, SubscribeFilter, read};
use mqttbytes::{Error, Protocol, qos};

use super::Verdict;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Mqttbytes,
        stream,
        (BytesMut::with_capacity(bytes.len()), bytes),
        |(buffer, bytes)| buffer.extend_from_slice(bytes),
        |(buffer, _)| {
            let mut sum = Checksum::default();
            while !buffer.is_empty() {
                let packet = read(buffer, usize::MAX).expect("the stream is valid");
                add(&mut sum, &packet);
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::Connect(connect) => {
            sum.connect(connect.clean_session, connect.keep_alive, connect.client_id.as_bytes());
            if let Some(will) = &connect.last_will {
                sum.will(will.qos as u8, will.retain, will.topic.as_bytes(), &will.message);
            }
            if let Some(login) = &connect.login {
                sum.username(login.username.as_bytes());
                sum.password(login.password.as_bytes());
            }
        }
        Packet::Publish(publish) => sum.publish(
            (publish.dup, publish.qos as u8, publish.retain),
            publish.pkid,
            publish.topic.as_bytes(),
            &publish.payload,
        ),
        Packet::PubAck(ack) => sum.puback(ack.pkid, 0),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.pkid);
            for filter in &subscribe.filters {
                sum.filter(filter.path.as_bytes(), filter.qos as u8);
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

pub fn encode(stream: &Stream) -> Run {
    let packets: Vec<Packet> = stream.sources().iter().map(own).collect();
    let alone = stream.one_at_a_time();
    Run::encoder(
        Row::Mqttbytes,
        stream,
        (packets, BytesMut::with_capacity(stream.bytes.len() * 2)),
        |_| {},
        move |(packets, buffer)| {
            let mut len = 0;
            buffer.clear();
            for packet in packets.iter() {
                if alone {
                    buffer.clear();
                }
                let before = buffer.len();
                write(packet, buffer);
                len += buffer.len() - before;
                black_box(&*buffer);
            }
            len as u64
        },
        |(packets, _)| {
            let mut all = Vec::new();
            for packet in packets {
                let mut one = BytesMut::new();
                write(packet, &mut one);
                all.extend(one);
            }
            all
        },
    )
}

#[inline(always)]
fn write(packet: &Packet, buffer: &mut BytesMut) {
    match packet {
        Packet::Connect(connect) => connect.write(buffer),
        Packet::Publish(publish) => publish.write(buffer),
        Packet::PubAck(ack) => ack.write(buffer),
        Packet::Subscribe(subscribe) => subscribe.write(buffer),
        other => unreachable!("no stream holds {other:?}"),
    }
    .expect("the packet is valid");
}

fn own(packet: &value::Packet) -> Packet {
    let level = |number| qos(number).expect("the stream is valid");
    match packet {
        value::Packet::Connect(connect) => Packet::Connect(Connect {
            protocol: Protocol::V4,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.clone(),
            clean_session: connect.clean_start,
            last_will: Some(LastWill {
                topic: connect.will.topic.clone(),
                message: Bytes::from(connect.will.payload.clone()),
                qos: level(connect.will.qos),
                retain: connect.will.retain,
            }),
            login: Some(Login::new(&connect.username, &connect.password)),
        }),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: false,
            qos: level(publish.qos),
            retain: publish.retain,
            topic: publish.topic.clone(),
            pkid: publish.id,
            payload: Bytes::from(publish.payload.clone()),
        }),
        value::Packet::PubAck(ack) => Packet::PubAck(PubAck::new(ack.id)),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pkid: subscribe.id,
            filters: subscribe
                .filters
                .iter()
                .map(|filter| SubscribeFilter {
                    path: filter.path.clone(),
                    qos: level(filter.qos),
                })
                .collect(),
        }),
    }
}

pub fn judge(frame: &[u8]) -> Verdict {
    match read(&mut BytesMut::from(frame), usize::MAX) {
        Ok(_) => Verdict::Accepted,
        Err(Error::InsufficientBytes(_)) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}
