//! The bodies of the fuzz targets: each takes any bytes, and panics if a promise of the codec or of the machines is broken.
//!
//! They are ordinary functions, so that the fuzzer, the replay of the corpora and a debugger run the same code. What
//! each of them promises is told in `fuzz/README.md`.

mod decode;
mod explanation;
mod filters;
mod patch;
mod round_trip;
mod rules;
mod serde;
mod session;
mod split;
mod texts;

pub use decode::{decode_v3_1, decode_v3_1_1, decode_v5};
pub use filters::filters;
pub use patch::patch;
pub use round_trip::round_trip;
pub use serde::serde;
pub use session::{client, pair, records, server};
pub use split::split;

/// A fuzz target: its name, which is also that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every fuzz target.
pub const TARGETS: &[Target] = &[
    ("client", client),
    ("decode_v3_1", decode_v3_1),
    ("decode_v3_1_1", decode_v3_1_1),
    ("decode_v5", decode_v5),
    ("filters", filters),
    ("pair", pair),
    ("patch", patch),
    ("records", records),
    ("round_trip", round_trip),
    ("serde", serde),
    ("server", server),
    ("split", split),
];
