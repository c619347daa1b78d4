//! mqtt-protocol-core 0.7.9, module `v5_0`.

use mqtt_protocol_core::mqtt::connection::RawPacket;
use mqtt_protocol_core::mqtt::packet::v5_0::{
    Auth, Connack, Connect, Disconnect, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe,
    Unsuback, Unsubscribe,
};
use mqtt_protocol_core::mqtt::packet::{self, Packet};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use super::{encoded, judged, shared, take};
use crate::normal::{self, Property, Value};
use crate::verdict::TheirVerdict;

pub(crate) fn judge(bytes: &[u8]) -> TheirVerdict {
    judged(take(bytes, parse), normal)
}

pub(crate) fn reencode(bytes: &[u8]) -> Option<Vec<u8>> {
    encoded(take(bytes, parse))
}

fn parse(raw: &RawPacket) -> Result<Packet, MqttError> {
    Ok(match raw.packet_type() {
        1 => Packet::V5_0Connect(raw.parse_exact(Connect::parse)?),
        2 => Packet::V5_0Connack(raw.parse_exact(Connack::parse)?),
        3 => Packet::V5_0Publish(Publish::parse(raw.flags(), shared(raw))?.0),
        4 => Packet::V5_0Puback(raw.parse_exact(Puback::parse)?),
        5 => Packet::V5_0Pubrec(raw.parse_exact(Pubrec::parse)?),
        6 => Packet::V5_0Pubrel(raw.parse_exact(Pubrel::parse)?),
        7 => Packet::V5_0Pubcomp(raw.parse_exact(Pubcomp::parse)?),
        8 => Packet::V5_0Subscribe(raw.parse_exact(Subscribe::parse)?),
        9 => Packet::V5_0Suback(raw.parse_exact(Suback::parse)?),
        10 => Packet::V5_0Unsubscribe(raw.parse_exact(Unsubscribe::parse)?),
        11 => Packet::V5_0Unsuback(raw.parse_exact(Unsuback::parse)?),
        12 => Packet::V5_0Pingreq(raw.parse_exact(Pingreq::parse)?),
        13 => Packet::V5_0Pingresp(raw.parse_exact(Pingresp::parse)?),
        14 => Packet::V5_0Disconnect(raw.parse_exact(Disconnect::parse)?),
        15 => Packet::V5_0Auth(raw.parse_exact(Auth::parse)?),
        _ => return Err(MqttError::MalformedPacket),
    })
}

/// The four acknowledgements of PUBLISH differ in their types alone.
macro_rules! acknowledgement {
    ($packet_type:literal, $ack:expr) => {
        normal::Packet::Ack {
            packet_type: $packet_type,
            id: $ack.packet_id(),
            code: $ack.reason_code().map_or(0, |code| code as u8),
            properties: optional($ack.props().as_ref()),
        }
    };
}

fn normal(packet: &Packet) -> normal::Packet {
    match packet {
        Packet::V5_0Connect(connect) => normal::Packet::Connect(Box::new(of_connect(connect))),
        Packet::V5_0Connack(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present(),
            code: ack.reason_code() as u8,
            properties: properties(ack.props()),
        },
        Packet::V5_0Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.dup(),
            qos: publish.qos() as u8,
            retain: publish.retain(),
            topic: publish.topic_name().as_bytes().to_vec(),
            id: publish.packet_id().unwrap_or(0),
            properties: properties(publish.props()),
            payload: publish.payload().as_slice().to_vec(),
        })),
        Packet::V5_0Puback(ack) => acknowledgement!(4, ack),
        Packet::V5_0Pubrec(ack) => acknowledgement!(5, ack),
        Packet::V5_0Pubrel(ack) => acknowledgement!(6, ack),
        Packet::V5_0Pubcomp(ack) => acknowledgement!(7, ack),
        Packet::V5_0Pingreq(_) => normal::Packet::PingReq,
        Packet::V5_0Pingresp(_) => normal::Packet::PingResp,
        Packet::V5_0Disconnect(disconnect) => normal::Packet::Disconnect {
            code: disconnect.reason_code().map_or(0, |code| code as u8),
            properties: optional(disconnect.props().as_ref()),
        },
        Packet::V5_0Auth(auth) => normal::Packet::Auth {
            code: auth.reason_code().map_or(0, |code| code as u8),
            properties: optional(auth.props().as_ref()),
        },
        other => of_subscriptions(other),
    }
}

fn of_subscriptions(packet: &Packet) -> normal::Packet {
    match packet {
        Packet::V5_0Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.packet_id(),
            subscriptions: super::subscriptions(subscribe.entries()),
            properties: properties(subscribe.props()),
        },
        Packet::V5_0Suback(ack) => normal::Packet::SubAck {
            id: ack.packet_id(),
            codes: ack.reason_codes().into_iter().map(|code| code as u8).collect(),
            properties: properties(ack.props()),
        },
        Packet::V5_0Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.packet_id(),
            filters: unsubscribe
                .entries()
                .iter()
                .map(|filter| filter.as_str().as_bytes().to_vec())
                .collect(),
            properties: properties(unsubscribe.props()),
        },
        Packet::V5_0Unsuback(ack) => normal::Packet::UnsubAck {
            id: ack.packet_id(),
            codes: ack.reason_codes().into_iter().map(|code| code as u8).collect(),
            properties: properties(ack.props()),
        },
        other => unreachable!("the parser above makes no {other:?}"),
    }
}

fn of_connect(connect: &Connect) -> normal::Connect {
    let will = connect.will_flag().then(|| normal::Will {
        qos: connect.will_qos() as u8,
        retain: connect.will_retain(),
        topic: connect.will_topic().unwrap_or_default().as_bytes().to_vec(),
        payload: connect.will_payload().unwrap_or_default().to_vec(),
        properties: properties(connect.will_props()),
    });
    normal::Connect {
        level: connect.protocol_version(),
        clean_start: connect.clean_start(),
        keep_alive: connect.keep_alive(),
        client_id: connect.client_id().as_bytes().to_vec(),
        will,
        username: connect.user_name().map(|username| username.as_bytes().to_vec()),
        password: connect.password().map(<[u8]>::to_vec),
        properties: properties(connect.props()),
    }
}

fn optional(all: Option<&packet::Properties>) -> normal::Properties {
    all.map(properties).unwrap_or_default()
}

fn properties(all: &packet::Properties) -> normal::Properties {
    normal::Properties(
        all.iter()
            .map(|its| Property {
                id: its.id().as_u8(),
                value: value(its),
            })
            .collect(),
    )
}

fn value(property: &packet::Property) -> Value {
    use packet::Property as P;
    let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
    match property {
        P::PayloadFormatIndicator(its) => Value::Number(its.val().into()),
        P::MessageExpiryInterval(its) => Value::Number(its.val()),
        P::ContentType(its) => text(its.val()),
        P::ResponseTopic(its) => text(its.val()),
        P::CorrelationData(its) => Value::Bytes(its.val().to_vec()),
        P::SubscriptionIdentifier(its) => Value::Number(its.val()),
        P::SessionExpiryInterval(its) => Value::Number(its.val()),
        P::AssignedClientIdentifier(its) => text(its.val()),
        P::ServerKeepAlive(its) => Value::Number(its.val().into()),
        P::AuthenticationMethod(its) => text(its.val()),
        P::AuthenticationData(its) => Value::Bytes(its.val().to_vec()),
        P::RequestProblemInformation(its) => Value::Number(its.val().into()),
        P::WillDelayInterval(its) => Value::Number(its.val()),
        P::RequestResponseInformation(its) => Value::Number(its.val().into()),
        P::ResponseInformation(its) => text(its.val()),
        P::ServerReference(its) => text(its.val()),
        P::ReasonString(its) => text(its.val()),
        P::ReceiveMaximum(its) => Value::Number(its.val().into()),
        P::TopicAliasMaximum(its) => Value::Number(its.val().into()),
        P::TopicAlias(its) => Value::Number(its.val().into()),
        P::MaximumQos(its) => Value::Number(its.val().into()),
        P::RetainAvailable(its) => Value::Number(its.val().into()),
        P::UserProperty(its) => Value::Pair(its.key().as_bytes().to_vec(), its.val().as_bytes().to_vec()),
        P::MaximumPacketSize(its) => Value::Number(its.val()),
        P::WildcardSubscriptionAvailable(its) => Value::Number(its.val().into()),
        P::SubscriptionIdentifierAvailable(its) => Value::Number(its.val().into()),
        P::SharedSubscriptionAvailable(its) => Value::Number(its.val().into()),
    }
}
