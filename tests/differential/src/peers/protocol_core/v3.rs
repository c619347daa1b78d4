//! mqtt-protocol-core 0.7.9, module `v3_1_1`.

use mqtt_protocol_core::mqtt::connection::RawPacket;
use mqtt_protocol_core::mqtt::packet::Packet;
use mqtt_protocol_core::mqtt::packet::v3_1_1::{
    Connack, Connect, Disconnect, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe,
    Unsuback, Unsubscribe,
};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use super::{encoded, judged, shared, take};
use crate::normal::{self, Properties};
use crate::verdict::TheirVerdict;

pub(crate) fn judge(bytes: &[u8]) -> TheirVerdict {
    judged(take(bytes, parse), normal)
}

pub(crate) fn reencode(bytes: &[u8]) -> Option<Vec<u8>> {
    encoded(take(bytes, parse))
}

fn parse(raw: &RawPacket) -> Result<Packet, MqttError> {
    Ok(match raw.packet_type() {
        1 => Packet::V3_1_1Connect(raw.parse_exact(Connect::parse)?),
        2 => Packet::V3_1_1Connack(raw.parse_exact(Connack::parse)?),
        3 => Packet::V3_1_1Publish(Publish::parse(raw.flags(), shared(raw))?.0),
        4 => Packet::V3_1_1Puback(raw.parse_exact(Puback::parse)?),
        5 => Packet::V3_1_1Pubrec(raw.parse_exact(Pubrec::parse)?),
        6 => Packet::V3_1_1Pubrel(raw.parse_exact(Pubrel::parse)?),
        7 => Packet::V3_1_1Pubcomp(raw.parse_exact(Pubcomp::parse)?),
        8 => Packet::V3_1_1Subscribe(raw.parse_exact(Subscribe::parse)?),
        9 => Packet::V3_1_1Suback(raw.parse_exact(Suback::parse)?),
        10 => Packet::V3_1_1Unsubscribe(raw.parse_exact(Unsubscribe::parse)?),
        11 => Packet::V3_1_1Unsuback(raw.parse_exact(Unsuback::parse)?),
        12 => Packet::V3_1_1Pingreq(raw.parse_exact(Pingreq::parse)?),
        13 => Packet::V3_1_1Pingresp(raw.parse_exact(Pingresp::parse)?),
        14 => Packet::V3_1_1Disconnect(raw.parse_exact(Disconnect::parse)?),
        _ => return Err(MqttError::MalformedPacket),
    })
}

/// The four acknowledgements of PUBLISH differ in their types alone. It reads a reason code in them, which MQTT 3.1.1 does
/// not have.
macro_rules! acknowledgement {
    ($packet_type:literal, $ack:expr) => {
        normal::Packet::Ack {
            packet_type: $packet_type,
            id: $ack.packet_id(),
            code: $ack.reason_code().map_or(0, |code| code as u8),
            properties: Properties::default(),
        }
    };
}

fn normal(packet: &Packet) -> normal::Packet {
    let properties = Properties::default();
    match packet {
        Packet::V3_1_1Connect(connect) => normal::Packet::Connect(Box::new(of_connect(connect))),
        Packet::V3_1_1Connack(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present(),
            code: ack.return_code() as u8,
            properties,
        },
        Packet::V3_1_1Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup(),
            qos: publish.qos() as u8,
            retain: publish.retain(),
            topic: publish.topic_name().as_bytes().to_vec(),
            id: publish.packet_id().unwrap_or(0),
            properties,
            payload: publish.payload().as_slice().to_vec(),
        })),
        Packet::V3_1_1Puback(ack) => acknowledgement!(4, ack),
        Packet::V3_1_1Pubrec(ack) => acknowledgement!(5, ack),
        Packet::V3_1_1Pubrel(ack) => acknowledgement!(6, ack),
        Packet::V3_1_1Pubcomp(ack) => acknowledgement!(7, ack),
        Packet::V3_1_1Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.packet_id(),
            subscriptions: super::subscriptions(subscribe.entries()),
            properties,
        },
        Packet::V3_1_1Suback(ack) => normal::Packet::SubAck {
            id: ack.packet_id(),
            codes: ack.return_codes().into_iter().map(|code| code as u8).collect(),
            properties,
        },
        Packet::V3_1_1Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.packet_id(),
            filters: unsubscribe
                .entries()
                .iter()
                .map(|filter| filter.as_str().as_bytes().to_vec())
                .collect(),
            properties,
        },
        Packet::V3_1_1Unsuback(ack) => normal::Packet::UnsubAck {
            id: ack.packet_id(),
            codes: Vec::new(),
            properties,
        },
        Packet::V3_1_1Pingreq(_) => normal::Packet::PingReq,
        Packet::V3_1_1Pingresp(_) => normal::Packet::PingResp,
        Packet::V3_1_1Disconnect(_) => normal::Packet::Disconnect { code: 0, properties },
        other => unreachable!("the parser above makes no {other:?}"),
    }
}

fn of_connect(connect: &Connect) -> normal::Connect {
    let will = connect.will_flag().then(|| normal::Will {
        qos: connect.will_qos() as u8,
        retain: connect.will_retain(),
        topic: connect.will_topic().unwrap_or_default().as_bytes().to_vec(),
        payload: connect.will_payload().unwrap_or_default().to_vec(),
        properties: Properties::default(),
    });
    normal::Connect {
        level: connect.protocol_version(),
        clean_start: connect.clean_session(),
        keep_alive: connect.keep_alive(),
        client_id: connect.client_id().as_bytes().to_vec(),
        will,
        username: connect.user_name().map(|username| username.as_bytes().to_vec()),
        password: connect.password().map(<[u8]>::to_vec),
        properties: Properties::default(),
    }
}
