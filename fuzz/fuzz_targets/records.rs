//! See `mqtt_tests::fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_tests::fuzz::records(data));
