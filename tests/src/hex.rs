//! Bytes written as hex, in groups as a reader of a frame wants them.

/// The bytes that hex digits stand for; spaces between them are for the eye.
///
/// # Panics
/// On anything but pairs of hex digits and white space.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(digit)
        .collect();
    assert!(digits.len() % 2 == 0, "an odd number of hex digits: {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The hex digits of bytes, without spaces.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn digit(byte: u8) -> u8 {
    match char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok()) {
        Some(value) => value,
        None => panic!("{:?} is no hex digit", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_survive_their_hex_text() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(super::bytes(&super::text(&all)), all);
        assert_eq!(super::bytes("10 0D\n0004"), [0x10, 0x0D, 0x00, 0x04]);
    }

    #[test]
    #[should_panic(expected = "an odd number of hex digits")]
    fn half_a_byte_is_no_byte() {
        let _ = super::bytes("10 0");
    }
}
