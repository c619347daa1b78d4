//! See `mqtt_tests::fuzz::serde`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_tests::fuzz::serde(data));
