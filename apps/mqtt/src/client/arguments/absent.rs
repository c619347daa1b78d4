//! Options that mosquitto's clients have, and these do not.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::Ending;

/// An option that is not there.
struct Missing {
    /// Its long name, or its letter if it has none.
    name: &'static str,
    letter: Option<char>,
    takes_value: bool,
    advice: &'static str,
}

const fn long(name: &'static str, takes_value: bool, advice: &'static str) -> Missing {
    Missing {
        name,
        letter: None,
        takes_value,
        advice,
    }
}

const fn letter(name: &'static str, letter: char, takes_value: bool, advice: &'static str) -> Missing {
    Missing {
        name,
        letter: Some(letter),
        takes_value,
        advice,
    }
}

const CIPHERS: &str = "TLS 1.3 and 1.2 are spoken with the ciphers that rustls holds to be good; leave it out";
const ENGINE: &str = "keys in engines are not supported: use --key with a file";
const PSK: &str = "TLS with pre-shared keys is not supported: use --cert and --key, or -u and -P over TLS";

static MISSING: &[Missing] = &[
    letter("bind", 'A', true, "choose the way by a route of this machine"),
    letter("srv", 'S', false, "SRV records are not looked up: give host and port"),
    long(
        "insecure",
        false,
        "name what is trusted: --tls-name if the certificate is for another name, --tls-fingerprint for exactly one certificate",
    ),
    long("ciphers", true, CIPHERS),
    long("tls-version", true, CIPHERS),
    long("tls-engine", true, ENGINE),
    long("tls-engine-kpass-sha1", true, ENGINE),
    long("keyform", true, ENGINE),
    long("psk", true, PSK),
    long("psk-identity", true, PSK),
    long(
        "proxy",
        true,
        "SOCKS is not spoken: forward a port, by `ssh -L` for instance",
    ),
    long("random-filter", true, "pipe the output through what chooses"),
];

/// Options of mosquitto's clients that these do not have: they are known, so that their use can be answered with what to do
/// instead.
#[derive(Clone, Debug, Default)]
pub struct Absent {
    used: Option<usize>,
}

impl Absent {
    /// Refuses the first of them that is used.
    pub(crate) fn check(&self) -> Result<(), Ending> {
        let Some(missing) = self.used.and_then(|index| MISSING.get(index)) else {
            return Ok(());
        };
        let name = match missing.letter {
            Some(letter) => format!("-{letter}"),
            None => format!("--{}", missing.name),
        };
        Err(Ending::misused(format_args!("there is no {name} here")).advice(missing.advice))
    }
}

impl Args for Absent {
    fn augment_args(command: Command) -> Command {
        // Immediate effect, which has always been so here.
        let nodelay = Arg::new("nodelay")
            .long("nodelay")
            .action(ArgAction::SetTrue)
            .hide(true);
        MISSING.iter().fold(command.arg(nodelay), |command, missing| {
            let arg = Arg::new(missing.name).hide(true);
            let arg = match missing.letter {
                Some(letter) => arg.short(letter),
                None => arg.long(missing.name),
            };
            command.arg(match missing.takes_value {
                true => arg.action(ArgAction::Append).allow_hyphen_values(true),
                false => arg.action(ArgAction::SetTrue),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Absent {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let is_used = |missing: &Missing| match missing.takes_value {
            true => matches.contains_id(missing.name),
            false => matches.get_flag(missing.name),
        };
        let used = MISSING.iter().position(is_used);
        Ok(Self { used })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
