# shellcheck shell=bash disable=SC2034
# What the checks hold for each crate of the workspace. `.ci/run members` fails while a member is
# in none of LIBRARIES, PROGRAMS and REPOSITORY_ONLY, or has no minimum version of Rust here.

# Crates with an API for others: feature powerset, docs as docs.rs builds them, and a committed
# public-api.txt.
LIBRARIES=(mqtt-proto mqtt-session mqtt-adapter mqtt-tokio mqtt-smol mqtt-std mqtt-store)

# Crates with binaries for others.
PROGRAMS=(mqtt)

# Crates that only this repository uses.
REPOSITORY_ONLY=(mqtt-tests mqtt-testbed)

# Crates with the determinism lints of clippy.toml.
DETERMINISTIC=(mqtt-proto mqtt-session)

# Crates that may have tokio below them. All other libraries and programs are checked to have none.
WITH_TOKIO=(mqtt-tokio mqtt)

# Crates that have no async runtime at all below them.
WITHOUT_RUNTIME=(mqtt-proto mqtt-session mqtt-adapter mqtt-std mqtt-store)

# The minimum version of Rust that is promised to users, by crate; and what a feature asks for beyond it.
FEATURES_1_90=(store)
MSRV_1_85=(mqtt-proto mqtt-session mqtt-adapter mqtt-tokio mqtt-smol mqtt-std)
MSRV_1_90=(mqtt-store mqtt)

# Builds without std: package, standard crates that exist for it, features (- for none), targets.
# thumbv6m has no atomic swap, so bytes needs its portable form there.
NO_STD=(
    "mqtt-proto core       -                     thumbv7em-none-eabihf thumbv6m-none-eabi wasm32-unknown-unknown"
    "mqtt-proto core,alloc alloc                 thumbv7em-none-eabihf wasm32-unknown-unknown"
    "mqtt-proto core,alloc alloc,extra-platforms thumbv6m-none-eabi"
    "mqtt-session core,alloc - thumbv7em-none-eabihf wasm32-unknown-unknown"
    "mqtt-session core,alloc broker thumbv7em-none-eabihf wasm32-unknown-unknown"
    "mqtt-session core,alloc extra-platforms thumbv6m-none-eabi"
)
