//! `mqtt ctl`: what somebody at a terminal, or a script, wants of a broker that runs.

mod asking;
pub(crate) mod protocol;
mod showing;
mod table;
mod text;

use std::io::Write;
use std::path::PathBuf;

use self::asking::Asking;
use self::protocol::{Level, Request};
use crate::Ending;
use crate::screen::Screen;

/// What `mqtt ctl` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "The broker has to be told to listen: `control = \"/run/mqtt/control.sock\"` in its configuration.
The socket is for the user of the broker, and for root. Which one is meant: --socket, else the
variable MQTT_CONTROL, else /run/mqtt/control.sock.

Examples:
  mqtt ctl clients                          who is connected, from where, for how long
  mqtt ctl sessions --client 'sensor-*'     also of clients that are away, and what waits for them
  mqtt ctl subscriptions --topic lamp/1     who gets a message with this topic
  mqtt ctl show sensor-7                    one session with all that it has
  mqtt ctl kick sensor-7 --reason 'new battery'
  mqtt ctl retained list 'lamp/#'
  mqtt ctl retained delete lamp/1
  mqtt ctl log debug
  mqtt ctl backup /var/lib/mqtt/backup.store
  mqtt ctl stats
  mqtt ctl health && echo it serves
  mqtt ctl clients --json | jq -r .client

What is printed as a table has control characters escaped; --json prints one object a line.
The exit code is 3 if the broker refuses, as for a client that it does not know, or if it is not
healthy, and 1 if it cannot be asked."
)]
pub struct Ctl {
    /// The control socket of the broker
    #[arg(short, long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What can be asked.
#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// The clients that are connected
    #[command(after_help = "Examples:
  mqtt ctl clients
  mqtt ctl clients --client 'sensor-*' --limit 20
  mqtt ctl clients --json | jq -r 'select(.messages > 100) | .client'")]
    Clients(Selection),
    /// All sessions: those of clients that are away too, and what waits for them
    #[command(after_help = "Examples:
  mqtt ctl sessions
  mqtt ctl sessions --json | jq -r 'select(.connection == null) | .client'")]
    Sessions(Selection),
    /// Who is subscribed to what
    #[command(after_help = "Examples:
  mqtt ctl subscriptions
  mqtt ctl subscriptions --client sensor-7
  mqtt ctl subscriptions --topic lamp/1/state     those that get a message with this topic")]
    Subscriptions {
        #[command(flatten)]
        selection: Selection,
        /// Only those that a message with this topic goes to; of a group, one member gets it
        #[arg(short, long)]
        topic: Option<String>,
    },
    /// One session in full
    Show {
        /// The name of the client
        client: String,
        /// Show no more than so many of the messages for it
        #[arg(short, long, default_value_t = 10)]
        messages: u64,
    },
    /// Disconnect clients
    #[command(
        after_help = "A client of MQTT 5.0 is told that it was an administrative action, and the reason. Its will is
published as after any other broken connection. Most clients come back at once: what keeps them away
is the configuration of users and rights.

Examples:
  mqtt ctl kick sensor-7
  mqtt ctl kick sensor-7 sensor-8 --reason 'maintenance'
  mqtt ctl kick sensor-7 --end-session     its session too, also if the client is away"
    )]
    Kick {
        /// The names of the clients
        #[arg(required = true, value_name = "CLIENT")]
        clients: Vec<String>,
        /// What clients of MQTT 5.0 are told
        #[arg(short, long)]
        reason: Option<String>,
        /// End their sessions too, or those of clients that are away
        #[arg(long)]
        end_session: bool,
    },
    /// Retained messages
    #[command(
        subcommand,
        after_help = "Examples:
  mqtt ctl retained list 'lamp/#'
  mqtt ctl retained delete lamp/1 lamp/2
  mqtt ctl retained delete --filter 'lamp/#'"
    )]
    Retained(RetainedCommand),
    /// Show or change what is logged
    #[command(
        after_help = "The level holds until it is changed again, the configuration is read again, or the broker
ends.

Examples:
  mqtt ctl log          what is logged
  mqtt ctl log debug    more, from now on"
    )]
    Log {
        /// The least important lines that are logged
        level: Option<Level>,
    },
    /// Copy the store while the broker goes on
    #[command(
        after_help = "The copy has everything that was acknowledged before, and nothing that is half done. The broker writes it,
as its own user and where it sees that path, under the name with .new behind until all of it is on the
disk and was compared. To bring a copy back, end the broker and put the copy in the place of its file.

Examples:
  mqtt ctl backup /var/lib/mqtt/backup.store
  mqtt ctl backup --force /var/lib/mqtt/backup.store     replaces the one from before"
    )]
    Backup {
        /// Where the copy is to be
        #[arg(value_name = "FILE", value_parser = absolute)]
        path: String,
        /// Replace what is there
        #[arg(short, long)]
        force: bool,
    },
    /// What the broker has counted, and what it holds
    Stats,
    /// Whether it serves: every shard answers, and the store has not failed
    Health,
}

/// What can be done with retained messages.
#[derive(Clone, Debug, clap::Subcommand)]
enum RetainedCommand {
    /// Show which there are
    #[command(
        after_help = "Topics that begin with $ are shown if the filter names their first level.

Examples:
  mqtt ctl retained list
  mqtt ctl retained list 'lamp/+/state'
  mqtt ctl retained list '$SYS/#'
  mqtt sub -t lamp/1 --retained-only -C 1       what one says"
    )]
    List {
        /// Which topics
        #[arg(default_value = "#")]
        filter: String,
        /// No more than so many
        #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Delete some
    #[command(
        after_help = "Subscribers are told nothing of it. If they are to know, publish an empty message:
mqtt pub -r -n -t TOPIC

Examples:
  mqtt ctl retained delete lamp/1 lamp/2
  mqtt ctl retained delete --filter 'lamp/#'"
    )]
    Delete {
        /// The topics
        #[arg(required_unless_present = "filter", conflicts_with = "filter", value_name = "TOPIC")]
        topics: Vec<String>,
        /// All that match
        #[arg(long)]
        filter: Option<String>,
    },
}

/// Which are wanted.
#[derive(Clone, Debug, clap::Args)]
struct Selection {
    /// Only clients of this name: * stands for any text, ? for any character, and \ before one of these for itself
    #[arg(short, long, value_name = "PATTERN")]
    client: Option<String>,
    /// No more than so many
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A path as the broker is told it, whose folder is another one.
fn absolute(path: &str) -> Result<String, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    path.into_os_string()
        .into_string()
        .map_err(|path| format!("{} cannot be sent, since it is not UTF-8", path.display()))
}

/// Asks, and prints the answer.
pub(crate) fn run(ctl: Ctl) -> Result<(), Ending> {
    let requests = requests(ctl.command);
    let mut asking = Asking::open(ctl.socket)?;
    let mut screen = Screen::new();
    let mut refused: Option<Ending> = None;
    for request in requests {
        let answered = if ctl.json {
            showing::json(&mut asking, &request, &mut screen)
        } else {
            showing::people(&mut asking, &request, &mut screen)
        };
        screen.flush()?;
        // Of several clients or topics, those behind one that is not there are dealt with too.
        if let Err(ending) = answered {
            let goes_on = ending.exit_code() == asking::REFUSED;
            if let Some(earlier) = refused.replace(ending) {
                earlier.tell();
            }
            if !goes_on {
                break;
            }
        }
    }
    match refused {
        Some(ending) => Err(ending),
        None => Ok(screen.end()?),
    }
}

/// What the broker is asked for a command.
fn requests(command: Command) -> Vec<Request> {
    match command {
        Command::Clients(Selection { client, limit }) => vec![Request::Clients { client, limit }],
        Command::Sessions(Selection { client, limit }) => vec![Request::Sessions { client, limit }],
        Command::Subscriptions {
            selection: Selection { client, limit },
            topic,
        } => vec![Request::Subscriptions { client, topic, limit }],
        Command::Show { client, messages } => {
            let messages = Some(messages);
            vec![Request::Show { client, messages }]
        }
        Command::Kick {
            clients,
            reason,
            end_session,
        } => {
            let kick = |client| Request::Kick {
                client,
                reason: reason.clone(),
                end_session,
            };
            clients.into_iter().map(kick).collect()
        }
        Command::Retained(RetainedCommand::List { filter, limit }) => {
            let filter = Some(filter);
            vec![Request::Retained { filter, limit }]
        }
        Command::Retained(RetainedCommand::Delete {
            filter: Some(filter), ..
        }) => vec![Request::DeleteAllRetained { filter }],
        Command::Retained(RetainedCommand::Delete { topics, .. }) => {
            let delete = |topic| Request::DeleteRetained { topic };
            topics.into_iter().map(delete).collect()
        }
        Command::Log { level } => vec![Request::Log { level }],
        Command::Backup { path, force } => vec![Request::Backup { path, force }],
        Command::Stats => vec![Request::Stats {}],
        Command::Health => vec![Request::Health {}],
    }
}
