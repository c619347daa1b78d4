//! Laws about what is sent: each has to hold for every encoding that it speaks of, and there have to be many of these.

use std::collections::BTreeSet;

use mqtt_proto::{Role, Version};
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Part;
use mqtt_tests::{oracle, reason_codes};

use super::sent::{Sent, everything_sent};

/// Of how many encodings a law has to speak before it shows anything.
const WITNESSES: usize = 20;

/// Whether a law speaks of an encoding, and then whether it holds.
pub(crate) type Check = Box<dyn Fn(&Sent) -> Option<bool> + Send>;

/// A law under the id of the row that states it. Speaks of the encodings of that row's version.
pub(crate) fn law(row: &'static str, what: &str, check: Check) -> Trial {
    Trial::new(Layer::Codec, format!("sent::{row}::{what}"), move || {
        let of_version = |sent: &&Sent| (sent.version == Version::V5) != row.starts_with("v311:");
        let mut witnesses = 0;
        for sent in everything_sent().iter().filter(of_version) {
            match check(sent) {
                Some(true) => witnesses += 1,
                Some(false) => panic!("broken by {:?}", sent.packet),
                None => {}
            }
        }
        assert!(witnesses >= WITNESSES, "only {witnesses} of the encodings show it");
        covers(row);
    })
}

/// Packets of this type have these flags in their fixed header.
pub(crate) fn flags(packet_type: u8, expected: u8) -> Check {
    Box::new(move |sent| sent.is(packet_type).then_some(sent.outline.flags == expected))
}

/// Every text with this name is as it has to be.
pub(crate) fn texts(name: &'static str, valid: fn(&[u8]) -> bool) -> Check {
    Box::new(move |sent| {
        let mut texts = sent.outline.texts(name).peekable();
        texts.peek()?;
        Some(texts.all(valid))
    })
}

/// Every text with this name in packets of this type is as it has to be.
pub(crate) fn texts_in(packet_type: u8, name: &'static str, valid: fn(&[u8]) -> bool) -> Check {
    let check = texts(name, valid);
    Box::new(move |sent| if sent.is(packet_type) { check(sent) } else { None })
}

/// Every number with this name in packets of this type is as it has to be.
pub(crate) fn numbers(packet_type: u8, name: &'static str, valid: impl Fn(usize) -> bool + Send + 'static) -> Check {
    Box::new(move |sent| {
        let mut numbers = sent.outline.numbers(name).filter(|_| sent.is(packet_type)).peekable();
        numbers.peek()?;
        Some(numbers.all(&valid))
    })
}

/// The Reason Codes of this packet are those that the table lists for the end that sends it.
pub(crate) fn listed_codes(packet_type: u8, packet: &'static str) -> Check {
    let of = |sender: Role| reason_codes::codes_sent_by(sender, packet);
    let (of_client, of_server): (BTreeSet<u8>, BTreeSet<u8>) = (of(Role::Client), of(Role::Server));
    Box::new(move |sent| {
        let listed = if sent.sender == Role::Client {
            &of_client
        } else {
            &of_server
        };
        let mut codes = sent
            .outline
            .numbers("Reason Code")
            .filter(|_| sent.is(packet_type))
            .peekable();
        codes.peek()?;
        Some(codes.all(|code| u8::try_from(code).is_ok_and(|code| listed.contains(&code))))
    })
}

/// Where CONNECT has the one thing, it has the other.
pub(crate) fn connect(speaks: fn(&Sent, usize) -> bool, holds: fn(&Sent, usize) -> bool) -> Check {
    Box::new(move |sent| {
        let flags = sent.connect_flags()?;
        speaks(sent, flags).then(|| holds(sent, flags))
    })
}

/// In packets of these types this property occurs, and at most once.
pub(crate) fn once(packet_types: &'static [u8], name: &'static str) -> Check {
    Box::new(move |sent| {
        let of_type = packet_types.contains(&sent.outline.packet_type);
        occurrences(if of_type { sent.properties() } else { &[] }, name)
    })
}

/// In the Will Properties this property occurs, and at most once.
pub(crate) fn once_in_will(name: &'static str) -> Check {
    Box::new(move |sent| occurrences(sent.will_properties(), name))
}

fn occurrences(properties: &[Part<'_>], name: &str) -> Option<bool> {
    match properties.iter().filter(|part| part.name() == name).count() {
        0 => None,
        count => Some(count == 1),
    }
}

/// Well-formed UTF-8 without U+0000.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'))
}

/// A topic name.
pub(crate) fn is_topic_name(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(oracle::is_topic_name)
}

/// A topic filter of MQTT 5.0.
pub(crate) fn is_filter(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(oracle::is_filter)
}
