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
#[command(after_help = "Examples:
  mqtt demo                                     what it does, in a few seconds
  mqtt broker                                   serve clients of this machine
  mqtt sub -t 'house/#' -v                      print what is published there
  mqtt pub -t house/door -m open -q 1           publish something there

Each command has more of them: mqtt COMMAND --help.")]
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
read what this command writes. What a check of a password costs the broker, it costs whoever has stolen
the file and guesses.

Examples:
  mqtt passwd /etc/mqtt/users alice
  mqtt passwd /etc/mqtt/users alice < password.txt
  mqtt passwd --batch /etc/mqtt/users < users-and-passwords.txt
  mqtt passwd --batch --memory 8192 --passes 1 /etc/mqtt/devices < random-passwords.txt
  mqtt passwd --delete /etc/mqtt/users alice")]
    Passwd(PasswdArguments),
    /// Look after the file that a broker keeps its sessions and messages in
    Store(crate::store::StoreArguments),
}

#[cfg(all(test, feature = "tokio", feature = "demo"))]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The words of a command line, as a shell would have them: without what follows a comment, a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        let mut is_word = false;
        for character in line.chars() {
            match (character, quote) {
                (end, Some(open)) if end == open => quote = None,
                (inside, Some(_)) => word.push(inside),
                ('\'' | '"', None) => (quote, is_word) = (Some(character), true),
                ('|' | '>' | '<' | ';' | '&', None) => break,
                (' ', None) => {
                    if is_word {
                        words.push(std::mem::take(&mut word));
                    }
                    is_word = false;
                }
                (inside, None) => {
                    word.push(inside);
                    is_word = true;
                }
            }
        }
        if is_word {
            words.push(word);
        }
        words
    }

    /// What other programs would print there counts as a number.
    fn filled(line: &str) -> String {
        match line
            .split_once("$(")
            .and_then(|(before, rest)| Some((before, rest.split_once(')')?.1)))
        {
            Some((before, after)) => format!("{before}1{after}"),
            None => line.to_owned(),
        }
    }

    /// The examples in the help of a command and of those below it.
    fn examples(command: &clap::Command) -> Vec<String> {
        let helps = [command.get_after_help(), command.get_after_long_help()];
        let helps = helps.into_iter().flatten().map(ToString::to_string);
        let mut lines: Vec<String> = helps
            .flat_map(|help| help.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| {
                // What goes before a pipe is another program; a wide gap is followed by words for people.
                let line = line.split(" | ").find(|part| part.trim().starts_with("mqtt "))?.trim();
                Some(line.split("  ").next().unwrap_or(line).to_owned())
            })
            .collect();
        lines.extend(command.get_subcommands().flat_map(examples));
        lines
    }

    #[test]
    fn every_example_in_a_help_is_a_command_line() {
        let examples = examples(&Cli::command());
        assert!(examples.len() > 50, "{examples:#?}");
        let refused = examples.iter().filter_map(|example| {
            let error = Cli::try_parse_from(words(&filled(example))).err()?;
            Some(format!("{example}: {error}"))
        });
        assert_eq!(refused.collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn every_command_teaches_by_examples() {
        for command in Cli::command()
            .get_subcommands()
            .filter(|command| command.get_name() != "help")
        {
            assert!(!examples(command).is_empty(), "{}", command.get_name());
        }
    }
}
