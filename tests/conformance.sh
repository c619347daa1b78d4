#!/usr/bin/env bash
# Writes CONFORMANCE.md: every statement, and the tests of all layers that cover it.
#
#     tests/conformance.sh            writes it
#     tests/conformance.sh --check    fails if it is not what the tests say
set -euo pipefail

cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

covered() {
    cargo test --locked --quiet --all-features "$@" -- --quiet --covered
}

covered -p mqtt-tests --test conformance --test session --test adapter --test broker_ledger >"$made/covered"
covered -p mqtt-adapter --test transport >>"$made/covered"
cargo run --locked --quiet --all-features -p mqtt-tests --profile test --bin conformance <"$made/covered" >"$made/CONFORMANCE.md"
if [ "${1:-}" = --check ]; then
    diff -u tests/CONFORMANCE.md "$made/CONFORMANCE.md" || {
        echo "CONFORMANCE.md is not what the tests say: run tests/conformance.sh" >&2
        exit 1
    }
else
    cp "$made/CONFORMANCE.md" tests/CONFORMANCE.md
fi
