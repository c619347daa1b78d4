//! Checks that peers leave out: what this codec refuses and a peer accepts.
//!
//! A row counts for the peers and versions that it names, for its kind of error and for its statements, and only if the
//! witness has seen the fault.

use mqtt_proto::{DecodeError, DecodeErrorKind as Kind, Field};

use super::{Case, Class, Outcome, Right};
use crate::anatomy::{Part, Piece};
use crate::normal::Packet;
use crate::peers::{Peer, Version};
use crate::verdict::Verdict;
use crate::witness;

/// A check that some peers leave out.
struct Lapse {
    name: &'static str,
    kind: Kind,
    version: Version,
    statements: &'static [&'static str],
    of: &'static [Peer],
}

use Peer::{MqttProto, ProtocolCore, Rumqttc};
use Version::{V3_1_1, V5};

const ALL: &[Peer] = &Peer::ALL;

#[rustfmt::skip]
const LAPSES: &[Lapse] = &[
    // The fixed header.
    Lapse { name: "padded length", kind: Kind::LengthPadded, version: V3_1_1, of: ALL, statements: &["MQTT-4.8.0-1"] },
    Lapse { name: "padded length", kind: Kind::LengthPadded, version: V5, of: ALL, statements: &["MQTT-1.5.5-1"] },
    Lapse { name: "DUP at QoS 0", kind: Kind::DupWithoutAcknowledgement, version: V3_1_1, of: ALL,
        statements: &["MQTT-3.3.1-2"] },
    Lapse { name: "DUP at QoS 0", kind: Kind::DupWithoutAcknowledgement, version: V5, of: ALL,
        statements: &["MQTT-3.3.1-2"] },
    Lapse { name: "reserved flags", kind: Kind::ReservedBitsSet, version: V3_1_1, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-2.2.2-1", "MQTT-2.2.2-2", "MQTT-3.6.1-1", "MQTT-3.8.1-1", "MQTT-3.10.1-1",
            "MQTT-3.14.1-1"] },
    Lapse { name: "reserved flags", kind: Kind::ReservedBitsSet, version: V5, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-2.1.3-1", "MQTT-3.6.1-1", "MQTT-3.8.1-1", "MQTT-3.10.1-1"] },
    Lapse { name: "reserved flags", kind: Kind::ReservedBitsSet, version: V5, of: &[ProtocolCore],
        statements: &["MQTT-3.14.1-1", "MQTT-3.15.1-1"] },

    // CONNECT and CONNACK.
    Lapse { name: "reserved bit of the Connect Flags", kind: Kind::ReservedBitsSet, version: V3_1_1,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.1.2-3"] },
    Lapse { name: "reserved bit of the Connect Flags", kind: Kind::ReservedBitsSet, version: V5,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.1.2-3"] },
    Lapse { name: "will bits without a will", kind: Kind::WillBitsWithoutWill, version: V3_1_1,
        of: &[MqttProto, ProtocolCore], statements: &["MQTT-3.1.2-15"] },
    Lapse { name: "will bits without a will", kind: Kind::WillBitsWithoutWill, version: V3_1_1, of: &[ProtocolCore],
        statements: &["MQTT-3.1.2-11", "MQTT-3.1.2-13"] },
    Lapse { name: "will bits without a will", kind: Kind::WillBitsWithoutWill, version: V5,
        of: &[MqttProto, ProtocolCore], statements: &["MQTT-3.1.2-13"] },
    Lapse { name: "will bits without a will", kind: Kind::WillBitsWithoutWill, version: V5, of: &[ProtocolCore],
        statements: &["MQTT-3.1.2-11"] },
    Lapse { name: "Will QoS 3", kind: Kind::InvalidQoS, version: V3_1_1, of: &[ProtocolCore],
        statements: &["MQTT-3.1.2-14"] },
    Lapse { name: "Will QoS 3", kind: Kind::InvalidQoS, version: V5, of: &[ProtocolCore],
        statements: &["MQTT-3.1.2-12"] },
    Lapse { name: "password without user name", kind: Kind::PasswordWithoutUserName, version: V3_1_1,
        of: &[MqttProto, Rumqttc], statements: &["MQTT-3.1.2-22"] },
    Lapse { name: "reserved bits of the Connect Acknowledge Flags", kind: Kind::ReservedBitsSet, version: V3_1_1,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-4.8.0-1"] },
    Lapse { name: "reserved bits of the Connect Acknowledge Flags", kind: Kind::ReservedBitsSet, version: V5,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.2.2-1"] },

    Lapse { name: "Session Present in a refusal", kind: Kind::SessionPresentInRefusal, version: V3_1_1, of: ALL,
        statements: &["MQTT-3.2.2-4"] },
    Lapse { name: "Session Present in a refusal", kind: Kind::SessionPresentInRefusal, version: V5, of: ALL,
        statements: &["MQTT-3.2.2-6"] },

    // Packet identifiers, filters and codes.
    Lapse { name: "packet identifier 0", kind: Kind::ZeroPacketId, version: V3_1_1, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-2.3.1-1", "MQTT-2.3.1-7"] },
    Lapse { name: "packet identifier 0", kind: Kind::ZeroPacketId, version: V3_1_1, of: &[Rumqttc],
        statements: &["MQTT-2.3.1-6"] },
    Lapse { name: "packet identifier 0", kind: Kind::ZeroPacketId, version: V5, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-2.2.1-3", "MQTT-2.2.1-6"] },
    Lapse { name: "packet identifier 0", kind: Kind::ZeroPacketId, version: V5, of: &[Rumqttc],
        statements: &["MQTT-2.2.1-5"] },
    Lapse { name: "reserved bits of the Subscription Options", kind: Kind::ReservedBitsSet, version: V3_1_1,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.8.3-4"] },
    Lapse { name: "reserved bits of the Subscription Options", kind: Kind::ReservedBitsSet, version: V5,
        of: &[Rumqttc], statements: &["MQTT-3.8.3-5"] },
    Lapse { name: "No Local on a shared filter", kind: Kind::NoLocalOnSharedSubscription, version: V5, of: ALL,
        statements: &["MQTT-3.8.3-4"] },
    Lapse { name: "no filter", kind: Kind::FiltersMissing, version: V3_1_1, of: &[Rumqttc],
        statements: &["MQTT-3.10.3-2"] },
    Lapse { name: "no filter", kind: Kind::FiltersMissing, version: V5, of: &[Rumqttc],
        statements: &["MQTT-3.10.3-2"] },
    Lapse { name: "no code", kind: Kind::CodesMissing, version: V3_1_1, of: &[MqttProto],
        statements: &["MQTT-3.8.4-5"] },
    Lapse { name: "no code", kind: Kind::CodesMissing, version: V5, of: &[MqttProto],
        statements: &["MQTT-3.8.4-6", "MQTT-3.11.3-2"] },

    // Text and topics.
    Lapse { name: "ill-formed UTF-8", kind: Kind::IllFormedUtf8, version: V5, of: &[Rumqttc],
        statements: &["MQTT-3.3.2-1", "MQTT-3.1.3-11"] },
    Lapse { name: "U+0000", kind: Kind::NulCharacter, version: V3_1_1, of: ALL, statements: &["MQTT-1.5.3-2"] },
    Lapse { name: "U+0000", kind: Kind::NulCharacter, version: V5, of: ALL,
        statements: &["MQTT-1.5.4-2", "MQTT-1.5.7-1"] },
    Lapse { name: "U+0000 in a topic", kind: Kind::NulCharacter, version: V3_1_1, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-4.7.3-2"] },
    Lapse { name: "U+0000 in a topic", kind: Kind::NulCharacter, version: V5, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-4.7.3-2"] },
    Lapse { name: "empty topic", kind: Kind::Empty, version: V3_1_1, of: ALL, statements: &["MQTT-4.7.3-1"] },
    Lapse { name: "empty topic", kind: Kind::Empty, version: V5, of: ALL, statements: &["MQTT-4.7.3-1"] },
    Lapse { name: "empty topic and no alias", kind: Kind::EmptyTopicWithoutAlias, version: V5, of: ALL,
        statements: &["U5-3.3.2-a"] },
    Lapse { name: "wildcard in a topic name", kind: Kind::WildcardInTopicName, version: V3_1_1,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.3.2-2", "MQTT-4.7.1-1"] },
    Lapse { name: "wildcard in a topic name", kind: Kind::WildcardInTopicName, version: V5,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-3.3.2-2", "MQTT-3.3.2-14", "MQTT-4.7.0-1"] },
    Lapse { name: "misplaced #", kind: Kind::MisplacedMultiLevelWildcard, version: V3_1_1,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-4.7.1-2"] },
    Lapse { name: "misplaced #", kind: Kind::MisplacedMultiLevelWildcard, version: V5,
        of: &[Rumqttc, ProtocolCore], statements: &["MQTT-4.7.1-1"] },
    // mqtt-proto looks at what stands beside a + only when a / follows.
    Lapse { name: "misplaced +", kind: Kind::MisplacedSingleLevelWildcard, version: V3_1_1, of: ALL,
        statements: &["MQTT-4.7.1-3"] },
    Lapse { name: "misplaced +", kind: Kind::MisplacedSingleLevelWildcard, version: V5, of: ALL,
        statements: &["MQTT-4.7.1-2"] },
    Lapse { name: "invalid share", kind: Kind::EmptyShareName, version: V5, of: &[Rumqttc],
        statements: &["MQTT-4.8.2-1"] },
    Lapse { name: "invalid share", kind: Kind::InvalidShare, version: V5, of: &[Rumqttc, ProtocolCore],
        statements: &["MQTT-4.8.2-2"] },

    // Properties.
    Lapse { name: "property twice", kind: Kind::DuplicateProperty, version: V5, of: &[Rumqttc], statements: &[
        "U5-3.1.2-a", "U5-3.1.2-b", "U5-3.1.2-c", "U5-3.1.2-d", "U5-3.1.2-e", "U5-3.1.2-f", "U5-3.1.2-g",
        "U5-3.1.2-h", "U5-3.1.3-a", "U5-3.2.2-a", "U5-3.3.2-c", "U5-3.4.2-b", "U5-3.14.2-b"] },
    Lapse { name: "property twice", kind: Kind::DuplicateProperty, version: V5, of: &[Rumqttc, ProtocolCore],
        statements: &["U5-3.8.2-a"] },
    Lapse { name: "property out of range", kind: Kind::PropertyOutOfRange, version: V5, of: &[Rumqttc], statements: &[
        "U5-2.2.2-a", "U5-3.1.2-b", "U5-3.1.2-c", "U5-3.1.2-e", "U5-3.1.2-f", "U5-3.2.2-b", "U5-3.2.2-c",
        "U5-3.2.2-d", "U5-3.3.2-d", "U5-3.8.2-a"] },
    Lapse { name: "property that may not be 0", kind: Kind::PropertyOutOfRange, version: V5, of: &[MqttProto],
        statements: &["U5-3.1.2-b", "U5-3.1.2-c", "U5-3.2.2-b", "U5-3.3.2-d", "U5-3.8.2-a"] },
    Lapse { name: "topic alias 0", kind: Kind::ZeroTopicAlias, version: V5, of: &[MqttProto, Rumqttc],
        statements: &["MQTT-3.3.2-8"] },
    // rumqttc counts the bytes of properties, but lets each reach beyond the Property Length.
    Lapse { name: "property beyond the Property Length", kind: Kind::Overrun, version: V5, of: &[Rumqttc],
        statements: &["U5-2.2.2-a"] },
    Lapse { name: "property beyond the Property Length", kind: Kind::Missing, version: V5, of: &[Rumqttc],
        statements: &["U5-2.2.2-a"] },
    Lapse { name: "Property Length missing", kind: Kind::Missing, version: V5, of: &[ProtocolCore],
        statements: &["MQTT-2.2.2-1"] },
    Lapse { name: "authentication data without method", kind: Kind::AuthenticationDataWithoutMethod, version: V5,
        of: ALL, statements: &["U5-3.1.2-h"] },
    Lapse { name: "AUTH without method", kind: Kind::AuthenticationMethodMissing, version: V5,
        of: &[MqttProto, ProtocolCore], statements: &["U5-3.15.2-a"] },

    // The end of the packet.
    Lapse { name: "trailing bytes", kind: Kind::TrailingBytes, version: V3_1_1, of: ALL,
        statements: &["MQTT-4.8.0-1"] },
    Lapse { name: "trailing bytes", kind: Kind::TrailingBytes, version: V3_1_1, of: &[MqttProto, Rumqttc],
        statements: &["MQTT-3.1.2-18", "MQTT-3.1.2-20", "MQTT-3.1.4-1"] },
    Lapse { name: "trailing bytes", kind: Kind::TrailingBytes, version: V5, of: &[MqttProto, Rumqttc],
        statements: &["MQTT-4.13.1-1", "MQTT-3.1.2-16", "MQTT-3.1.2-18", "MQTT-3.1.4-1"] },
];

/// The rows for a peer, one for each statement.
pub(super) fn rows(peer: Peer, version: Version) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_pair = move |row: &&Lapse| row.version == version && row.of.contains(&peer);
    LAPSES
        .iter()
        .filter(of_pair)
        .flat_map(|row| row.statements.iter().map(|statement| (row.name, *statement)))
}

/// What this codec refused.
pub(super) fn class(case: &Case<'_>) -> Option<Class> {
    let Verdict::Refused(error) = &case.ours else {
        return premature(case);
    };
    if !witness::confirms(error, case.bytes, case.version.level()) {
        return None;
    }
    let outcome = case.outcome();
    let of = |name, right| {
        Some(Class {
            outcome,
            name,
            statement: error.statement(),
            right,
        })
    };
    if super::refusals::is_misread_connect(case) {
        return Some(super::refusals::misread_connect(outcome));
    }
    if let Some(name) = encoded_wrongly(case, error.kind()) {
        return of(name, Right::Ours);
    }
    if outcome == Outcome::WeRefuseTheyWait {
        return match error.field() {
            Field::FixedHeader | Field::RemainingLength => of("told before the frame is complete", Right::Ours),
            // An integer that the frame cuts off, in rumqttc, asks for bytes as if the stream cut it off.
            _ if case.peer == Rumqttc && case.anatomy().is_some() => of("asks for bytes behind the frame", Right::Ours),
            _ => None,
        };
    }
    if is_not_counted(case, error) {
        return of(
            "property that is not looked at, behind a Subscription Identifier",
            Right::Ours,
        );
    }
    let row = LAPSES.iter().find(|row| {
        (row.kind, row.version) == (error.kind(), case.version)
            && row.statements.contains(&error.statement())
            && row.of.contains(&case.peer)
    })?;
    // The specification says how to encode a length, and not what to do with one that is encoded otherwise.
    let right = if row.kind == Kind::LengthPadded {
        Right::Both
    } else {
        Right::Ours
    };
    of(row.name, right)
}

/// rumqttc counts one byte too many for each Subscription Identifier, and so does not look at what begins in the last
/// bytes of the properties.
fn is_not_counted(case: &Case<'_>, error: &DecodeError) -> bool {
    let Some(anatomy) = case.anatomy().filter(|_| (case.peer, case.version) == (Rumqttc, V5)) else {
        return false;
    };
    let Some((section, _, properties)) = anatomy.sections().next() else {
        return false;
    };
    let id = Part::PropertyId(section, 0x0B);
    let before = |piece: &&Piece| piece.part == id && piece.range.start < error.offset();
    let miscounted = anatomy.pieces.iter().filter(before).count();
    let unknown = matches!(error.kind(), Kind::UnknownProperty | Kind::PropertyNotAllowed);
    unknown && properties.contains(&error.offset()) && error.offset() + miscounted >= properties.end
}

/// What a peer accepts of a frame that is not complete: mqtt-proto takes a packet without a body when it has seen the
/// header, whatever length that states.
fn premature(case: &Case<'_>) -> Option<Class> {
    let first = case.bytes.first()?;
    let empty = match first >> 4 {
        12 | 13 => true,
        14 => case.version == V3_1_1,
        _ => false,
    };
    let known = case.peer == MqttProto && case.outcome() == Outcome::TheirsOnly && first & 0x0F == 0;
    let stated = crate::anatomy::frame_len(case.bytes).is_some_and(|(_, len)| len > case.bytes.len());
    let statement = if case.version == V5 {
        "MQTT-4.13.1-1"
    } else {
        "MQTT-4.8.0-1"
    };
    let name = "accepted before the frame is complete";
    (known && empty && stated).then_some(Class {
        outcome: case.outcome(),
        name,
        statement,
        right: Right::Ours,
    })
}

/// What a peer itself encoded, and what is not valid: the refusal in a SUBACK of MQTT 3.1.1, which mqtt-proto writes as
/// 0x03 instead of 0x80.
fn encoded_wrongly(case: &Case<'_>, kind: Kind) -> Option<&'static str> {
    let Some(Packet::SubAck { codes, .. }) = &case.meant else {
        return None;
    };
    let refusal =
        (case.peer, case.version) == (MqttProto, V3_1_1) && kind == Kind::UnlistedReasonCode && codes.contains(&0x80);
    (refusal && case.bytes.contains(&0x03)).then_some("SUBACK encoded with 0x03 for a refusal")
}

/// A peer that panics is wrong, whatever the bytes are.
pub(super) fn panic(case: &Case<'_>) -> Option<Class> {
    let statement = if case.version == V5 {
        "MQTT-4.13.1-1"
    } else {
        "MQTT-4.8.0-1"
    };
    Some(Class {
        outcome: case.outcome(),
        name: "panic",
        statement,
        right: Right::Ours,
    })
}
