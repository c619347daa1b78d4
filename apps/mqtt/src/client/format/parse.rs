//! From the text of a template to its pieces.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use jiff::Zoned;

use super::template::{Field, Layout, Piece, time};

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormatError {
    /// There is no such field.
    Field(char),
    /// Only the connection knows it.
    Hidden(char, &'static str),
    /// strftime has no such directive.
    Time(char),
    /// There is no such character.
    Escape(char),
    /// It ends too early.
    Incomplete,
}

/// The widest gap.
const WIDEST: usize = 1 << 16;

/// The pieces of a template.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let piece = match character {
            '%' => field(&mut rest)?,
            '@' => directive(rest.next().ok_or(FormatError::Incomplete)?)?,
            '\\' => Piece::Literal(vec![escaped(rest.next().ok_or(FormatError::Incomplete)?)?]),
            other => Piece::Literal(other.encode_utf8(&mut [0; 4]).as_bytes().to_vec()),
        };
        match piece {
            Piece::Literal(text) => literal.extend(text),
            piece => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(piece);
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// What follows `%`: flags, width, precision and a letter.
fn field(rest: &mut Peekable<Chars<'_>>) -> Result<Piece, FormatError> {
    let mut layout = Layout {
        is_left: rest.next_if_eq(&'-').is_some(),
        has_zeros: rest.next_if_eq(&'0').is_some(),
        ..Layout::default()
    };
    layout.width = number(rest).unwrap_or(0);
    if rest.next_if_eq(&'.').is_some() {
        layout.precision = Some(number(rest).unwrap_or(0));
    }
    let field = match rest.next().ok_or(FormatError::Incomplete)? {
        '%' => return Ok(Piece::Literal(vec![b'%'])),
        'C' => Field::ContentType,
        'D' => Field::CorrelationData,
        'E' => Field::Expiry,
        'F' => Field::PayloadFormat,
        'I' => Field::IsoTime,
        'j' => Field::Json,
        'J' => Field::JsonWithJson,
        'l' => Field::Length,
        'P' => Field::UserProperties,
        'p' => Field::Payload,
        'q' => Field::Qos,
        'R' => Field::ResponseTopic,
        'r' => Field::Retain,
        'S' => Field::SubscriptionId,
        't' => Field::Topic,
        'U' => Field::UnixTime,
        'x' => Field::Hex,
        'X' => Field::HexUpper,
        'm' => {
            return Err(FormatError::Hidden(
                'm',
                "packet identifiers mean nothing outside of a connection",
            ));
        }
        'A' => return Err(FormatError::Hidden('A', "topic aliases are replaced by their topics")),
        other => return Err(FormatError::Field(other)),
    };
    Ok(Piece::Field(field, layout))
}

fn number(rest: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut number = None;
    while let Some(digit) = rest.peek().and_then(|character| character.to_digit(10)) {
        rest.next();
        number = Some((number.unwrap_or(0) * 10 + digit as usize).min(WIDEST));
    }
    number
}

fn directive(letter: char) -> Result<Piece, FormatError> {
    match letter {
        '@' => Ok(Piece::Literal(vec![b'@'])),
        'N' => Ok(Piece::Nanoseconds),
        _ => {
            let directive = format!("%{letter}");
            match letter.is_ascii_alphabetic() && time(&directive, &Zoned::now()).is_some() {
                true => Ok(Piece::Time(directive)),
                false => Err(FormatError::Time(letter)),
            }
        }
    }
}

fn escaped(letter: char) -> Result<u8, FormatError> {
    Ok(match letter {
        '\\' => b'\\',
        '0' => 0,
        'a' => 0x07,
        'e' => 0x1b,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        other => return Err(FormatError::Escape(other)),
    })
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(letter) => write!(f, "there is no %{letter}; a % by itself is written %%"),
            Self::Hidden(letter, why) => write!(f, "there is no %{letter}: {why}"),
            Self::Time(letter) => write!(f, "strftime has no %{letter}; a @ by itself is written @@"),
            Self::Escape(letter) => write!(f, "there is no \\{letter}; a \\ by itself is written \\\\"),
            Self::Incomplete => f.write_str("it ends in the middle of a sequence"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sequence_is_refused() {
        assert_eq!(pieces("%z"), Err(FormatError::Field('z')));
        assert_eq!(pieces("%0-3t"), Err(FormatError::Field('-')));
        assert_eq!(pieces("@!"), Err(FormatError::Time('!')));
        assert_eq!(pieces("\\q"), Err(FormatError::Escape('q')));
        assert!(matches!(pieces("%m"), Err(FormatError::Hidden('m', _))));
        assert!(matches!(pieces("%A"), Err(FormatError::Hidden('A', _))));
        for incomplete in ["%", "a@", "\\", "%5", "%-", "%.2"] {
            assert_eq!(pieces(incomplete), Err(FormatError::Incomplete), "{incomplete}");
        }
    }

    #[test]
    fn characters_are_escaped_and_gathered() {
        let literal = Piece::Literal(b"a\t\x1b\0\\%@\n\xc3\xa9".to_vec());
        assert_eq!(pieces("a\\t\\e\\0\\\\%%@@\\n\u{e9}"), Ok(vec![literal]));
        assert_eq!(pieces(""), Ok(vec![]));
    }

    #[test]
    fn no_gap_is_endless() {
        let layout = Layout {
            width: WIDEST,
            ..Layout::default()
        };
        assert_eq!(
            pieces("%99999999999999999999999t"),
            Ok(vec![Piece::Field(Field::Topic, layout)])
        );
    }
}
