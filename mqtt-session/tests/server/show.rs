//! Packets and events in a line each, so that a test reads like a trace.

use bytes::Bytes;
use mqtt_session::proto::{Packet, Publish, ReasonCode, SubAckReason, UnsubAckReason};
use mqtt_session::{Closed, Outcome, Received, ServerEvent, SessionEvent};

use super::rig::LASTING_SECONDS;

fn reason(code: impl Into<ReasonCode>) -> String {
    match code.into().value() {
        0 => String::new(),
        code => format!(" {code:#04x}"),
    }
}

fn text(bytes: &[u8]) -> String {
    if bytes.len() > 32 {
        return format!("{} bytes", bytes.len());
    }
    String::from_utf8_lossy(bytes).into_owned()
}

fn publish(publish: &Publish<Bytes>) -> String {
    let mut line = format!("PUBLISH q{}", publish.delivery.qos().bits());
    if let Some(id) = publish.delivery.id() {
        line += &format!(" #{}", id.get());
    }
    if publish.delivery.dup() {
        line += " dup";
    }
    if publish.retain {
        line += " retain";
    }
    if let Some(topic) = &publish.topic {
        line += &format!(" {}", text(topic.as_bytes()));
    }
    if let Some(alias) = publish.properties.topic_alias() {
        line += &format!(" alias {alias}");
    }
    if let Some(seconds) = publish.properties.message_expiry() {
        line += &format!(" expiry {seconds}");
    }
    for id in publish.properties.subscription_ids() {
        line += &format!(" for {}", id.get());
    }
    line + ": " + &text(&publish.payload)
}

fn codes(codes: impl Iterator<Item = u8>) -> String {
    codes.map(|code| format!(" {code:#04x}")).collect()
}

pub(crate) fn packet(packet: &Packet<Bytes>) -> String {
    match packet {
        Packet::ConnAck(connack) if connack.session_present => "CONNACK present".into(),
        Packet::ConnAck(connack) => format!("CONNACK{}", reason(connack.reason)),
        Packet::Publish(packet) => publish(packet),
        Packet::PubAck(ack) => format!("PUBACK #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubRec(ack) => format!("PUBREC #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubRel(ack) => format!("PUBREL #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubComp(ack) => format!("PUBCOMP #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::SubAck(ack) => {
            let codes = codes(ack.codes.iter().map(SubAckReason::value));
            format!("SUBACK #{}{codes}", ack.id.get())
        }
        Packet::UnsubAck(ack) => {
            let codes = codes(ack.codes.iter().map(UnsubAckReason::value));
            format!("UNSUBACK #{}{codes}", ack.id.get())
        }
        Packet::PingResp => "PINGRESP".into(),
        Packet::Auth(auth) => format!("AUTH{}", reason(auth.reason)),
        Packet::Disconnect(farewell) => format!("DISCONNECT{}", reason(farewell.reason)),
        other => panic!("a server does not send {other:?}"),
    }
}

fn message(received: &Received) -> String {
    let message = &received.message;
    let again = if received.redelivered { " again" } else { "" };
    let delivery = received
        .delivery
        .map_or_else(String::new, |delivery| format!(" @{}", delivery.number()));
    let (topic, payload) = (text(message.topic.as_bytes()), text(&message.payload));
    format!("message q{}{delivery}{again} {topic}: {payload}", message.qos.bits())
}

fn completed(tag: u64, outcome: &Outcome) -> String {
    let end = match outcome {
        Outcome::Acknowledged(code) => format!("acknowledged{}", reason(*code)),
        Outcome::Refused(code) => format!("refused{}", reason(*code)),
        Outcome::TooLarge { bytes, limit } => format!("too large: {bytes} above {limit}"),
        other => format!("{other:?}"),
    };
    format!("completed {tag}: {end}")
}

fn closed(closed: &Closed) -> String {
    match closed {
        Closed::Violation(violation, _) => format!("Violation({violation:?})"),
        Closed::Malformed(error) => format!("malformed {:#04x}", error.disconnect_reason().value()),
        Closed::Disconnected { reason, .. } => format!("disconnected {:#04x}", reason.value()),
        Closed::ByHost(reason) => format!("by host {:#04x}", reason.value()),
        Closed::RefusedByHost(reason) => format!("refused {:#04x}", reason.value()),
        other => format!("{other:?}"),
    }
}

pub(crate) fn event(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Connect(_) => "connect".into(),
        ServerEvent::Authenticate { reason: step, .. } => format!("authenticate{}", reason(*step)),
        ServerEvent::Message(received) => message(received),
        ServerEvent::MessageStart { message, payload_bytes } => {
            format!("start q{} {payload_bytes} bytes", message.qos.bits())
        }
        ServerEvent::Chunk(bytes) => format!("chunk {}", bytes.len()),
        ServerEvent::MessageEnd { delivery } => {
            let delivery = delivery.map_or_else(String::new, |delivery| format!(" @{}", delivery.number()));
            format!("end{delivery}")
        }
        ServerEvent::MessageAborted => "aborted".into(),
        ServerEvent::PayloadWanted { tag, offset, bytes, .. } => format!("wanted {tag}: {bytes} at {offset}"),
        ServerEvent::Subscribe { filters, .. } => {
            let filters = filters.iter().map(|one| text(one.filter.as_bytes()));
            format!("subscribe {}", filters.collect::<Vec<_>>().join(" "))
        }
        ServerEvent::Unsubscribe { filters, .. } => {
            let filters = filters.iter().map(|one| text(one.as_bytes()));
            format!("unsubscribe {}", filters.collect::<Vec<_>>().join(" "))
        }
        ServerEvent::Completed { tag, outcome, .. } => completed(*tag, outcome),
        ServerEvent::Late { tag, .. } => format!("late {tag}"),
        ServerEvent::Closed {
            reason,
            will,
            session_expiry_seconds,
        } => {
            let will = if will.is_some() { ", will" } else { "" };
            let expiry = match session_expiry_seconds {
                0 | &LASTING_SECONDS => String::new(),
                &u32::MAX => ", kept for ever".into(),
                seconds => format!(", kept for {seconds}"),
            };
            format!("closed {}{will}{expiry}", closed(reason))
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn session_event(told: &SessionEvent) -> String {
    match told {
        SessionEvent::Message(received) => message(received),
        SessionEvent::Completed { tag, outcome, .. } => completed(*tag, outcome),
        SessionEvent::Late { tag, .. } => format!("late {tag}"),
        other => format!("{other:?}"),
    }
}
