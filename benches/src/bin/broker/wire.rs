//! The packets that the clients send.

use bytes::Bytes;
use mqtt_session::proto::{
    Connect, ConnectProperties, Delivery, Filters, Packet, PacketId, Properties, Publish, PublishProperties, QoS,
    Subscribe, SubscribeProperties, SubscriptionId, SubscriptionOptions, Text, TopicFilters, TopicName, Unsubscribe,
    Version,
};

/// What every message says.
pub const PAYLOAD: [u8; 64] = [0x37; 64];

fn encoded(packet: &Packet<Bytes>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode_to(version, &mut bytes).expect("the packet is valid");
    bytes
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("it is not zero")
}

/// CONNECT. A session that is kept outlives its connection, for ever.
pub fn connect(version: Version, name: &str, is_kept: bool) -> Vec<u8> {
    let mut properties = ConnectProperties::empty();
    if is_kept && version == Version::V5 {
        let builder = ConnectProperties::<Bytes>::builder().session_expiry(u32::MAX);
        properties = builder.build().expect("the property is valid");
    }
    let connect = Connect {
        version,
        clean_start: !is_kept,
        keep_alive: 60,
        client_id: Text::from_bytes(Bytes::copy_from_slice(name.as_bytes())).expect("the name is valid"),
        will: None,
        username: None,
        password: None,
        properties,
    };
    encoded(&connect.into(), version)
}

/// PUBLISH of a message, with an identifier unless it is of QoS 0.
pub fn publish(version: Version, topic: &str, qos: QoS, number: u16, retain: bool) -> Vec<u8> {
    let publish = Publish {
        delivery: Delivery::first(qos, id(number)),
        retain,
        topic: TopicName::from_bytes(Bytes::copy_from_slice(topic.as_bytes())).ok(),
        properties: PublishProperties::empty(),
        payload: Bytes::from_static(&PAYLOAD),
    };
    encoded(&Packet::Publish(publish), version)
}

/// SUBSCRIBE to one filter, with an identifier of the subscription if it is not zero.
pub fn subscribe(version: Version, filter: &str, qos: QoS, identifier: u32) -> Vec<u8> {
    let filters = Filters::builder().filter(filter, SubscriptionOptions::new(qos));
    let mut properties = Properties::empty();
    if let Some(identifier) = SubscriptionId::new(identifier) {
        let builder = SubscribeProperties::<Bytes>::builder().subscription_id(identifier);
        properties = builder.build().expect("the property is valid");
    }
    let subscribe = Subscribe {
        id: id(1),
        filters: filters.build().expect("the filter is valid"),
        properties,
    };
    encoded(&Packet::Subscribe(subscribe), version)
}

/// UNSUBSCRIBE from one filter.
pub fn unsubscribe(version: Version, filter: &str) -> Vec<u8> {
    let unsubscribe = Unsubscribe {
        id: id(1),
        filters: TopicFilters::builder()
            .filter(filter)
            .build()
            .expect("the filter is valid"),
        properties: Properties::empty(),
    };
    encoded(&Packet::Unsubscribe(unsubscribe), version)
}

/// DISCONNECT.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// What a client has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Messages.
    pub messages: usize,
    /// Of its own messages, those that have ended.
    pub completed: usize,
}

/// A client reads packets, none of which is longer than 129 bytes, and puts its answers behind what is in `reply`.
pub fn read(mut bytes: &[u8], reply: &mut Vec<u8>, read: &mut Read) {
    while let [first, len, ..] = bytes {
        assert!(*len < 128, "a packet that no client here expects");
        let (packet, rest) = bytes.split_at(2 + usize::from(*len));
        bytes = rest;
        match first >> 4 {
            3 => {
                read.messages += 1;
                let qos = first >> 1 & 3;
                if qos > 0 {
                    let at = 4 + usize::from(packet[2]) * 256 + usize::from(packet[3]);
                    let answer = if qos == 1 { 0x40 } else { 0x50 };
                    reply.extend_from_slice(&[answer, 2, packet[at], packet[at + 1]]);
                }
            }
            5 => reply.extend_from_slice(&[0x62, 2, packet[2], packet[3]]),
            6 => reply.extend_from_slice(&[0x70, 2, packet[2], packet[3]]),
            4 | 7 => read.completed += 1,
            _ => {}
        }
    }
}
