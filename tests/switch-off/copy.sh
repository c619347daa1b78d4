# shellcheck shell=bash
# A copy of the workspace in which rules are switched off. To be sourced.

# copy_workspace FROM TO: what the repository holds, with what is not committed.
copy_workspace() {
    (cd "$1" && git ls-files -z --cached --others --exclude-standard \
        | tar --create --null --ignore-failed-read --files-from=- 2>/dev/null) | tar --extract --directory="$2"
}

# replace FILE FROM TO: a part of one line of a file, which has to be there exactly once.
replace() {
    if [ "$(grep --count --fixed-strings -- "$2" "$1")" != 1 ]; then
        echo "not exactly once in $1: $2" >&2
        exit 1
    fi
    FROM=$2 TO=$3 awk 'BEGIN { from = ENVIRON["FROM"]; to = ENVIRON["TO"] }
        { at = index($0, from) }
        at { $0 = substr($0, 1, at - 1) to substr($0, at + length(from)) }
        { print }' "$1" >"$1.patched"
    mv "$1.patched" "$1"
}

# put_switches COPY TABLE: each line of the table is put in place of what it replaces. Prints the names of the switches.
put_switches() {
    local file from to rows
    while IFS=$'\t' read -r file from to rows; do
        grep --only-matching 'OFF([A-Za-z]*)' <<<"$to" | sed "s|OFF(\(.*\))|\1\t${rows}|"
        # shellcheck disable=SC2001
        replace "$1/$file" "$from" "$(sed 's/OFF(\([A-Za-z]*\))/crate::closed::is_law_off("\1")/g' <<<"$to")"
    done < <(tail -n +2 "$2")
}
