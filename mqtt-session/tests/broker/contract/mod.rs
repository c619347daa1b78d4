//! The contract that stands on `Broker`, as properties: each line of it holds for any clients, any host and any driver.
//!
//! A run is a list of [acts](script::Act), which are played on a [stage](stage::Stage). The same acts are played again by a driver
//! with other [manners](stage::Manners), who splits the input, polls when he likes, or calls what he should not; what is
//! [heard](stage::Heard) has to be the same.

mod abuse;
mod meddling;
mod misuse;
mod polling;
mod script;
mod splits;
mod stage;
mod time;
