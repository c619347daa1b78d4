//! mqtt-protocol-core, module `v5_0`.
//!
//! Its parsers take the body of one packet, a PUBLISH as an `Arc<[u8]>`. The
//! stream is framed by [`frame`], which is faster than its `PacketBuilder`.

use std::hint::black_box;
use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::v5_0::{Connack, Connect, Puback, Publish, Subscribe};
use mqtt_protocol_core::mqtt::packet::{
    ContentType, CorrelationData, GenericPacketTrait, MessageExpiryInterval, Packet, Properties, Property,
    ReceiveMaximum, RetainHandling, SessionExpiryInterval, SubEntry, SubOpts, SubscriptionIdentifier, UserProperty,
    WillDelayInterval,
};
use mqtt_protocol_core::mqtt::result_code::{MqttError, PubackReasonCode};

use super::Verdict;
use super::floors::{frame, header_len};
use super::protocol_core_v3::{exactly, quality};
use crate::checksum::{Checksum, options};
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value;
use crate::wire::property;

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
        1 => exactly(body, Connect::parse).map(Packet::V5_0Connect),
        2 => exactly(body, Connack::parse).map(Packet::V5_0Connack),
        3 => Publish::parse(first & 0x0f, Arc::from(body)).map(|(packet, _)| Packet::V5_0Publish(packet)),
        4 => exactly(body, Puback::parse).map(Packet::V5_0Puback),
        8 => exactly(body, Subscribe::parse).map(Packet::V5_0Subscribe),
        _ => Err(MqttError::MalformedPacket),
    }
}

#[inline(always)]
fn add(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::V5_0Connect(connect) => add_connect(sum, connect),
        Packet::V5_0Publish(publish) => {
            sum.publish(
                (publish.dup(), publish.qos() as u8, publish.retain()),
                publish.packet_id().unwrap_or(0),
                publish.topic_name().as_bytes(),
                publish.payload().as_slice(),
            );
            add_properties(sum, publish.props());
        }
        Packet::V5_0Puback(ack) => {
            let reason = ack.reason_code().map_or(0, |reason| reason as u8);
            sum.puback(ack.packet_id(), reason);
            if let Some(properties) = ack.props() {
                add_properties(sum, properties);
            }
        }
        Packet::V5_0Subscribe(subscribe) => {
            sum.subscribe(subscribe.packet_id());
            add_properties(sum, subscribe.props());
            for entry in subscribe.entries() {
                let opts = entry.sub_opts();
                let options = options(opts.qos() as u8, opts.nl(), opts.rap(), opts.rh() as u8);
                sum.filter(entry.topic_filter().as_bytes(), options);
            }
        }
        other => unreachable!("no stream holds {other:?}"),
    }
}

#[inline(always)]
fn add_connect(sum: &mut Checksum, connect: &Connect) {
    sum.connect(
        connect.clean_start(),
        connect.keep_alive(),
        connect.client_id().as_bytes(),
    );
    add_properties(sum, connect.props());
    if let (Some(topic), Some(payload)) = (connect.will_topic(), connect.will_payload()) {
        sum.will(
            connect.will_qos() as u8,
            connect.will_retain(),
            topic.as_bytes(),
            payload,
        );
        add_properties(sum, connect.will_props());
    }
    if let Some(username) = connect.user_name() {
        sum.username(username.as_bytes());
    }
    if let Some(password) = connect.password() {
        sum.password(password);
    }
}

#[inline(always)]
fn add_properties(sum: &mut Checksum, properties: &[Property]) {
    for property in properties {
        match property {
            Property::MessageExpiryInterval(value) => {
                sum.property_number(property::MESSAGE_EXPIRY, value.val());
            }
            Property::SessionExpiryInterval(value) => {
                sum.property_number(property::SESSION_EXPIRY, value.val());
            }
            Property::WillDelayInterval(value) => {
                sum.property_number(property::WILL_DELAY, value.val());
            }
            Property::ReceiveMaximum(value) => {
                sum.property_number(property::RECEIVE_MAXIMUM, u32::from(value.val()));
            }
            Property::SubscriptionIdentifier(value) => {
                sum.property_number(property::SUBSCRIPTION_ID, value.val());
            }
            Property::ContentType(value) => {
                sum.property_bytes(property::CONTENT_TYPE, value.val().as_bytes());
            }
            Property::CorrelationData(value) => {
                sum.property_bytes(property::CORRELATION_DATA, value.val());
            }
            Property::UserProperty(pair) => {
                sum.user_property(pair.key().as_bytes(), pair.val().as_bytes());
            }
            other => unreachable!("no stream holds {other}"),
        }
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
        value::Packet::Connect(connect) => own_connect(connect).map(Packet::V5_0Connect),
        value::Packet::Publish(publish) => own_publish(publish).map(Packet::V5_0Publish),
        value::Packet::PubAck(ack) => own_puback(ack).map(Packet::V5_0Puback),
        value::Packet::Subscribe(subscribe) => own_subscribe(subscribe).map(Packet::V5_0Subscribe),
    }
    .expect("the stream is valid")
}

fn own_connect(connect: &value::Connect) -> Result<Connect, MqttError> {
    Connect::builder()
        .clean_start(connect.clean_start)
        .keep_alive(connect.keep_alive)
        .props(vec![
            SessionExpiryInterval::new(connect.session_expiry)?.into(),
            ReceiveMaximum::new(connect.receive_maximum)?.into(),
        ])
        .client_id(connect.client_id.as_str())?
        .will_message(
            connect.will.topic.as_str(),
            connect.will.payload.clone(),
            quality(connect.will.qos),
            connect.will.retain,
        )?
        .will_props(vec![WillDelayInterval::new(connect.will.delay)?.into()])
        .user_name(connect.username.as_str())?
        .password(connect.password.clone().into_bytes())?
        .build()
}

fn own_publish(publish: &value::Publish) -> Result<Publish, MqttError> {
    let builder = Publish::builder()
        .topic_name(publish.topic.as_str())?
        .qos(quality(publish.qos))
        .retain(publish.retain)
        .payload(publish.payload.clone());
    let builder = match publish.id {
        0 => builder,
        id => builder.packet_id(id),
    };
    match &publish.properties {
        Some(properties) => builder.props(own_publish_properties(properties)?).build(),
        None => builder.build(),
    }
}

fn own_publish_properties(properties: &value::PublishProperties) -> Result<Properties, MqttError> {
    let mut all = vec![
        MessageExpiryInterval::new(properties.expiry)?.into(),
        ContentType::new(properties.content_type.as_str())?.into(),
        CorrelationData::new(properties.correlation_data.clone())?.into(),
    ];
    for (name, value) in &properties.user {
        all.push(UserProperty::new(name.as_str(), value.as_str())?.into());
    }
    Ok(all)
}

fn own_puback(ack: &value::PubAck) -> Result<Puback, MqttError> {
    let builder = Puback::builder().packet_id(ack.id);
    match ack.reason {
        0 => builder.build(),
        _ => builder.reason_code(PubackReasonCode::NoMatchingSubscribers).build(),
    }
}

fn own_subscribe(subscribe: &value::Subscribe) -> Result<Subscribe, MqttError> {
    let mut entries = Vec::new();
    for filter in &subscribe.filters {
        let options = SubOpts::new()
            .set_qos(quality(filter.qos))
            .set_nl(filter.no_local)
            .set_rap(filter.retain_as_published)
            .set_rh(match filter.retain_handling {
                0 => RetainHandling::SendRetained,
                1 => RetainHandling::SendRetainedIfNotExists,
                _ => RetainHandling::DoNotSendRetained,
            });
        entries.push(SubEntry::new(filter.path.as_str(), options)?);
    }
    Subscribe::builder()
        .packet_id(subscribe.id)
        .props(vec![SubscriptionIdentifier::new(subscribe.subscription_id)?.into()])
        .entries(entries)
        .build()
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
