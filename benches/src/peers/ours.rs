//! The codec of this project, decoding: the borrowed view and the owned form.

use bytes::BytesMut;
use ours::{Connect, Decoded, Packet, PacketId, Properties, Property, Rules, Section, Version, decode as decode_one};

use super::Verdict;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value::Protocol;

pub fn version(protocol: Protocol) -> Version {
    match protocol {
        Protocol::V3 => Version::V3_1_1,
        Protocol::V5 => Version::V5,
    }
}

/// Views that borrow the buffer.
pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    let rules = Rules::new(version(stream.protocol));
    Run::decoder(
        Row::Ours,
        stream,
        (bytes.clone(), bytes),
        |(buffer, bytes)| buffer.copy_from_slice(bytes),
        move |(buffer, _)| {
            let mut sum = Checksum::default();
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                let decoded = decode_one(rest, &rules).expect("the stream is valid");
                let Decoded::Packet { packet, len } = decoded else {
                    unreachable!("the stream holds whole packets")
                };
                add(&mut sum, &packet);
                rest = &rest[len..];
            }
            sum.finish()
        },
    )
}

/// Packets that share the memory of the receive buffer.
pub fn decode_owned(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    let rules = Rules::new(version(stream.protocol));
    Run::decoder(
        Row::OursOwned,
        stream,
        (BytesMut::with_capacity(bytes.len()), bytes),
        |(buffer, bytes)| buffer.extend_from_slice(bytes),
        move |(buffer, _)| {
            let mut sum = Checksum::default();
            while !buffer.is_empty() {
                let packet = Packet::take(buffer, &rules)
                    .expect("the stream is valid")
                    .expect("the stream holds whole packets");
                add(&mut sum, &packet);
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn add<B: AsRef<[u8]>>(sum: &mut Checksum, packet: &Packet<B>) {
    match packet {
        Packet::Publish(publish) => {
            let delivery = publish.delivery;
            sum.publish(
                (delivery.dup(), delivery.qos().bits(), publish.retain),
                delivery.id().map_or(0, PacketId::get),
                publish.topic.as_ref().map_or(&[], |topic| topic.as_bytes()),
                publish.payload.as_ref(),
            );
            add_properties(sum, &publish.properties);
        }
        Packet::PubAck(ack) => {
            sum.puback(ack.id.get(), ack.reason.value());
            add_properties(sum, &ack.properties);
        }
        Packet::Connect(connect) => add_connect(sum, connect),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.id.get());
            add_properties(sum, &subscribe.properties);
            for subscription in subscribe.filters.iter() {
                sum.filter(subscription.filter.as_bytes(), subscription.options.bits());
            }
        }
        _ => unreachable!("no stream holds another packet"),
    }
}

#[inline(always)]
fn add_connect<B: AsRef<[u8]>>(sum: &mut Checksum, connect: &Connect<B>) {
    sum.connect(connect.clean_start, connect.keep_alive, connect.client_id.as_bytes());
    add_properties(sum, &connect.properties);
    if let Some(will) = &connect.will {
        sum.will(
            will.qos.bits(),
            will.retain,
            will.topic.as_bytes(),
            will.payload.as_bytes(),
        );
        add_properties(sum, &will.properties);
    }
    if let Some(username) = &connect.username {
        sum.username(username.as_bytes());
    }
    if let Some(password) = &connect.password {
        sum.password(password.as_bytes());
    }
}

#[inline(always)]
fn add_properties<S: Section, B: AsRef<[u8]>>(sum: &mut Checksum, properties: &Properties<S, B>) {
    for property in properties {
        let id = property.id().number();
        match property {
            Property::MessageExpiryInterval(value)
            | Property::SessionExpiryInterval(value)
            | Property::WillDelayInterval(value) => sum.property_number(id, value),
            Property::ReceiveMaximum(value) => sum.property_number(id, u32::from(value.get())),
            Property::SubscriptionIdentifier(value) => sum.property_number(id, value.get()),
            Property::ContentType(text) => sum.property_bytes(id, text.as_bytes()),
            Property::CorrelationData(data) => sum.property_bytes(id, data.as_bytes()),
            Property::UserProperty(name, value) => {
                sum.user_property(name.as_bytes(), value.as_bytes());
            }
            other => unreachable!("no stream holds {:?}", other.id()),
        }
    }
}

fn judge(frame: &[u8], version: Version) -> Verdict {
    match decode_one(frame, &Rules::new(version)) {
        Ok(Decoded::Packet { .. }) => Verdict::Accepted,
        Ok(Decoded::Incomplete { .. }) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}

pub fn judge_v3(frame: &[u8]) -> Verdict {
    judge(frame, Version::V3_1_1)
}

pub fn judge_v5(frame: &[u8]) -> Verdict {
    judge(frame, Version::V5)
}

/// The checksum of packets that some encoder made.
pub fn checksum(mut bytes: &[u8], protocol: Protocol) -> Option<u64> {
    let rules = Rules::new(version(protocol));
    let mut sum = Checksum::default();
    while !bytes.is_empty() {
        let Ok(Decoded::Packet { packet, len }) = decode_one(bytes, &rules) else {
            return None;
        };
        add(&mut sum, &packet);
        bytes = &bytes[len..];
    }
    Some(sum.finish())
}
