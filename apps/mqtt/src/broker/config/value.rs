//! What can stand behind a key: read from TOML, and written as such.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mqtt_proto::QoS;
use mqtt_session::{Overlap, Share};
use mqtt_store::Durability;
use toml::de::{DeInteger, DeValue};

use super::description::Key;
use super::settings::{Access, Address, LogLevel, UserFromCertificate};

/// What is wrong with a value, and what to write instead.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) advice: String,
}

impl Fault {
    fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: advice.into(),
        }
    }
}

/// Behind which key a value stands, and from where its paths are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) key: &'a Key,
    pub(super) folder: &'a Path,
}

/// What can stand behind a key.
pub(super) trait Value: Sized {
    fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault>;

    /// As TOML. `None`: there is no value.
    fn write(&self, key: &Key) -> Option<String>;

    /// As a number, which has its bounds.
    fn number(&self) -> Option<u64> {
        None
    }

    fn within(self, key: &Key) -> Result<Self, Fault> {
        match self.number() {
            Some(number) if number < key.least => {
                Err(Fault::new("this is too little", format!("write {} or more", key.least)))
            }
            Some(number) if number > key.most => {
                Err(Fault::new("this is too much", format!("write {} or less", key.most)))
            }
            _ => Ok(self),
        }
    }
}

impl<T: Value> Value for Option<T> {
    fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault> {
        T::read(value, origin).map(Some)
    }

    fn write(&self, key: &Key) -> Option<String> {
        self.as_ref()?.write(key)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref()?.number()
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault> {
        let Some(values) = value.as_array() else {
            return Err(Fault::new(
                "a list is expected",
                "write it in brackets: [\"..\", \"..\"]",
            ));
        };
        values.iter().map(|value| T::read(value.get_ref(), origin)).collect()
    }

    fn write(&self, key: &Key) -> Option<String> {
        let values: Vec<_> = self.iter().filter_map(|value| value.write(key)).collect();
        Some(format!("[{}]", values.join(", ")))
    }
}

impl Value for bool {
    fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
        value
            .as_bool()
            .ok_or_else(|| Fault::new("yes or no is expected", "write true or false, without quotes"))
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(self.to_string())
    }
}

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A number, with a unit if it counts bytes; `None` if it is none.
fn read_number(value: &DeValue<'_>, key: &Key, unlimited: u64) -> Option<u64> {
    if let Some(integer) = value.as_integer() {
        return u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    }
    let text = value.as_str()?;
    if key.unlimited && text == "unlimited" {
        return Some(unlimited);
    }
    let in_unit = |(unit, bytes): (&str, u64)| {
        let number = text.strip_suffix(unit)?.trim_end();
        number.parse::<u64>().ok()?.checked_mul(bytes)
    };
    UNITS.into_iter().filter(|_| key.counts_bytes()).find_map(in_unit)
}

fn no_number(value: &DeValue<'_>, key: &Key, most: u64) -> Fault {
    let what = format!("a number from {} to {} is expected", key.least, key.most.min(most));
    let advice = match (key.counts_bytes(), key.unlimited) {
        _ if value.as_integer().is_some() => "write one of these",
        (true, false) => "write it without quotes, or with a unit: \"64 KiB\", \"16 MiB\", \"1 GiB\"",
        (true, true) => "write it without quotes, with a unit (\"64 KiB\", \"16 MiB\", \"1 GiB\"), or \"unlimited\"",
        (false, false) => "write it without quotes",
        (false, true) => "write it without quotes, or \"unlimited\"",
    };
    Fault::new(what, advice)
}

fn write_number(number: u64, key: &Key, unlimited: u64) -> String {
    if key.unlimited && number == unlimited {
        return "\"unlimited\"".to_owned();
    }
    let units = UNITS.into_iter().filter(|_| key.counts_bytes());
    match units
        .into_iter()
        .find(|(_, bytes)| number >= *bytes && number.is_multiple_of(*bytes))
    {
        Some((unit, bytes)) => format!("\"{} {unit}\"", number / bytes),
        None => number.to_string(),
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(
            impl Value for $type {
                fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault> {
                    let most = u64::from(Self::MAX);
                    let number = read_number(value, origin.key, most).and_then(|number| number.try_into().ok());
                    number.ok_or_else(|| no_number(value, origin.key, most))
                }

                fn write(&self, key: &Key) -> Option<String> {
                    Some(write_number(u64::from(*self), key, u64::from(Self::MAX)))
                }

                fn number(&self) -> Option<u64> {
                    Some(u64::from(*self))
                }
            }
        )*
    };
}

numbers!(u16, u32, u64);

/// From the shortest to the longest, in milliseconds.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Its bounds are in milliseconds.
impl Value for Duration {
    fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
        let read = |text: &str| {
            let digits = text.find(|character: char| !character.is_ascii_digit())?;
            let (number, unit) = text.split_at_checked(digits)?;
            let (_, milliseconds) = TIMES.into_iter().find(|(name, _)| *name == unit.trim_start())?;
            number.parse::<u64>().ok()?.checked_mul(milliseconds)
        };
        let time = value.as_str().and_then(read).map(Self::from_millis);
        time.ok_or_else(|| {
            Fault::new(
                "a time with its unit is expected",
                "write \"500ms\", \"10s\", \"5m\", \"2h\" or \"1d\"",
            )
        })
    }

    fn write(&self, _: &Key) -> Option<String> {
        let all = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let whole = |(_, milliseconds): &(&str, u64)| all >= *milliseconds && all.is_multiple_of(*milliseconds);
        Some(match TIMES.into_iter().rev().find(whole) {
            Some((unit, milliseconds)) => format!("\"{}{unit}\"", all / milliseconds),
            None => "\"0s\"".to_owned(),
        })
    }

    fn number(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }

    fn within(self, key: &Key) -> Result<Self, Fault> {
        let written = |milliseconds| Self::from_millis(milliseconds).write(key).unwrap_or_default();
        match self.number() {
            Some(number) if number >= key.least && number <= key.most => Ok(self),
            Some(number) if number < key.least => Err(Fault::new(
                "this is too short",
                format!("write {} or longer", written(key.least)),
            )),
            _ => Err(Fault::new(
                "this is too long",
                format!("write {} or shorter", written(key.most)),
            )),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

fn no_text() -> Fault {
    Fault::new("text is expected", "write it in quotes")
}

impl Value for String {
    fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
        value.as_str().map(str::to_owned).ok_or_else(no_text)
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for PathBuf {
    fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault> {
        match value.as_str() {
            Some("") => Err(Fault::new(
                "a path is expected",
                "write the path of a file, or leave the key out",
            )),
            Some(path) => Ok(origin.folder.join(path)),
            None => Err(no_text()),
        }
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl Value for SocketAddr {
    fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
        let text = value.as_str().unwrap_or_default();
        text.parse().map_err(|_| {
            let advice = match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(ip)) => format!("write the port too: \"{ip}:1883\""),
                Ok(IpAddr::V6(ip)) => format!("write the port too: \"[{ip}]:1883\""),
                Err(_) => "write \"127.0.0.1:1883\", \"[::1]:1883\", or \"0.0.0.0:1883\" and \"[::]:1883\" for \
                           every network of this machine"
                    .to_owned(),
            };
            Fault::new("an IP address and a port are expected", advice)
        })
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for Address {
    fn read(value: &DeValue<'_>, origin: Origin<'_>) -> Result<Self, Fault> {
        match value.as_str().and_then(|text| text.strip_prefix("unix:")) {
            Some("") => Err(Fault::new("a path is expected", "write \"unix:/run/mqtt.sock\"")),
            Some(path) => Ok(Self::Unix(origin.folder.join(path))),
            None => SocketAddr::read(value, origin).map(Self::Tcp).map_err(|fault| Fault {
                advice: fault.advice + "; \"unix:/run/mqtt.sock\" for a unix socket",
                ..fault
            }),
        }
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

macro_rules! choices {
    ($($type:ty: $($word:literal => $value:expr),* ;)*) => {
        $(
            impl Value for $type {
                fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
                    let words = [$(($word, $value)),*];
                    let named = |(word, _): &(&str, Self)| value.as_str() == Some(word);
                    match words.into_iter().find(named) {
                        Some((_, value)) => Ok(value),
                        None => Err(Fault::new(
                            "this is none of the choices",
                            format!("write one of {}", [$(quoted($word)),*].join(", ")),
                        )),
                    }
                }

                fn write(&self, _: &Key) -> Option<String> {
                    let words = [$(($word, $value)),*];
                    let word = words.iter().find(|(_, value)| value == self);
                    word.map(|(word, _)| quoted(word))
                }
            }
        )*
    };
}

choices! {
    Durability: "sync" => Self::Sync, "os" => Self::Os, "none" => Self::None;
    LogLevel: "error" => Self::Error, "warn" => Self::Warn, "info" => Self::Info, "debug" => Self::Debug;
    UserFromCertificate: "no" => Self::No, "common-name" => Self::CommonName, "subject" => Self::Subject;
    Access: "read" => Self::Read, "write" => Self::Write, "readwrite" => Self::ReadWrite, "deny" => Self::Deny;
    Overlap: "one-copy" => Self::OneCopy, "copy-each" => Self::CopyEach;
    Share: "in-turn" => Self::InTurn, "same" => Self::Same, "random" => Self::Random, "by-topic" => Self::ByTopic;
}

impl Value for QoS {
    fn read(value: &DeValue<'_>, _: Origin<'_>) -> Result<Self, Fault> {
        let bits = value.as_integer().map(DeInteger::as_str);
        match bits {
            Some("0") => Ok(Self::AtMostOnce),
            Some("1") => Ok(Self::AtLeastOnce),
            Some("2") => Ok(Self::ExactlyOnce),
            _ => Err(Fault::new("this is no QoS", "write 0, 1 or 2")),
        }
    }

    fn write(&self, _: &Key) -> Option<String> {
        Some(self.bits().to_string())
    }
}
