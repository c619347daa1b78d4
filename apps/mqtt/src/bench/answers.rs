//! What the server says, and what is answered.

use mqtt_tokio::session::proto::{DisconnectReason, SubAckReason};

use super::figures::Counts;
use super::frames::{PUBACK, PUBCOMP, PUBREC, PUBREL, Stamp, acknowledged, delivered, push_ack};
use super::publisher::{Ended, Publisher};
use super::subscriber::{FOREIGN, Subscriber};

const PUBLISH: u8 = 3;
const SUBACK: u8 = 0x90;
const DISCONNECT: u8 = 0xE0;

/// To a publisher. When the message was due that has ended by it, if one has.
pub(super) fn hear(
    publisher: &mut Publisher,
    packet: &[u8],
    body_at: usize,
    out: &mut Vec<u8>,
    counts: &mut Counts,
) -> Result<Option<u64>, String> {
    if ![PUBACK, PUBREC, PUBCOMP].contains(&packet[0]) {
        return answer(packet, body_at, out).map(|()| None);
    }
    let (id, reason) = acknowledged(&packet[body_at..]).ok_or("the server sends an acknowledgement that is cut off")?;
    Ok(match publisher.acknowledged(packet[0], id, reason, out)? {
        Ended::Nothing => None,
        Ended::Acknowledged(due) => {
            counts.acknowledged += 1;
            Some(due)
        }
        Ended::Refused(_) => {
            counts.refused += 1;
            None
        }
    })
}

/// To a subscriber. When the message was due that has come for the first time, if payloads of this length say so.
pub(super) fn deliver(
    subscriber: &mut Subscriber,
    packet: &[u8],
    body_at: usize,
    out: &mut Vec<u8>,
    payload: Option<usize>,
    counts: &mut Counts,
) -> Result<Option<u64>, String> {
    if packet[0] >> 4 != PUBLISH {
        return answer(packet, body_at, out).map(|()| None);
    }
    let (qos, id) = delivered(packet, body_at).ok_or("the server sends a PUBLISH that is cut off")?;
    match qos {
        0 => {}
        1 => push_ack(out, PUBACK, id),
        _ => push_ack(out, PUBREC, id),
    }
    counts.received += 1;
    counts.bytes += packet.len() as u64;
    let Some(payload) = payload else {
        subscriber.receive();
        return Ok(None);
    };
    let stamp = Stamp::read(packet, payload).ok_or(FOREIGN)?;
    Ok(subscriber.receive_stamped(stamp)?.then_some(stamp.nanos))
}

/// What is no message and ends none.
fn answer(packet: &[u8], body_at: usize, out: &mut Vec<u8>) -> Result<(), String> {
    match packet[0] {
        PUBREL => {
            let (id, _) = acknowledged(&packet[body_at..]).ok_or("the server sends a PUBREL that is cut off")?;
            push_ack(out, PUBCOMP, id);
            Ok(())
        }
        SUBACK => match packet.last().and_then(|code| SubAckReason::from_value(*code)) {
            Some(code) if !code.is_error() => Ok(()),
            Some(code) => {
                let meaning = code.meaning().trim_end_matches('.');
                Err(format!("the server refuses the subscription: {meaning}"))
            }
            None => Err("the server answers a subscription with a code that does not exist".to_owned()),
        },
        DISCONNECT => {
            let reason = packet.get(body_at).copied().unwrap_or(0);
            let meaning = DisconnectReason::from_value(reason).map_or("for no known reason", DisconnectReason::meaning);
            Err(format!(
                "the server ends the connection: {}",
                meaning.trim_end_matches('.')
            ))
        }
        _ => Ok(()),
    }
}
