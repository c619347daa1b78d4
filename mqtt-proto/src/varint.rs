//! Variable Byte Integers: one to four bytes, seven bits each, least significant first. [MQTT-1.5.5-1]
//!
//! For those who look at packets that are encoded already.
//!
//! ```
//! use mqtt_proto::varint::{self, Varint};
//! let (form, len) = varint::bytes(321);
//! assert_eq!(form[..usize::from(len)], [0xC1, 0x02]);
//! assert_eq!(varint::read(&[0xC1, 0x02, 0xFF]), Varint::Value { value: 321, len: 2 });
//! ```

/// The largest value that a Variable Byte Integer holds.
pub const VARINT_MAX: u32 = 268_435_455;

/// The largest packet: the largest Remaining Length and the five bytes before it.
pub(crate) const LARGEST_PACKET: u32 = VARINT_MAX + 5;

/// What the first bytes of a Variable Byte Integer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varint {
    /// The integer is whole.
    Value {
        /// What it stands for.
        value: u32,
        /// How many bytes it took.
        len: u8,
    },
    /// The bytes end before the integer does.
    Incomplete,
    /// The fourth byte says that a fifth follows.
    TooLong,
}

/// Reads a Variable Byte Integer from the start of `bytes`, padded or not.
#[inline]
#[must_use]
pub fn read(bytes: &[u8]) -> Varint {
    match bytes {
        [first, ..] if *first < 0x80 => Varint::Value {
            value: u32::from(*first),
            len: 1,
        },
        _ => read_long(bytes),
    }
}

fn read_long(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (index, byte) in (0_u8..4).zip(bytes) {
        value |= u32::from(byte & 0x7F) << (u32::from(index).wrapping_mul(7));
        if byte & 0x80 == 0 {
            return Varint::Value {
                value,
                len: index.wrapping_add(1),
            };
        }
    }
    if bytes.len() < 4 {
        Varint::Incomplete
    } else {
        Varint::TooLong
    }
}

/// How many bytes the shortest form of `value` takes.
#[inline]
#[must_use]
pub const fn len(value: u32) -> u8 {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// The shortest form of `value` and its length. Of what is above [`VARINT_MAX`] it has the lowest 28 bits.
#[inline(always)]
#[must_use]
pub const fn bytes(value: u32) -> ([u8; 4], u8) {
    let len = len(value);
    let [a, b, c, d] = [value, value >> 7, value >> 14, value >> 21];
    let form = [
        (a & 0x7F) as u8 | if len > 1 { 0x80 } else { 0 },
        (b & 0x7F) as u8 | if len > 2 { 0x80 } else { 0 },
        (c & 0x7F) as u8 | if len > 3 { 0x80 } else { 0 },
        (d & 0x7F) as u8,
    ];
    (form, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_border_has_its_shortest_form() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (VARINT_MAX, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            let (form, len) = bytes(value);
            assert_eq!(&form[..usize::from(len)], expected);
            assert_eq!(read(expected), Varint::Value { value, len });
            for cut in 0..expected.len() {
                assert_eq!(read(&expected[..cut]), Varint::Incomplete);
            }
        }
    }

    #[test]
    fn a_fifth_byte_is_never_asked_for() {
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80]), Varint::TooLong);
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x01]), Varint::TooLong);
    }
}
