//! See `mqtt_program::broker::fuzz::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mqtt_program::broker::fuzz::configuration(data));
