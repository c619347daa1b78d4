//! The texts of a packet, accepted or refused, held against the text of the specification.

use mqtt_proto::{Choice, DecodeError, DecodeErrorKind, Field, PropertyId, Rules, Version};

use crate::frame::Frame;
use crate::oracle;

/// What an accepted text may be depends on the field that it stands in.
pub(super) fn is_allowed(bytes: &[u8], field: Field, version: Version, rules: &Rules) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{field}: {error}"));
    assert!(!text.contains('\0'), "{field} holds U+0000");
    let refused = rules.policy.control_characters == Choice::Refuse && text.chars().any(is_unwanted);
    assert!(
        !refused,
        "{field} holds a control character or a non-character: {text:?}"
    );
    let allowed = match field {
        // MQTT 5.0 may have an alias instead.
        Field::TopicName if text.is_empty() => version == Version::V5,
        Field::TopicName | Field::WillTopic | Field::Property(PropertyId::ResponseTopic) => oracle::is_topic_name(text),
        Field::TopicFilter => is_filter(text, version),
        _ => true,
    };
    assert!(allowed, "{field}: {text:?}");
}

/// A text that was refused for what it holds does hold it. The error tells where the text is.
pub(super) fn fault_is_there(error: &DecodeError, stream: &[u8]) {
    let end = Frame::read(stream).map_or(stream.len(), |frame| frame.len);
    let Some((prefix, rest)) = stream
        .get(error.offset()..end)
        .and_then(|field| field.split_first_chunk::<2>())
    else {
        return;
    };
    let len = usize::from(u16::from_be_bytes(*prefix));
    let Some(bytes) = rest.get(..len) else { return };
    let text = std::str::from_utf8(bytes);
    let holds = |wanted: fn(char) -> bool| text.is_ok_and(|text| text.chars().any(wanted));
    let is_at_fault = match error.kind() {
        DecodeErrorKind::IllFormedUtf8 => text.is_err(),
        DecodeErrorKind::NulCharacter => holds(|character| character == '\0'),
        DecodeErrorKind::ForbiddenCharacter => holds(is_unwanted),
        DecodeErrorKind::WildcardInTopicName => holds(|character| matches!(character, '+' | '#')),
        DecodeErrorKind::MisplacedMultiLevelWildcard
        | DecodeErrorKind::MisplacedSingleLevelWildcard
        | DecodeErrorKind::EmptyShareName
        | DecodeErrorKind::InvalidShare => text.is_ok_and(|text| !is_filter(text, error.version())),
        _ => true,
    };
    assert!(is_at_fault, "{error}, but it holds {text:?}");
}

/// Before MQTT 5.0, `$share` is a level like any other.
fn is_filter(text: &str, version: Version) -> bool {
    match text.strip_prefix('$') {
        Some(rest) if version != Version::V5 && rest.starts_with("share/") => oracle::is_filter(rest),
        _ => oracle::is_filter(text),
    }
}

/// The control characters, and the 66 code points that Unicode never assigns. [U5-1.5.4-a]
fn is_unwanted(character: char) -> bool {
    let code = u32::from(character);
    code < 0x20 || (0x7F..0xA0).contains(&code) || (0xFDD0..0xFDF0).contains(&code) || code % 0x1_0000 >= 0xFFFE
}
