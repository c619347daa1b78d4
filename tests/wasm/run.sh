#!/usr/bin/env bash
# Runs the vectors and an exchange of QoS 2 on wasm32, under node.
#
#     tests/wasm/run.sh
#
# See .ci/cross for the compiler.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
name=wasm32-unknown-unknown
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target/wasm

# The checks are tests, which use the standard library; what they check does not.
../../.ci/cross $name std,panic_abort build --locked --release
node run.mjs "$CARGO_TARGET_DIR/$name/release/mqtt_wasm.wasm" ../data/vectors.jsonl
