//! What a store promises, held against models, broken media and broken processes.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of files and processes need both"
)]

mod broker;
mod copying;
mod damage;
mod errors;
mod exchange;
mod killing;
mod medium;
mod model;
mod power_loss;
mod reading;
mod same_state;
mod waiting;
