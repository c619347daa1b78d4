//! A text with gaps that a message fills.

use std::io::Write as _;

use data_encoding::{HEXLOWER, HEXUPPER};
use jiff::Zoned;
use jiff::fmt::strtime;
use mqtt_tokio::Message;

use super::json;
use super::parse::{self, FormatError};

/// A text with gaps that a message fills.
#[derive(Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    is_pretty: bool,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    Field(Field, Layout),
    /// A directive of strftime.
    Time(String),
    Nanoseconds,
}

/// What of a message fills a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ContentType,
    CorrelationData,
    Expiry,
    PayloadFormat,
    IsoTime,
    Json,
    JsonWithJson,
    Length,
    UserProperties,
    Payload,
    Qos,
    ResponseTopic,
    Retain,
    SubscriptionId,
    Topic,
    UnixTime,
    Hex,
    HexUpper,
}

/// How a gap is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) is_left: bool,
    pub(super) has_zeros: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

impl Field {
    /// Whether a width says anything.
    const fn has_width(self) -> bool {
        !matches!(
            self,
            Self::CorrelationData
                | Self::Json
                | Self::JsonWithJson
                | Self::UserProperties
                | Self::Qos
                | Self::Retain
                | Self::UnixTime
        )
    }

    /// Whether it can be padded with zeros.
    const fn takes_zeros(self) -> bool {
        !matches!(
            self,
            Self::ContentType | Self::IsoTime | Self::ResponseTopic | Self::Topic
        )
    }

    /// Whether it can be cut.
    const fn takes_precision(self) -> bool {
        matches!(
            self,
            Self::ContentType | Self::IsoTime | Self::ResponseTopic | Self::Topic
        )
    }
}

impl Template {
    pub(super) fn new(text: &str, is_pretty: bool) -> Result<Self, FormatError> {
        let pieces = parse::pieces(text)?;
        Ok(Self { pieces, is_pretty })
    }

    /// The text for a message that came at this time. `None` if its payload should be JSON, and is not.
    pub(super) fn filled(&self, message: &Message, now: &Zoned) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(message.payload.len() + 64);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Time(directive) => out.extend_from_slice(time(directive, now).unwrap_or_default().as_bytes()),
                Piece::Nanoseconds => write!(out, "{:09}", now.subsec_nanosecond()).ok()?,
                Piece::Field(field, layout) => {
                    let text = self.field(*field, message, now)?;
                    lay_out(&mut out, &text, *field, *layout);
                }
            }
        }
        Some(out)
    }

    fn field(&self, field: Field, message: &Message, now: &Zoned) -> Option<Vec<u8>> {
        let properties = &message.properties;
        let number = |number: Option<u32>| number.map_or_else(Vec::new, |number| number.to_string().into_bytes());
        Some(match field {
            Field::ContentType => properties
                .content_type()
                .map_or_else(Vec::new, |text| text.as_bytes().to_vec()),
            Field::CorrelationData => properties
                .correlation_data()
                .map_or_else(Vec::new, |data| data.as_bytes().to_vec()),
            Field::ResponseTopic => properties
                .response_topic()
                .map_or_else(Vec::new, |topic| topic.as_bytes().to_vec()),
            Field::Expiry => number(message.expiry_seconds),
            Field::PayloadFormat => number(properties.payload_format().map(|format| format as u32)),
            Field::SubscriptionId => {
                let ids: Vec<String> = properties.subscription_ids().map(|id| id.get().to_string()).collect();
                ids.join(" ").into_bytes()
            }
            Field::UserProperties => {
                let pairs = properties.user_properties();
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{}:{}", name.as_str(), value.as_str()))
                    .collect();
                pairs.join(" ").into_bytes()
            }
            Field::IsoTime => now.strftime("%Y-%m-%dT%H:%M:%S%z").to_string().into_bytes(),
            Field::UnixTime => {
                let (seconds, nanoseconds) = (now.timestamp().as_second(), now.subsec_nanosecond());
                format!("{seconds}.{nanoseconds:09}").into_bytes()
            }
            Field::Json => json::encoded(message, now, false, self.is_pretty)?,
            Field::JsonWithJson => json::encoded(message, now, true, self.is_pretty)?,
            Field::Length => message.payload.len().to_string().into_bytes(),
            Field::Payload => message.payload.to_vec(),
            Field::Qos => message.qos.bits().to_string().into_bytes(),
            Field::Retain => u8::from(message.retain).to_string().into_bytes(),
            Field::Topic => message.topic.as_bytes().to_vec(),
            Field::Hex => HEXLOWER.encode(&message.payload).into_bytes(),
            Field::HexUpper => HEXUPPER.encode(&message.payload).into_bytes(),
        })
    }
}

/// What strftime makes of a time; `None` if there is no such directive.
pub(super) fn time(directive: &str, now: &Zoned) -> Option<String> {
    strtime::format(directive, now).ok()
}

/// Writes a field in its place.
fn lay_out(out: &mut Vec<u8>, text: &[u8], field: Field, layout: Layout) {
    let text = match layout.precision {
        Some(precision) if field.takes_precision() => cut(text, precision),
        _ => text,
    };
    // Text is counted in characters, and bytes that are no text one by one.
    let length = std::str::from_utf8(text).map_or(text.len(), |text| text.chars().count());
    let missing = match field.has_width() {
        true => layout.width.saturating_sub(length),
        false => 0,
    };
    let zeros = layout.has_zeros && !layout.is_left && field.takes_zeros();
    let padding = std::iter::repeat_n(if zeros { b'0' } else { b' ' }, missing);
    match layout.is_left {
        true => {
            out.extend_from_slice(text);
            out.extend(padding);
        }
        false => {
            out.extend(padding);
            out.extend_from_slice(text);
        }
    }
}

/// The first characters of a text.
fn cut(text: &[u8], characters: usize) -> &[u8] {
    let Ok(valid) = std::str::from_utf8(text) else {
        return text;
    };
    match valid.char_indices().nth(characters) {
        Some((end, _)) => text.split_at(end).0,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, topic: &'static str, payload: &'static [u8]) -> String {
        let now: Zoned = "2026-01-02T03:04:05.000000009+02:00[+02:00]".parse().unwrap();
        let template = Template::new(template, false).unwrap();
        let text = template.filled(&Message::new(topic, payload).unwrap(), &now).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn gaps_have_widths_and_zeros() {
        assert_eq!(filled("%5t|%-5t|%2.1t|%.2t", "abc", b""), "  abc|abc  | a|ab");
        assert_eq!(filled("%05l|%-05l|%5l", "a", b"abc"), "00003|3    |    3");
        assert_eq!(filled("%05t|%05C|%3E|%03E", "a", b""), "    a|     |   |000");
        assert_eq!(
            filled("%8x|%08x|%-8X|", "a", b"\xab\x01"),
            "    ab01|0000ab01|AB01    |"
        );
        assert_eq!(filled("%05q%5r%5P|", "a", b""), "00|", "these have no width");
    }

    #[test]
    fn a_character_is_not_cut() {
        assert_eq!(filled("%.2t|%4t", "\u{e9}\u{e9}x", b""), "\u{e9}\u{e9}| \u{e9}\u{e9}x");
    }

    #[test]
    fn time_is_told_in_many_ways() {
        assert_eq!(
            filled("%I %U", "a", b""),
            "2026-01-02T03:04:05+0200 1767315845.000000009"
        );
        assert_eq!(
            filled("@Y/@m @H:@M:@S.@N@@@s", "a", b""),
            "2026/01 03:04:05.000000009@1767315845"
        );
    }

    #[test]
    fn a_payload_that_is_no_json_fills_no_gap_for_json() {
        let template = Template::new("%J", false).unwrap();
        assert!(
            template
                .filled(&Message::new("a", "{").unwrap(), &Zoned::now())
                .is_none()
        );
    }
}
