//! What the tables of the codec and of the session are made with.

pub mod allocation;
pub mod bars;
pub mod environment;
pub mod instructions;
pub mod options;
pub mod progress;
pub mod rounds;
pub mod verdict;
