//! The order of `-L`, `-h` and `-p`.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// Which options stand behind `-L`, and take the place of what the URL says: as with mosquitto's clients, the last one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    pub(crate) host: bool,
    pub(crate) port: bool,
}

impl FromArgMatches for Behind {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let url = matches.index_of("url");
        let is_behind =
            |option| matches.value_source(option) == Some(ValueSource::CommandLine) && matches.index_of(option) > url;
        Ok(Self {
            host: is_behind("host"),
            port: is_behind("port"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// It has no options of its own.
impl Args for Behind {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
