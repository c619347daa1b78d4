//! `mqtt pub`, `mqtt sub` and `mqtt rr`: clients for people and scripts.
//!
//! They take the options of mosquitto's clients where these mean the same, and refuse the others with what to use instead. Each
//! runs on one thread: a runtime with the task that keeps the connection, and the command itself.

mod arguments;
mod connection;
pub(crate) mod failing;
mod format;
mod publish;
mod request;
mod signals;
mod subscribe;
mod voice;

pub use arguments::{Absent, Behind, ConnectionArguments, Password, PayloadArguments, Properties, Stage, TlsArguments};
pub(crate) use arguments::{qos, seconds, version};
pub(crate) use connection::{TLS_PORT, tls};
pub use format::OutputArguments;
pub use publish::PublishArguments;
pub use request::RequestArguments;
pub use subscribe::SubscribeArguments;

use std::future::Future;

use crate::Ending;

/// What a script learns from the exit code, for the end of each command's help.
macro_rules! exit_codes {
    () => {
        "Exit codes:
  0    done
  1    failed: no connection, a file that cannot be read, ...
  2    called with what cannot be
  3    the server refused: the connection, a subscription or a message
  4    a message of QoS 1 or 2 was not acknowledged
  27   not done in the time that -W gives
  130  interrupted before it was done; 143 if by SIGTERM"
    };
}
pub(crate) use exit_codes;

/// Publishes.
pub(crate) fn publish(arguments: PublishArguments) -> Result<(), Ending> {
    let is_quiet = arguments.connection.quiet;
    run(is_quiet, publish::run(arguments))
}

/// Subscribes.
pub(crate) fn subscribe(arguments: SubscribeArguments) -> Result<(), Ending> {
    let is_quiet = arguments.connection.quiet;
    run(is_quiet, subscribe::run(arguments))
}

/// Asks.
pub(crate) fn request(arguments: RequestArguments) -> Result<(), Ending> {
    let is_quiet = arguments.connection.quiet;
    run(is_quiet, request::run(arguments))
}

/// Runs a command on this thread.
fn run(is_quiet: bool, command: impl Future<Output = Result<(), Ending>>) -> Result<(), Ending> {
    // The command has its turn after each turn of the connection: else this would read on while the command has much to print.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(1)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(command);
    // A name that is still being looked up keeps nobody waiting.
    runtime.shutdown_background();
    match ended {
        Err(ending) if is_quiet && !ending.is_misuse() => Err(ending.silent()),
        ended => ended,
    }
}
