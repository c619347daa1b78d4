//! What `explain` tells about a packet, held against the bytes and against an independent reading of them.

use std::ops::Range;

use mqtt_proto::{
    Choice, DecodeError, Decoded, Explained, Explanation, Field, Packet, PropertyId, Rules, Value, Version, explain,
};

use super::texts;
use crate::frame::variable_byte_integer;
use crate::outline::{Outline, Part};

/// A field that was told: where it is, and what it holds.
struct Told<'a> {
    range: Range<usize>,
    field: Field,
    holds: Holds<'a>,
}

/// What a field holds, without its name.
#[derive(Debug, PartialEq, Eq)]
enum Holds<'a> {
    Number(usize),
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

/// The fields tile the packet, each holds what its bytes say, and the verdict is that of `decode`.
pub(super) fn agrees(stream: &[u8], rules: &Rules, decoded: &Result<Decoded<'_>, DecodeError>) {
    let mut told = Vec::new();
    let verdict = explain(stream, rules, |field| told.push(hear(stream, &field)));
    assert_eq!(verdict, *decoded, "an explanation comes to another verdict");

    let mut end = 0;
    for field in &told {
        assert_eq!(field.range.start, end, "{} leaves a gap or overlaps", field.field);
        end = field.range.end;
    }
    let lines = told.len() + usize::from(!matches!(decoded, Ok(Decoded::Packet { .. })));
    assert_eq!(Explanation::new(stream, *rules).to_string().lines().count(), lines);
    match decoded {
        Ok(Decoded::Packet { packet, len }) => {
            assert_eq!(end, *len, "the fields do not fill the packet");
            independent_reading_agrees(packet, &stream[..*len], &told, rules);
            texts_are_allowed(packet, &told, rules);
            user_properties_are_within_the_limit(&told, rules);
        }
        Ok(Decoded::Incomplete { .. }) => assert!(end <= 5, "fields of an incomplete packet were told"),
        Err(error) => assert!(error.offset() <= end, "{error}, but only {end} bytes were explained"),
    }
}

/// Notes a field, after a look at its bytes.
fn hear<'a>(stream: &'a [u8], told: &Explained<'_>) -> Told<'a> {
    let bytes = &stream[told.range.clone()];
    assert!(!told.to_string().is_empty());
    let holds = match told.value {
        Value::Byte(byte) => {
            assert_eq!(bytes, [byte], "{}", told.field);
            Holds::Number(usize::from(byte))
        }
        Value::Number(number) => {
            assert_eq!(number_in(bytes, told.field), number as usize, "{}", told.field);
            Holds::Number(number as usize)
        }
        Value::Text(text) => Holds::Text(prefixed(bytes, text, told.field)),
        Value::Binary(data) if told.field == Field::Payload => {
            assert_eq!(bytes, data);
            Holds::Binary(bytes)
        }
        Value::Binary(data) => Holds::Binary(prefixed(bytes, data, told.field)),
        value => panic!("{value:?} is no value of MQTT"),
    };
    Told {
        range: told.range.clone(),
        field: told.field,
        holds,
    }
}

fn number_in(bytes: &[u8], field: Field) -> usize {
    let is_variable = matches!(
        field,
        Field::RemainingLength
            | Field::PropertyLength
            | Field::WillPropertyLength
            | Field::Property(PropertyId::SubscriptionIdentifier)
    );
    if is_variable {
        let (value, size) = variable_byte_integer(bytes).expect("a Variable Byte Integer was told");
        assert_eq!(size, bytes.len(), "{field}");
        value
    } else {
        bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }
}

/// What stands behind the length prefix of a field.
fn prefixed<'a>(bytes: &'a [u8], told: &[u8], field: Field) -> &'a [u8] {
    let (prefix, content) = bytes.split_first_chunk::<2>().expect("a length prefix");
    assert_eq!(usize::from(u16::from_be_bytes(*prefix)), content.len(), "{field}");
    assert_eq!(content, told, "{field}");
    content
}

/// An outline made without the codec has the same fields in the same order.
fn independent_reading_agrees(packet: &Packet<&[u8]>, frame: &[u8], told: &[Told<'_>], rules: &Rules) {
    let Some(outline) = Outline::read(frame, rules.version.level()) else {
        assert!(
            leaves_out_what_it_announces(packet, rules),
            "the fields do not fill {packet:?}"
        );
        return;
    };
    let outlined = outline.parts.iter().filter_map(|part| match part {
        Part::Number(_, number) | Part::PropertyLength(_, number) => Some(Holds::Number(*number)),
        Part::Text(_, text) => Some(Holds::Text(text)),
        Part::Binary(_, data) => Some(Holds::Binary(data)),
        Part::EndOfProperties => None,
    });
    let outside = |field| matches!(field, Field::FixedHeader | Field::RemainingLength | Field::PropertyId);
    let told = told.iter().filter(|told| !outside(told.field)).map(|told| &told.holds);
    assert!(
        outlined.collect::<Vec<_>>().iter().eq(told),
        "an independent reading of {packet:?} differs"
    );
}

/// A client of MQTT 3.1 may announce a user name or password and leave it out.
fn leaves_out_what_it_announces(packet: &Packet<&[u8]>, rules: &Rules) -> bool {
    let Packet::Connect(connect) = packet else { return false };
    connect.version == Version::V3_1
        && rules.policy.v3_1_habits == Choice::Accept
        && (connect.username.is_none() || connect.password.is_none())
}

fn texts_are_allowed(packet: &Packet<&[u8]>, told: &[Told<'_>], rules: &Rules) {
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => rules.version,
    };
    for told in told {
        if let Holds::Text(bytes) = told.holds {
            texts::is_allowed(bytes, told.field, version, rules);
        }
    }
}

fn user_properties_are_within_the_limit(told: &[Told<'_>], rules: &Rules) {
    let mut texts = 0;
    for told in told {
        match told.field {
            Field::PropertyLength | Field::WillPropertyLength => texts = 0,
            Field::Property(PropertyId::UserProperty) => texts += 1,
            _ => {}
        }
        let limit = 2 * usize::from(rules.policy.user_properties_limit);
        assert!(
            texts <= limit,
            "more than {limit} names and values of User Properties in one section"
        );
    }
}
