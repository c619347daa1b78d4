//! Random valid packets from a source of bytes.
//!
//! One generator serves property tests, fuzz targets and differential tests: bytes go in, for example from a fuzzer or
//! from [`random_bytes`], and a packet comes out that the given end may send in the given version. A prefix of the bytes
//! decides the larger choices, so that mutated input gives similar packets, and bytes that run out give short fields.

mod packets;
mod properties;
mod texts;

pub use packets::packet;

use arbitrary::Unstructured;
use bytes::Bytes;
use mqtt_proto::{Packet, Role, Version};

/// Packets that an end may send, the same ones for the same seed.
///
/// # Panics
/// Never: a source that has run out still gives a packet.
pub fn corpus(version: Version, sender: Role, seed: u64, count: u64) -> impl Iterator<Item = Packet<Bytes>> {
    (0..count).map(move |index| {
        let bytes = random_bytes(seed.wrapping_mul(0x1_0000_0001).wrapping_add(index), 1024);
        packet(&mut Unstructured::new(&bytes), version, sender).expect("a source that has run out gives zeros")
    })
}

/// Bytes that a seed stands for.
#[must_use]
pub fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| split_mix(&mut state).to_le_bytes())
        .flatten()
        .take(count)
        .collect()
}

/// The next number of the generator SplitMix64, which passes over all 64-bit numbers.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
