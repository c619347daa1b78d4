//! What the bytes of the input are.

use crate::Ending;

/// How an input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Digits; white space, commas, colons and `0x` do not count
    Hex,
    /// As they are
    Bytes,
    /// pcap or pcapng
    Capture,
}

/// An input, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Packets of one sender.
    Packets(Vec<u8>),
    /// A capture file.
    Capture(Vec<u8>),
}

impl Input {
    /// Reads it as what it is said to be, or looks like.
    pub(super) fn of(bytes: Vec<u8>, kind: Option<Kind>) -> Result<Self, Ending> {
        match kind.unwrap_or_else(|| Kind::of(&bytes)) {
            Kind::Hex => hex(&bytes).map(Self::Packets),
            Kind::Bytes => Ok(Self::Packets(bytes)),
            Kind::Capture => Ok(Self::Capture(bytes)),
        }
    }
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        const CAPTURES: [[u8; 4]; 5] = [
            [0xD4, 0xC3, 0xB2, 0xA1],
            [0xA1, 0xB2, 0xC3, 0xD4],
            [0x4D, 0x3C, 0xB2, 0xA1],
            [0xA1, 0xB2, 0x3C, 0x4D],
            [0x0A, 0x0D, 0x0D, 0x0A],
        ];
        if CAPTURES.iter().any(|magic| bytes.starts_with(magic)) {
            Self::Capture
        } else if !bytes.is_empty() && hex(bytes).is_ok() {
            Self::Hex
        } else {
            Self::Bytes
        }
    }
}

fn hex(text: &[u8]) -> Result<Vec<u8>, Ending> {
    let text = std::str::from_utf8(text).map_err(|_| Ending::misused("this is not hex: it is no text"))?;
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half = None;
    let plain = text.replace("0x", "").replace("0X", "");
    for letter in plain.chars() {
        if letter.is_whitespace() || matches!(letter, ',' | ':') {
            continue;
        }
        let digit = letter
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or_else(|| Ending::misused(format_args!("`{letter}` is no digit of hex")))?;
        match half.take() {
            None => half = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    match half {
        None => Ok(bytes),
        Some(_) => Err(Ending::misused("a digit is missing: bytes have two in hex")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        for text in ["C000", "c0 00", "0xC0, 0x00", "C0:00\n"] {
            assert_eq!(
                Input::of(text.into(), None).unwrap(),
                Input::Packets(vec![0xC0, 0]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_hex_is_told() {
        for text in ["C0 0", "C0 0G", "é0"] {
            assert!(Input::of(text.into(), Some(Kind::Hex)).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_told_from_captures_and_hex() {
        let packet = vec![0xC0, 0];
        assert_eq!(Input::of(packet.clone(), None).unwrap(), Input::Packets(packet));
        let capture = vec![0xD4, 0xC3, 0xB2, 0xA1];
        assert_eq!(Input::of(capture.clone(), None).unwrap(), Input::Capture(capture));
    }
}
