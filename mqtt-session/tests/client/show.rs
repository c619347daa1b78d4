//! Packets and events in a line each, so that a test reads like a trace.

use bytes::Bytes;
use mqtt_session::proto::{Packet, Publish, ReasonCode};
use mqtt_session::{Closed, Event, Outcome, Received};

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
    line + ": " + &text(&publish.payload)
}

pub(crate) fn packet(packet: &Packet<Bytes>) -> String {
    match packet {
        Packet::Connect(connect) if connect.clean_start => "CONNECT clean".into(),
        Packet::Connect(_) => "CONNECT".into(),
        Packet::Publish(packet) => publish(packet),
        Packet::PubAck(ack) => format!("PUBACK #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubRec(ack) => format!("PUBREC #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubRel(ack) => format!("PUBREL #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::PubComp(ack) => format!("PUBCOMP #{}{}", ack.id.get(), reason(ack.reason)),
        Packet::Subscribe(subscribe) => {
            let filters = subscribe.filters.iter().map(|one| text(one.filter.as_bytes()));
            format!(
                "SUBSCRIBE #{} {}",
                subscribe.id.get(),
                filters.collect::<Vec<_>>().join(" ")
            )
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.filters.iter().map(|one| text(one.as_bytes()));
            let id = unsubscribe.id.get();
            format!("UNSUBSCRIBE #{id} {}", filters.collect::<Vec<_>>().join(" "))
        }
        Packet::PingReq => "PINGREQ".into(),
        Packet::Disconnect(farewell) => format!("DISCONNECT{}", reason(farewell.reason)),
        other => panic!("a client does not send {other:?}"),
    }
}

fn message(received: &Received) -> String {
    let message = &received.message;
    let again = if received.redelivered { " again" } else { "" };
    let retain = if message.retain { " retain" } else { "" };
    let delivery = received
        .delivery
        .map_or_else(String::new, |delivery| format!(" @{}", delivery.number()));
    let (topic, payload) = (text(message.topic.as_bytes()), text(&message.payload));
    format!(
        "message q{}{retain}{delivery}{again} {topic}: {payload}",
        message.qos.bits()
    )
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Acknowledged(code) => format!("acknowledged{}", reason(*code)),
        Outcome::Refused(code) => format!("refused{}", reason(*code)),
        Outcome::Subscribed(ack) => {
            let codes = ack.codes.iter().map(|code| format!("{:#04x}", code.value()));
            format!("subscribed {}", codes.collect::<Vec<_>>().join(" "))
        }
        Outcome::Unsubscribed(ack) => format!("unsubscribed, {} codes", ack.codes.iter().len()),
        Outcome::TooLarge { bytes, limit } => format!("too large: {bytes} above {limit}"),
        other => format!("{other:?}"),
    }
}

fn closed(closed: &Closed) -> String {
    match closed {
        Closed::Violation(violation, _) => format!("Violation({violation:?})"),
        Closed::Malformed(error) => format!("malformed {:#04x}", error.disconnect_reason().value()),
        Closed::Refused { reason, .. } => format!("refused {:#04x}", reason.value()),
        Closed::Disconnected { reason, .. } => format!("disconnected {:#04x}", reason.value()),
        other => format!("{other:?}"),
    }
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Open => "open".into(),
        Event::Connected { session_present, .. } if *session_present => "connected, session present".into(),
        Event::Connected { .. } => "connected".into(),
        Event::Message(received) => message(received),
        Event::Completed { tag, outcome: end, .. } => format!("completed {tag}: {}", outcome(end)),
        Event::Late { tag, .. } => format!("late {tag}"),
        Event::MessageStart { message, payload_bytes } => {
            format!("start q{} {payload_bytes} bytes", message.qos.bits())
        }
        Event::Chunk(bytes) => format!("chunk {}", bytes.len()),
        Event::MessageEnd { delivery } => {
            let delivery = delivery.map_or_else(String::new, |delivery| format!(" @{}", delivery.number()));
            format!("end{delivery}")
        }
        Event::MessageAborted => "aborted".into(),
        Event::PayloadWanted { tag, offset, bytes, .. } => format!("wanted {tag}: {bytes} at {offset}"),
        Event::Dropped { messages } => format!("dropped {messages}"),
        Event::Closed { reason, retry_at } => {
            let ending = if retry_at.is_some() { "" } else { ", for good" };
            format!("closed {}{ending}", closed(reason))
        }
        other => format!("{other:?}"),
    }
}
