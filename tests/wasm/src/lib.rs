//! The vectors and an exchange of QoS 2, for `run.mjs` to run on wasm32: with pointers and lengths of 32 bits.
//!
//! A check that fails panics, which ends the instance; `report` is then what it said.

// What is shared with the tests of the workspace comes file by file: the crate they are in compiles for minutes.
extern crate self as mqtt_tests;

mod exactly_once;
#[path = "../../tests/vectors/facts.rs"]
mod facts;
#[path = "../../src/frame.rs"]
pub mod frame;
#[path = "../../src/hex.rs"]
pub mod hex;
mod vectors;

use std::panic;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mqtt_proto::Version;

static INPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static REPORT: Mutex<String> = Mutex::new(String::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be called first: what a panic says is kept for `report`.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    panic::set_hook(Box::new(|info| *lock(&REPORT) = info.to_string()));
}

/// How many bits a length has.
#[unsafe(no_mangle)]
pub extern "C" fn length_bits() -> u32 {
    usize::BITS
}

/// Where so many bytes of input are to be written.
#[unsafe(no_mangle)]
pub extern "C" fn input(len: usize) -> *mut u8 {
    let mut input = lock(&INPUT);
    input.resize(len, 0);
    input.as_mut_ptr()
}

/// Where the report stands.
#[unsafe(no_mangle)]
pub extern "C" fn report() -> *const u8 {
    lock(&REPORT).as_ptr()
}

/// How long the report is.
#[unsafe(no_mangle)]
pub extern "C" fn report_len() -> usize {
    lock(&REPORT).len()
}

/// Checks the vectors that the input holds, and returns how many there were.
#[unsafe(no_mangle)]
pub extern "C" fn check_vectors() -> usize {
    let input = lock(&INPUT);
    vectors::check(std::str::from_utf8(&input).expect("vectors are text"))
}

/// Checks an exchange of QoS 2 in both directions with a cut in the middle, in the version of this protocol level, with a
/// server that keeps the session or loses it.
#[unsafe(no_mangle)]
pub extern "C" fn check_exactly_once(level: u8, session_is_kept: bool) {
    let version = Version::ALL.into_iter().find(|version| version.level() == level);
    exactly_once::check(version.expect("a known level"), session_is_kept);
}
