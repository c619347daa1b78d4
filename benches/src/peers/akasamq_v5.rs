//! mqtt-proto of the registry (akasamq), module `v5`, MQTT 5.0.
//!
//! Header and body are decoded by its synchronous functions over a buffer,
//! which are faster than its `Packet::decode`.

use std::hint::black_box;

use bytes::Bytes;
use peer::v5::{
    Connect, ConnectProperties, ErrorV5, Header, LastWill, Packet, Puback, PubackProperties, PubackReasonCode, Publish,
    PublishProperties, RetainHandling, Subscribe, SubscribeProperties, SubscriptionOptions, UserProperty, VarByteInt,
    WillProperties,
};
use peer::{Pid, PollHeader, Protocol};

use super::Verdict;
use super::akasamq_v3::{delivery, id, quality, topic, topic_filter};
use super::floors::frame;
use crate::checksum::Checksum;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;
use crate::wire::property;

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
fn read(first: u8, whole: &[u8]) -> Result<Packet, ErrorV5> {
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
        Packet::Connect(connect) => add_connect(sum, connect),
        Packet::Publish(publish) => {
            sum.publish(
                (publish.dup, publish.qos_pid.qos() as u8, publish.retain),
                publish.qos_pid.pid().map_or(0, Pid::value),
                publish.topic_name.as_bytes(),
                &publish.payload,
            );
            add_publish_properties(sum, &publish.properties);
        }
        Packet::Puback(ack) => {
            sum.puback(ack.pid.value(), ack.reason_code as u8);
            if let Some(reason) = &ack.properties.reason_string {
                sum.property_bytes(property::REASON_STRING, reason.as_bytes());
            }
            add_user_properties(sum, &ack.properties.user_properties);
        }
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.pid.value());
            if let Some(id) = subscribe.properties.subscription_id {
                sum.property_number(property::SUBSCRIPTION_ID, id.value());
            }
            add_user_properties(sum, &subscribe.properties.user_properties);
            for (filter, options) in &subscribe.topics {
                sum.filter(filter.as_bytes(), options.to_u8());
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

#[inline(always)]
fn add_connect(sum: &mut Checksum, connect: &Connect) {
    sum.connect(connect.clean_start, connect.keep_alive, connect.client_id.as_bytes());
    add_connect_properties(sum, &connect.properties);
    if let Some(will) = &connect.last_will {
        sum.will(will.qos as u8, will.retain, will.topic_name.as_bytes(), &will.payload);
        add_will_properties(sum, &will.properties);
    }
    if let Some(username) = &connect.username {
        sum.username(username.as_bytes());
    }
    if let Some(password) = &connect.password {
        sum.password(password);
    }
}

#[inline(always)]
fn add_connect_properties(sum: &mut Checksum, properties: &ConnectProperties) {
    if let Some(value) = properties.session_expiry_interval {
        sum.property_number(property::SESSION_EXPIRY, value);
    }
    if let Some(value) = properties.receive_max {
        sum.property_number(property::RECEIVE_MAXIMUM, u32::from(value));
    }
    if let Some(value) = properties.max_packet_size {
        sum.property_number(property::MAXIMUM_PACKET_SIZE, value);
    }
    if let Some(value) = properties.topic_alias_max {
        sum.property_number(property::TOPIC_ALIAS_MAXIMUM, u32::from(value));
    }
    if let Some(value) = properties.request_response_info {
        sum.property_number(property::REQUEST_RESPONSE, u32::from(value));
    }
    if let Some(value) = properties.request_problem_info {
        sum.property_number(property::REQUEST_PROBLEM, u32::from(value));
    }
    add_user_properties(sum, &properties.user_properties);
    if let Some(value) = &properties.auth_method {
        sum.property_bytes(property::AUTHENTICATION_METHOD, value.as_bytes());
    }
    if let Some(value) = &properties.auth_data {
        sum.property_bytes(property::AUTHENTICATION_DATA, value);
    }
}

#[inline(always)]
fn add_will_properties(sum: &mut Checksum, properties: &WillProperties) {
    if let Some(value) = properties.delay_interval {
        sum.property_number(property::WILL_DELAY, value);
    }
    if let Some(value) = properties.payload_is_utf8 {
        sum.property_number(property::PAYLOAD_FORMAT, u32::from(value));
    }
    if let Some(value) = properties.message_expiry_interval {
        sum.property_number(property::MESSAGE_EXPIRY, value);
    }
    if let Some(value) = &properties.content_type {
        sum.property_bytes(property::CONTENT_TYPE, value.as_bytes());
    }
    if let Some(value) = &properties.response_topic {
        sum.property_bytes(property::RESPONSE_TOPIC, value.as_bytes());
    }
    if let Some(value) = &properties.correlation_data {
        sum.property_bytes(property::CORRELATION_DATA, value);
    }
    add_user_properties(sum, &properties.user_properties);
}

#[inline(always)]
fn add_publish_properties(sum: &mut Checksum, properties: &PublishProperties) {
    if let Some(value) = properties.payload_is_utf8 {
        sum.property_number(property::PAYLOAD_FORMAT, u32::from(value));
    }
    if let Some(value) = properties.message_expiry_interval {
        sum.property_number(property::MESSAGE_EXPIRY, value);
    }
    if let Some(value) = properties.topic_alias {
        sum.property_number(property::TOPIC_ALIAS, u32::from(value));
    }
    if let Some(value) = &properties.response_topic {
        sum.property_bytes(property::RESPONSE_TOPIC, value.as_bytes());
    }
    if let Some(value) = &properties.correlation_data {
        sum.property_bytes(property::CORRELATION_DATA, value);
    }
    add_user_properties(sum, &properties.user_properties);
    if let Some(id) = properties.subscription_id {
        sum.property_number(property::SUBSCRIPTION_ID, id.value());
    }
    if let Some(value) = &properties.content_type {
        sum.property_bytes(property::CONTENT_TYPE, value.as_bytes());
    }
}

#[inline(always)]
fn add_user_properties(sum: &mut Checksum, properties: &[UserProperty]) {
    for property in properties {
        sum.user_property(property.name.as_bytes(), property.value.as_bytes());
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
        value::Packet::Connect(connect) => Packet::Connect(own_connect(connect)),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: false,
            retain: publish.retain,
            qos_pid: delivery(publish),
            topic_name: topic(&publish.topic),
            payload: Bytes::from(publish.payload.clone()),
            properties: publish
                .properties
                .as_ref()
                .map(own_publish_properties)
                .unwrap_or_default(),
        }),
        value::Packet::PubAck(ack) => Packet::Puback(Puback {
            pid: id(ack.id),
            reason_code: PubackReasonCode::from_u8(ack.reason).expect("the stream is valid"),
            properties: PubackProperties::default(),
        }),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pid: id(subscribe.id),
            properties: SubscribeProperties {
                subscription_id: Some(VarByteInt::try_from(subscribe.subscription_id).expect("the stream is valid")),
                user_properties: Vec::new(),
            },
            topics: subscribe
                .filters
                .iter()
                .map(|filter| (topic_filter(&filter.path), own_options(filter)))
                .collect(),
        }),
    }
}

fn own_connect(connect: &value::Connect) -> Connect {
    Connect {
        protocol: Protocol::V500,
        clean_start: connect.clean_start,
        keep_alive: connect.keep_alive,
        properties: ConnectProperties {
            session_expiry_interval: Some(connect.session_expiry),
            receive_max: Some(connect.receive_maximum),
            ..ConnectProperties::default()
        },
        client_id: connect.client_id.as_str().into(),
        last_will: Some(LastWill {
            qos: quality(connect.will.qos),
            retain: connect.will.retain,
            topic_name: topic(&connect.will.topic),
            payload: Bytes::from(connect.will.payload.clone()),
            properties: WillProperties {
                delay_interval: Some(connect.will.delay),
                ..WillProperties::default()
            },
        }),
        username: Some(connect.username.as_str().into()),
        password: Some(Bytes::from(connect.password.clone())),
    }
}

fn own_publish_properties(properties: &value::PublishProperties) -> PublishProperties {
    PublishProperties {
        message_expiry_interval: Some(properties.expiry),
        content_type: Some(properties.content_type.as_str().into()),
        correlation_data: Some(Bytes::from(properties.correlation_data.clone())),
        user_properties: properties
            .user
            .iter()
            .map(|(name, value)| UserProperty {
                name: name.as_str().into(),
                value: value.as_str().into(),
            })
            .collect(),
        ..PublishProperties::default()
    }
}

fn own_options(filter: &value::Filter) -> SubscriptionOptions {
    SubscriptionOptions {
        max_qos: quality(filter.qos),
        no_local: filter.no_local,
        retain_as_published: filter.retain_as_published,
        retain_handling: RetainHandling::from_u8(filter.retain_handling).expect("the stream is valid"),
    }
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
