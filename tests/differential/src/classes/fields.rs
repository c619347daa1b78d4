//! Where both accept and do not say the same: quirks of peers.
//!
//! A quirk turns our packet into what the peer makes of it. A difference is explained only if the quirks of the peer,
//! applied to our packet, give theirs, in every field.

use super::{Case, Class, Right};
use crate::normal::{Packet, Property, Publish, Value};
use crate::peers::{Peer, Version};
use crate::verdict::Verdict;

/// How a peer reads a packet that it does not read as it stands.
struct Quirk {
    name: &'static str,
    peer: Peer,
    version: Version,
    /// Changes the packet if the quirk is about it.
    read: fn(&mut Packet),
    statement: &'static str,
}

#[rustfmt::skip]
const QUIRKS: &[Quirk] = &[
    // Its login is two strings, and none when both are empty.
    Quirk { name: "empty user name or password", peer: Peer::Rumqttc, version: Version::V3_1_1, read: empty_login,
        statement: "MQTT-3.1.2-19" },
    Quirk { name: "empty user name or password", peer: Peer::Rumqttc, version: Version::V5, read: empty_login,
        statement: "MQTT-3.1.2-17" },
    // It counts one byte too many for each, and takes what is left of the properties for payload.
    Quirk { name: "properties behind several Subscription Identifiers", peer: Peer::Rumqttc, version: Version::V5,
        read: miscounted_properties, statement: "U5-2.2.2-a" },
];

/// The rows for a peer.
pub(super) fn rows(peer: Peer, version: Version) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_pair = move |row: &&Quirk| (row.peer, row.version) == (peer, version);
    QUIRKS.iter().filter(of_pair).map(|row| (row.name, row.statement))
}

/// What both accepted.
pub(super) fn class(case: &Case<'_>) -> Option<Class> {
    let of = |name, statement| {
        Some(Class {
            outcome: case.outcome(),
            name,
            statement,
            right: Right::Ours,
        })
    };
    let (
        Verdict::Accepted {
            packet: ours,
            len: our_len,
        },
        Verdict::Accepted {
            packet: theirs,
            len: their_len,
        },
    ) = (&case.ours, &case.theirs)
    else {
        return None;
    };
    // What the peer encoded has to be read back by one of the two at least; it may misread itself.
    if our_len != their_len
        || case
            .meant
            .as_ref()
            .is_some_and(|meant| meant != ours && meant != theirs)
    {
        return None;
    }
    if super::refusals::is_misread_connect(case) {
        return Some(super::refusals::misread_connect(case.outcome()));
    }
    let mut read = ours.clone();
    let mut first = None;
    for quirk in QUIRKS
        .iter()
        .filter(|quirk| (quirk.peer, quirk.version) == (case.peer, case.version))
    {
        let before = read.clone();
        (quirk.read)(&mut read);
        if read != before {
            first = first.or(Some(quirk));
        }
    }
    let quirk = first.filter(|_| read == *theirs)?;
    of(quirk.name, quirk.statement)
}

fn empty_login(packet: &mut Packet) {
    if let Packet::Connect(connect) = packet {
        connect.username.take_if(|username| username.is_empty());
        connect.password.take_if(|password| password.is_empty());
    }
}

fn miscounted_properties(packet: &mut Packet) {
    let Packet::Publish(publish) = packet else { return };
    let Publish {
        properties, payload, ..
    } = publish.as_mut();
    let all: usize = properties.0.iter().map(|property| encoded(property).len()).sum();
    let (mut counted, mut read) = (0, 0);
    for property in &properties.0 {
        if counted >= all {
            break;
        }
        counted += encoded(property).len() + usize::from(property.id == 0x0B);
        read += 1;
    }
    let left: Vec<u8> = properties
        .0
        .drain(read..)
        .flat_map(|property| encoded(&property))
        .collect();
    payload.splice(0..0, left);
}

/// The bytes of a property of PUBLISH.
fn encoded(property: &Property) -> Vec<u8> {
    let prefixed = |text: &[u8]| {
        let len = u16::try_from(text.len()).expect("it came from a field with a length prefix");
        [&len.to_be_bytes(), text].concat()
    };
    let value = match (&property.value, property.id) {
        (Value::Number(number), 0x01) => vec![number.to_be_bytes()[3]],
        (Value::Number(number), 0x23) => number.to_be_bytes()[2..].to_vec(),
        (Value::Number(number), 0x0B) => varint(*number),
        (Value::Number(number), _) => number.to_be_bytes().to_vec(),
        (Value::Bytes(bytes), _) => prefixed(bytes),
        (Value::Pair(name, value), _) => [prefixed(name), prefixed(value)].concat(),
    };
    [vec![property.id], value].concat()
}

fn varint(number: u32) -> Vec<u8> {
    let digits = [number & 0x7F, number >> 7 & 0x7F, number >> 14 & 0x7F, number >> 21];
    let last = digits.iter().rposition(|digit| *digit != 0).unwrap_or_default();
    let digit = |(index, digit): (usize, &u32)| digit.to_be_bytes()[3] | if index < last { 0x80 } else { 0 };
    digits[..=last].iter().enumerate().map(digit).collect()
}
