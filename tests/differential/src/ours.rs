//! This codec: its verdict, and its packets in the normal form.

use mqtt_proto::{
    Decoded, Delivery, Packet, PayloadFormat, Properties, Property, Rules, Section, SubAckReason, UnsubAckReason,
    Version, Will, decode,
};

use crate::normal;
use crate::verdict::{OurVerdict, Verdict};

/// Decodes the packet at the start of the bytes.
pub(crate) fn judge(bytes: &[u8], rules: &Rules) -> OurVerdict {
    match decode(bytes, rules) {
        Ok(Decoded::Packet { packet, len }) => Verdict::Accepted {
            packet: normal(&packet, rules.version),
            len,
        },
        Ok(Decoded::Incomplete { .. }) => Verdict::Waits,
        Err(error) => Verdict::Refused(error),
    }
}

fn normal(packet: &Packet<&[u8]>, version: Version) -> normal::Packet {
    match packet {
        Packet::Connect(connect) => normal::Packet::Connect(Box::new(normal::Connect {
            level: connect.version.level(),
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            client_id: connect.client_id.as_bytes().to_vec(),
            will: connect.will.as_ref().map(will),
            username: connect.username.map(|username| username.as_bytes().to_vec()),
            password: connect.password.map(|password| password.as_bytes().to_vec()),
            properties: properties(&connect.properties),
        })),
        Packet::ConnAck(ack) => normal::Packet::ConnAck {
            session_present: ack.session_present,
            code: if version == Version::V5 {
                ack.reason.value()
            } else {
                ack.reason
                    .return_code()
                    .expect("a CONNACK of MQTT 3.1.1 came from a return code")
            },
            properties: properties(&ack.properties),
        },
        Packet::Publish(publish) => normal::Packet::Publish(Box::new(normal::Publish {
            dup: publish.delivery.dup(),
            qos: publish.delivery.qos().bits(),
            retain: publish.retain,
            topic: publish.topic.map(|topic| topic.as_bytes().to_vec()).unwrap_or_default(),
            id: match publish.delivery {
                Delivery::AtMostOnce => 0,
                Delivery::AtLeastOnce { id, .. } | Delivery::ExactlyOnce { id, .. } => id.get(),
            },
            properties: properties(&publish.properties),
            payload: publish.payload.to_vec(),
        })),
        Packet::PubAck(ack) => acknowledgement(4, ack.id.get(), ack.reason.value(), &ack.properties),
        Packet::PubRec(ack) => acknowledgement(5, ack.id.get(), ack.reason.value(), &ack.properties),
        Packet::PubRel(ack) => acknowledgement(6, ack.id.get(), ack.reason.value(), &ack.properties),
        Packet::PubComp(ack) => acknowledgement(7, ack.id.get(), ack.reason.value(), &ack.properties),
        other => of_subscriptions(other),
    }
}

fn of_subscriptions(packet: &Packet<&[u8]>) -> normal::Packet {
    match packet {
        Packet::Subscribe(subscribe) => normal::Packet::Subscribe {
            id: subscribe.id.get(),
            subscriptions: subscribe
                .filters
                .iter()
                .map(|subscription| normal::Subscription {
                    filter: subscription.filter.as_bytes().to_vec(),
                    qos: subscription.options.qos.bits(),
                    no_local: subscription.options.no_local,
                    retain_as_published: subscription.options.retain_as_published,
                    retain_handling: subscription.options.retain_handling as u8,
                })
                .collect(),
            properties: properties(&subscribe.properties),
        },
        Packet::SubAck(ack) => normal::Packet::SubAck {
            id: ack.id.get(),
            codes: ack.codes.iter().map(SubAckReason::value).collect(),
            properties: properties(&ack.properties),
        },
        Packet::Unsubscribe(unsubscribe) => normal::Packet::Unsubscribe {
            id: unsubscribe.id.get(),
            filters: unsubscribe
                .filters
                .iter()
                .map(|filter| filter.as_bytes().to_vec())
                .collect(),
            properties: properties(&unsubscribe.properties),
        },
        Packet::UnsubAck(ack) => normal::Packet::UnsubAck {
            id: ack.id.get(),
            codes: ack.codes.iter().map(UnsubAckReason::value).collect(),
            properties: properties(&ack.properties),
        },
        Packet::PingReq => normal::Packet::PingReq,
        Packet::PingResp => normal::Packet::PingResp,
        Packet::Disconnect(disconnect) => normal::Packet::Disconnect {
            code: disconnect.reason.value(),
            properties: properties(&disconnect.properties),
        },
        Packet::Auth(auth) => normal::Packet::Auth {
            code: auth.reason.value(),
            properties: properties(&auth.properties),
        },
        handled => unreachable!("{handled:?} has a normal form in the caller"),
    }
}

fn will(will: &Will<&[u8]>) -> normal::Will {
    normal::Will {
        qos: will.qos.bits(),
        retain: will.retain,
        topic: will.topic.as_bytes().to_vec(),
        payload: will.payload.as_bytes().to_vec(),
        properties: properties(&will.properties),
    }
}

fn acknowledgement<S: Section>(packet_type: u8, id: u16, code: u8, all: &Properties<S, &[u8]>) -> normal::Packet {
    normal::Packet::Ack {
        packet_type,
        id,
        code,
        properties: properties(all),
    }
}

fn properties<S: Section>(all: &Properties<S, &[u8]>) -> normal::Properties {
    normal::Properties(
        all.iter()
            .map(|property| normal::Property {
                id: property.id().number(),
                value: value(&property),
            })
            .collect(),
    )
}

fn value(property: &Property<&[u8]>) -> normal::Value {
    use normal::Value::{Bytes, Number, Pair};
    match property {
        Property::PayloadFormatIndicator(format) => Number(u32::from(*format == PayloadFormat::Utf8)),
        Property::MessageExpiryInterval(number)
        | Property::SessionExpiryInterval(number)
        | Property::WillDelayInterval(number) => Number(*number),
        Property::ContentType(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => Bytes(text.as_bytes().to_vec()),
        Property::ResponseTopic(topic) => Bytes(topic.as_bytes().to_vec()),
        Property::CorrelationData(data) | Property::AuthenticationData(data) => Bytes(data.as_bytes().to_vec()),
        Property::SubscriptionIdentifier(id) => Number(id.get()),
        Property::ServerKeepAlive(number) | Property::TopicAliasMaximum(number) => Number(u32::from(*number)),
        Property::ReceiveMaximum(number) | Property::TopicAlias(number) => Number(u32::from(number.get())),
        Property::MaximumPacketSize(number) => Number(number.get()),
        Property::MaximumQoS(qos) => Number(u32::from(qos.bits())),
        Property::RequestProblemInformation(flag)
        | Property::RequestResponseInformation(flag)
        | Property::RetainAvailable(flag)
        | Property::WildcardSubscriptionAvailable(flag)
        | Property::SubscriptionIdentifierAvailable(flag)
        | Property::SharedSubscriptionAvailable(flag) => Number(u32::from(*flag)),
        Property::UserProperty(name, value) => Pair(name.as_bytes().to_vec(), value.as_bytes().to_vec()),
    }
}
