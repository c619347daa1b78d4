//! rumqttc 0.25.1, module `v5::mqttbytes::v5`.
//!
//! Its CONNECT states no version. User name and password are two strings that may be empty; the normal form takes an empty
//! one for none. It has an AUTH, and its reader knows no packet of that type.

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::v5::{ConnAckProperties, ConnectProperties, LastWill, LastWillProperties, Login, Packet};
use rumqttc::v5::mqttbytes::v5::{Connect, PublishProperties, RetainForwardRule};

use super::v5_codes as codes;
use crate::normal::{self, Properties};
use crate::verdict::{TheirVerdict, Verdict};

fn read(bytes: &[u8]) -> (Result<Packet, Error>, usize) {
    let mut stream = BytesMut::from(bytes);
    let packet = Packet::read(&mut stream, None);
    (packet, bytes.len() - stream.len())
}

pub(crate) fn judge(bytes: &[u8]) -> TheirVerdict {
    match read(bytes) {
        (Ok(packet), len) => Verdict::Accepted {
            packet: normal(&packet),
            len,
        },
        (Err(Error::InsufficientBytes(_)), _) => Verdict::Waits,
        (Err(error), _) => Verdict::Refused(format!("{error:?}")),
    }
}

pub(crate) fn reencode(bytes: &[u8]) -> Option<Vec<u8>> {
    let packet = read(bytes).0.ok()?;
    let mut out = BytesMut::new();
    packet.write(&mut out, None).ok()?;
    Some(out.to_vec())
}

/// Packets whose only properties are a reason string and user properties, in types of their own.
macro_rules! reason {
    ($properties:expr) => {
        $properties.as_ref().map_or_else(Properties::default, |its| {
            user(&its.user_properties)
                .bytes(0x1F, its.reason_string.as_ref())
                .take()
        })
    };
}

fn normal(packet: &Packet) -> normal::Packet {
    let acknowledgement = |packet_type, id, code, properties| normal::Packet::Ack {
        packet_type,
        id,
        code,
        properties,
    };
    match packet {
        Packet::Connect(connect, will, login) => {
            normal::Packet::Connect(Box::new(of_connect(connect, will.as_ref(), login.as_ref())))
        }
        Packet::ConnAck(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present,
            code: codes::connack(ack.code),
            properties: ack.properties.as_ref().map(of_connack).unwrap_or_default(),
        },
        Packet::Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup,
            qos: publish.qos as u8,
            retain: publish.retain,
            topic: publish.topic.to_vec(),
            id: publish.pkid,
            properties: publish.properties.as_ref().map(of_publish).unwrap_or_default(),
            payload: publish.payload.to_vec(),
        })),
        Packet::PubAck(ack) => acknowledgement(4, ack.pkid, codes::puback(ack.reason), reason!(ack.properties)),
        Packet::PubRec(ack) => acknowledgement(5, ack.pkid, codes::pubrec(ack.reason), reason!(ack.properties)),
        Packet::PubRel(ack) => acknowledgement(6, ack.pkid, codes::pubrel(ack.reason), reason!(ack.properties)),
        Packet::PubComp(ack) => acknowledgement(7, ack.pkid, codes::pubcomp(ack.reason), reason!(ack.properties)),
        Packet::PingReq(_) => normal::Packet::PingReq,
        Packet::PingResp(_) => normal::Packet::PingResp,
        Packet::Disconnect(disconnect) => normal::Packet::Disconnect {
            code: disconnect.reason_code as u8,
            properties: disconnect.properties.as_ref().map_or_else(Properties::default, |its| {
                user(&its.user_properties)
                    .number(0x11, its.session_expiry_interval)
                    .bytes(0x1F, its.reason_string.as_ref())
                    .bytes(0x1C, its.server_reference.as_ref())
                    .take()
            }),
        },
        Packet::Auth(auth) => unreachable!("its reader makes no AUTH: {auth:?}"),
        other => of_subscriptions(other),
    }
}

fn of_subscriptions(packet: &Packet) -> normal::Packet {
    match packet {
        Packet::Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.pkid,
            subscriptions: subscribe
                .filters
                .iter()
                .map(|filter| normal::Subscription {
                    filter: filter.path.as_bytes().to_vec(),
                    qos: filter.qos as u8,
                    no_local: filter.nolocal,
                    retain_as_published: filter.preserve_retain,
                    retain_handling: match filter.retain_forward_rule {
                        RetainForwardRule::OnEverySubscribe => 0,
                        RetainForwardRule::OnNewSubscribe => 1,
                        RetainForwardRule::Never => 2,
                    },
                })
                .collect(),
            properties: subscribe.properties.as_ref().map_or_else(Properties::default, |its| {
                user(&its.user_properties).number(0x0B, its.id.map(number)).take()
            }),
        },
        Packet::SubAck(ack) => normal::Packet::SubAck {
            id: ack.pkid,
            codes: ack.return_codes.iter().copied().map(codes::suback).collect(),
            properties: reason!(ack.properties),
        },
        Packet::Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.pkid,
            filters: unsubscribe
                .filters
                .iter()
                .map(|filter| filter.as_bytes().to_vec())
                .collect(),
            properties: unsubscribe
                .properties
                .as_ref()
                .map(|its| user(&its.user_properties))
                .unwrap_or_default(),
        },
        Packet::UnsubAck(ack) => normal::Packet::UnsubAck {
            id: ack.pkid,
            codes: ack.reasons.iter().copied().map(codes::unsuback).collect(),
            properties: reason!(ack.properties),
        },
        handled => unreachable!("{handled:?} has a normal form in the caller"),
    }
}

fn of_connect(connect: &Connect, will: Option<&LastWill>, login: Option<&Login>) -> normal::Connect {
    let text = |text: &String| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    normal::Connect {
        level: 5,
        clean_start: connect.clean_start,
        keep_alive: connect.keep_alive,
        client_id: connect.client_id.as_bytes().to_vec(),
        will: will.map(|will| normal::Will {
            qos: will.qos as u8,
            retain: will.retain,
            topic: will.topic.to_vec(),
            payload: will.message.to_vec(),
            properties: will.properties.as_ref().map(of_will).unwrap_or_default(),
        }),
        username: login.and_then(|its| text(&its.username)),
        password: login.and_then(|its| text(&its.password)),
        properties: connect
            .properties
            .as_ref()
            .map(of_connect_properties)
            .unwrap_or_default(),
    }
}

/// A Variable Byte Integer, which it keeps as `usize`.
fn number(id: usize) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

fn user(pairs: &[(String, String)]) -> Properties {
    let mut properties = Properties::default();
    for (name, value) in pairs {
        properties.pair(name, value);
    }
    properties
}

fn of_connect_properties(its: &ConnectProperties) -> Properties {
    user(&its.user_properties)
        .number(0x11, its.session_expiry_interval)
        .number(0x21, its.receive_maximum)
        .number(0x27, its.max_packet_size)
        .number(0x22, its.topic_alias_max)
        .number(0x19, its.request_response_info)
        .number(0x17, its.request_problem_info)
        .bytes(0x15, its.authentication_method.as_ref())
        .bytes(0x16, its.authentication_data.as_ref())
        .take()
}

fn of_will(its: &LastWillProperties) -> Properties {
    user(&its.user_properties)
        .number(0x18, its.delay_interval)
        .number(0x01, its.payload_format_indicator)
        .number(0x02, its.message_expiry_interval)
        .bytes(0x03, its.content_type.as_ref())
        .bytes(0x08, its.response_topic.as_ref())
        .bytes(0x09, its.correlation_data.as_ref())
        .take()
}

fn of_connack(its: &ConnAckProperties) -> Properties {
    user(&its.user_properties)
        .number(0x11, its.session_expiry_interval)
        .number(0x21, its.receive_max)
        .number(0x24, its.max_qos)
        .number(0x25, its.retain_available)
        .number(0x27, its.max_packet_size)
        .bytes(0x12, its.assigned_client_identifier.as_ref())
        .number(0x22, its.topic_alias_max)
        .bytes(0x1F, its.reason_string.as_ref())
        .number(0x28, its.wildcard_subscription_available)
        .number(0x29, its.subscription_identifiers_available)
        .number(0x2A, its.shared_subscription_available)
        .number(0x13, its.server_keep_alive)
        .bytes(0x1A, its.response_information.as_ref())
        .bytes(0x1C, its.server_reference.as_ref())
        .bytes(0x15, its.authentication_method.as_ref())
        .bytes(0x16, its.authentication_data.as_ref())
        .take()
}

fn of_publish(its: &PublishProperties) -> Properties {
    let mut properties = user(&its.user_properties)
        .number(0x01, its.payload_format_indicator)
        .number(0x02, its.message_expiry_interval)
        .number(0x23, its.topic_alias)
        .bytes(0x08, its.response_topic.as_ref())
        .bytes(0x09, its.correlation_data.as_ref())
        .bytes(0x03, its.content_type.as_ref())
        .take();
    for id in &its.subscription_identifiers {
        properties.number(0x0B, Some(number(*id)));
    }
    properties
}
