//! How a section of the file says what stands in it.

use super::value::Value;

/// A part of the file with keys of its own.
pub(super) trait Section: Default {
    /// Names each key, with what it is for and where its value is, in the order in which they are printed: plain keys
    /// first, as TOML wants it.
    fn describe(&mut self, keys: &mut impl Keys);
}

/// What is done with the keys of a section: they are read, or printed.
pub(super) trait Keys {
    /// A key with a value.
    fn key<T: Value>(&mut self, key: Key, value: &mut T);
    /// A section below this one.
    fn section<T: Section>(&mut self, name: &'static str, about: &'static str, section: &mut T);
    /// A section below this one whose presence says something.
    fn optional<T: Section>(&mut self, name: &'static str, about: &'static str, section: &mut Option<T>);
    /// Sections below this one, as many as are wanted.
    fn sections<T: Section>(&mut self, name: &'static str, about: &'static str, sections: &mut Vec<T>);
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What is printed, as a comment, if there is no value.
    pub(super) sample: &'static str,
    pub(super) least: u64,
    pub(super) most: u64,
    /// The largest number is written as this word.
    pub(super) unlimited: bool,
    pub(super) is_required: bool,
}

impl Key {
    pub(super) const fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            sample: "",
            least: 0,
            most: u64::MAX,
            unlimited: false,
            is_required: false,
        }
    }

    pub(super) const fn sample(mut self, sample: &'static str) -> Self {
        self.sample = sample;
        self
    }

    pub(super) const fn at_least(mut self, least: u64) -> Self {
        self.least = least;
        self
    }

    pub(super) const fn at_most(mut self, most: u64) -> Self {
        self.most = most;
        self
    }

    pub(super) const fn or_unlimited(mut self) -> Self {
        self.unlimited = true;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Whether it counts bytes, so that `"16 MiB"` is a value.
    pub(super) fn counts_bytes(&self) -> bool {
        self.name.ends_with("_bytes")
    }
}
