//! The bytes of one direction of a connection of TCP, put in order.

use std::collections::BTreeMap;

/// Segments that came before their turn are kept up to this many bytes; then what is missing is taken for lost.
const KEPT_BYTES: usize = 16 << 20;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The number of the byte that comes next, counted from the first one seen.
    next: u64,
    /// The sequence number that `next` stands for.
    sequence: Option<u32>,
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
}

/// What a segment brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// The next bytes, maybe none.
    Bytes(Vec<u8>),
    /// So many bytes are not in the capture; nothing that follows can be read.
    Lost(u64),
}

impl Segments {
    /// The first byte of the connection has the number after this one.
    pub(super) fn begin(&mut self, sequence: u32) {
        *self = Self {
            sequence: Some(sequence.wrapping_add(1)),
            ..Self::default()
        };
    }

    /// A segment with this number came.
    pub(super) fn take(&mut self, sequence: u32, bytes: &[u8]) -> Brought {
        let expected = *self.sequence.get_or_insert(sequence);
        // A distance of more than half of all numbers is one backwards.
        let ahead = sequence.wrapping_sub(expected).cast_signed();
        let Some(place) = self.next.checked_add_signed(i64::from(ahead)) else {
            return Brought::Bytes(Vec::new());
        };
        if !bytes.is_empty() {
            let known = self.early.entry(place).or_default();
            if bytes.len() > known.len() {
                self.early_bytes += bytes.len() - known.len();
                *known = bytes.to_vec();
            }
        }
        let mut brought = Vec::new();
        while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= self.next) {
            let (place, bytes) = entry.remove_entry();
            self.early_bytes -= bytes.len();
            // What was sent again is there already.
            let known = usize::try_from(self.next - place).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(known..) {
                brought.extend_from_slice(fresh);
                self.next += fresh.len() as u64;
                self.sequence = self.sequence.map(|sequence| sequence.wrapping_add(fresh.len() as u32));
            }
        }
        if brought.is_empty() && self.early_bytes > KEPT_BYTES {
            return Brought::Lost(self.missing());
        }
        Brought::Bytes(brought)
    }

    /// How many bytes are missing before what came early.
    pub(super) fn missing(&self) -> u64 {
        self.early.first_key_value().map_or(0, |(place, _)| place - self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(segments: &[(u32, &[u8])]) -> Vec<u8> {
        let mut direction = Segments::default();
        direction.begin(u32::MAX - 3);
        let mut bytes = Vec::new();
        for (sequence, segment) in segments {
            match direction.take(*sequence, segment) {
                Brought::Bytes(brought) => bytes.extend(brought),
                Brought::Lost(missing) => panic!("{missing}"),
            }
        }
        bytes
    }

    #[test]
    fn segments_are_put_in_order_over_the_end_of_the_numbers() {
        let first = u32::MAX - 2;
        let second = first.wrapping_add(4);
        assert_eq!(all(&[(first, b"abcd"), (second, b"ef")]), b"abcdef");
        assert_eq!(all(&[(second, b"ef"), (first, b"abcd")]), b"abcdef");
    }

    #[test]
    fn what_is_sent_again_counts_once() {
        let first = u32::MAX - 2;
        let segments: [(u32, &[u8]); 4] = [
            (first, b"ab"),
            (first, b"abcd"),
            (first.wrapping_add(1), b"bc"),
            (first.wrapping_add(3), b"def"),
        ];
        assert_eq!(all(&segments), b"abcdef");
    }

    #[test]
    fn a_gap_is_known() {
        let mut direction = Segments::default();
        direction.begin(0);
        assert_eq!(direction.take(1, b"ab"), Brought::Bytes(b"ab".to_vec()));
        assert_eq!(direction.take(8, b"z"), Brought::Bytes(Vec::new()));
        assert_eq!(direction.missing(), 5);
    }
}
