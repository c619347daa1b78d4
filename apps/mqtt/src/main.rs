//! The program `mqtt`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mqtt_program::run()
}
