//! What the command line asks for.

use std::fmt;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Random packets for each peer and version; each is judged once more as the peer encodes it.
    pub(crate) packets: usize,
    /// Mutations of valid frames for each peer and version.
    pub(crate) mutations: usize,
    pub(crate) seed: u64,
    pub(crate) task: Task,
}

/// Which of the things that this program can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Compare,
    /// Show that a fault would be found.
    Control,
    /// Show what everybody makes of these bytes.
    Frame(Vec<u8>),
}

/// Why the command line was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misunderstood(String);

impl fmt::Display for Misunderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{USAGE}", self.0)
    }
}

const USAGE: &str = "\
usage: mqtt-differential [--packets N] [--mutations N] [--seed N] [--control | --frame HEX]

--packets N     random packets for each peer and version (default 2000)
--mutations N   mutations of valid frames for each peer and version (default 20000)
--seed N        the seed of the run (default 1)
--control       flips rules on our side and exits with 1 if every flip was found
--frame HEX     prints what each codec makes of these bytes, in both versions";

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Misunderstood> {
        let mut options = Self {
            packets: 2000,
            mutations: 20_000,
            seed: 1,
            task: Task::Compare,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| Misunderstood(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--packets" => options.packets = number(&value()?)?,
                "--mutations" => options.mutations = number(&value()?)?,
                "--seed" => options.seed = number(&value()?)?,
                "--control" => options.task = Task::Control,
                "--frame" => options.task = Task::Frame(bytes(&value()?)?),
                other => return Err(Misunderstood(format!("{other} is not understood"))),
            }
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Misunderstood> {
    text.replace('_', "")
        .parse()
        .map_err(|_| Misunderstood(format!("{text} is not a number")))
}

fn bytes(text: &str) -> Result<Vec<u8>, Misunderstood> {
    let misunderstood = || Misunderstood(format!("{text} is not pairs of hex digits"));
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16))
        .collect();
    let digits = digits
        .filter(|digits| digits.len() % 2 == 0)
        .ok_or_else(misunderstood)?;
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).map_err(|_| misunderstood()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Misunderstood> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_sizes_the_seed_and_a_frame_are_read() {
        let options = read("--packets 100_000 --mutations 7 --seed 3 --frame c000").unwrap();
        assert_eq!((options.packets, options.mutations, options.seed), (100_000, 7, 3));
        assert_eq!(options.task, Task::Frame(vec![0xC0, 0x00]));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        assert!(read("--packets").is_err());
        assert!(read("--packets many").is_err());
        assert!(read("--frame c0f").is_err());
        assert!(read("--everything").is_err());
    }
}
