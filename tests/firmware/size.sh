#!/usr/bin/env bash
# What a client takes on a Cortex-M4: a table of sizes, as Markdown.
#
#     tests/firmware/size.sh          this project
#     tests/firmware/size.sh --peer   and the same program on rust-mqtt
#
# The images are built (see .ci/cross for the compiler), measured with `size`, and run in QEMU against
# the server of `src/host`; they say themselves what heap and stack they used. Needs binutils and
# qemu-system-arm.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
name=thumbv7em-none-eabihf
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target/firmware

cargo build --quiet --locked --release --example measure
measure=$CARGO_TARGET_DIR/release/examples/measure

# row PROGRAM VERSIONS COUNT IMAGE ARENA
row() {
    local text data bss client buffers held reach stack
    read -r text data bss _ < <(size "$4" | tail -1)
    read -r client buffers held reach stack < <("$measure" "$4" "$3")
    printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$text" "$data" \
        $((bss - $5)) "$5" "$held" "$reach" "$client" "$buffers" "$stack" $((data + bss - $5 + reach + stack))
}

../../.ci/cross $name core,alloc build --quiet --locked --release --bin firmware
[[ $# -eq 0 ]] || (cd peer && ../../../.ci/cross $name core,alloc build --quiet --locked --release)

images=$CARGO_TARGET_DIR/$name/release
# As large as src/lib.rs says.
arena=$(sed -n 's/^pub const ARENA_BYTES: usize = \(.*\);$/\1/p' src/lib.rs)
echo "| program | MQTT | text | data | bss without arena | arena | heap held | heap reach | client | buffers | stack | memory in use |"
echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
row mqtt-session '3.1.1 and 5.0' 2 "$images/firmware" $((arena))
[[ $# -eq 0 ]] || row "rust-mqtt 0.6.0" 5.0 1 "$images/mqtt-firmware-peer" 64
echo
echo "On the host, with pointers of 64 bits:"
echo
echo "| program | heap held | heap reach | client | buffers |"
echo "|---|---:|---:|---:|---:|"
read -r client buffers held reach _ < <("$measure")
echo "| mqtt-session | $held | $reach | $client | $buffers |"
