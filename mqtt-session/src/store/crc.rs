//! CRC-32C (Castagnoli), eight bytes at a time.

/// The checksum of the bytes so far.
#[derive(Clone, Copy)]
pub(crate) struct Crc32c(u32);

impl Crc32c {
    pub(crate) const EMPTY: Self = Self(u32::MAX);

    /// The checksum with these bytes after those before.
    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        let mut state = self.0;
        let mut rest = bytes;
        while let Some((chunk, tail)) = rest.split_first_chunk() {
            let [a, b, c, d, e, f, g, h] = (u64::from_le_bytes(*chunk) ^ u64::from(state)).to_le_bytes();
            // Four of the eight do not wait for the bytes before.
            let early = (entry(t3, e) ^ entry(t2, f)) ^ (entry(t1, g) ^ entry(t0, h));
            state = early ^ ((entry(t7, a) ^ entry(t6, b)) ^ (entry(t5, c) ^ entry(t4, d)));
            rest = tail;
        }
        for byte in rest {
            let [low, ..] = state.to_le_bytes();
            state = (state >> 8) ^ entry(t0, low ^ byte);
        }
        Self(state)
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

/// A table has an entry for each byte, so this reads and checks nothing.
#[inline(always)]
fn entry(table: &[u32; 256], byte: u8) -> u32 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[n][byte]` is what a byte with `n` bytes after it adds to the checksum.
static TABLES: [[u32; 256]; 8] = tables();

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler only"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            state = if state & 1 == 1 {
                (state >> 1) ^ POLYNOMIAL
            } else {
                state >> 1
            };
            bit += 1;
        }
        tables[0][byte] = state;
        byte += 1;
    }
    let mut after = 1;
    while after < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[after - 1][byte];
            tables[after][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        after += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::Crc32c;

    /// The examples of RFC 3720, B.4, and the check value that catalogues of checksums list.
    #[test]
    fn published_examples_come_out() {
        let value = |bytes: &[u8]| Crc32c::EMPTY.and(bytes).value();
        let mut rising = [0; 32];
        for (place, number) in rising.iter_mut().zip(0..) {
            *place = number;
        }
        let mut falling = rising;
        falling.reverse();
        assert_eq!(value(b""), 0);
        assert_eq!(value(b"123456789"), 0xE306_9283);
        assert_eq!(value(&[0; 32]), 0x8A91_36AA);
        assert_eq!(value(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(value(&rising), 0x46DD_794E);
        assert_eq!(value(&falling), 0x113F_DB5C);
    }

    #[test]
    fn parts_give_the_checksum_of_the_whole() {
        let bytes: [u8; 40] = core::array::from_fn(|index| (index * 37) as u8);
        let whole = Crc32c::EMPTY.and(&bytes).value();
        for at in 0..=bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(Crc32c::EMPTY.and(front).and(back).value(), whole, "split at {at}");
        }
    }
}
