//! That a codec does what it is timed for: reads every field, writes every byte.

use crate::checksum;
use crate::measure::Direction;
use crate::peers;
use crate::run::Run;
use crate::stream::Stream;

/// How the bytes of an encoder compare with those of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// They are the same.
    Equal,
    /// The same fields in as many bytes, properties in another order.
    Reordered,
    /// The same fields in so many bytes more a packet, for parts that may be
    /// left out.
    Longer(f64),
}

/// Makes one pass and looks at what came of it. `None` for a floor and for a
/// decoder that is right.
///
/// # Panics
///
/// If a field was not read, or the bytes do not say what the stream says:
/// figures of such a run would mean nothing.
pub fn verify(run: &mut Run, stream: &Stream, direction: Direction) -> Option<Form> {
    if run.row.is_floor() {
        return None;
    }
    run.prepare();
    let result = run.pass();
    let name = format!("{} {} {}", direction.slug(), stream.slug, run.row.slug());
    match direction {
        Direction::Decode => {
            let expected = checksum::expected(&stream.packets, stream.protocol);
            assert_eq!(result, expected, "{name}: the checksum of the stream");
            None
        }
        Direction::Encode => {
            let (written, times) = run.written();
            assert_eq!(result, (written.len() * times) as u64, "{name}: the bytes of a pass");
            Some(form(&written, stream, &name))
        }
    }
}

fn form(written: &[u8], stream: &Stream, name: &str) -> Form {
    let wanted = stream.source_bytes();
    if written == wanted {
        return Form::Equal;
    }
    let expected = checksum::expected(stream.sources(), stream.protocol);
    let sum = peers::ours::checksum(written, stream.protocol);
    assert_eq!(sum, Some(expected), "{name}: the fields of its bytes");
    let more = written.len() as f64 - wanted.len() as f64;
    match more {
        0.0 => Form::Reordered,
        _ => Form::Longer(more / stream.sources().len() as f64),
    }
}
