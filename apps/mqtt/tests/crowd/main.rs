//! `mqtt broker` among many: memory below a formula of its bounds, a limit of open files, and hours of everything at once.
//!
//! The broker is a process of its own, and so is the load. `MQTT_CROWD` says how many idle connections there are (a tenth as many are busy,
//! a hundredth never read), `MQTT_SOAK` how many seconds the soak lasts.
#![cfg(all(target_os = "linux", feature = "tokio"))]

mod bound;
mod churn;
mod files;
#[path = "../lives/mod.rs"]
mod lives;
mod load;
mod process;
mod soak;
mod watched;
#[path = "../web/mod.rs"]
mod web;

/// The number in this variable of the environment.
fn number_of(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
