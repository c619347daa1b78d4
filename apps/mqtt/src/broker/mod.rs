//! The parts of `mqtt broker` that need neither sockets nor threads: its configuration, its users and their rights.

pub mod acl;
mod check;
pub mod config;
pub mod fuzz;
pub mod problem;
pub mod users;

pub use self::acl::{Permissions, Who};
pub use self::check::{Setup, check};
pub use self::config::Config;
pub use self::problem::{Problem, Report, Severity};
pub use self::users::Users;
