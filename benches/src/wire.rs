//! The bytes of a packet, pushed one by one: independent of every codec that
//! is measured.

use crate::value::{Connect, Packet, Protocol, PubAck, Publish, Subscribe, Will};

/// Property identifiers of MQTT 5.0 that the streams use.
pub mod property {
    pub const PAYLOAD_FORMAT: u8 = 1;
    pub const MESSAGE_EXPIRY: u8 = 2;
    pub const CONTENT_TYPE: u8 = 3;
    pub const RESPONSE_TOPIC: u8 = 8;
    pub const CORRELATION_DATA: u8 = 9;
    pub const SUBSCRIPTION_ID: u8 = 11;
    pub const SESSION_EXPIRY: u8 = 17;
    pub const AUTHENTICATION_METHOD: u8 = 21;
    pub const AUTHENTICATION_DATA: u8 = 22;
    pub const REQUEST_PROBLEM: u8 = 23;
    pub const WILL_DELAY: u8 = 24;
    pub const REQUEST_RESPONSE: u8 = 25;
    pub const REASON_STRING: u8 = 31;
    pub const RECEIVE_MAXIMUM: u8 = 33;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 34;
    pub const TOPIC_ALIAS: u8 = 35;
    pub const USER: u8 = 38;
    pub const MAXIMUM_PACKET_SIZE: u8 = 39;
}

/// Appends `packet` to `out` in its shortest form.
pub fn push_packet(out: &mut Vec<u8>, packet: &Packet, protocol: Protocol) {
    let mut body = Vec::new();
    let first = match packet {
        Packet::Connect(connect) => push_connect(&mut body, connect, protocol),
        Packet::Publish(publish) => push_publish(&mut body, publish, protocol),
        Packet::PubAck(ack) => push_puback(&mut body, ack, protocol),
        Packet::Subscribe(subscribe) => push_subscribe(&mut body, subscribe, protocol),
    };
    out.push(first);
    push_length(out, body.len());
    out.extend(body);
}

fn push_connect(body: &mut Vec<u8>, connect: &Connect, protocol: Protocol) -> u8 {
    const USERNAME_PASSWORD_WILL: u8 = 0b1100_0100;
    let will = &connect.will;
    push_text(body, b"MQTT");
    body.push(if protocol == Protocol::V5 { 5 } else { 4 });
    body.push(USERNAME_PASSWORD_WILL | u8::from(will.retain) << 5 | will.qos << 3 | u8::from(connect.clean_start) << 1);
    body.extend(connect.keep_alive.to_be_bytes());
    if protocol == Protocol::V5 {
        push_length(body, 5 + 3);
        body.push(property::SESSION_EXPIRY);
        body.extend(connect.session_expiry.to_be_bytes());
        body.push(property::RECEIVE_MAXIMUM);
        body.extend(connect.receive_maximum.to_be_bytes());
    }
    push_text(body, connect.client_id.as_bytes());
    push_will(body, will, protocol);
    push_text(body, connect.username.as_bytes());
    push_text(body, connect.password.as_bytes());
    0x10
}

fn push_will(body: &mut Vec<u8>, will: &Will, protocol: Protocol) {
    if protocol == Protocol::V5 {
        push_length(body, 5);
        body.push(property::WILL_DELAY);
        body.extend(will.delay.to_be_bytes());
    }
    push_text(body, will.topic.as_bytes());
    push_text(body, &will.payload);
}

fn push_publish(body: &mut Vec<u8>, publish: &Publish, protocol: Protocol) -> u8 {
    push_text(body, publish.topic.as_bytes());
    if publish.qos > 0 {
        body.extend(publish.id.to_be_bytes());
    }
    if protocol == Protocol::V5 {
        push_publish_properties(body, publish);
    }
    body.extend(&publish.payload);
    0x30 | publish.qos << 1 | u8::from(publish.retain)
}

fn push_publish_properties(body: &mut Vec<u8>, publish: &Publish) {
    let mut section = Vec::new();
    if let Some(properties) = &publish.properties {
        section.push(property::MESSAGE_EXPIRY);
        section.extend(properties.expiry.to_be_bytes());
        section.push(property::CONTENT_TYPE);
        push_text(&mut section, properties.content_type.as_bytes());
        section.push(property::CORRELATION_DATA);
        push_text(&mut section, &properties.correlation_data);
        for (name, value) in &properties.user {
            section.push(property::USER);
            push_text(&mut section, name.as_bytes());
            push_text(&mut section, value.as_bytes());
        }
    }
    push_length(body, section.len());
    body.extend(section);
}

fn push_puback(body: &mut Vec<u8>, ack: &PubAck, protocol: Protocol) -> u8 {
    body.extend(ack.id.to_be_bytes());
    if protocol == Protocol::V5 && ack.reason != 0 {
        body.push(ack.reason);
    }
    0x40
}

fn push_subscribe(body: &mut Vec<u8>, subscribe: &Subscribe, protocol: Protocol) -> u8 {
    body.extend(subscribe.id.to_be_bytes());
    if protocol == Protocol::V5 {
        let mut section = vec![property::SUBSCRIPTION_ID];
        push_length(&mut section, subscribe.subscription_id as usize);
        push_length(body, section.len());
        body.extend(section);
    }
    for filter in &subscribe.filters {
        push_text(body, filter.path.as_bytes());
        body.push(match protocol {
            Protocol::V3 => filter.qos,
            Protocol::V5 => {
                filter.qos
                    | u8::from(filter.no_local) << 2
                    | u8::from(filter.retain_as_published) << 3
                    | filter.retain_handling << 4
            }
        });
    }
    0x82
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let len = u16::try_from(text.len()).expect("texts of a stream are short");
    out.extend(len.to_be_bytes());
    out.extend(text);
}

fn push_length(out: &mut Vec<u8>, mut len: usize) {
    loop {
        let byte = (len % 128) as u8;
        len /= 128;
        if len == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
