//! What stands in a line of the log beside its message: `name=value`.

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// The name of the message itself, which is the program's own text.
const MESSAGE: &str = "message";

/// Writes values as they are if they are one plain word; else in quotes, with everything escaped that is not printed, so that a
/// name that a client has chosen looks like nothing else, and does nothing to a terminal.
pub(super) struct Quoting;

impl<'w> FormatFields<'w> for Quoting {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            is_begun: false,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_begun: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, name: &str, value: &dyn Debug) -> fmt::Result {
        if self.is_begun {
            self.writer.write_char(' ')?;
        }
        self.is_begun = true;
        if name == MESSAGE {
            return write!(self.writer, "{value:?}");
        }
        match self.writer.has_ansi_escapes() {
            // Italic, and dimmed.
            true => write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?,
            false => write!(self.writer, "{name}=")?,
        }
        let value = format!("{value:?}");
        match is_plain(&value) {
            true => self.writer.write_str(&value),
            false => write!(self.writer, "{value:?}"),
        }
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() {
            self.result = self.write(field.name(), value);
        }
    }
}

/// Whether text looks like one word, and like what it is.
fn is_plain(text: &str) -> bool {
    let is_plain = |character: char| {
        !character.is_whitespace() && !matches!(character, '"' | '=') && character.escape_debug().count() == 1
    };
    !text.is_empty() && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_look_like_something_else_is_not_plain() {
        for plain in [
            "sensor-7",
            "127.0.0.1:1883",
            "unix:/run/mqtt.sock",
            "$SYS/a/#",
            "\u{e9}\u{4e2d}",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            "",
            "a b",
            "a=b",
            "\"a\"",
            "a\n",
            "\u{1b}[2J",
            "\u{202e}a",
            "\u{2028}",
            "\u{a0}",
            "a\\n",
        ] {
            assert!(!is_plain(other), "{other:?}");
        }
    }
}
