//! Payloads as bytes: in hexadecimal, and as text where they are.

use std::io::{self, Write};

use mqtt_tokio::Message;

/// How many bytes a line has.
const WIDTH: usize = 16;

/// Writes a message: its topic, and lines of its payload.
pub(super) fn write(out: &mut impl Write, message: &Message) -> io::Result<()> {
    let retained = if message.retain { ", retained" } else { "" };
    let (topic, bytes, qos) = (message.topic.as_str(), message.payload.len(), message.qos.bits());
    writeln!(out, "{topic}: {bytes} bytes, QoS {qos}{retained}")?;
    for (index, line) in message.payload.chunks(WIDTH).enumerate() {
        write!(out, "{:08x} ", index * WIDTH)?;
        for place in 0..WIDTH {
            let gap = if place == WIDTH / 2 { "  " } else { " " };
            match line.get(place) {
                Some(byte) => write!(out, "{gap}{byte:02x}")?,
                None => write!(out, "{gap}  ")?,
            }
        }
        let text: String = line.iter().map(|byte| readable(*byte)).collect();
        writeln!(out, "  |{text}|")?;
    }
    Ok(())
}

fn readable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_as_hexdump_prints_it() {
        let mut message = Message::new("a/b", "0123456789abcdefg\n\u{e9}").unwrap();
        message.retain = true;
        let mut out = Vec::new();
        write(&mut out, &message).unwrap();
        let expected = "a/b: 20 bytes, QoS 0, retained\n\
            00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n\
            00000010  67 0a c3 a9                                       |g...|\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
