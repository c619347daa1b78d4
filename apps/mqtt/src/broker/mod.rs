//! The parts of `mqtt broker` that need neither sockets nor threads: its configuration, its users and their rights.

pub mod config;
pub mod problem;

pub use self::config::Config;
pub use self::problem::{Problem, Report, Severity};
