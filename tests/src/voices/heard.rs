//! What a client hears from a server, without what two servers may choose freely: packet identifiers, topic aliases, and what
//! they are capable of.

use core::fmt;

use bytes::Bytes;
use mqtt_proto::{Packet, Property, Publish, SubAckReason, SubscriptionId, UnsubAckReason};

use super::script::LONG;

/// One thing that a client hears.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// CONNACK: Session Present, and the reason.
    ConnAck(bool, u8),
    /// SUBACK.
    SubAck(Vec<u8>),
    /// UNSUBACK.
    UnsubAck(Vec<u8>),
    /// PUBLISH.
    Message(Box<Message>),
    /// PUBACK.
    PubAck(u8),
    /// PUBREC.
    PubRec(u8),
    /// PUBREL.
    PubRel(u8),
    /// PUBCOMP.
    PubComp(u8),
    /// DISCONNECT.
    Disconnect(u8),
    /// The end of the stream.
    End,
    /// No answer in a time that is long enough for any.
    Silence,
    /// What no server may send.
    Fault(String),
}

/// A PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// The topic, below that of the script.
    pub topic: String,
    /// The QoS.
    pub qos: u8,
    /// RETAIN.
    pub retain: bool,
    /// DUP.
    pub dup: bool,
    /// The payload.
    pub payload: String,
    /// The Subscription Identifiers, in order.
    pub identifiers: Vec<u32>,
    /// What the Message Expiry Interval is.
    pub expiry: Option<Expiry>,
    /// The other properties, in words.
    pub properties: Vec<String>,
}

/// How much is left of a message's time. Servers round it differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// Seconds.
    Short,
    /// More than any script takes.
    Long,
}

impl Heard {
    /// Reads a packet; nothing of one that answers a PINGREQ.
    pub(super) fn of(packet: &Packet<Bytes>, prefix: &str) -> Option<Self> {
        Some(match packet {
            Packet::ConnAck(connack) => Self::ConnAck(connack.session_present, connack.reason.value()),
            Packet::SubAck(suback) => Self::SubAck(suback.codes.iter().map(SubAckReason::value).collect()),
            Packet::UnsubAck(unsuback) => Self::UnsubAck(unsuback.codes.iter().map(UnsubAckReason::value).collect()),
            Packet::Publish(publish) => Self::Message(Box::new(Message::of(publish, prefix))),
            Packet::PubAck(ack) => Self::PubAck(ack.reason.value()),
            Packet::PubRec(ack) => Self::PubRec(ack.reason.value()),
            Packet::PubRel(ack) => Self::PubRel(ack.reason.value()),
            Packet::PubComp(ack) => Self::PubComp(ack.reason.value()),
            Packet::Disconnect(disconnect) => Self::Disconnect(disconnect.reason.value()),
            Packet::PingResp => return None,
            other => Self::Fault(format!("{:?}", other.packet_type())),
        })
    }

    /// The message, if it is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl Message {
    fn of(publish: &Publish<Bytes>, prefix: &str) -> Self {
        let topic = publish.topic.as_ref().map_or("", |topic| topic.as_str());
        let topic = topic.strip_prefix(prefix).unwrap_or(topic).to_owned();
        let mut identifiers: Vec<u32> = publish.properties.subscription_ids().map(SubscriptionId::get).collect();
        identifiers.sort_unstable();
        let mut message = Self {
            topic,
            qos: publish.delivery.qos().bits(),
            retain: publish.retain,
            dup: publish.delivery.dup(),
            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
            identifiers,
            expiry: None,
            properties: Vec::new(),
        };
        for property in &publish.properties {
            match property {
                Property::SubscriptionIdentifier(_) | Property::TopicAlias(_) => {}
                Property::MessageExpiryInterval(left) if left > LONG / 2 => message.expiry = Some(Expiry::Long),
                Property::MessageExpiryInterval(_) => message.expiry = Some(Expiry::Short),
                Property::ResponseTopic(topic) => message.properties.push(format!("ResponseTopic({})", topic.as_str())),
                other => message.properties.push(format!("{other:?}")),
            }
        }
        message.properties.sort_unstable();
        message
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnAck(present, 0) => write!(f, "CONNACK{}", if *present { " session present" } else { "" }),
            Self::ConnAck(_, reason) => write!(f, "CONNACK {reason:#04X}"),
            Self::SubAck(codes) => write!(f, "SUBACK {codes:?}"),
            Self::UnsubAck(codes) => write!(f, "UNSUBACK {codes:?}"),
            Self::Message(message) => write!(f, "{message}"),
            Self::PubAck(reason) => write!(f, "PUBACK {reason:#04X}"),
            Self::PubRec(reason) => write!(f, "PUBREC {reason:#04X}"),
            Self::PubRel(reason) => write!(f, "PUBREL {reason:#04X}"),
            Self::PubComp(reason) => write!(f, "PUBCOMP {reason:#04X}"),
            Self::Disconnect(reason) => write!(f, "DISCONNECT {reason:#04X}"),
            Self::End => write!(f, "the end of the stream"),
            Self::Silence => write!(f, "nothing more, for too long"),
            Self::Fault(what) => write!(f, "a fault: {what}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PUBLISH {:?} to {} qos {}", self.payload, self.topic, self.qos)?;
        write!(f, "{}", if self.retain { " retained" } else { "" })?;
        write!(f, "{}", if self.dup { " dup" } else { "" })?;
        if !self.identifiers.is_empty() {
            write!(f, " for {:?}", self.identifiers)?;
        }
        if let Some(expiry) = self.expiry {
            write!(f, " expiry {expiry:?}")?;
        }
        if !self.properties.is_empty() {
            write!(f, " {}", self.properties.join(" "))?;
        }
        Ok(())
    }
}
