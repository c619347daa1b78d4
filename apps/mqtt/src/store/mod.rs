//! `mqtt store`: looks after the file that a broker keeps its sessions and messages in.

mod check;
mod copies;
mod dump;
mod kept;
mod line;
mod telling;

use std::path::{Path, PathBuf};

use mqtt_store::{FileReader, StoreError, StoreErrorKind};

use self::dump::DumpArguments;
use crate::Ending;
use crate::broker::Config;
use crate::broker::config::Surroundings;
use crate::progress::Progress;
use crate::screen::note;

/// What `mqtt store` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  mqtt store check /var/lib/mqtt/broker.store
  mqtt store dump --config mqtt.toml --client sensor-7
  mqtt store compact --config mqtt.toml
  mqtt store backup --config mqtt.toml /backup/broker.store

The broker has to be ended before; `mqtt ctl backup` has one that runs copy its file.")]
pub struct StoreArguments {
    /// What to do.
    #[command(subcommand)]
    command: StoreCommand,
}

/// What can be done with the file of a store.
#[derive(Clone, Debug, clap::Subcommand)]
enum StoreCommand {
    /// Read every record, and say what is damaged; nothing is changed
    #[command(after_help = "Examples:
  mqtt store check /var/lib/mqtt/broker.store
  mqtt store check --config mqtt.toml

Every page and every record is held against its checksum, and all of them together are given to a broker, as at
its start: what it could not use is told. A broker that starts with a damaged file moves it aside and goes on with the rest.

Exit codes: 0 nothing is damaged or of no use, 1 something is, or the file cannot be read, 2 wrong arguments.")]
    Check(Which),
    /// Print what is kept: sessions, subscriptions, messages, wills, retained messages
    #[command(after_help = "Examples:
  mqtt store dump /var/lib/mqtt/broker.store
  mqtt store dump --config mqtt.toml --client sensor-7 --payload hex
  mqtt store dump broker.store --json | jq 'select(.kind == \"retained\") | .topic'

With --json each line is an object. Its `kind` is session, will, subscription, message, received, retained, forward,
damaged, or client_session for one that a client keeps itself; messages have the names that `mqtt sub --json` gives their parts, and `state`: queued, in flight (sent, and not
acknowledged), released (QoS 2, which the client has) or inbox. Nothing is changed.

Exit codes: 0 done, 1 the file is damaged or cannot be read, 2 wrong arguments.")]
    Dump(DumpArguments),
    /// Write the file anew without the room that it does not use any more
    #[command(after_help = "Examples:
  mqtt store compact /var/lib/mqtt/broker.store
  mqtt store compact --config mqtt.toml

The new file is written beside the old one, compared with it, and takes its place at once, with its owner and permissions:
whenever this is interrupted, the file is the one or the other. There has to be room for both. The broker has to be ended before.")]
    Compact(Which),
    /// Copy the file, and make sure that the copy is a store
    #[command(after_help = "Examples:
  mqtt store backup /var/lib/mqtt/broker.store /backup/broker.store
  mqtt store backup --config mqtt.toml /backup/broker.store --force

The copy gets its name when all of it is on the disk and was read again; until then it is called DEST.new. What a
process left there that was killed is removed; any other file stays, and so does a DEST that is in use. The broker has to be ended before. To bring a copy back, end the broker and put the copy in the place of its file.")]
    Backup(BackupArguments),
}

/// Which file.
#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// The file of the store
    #[arg(value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The configuration of a broker, whose [persistence] names the file
    #[arg(short, long, value_name = "CONFIG")]
    config: Option<PathBuf>,
}

/// What `mqtt store backup` is told.
#[derive(Clone, Debug, clap::Args)]
struct BackupArguments {
    /// The file of the store, unless --config says it, and where the copy is to be
    #[arg(required = true, num_args = 1..=2, value_names = ["FILE", "DEST"])]
    paths: Vec<PathBuf>,
    /// The configuration of a broker, whose [persistence] names the file
    #[arg(short, long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Replace what is there
    #[arg(short, long)]
    force: bool,
}

/// The file of a store, and what a broker that opens it is configured to be.
struct Source {
    path: PathBuf,
    config: Config,
    /// Whether somebody has written this configuration.
    is_configured: bool,
}

pub(crate) fn run(arguments: StoreArguments) -> Result<(), Ending> {
    match arguments.command {
        StoreCommand::Check(which) => check::run(&which.source()?),
        StoreCommand::Dump(dump) => dump::run(&dump),
        StoreCommand::Compact(which) => copies::compact(&which.source()?.path),
        StoreCommand::Backup(backup) => {
            let (source, to) = backup.source()?;
            copies::backup(&source.path, &to, backup.force)
        }
    }
}

impl Which {
    fn source(&self) -> Result<Source, Ending> {
        match (&self.file, &self.config) {
            (Some(file), _) => Ok(Source {
                path: file.clone(),
                config: Config::default(),
                is_configured: false,
            }),
            (None, Some(config)) => configured(config),
            (None, None) => Err(Ending::misused("neither a file nor --config was given")),
        }
    }
}

impl BackupArguments {
    fn source(&self) -> Result<(Source, PathBuf), Ending> {
        let which = |file: Option<&PathBuf>| Which {
            file: file.cloned(),
            config: self.config.clone(),
        };
        match (self.paths.as_slice(), &self.config) {
            ([file, to], None) => Ok((which(Some(file)).source()?, to.clone())),
            ([to], Some(_)) => Ok((which(None).source()?, to.clone())),
            ([_], None) => {
                Err(Ending::misused("where the copy is to be was not said").advice("mqtt store backup FILE DEST"))
            }
            _ => Err(
                Ending::misused("--config says which file it is: there is one path too many")
                    .advice("mqtt store backup --config CONFIG DEST"),
            ),
        }
    }
}

/// The file that a configuration names.
fn configured(file: &Path) -> Result<Source, Ending> {
    let (config, report) = Config::load(file, Surroundings::default());
    if report.has_errors() {
        note(report.to_string().trim_end());
        return Err(Ending::failed("the configuration cannot be used"));
    }
    match config.persistence.path.clone() {
        Some(path) => Ok(Source {
            path,
            config,
            is_configured: true,
        }),
        None => Err(
            Ending::failed(format_args!("{}: there is no path in [persistence]", file.display()))
                .advice("this broker keeps everything in memory"),
        ),
    }
}

/// Opens the file to read it. All of it is read for that.
fn open(path: &Path) -> Result<FileReader, Ending> {
    let progress = Progress::waiting("reading and checking the file");
    let reader = FileReader::open(path);
    progress.end();
    reader.map_err(|error| refused(&error))
}

fn refused(error: &StoreError) -> Ending {
    let ending = Ending::failed(error);
    match error.kind() {
        StoreErrorKind::Locked => ending
            .advice("a running broker keeps the file for itself: end it (SIGTERM), or wait for the other `mqtt store`"),
        StoreErrorKind::PartlyDamaged => {
            ending.advice("`mqtt store check` says what is lost; a broker that starts with the file mends it")
        }
        _ => ending,
    }
}
