//! What peers refuse, or wait for, though this codec accepts it.
//!
//! A row counts for one error of one peer, and only if its predicate finds the reason in the bytes.

use super::{Case, Class, Outcome, Right};
use crate::anatomy::{Anatomy, Part, Stop};
use crate::filters;
use crate::peers::{Peer, Version};
use crate::tables::Section;
use crate::verdict::Verdict;

/// What a peer is known to refuse.
struct Refusal {
    name: &'static str,
    peer: Peer,
    version: Version,
    /// How its error begins; `WAITS` if it asks for more bytes instead.
    error: &'static str,
    reason: fn(&Anatomy<'_>) -> bool,
    statement: &'static str,
    right: Right,
}

const WAITS: &str = "(waits)";

use Peer::{MqttProto, ProtocolCore, Rumqttc};
use Right::{Both, Ours};
use Version::{V3_1_1, V5};

const ANOTHER_VERSION: &str = "CONNECT of another version";
const TWO_TABLES: &str = "DISCONNECT with 0x8C";
const BINARY_PASSWORD: &str = "password that is not text";
const SHORT_DISCONNECT: &str = "short form of DISCONNECT";

#[rustfmt::skip]
const REFUSALS: &[Refusal] = &[
    // A version of its own is the business of another entry of the peer.
    Refusal { name: ANOTHER_VERSION, peer: MqttProto, version: V3_1_1, error: "UnexpectedProtocol(V500)",
        reason: |its| states_level(its, &[5]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: MqttProto, version: V5, error: "Common(UnexpectedProtocol(V31",
        reason: |its| states_level(its, &[3, 4]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: Rumqttc, version: V3_1_1, error: "InvalidProtocol",
        reason: |its| states_level(its, &[3]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: Rumqttc, version: V5, error: "InvalidProtocol",
        reason: |its| states_level(its, &[3, 4]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: ProtocolCore, version: V3_1_1, error: "UnsupportedProtocolVersion",
        reason: |its| states_level(its, &[5]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: ProtocolCore, version: V5, error: "UnsupportedProtocolVersion",
        reason: |its| states_level(its, &[4]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: ProtocolCore, version: V3_1_1, error: "ProtocolError",
        reason: |its| states_level(its, &[3]), statement: "MQTT-3.1.2-2", right: Both },
    Refusal { name: ANOTHER_VERSION, peer: ProtocolCore, version: V5, error: "ProtocolError",
        reason: |its| states_level(its, &[3]), statement: "MQTT-3.1.2-2", right: Both },

    // MQTT 3.1 let the length of the packet decide, whatever the flags announce; a policy of ours.
    Refusal { name: "user name or password of MQTT 3.1 announced and left out", peer: MqttProto, version: V3_1_1,
        error: "InvalidRemainingLength", reason: leaves_out_login, statement: "MQTT-3.1.2-19", right: Both },
    // A share name has a meaning since MQTT 5.0; before, it is text like any other.
    Refusal { name: "filter that only MQTT 5.0 takes for a share", peer: MqttProto, version: V3_1_1,
        error: "InvalidTopicFilter(", reason: is_share_of_v5, statement: "MQTT-4.7.3-1", right: Ours },
    // Whether the payload is what its format says may be checked, and is for the application to know.
    Refusal { name: "payload is not the text that it is said to be", peer: MqttProto, version: V5,
        error: "InvalidPayloadFormat", reason: |its| payload_is_no_text(its, Section::Packet(3), Part::Payload),
        statement: "U5-3.3.2-e", right: Both },
    Refusal { name: "will is not the text that it is said to be", peer: MqttProto, version: V5,
        error: "InvalidPayloadFormat", reason: |its| payload_is_no_text(its, Section::Will, Part::WillPayload),
        statement: "U5-3.1.3-b", right: Both },
    Refusal { name: "several Subscription Identifiers", peer: MqttProto, version: V5,
        error: "DuplicatedProperty(SubscriptionIdentifier)", reason: |its| subscription_ids(its) > 1,
        statement: "U5-3.3.2-c", right: Ours },

    // One table of the specification has this code for DISCONNECT and another has not.
    Refusal { name: TWO_TABLES, peer: MqttProto, version: V5, error: "InvalidReasonCode(Disconnect, 140)",
        reason: is_disconnect_8c, statement: "MQTT-3.14.2-1", right: Both },
    Refusal { name: TWO_TABLES, peer: Rumqttc, version: V5, error: "InvalidConnectReturnCode(140)",
        reason: is_disconnect_8c, statement: "MQTT-3.14.2-1", right: Both },
    Refusal { name: TWO_TABLES, peer: ProtocolCore, version: V5, error: "MalformedPacket",
        reason: is_disconnect_8c, statement: "MQTT-3.14.2-1", right: Both },

    // Its password is a `String`, and a password is binary data.
    Refusal { name: BINARY_PASSWORD, peer: Rumqttc, version: V3_1_1, error: "TopicNotUtf8",
        reason: password_is_no_text, statement: "MQTT-3.1.2-21", right: Ours },
    Refusal { name: BINARY_PASSWORD, peer: Rumqttc, version: V5, error: "TopicNotUtf8",
        reason: password_is_no_text, statement: "MQTT-3.1.2-19", right: Ours },
    Refusal { name: "AUTH", peer: Rumqttc, version: V5, error: "InvalidPacketType(15)",
        reason: |its| its.packet_type == 15, statement: "U5-2.1.2-a", right: Ours },
    Refusal { name: SHORT_DISCONNECT, peer: Rumqttc, version: V5, error: "PayloadRequired",
        reason: |its| its.packet_type == 14 && its.frame.len() == 2, statement: "U5-3.14.1-a", right: Ours },
    Refusal { name: SHORT_DISCONNECT, peer: Rumqttc, version: V5, error: WAITS,
        reason: |its| its.packet_type == 14 && its.frame.len() == 3, statement: "U5-3.14.1-a", right: Ours },
    // MQTT 5.0 dropped this rule of MQTT 3.1.1.
    Refusal { name: "password without user name", peer: ProtocolCore, version: V5, error: "ProtocolError",
        reason: has_password_alone, statement: "MQTT-3.1.2-19", right: Ours },
];

/// The rows for a peer.
pub(super) fn rows(peer: Peer, version: Version) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_pair = move |row: &&Refusal| (row.peer, row.version) == (peer, version);
    REFUSALS.iter().filter(of_pair).map(|row| (row.name, row.statement))
}

/// What this codec alone accepted.
pub(super) fn class(case: &Case<'_>) -> Option<Class> {
    let anatomy = case.anatomy()?;
    if is_misread_connect(case) {
        return Some(misread_connect(case.outcome()));
    }
    let error = match &case.theirs {
        Verdict::Refused(error) => error.as_str(),
        Verdict::Waits => WAITS,
        Verdict::Accepted { .. } | Verdict::Panicked(_) => return None,
    };
    let row = REFUSALS.iter().find(|row| {
        (row.peer, row.version) == (case.peer, case.version) && error.starts_with(row.error) && (row.reason)(&anatomy)
    })?;
    let Refusal {
        name, statement, right, ..
    } = *row;
    Some(Class {
        outcome: case.outcome(),
        name,
        statement,
        right,
    })
}

/// rumqttc's reader of MQTT 3.1.1 lets a CONNECT of MQTT 5.0 in and then reads it as if it had no properties.
pub(super) fn is_misread_connect(case: &Case<'_>) -> bool {
    (case.peer, case.version) == (Rumqttc, V3_1_1) && case.anatomy().is_some_and(|anatomy| states_level(&anatomy, &[5]))
}

pub(super) const fn misread_connect(outcome: Outcome) -> Class {
    let name = "CONNECT of MQTT 5.0 read as one of 3.1.1";
    Class {
        outcome,
        name,
        statement: "MQTT-3.1.2-2",
        right: Ours,
    }
}

fn states_level(its: &Anatomy<'_>, levels: &[u8]) -> bool {
    its.packet_type == 1 && its.has(Part::ProtocolLevel) && levels.contains(&its.level)
}

fn leaves_out_login(its: &Anatomy<'_>) -> bool {
    let end = its.frame.len();
    let cut = matches!(its.stop, Some(Stop::Missing(Part::UserName | Part::Password, at)) if at == end);
    states_level(its, &[3]) && cut
}

fn is_share_of_v5(its: &Anatomy<'_>) -> bool {
    its.pieces
        .iter()
        .filter(|piece| piece.part == Part::Filter)
        .any(|piece| {
            let filter = its.content(piece);
            filter.starts_with(b"$share/")
                && filters::faults(filter, false).is_empty()
                && !filters::faults(filter, true).is_empty()
        })
}

fn payload_is_no_text(its: &Anatomy<'_>, section: Section, payload: Part) -> bool {
    let content = |part| its.first(part).map(|piece| its.content(piece));
    content(Part::PropertyValue(section, 0x01)) == Some(&[1])
        && content(payload).is_some_and(|payload| std::str::from_utf8(payload).is_err())
}

fn subscription_ids(its: &Anatomy<'_>) -> usize {
    let id = Part::PropertyId(Section::Packet(3), 0x0B);
    its.pieces.iter().filter(|piece| piece.part == id).count()
}

fn is_disconnect_8c(its: &Anatomy<'_>) -> bool {
    its.packet_type == 14 && its.first(Part::Code).is_some_and(|code| its.content(code) == [0x8C])
}

fn password_is_no_text(its: &Anatomy<'_>) -> bool {
    its.first(Part::Password)
        .is_some_and(|password| std::str::from_utf8(its.content(password)).is_err())
}

fn has_password_alone(its: &Anatomy<'_>) -> bool {
    its.level == 5
        && its
            .first(Part::ConnectFlags)
            .is_some_and(|flags| its.content(flags)[0] & 0xC0 == 0x40)
}
