//! The bodies of the fuzz targets of the codec. They need nothing but the codec, so that its mutation test can take them in.

mod decode;
mod explanation;
mod filters;
mod patch;
mod round_trip;
mod rules;
mod serde;
mod split;
mod texts;

pub use decode::{decode_v3_1, decode_v3_1_1, decode_v5};
pub use filters::filters;
pub use patch::patch;
pub use round_trip::round_trip;
pub use serde::serde;
pub use split::split;

/// A fuzz target: its name, which is also that of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// The fuzz targets of the codec.
pub(crate) fn targets() -> impl Iterator<Item = Target> {
    let targets: [Target; 8] = [
        ("decode_v3_1", decode_v3_1),
        ("decode_v3_1_1", decode_v3_1_1),
        ("decode_v5", decode_v5),
        ("filters", filters),
        ("patch", patch),
        ("round_trip", round_trip),
        ("serde", serde),
        ("split", split),
    ];
    targets.into_iter()
}
