//! mqtt-proto 0.4.0, module `v3`.

use ::peer::v3::{Header, Packet, SubscribeReturnCode};

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

fn normal(packet: &Packet) -> normal::Packet {
    let properties = Properties::default();
    let acknowledgement = |packet_type, id: ::peer::Pid| normal::Packet::Ack {
        packet_type,
        id: id.value(),
        code: 0,
        properties: Properties::default(),
    };
    match packet {
        Packet::Connect(connect) => normal::Packet::Connect(Box::new(normal::Connect {
            level: connect.protocol as u8,
            clean_start: connect.clean_session,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.as_bytes().to_vec(),
            will: connect.last_will.as_ref().map(|will| normal::Will {
                qos: will.qos as u8,
                retain: will.retain,
                topic: will.topic_name.as_bytes().to_vec(),
                payload: will.message.to_vec(),
                properties: Properties::default(),
            }),
            username: connect.username.as_ref().map(|username| username.as_bytes().to_vec()),
            password: connect.password.as_ref().map(|password| password.to_vec()),
            properties,
        })),
        Packet::Connack(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present,
            code: ack.code as u8,
            properties,
        },
        Packet::Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup,
            qos: publish.qos_pid.qos() as u8,
            retain: publish.retain,
            topic: publish.topic_name.as_bytes().to_vec(),
            id: publish.qos_pid.pid().map_or(0, ::peer::Pid::value),
            properties,
            payload: publish.payload.to_vec(),
        })),
        Packet::Puback(id) => acknowledgement(4, *id),
        Packet::Pubrec(id) => acknowledgement(5, *id),
        Packet::Pubrel(id) => acknowledgement(6, *id),
        Packet::Pubcomp(id) => acknowledgement(7, *id),
        Packet::Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.pid.value(),
            subscriptions: subscribe
                .topics
                .iter()
                .map(|(filter, qos)| normal::Subscription {
                    filter: filter.as_bytes().to_vec(),
                    qos: *qos as u8,
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: 0,
                })
                .collect(),
            properties,
        },
        Packet::Suback(ack) => normal::Packet::SubAck {
            id: ack.pid.value(),
            codes: ack.topics.iter().map(code).collect(),
            properties,
        },
        Packet::Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.pid.value(),
            filters: unsubscribe
                .topics
                .iter()
                .map(|filter| filter.as_bytes().to_vec())
                .collect(),
            properties,
        },
        Packet::Unsuback(id) => normal::Packet::UnsubAck {
            id: id.value(),
            codes: Vec::new(),
            properties,
        },
        Packet::Pingreq => normal::Packet::PingReq,
        Packet::Pingresp => normal::Packet::PingResp,
        Packet::Disconnect => normal::Packet::Disconnect { code: 0, properties },
    }
}

fn code(code: &SubscribeReturnCode) -> u8 {
    match code {
        SubscribeReturnCode::MaxLevel0 => 0,
        SubscribeReturnCode::MaxLevel1 => 1,
        SubscribeReturnCode::MaxLevel2 => 2,
        SubscribeReturnCode::Failure => 0x80,
    }
}
