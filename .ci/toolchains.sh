# shellcheck shell=bash disable=SC2154
# Getting what the checks need: tools from the crate registry, packages from Debian, and older
# compilers. What is present in the right version is left alone; what cannot be had is an error.
# $target is the absolute path of cargo's target directory.

# Name, version, and the packages that compiling it takes beside a C compiler.
CARGO_TOOLS=(
    "cargo-hack 0.6.46"
    "cargo-machete 0.9.2"
    "cargo-public-api 0.52.0 pkg-config libssl-dev"
    "cargo-deny 0.20.2"
)

die() {
    echo "error: $*" >&2
    exit 1
}

# need_component NAME COMMAND: a part of the Rust toolchain.
need_component() {
    "$2" --version >/dev/null 2>&1 || rustup component add "$1" \
        || die "the Rust component $1 is missing and rustup cannot add it"
}

# need_tool NAME: a cargo subcommand in the version listed above.
need_tool() {
    local entry version words=()
    for entry in "${CARGO_TOOLS[@]}"; do
        if [[ $entry == "$1 "* ]]; then
            read -ra words <<<"${entry#* }"
        fi
    done
    ((${#words[@]})) || die "$1 is not listed in CARGO_TOOLS"
    version=${words[0]}
    # The subcommand's name is an argument, except for tools that were not told about cargo.
    if cargo "${1#cargo-}" --version 2>/dev/null | grep -qwF "$version"; then
        return
    fi
    need_c_compiler
    need_packages "${words[@]:1}"
    # Unoptimised: compiling these tools takes far longer than running them.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$target/tools" \
        cargo install --locked --debug --force "$1" --version "$version" \
        || die "$1 $version cannot be installed"
}

# need_packages NAME..: packages of Debian.
need_packages() {
    local name missing=()
    for name in "$@"; do
        installed "$name" || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null \
        || die "Debian packages are needed (${missing[*]}), and this is not Debian"
    ((EUID == 0)) || die "these packages are missing, only root can add them: ${missing[*]}"
    apt-get update -q || die "the list of Debian packages cannot be updated"
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" \
        || die "these packages cannot be installed: ${missing[*]}"
}

need_c_compiler() {
    if ! command -v cc >/dev/null || ! command -v c++ >/dev/null; then
        need_packages gcc g++ libc6-dev
    fi
}

installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# compiler VERSION: prints the path of a rustc of exactly that version. It is looked for in rustup,
# then in Debian, then in what rustup can fetch.
compiler() {
    local rustc=$target/compilers/$1/rustc
    if ! rustup which --toolchain "$1" rustc 2>/dev/null; then
        if [[ ! -x $rustc ]] && ! unpack_debian_compiler "$1" >&2; then
            rustup toolchain install "$1" --profile minimal >&2 \
                || die "there is no Rust $1 in rustup or Debian"
            rustc=$(rustup which --toolchain "$1" rustc)
        fi
        echo "$rustc"
    fi
}

# Debian's rustc-web beside the system's compiler: unpacked and started through a script that
# finds its libraries, since two versions of the package cannot be installed together.
unpack_debian_compiler() {
    local folder=$target/compilers/$1 package minor=${1%.*} llvm
    command -v apt-get >/dev/null || return 1
    debian_version rustc-web "$1" >/dev/null || apt-get update -q || return 1
    package=$(debian_version rustc-web "$1") || return 1
    llvm=$(apt-cache show "libstd-rust-web-$minor=$package" | grep -o 'libllvm[0-9]*' | sort -u) \
        || return 1
    rm -rf "$folder"
    mkdir -p "$folder/download"
    (
        cd "$folder/download" \
            && apt-get download -q -o APT::Sandbox::User=root "$llvm" "rustc-web=$package" \
                "libstd-rust-web-$minor=$package" "libstd-rust-web-dev=$package" \
            && for deb in *.deb; do dpkg -x "$deb" "$folder" || exit 1; done
    ) || return 1
    rm -r "$folder/download"
    cat >"$folder/rustc" <<END
#!/bin/sh
LD_LIBRARY_PATH=\$(echo "$folder"/usr/lib/*-linux-gnu) exec "$folder/usr/bin/rustc" "\$@"
END
    chmod +x "$folder/rustc"
}

# debian_version PACKAGE UPSTREAM: prints the Debian version that packages this upstream version.
debian_version() {
    apt-cache madison "$1" | awk -v prefix="$2+" \
        '!found && index($3, prefix) == 1 { print $3; found = 1 } END { exit !found }'
}

# The foreign brokers and clients that tests start: from Debian, and below $target/peers, where the tests look, what
# Debian does not have. Each folder there carries what it was made from, and is made again when that changes.
need_peers() {
    local sources=$root/adapters/testbed/peers
    need_packages mosquitto mosquitto-clients nats-server rabbitmq-server libpaho-mqtt-dev python3-venv strace systemd
    command -v node >/dev/null || need_packages nodejs
    command -v npm >/dev/null || need_packages npm
    need_peer python "$sources/python/requirements.txt" install_python_peers
    need_peer node "$sources/node/package.json" install_node_peers
    need_peer rumqttc "$sources/rumqttc" install_rust_peers
    need_c_compiler
    need_peer paho-c "$sources/paho-c" install_c_peers
}

# need_peer NAME SOURCE COMMAND: COMMAND makes the folder it is given from SOURCE.
need_peer() {
    local folder=$target/peers/$1 made_from
    made_from=$(find "$2" -type f -not -path '*/target/*' -exec sha256sum {} + | sort | sha256sum)
    if [[ ! -f $folder/made-from || $(<"$folder/made-from") != "$made_from" ]]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        "$3" "$2" "$folder" || die "the foreign programs of $1 cannot be installed"
        echo "$made_from" >"$folder/made-from"
    fi
}

install_python_peers() {
    /usr/bin/python3 -m venv "$2" && "$2/bin/pip" install -q --requirement "$1"
}

install_node_peers() {
    cp "$1" "$2/" && (cd "$2" && npm install --no-audit --no-fund --no-package-lock --omit=dev)
}

install_rust_peers() {
    CARGO_TARGET_DIR="$target/tools" cargo install --locked --debug --force --path "$1" --root "$2"
}

install_c_peers() {
    cc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$2/paho-walk" "$1/paho_walk.c" -lpaho-mqtt3cs
}
