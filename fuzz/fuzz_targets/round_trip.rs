//! See `mqtt_tests::fuzz::round_trip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_tests::fuzz::round_trip(data));
