//! What no codec can be faster than: framing alone, and a copy.

use std::hint::black_box;

use crate::run::{Row, Run};
use crate::stream::Stream;

/// Reads type and Remaining Length of each packet and jumps over its body.
pub fn skip(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(
        Row::Skip,
        stream,
        (bytes.clone(), bytes),
        |(buffer, bytes)| buffer.copy_from_slice(bytes),
        |(buffer, _)| {
            let mut rest = &buffer[..];
            let mut sum = 0;
            while let Some((first, len)) = frame(rest) {
                sum += u64::from(first);
                rest = &rest[len..];
            }
            sum
        },
    )
}

/// Copies the stream.
pub fn memcpy(stream: &Stream) -> Run {
    let bytes = stream.bytes.clone();
    Run::decoder(Row::Memcpy, stream, (bytes.clone(), bytes), |_| {}, copy)
}

/// Copies the bytes of the packets that an encoder is given.
pub fn memcpy_sources(stream: &Stream) -> Run {
    let bytes = stream.source_bytes();
    Run::encoder(
        Row::Memcpy,
        stream,
        (bytes.clone(), bytes),
        |_| {},
        copy,
        |(target, _)| target.clone(),
    )
}

fn copy((target, bytes): &mut (Vec<u8>, Vec<u8>)) -> u64 {
    target.copy_from_slice(black_box(bytes));
    target.len() as u64
}

/// First byte and whole length of the first packet in `bytes`.
#[inline(always)]
pub fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let (&first, lengths) = bytes.split_first()?;
    let mut len = 0;
    for (at, byte) in lengths.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((first, 2 + at + len));
        }
    }
    None
}

/// Length of the fixed header of a packet of `len` bytes whose Remaining Length
/// is in its shortest form.
#[inline(always)]
pub fn header_len(len: usize) -> usize {
    match len {
        0..130 => 2,
        130..16_387 => 3,
        16_387..2_097_156 => 4,
        _ => 5,
    }
}
