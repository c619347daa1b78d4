//! mqtt-proto 0.4.0, module `v5`. Its PUBLISH holds one subscription identifier where MQTT 5.0 has a list.

use ::peer::v5::{
    AuthProperties, ConnackProperties, ConnectProperties, Header, LastWill, Packet, PublishProperties, UserProperty,
    WillProperties,
};

use super::{judged, take};
use crate::normal::{self, Properties};
use crate::verdict::TheirVerdict;

pub(crate) fn judge(bytes: &[u8]) -> TheirVerdict {
    judged::<Header>(take(bytes, Header::decode), normal)
}

pub(crate) fn reencode(bytes: &[u8]) -> Option<Vec<u8>> {
    let (packet, _) = take::<Header>(bytes, Header::decode).ok()??;
    Some(packet.encode().ok()?.as_ref().to_vec())
}

/// The four acknowledgements of PUBLISH differ in their types alone.
macro_rules! acknowledgement {
    ($packet_type:literal, $ack:expr) => {
        normal::Packet::Ack {
            packet_type: $packet_type,
            id: $ack.pid.value(),
            code: $ack.reason_code as u8,
            properties: reason(&$ack.properties.reason_string, &$ack.properties.user_properties),
        }
    };
}

fn normal(packet: &Packet) -> normal::Packet {
    match packet {
        Packet::Connect(connect) => normal::Packet::Connect(Box::new(normal::Connect {
            level: connect.protocol as u8,
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.as_bytes().to_vec(),
            will: connect.last_will.as_ref().map(will),
            username: connect.username.as_ref().map(|username| username.as_bytes().to_vec()),
            password: connect.password.as_ref().map(|password| password.to_vec()),
            properties: of_connect(&connect.properties),
        })),
        Packet::Connack(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present,
            code: ack.reason_code as u8,
            properties: of_connack(&ack.properties),
        },
        Packet::Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup,
            qos: publish.qos_pid.qos() as u8,
            retain: publish.retain,
            topic: publish.topic_name.as_bytes().to_vec(),
            id: publish.qos_pid.pid().map_or(0, ::peer::Pid::value),
            properties: of_publish(&publish.properties),
            payload: publish.payload.to_vec(),
        })),
        Packet::Puback(ack) => acknowledgement!(4, ack),
        Packet::Pubrec(ack) => acknowledgement!(5, ack),
        Packet::Pubrel(ack) => acknowledgement!(6, ack),
        Packet::Pubcomp(ack) => acknowledgement!(7, ack),
        Packet::Pingreq => normal::Packet::PingReq,
        Packet::Pingresp => normal::Packet::PingResp,
        Packet::Disconnect(disconnect) => normal::Packet::Disconnect {
            code: disconnect.reason_code as u8,
            properties: reason(
                &disconnect.properties.reason_string,
                &disconnect.properties.user_properties,
            )
            .number(0x11, disconnect.properties.session_expiry_interval)
            .bytes(0x1C, disconnect.properties.server_reference.as_deref())
            .take(),
        },
        Packet::Auth(auth) => normal::Packet::Auth {
            code: auth.reason_code as u8,
            properties: of_auth(&auth.properties),
        },
        other => of_subscriptions(other),
    }
}

fn of_subscriptions(packet: &Packet) -> normal::Packet {
    match packet {
        Packet::Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.pid.value(),
            subscriptions: subscribe
                .topics
                .iter()
                .map(|(filter, options)| normal::Subscription {
                    filter: filter.as_bytes().to_vec(),
                    qos: options.max_qos as u8,
                    no_local: options.no_local,
                    retain_as_published: options.retain_as_published,
                    retain_handling: options.retain_handling as u8,
                })
                .collect(),
            properties: user(&subscribe.properties.user_properties)
                .number(
                    0x0B,
                    subscribe.properties.subscription_id.map(::peer::v5::VarByteInt::value),
                )
                .take(),
        },
        Packet::Suback(ack) => normal::Packet::SubAck {
            id: ack.pid.value(),
            codes: ack.topics.iter().map(|code| *code as u8).collect(),
            properties: reason(&ack.properties.reason_string, &ack.properties.user_properties),
        },
        Packet::Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.pid.value(),
            filters: unsubscribe
                .topics
                .iter()
                .map(|filter| filter.as_bytes().to_vec())
                .collect(),
            properties: user(&unsubscribe.properties.user_properties),
        },
        Packet::Unsuback(ack) => normal::Packet::UnsubAck {
            id: ack.pid.value(),
            codes: ack.topics.iter().map(|code| *code as u8).collect(),
            properties: reason(&ack.properties.reason_string, &ack.properties.user_properties),
        },
        handled => unreachable!("{handled:?} has a normal form in the caller"),
    }
}

fn will(will: &LastWill) -> normal::Will {
    normal::Will {
        qos: will.qos as u8,
        retain: will.retain,
        topic: will.topic_name.as_bytes().to_vec(),
        payload: will.payload.to_vec(),
        properties: of_will(&will.properties),
    }
}

fn user(pairs: &[UserProperty]) -> Properties {
    let mut properties = Properties::default();
    for pair in pairs {
        properties.pair(pair.name.as_bytes(), pair.value.as_bytes());
    }
    properties
}

fn reason(reason: &Option<impl AsRef<str>>, pairs: &[UserProperty]) -> Properties {
    user(pairs).bytes(0x1F, reason.as_ref().map(AsRef::as_ref)).take()
}

fn of_connect(its: &ConnectProperties) -> Properties {
    user(&its.user_properties)
        .number(0x11, its.session_expiry_interval)
        .number(0x21, its.receive_max)
        .number(0x27, its.max_packet_size)
        .number(0x22, its.topic_alias_max)
        .number(0x19, its.request_response_info)
        .number(0x17, its.request_problem_info)
        .bytes(0x15, its.auth_method.as_deref())
        .bytes(0x16, its.auth_data.as_deref())
        .take()
}

fn of_will(its: &WillProperties) -> Properties {
    user(&its.user_properties)
        .number(0x18, its.delay_interval)
        .number(0x01, its.payload_is_utf8)
        .number(0x02, its.message_expiry_interval)
        .bytes(0x03, its.content_type.as_deref())
        .bytes(0x08, its.response_topic.as_deref())
        .bytes(0x09, its.correlation_data.as_deref())
        .take()
}

fn of_connack(its: &ConnackProperties) -> Properties {
    user(&its.user_properties)
        .number(0x11, its.session_expiry_interval)
        .number(0x21, its.receive_max)
        .number(0x24, its.max_qos.map(|qos| qos as u8))
        .number(0x25, its.retain_available)
        .number(0x27, its.max_packet_size)
        .bytes(0x12, its.assigned_client_id.as_deref())
        .number(0x22, its.topic_alias_max)
        .bytes(0x1F, its.reason_string.as_deref())
        .number(0x28, its.wildcard_subscription_available)
        .number(0x29, its.subscription_id_available)
        .number(0x2A, its.shared_subscription_available)
        .number(0x13, its.server_keep_alive)
        .bytes(0x1A, its.response_info.as_deref())
        .bytes(0x1C, its.server_reference.as_deref())
        .bytes(0x15, its.auth_method.as_deref())
        .bytes(0x16, its.auth_data.as_deref())
        .take()
}

fn of_publish(its: &PublishProperties) -> Properties {
    user(&its.user_properties)
        .number(0x01, its.payload_is_utf8)
        .number(0x02, its.message_expiry_interval)
        .number(0x23, its.topic_alias)
        .bytes(0x08, its.response_topic.as_deref())
        .bytes(0x09, its.correlation_data.as_deref())
        .number(0x0B, its.subscription_id.map(::peer::v5::VarByteInt::value))
        .bytes(0x03, its.content_type.as_deref())
        .take()
}

fn of_auth(its: &AuthProperties) -> Properties {
    reason(&its.reason_string, &its.user_properties)
        .bytes(0x15, its.auth_method.as_deref())
        .bytes(0x16, its.auth_data.as_deref())
        .take()
}
