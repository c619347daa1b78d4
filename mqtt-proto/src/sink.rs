//! Where encoded bytes go. The length is known before the first byte is written, so writing cannot fail.

/// Set in every byte of a Variable Byte Integer but the last.
const MORE: u8 = 0x80;

/// The seven bits that one byte of a Variable Byte Integer holds.
#[inline(always)]
const fn low_bits(value: u32) -> u8 {
    (value & 0x7F) as u8
}

/// Takes bytes in order.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    /// The same for a number of bytes that is known when this is compiled, which makes it a single store.
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]);

    #[inline(always)]
    fn put_u8(&mut self, byte: u8) {
        self.put_array([byte]);
    }

    #[inline(always)]
    fn put_u16(&mut self, number: u16) {
        self.put_array(number.to_be_bytes());
    }

    /// The shortest form. One and two bytes, which nearly all lengths have, are told apart first.
    #[inline(always)]
    fn put_varint(&mut self, value: u32) {
        match value {
            0..=0x7F => self.put_array([low_bits(value)]),
            0x80..=0x3FFF => self.put_array([low_bits(value) | MORE, low_bits(value >> 7)]),
            _ => self.put_long_varint(value),
        }
    }

    /// The fixed header.
    #[inline(always)]
    fn put_header(&mut self, first: u8, remaining: u32) {
        match remaining {
            0..=0x7F => self.put_array([first, low_bits(remaining)]),
            0x80..=0x3FFF => self.put_array([first, low_bits(remaining) | MORE, low_bits(remaining >> 7)]),
            _ => {
                self.put_u8(first);
                self.put_long_varint(remaining);
            }
        }
    }

    /// A Variable Byte Integer of three or four bytes.
    #[cold]
    #[inline(never)]
    fn put_long_varint(&mut self, value: u32) {
        match crate::varint::bytes(value) {
            (form, 4) => self.put_array(form),
            ([a, b, c, _], _) => self.put_array([a, b, c]),
        }
    }

    /// Bytes behind their length, which was checked to fit two bytes.
    #[inline(always)]
    fn put_prefixed(&mut self, bytes: &[u8]) {
        let [.., high, low] = bytes.len().to_be_bytes();
        self.put_array([high, low]);
        self.put(bytes);
    }
}

/// Fills a slice from its start. What does not fit is left out; the caller has checked that everything fits.
pub(crate) struct SliceSink<'b>(pub(crate) &'b mut [u8]);

impl Sink for SliceSink<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        if let Some((head, tail)) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.0 = tail;
        }
    }

    #[inline(always)]
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((head, tail)) = core::mem::take(&mut self.0).split_first_chunk_mut() {
            *head = bytes;
            self.0 = tail;
        }
    }
}

/// Appends to a vector, which has room: each part costs it one look.
#[cfg(feature = "alloc")]
pub(crate) struct VecSink<'b>(pub(crate) &'b mut alloc::vec::Vec<u8>);

#[cfg(feature = "alloc")]
impl Sink for VecSink<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }
}

/// How many bytes are put together before they go to a buffer that may have to grow.
#[cfg(feature = "alloc")]
const STAGE: usize = 128;

/// Appends to a buffer that may have to grow. Asking it for room costs more than a few bytes do, so small parts are put
/// together first; large ones go straight on.
#[cfg(feature = "alloc")]
pub(crate) struct BufSink<'b, M> {
    buffer: &'b mut M,
    stage: [u8; STAGE],
    staged: usize,
}

#[cfg(feature = "alloc")]
impl<'b, M: bytes::BufMut> BufSink<'b, M> {
    #[inline(always)]
    pub(crate) fn new(buffer: &'b mut M) -> Self {
        Self {
            buffer,
            stage: [0; STAGE],
            staged: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        self.buffer.put_slice(self.stage.get(..self.staged).unwrap_or_default());
        self.staged = 0;
    }
}

#[cfg(feature = "alloc")]
impl<M: bytes::BufMut> Sink for BufSink<'_, M> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.staged.saturating_add(bytes.len());
        if let Some(place) = self.stage.get_mut(self.staged..end) {
            place.copy_from_slice(bytes);
            self.staged = end;
        } else {
            self.flush();
            self.buffer.put_slice(bytes);
        }
    }

    #[inline(always)]
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        let end = self.staged.saturating_add(N);
        if end > STAGE {
            self.flush();
        }
        let place = self.stage.get_mut(self.staged..).and_then(<[u8]>::first_chunk_mut);
        if let Some(place) = place {
            *place = bytes;
            self.staged = self.staged.saturating_add(N);
        }
    }
}
