#!/usr/bin/env bash
# Shows that the conformance tests notice a missing check.
#
#     tests/switch-off.sh [all | how many rows] [seed]
#
# In a copy of the workspace every check of the decoder can be switched off by the row that it carries: a condition is taken
# to hold, and a missing value is replaced by some value. For each row that is drawn, the tests of this row run without its
# check, and every one of them has to fail. Default: 20 rows, another draw each time; the seed that is printed repeats it.
set -euo pipefail

count=${1:-20}
seed=${2:-$RANDOM}
root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

(cd "$root" && git ls-files -z --cached --others --exclude-standard \
    | tar --create --null --ignore-failed-read --files-from=- 2>/dev/null) | tar --extract --directory="$copy"

# Replaces one line of a file, which has to be there exactly once.
replace() {
    if [ "$(grep --count --fixed-strings -- "$2" "$1")" != 1 ]; then
        echo "not exactly once in $1: $2" >&2
        exit 1
    fi
    awk -v from="$2" -v to="$3" '{ at = index($0, from) } at { $0 = substr($0, 1, at - 1) to substr($0, at + length(from)) } { print }' \
        "$1" >"$1.patched"
    mv "$1.patched" "$1"
}

errors=$copy/mqtt-proto/src/error.rs
off='$crate::error::switched_off($rule, $reader.rules.version)'
replace "$errors" 'if !$holds {' "if !\$holds && !$off {"
replace "$errors" 'None => return Err($reader.refuse(' "None if $off => \$crate::error::Substitute::substitute(),
            None => return Err(\$reader.refuse("
cat "$root/tests/switch-off/switch.rs" >>"$errors"

echo "building the tests with switches in the decoder"
target=${CARGO_TARGET_DIR:-$root/target}/switch-off
binary=$(cd "$copy" && CARGO_TARGET_DIR=$target cargo test --quiet --package mqtt-tests --test conformance --no-run --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*conformance[^"]*\)".*/\1/p' | tail -n 1)

if ! "$binary" --quiet refused:: >/dev/null 2>&1; then
    echo "the tests fail with every check in place" >&2
    exit 1
fi

rows=$("$binary" --list refused:: | sed -n 's/^codec::refused::\([a-z0-9]*:[A-Z0-9a-z.-]*\)::.*/\1/p' | sort --unique)
total=$(wc -l <<<"$rows")
if [ "$count" != all ]; then
    rows=$(shuf --head-count="$count" --random-source=<(yes "$seed") <<<"$rows" | sort)
fi
echo "$(wc -l <<<"$rows") of $total rows, seed $seed"

blind=0
for row in $rows; do
    result=$(MQTT_SWITCH_OFF=$row "$binary" --quiet "refused::$row::" 2>/dev/null || true)
    read -r passed failed <<<"$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' <<<"$result")"
    if [ "$passed" = 0 ] && [ "$failed" -gt 0 ]; then
        printf '%-24s %3d of %3d tests fail\n' "$row" "$failed" "$((passed + failed))"
    else
        printf '%-24s %3d of %3d tests fail: NOT NOTICED\n' "$row" "$failed" "$((passed + failed))"
        blind=$((blind + 1))
    fi
done
echo "rows whose missing check was not noticed: $blind"
[ "$blind" = 0 ]
