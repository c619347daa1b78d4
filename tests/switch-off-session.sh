#!/usr/bin/env bash
# Shows that the tests of the state machines notice a rule that is not kept.
#
#     tests/switch-off-session.sh
#
# In a copy of the workspace every rule can be switched off. What breaks a row then closes no connection, and every test that
# this row is refused by has to fail. What is sent breaks a law (the lines of `switch-off/sent.tsv`), and every test of this
# law has to fail for at least one of the machines.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# shellcheck source-path=SCRIPTDIR
source "$root/tests/switch-off/copy.sh"
copy_workspace "$root" "$copy"

source=$copy/mqtt-session/src
replace "$source/lib.rs" '#[cfg(test)]' ''
cat "$root/tests/switch-off/session.rs" >>"$source/closed.rs"
off() {
    echo "if crate::closed::is_switched_off(&fault.clone().closed($1)) { return; }"
}
replace "$source/client/input.rs" 'pub(super) fn fail_with(&mut self, fault: Fault) {' \
    "pub(super) fn fail_with(&mut self, fault: Fault) { $(off 'self.config.version, Role::Server')"
replace "$source/server/input.rs" 'fn fail_with(&mut self, fault: Fault, input: &[u8]) {' \
    "fn fail_with(&mut self, fault: Fault, input: &[u8]) { $(off 'self.version, Role::Client')"
laws=$(put_switches "$copy" "$root/tests/switch-off/sent.tsv")

echo "building the tests with switches in the machines"
target=${CARGO_TARGET_DIR:-$root/target}/switch-off
binary=$(cd "$copy" && CARGO_TARGET_DIR=$target cargo test --quiet --package mqtt-tests --test session --no-run --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*session[^"]*\)".*/\1/p' | tail -n 1)

if ! "$binary" --quiet >/dev/null 2>&1; then
    echo "the tests fail with every rule in place" >&2
    exit 1
fi

blind=0
# Runs the tests with this in their name while the rule is off. `all` or `some` of them have to fail.
expect_failures() {
    local result passed failed verdict=
    result=$(MQTT_SWITCH_OFF=$1 "$binary" --quiet "$2" 2>/dev/null || true)
    read -r passed failed <<<"$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' <<<"$result")"
    if [ "$failed" = 0 ] || { [ "$3" = all ] && [ "$passed" != 0 ]; }; then
        verdict=': NOT NOTICED'
        blind=$((blind + 1))
    fi
    printf '%-28s %3d of %3d tests fail%s\n' "$1" "$failed" "$((passed + failed))" "$verdict"
}

rows=$("$binary" --list refused:: | sed -n 's/^session::refused::\([a-z0-9]*:[A-Z0-9a-z.-]*\)::.*/\1/p' | sort --unique)
for row in $rows; do
    expect_failures "$row" "refused::$row::" all
done
for law in $(tr -d '\t' <<<"$laws" | sort --unique); do
    expect_failures "$law" "::$law" some
done
echo "rules whose absence was not noticed: $blind"
[ "$blind" = 0 ]
