//! See `mqtt_tests::fuzz::store`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_tests::fuzz::store(data));
