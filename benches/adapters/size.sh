#!/usr/bin/env bash
# What a small blocking client takes as a program, beside the same on rumqttc: a table of sizes, as Markdown.
#
#     benches/adapters/size.sh
#
# Both are built with the profile `release` of this workspace and neither with TLS. Each is run first, against a small server, so
# that what is measured works. Needs binutils.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target/size

cargo build --quiet --locked --release --bin size-mqtt-std --bin size-rumqttc --bin size-server
programs=$CARGO_TARGET_DIR/release

exec {server}< <("$programs/size-server")
read -r url <&"$server"
for name in mqtt-std rumqttc; do
    [[ $("$programs/size-$name" "$url") == 'b"hello"' ]] || {
        echo "size-$name does not get its message" >&2
        exit 1
    }
done

# version CRATE: as the lock file has it.
version() {
    awk -v name="\"$1\"" '$1 == "name" && $3 == name { getline; gsub(/"/, ""); print $3 }' Cargo.lock
}

# row PROGRAM VERSIONS IMAGE
row() {
    local text data bss
    strip -o "$3.stripped" "$3"
    read -r text data bss _ < <(size "$3" | tail -1)
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$text" "$data" "$bss" \
        "$(stat -c %s "$3")" "$(stat -c %s "$3.stripped")"
}

echo "| program | MQTT | text | data | bss | file | file, stripped |"
echo "|---|---|---:|---:|---:|---:|---:|"
row "mqtt-std $(version mqtt-std)" '3.1, 3.1.1 and 5.0' "$programs/size-mqtt-std"
row "rumqttc $(version rumqttc)" 3.1.1 "$programs/size-rumqttc"

echo
echo "Bytes of the functions of the program on mqtt-std, by the first of these crates that their names have:"
echo
nm --defined-only -S -t d -C "$programs/size-mqtt-std" | awk '
    $3 ~ /^[tT]$/ {
        crate = match($0, /mqtt_(adapter|proto|session|std)/) ? substr($0, RSTART, RLENGTH) : "others, for the most part the standard library"
        bytes[crate] += $2
    }
    END { for (crate in bytes) printf "- %s: %d\n", crate, bytes[crate] }' | LC_ALL=C sort
