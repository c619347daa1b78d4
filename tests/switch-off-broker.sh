#!/usr/bin/env bash
# Shows that the trials of the broker notice a rule that is not kept.
#
#     tests/switch-off-broker.sh
#
# In a copy of the workspace every rule of `switch-off/broker.tsv` can be switched off. Then one of the trials that cover its
# rows has to fail.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# shellcheck source-path=SCRIPTDIR
source "$root/tests/switch-off/copy.sh"
copy_workspace "$root" "$copy"

replace "$copy/mqtt-session/src/lib.rs" '#[cfg(test)]' ''
cat "$root/tests/switch-off/session.rs" >>"$copy/mqtt-session/src/closed.rs"
laws=$(put_switches "$copy" "$root/tests/switch-off/broker.tsv" | sort --unique)

echo "building the trials with switches in the broker"
target=${CARGO_TARGET_DIR:-$root/target}/switch-off
binary=$(cd "$copy" && CARGO_TARGET_DIR=$target cargo test --quiet --package mqtt-tests --test broker_ledger --no-run --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*broker_ledger[^"]*\)".*/\1/p' | tail -n 1)

# The audit of the ledger is not the matter here.
if ! covered=$(cd "$copy/tests" && "$binary" --quiet --covered 2>/dev/null); then
    echo "the trials fail with every rule in place" >&2
    exit 1
fi

blind=0
while IFS=$'\t' read -r law rows; do
    failed=$(cd "$copy/tests" && MQTT_SWITCH_OFF=$law "$binary" 2>/dev/null | sed -n 's/^test \([^ ]*\) *\.\.\. FAILED$/\1/p' || true)
    noticed=0
    for row in $rows; do
        trials=$(awk -F'\t' -v row="$row" '{ for (cell = 3; cell <= NF; cell++) if ($cell == row) print $2 }' <<<"$covered")
        noticed=$((noticed + $(grep --count --line-regexp --fixed-strings --file=<(echo "$trials") <<<"$failed" || true)))
    done
    verdict=
    if [ "$noticed" = 0 ]; then
        verdict=': NOT NOTICED'
        blind=$((blind + 1))
    fi
    printf '%-28s %3d trials fail, %d of those that cover %s%s\n' "$law" "$(grep --count . <<<"$failed")" "$noticed" "$rows" "$verdict"
done <<<"$laws"
echo "$(wc -l <<<"$laws") rules; not noticed: $blind"
[ "$blind" = 0 ]
