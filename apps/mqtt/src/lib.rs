//! The program `mqtt`: what each of its commands does.
//!
//! It is a library so that its parts can be tested and fuzzed; its interface is the command line, and nothing here is stable.
#![forbid(unsafe_code)]

#[cfg(feature = "tokio")]
pub mod bench;
pub mod broker;
pub mod cli;
#[cfg(feature = "tokio")]
pub mod client;
mod ctl;
mod decode;
#[cfg(feature = "demo")]
mod demo;
mod ending;
mod json;
#[cfg(any(feature = "tokio", feature = "smol", feature = "std"))]
mod pem;
mod progress;
mod screen;
#[cfg(any(feature = "tokio", feature = "smol", feature = "std"))]
mod serve;
mod shell;
mod store;

use std::process::ExitCode;

use clap::Parser;

use self::cli::{Cli, Command};
pub use self::ending::Ending;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        #[cfg(feature = "tokio")]
        Command::Bench(arguments) => bench::run(&arguments),
        #[cfg(any(feature = "tokio", feature = "smol", feature = "std"))]
        Command::Broker(serve) => serve::run(serve),
        Command::Ctl(ctl) => ctl::run(ctl),
        #[cfg(feature = "tokio")]
        Command::Pub(arguments) => client::publish(*arguments),
        #[cfg(feature = "tokio")]
        Command::Sub(arguments) => client::subscribe(*arguments),
        #[cfg(feature = "tokio")]
        Command::Rr(arguments) => client::request(*arguments),
        Command::Completion { shell } => shell::complete(shell),
        Command::Decode(decode) => decode::run(&decode),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo::run(&demo),
        Command::Man { folder } => shell::manual(&folder),
        Command::Passwd(arguments) => broker::users::passwd(&arguments),
        Command::Store(arguments) => store::run(arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(ending) => ending.tell(),
    }
}
