//! The codec of this project, encoding: into a slice, into a growable buffer,
//! and in parts of which all but the head is shared between subscribers.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use ours::{
    Binary, Connect, Delivery, Filters, Packet, PacketId, Properties, PubAck, PubAckReason, Publish, PublishHead, QoS,
    RetainHandling, SharedPublish, Subscribe, SubscriptionId, SubscriptionOptions, Text, TopicName, Version, Will,
    section,
};

use super::ours::version;
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::value::{self, Protocol};

/// Into a slice.
pub fn encode(stream: &Stream) -> Run {
    let packets = own_all(stream);
    let version = version(stream.protocol);
    let alone = stream.one_at_a_time();
    Run::encoder(
        Row::Ours,
        stream,
        (packets, vec![0; stream.bytes.len()]),
        |_| {},
        move |(packets, buffer)| {
            let mut len = 0;
            let mut start = 0;
            for packet in packets.iter() {
                let written = packet
                    .encode(version, &mut buffer[start..])
                    .expect("the packet is valid");
                len += written;
                if !alone {
                    start += written;
                }
                black_box(&mut *buffer);
            }
            len as u64
        },
        move |(packets, _)| {
            let mut all = Vec::new();
            let mut one = vec![0; 8192];
            for packet in packets {
                let len = packet.encode(version, &mut one).expect("the packet is valid");
                all.extend(&one[..len]);
            }
            all
        },
    )
}

/// Into a growable buffer, as most of the others do.
pub fn encode_to_buffer(stream: &Stream) -> Run {
    let packets = own_all(stream);
    let version = version(stream.protocol);
    let alone = stream.one_at_a_time();
    Run::encoder(
        Row::OursBuffer,
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
                len += packet.encode_to(version, buffer).expect("the packet is valid");
                black_box(&*buffer);
            }
            len as u64
        },
        move |(packets, _)| {
            let mut all = BytesMut::new();
            for packet in packets {
                packet.encode_to(version, &mut all).expect("the packet is valid");
            }
            all.to_vec()
        },
    )
}

/// A PUBLISH in parts: the head is written for this subscriber, properties and
/// payload are slices of what is shared. For streams of PUBLISH alone.
pub fn encode_parts(stream: &Stream) -> Run {
    let messages: Vec<Message> = stream
        .sources()
        .iter()
        .map(|packet| match packet {
            value::Packet::Publish(publish) => Message::own(publish, stream.protocol),
            other => unreachable!("no message: {other:?}"),
        })
        .collect();
    Run::encoder(
        Row::OursParts,
        stream,
        (messages, vec![0; stream.bytes.len()]),
        |_| {},
        |(messages, heads)| {
            let mut len = 0;
            let mut start = 0;
            for message in messages.iter() {
                let head_len = message.encode_head(&mut heads[start..]);
                let [properties, payload] = message.shared.parts();
                let parts = black_box([&heads[start..start + head_len], properties, payload]);
                len += parts.iter().map(|part| part.len()).sum::<usize>();
                start += head_len;
            }
            len as u64
        },
        |(messages, _)| {
            let mut all = Vec::new();
            let mut head = vec![0; 1024];
            for message in messages {
                let head_len = message.encode_head(&mut head);
                all.extend(&head[..head_len]);
                all.extend(message.shared.parts().concat());
            }
            all
        },
    )
}

/// What is shared between subscribers, and what one of them has of its own.
struct Message {
    shared: SharedPublish<Bytes>,
    delivery: Delivery,
    retain: bool,
    topic: TopicName<Bytes>,
    own: Properties<section::Publish, Bytes>,
}

impl Message {
    fn own(publish: &value::Publish, protocol: Protocol) -> Self {
        let mut own = Properties::<section::Publish, _>::builder();
        let mut shared = Properties::<section::Publish, _>::builder();
        if let Some(properties) = &publish.properties {
            own = own.message_expiry(properties.expiry);
            shared = shared
                .content_type(&properties.content_type)
                .correlation_data(&properties.correlation_data);
            for (name, value) in &properties.user {
                shared = shared.user_property(name, value);
            }
        }
        let shared = shared.build().expect("the stream is valid");
        let payload = Bytes::from(publish.payload.clone());
        Self {
            shared: SharedPublish::new(version(protocol), shared, payload).expect("the stream is valid"),
            delivery: delivery(publish),
            retain: publish.retain,
            topic: topic(&publish.topic),
            own: own.build().expect("the stream is valid"),
        }
    }

    #[inline(always)]
    fn encode_head(&self, buffer: &mut [u8]) -> usize {
        let head = PublishHead {
            delivery: self.delivery,
            retain: self.retain,
            topic: Some(self.topic.as_view()),
            own: self.own.as_view(),
        };
        self.shared.encode_head(&head, buffer).expect("the packet is valid")
    }
}

fn own_all(stream: &Stream) -> Vec<Packet<Bytes>> {
    stream
        .sources()
        .iter()
        .map(|packet| own(packet, stream.protocol))
        .collect()
}

fn own(packet: &value::Packet, protocol: Protocol) -> Packet<Bytes> {
    match packet {
        value::Packet::Connect(connect) => Packet::Connect(own_connect(connect, protocol)),
        value::Packet::Publish(publish) => Packet::Publish(Publish {
            delivery: delivery(publish),
            retain: publish.retain,
            topic: Some(topic(&publish.topic)),
            properties: publish
                .properties
                .as_ref()
                .map(own_publish_properties)
                .unwrap_or_default(),
            payload: Bytes::from(publish.payload.clone()),
        }),
        value::Packet::PubAck(ack) => Packet::PubAck(PubAck {
            id: id(ack.id),
            reason: PubAckReason::from_value(ack.reason).expect("the stream is valid"),
            properties: Properties::empty(),
        }),
        value::Packet::Subscribe(subscribe) => Packet::Subscribe(own_subscribe(subscribe, protocol)),
    }
}

fn own_connect(connect: &value::Connect, protocol: Protocol) -> Connect<Bytes> {
    let version = version(protocol);
    let mut properties = Properties::<section::Connect, _>::builder();
    let mut will_properties = Properties::<section::Will, _>::builder();
    if version == Version::V5 {
        properties = properties
            .session_expiry(connect.session_expiry)
            .receive_maximum(connect.receive_maximum);
        will_properties = will_properties.will_delay(connect.will.delay);
    }
    let will = Will {
        qos: quality(connect.will.qos),
        retain: connect.will.retain,
        topic: topic(&connect.will.topic),
        payload: Binary::new(Bytes::from(connect.will.payload.clone())).expect("the stream is valid"),
        properties: will_properties.build().expect("the stream is valid"),
    };
    let password = Bytes::from(connect.password.clone());
    Connect {
        version,
        clean_start: connect.clean_start,
        keep_alive: connect.keep_alive,
        client_id: text(&connect.client_id),
        will: Some(will),
        username: Some(text(&connect.username)),
        password: Some(Binary::new(password).expect("the stream is valid")),
        properties: properties.build().expect("the stream is valid"),
    }
}

fn own_publish_properties(properties: &value::PublishProperties) -> Properties<section::Publish, Bytes> {
    let mut builder = Properties::<section::Publish, _>::builder()
        .message_expiry(properties.expiry)
        .content_type(&properties.content_type)
        .correlation_data(&properties.correlation_data);
    for (name, value) in &properties.user {
        builder = builder.user_property(name, value);
    }
    builder.build().expect("the stream is valid")
}

fn own_subscribe(subscribe: &value::Subscribe, protocol: Protocol) -> Subscribe<Bytes> {
    let v5 = protocol == Protocol::V5;
    let mut filters = Filters::builder();
    for filter in &subscribe.filters {
        let mut options = SubscriptionOptions::new(quality(filter.qos));
        if v5 {
            options.no_local = filter.no_local;
            options.retain_as_published = filter.retain_as_published;
            options.retain_handling = match filter.retain_handling {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            };
        }
        filters = filters.filter(&filter.path, options);
    }
    let mut properties = Properties::<section::Subscribe, _>::builder();
    if v5 {
        let number = SubscriptionId::new(subscribe.subscription_id).expect("the stream is valid");
        properties = properties.subscription_id(number);
    }
    Subscribe {
        id: id(subscribe.id),
        filters: filters.build().expect("the stream is valid"),
        properties: properties.build().expect("the stream is valid"),
    }
}

fn delivery(publish: &value::Publish) -> Delivery {
    match publish.qos {
        0 => Delivery::AtMostOnce,
        level => Delivery::first(quality(level), id(publish.id)),
    }
}

fn quality(level: u8) -> QoS {
    QoS::from_bits(level).expect("the stream is valid")
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).expect("the stream is valid")
}

fn topic(topic: &str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::from(topic.to_owned())).expect("the stream is valid")
}

fn text(text: &str) -> Text<Bytes> {
    Text::from_bytes(Bytes::from(text.to_owned())).expect("the stream is valid")
}
