//! Where encoded bytes go. The length is known before the first byte is written, so writing cannot fail.

/// Takes bytes in order.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    #[inline]
    fn put_u8(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    #[inline]
    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    #[inline]
    fn put_varint(&mut self, value: u32) {
        let (form, len) = crate::varint::bytes(value);
        self.put(form.get(..usize::from(len)).unwrap_or_default());
    }

    /// Bytes behind their length, which was checked to fit two bytes.
    #[inline]
    fn put_prefixed(&mut self, bytes: &[u8]) {
        self.put_u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        self.put(bytes);
    }
}

/// Fills a slice from its start. What does not fit is left out; the caller has checked that everything fits.
pub(crate) struct SliceSink<'b>(pub(crate) &'b mut [u8]);

impl Sink for SliceSink<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Some((head, tail)) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.0 = tail;
        }
    }
}

#[cfg(feature = "alloc")]
pub(crate) struct BufSink<'b, M>(pub(crate) &'b mut M);

#[cfg(feature = "alloc")]
impl<M: bytes::BufMut> Sink for BufSink<'_, M> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0.put_slice(bytes);
    }
}
