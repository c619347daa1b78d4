//! rumqttc 0.25.1, module `mqttbytes::v4`.
//!
//! Its CONNECT holds user name and password as two strings that may be empty, and so cannot tell an empty one from none;
//! the normal form takes an empty one for none.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, Packet, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error, Protocol};

use crate::normal::{self, Properties};
use crate::verdict::{TheirVerdict, Verdict};

fn read(bytes: &[u8]) -> (Result<Packet, Error>, usize) {
    let mut stream = BytesMut::from(bytes);
    let packet = Packet::read(&mut stream, usize::MAX);
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
    packet.write(&mut out, usize::MAX).ok()?;
    Some(out.to_vec())
}

fn normal(packet: &Packet) -> normal::Packet {
    let properties = Properties::default();
    let acknowledgement = |packet_type, id| normal::Packet::Ack {
        packet_type,
        id,
        code: 0,
        properties: Properties::default(),
    };
    match packet {
        Packet::Connect(connect) => normal::Packet::Connect(Box::new(of_connect(connect))),
        Packet::ConnAck(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present,
            code: ack.code as u8,
            properties,
        },
        Packet::Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup,
            qos: publish.qos as u8,
            retain: publish.retain,
            topic: publish.topic.as_bytes().to_vec(),
            id: publish.pkid,
            properties,
            payload: publish.payload.to_vec(),
        })),
        Packet::PubAck(ack) => acknowledgement(4, ack.pkid),
        Packet::PubRec(ack) => acknowledgement(5, ack.pkid),
        Packet::PubRel(ack) => acknowledgement(6, ack.pkid),
        Packet::PubComp(ack) => acknowledgement(7, ack.pkid),
        Packet::Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.pkid,
            subscriptions: subscribe
                .filters
                .iter()
                .map(|filter| normal::Subscription {
                    filter: filter.path.as_bytes().to_vec(),
                    qos: filter.qos as u8,
                    no_local: false,
                    retain_as_published: false,
                    retain_handling: 0,
                })
                .collect(),
            properties,
        },
        Packet::SubAck(ack) => normal::Packet::SubAck {
            id: ack.pkid,
            codes: ack.return_codes.iter().map(code).collect(),
            properties,
        },
        Packet::Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.pkid,
            filters: unsubscribe
                .topics
                .iter()
                .map(|filter| filter.as_bytes().to_vec())
                .collect(),
            properties,
        },
        Packet::UnsubAck(ack) => normal::Packet::UnsubAck {
            id: ack.pkid,
            codes: Vec::new(),
            properties,
        },
        Packet::PingReq => normal::Packet::PingReq,
        Packet::PingResp => normal::Packet::PingResp,
        Packet::Disconnect => normal::Packet::Disconnect { code: 0, properties },
    }
}

fn of_connect(connect: &Connect) -> normal::Connect {
    let login = |text: &String| (!text.is_empty()).then(|| text.as_bytes().to_vec());
    normal::Connect {
        level: match connect.protocol {
            Protocol::V4 => 4,
            Protocol::V5 => 5,
        },
        clean_start: connect.clean_session,
        keep_alive: connect.keep_alive,
        client_id: connect.client_id.as_bytes().to_vec(),
        will: connect.last_will.as_ref().map(|will| normal::Will {
            qos: will.qos as u8,
            retain: will.retain,
            topic: will.topic.as_bytes().to_vec(),
            payload: will.message.to_vec(),
            properties: Properties::default(),
        }),
        username: connect.login.as_ref().and_then(|its| login(&its.username)),
        password: connect.login.as_ref().and_then(|its| login(&its.password)),
        properties: Properties::default(),
    }
}

fn code(code: &SubscribeReasonCode) -> u8 {
    match code {
        SubscribeReasonCode::Success(qos) => *qos as u8,
        SubscribeReasonCode::Failure => 0x80,
    }
}
