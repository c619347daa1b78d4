//! Lets the decoder tell what it reads, so that an explanation of a packet cannot differ from its decoding.

use core::ops::Range;

use crate::Field;

/// What a field holds, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Value<'a> {
    /// One byte of flags or a code.
    Byte(u8),
    /// A number.
    Number(u32),
    /// Text, well formed.
    Text(&'a [u8]),
    /// Binary data.
    Binary(&'a [u8]),
}

/// Hears of every field.
pub(crate) trait Trace {
    /// Whether it hears nothing, so that fields need not be read one by one.
    const IS_SILENT: bool = false;

    fn field(&mut self, field: Field, range: Range<usize>, value: Value<'_>);
}

/// Hears nothing, at no cost.
#[derive(Clone, Copy)]
pub(crate) struct Silent;

impl Trace for Silent {
    const IS_SILENT: bool = true;

    #[inline(always)]
    fn field(&mut self, _: Field, _: Range<usize>, _: Value<'_>) {}
}

/// Passes everything on to a closure.
pub(crate) struct Observer<F>(pub(crate) F);

impl<F: FnMut(Field, Range<usize>, Value<'_>)> Trace for Observer<F> {
    fn field(&mut self, field: Field, range: Range<usize>, value: Value<'_>) {
        (self.0)(field, range, value);
    }
}

impl<T: Trace> Trace for &mut T {
    const IS_SILENT: bool = T::IS_SILENT;

    #[inline(always)]
    fn field(&mut self, field: Field, range: Range<usize>, value: Value<'_>) {
        T::field(self, field, range, value);
    }
}
