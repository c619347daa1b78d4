//! ntex-mqtt, module `v5`, MQTT 5.0.

use std::hint::black_box;
use std::num::{NonZeroU16, NonZeroU32};

use ntex_bytes::{BytePageSize, BytePages, ByteString, Bytes, BytesMut};
use ntex_codec::{Decoder, Encoder};
use ntex_mqtt::v5::codec::{
    Codec, Connect, Decoded, Encoded, LastWill, Packet, Publish, PublishAck, PublishAckReason, PublishProperties,
    RetainHandling, Subscribe, SubscriptionOptions, UserProperties,
};

use super::Verdict;
use super::ntex_v3::{id, quality};
use crate::checksum::{Checksum, options};
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;
use crate::wire::property;

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
        Decoded::Publish(publish, payload, _) => {
            sum.publish(
                (publish.dup, u8::from(publish.qos), publish.retain),
                publish.packet_id.map_or(0, NonZeroU16::get),
                publish.topic.as_slice(),
                payload,
            );
            add_publish_properties(sum, &publish.properties);
        }
        Decoded::Packet(Packet::Connect(connect), _) => add_connect(sum, connect),
        Decoded::Packet(Packet::PublishAck(ack), _) => {
            sum.puback(ack.packet_id.get(), u8::from(ack.reason_code));
            if let Some(reason) = &ack.reason_string {
                sum.property_bytes(property::REASON_STRING, reason.as_slice());
            }
            add_user_properties(sum, &ack.properties);
        }
        Decoded::Packet(Packet::Subscribe(subscribe), _) => {
            sum.subscribe(subscribe.packet_id.get());
            if let Some(id) = subscribe.id {
                sum.property_number(property::SUBSCRIPTION_ID, id.get());
            }
            add_user_properties(sum, &subscribe.user_properties);
            for (filter, wishes) in &subscribe.topic_filters {
                let options = options(
                    u8::from(wishes.qos),
                    wishes.no_local,
                    wishes.retain_as_published,
                    u8::from(wishes.retain_handling),
                );
                sum.filter(filter.as_slice(), options);
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

/// Where a property has a default, this crate puts the default in its place.
#[inline(always)]
fn add_connect(sum: &mut Checksum, connect: &Connect) {
    sum.connect(connect.clean_start, connect.keep_alive, connect.client_id.as_slice());
    if connect.session_expiry_interval_secs != 0 {
        sum.property_number(property::SESSION_EXPIRY, connect.session_expiry_interval_secs);
    }
    if let Some(value) = connect.receive_max {
        sum.property_number(property::RECEIVE_MAXIMUM, u32::from(value.get()));
    }
    if let Some(value) = connect.max_packet_size {
        sum.property_number(property::MAXIMUM_PACKET_SIZE, value.get());
    }
    if connect.topic_alias_max != 0 {
        let value = u32::from(connect.topic_alias_max);
        sum.property_number(property::TOPIC_ALIAS_MAXIMUM, value);
    }
    if connect.request_response_info {
        sum.property_number(property::REQUEST_RESPONSE, 1);
    }
    if !connect.request_problem_info {
        sum.property_number(property::REQUEST_PROBLEM, 0);
    }
    add_user_properties(sum, &connect.user_properties);
    if let Some(value) = &connect.auth_method {
        sum.property_bytes(property::AUTHENTICATION_METHOD, value.as_slice());
    }
    if let Some(value) = &connect.auth_data {
        sum.property_bytes(property::AUTHENTICATION_DATA, value);
    }
    if let Some(will) = &connect.last_will {
        add_will(sum, will);
    }
    if let Some(username) = &connect.username {
        sum.username(username.as_slice());
    }
    if let Some(password) = &connect.password {
        sum.password(password);
    }
}

#[inline(always)]
fn add_will(sum: &mut Checksum, will: &LastWill) {
    sum.will(u8::from(will.qos), will.retain, will.topic.as_slice(), &will.message);
    if let Some(value) = will.will_delay_interval_sec {
        sum.property_number(property::WILL_DELAY, value);
    }
    if let Some(value) = will.is_utf8_payload {
        sum.property_number(property::PAYLOAD_FORMAT, u32::from(value));
    }
    if let Some(value) = will.message_expiry_interval {
        sum.property_number(property::MESSAGE_EXPIRY, value.get());
    }
    if let Some(value) = &will.content_type {
        sum.property_bytes(property::CONTENT_TYPE, value.as_slice());
    }
    if let Some(value) = &will.response_topic {
        sum.property_bytes(property::RESPONSE_TOPIC, value.as_slice());
    }
    if let Some(value) = &will.correlation_data {
        sum.property_bytes(property::CORRELATION_DATA, value);
    }
    add_user_properties(sum, &will.user_properties);
}

#[inline(always)]
fn add_publish_properties(sum: &mut Checksum, properties: &PublishProperties) {
    if properties.is_utf8_payload {
        sum.property_number(property::PAYLOAD_FORMAT, 1);
    }
    if let Some(value) = properties.message_expiry_interval {
        sum.property_number(property::MESSAGE_EXPIRY, value.get());
    }
    if let Some(value) = properties.topic_alias {
        sum.property_number(property::TOPIC_ALIAS, u32::from(value.get()));
    }
    if let Some(value) = &properties.response_topic {
        sum.property_bytes(property::RESPONSE_TOPIC, value.as_slice());
    }
    if let Some(value) = &properties.correlation_data {
        sum.property_bytes(property::CORRELATION_DATA, value);
    }
    add_user_properties(sum, &properties.user_properties);
    for id in &properties.subscription_ids {
        sum.property_number(property::SUBSCRIPTION_ID, id.get());
    }
    if let Some(value) = &properties.content_type {
        sum.property_bytes(property::CONTENT_TYPE, value.as_slice());
    }
}

#[inline(always)]
fn add_user_properties(sum: &mut Checksum, properties: &UserProperties) {
    for (name, value) in properties {
        sum.user_property(name.as_slice(), value.as_slice());
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
        value::Packet::Connect(connect) => Encoded::Packet(Packet::Connect(Box::new(own_connect(connect)))),
        value::Packet::Publish(publish) => Encoded::Publish(
            Publish {
                dup: false,
                retain: publish.retain,
                qos: quality(publish.qos),
                packet_id: NonZeroU16::new(publish.id),
                topic: ByteString::from(publish.topic.as_str()),
                payload_size: publish.payload.len() as u32,
                properties: publish
                    .properties
                    .as_ref()
                    .map(own_publish_properties)
                    .unwrap_or_default(),
            },
            Some(Bytes::from(publish.payload.clone())),
        ),
        value::Packet::PubAck(ack) => Encoded::Packet(Packet::PublishAck(PublishAck {
            packet_id: id(ack.id),
            reason_code: PublishAckReason::try_from(ack.reason).expect("the stream is valid"),
            properties: UserProperties::new(),
            reason_string: None,
        })),
        value::Packet::Subscribe(subscribe) => Encoded::Packet(Packet::Subscribe(Subscribe {
            packet_id: id(subscribe.id),
            id: NonZeroU32::new(subscribe.subscription_id),
            user_properties: UserProperties::new(),
            topic_filters: subscribe.filters.iter().map(own_filter).collect(),
        })),
    }
}

fn own_connect(connect: &value::Connect) -> Connect {
    Connect {
        clean_start: connect.clean_start,
        keep_alive: connect.keep_alive,
        session_expiry_interval_secs: connect.session_expiry,
        receive_max: NonZeroU16::new(connect.receive_maximum),
        last_will: Some(LastWill {
            qos: quality(connect.will.qos),
            retain: connect.will.retain,
            topic: ByteString::from(connect.will.topic.as_str()),
            message: Bytes::from(connect.will.payload.clone()),
            will_delay_interval_sec: Some(connect.will.delay),
            correlation_data: None,
            message_expiry_interval: None,
            content_type: None,
            user_properties: UserProperties::new(),
            is_utf8_payload: None,
            response_topic: None,
        }),
        client_id: ByteString::from(connect.client_id.as_str()),
        username: Some(ByteString::from(connect.username.as_str())),
        password: Some(Bytes::from(connect.password.clone())),
        ..Connect::default()
    }
}

fn own_publish_properties(properties: &value::PublishProperties) -> PublishProperties {
    PublishProperties {
        correlation_data: Some(Bytes::from(properties.correlation_data.clone())),
        message_expiry_interval: NonZeroU32::new(properties.expiry),
        content_type: Some(ByteString::from(properties.content_type.as_str())),
        user_properties: properties
            .user
            .iter()
            .map(|(name, value)| (ByteString::from(name.as_str()), ByteString::from(value.as_str())))
            .collect(),
        ..PublishProperties::default()
    }
}

fn own_filter(filter: &value::Filter) -> (ByteString, SubscriptionOptions) {
    let wishes = SubscriptionOptions {
        qos: quality(filter.qos),
        no_local: filter.no_local,
        retain_as_published: filter.retain_as_published,
        retain_handling: RetainHandling::try_from(filter.retain_handling).expect("the stream is valid"),
    };
    (ByteString::from(filter.path.as_str()), wishes)
}

pub fn judge(frame: &[u8]) -> Verdict {
    match Codec::new().decode(&mut BytesMut::copy_from_slice(frame)) {
        Ok(Some(_)) => Verdict::Accepted,
        Ok(None) => Verdict::Waits,
        Err(_) => Verdict::Refused,
    }
}
