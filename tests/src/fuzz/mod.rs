//! The bodies of the fuzz targets: each takes any bytes, and panics if a promise of the codec or of the machines is broken.
//!
//! They are ordinary functions, so that the fuzzer, the replay of the corpora and a debugger run the same code. What
//! each of them promises is told in `fuzz/README.md`.

mod codec;
mod session;

pub use codec::{Target, decode_v3_1, decode_v3_1_1, decode_v5, filters, patch, round_trip, serde, split};
pub use session::{broker, client, pair, records, server, store};

/// Every fuzz target.
pub fn targets() -> impl Iterator<Item = Target> {
    let machines: [Target; 6] = [
        ("broker", broker),
        ("client", client),
        ("pair", pair),
        ("records", records),
        ("server", server),
        ("store", store),
    ];
    codec::targets().chain(machines)
}

#[cfg(test)]
mod tests {
    use super::targets;
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_corpus_has_a_target() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let entries = fs::read_dir(corpora).expect("the folder of the corpora can be read");
        let names = entries.map(|entry| entry.expect("the folder can be read").file_name());
        let mut found: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        found.sort();
        // The body of one is in the program, which replays its corpus.
        let of_program = ["configuration"];
        let mut targets: Vec<&str> = targets().map(|(name, _)| name).chain(of_program).collect();
        targets.sort_unstable();
        assert_eq!(found, targets);
    }
}
