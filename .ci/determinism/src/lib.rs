//! The negative control of the determinism lints.
//!
//! Everything that the root `clippy.toml` disallows is used here once. `.ci/run determinism`
//! fails unless clippy refuses each of these uses, and the `for` loop over a hash map.

#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
#![allow(dead_code, unused_must_use)]

use std::{collections, hash, time};

fn clocks() {
    time::Instant::now();
    time::SystemTime::now();
}

fn surroundings() {
    std::thread::sleep(time::Duration::ZERO);
    std::thread::spawn(|| {});
    std::thread::current();
    std::env::var("X");
    std::env::var_os("X");
    std::process::id();
}

fn randomness(_: hash::RandomState) {
    getrandom::fill(&mut []);
    rand::rng();
    rand::random::<u8>();
    fastrand::Rng::new();
    fastrand::u64(..);
}

fn std_map(mut map: collections::HashMap<u8, u8>) {
    for _ in &map {}
    map.iter();
    map.iter_mut();
    map.keys();
    map.clone().into_keys();
    map.values();
    map.values_mut();
    map.clone().into_values();
    map.drain();
    map.retain(|_, _| true);
}

fn std_set(mut set: collections::HashSet<u8>) {
    set.iter();
    set.drain();
    set.retain(|_| true);
    set.union(&set);
    set.intersection(&set);
    set.difference(&set);
    set.symmetric_difference(&set);
}

fn hashbrown_map(mut map: hashbrown::HashMap<u8, u8>) {
    map.iter();
    map.iter_mut();
    map.keys();
    map.clone().into_keys();
    map.values();
    map.values_mut();
    map.clone().into_values();
    map.drain();
    map.retain(|_, _| true);
    map.extract_if(|_, _| true);
}

fn hashbrown_set(mut set: hashbrown::HashSet<u8>) {
    set.iter();
    set.drain();
    set.retain(|_| true);
}

fn hashbrown_table(mut table: hashbrown::HashTable<u8>) {
    table.iter();
    table.iter_mut();
    table.drain();
    table.retain(|_| true);
}
