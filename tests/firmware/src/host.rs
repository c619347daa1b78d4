//! What stands in for the controller and the server on a machine with an operating system.

mod gate;
mod line;
mod server;

pub use gate::{ARENA, Gate, inside, outside};
pub use line::Line;
pub use server::Server;
