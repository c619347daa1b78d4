#!/usr/bin/env bash
# Writes CONFORMANCE.md: every statement, and the tests of all layers that cover it.
#
#     tests/conformance.sh            writes it
#     tests/conformance.sh --check    fails if it is not what the tests say
set -euo pipefail

cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

# All of the workspace, so that nothing is built once more where its tests have been run.
cargo test --locked --quiet --workspace --test conformance --test session --test adapter --test broker_ledger --test transport \
    -- --quiet --covered >"$made/covered"
"${CARGO_TARGET_DIR:-target}/debug/conformance" <"$made/covered" >"$made/CONFORMANCE.md"
if [ "${1:-}" = --check ]; then
    diff -u tests/CONFORMANCE.md "$made/CONFORMANCE.md" || {
        echo "CONFORMANCE.md is not what the tests say: run tests/conformance.sh" >&2
        exit 1
    }
else
    cp "$made/CONFORMANCE.md" tests/CONFORMANCE.md
fi
