//! The configuration of a broker: read from TOML, checked as a whole, printed with a comment for every key.
//!
//! Each section of the file describes its keys once. From this description the file is read,
//! unknown keys are found, and the [example](Config::example) is printed: a key cannot be in one of them alone.
//!
//! ```
//! use mqtt_program::broker::Config;
//! let (config, report) = Config::parse("[[listener]]\naddress = '0.0.0.0:1883'\nanonymus = true".as_ref(), "mqtt.toml".as_ref());
//! assert!(report.to_string().contains("mqtt.toml:3:1: error: listener[1].anonymus"));
//! assert!(report.to_string().contains("`anonymous`"));
//! ```

mod checks;
mod comparing;
mod description;
mod limits;
mod paths;
mod printing;
mod reading;
mod sections;
mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use self::checks::Surroundings;
pub use self::settings::{
    Access, Address, Config, Limits, Listener, Log, LogLevel, Metrics, Persistence, Protocol, Rights, Rule, Tls,
    UserFromCertificate, WebSocket,
};
use super::problem::{Place, Problem, Report};

/// No file that a person wrote is longer.
const FILE_BYTES_MAX: u64 = 16 << 20;

impl Config {
    /// Reads a configuration from a file. Paths in it are meant from the folder of the file.
    ///
    /// What could be read is returned even if there are errors; it is not to be used then.
    #[must_use]
    pub fn load(file: &Path, surroundings: Surroundings) -> (Self, Report) {
        match read(file) {
            Ok(bytes) => Self::parse_in(&bytes, file, surroundings),
            Err(problem) => {
                let mut report = Report::default();
                report.push(problem);
                (Self::default(), report)
            }
        }
    }

    /// As [`load`](Self::load), of bytes that are there already.
    #[must_use]
    pub fn parse(bytes: &[u8], file: &Path) -> (Self, Report) {
        Self::parse_in(bytes, file, Surroundings::default())
    }

    fn parse_in(bytes: &[u8], file: &Path, surroundings: Surroundings) -> (Self, Report) {
        let mut report = Report::default();
        let mut config = Self::default();
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let place = Some(Place::of(bytes, error.valid_up_to()));
                report.push(Problem::error(
                    file,
                    place,
                    "this is not UTF-8",
                    "save the file as UTF-8",
                ));
                return (config, report);
            }
        };
        let places = reading::read(text, file, &mut config, &mut report);
        if !report.has_errors() {
            checks::check(&config, file, &places, surroundings, &mut report);
        }
        checks::check_rules(&config, file, &places, &mut report);
        report.sort();
        (config, report)
    }

    /// This configuration as a file, with a comment for every key.
    #[must_use]
    pub fn to_toml(&self) -> String {
        printing::print(&mut self.clone())
    }

    /// A configuration file that says what is so without one, with a comment for every key.
    #[must_use]
    pub fn example() -> String {
        Self::default().to_toml()
    }
}

/// Reads a whole file that a person wrote.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    let refused = |error: io::Error| {
        let advice = "make sure that the path is right and that the broker's user may read it";
        Problem::error(file, None, format_args!("it cannot be read: {error}"), advice)
    };
    let opened = File::open(file).map_err(refused)?;
    let mut bytes = Vec::new();
    opened
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format_args!("it has more than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(Problem::error(
            file,
            None,
            message,
            "make sure that this is the right file",
        ));
    }
    Ok(bytes)
}
