//! What an input chooses.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Auth, AuthProperties, AuthReason, ConnAck, ConnAckProperties, ConnAckReason, Delivery, Packet, PacketId,
    Properties, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish,
    SubAck, SubAckCodes, SubAckReason, Text, TopicName, UnsubAck, UnsubAckCodes, UnsubAckReason, Version,
};
use mqtt_session::{HandOver, Instant, Limits, Message, QoS, WhenFull};

pub(super) fn qos(u: &mut Unstructured<'_>) -> Result<QoS> {
    Ok(*u.choose(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])?)
}

pub(super) fn hand_over(u: &mut Unstructured<'_>) -> Result<HandOver> {
    Ok(*u.choose(&[HandOver::Automatic, HandOver::Manual, HandOver::Inbox])?)
}

pub(super) fn when_full(u: &mut Unstructured<'_>) -> Result<WhenFull> {
    Ok(*u.choose(&[WhenFull::Refuse, WhenFull::DropOldest])?)
}

/// Mostly the defaults, or everything so small that it is met. Packets in chunks are a choice of their own.
pub(super) fn limits(u: &mut Unstructured<'_>) -> Result<Limits> {
    let mut limits = Limits::default();
    let choices: u8 = u.arbitrary()?;
    if choices & 1 != 0 {
        let packets = u.int_in_range(0..=3_u16)?;
        limits = limits.receive_maximum(packets).send_maximum(u.int_in_range(0..=3)?);
        limits = limits.packet_ids(u.int_in_range(0..=3)?).requests(packets);
    }
    if choices & 2 != 0 {
        limits = limits
            .queued_messages(u.int_in_range(0..=4)?)
            .queued_bytes(u.int_in_range(0..=300)?);
    }
    if choices & 4 != 0 {
        limits = limits.events(u.int_in_range(0..=3)?).batches(u.int_in_range(0..=3)?);
        limits = limits
            .inbox_messages(u.int_in_range(0..=3)?)
            .timers_per_call(u.int_in_range(0..=2)?);
    }
    if choices & 8 != 0 {
        limits = limits
            .replies(u.int_in_range(0..=3)?)
            .reply_bytes(u.int_in_range(0..=40)?);
    }
    if choices & 16 != 0 {
        limits = limits
            .whole_packet_bytes(u.int_in_range(0..=60)?)
            .chunk_bytes(u.int_in_range(0..=20)?);
    }
    if choices & 32 != 0 {
        limits = limits
            .packet_bytes(u.int_in_range(0..=200)?)
            .connect_bytes(u.int_in_range(0..=200)?);
    }
    if choices & 64 != 0 {
        limits = limits
            .aliases_accepted(u.int_in_range(0..=3)?)
            .aliases_used(u.int_in_range(0..=3)?);
        limits = limits.inline_bytes(u.int_in_range(0..=10)?);
    }
    if choices & 128 != 0 {
        let duration = Duration::from_millis(u.int_in_range(0..=3)?);
        limits = limits
            .handshake_timeout(duration)
            .admission_timeout(duration * 3)
            .ping_timeout(duration)
            .source_timeout(duration);
        limits = limits.stall_timeout(duration).linger_timeout(duration);
    }
    Ok(limits)
}

/// Whether large messages come in chunks.
pub(super) fn is_chunked(limits: &Limits) -> bool {
    limits.whole_packet_bytes < limits.packet_bytes
}

/// A message with a payload that begins with its tag.
pub(super) fn message(u: &mut Unstructured<'_>, tag: u64) -> Result<Message> {
    let choices: u8 = u.arbitrary()?;
    let topic = ["t", "a/b", "a/longer/topic/of/many/levels", "u"][usize::from(choices & 3)];
    let padding = if choices & 4 == 0 { 0 } else { u.int_in_range(0..=600)? };
    let payload = format!("{tag}{}", ".".repeat(padding));
    let mut message = Message::new(topic, payload)
        .expect("the topic is valid")
        .qos(qos(u)?)
        .retain(choices & 8 != 0);
    if choices & 0x70 == 0x10 {
        message = message.expiry_seconds(u.int_in_range(0..=3)?);
    }
    if choices & 0x70 == 0x20 {
        message = message.properties(u.arbitrary()?);
    }
    Ok(message)
}

/// Where the clock goes from here: back, not at all, to the next deadline, or on by anything up to a century.
pub(super) fn time(u: &mut Unstructured<'_>, now: Instant, next: Option<Instant>) -> Result<Instant> {
    let later = |micros: u64| now.saturating_add(Duration::from_micros(micros));
    Ok(match u.int_in_range(0..=7_u8)? {
        0 => Instant::from_micros(now.as_micros() / 2),
        1 => now,
        2 => later(u.int_in_range(0..=5_000)?),
        3 => later(u.int_in_range(0..=100)? * 1_000_000),
        4 => later(1 << u.int_in_range(0..=51_u32)?),
        _ => next.map_or(now, |next| next.max(now)),
    })
}

fn id(u: &mut Unstructured<'_>) -> Result<PacketId> {
    Ok(PacketId::new(u.int_in_range(1..=4)?).expect("not zero"))
}

/// A packet that makes sense between the two ends, about few identifiers.
fn plain_packet(u: &mut Unstructured<'_>) -> Result<Packet<Bytes>> {
    Ok(match u.int_in_range(0..=9_u8)? {
        0..=3 => {
            let (id, dup) = (id(u)?, u.arbitrary()?);
            let delivery = match qos(u)? {
                QoS::AtMostOnce => Delivery::AtMostOnce,
                QoS::AtLeastOnce => Delivery::AtLeastOnce { id, dup },
                QoS::ExactlyOnce => Delivery::ExactlyOnce { id, dup },
            };
            let len = u.int_in_range(0..=200)?;
            Packet::Publish(Publish {
                delivery,
                retain: u.arbitrary()?,
                topic: Some(TopicName::new("t").expect("a valid topic").to_owned()),
                properties: Properties::empty(),
                payload: Bytes::from(vec![b'.'; len]),
            })
        }
        4 | 5 => Packet::PubRel(PubRel {
            id: id(u)?,
            reason: PubRelReason::Success,
            properties: Properties::empty(),
        }),
        6 => Packet::PubAck(PubAck {
            id: id(u)?,
            reason: PubAckReason::Success,
            properties: Properties::empty(),
        }),
        7 => Packet::PubRec(PubRec {
            id: id(u)?,
            reason: PubRecReason::Success,
            properties: Properties::empty(),
        }),
        8 => Packet::PubComp(PubComp {
            id: id(u)?,
            reason: PubCompReason::Success,
            properties: Properties::empty(),
        }),
        _ => connack(u)?,
    })
}

fn connack(u: &mut Unstructured<'_>) -> Result<Packet<Bytes>> {
    let mut properties = ConnAckProperties::builder();
    if u.arbitrary()? {
        properties = properties.receive_maximum(u.int_in_range(1..=3)?);
    }
    if u.arbitrary()? {
        properties = properties.maximum_packet_size(u.int_in_range(4..=200)?);
    }
    if u.arbitrary()? {
        properties = properties.topic_alias_maximum(u.int_in_range(0..=3)?);
    }
    Ok(Packet::ConnAck(ConnAck {
        session_present: u.arbitrary()?,
        reason: ConnAckReason::Success,
        properties: properties.build().expect("valid properties"),
    }))
}

/// A packet that makes sense, or any.
pub(super) fn packet(u: &mut Unstructured<'_>, version: Version) -> Result<Bytes> {
    let packet = if u.ratio(2, 3)? {
        plain_packet(u)?.for_version(version)
    } else {
        Some(Packet::arbitrary_in(version, u)?)
    };
    Ok(packet.map_or_else(Bytes::new, |packet| encoded(&packet, version)))
}

pub(super) fn encoded(packet: &Packet<Bytes>, version: Version) -> Bytes {
    let mut bytes = BytesMut::new();
    packet
        .encode_to(version, &mut bytes)
        .unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    bytes.freeze()
}

/// What the answer of a peer to CONNECT depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    pub(super) has_session: bool,
    pub(super) gives_name: bool,
}

/// What a peer that does everything right answers. A client without a name gets one from it.
pub(super) fn answer(packet: &Packet<Bytes>, version: Version, peer: Peer) -> Option<Bytes> {
    let answer = match packet {
        Packet::Connect(connect) => match connect.properties.authentication_method() {
            Some(method) if peer.has_session => Packet::Auth(Auth {
                reason: AuthReason::ContinueAuthentication,
                properties: AuthProperties::builder()
                    .authentication_method(method.as_bytes())
                    .build()
                    .expect("a valid method"),
            }),
            method => {
                let is_present = peer.has_session && !connect.clean_start && version != Version::V3_1;
                accepted(is_present, version, peer, method)
            }
        },
        Packet::Auth(auth) => accepted(false, version, peer, auth.properties.authentication_method()),
        Packet::Publish(publish) => match publish.delivery {
            Delivery::AtMostOnce => return None,
            Delivery::AtLeastOnce { id, .. } => Packet::PubAck(PubAck {
                id,
                reason: PubAckReason::Success,
                properties: Properties::empty(),
            }),
            Delivery::ExactlyOnce { id, .. } => Packet::PubRec(PubRec {
                id,
                reason: PubRecReason::Success,
                properties: Properties::empty(),
            }),
        },
        Packet::PubRec(ack) if !ack.reason.is_error() => Packet::PubRel(PubRel {
            id: ack.id,
            reason: PubRelReason::Success,
            properties: Properties::empty(),
        }),
        Packet::PubRel(ack) => Packet::PubComp(PubComp {
            id: ack.id,
            reason: PubCompReason::Success,
            properties: Properties::empty(),
        }),
        Packet::Subscribe(ask) => Packet::SubAck(SubAck {
            id: ask.id,
            codes: SubAckCodes::new(ask.filters.iter().map(|_| SubAckReason::GrantedQoS0)).expect("a code for each"),
            properties: Properties::empty(),
        }),
        Packet::Unsubscribe(ask) => Packet::UnsubAck(UnsubAck {
            id: ask.id,
            codes: if version.has_properties() {
                UnsubAckCodes::new(ask.filters.iter().map(|_| UnsubAckReason::Success)).expect("a code for each")
            } else {
                UnsubAckCodes::none()
            },
            properties: Properties::empty(),
        }),
        Packet::PingReq => Packet::PingResp,
        _ => return None,
    };
    Some(encoded(&answer, version))
}

fn accepted(session_present: bool, version: Version, peer: Peer, method: Option<Text<&[u8]>>) -> Packet<Bytes> {
    let mut properties = ConnAckProperties::builder();
    if peer.gives_name && version.has_properties() {
        properties = properties.assigned_client_id("given");
    }
    if let Some(method) = method {
        properties = properties.authentication_method(method.as_bytes());
    }
    Packet::ConnAck(ConnAck {
        session_present,
        reason: ConnAckReason::Success,
        properties: properties.build().expect("valid properties"),
    })
}
