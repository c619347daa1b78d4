//! The program of `mqtt-firmware`, written on rust-mqtt: MQTT 5.0, the same messages, the same board.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;

/// On a host there is nothing to start.
#[cfg(not(target_os = "none"))]
fn main() {}
