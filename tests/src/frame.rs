//! A reading of frames that shares no code with the codec: the fixed header, and Variable Byte Integers.

/// The fixed header of one frame, and what it encloses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Packet type and flags.
    pub first: u8,
    /// How many bytes the Remaining Length takes.
    pub length_bytes: usize,
    /// How many bytes the frame has, this header included.
    pub len: usize,
    /// What follows the fixed header, as far as it is there.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a fixed header; nothing if it is cut off, or its length takes more than four bytes.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        let (length, length_bytes) = variable_byte_integer(rest)?;
        let body = &rest[length_bytes..];
        Some(Self {
            first: *first,
            length_bytes,
            len: 1 + length_bytes + length,
            body: &body[..body.len().min(length)],
        })
    }
}

/// Value and size of a Variable Byte Integer; nothing if it is cut off or takes more than four bytes.
#[must_use]
pub fn variable_byte_integer(bytes: &[u8]) -> Option<(usize, usize)> {
    let size = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let value = bytes[..size]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
    Some((value, size))
}

/// How many bytes the shortest form of a Variable Byte Integer takes.
#[must_use]
pub const fn shortest(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_specification_is_read() {
        let table: [(&[u8], usize); 8] = [
            (&[0x00], 0),
            (&[0x7F], 127),
            (&[0x80, 0x01], 128),
            (&[0xFF, 0x7F], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xFF, 0xFF, 0x7F], 2_097_151),
            (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
            (&[0xFF, 0xFF, 0xFF, 0x7F], 268_435_455),
        ];
        for (bytes, value) in table {
            assert_eq!(variable_byte_integer(bytes), Some((value, bytes.len())));
            assert_eq!(shortest(value), bytes.len());
        }
        assert_eq!(variable_byte_integer(&[0x80]), None);
        assert_eq!(variable_byte_integer(&[0x80, 0x80, 0x80, 0x80, 0x00]), None);
    }

    #[test]
    fn a_frame_ends_where_its_length_says() {
        let bytes = [0xC0, 0x02, 1, 2, 3];
        let frame = Frame::read(&bytes).expect("a whole header");
        assert_eq!((frame.first, frame.len, frame.body), (0xC0, 4, &bytes[2..4]));
    }
}
