//! rumqttc, module `v5::mqttbytes`, MQTT 5.0.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, Filter, LastWill, LastWillProperties, Login, Packet, PubAck, PubAckReason, Publish,
    PublishProperties, RetainForwardRule, Subscribe, SubscribeProperties,
};
use rumqttc::v5::mqttbytes::{Error, qos};

use super::Verdict;
use crate::checksum::{Checksum, options};
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;
use crate::wire::property;

pub fn decode(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Rumqttc,
        stream,
        (BytesMut::with_capacity(bytes.len()), bytes),
        |(buffer, bytes)| buffer.extend_from_slice(bytes),
        |(buffer, _)| {
            let mut sum = Checksum::default();
            while !buffer.is_empty() {
                let packet = Packet::read(buffer, None).expect("the stream is valid");
                add(&mut sum, &packet);
            }
            sum.finish()
        },
    )
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::Connect(connect, will, login) => {
            sum.connect(connect.clean_start, connect.keep_alive, connect.client_id.as_bytes());
            if let Some(properties) = &connect.properties {
                add_connect_properties(sum, properties);
            }
            if let Some(will) = will {
                sum.will(will.qos as u8, will.retain, &will.topic, &will.message);
                if let Some(properties) = &will.properties {
                    add_will_properties(sum, properties);
                }
            }
            if let Some(login) = login {
                sum.username(login.username.as_bytes());
                sum.password(login.password.as_bytes());
            }
        }
        Packet::Publish(publish) => {
            sum.publish(
                (publish.dup, publish.qos as u8, publish.retain),
                publish.pkid,
                &publish.topic,
                &publish.payload,
            );
            if let Some(properties) = &publish.properties {
                add_publish_properties(sum, properties);
            }
        }
        Packet::PubAck(ack) => add_puback(sum, ack),
        Packet::Subscribe(subscribe) => add_subscribe(sum, subscribe),
        other => unreachable!("no stream holds {other:?}"),
    }
}

#[inline(always)]
fn add_puback(sum: &mut Checksum, ack: &PubAck) {
    sum.puback(ack.pkid, reason_code(ack.reason));
    if let Some(properties) = &ack.properties {
        if let Some(reason) = &properties.reason_string {
            sum.property_bytes(property::REASON_STRING, reason.as_bytes());
        }
        add_user_properties(sum, &properties.user_properties);
    }
}

/// The reasons of this crate are numbered by their place, not by their code.
#[inline(always)]
fn reason_code(reason: PubAckReason) -> u8 {
    match reason {
        PubAckReason::Success => 0,
        PubAckReason::NoMatchingSubscribers => 16,
        PubAckReason::UnspecifiedError => 128,
        PubAckReason::ImplementationSpecificError => 131,
        PubAckReason::NotAuthorized => 135,
        PubAckReason::TopicNameInvalid => 144,
        PubAckReason::PacketIdentifierInUse => 145,
        PubAckReason::QuotaExceeded => 151,
        PubAckReason::PayloadFormatInvalid => 153,
    }
}

#[inline(always)]
fn add_subscribe(sum: &mut Checksum, subscribe: &Subscribe) {
    sum.subscribe(subscribe.pkid);
    if let Some(properties) = &subscribe.properties {
        if let Some(id) = properties.id {
            sum.property_number(property::SUBSCRIPTION_ID, id as u32);
        }
        add_user_properties(sum, &properties.user_properties);
    }
    for filter in &subscribe.filters {
        let retain_handling = match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => 0,
            RetainForwardRule::OnNewSubscribe => 1,
            RetainForwardRule::Never => 2,
        };
        let options = options(
            filter.qos as u8,
            filter.nolocal,
            filter.preserve_retain,
            retain_handling,
        );
        sum.filter(filter.path.as_bytes(), options);
    }
}

#[inline(always)]
fn add_connect_properties(sum: &mut Checksum, properties: &ConnectProperties) {
    if let Some(value) = properties.session_expiry_interval {
        sum.property_number(property::SESSION_EXPIRY, value);
    }
    if let Some(value) = properties.receive_maximum {
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
    if let Some(value) = &properties.authentication_method {
        sum.property_bytes(property::AUTHENTICATION_METHOD, value.as_bytes());
    }
    if let Some(value) = &properties.authentication_data {
        sum.property_bytes(property::AUTHENTICATION_DATA, value);
    }
}

#[inline(always)]
fn add_will_properties(sum: &mut Checksum, properties: &LastWillProperties) {
    if let Some(value) = properties.delay_interval {
        sum.property_number(property::WILL_DELAY, value);
    }
    if let Some(value) = properties.payload_format_indicator {
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
    if let Some(value) = properties.payload_format_indicator {
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
    for id in &properties.subscription_identifiers {
        sum.property_number(property::SUBSCRIPTION_ID, *id as u32);
    }
    if let Some(value) = &properties.content_type {
        sum.property_bytes(property::CONTENT_TYPE, value.as_bytes());
    }
}

#[inline(always)]
fn add_user_properties(sum: &mut Checksum, properties: &[(String, String)]) {
    for (name, value) in properties {
        sum.user_property(name.as_bytes(), value.as_bytes());
    }
}

pub fn encode(stream: &Stream) -> Run {
    let packets: Vec<Packet> = stream.sources().iter().map(own).collect();
    let alone = stream.one_at_a_time();
    Run::encoder(
        Row::Rumqttc,
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
    packet.write(buffer, None).expect("the packet is valid");
}

fn own(packet: &value::Packet) -> Packet {
    match packet {
        value::Packet::Connect(connect) => own_connect(connect),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            dup: false,
            qos: qos(publish.qos).expect("the stream is valid"),
            retain: publish.retain,
            topic: Bytes::from(publish.topic.clone()),
            pkid: publish.id,
            payload: Bytes::from(publish.payload.clone()),
            properties: publish.properties.as_ref().map(own_publish_properties),
        }),
        value::Packet::PubAck(ack) => Packet::PubAck(PubAck {
            pkid: ack.id,
            reason: match ack.reason {
                0 => PubAckReason::Success,
                _ => PubAckReason::NoMatchingSubscribers,
            },
            properties: None,
        }),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            pkid: subscribe.id,
            filters: subscribe.filters.iter().map(own_filter).collect(),
            properties: Some(SubscribeProperties {
                id: Some(subscribe.subscription_id as usize),
                user_properties: Vec::new(),
            }),
        }),
    }
}

fn own_connect(connect: &value::Connect) -> Packet {
    let will = LastWill {
        topic: Bytes::from(connect.will.topic.clone()),
        message: Bytes::from(connect.will.payload.clone()),
        qos: qos(connect.will.qos).expect("the stream is valid"),
        retain: connect.will.retain,
        properties: Some(LastWillProperties {
            delay_interval: Some(connect.will.delay),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        }),
    };
    let properties = ConnectProperties {
        session_expiry_interval: Some(connect.session_expiry),
        receive_maximum: Some(connect.receive_maximum),
        ..ConnectProperties::new()
    };
    Packet::Connect(
        Connect {
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.clone(),
            clean_start: connect.clean_start,
            properties: Some(properties),
        },
        Some(will),
        Some(Login::new(&connect.username, &connect.password)),
    )
}

fn own_publish_properties(properties: &value::PublishProperties) -> PublishProperties {
    PublishProperties {
        payload_format_indicator: None,
        message_expiry_interval: Some(properties.expiry),
        topic_alias: None,
        response_topic: None,
        correlation_data: Some(Bytes::from(properties.correlation_data.clone())),
        user_properties: properties.user.to_vec(),
        subscription_identifiers: Vec::new(),
        content_type: Some(properties.content_type.clone()),
    }
}

fn own_filter(filter: &value::Filter) -> Filter {
    Filter {
        path: filter.path.clone(),
        qos: qos(filter.qos).expect("the stream is valid"),
        nolocal: filter.no_local,
        preserve_retain: filter.retain_as_published,
        retain_forward_rule: match filter.retain_handling {
            0 => RetainForwardRule::OnEverySubscribe,
            1 => RetainForwardRule::OnNewSubscribe,
            _ => RetainForwardRule::Never,
        },
    }
}

pub fn judge(frame: &[u8]) -> Verdict {
    match Packet::read(&mut BytesMut::from(frame), None) {
        Ok(_) => Verdict::Accepted,
        Err(Error::InsufficientBytes(_)) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}
