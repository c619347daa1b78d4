//! See `mqtt_tests::fuzz::pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_tests::fuzz::pair(data));
