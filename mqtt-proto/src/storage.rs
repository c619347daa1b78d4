//! Where the variable parts of a packet are built: a caller's buffer, or memory of their own.

mod sealed {
    pub trait Sealed {}
}

/// Takes what a builder writes. Implemented by [`InSlice`] and, with `alloc`, by `InBytes`.
pub trait Storage: sealed::Sealed {
    /// What holds the finished bytes.
    type Output: AsRef<[u8]>;

    /// Appends bytes; `false` if they do not fit.
    #[doc(hidden)]
    fn append(&mut self, bytes: &[u8]) -> bool;

    /// The finished bytes.
    #[doc(hidden)]
    fn finish(self) -> Self::Output;
}

/// Builds into a slice of the caller's.
pub struct InSlice<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> InSlice<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }
}

impl sealed::Sealed for InSlice<'_> {}

/// What is being built may be secret: only its length is shown.
impl core::fmt::Debug for InSlice<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "InSlice({} of {} bytes)", self.len, self.buffer.len())
    }
}

impl<'b> Storage for InSlice<'b> {
    type Output = &'b [u8];

    fn append(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.saturating_add(bytes.len());
        let Some(place) = self.buffer.get_mut(self.len..end) else {
            return false;
        };
        place.copy_from_slice(bytes);
        self.len = end;
        true
    }

    fn finish(self) -> &'b [u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

/// Builds into memory that grows as needed.
#[cfg(feature = "alloc")]
#[derive(Default)]
pub struct InBytes(bytes::BytesMut);

#[cfg(feature = "alloc")]
impl sealed::Sealed for InBytes {}

/// What is being built may be secret: only its length is shown.
#[cfg(feature = "alloc")]
impl core::fmt::Debug for InBytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "InBytes({} bytes)", self.0.len())
    }
}

#[cfg(feature = "alloc")]
impl Storage for InBytes {
    type Output = bytes::Bytes;

    fn append(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        true
    }

    fn finish(self) -> bytes::Bytes {
        self.0.freeze()
    }
}

/// Appends fields and remembers the first thing that went wrong, so that building can be written as one chain.
#[derive(Debug)]
pub(crate) struct Draft<W> {
    storage: W,
    needed: usize,
    overflow: bool,
    too_long: Option<crate::Field>,
}

impl<W: Storage> Draft<W> {
    pub(crate) const fn new(storage: W) -> Self {
        Self {
            storage,
            needed: 0,
            overflow: false,
            too_long: None,
        }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.needed = self.needed.saturating_add(bytes.len());
        self.overflow = self.overflow || !self.storage.append(bytes);
    }

    pub(crate) fn put_prefixed(&mut self, bytes: &[u8], field: crate::Field) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.put(&len.to_be_bytes());
                self.put(bytes);
            }
            Err(_) => self.too_long = self.too_long.or(Some(field)),
        }
    }

    pub(crate) fn finish(self) -> Result<W::Output, crate::EncodeError> {
        if let Some(field) = self.too_long {
            return Err(crate::EncodeError::FieldTooLong { field });
        }
        if self.overflow {
            return Err(crate::EncodeError::BufferTooSmall { needed: self.needed });
        }
        Ok(self.storage.finish())
    }
}
