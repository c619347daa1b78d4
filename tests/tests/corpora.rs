//! Every input that the fuzzer kept goes through its target again, without the fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use mqtt_tests::{fuzz, hex};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// The inputs of a target, each with its file name, in the order of the names.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpora().join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("no corpus {target}: {error}"));
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be read").path();
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy()
                .into_owned();
            (
                name,
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_corpus_passes_through_its_target() {
    let mut failed = Vec::new();
    for (target, body) in fuzz::targets() {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "the corpus {target} is empty");
        println!("{target}: {} inputs", inputs.len());
        for (name, input) in inputs {
            if catch_unwind(|| body(&input)).is_err() {
                failed.push(format!("{target}/{name}: {}", hex::text(&input)));
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} inputs break a promise:\n{}",
        failed.len(),
        failed.join("\n")
    );
}
