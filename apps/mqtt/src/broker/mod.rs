//! The parts of `mqtt broker` that need neither sockets nor threads: its configuration, its users and their rights.

pub mod acl;
pub mod config;
pub mod problem;
pub mod users;

pub use self::acl::{Permissions, Who};
pub use self::config::Config;
pub use self::problem::{Problem, Report, Severity};
pub use self::users::Users;
