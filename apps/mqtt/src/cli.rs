//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::broker::users::PasswdArguments;
#[cfg(feature = "tokio")]
use crate::client::{PublishArguments, RequestArguments, SubscribeArguments};

/// MQTT 5.0, 3.1.1 and 3.1 from the command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "mqtt", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load a broker, and measure it
    #[cfg(feature = "tokio")]
    Bench(Box<crate::bench::BenchArguments>),
    /// Serve clients: a broker
    #[cfg(any(feature = "tokio", feature = "smol", feature = "std"))]
    Broker(crate::serve::Serve),
    /// Show and change a broker that runs: its clients, sessions, subscriptions, retained messages and log
    Ctl(crate::ctl::Ctl),
    /// Publish messages
    #[cfg(feature = "tokio")]
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Pub(Box<PublishArguments>),
    /// Subscribe, and print the messages that come
    #[cfg(feature = "tokio")]
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Sub(Box<SubscribeArguments>),
    /// Publish a request, and print the response
    #[cfg(feature = "tokio")]
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Rr(Box<RequestArguments>),
    /// Print what a shell needs to complete the commands of this program
    #[command(after_help = "Examples:
  mqtt completion bash > /etc/bash_completion.d/mqtt
  mqtt completion zsh > \"${fpath[1]}/_mqtt\"")]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Explain packets field by field: bytes, hex or a capture file
    Decode(crate::decode::Decode),
    /// Show a broker and three clients, a cut connection and a killed broker, packet by packet, with a verdict
    #[cfg(feature = "demo")]
    Demo(crate::demo::Demo),
    /// Write the manual pages into a folder, one for each command
    #[command(after_help = "Example:
  mqtt man /usr/local/share/man/man1")]
    Man {
        /// Where to; it is made if it is not there
        folder: PathBuf,
    },
    /// Make and change the file with the users of a broker
    #[command(after_help = "Without a terminal the password is the first line of standard input.
The lines of other users stay as they are, also those that mosquitto_passwd made; mosquitto cannot
read what this command writes.

Examples:
  mqtt passwd /etc/mqtt/users alice
  mqtt passwd /etc/mqtt/users alice < password.txt
  mqtt passwd --batch /etc/mqtt/users < users-and-passwords.txt
  mqtt passwd --delete /etc/mqtt/users alice")]
    Passwd(PasswdArguments),
    /// Look after the file that a broker keeps its sessions and messages in
    Store(crate::store::StoreArguments),
}
